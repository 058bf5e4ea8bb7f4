"""How a motion flows: the spectrum of its velocities, and how still its feet stand while they are on the floor.

Speed, acceleration, jerk and bone-length drift are in `posenet3d.evaluation.metrics`. Poses are metres; a frame or joint
that is not finite is left out with every difference and every window of the spectrum that would need it: gaps are never bridged.
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
"""Of the spectrum: resolves half a hertz, a slow step, and still leaves many windows to average in a short clip."""

MIN_WINDOW = 16
"""Frames; a spectrum of fewer says nothing."""

HUMAN_HZ = 6.0
"""Little of human movement is faster: 99.7 % of the power of walking lies below (Winter, Sidwall and Hobson, Journal of
Biomechanics 7, 1974)."""

PLANTED_M_S = 0.3
"""A foot slower than this stands: 1 cm per frame at 30 frames a second, as in the foot sliding of WHAM (Shin et al., CVPR 2024)
and of those who compare with it (GVHMR, Shen et al., SIGGRAPH Asia 2024)."""

LOW_M = 0.05
"""A foot lower than this is on the floor: as in the skating ratio of GMD (Karunratanakul et al., ICCV 2023) on the motions of
MDM."""


def velocity_spectrum(
    joints_3d: Float[np.ndarray, "frames joints 3"], fps: float
) -> tuple[Float[np.ndarray, " frequencies"], Float[np.ndarray, "frequencies joints"]]:
    """Power spectral density of each joint's velocity: frequencies (Hz) and density ((m/s)²/Hz), the three axes summed.

    Welch's method (IEEE Transactions on Audio and Electroacoustics 15, 1967): the mean over Hann windows of `WINDOW_S` that
    overlap by half; a clip shorter than that is one window. Windows that are not finite throughout are left out of their
    joint's mean, so a joint without a whole window is NaN. Without frames enough for any window there are no frequencies.
    """
    velocity = np.diff(np.asarray(joints_3d, np.float64), axis=0) * fps
    size = min(round(WINDOW_S * fps), len(velocity))
    if size < MIN_WINDOW:
        return np.zeros(0), np.zeros((0, joints_3d.shape[1]))
    windows = sliding_window_view(velocity, size, axis=0)[:: size // 2]  # windows, joints, 3, size
    is_whole = np.isfinite(windows.sum((2, 3)))
    frequency, density = periodogram(np.where(is_whole[..., None, None], windows, 0), fps, "hann")
    power = np.einsum("wj,wjaf->fj", is_whole, density)
    count = is_whole.sum(0)
    return frequency, np.divide(power, count, where=count > 0, out=np.full_like(power, np.nan))


def share_above(
    frequency: Float[np.ndarray, " frequencies"],
    power: Float[np.ndarray, "frequencies joints"],
    limit_hz: float = HUMAN_HZ,
) -> float:
    """Percentage of the power of all joints together that lies above `limit_hz`.

    NaN if no joint has a spectrum, or if the frame rate is too low to see frequencies above the limit.
    """
    of_all = power[:, np.isfinite(power).all(0)].sum(1)
    total = of_all.sum()
    if not (frequency > limit_hz).any() or total == 0:
        return float("nan")
    return float(100 * of_all[frequency > limit_hz].sum() / total)


def foot_speed(joints_3d: Float[np.ndarray, "frames 17 3"], fps: float) -> Float[np.ndarray, "frames 2"]:
    """Speed (m/s) of the left and right ankle in the camera's frame, which must stand still. NaN in frame 0."""
    return metrics.speed(joints_3d)[:, FEET] * fps / metrics.MM


def is_planted(truth: Float[np.ndarray, "frames 17 3"], fps: float) -> Bool[np.ndarray, "frames 2"]:
    """Whether the left and right foot stand, judged by their true speed (`PLANTED_M_S`); frame 0 has none and counts as no.

    The rule of WHAM's foot sliding, for ankles instead of vertices of the sole. Only for ground truth: of a lifted motion
    it would count the feet that stand still and call them still.
    """
    return foot_speed(truth, fps) < PLANTED_M_S


def is_low(joints_3d: Float[np.ndarray, "frames 17 3"], fps: float) -> Bool[np.ndarray, "frames 2"]:
    """Whether the left and right foot are on the floor, judged by their height above it (`LOW_M`, `ground_y`)."""
    floor = ground_y(joints_3d, fps) - ANKLE_HEIGHT_M
    return floor[:, None] - joints_3d[:, FEET, 1] < LOW_M


def foot_skating(
    joints_3d: Float[np.ndarray, "frames 17 3"], on_floor: Bool[np.ndarray, "frames 2"], fps: float
) -> float:
    """Mean speed (m/s) of the feet while they are on the floor; NaN if they never are.

    Not 0 even for a real motion: the ankle rolls over a foot that stands. So read it beside the ground truth's.
    """
    return metrics.finite_mean(foot_speed(joints_3d, fps)[on_floor])
