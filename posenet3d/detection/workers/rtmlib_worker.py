"""Worker for RTMPose through rtmlib, run in rtmlib's environment; imports only `serve` of ours, which describes the protocol."""

from collections.abc import Callable
from typing import Any

import numpy as np
from rtmlib import Body
from serve import serve


def load() -> Callable[[np.ndarray], Any]:
    """Load RTMPose and its person detector, in rtmlib's balance between speed and accuracy."""
    body = Body(mode="balanced", backend="onnxruntime", device="cpu")

    def detect(image: np.ndarray) -> Any:
        image = image[..., ::-1]  # OpenCV's order
        boxes = body.det_model(image)
        if not len(boxes):  # without boxes the pose network would take the whole image for a person
            return []
        points, scores = body.pose_model(image, bboxes=boxes)
        return np.concatenate([points, np.clip(scores, 0, 1)[..., None]], -1).tolist()

    return detect


serve(load)
