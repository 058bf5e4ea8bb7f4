"""Worker-side protocol of `posenet3d.detection.detectors`: RGB images on stdin, one JSON line of keypoints per image on stdout.

An image is its width and height (two 32-bit numbers) and its RGB bytes. The answer is a list of people, each a list of joints
x, y (pixels) and score. Runs in the detector's environment, beside its worker, so it must not import the library.
"""

import json
import os
import struct
import sys
from collections.abc import Callable
from typing import Any

import numpy as np


def serve(load: Callable[[], Callable[[np.ndarray], Any]]) -> None:
    """Answer until stdin ends; `load()` loads the model and returns a function from an image to its people."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # detectors print messages about models and downloads on stdout, too
    detect = load()
    while True:
        header = sys.stdin.buffer.read(8)
        if len(header) < 8:
            return
        width, height = struct.unpack("<II", header)
        content = sys.stdin.buffer.read(width * height * 3)
        if len(content) < width * height * 3:
            return
        people = detect(np.frombuffer(content, np.uint8).reshape(height, width, 3))
        answers.write(json.dumps(people) + "\n")
        answers.flush()
