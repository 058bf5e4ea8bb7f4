"""Our own networks' side; `serve` has the protocol. Unlike the other workers it runs where the library is, and uses it.

With an argument, the networks are those of that folder (laid out as `detectors.WEIGHTS`), else the bundled ones.
"""

import sys
from pathlib import Path

from serve import serve

sys.path[0] = str(Path(__file__).parents[3])  # not this folder, whose names are nobody's to import by themselves


def load():
    """The user's networks, or the bundled ones, which remember where people were in a film's last picture."""
    from posenet3d.detection.detectors import WEIGHTS
    from posenet3d.pose2d.predict import PeopleEstimator, box_around

    estimator = PeopleEstimator(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
    size: tuple[int, ...] = ()
    people: list = []

    def look(picture):
        nonlocal size, people
        last = people if picture.shape == size else []
        expected = [box for person in last if (box := box_around(person)) is not None]
        size, people = picture.shape, estimator(picture, expected)
        return [person.round(4).tolist() for person in people]

    return look


serve(load)
