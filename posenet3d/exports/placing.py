"""Move a clip so that its person stands on the floor, or at the origin, of a scene in another program."""

from dataclasses import replace

import numpy as np

from posenet3d.core.ground import ground_y
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT


def placed(lifted: Lifted, *, floor: bool = False, origin: bool = False) -> Lifted:
    """Return the clip after one translation, the same in all frames, of joints and body.

    The results of lifting stand in the camera's frame: metres away from the origin, and below it where the camera is above the
    feet. Vertical is the camera's y, as in all exports.

    Args:
        lifted: the clip; without a frame with a person it stays as it is.
        floor: the floor under the feet gets height 0: the median of `ground_y`.
        origin: the pelvis of the first frame with a person gets horizontal position 0.
    """
    known = np.isfinite(lifted.joints_3d).all((1, 2))
    if not known.any() or not (floor or origin):
        return lifted
    shift = np.zeros(3)
    if floor:
        shift[1] = -np.median(ground_y(lifted.joints_3d, lifted.fps)[known])
    if origin:
        shift[[0, 2]] = -lifted.joints_3d[known.argmax(), JOINT["pelvis"]][[0, 2]]
    joints = (lifted.joints_3d + shift).astype(lifted.joints_3d.dtype)
    body = lifted.body
    if body is not None:
        body = replace(body, transl=(body.transl + shift).astype(body.transl.dtype))
    return replace(lifted, joints_3d=joints, body=body)
