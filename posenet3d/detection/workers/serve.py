"""The workers' side of the talk with `posenet3d.detection.detectors`: pictures on stdin, joints on stdout.

A picture is its width and height (two 32-bit numbers) and its RGB bytes; the answer is one line of JSON: for every person rows of
x, y (pixels) and confidence. Runs in the detector's environment, beside its worker, so it imports nothing of ours.
"""

import json
import os
import struct
import sys

import numpy as np


def serve(make_look) -> None:
    """Answer until stdin ends; `make_look()` loads the model and returns a function from a picture to its people."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # detectors talk on stdout, too, of models and downloads
    look = make_look()
    while True:
        head = sys.stdin.buffer.read(8)
        if len(head) < 8:
            return
        width, height = struct.unpack("<II", head)
        content = sys.stdin.buffer.read(width * height * 3)
        if len(content) < width * height * 3:
            return
        people = look(np.frombuffer(content, np.uint8).reshape(height, width, 3))
        answers.write(json.dumps(people) + "\n")
        answers.flush()
