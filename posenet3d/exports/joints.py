"""The 17 joints of a clip in the axes of a file, for the formats without a body."""

import numpy as np
from jaxtyping import Float

from posenet3d.core.axes import AXES
from posenet3d.core.lifted import Lifted


def rotated_joints(lifted: Lifted, axes: str) -> Float[np.ndarray, "frames 17 3"]:
    """Return the 17 joints in the axes of a file, metres; NaN in frames without a person."""
    return lifted.joints_3d.astype(np.float64) @ AXES[axes].T


def n_without_person(lifted: Lifted) -> int:
    """Count the frames in which no joint is known."""
    return int((~np.isfinite(lifted.joints_3d).all(-1)).all(1).sum())
