"""Quality of a motion: the spectrum of its velocities and the skating of its feet.

Speed, acceleration, jerk and bone-length drift are in `posenet3d.evaluation.metrics`. Poses are metres. Gaps are
never bridged: differences and windows of the spectrum that contain a value that is not finite are left out.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import periodogram

from posenet3d.core.ground import ANKLE_HEIGHT_M, ground_y
from posenet3d.core.skeleton import JOINT
from posenet3d.evaluation import metrics

FEET = (JOINT["l_ankle"], JOINT["r_ankle"])

WINDOW_S = 2.0
"""Window of the spectrum: resolves half a hertz, a slow step, and leaves many windows to average in a short clip."""

MIN_WINDOW = 16
"""Minimum number of frames in a window of the spectrum."""

HUMAN_HZ = 6.0
"""Little human movement is faster: 99.7 % of the power of walking lies below (Winter, Sidwall and Hobson, Journal of
Biomechanics 7, 1974)."""

PLANTED_M_S = 0.3
"""A foot slower than this is planted: 1 cm per frame at 30 frames a second, as in the foot sliding of WHAM (Shin et al., CVPR
2024) and of later papers (GVHMR, Shen et al., SIGGRAPH Asia 2024)."""

LOW_M = 0.05
"""A foot lower than this is on the floor: as in the skating ratio of GMD (Karunratanakul et al., ICCV 2023) on the motions of
MDM."""


def velocity_spectrum(
    joints_3d: Float[np.ndarray, "frames joints 3"], fps: float
) -> tuple[Float[np.ndarray, " frequencies"], Float[np.ndarray, "frequencies joints"]]:
    """Return frequencies (Hz) and power spectral density ((m/s)²/Hz) of each joint's velocity, summed over the three axes.

    Welch's method (IEEE Transactions on Audio and Electroacoustics 15, 1967): the mean over Hann windows of `WINDOW_S` that
    overlap by half; a clip shorter than that is one window. Windows with a value that is not finite are left out of
    their joint's mean; a joint without a complete window is NaN. Clips that are too short have no frequencies.
    """
    velocity = np.diff(np.asarray(joints_3d, np.float64), axis=0) * fps
    size = min(round(WINDOW_S * fps), len(velocity))
    if size < MIN_WINDOW:
        return np.zeros(0), np.zeros((0, joints_3d.shape[1]))
    windows = sliding_window_view(velocity, size, axis=0)[:: size // 2]  # windows, joints, 3, size
    is_complete = np.isfinite(windows.sum((2, 3)))
    frequency, density = periodogram(np.where(is_complete[..., None, None], windows, 0), fps, "hann")
    power = np.einsum("wj,wjaf->fj", is_complete, density)
    count = is_complete.sum(0)
    return frequency, np.divide(power, count, where=count > 0, out=np.full_like(power, np.nan))


def share_above(
    frequency: Float[np.ndarray, " frequencies"],
    power: Float[np.ndarray, "frequencies joints"],
    limit_hz: float = HUMAN_HZ,
) -> float:
    """Return the percentage of the power of all joints above `limit_hz`.

    NaN if no joint has a spectrum, or if the frame rate is too low for frequencies above the limit.
    """
    summed = power[:, np.isfinite(power).all(0)].sum(1)
    total = summed.sum()
    if not (frequency > limit_hz).any() or total == 0:
        return float("nan")
    return float(100 * summed[frequency > limit_hz].sum() / total)


def foot_speed(joints_3d: Float[np.ndarray, "frames 17 3"], fps: float) -> Float[np.ndarray, "frames 2"]:
    """Return the speed (m/s) of the left and right ankle in the frame of a camera that does not move. NaN in frame 0."""
    return metrics.speed(joints_3d)[:, FEET] * fps / metrics.MM


def is_planted(truth: Float[np.ndarray, "frames 17 3"], fps: float) -> Bool[np.ndarray, "frames 2"]:
    """Return whether the left and right foot are planted, by their true speed (`PLANTED_M_S`); False in frame 0.

    The rule of WHAM's foot sliding, for ankles instead of vertices of the sole. For ground truth only: chosen by the speed
    of the lifted feet, planted feet would never skate.
    """
    return foot_speed(truth, fps) < PLANTED_M_S


def is_low(joints_3d: Float[np.ndarray, "frames 17 3"], fps: float) -> Bool[np.ndarray, "frames 2"]:
    """Return whether the left and right foot are on the floor, by their height above it (`LOW_M`, `ground_y`)."""
    floor = ground_y(joints_3d, fps) - ANKLE_HEIGHT_M
    return floor[:, None] - joints_3d[:, FEET, 1] < LOW_M


def foot_skating(
    joints_3d: Float[np.ndarray, "frames 17 3"], on_floor: Bool[np.ndarray, "frames 2"], fps: float
) -> float:
    """Return the mean speed (m/s) of the feet while they are on the floor; NaN if they never are.

    It is above 0 in real motion, because the ankle rolls over a planted foot. Compare it with that of the ground truth.
    """
    return metrics.finite_mean(foot_speed(joints_3d, fps)[on_floor])
