"""An unconstrained picture to the 2D joints of everybody in it, with our own networks: the finder's boxes, then the estimator.

The estimator looks twice: the finder's boxes are rough, and a box that ends where the joints of the first look end is what the
training data has.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from posenet3d.paths import BUNDLED_POSE2D
from posenet3d.pose2d.data.crops import Box
from posenet3d.pose2d.estimator import Estimator
from posenet3d.pose2d.person_detector import find, overlap
from posenet3d.pose2d.training.runs import load_person_detector

MIN_BOX_SCORE, MIN_SCORE_TRACKED = 0.25, 0.15
"""Boxes that are less likely than this to hold a person are not looked at; less is asked for where somebody just was."""

INPUT_SCALES = (1.0, 1.5)
"""How large the finder is shown a picture, one look after the other; see `posenet3d.pose2d.person_detector.find`."""

MIN_JOINT_SCORE = 0.3
"""Joints that are less likely than this to be right do not say where a person is."""

MIN_JOINTS = 5
"""Of a person at least so many joints must be likely."""

MAX_OVERLAP = 0.7
"""Two people whose joints' boxes share more than this are one, and the surer one stays."""

FIRST_CROP_SCALE, SECOND_CROP_SCALE = 1.2, 1.1
"""A look shows so much more than the box it goes by: the finder's boxes tend to end before the feet, and joints that are
estimated too near to the middle would draw the next box in."""

SAME_PLACE = 0.3
"""Somebody was there already if the last picture's box and the new one share so much."""


class PeopleEstimator:
    """Finder and estimator, loaded from a folder that holds both.

    Raises:
        InputError: the folder does not hold them.
    """

    def __init__(self, folder: Path = BUNDLED_POSE2D):
        self.estimator = Estimator(folder / "estimator")
        self.finder = load_person_detector(folder / "finder")

    def __call__(
        self, picture: UInt8[np.ndarray, "height width 3"], expected: Sequence[Box] = ()
    ) -> list[Float[np.ndarray, "joints 3"]]:
        """x, y (pixels) and confidence of everybody, surest first; nothing for a picture without a person.

        Args:
            picture: RGB.
            expected: where people were in the last picture of a film; there the finder need not be as sure.
        """
        image = Image.fromarray(picture)
        candidates = [
            _larger(box, FIRST_CROP_SCALE)
            for box, chance in find(self.finder, image, MIN_SCORE_TRACKED, INPUT_SCALES)
            if chance >= MIN_BOX_SCORE or any(overlap(box, last) >= SAME_PLACE for last in expected)
        ]
        people = self.estimator.joints_in(image, candidates)
        boxes = [_larger(box, SECOND_CROP_SCALE) for person in people if (box := box_around(person)) is not None]
        kept: list[tuple[Box, np.ndarray]] = []
        for person in sorted(self.estimator.joints_in(image, boxes), key=lambda joints: -joints[:, 2].mean()):
            box = box_around(person)
            if box is not None and all(overlap(box, other) <= MAX_OVERLAP for other, _ in kept):
                kept.append((box, person))
        return [person for _, person in kept]


def box_around(person: Float[np.ndarray, "joints 3"]) -> Box | None:
    """The person's box by the joints that are likely right; None if there are too few of them."""
    likely = person[person[:, 2] >= MIN_JOINT_SCORE, :2]
    if len(likely) < MIN_JOINTS:
        return None
    low, high = likely.min(0), likely.max(0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def _larger(box: Box, times: float) -> Box:
    left, top, width, height = box
    return left - (times - 1) / 2 * width, top - (times - 1) / 2 * height, times * width, times * height
