"""RTMPose's side, through rtmlib; `serve` has the talk. Runs where rtmlib is, imports nothing of ours but that."""

import numpy as np
from rtmlib import Body
from serve import serve


def load():
    """RTMPose, balanced between speed and exactness, with its finder of people."""
    body = Body(mode="balanced", backend="onnxruntime", device="cpu")

    def look(picture):
        picture = picture[..., ::-1]  # OpenCV's order
        boxes = body.det_model(picture)
        if not len(boxes):  # without boxes the pose network would take the whole picture for a person
            return []
        points, scores = body.pose_model(picture, bboxes=boxes)
        return np.concatenate([points, np.clip(scores, 0, 1)[..., None]], -1).tolist()

    return look


serve(load)
