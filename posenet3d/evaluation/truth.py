"""Ground truth that can be compared with: frames of zeros are left out, and another unit of length is refused.

Data sets write (0, 0, 0) for joints that were not measured. A similarity maps any pose onto a point, so such frames made
PA-MPJPE better and MPJPE worse (fabro66/GAST-Net#36).
"""

import numpy as np
from jaxtyping import Bool, Float

from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.errors import InputError

SIZE_M = (0.05, 10.0)
"""Range of a pose's extent in metres: a crouching child has 0.4, an adult with raised arms 2.3; 1.7 m in centimetres is 170."""

UNITS = {"millimetres": 1000.0, "centimetres": 100.0, "kilometres": 0.001}
"""Units of length that are taken for metres by mistake, each with its number in a metre."""


def usable_truth(clip: PoseSequence) -> Float[np.ndarray, "frames 17 3"]:
    """Return the true joints (m, float64), NaN in frames that hold no pose.

    A frame holds none if a joint is not finite, a joint other than the pelvis is exactly (0, 0, 0), or the pose is no
    person's size. The pelvis may be at the origin: root-relative truth has it there.
    """
    assert clip.joints_3d is not None  # checked by `check_match`
    joints = clip.joints_3d.astype(np.float64)
    joints[~_is_usable(joints)] = np.nan
    return joints


def check_unit(clip: PoseSequence) -> None:
    """Refuse truth in another unit than metres, judged by the median size of its poses.

    Raises:
        InputError: the median pose of the clip is no person's size.
    """
    assert clip.joints_3d is not None  # checked by `check_match`
    joints = clip.joints_3d.astype(np.float64)
    sizes = _sizes(joints[np.isfinite(joints).all((1, 2)) & ~_has_zeros(joints)])
    sizes = sizes[sizes > 0]
    if sizes.size == 0 or SIZE_M[0] <= np.median(sizes) <= SIZE_M[1]:
        return
    size = float(np.median(sizes))
    problem = f"field 'joints_3d' of clip '{clip.name}' holds poses {size:.4g} m in size"
    for unit, per_metre in UNITS.items():
        if 0.4 <= size / per_metre <= 3.0:
            problem += f", so it is in {unit}"
            remedy = f"divide it by {per_metre:g}" if per_metre > 1 else f"multiply it by {1 / per_metre:g}"
            raise InputError("the data", problem, f"{remedy}: joints are metres")
    raise InputError("the data", problem, "give joints in metres")


def _is_usable(joints: Float[np.ndarray, "frames 17 3"]) -> Bool[np.ndarray, " frames"]:
    finite = np.isfinite(joints).all((1, 2))
    sizes = _sizes(np.where(finite[:, None, None], joints, 0.0))
    return finite & ~_has_zeros(joints) & (sizes >= SIZE_M[0]) & (sizes <= SIZE_M[1])


def _has_zeros(joints: Float[np.ndarray, "frames 17 3"]) -> Bool[np.ndarray, " frames"]:
    """Return whether a joint other than the pelvis is at the origin, where only joints that were not measured are."""
    is_zero = (joints == 0).all(-1)
    is_zero[:, JOINT["pelvis"]] = False
    return is_zero.any(1)


def _sizes(joints: Float[np.ndarray, "frames 17 3"]) -> Float[np.ndarray, " frames"]:
    """Return the longest side of each pose's box."""
    return np.ptp(joints, axis=1).max(-1) if len(joints) else np.zeros(0)
