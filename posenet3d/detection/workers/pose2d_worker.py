"""Worker for the built-in networks; `serve` describes the protocol. Unlike the other workers it imports the library.

With an argument, the networks are those of that folder (laid out as `posenet3d.paths.BUNDLED_POSE2D`), else the bundled ones.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from serve import serve

sys.path[0] = str(
    Path(__file__).parents[3]
)  # instead of this folder, whose modules must not be importable by their bare names


def load() -> Callable[[np.ndarray], Any]:
    """Load the user's networks, or the bundled ones; people of the previous frame are handed on to the next."""
    from posenet3d.paths import BUNDLED_POSE2D
    from posenet3d.pose2d.predict import PeopleEstimator, box_around

    estimator = PeopleEstimator(Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED_POSE2D)
    size: tuple[int, ...] = ()
    people: list[np.ndarray] = []

    def detect(image: np.ndarray) -> Any:
        nonlocal size, people
        previous = people if image.shape == size else []
        boxes = [box for person in previous if (box := box_around(person)) is not None]
        size, people = image.shape, estimator(image, boxes)
        return [person.round(4).tolist() for person in people]

    return detect


serve(load)
