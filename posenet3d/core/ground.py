"""Estimate the height of the floor under a person from one view."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from posenet3d.core.skeleton import JOINT

ANKLE_HEIGHT_M = 0.08
"""From the floor to the ankle joint of a standing adult."""

GROUND_WINDOW_S = 2.0
"""The floor is at the lowest foot within this time: longer than a jump, shorter than a walk into the distance."""


def ground_y(joints_3d: Float[np.ndarray, "frames 17 3"], fps: float) -> Float[np.ndarray, " frames"]:
    """Return the height of the floor (y down, metres) in each frame: the lowest ankle around it, smoothed.

    In the frame of a camera that looks down the floor rises with distance, so with one height for the whole clip a
    person who walks away would float or sink.
    """
    lowest = joints_3d[:, [JOINT["l_ankle"], JOINT["r_ankle"]], 1].max(1).astype(np.float64)
    known = np.flatnonzero(np.isfinite(lowest))
    if known.size == 0:
        return np.zeros(len(lowest))
    filled = np.interp(np.arange(len(lowest)), known, lowest[known])
    window = max(1, round(GROUND_WINDOW_S * fps))
    return gaussian_filter1d(maximum_filter1d(filled, window), window / 4, mode="nearest") + ANKLE_HEIGHT_M
