"""Bodies for the browser: the skin goes once, then 24 rotations per frame; the skinning is done there.

Rotations travel as quaternions in 16 bits (0.003 degrees), vertices as float32. Pose correctives of an official SMPL body,
which bulge the skin at bent joints and move no joint, are left out.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from posenet3d.body.layer import BODY_PARENTS, Body
from posenet3d.body.motion import body_motion, is_licensed
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT

QUATERNION_STEPS = 32767
WEIGHT_STEPS = 65535
INFLUENCES = 4
"""Joints that move a vertex, as many as a WebGL vertex shader takes at once; the open body has up to five."""

NEAREST = tuple(
    JOINT[name]
    for name in (
        *("pelvis", "l_hip", "r_hip", "spine", "l_knee", "r_knee", "spine", "l_ankle", "r_ankle", "thorax"),
        *("l_ankle", "r_ankle", "thorax", "l_shoulder", "r_shoulder", "head_top", "l_shoulder", "r_shoulder"),
        *("l_elbow", "r_elbow", "l_wrist", "r_wrist", "l_wrist", "r_wrist"),
    )
)
"""Of SMPL's 24 joints: the one of the 17 that stands for it when the skin is coloured by error or by side."""


class Skin(NamedTuple):
    """What the browser needs of a body: words for `meta`, and flat arrays."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


def shared_skin(body: Body) -> Skin:
    """What every person of one body model has in common: faces, weights, colours."""
    arrays = body.arrays
    joints, weights = strongest(arrays.weights)
    meta = {
        "parents": list(BODY_PARENTS),
        "nearest": list(NEAREST),
        "has_colors": arrays.colors is not None,
        "is_licensed": is_licensed(body),
    }
    flat: dict[str, np.ndarray] = {
        "faces": arrays.faces.astype(np.int32).ravel(),
        "influences": joints.astype(np.uint8).ravel(),
        "weights": np.round(weights * WEIGHT_STEPS).astype(np.uint16).ravel(),
    }
    if arrays.colors is not None:
        flat["colors"] = arrays.colors[:, :3].astype(np.uint8).ravel()
    return Skin(meta, flat)


def motion_arrays(lifted: Lifted) -> tuple[Body, dict[str, np.ndarray]]:
    """One person's skin in the rest pose and its motion, in the camera's frame.

    Returns:
        The body, and ``vertices`` (vertices * 3), ``rest`` (24 * 3), ``turns`` (frames * 24 * 4, quaternions x y z w as
        int16) and ``root`` (frames * 3, place of the pelvis joint, metres).

    Raises:
        InputError: as `body_motion`.
    """
    motion = body_motion(lifted, "camera")
    betas = torch.from_numpy(motion.betas[None])
    turns = motion.rotations.as_quat() * QUATERNION_STEPS
    return motion.body, {
        "vertices": motion.body.rest_vertices(betas)[0].numpy().astype(np.float32).ravel(),
        "rest": motion.rest.astype(np.float32).ravel(),
        "turns": np.round(turns).astype(np.int16).ravel(),
        "root": motion.pelvis.astype(np.float32).ravel(),
    }


def strongest(
    weights: Float[np.ndarray, "vertices 24"],
) -> tuple[Int[np.ndarray, "vertices 4"], Float[np.ndarray, "vertices 4"]]:
    """The four joints that move each vertex most, and their weights brought back to a sum of one."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :INFLUENCES]
    values = np.take_along_axis(weights, order, axis=1).astype(np.float64)
    return order, values / values.sum(1, keepdims=True)
