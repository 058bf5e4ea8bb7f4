"""RTMPose's side: pictures on stdin, joints on stdout; as `mediapipe_worker.py`. Runs where rtmlib is."""

import json
import os
import struct
import sys

import numpy as np
from rtmlib import Body


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # downloads are announced on stdout
    body = Body(mode="balanced", backend="onnxruntime", device="cpu")
    while True:
        head = sys.stdin.buffer.read(8)
        if len(head) < 8:
            return
        width, height = struct.unpack("<II", head)
        content = sys.stdin.buffer.read(width * height * 3)
        if len(content) < width * height * 3:
            return
        picture = np.frombuffer(content, np.uint8).reshape(height, width, 3)[..., ::-1]  # OpenCV's order
        boxes = body.det_model(picture)
        people = []
        if len(boxes):  # without boxes the pose network would take the whole picture for a person
            points, scores = body.pose_model(picture, bboxes=boxes)
            people = np.concatenate([points, np.clip(scores, 0, 1)[..., None]], -1).tolist()
        answers.write(json.dumps(people) + "\n")
        answers.flush()


main()
