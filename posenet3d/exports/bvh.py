"""BVH: the body's 24 joints as a hierarchy with Euler angles per frame, for Blender, MotionBuilder and the like."""

import io
import warnings

import numpy as np
from jaxtyping import Float

from posenet3d.body.layer import BODY_PARENTS, N_BODY_JOINTS, Body
from posenet3d.body.motion import JOINT_LABELS, BodyMotion, body_motion
from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported

_CHILDREN = [[c for c, parent in enumerate(BODY_PARENTS) if parent == j] for j in range(N_BODY_JOINTS)]
_ROTATION = "Zrotation Xrotation Yrotation"
_TIP = 0.5  # hands, feet and head end half a bone beyond their joint: BVH needs an end, SMPL has none


def bvh_file(lifted: Lifted, axes: str = "y_up", body: Body | None = None) -> Exported:
    """Return a clip's skeleton and motion; y up, metres (right for Blender's default import scale of 1).

    Offsets are the rest joints of this person's shape. The root's offset is zero and its position channels are the position
    of the pelvis joint, because some readers add the offset and others do not. Angles are degrees, applied Z, X, Y
    (R = Rz Rx Ry). Frames without a person repeat the last pose (BVH has no missing values) and are counted.

    Args:
        lifted: a clip with a body.
        axes: by default y up.
        body: as for `body_motion`.

    Raises:
        InputError: as `body_motion`.
    """
    motion = body_motion(lifted, axes, body)
    text = io.StringIO()
    text.write("HIERARCHY\n")
    text.writelines(line + "\n" for line in _joint_lines(0, motion.rest))
    text.write(f"MOTION\nFrames: {len(lifted)}\nFrame Time: {1 / lifted.fps:.8f}\n")
    order = _depth_first(0)
    angles = _euler_deg(motion)[:, order].reshape(len(lifted), -1)
    np.savetxt(text, np.concatenate([motion.pelvis, angles], axis=1), fmt="%.6f")
    return Exported(text.getvalue().encode("ascii"), n_held=motion.n_held)


def _joint_lines(joint: int, rest: np.ndarray) -> list[str]:
    """Return the lines of a joint and of its descendants."""
    parent = BODY_PARENTS[joint]
    offset = np.zeros(3) if parent < 0 else rest[joint] - rest[parent]
    head = "ROOT" if parent < 0 else "JOINT"
    channels = f"6 Xposition Yposition Zposition {_ROTATION}" if parent < 0 else f"3 {_ROTATION}"
    inside = [_offset(offset), f"CHANNELS {channels}"]
    for child in _CHILDREN[joint]:
        inside += _joint_lines(child, rest)
    if not _CHILDREN[joint]:
        inside += ["End Site", "{", "\t" + _offset(_TIP * offset), "}"]
    return [f"{head} {JOINT_LABELS[joint]}", "{", *("\t" + line for line in inside), "}"]


def _offset(offset: np.ndarray) -> str:
    return "OFFSET " + " ".join(f"{value:.6f}" for value in offset)


def _depth_first(joint: int) -> list[int]:
    """Return a joint and its descendants in the order of the file."""
    return [joint, *(below for child in _CHILDREN[joint] for below in _depth_first(child))]


def _euler_deg(motion: BodyMotion) -> Float[np.ndarray, "frames 24 3"]:
    """Return Z, X and Y angles in degrees, without jumps of 360 degrees between frames."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Gimbal lock", UserWarning
        )  # any of the equivalent triples will do: R is the same
        angles = motion.rotations.as_euler("ZXY", degrees=True)
    return np.unwrap(angles.reshape(-1, N_BODY_JOINTS, 3), axis=0, period=360.0)
