"""Arrays with which the browser poses a body: the mesh once, then 24 rotations per frame.

The browser does the linear blend skinning. Rotations are sent as quaternions in 16 bits (0.003 degrees), vertices as float32.
The pose correctives of an official SMPL body are left out: they bulge the skin at bent joints and move no joint.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from explorer.viewer.payload_schema import SCHEMA
from posenet3d.body.layer import BODY_PARENTS, Body
from posenet3d.body.motion import body_motion, is_licensed
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT

QUATERNION_STEPS = 32767
WEIGHT_STEPS: int = SCHEMA["weight_steps"]
INFLUENCES = 4
"""Joints per vertex, as many as a WebGL vertex shader takes at once; the open body has up to five."""

NEAREST = tuple(
    JOINT[name]
    for name in (
        *("pelvis", "l_hip", "r_hip", "spine", "l_knee", "r_knee", "spine", "l_ankle", "r_ankle", "thorax"),
        *("l_ankle", "r_ankle", "thorax", "l_shoulder", "r_shoulder", "head_top", "l_shoulder", "r_shoulder"),
        *("l_elbow", "r_elbow", "l_wrist", "r_wrist", "l_wrist", "r_wrist"),
    )
)
"""For each of SMPL's 24 joints, the one of the 17 joints whose colour it takes when the skin is coloured by error or side."""


class SkinArrays(NamedTuple):
    """A body model for the browser: its fields of the payload's `meta`, and flat arrays."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


def skin_arrays(body: Body) -> SkinArrays:
    """Return what all people with one body model share: faces, skinning weights, colours."""
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
    return SkinArrays(meta, flat)


def motion_arrays(lifted: Lifted) -> tuple[Body, dict[str, np.ndarray]]:
    """Return one person's mesh in the rest pose and its motion, in the camera's frame.

    Returns:
        The body, and ``vertices`` (vertices * 3), ``rest`` (24 * 3), ``turns`` (frames * 24 * 4, quaternions x y z w as
        int16) and ``root`` (frames * 3, position of the pelvis joint, metres).

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
    """Return the four joints with the largest skinning weights of each vertex, and these weights rescaled to a sum of one."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :INFLUENCES]
    values = np.take_along_axis(weights, order, axis=1).astype(np.float64)
    return order, values / values.sum(1, keepdims=True)
