"""MediaPipe's side; `serve` has the talk. Runs where MediaPipe is, imports nothing of ours but that.

With an argument, the model is that `.task` file, else the one that old MediaPipe brings along. Confidence is its visibility.
"""

import sys

import mediapipe as mp
from serve import serve

MAX_PEOPLE = 6


def load():
    """The user's model, or MediaPipe's own."""
    find = _with_file(sys.argv[1]) if len(sys.argv) > 1 else _with_own_model()

    def look(picture):
        height, width = picture.shape[:2]
        return [[[p.x * width, p.y * height, p.visibility] for p in person] for person in find(picture)]

    return look


def _with_own_model():
    if not hasattr(mp, "solutions"):
        sys.exit("this MediaPipe brings no model: give a .task file with --detector-model")
    pose = mp.solutions.pose.Pose(model_complexity=1)  # the only one whose weights are in the package

    def find(picture):
        found = pose.process(picture).pose_landmarks
        return [] if found is None else [found.landmark]

    return find


def _with_file(path):
    vision = mp.tasks.vision
    options = vision.PoseLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=path),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=MAX_PEOPLE,
    )
    landmarker = vision.PoseLandmarker.create_from_options(options)
    return lambda picture: landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)).pose_landmarks


serve(load)
