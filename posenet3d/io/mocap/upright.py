"""Recognise which axis of a motion-capture file points up, by where the head is above the feet."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float

from posenet3d.io.mocap.take import Z_UP_TO_Y_UP

TURNS: dict[str, np.ndarray] = {"y_up": np.eye(3), "z_up": Z_UP_TO_Y_UP, "y_down": np.diag([1.0, -1.0, -1.0])}
"""R_yup_file by the axis that points up in a file; 'y_down' is a camera's frame."""

_HEADS = ("head_top", "head_joint", "nose", "neck_nose", "neck", "neck_joint", "thorax", "l_shoulder", "r_shoulder")
_FEET = (("l_ankle", "r_ankle"), ("l_foot", "r_foot"), ("l_knee", "r_knee"), ("pelvis", "mid_hip", "pelvis_joint"))

_STEEPNESS = 0.7
"""Share of the distance from feet to head along the axis that counts as upright: a slope of 45 degrees."""

_MOST, _FEW = 0.6, 0.2
"""Shares of frames. A file is turned if most frames are upright about another axis and few about its own."""

_FLOOR_M = (-0.03, 0.3)
"""Height of the lowest joint of a person on a floor at height zero."""

_LYING_M = (0.05, 0.6)
"""Least mean height and greatest height of a lying person's joints; the mean is 0 where the hips are the origin."""


def up_axis(
    joints: Float[np.ndarray, "frames joints 3"],
    names: tuple[str, ...],
    declared: str,
    *,
    rest: Float[np.ndarray, "joints 3"] | None = None,
    others: Collection[str] = ("y_up", "z_up"),
) -> tuple[str, tuple[str, ...]]:
    """Return the axis that points up, a key of `TURNS`, and a note if it is not the declared one.

    A rest pose decides where the motion does not. People who lie on a floor at height zero are left lying.

    Args:
        joints: in the file's axes, metres.
        names: canonical names of the joints.
        declared: the axis that the format says.
        rest: the skeleton's rest pose, if the file has one.
        others: the axes that may be recognised.
    """
    body = _feet_to_head(joints, names)
    if not len(body):
        return declared, ()
    shares = {axis: _share_upright(body, axis) for axis in {declared, *others}}
    if shares[declared] > _FEW:
        return declared, ()
    best = max(shares, key=lambda axis: shares[axis])
    if shares[best] < _MOST and rest is not None and len(standing := _feet_to_head(rest[None], names)):
        best = next((axis for axis in shares if _share_upright(standing, axis)), declared)
    elif shares[best] < _MOST:
        best = declared
    if best == declared or (_is_on_floor(joints, declared) and not _is_floor_below(joints, best)):
        return declared, (f"head and feet are at one height in most frames, read with {_words(declared)}",)
    position = "stands on the head" if {best, declared} == {"y_up", "y_down"} else "lies on the side"
    return best, (f"the person {position} with {_words(declared)} and is read with {_words(best)}",)


def _feet_to_head(joints: Float[np.ndarray, "frames joints 3"], names: tuple[str, ...]) -> Float[np.ndarray, "seen 3"]:
    """Return unit vectors from the feet to the head, for the frames in which both are known."""
    heads = [index for name in _HEADS for index, other in enumerate(names) if other == name][:1]
    for feet in _FEET:
        lower = [index for index, name in enumerate(names) if name in feet]
        if heads and lower:
            # The mean is NaN where one foot is missing; other frames decide.
            vectors = joints[:, heads[0]] - joints[:, lower].mean(1)
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            return (vectors / np.where(lengths > 0, lengths, np.nan))[np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 0)]
    return np.empty((0, 3))


def _share_upright(body: Float[np.ndarray, "frames 3"], axis: str) -> float:
    """Return the share of frames with the head above the feet along an axis."""
    return float(((body @ TURNS[axis].T)[:, 1] > _STEEPNESS).mean())


def _is_on_floor(joints: Float[np.ndarray, "frames joints 3"], axis: str) -> bool:
    """Return whether the person lies on a floor at height zero."""
    heights = joints[np.isfinite(joints).all((1, 2))] @ TURNS[axis][1]
    if not len(heights) or not _is_floor_below(joints, axis):
        return False
    return float(heights.mean()) > _LYING_M[0] and float(np.median(heights.max(1))) < _LYING_M[1]


def _is_floor_below(joints: Float[np.ndarray, "frames joints 3"], axis: str) -> bool:
    """Return whether the lowest joint is at height zero in most frames."""
    heights = joints[np.isfinite(joints).all((1, 2))] @ TURNS[axis][1]
    return len(heights) > 0 and _FLOOR_M[0] <= float(np.median(heights.min(1))) <= _FLOOR_M[1]


def _words(axis: str) -> str:
    """Return the name of an axis as it is written in a sentence: 'z up'."""
    return axis.replace("_", " ")
