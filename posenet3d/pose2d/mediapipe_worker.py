"""MediaPipe's side: pictures on stdin, joints on stdout. Runs where MediaPipe is, imports nothing of ours.

A picture is its width and height (two 32-bit numbers) and its RGB bytes; the answer is one line of JSON: for every person rows of
x, y (pixels) and visibility. With an argument, the model is that `.task` file, else the one that old MediaPipe brings along.
"""

import json
import os
import struct
import sys

import mediapipe as mp
import numpy as np

MOST_PEOPLE = 6


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # MediaPipe talks on stdout, too
    look = _with_file(sys.argv[1]) if len(sys.argv) > 1 else _with_own_model()
    while True:
        head = sys.stdin.buffer.read(8)
        if len(head) < 8:
            return
        width, height = struct.unpack("<II", head)
        content = sys.stdin.buffer.read(width * height * 3)
        if len(content) < width * height * 3:
            return
        picture = np.frombuffer(content, np.uint8).reshape(height, width, 3)
        people = [[[p.x * width, p.y * height, p.visibility] for p in person] for person in look(picture)]
        answers.write(json.dumps(people) + "\n")
        answers.flush()


def _with_own_model():
    if not hasattr(mp, "solutions"):
        sys.exit("this MediaPipe brings no model: give a .task file with --detector-model")
    pose = mp.solutions.pose.Pose(model_complexity=1)  # the only one whose weights are in the package

    def look(picture):
        found = pose.process(picture).pose_landmarks
        return [] if found is None else [found.landmark]

    return look


def _with_file(path):
    vision = mp.tasks.vision
    options = vision.PoseLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=path),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=MOST_PEOPLE,
    )
    landmarker = vision.PoseLandmarker.create_from_options(options)
    return lambda picture: landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)).pose_landmarks


main()
