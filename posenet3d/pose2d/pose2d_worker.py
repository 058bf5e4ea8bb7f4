"""Our own networks' side; `serving` has the talk. Unlike the other workers it runs where the library is, and uses it.

With an argument, the networks are those of that folder (laid out as `detectors.WEIGHTS`), else the bundled ones.
"""

import sys
from pathlib import Path

from serving import serve

sys.path[0] = str(Path(__file__).parents[2])  # not this folder, whose names are nobody's to import by themselves


def load():
    """The user's networks, or the bundled ones."""
    from posenet3d.pose2d.detectors import WEIGHTS
    from posenet3d.pose2d.people import PeopleEstimator

    estimator = PeopleEstimator(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
    return lambda picture: [person.round(4).tolist() for person in estimator(picture)]


serve(load)
