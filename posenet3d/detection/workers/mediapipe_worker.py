"""Worker for MediaPipe; `serve` describes the protocol. Runs in MediaPipe's environment and imports only `serve` of ours.

With an argument, the model is that `.task` file, else the one inside the MediaPipe package. A joint's score is its visibility.
"""

import sys
from collections.abc import Callable
from typing import Any

import mediapipe as mp
import numpy as np
from serve import serve

MAX_PEOPLE = 6


def load() -> Callable[[np.ndarray], Any]:
    """Load the user's model, or the one inside MediaPipe."""
    landmarks_of = _load_task(sys.argv[1]) if len(sys.argv) > 1 else _load_packaged()

    def detect(image: np.ndarray) -> Any:
        height, width = image.shape[:2]
        return [[[p.x * width, p.y * height, p.visibility] for p in person] for person in landmarks_of(image)]

    return detect


def _load_packaged() -> Callable[[np.ndarray], Any]:
    if not hasattr(mp, "solutions"):
        sys.exit("this MediaPipe contains no model: give a .task file with --detector-model")
    pose = mp.solutions.pose.Pose(model_complexity=1)  # the only one whose weights are in the package

    def landmarks_of(image: np.ndarray) -> Any:
        found = pose.process(image).pose_landmarks
        return [] if found is None else [found.landmark]

    return landmarks_of


def _load_task(path: str) -> Callable[[np.ndarray], Any]:
    vision = mp.tasks.vision
    options = vision.PoseLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=path),
        running_mode=vision.RunningMode.IMAGE,
        num_poses=MAX_PEOPLE,
    )
    landmarker = vision.PoseLandmarker.create_from_options(options)
    return lambda image: landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=image)).pose_landmarks


serve(load)
