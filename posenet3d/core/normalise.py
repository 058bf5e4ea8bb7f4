"""Normalise poses for the networks: mirror them, centre them on the pelvis, measure their size, and unproject them."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core import camera
from posenet3d.core.skeleton import JOINT, MIRROR

_PELVIS, _HEAD = JOINT["pelvis"], JOINT["head_top"]


def at_pelvis(rays: Float[Tensor, "frames 17 2"]) -> Float[Tensor, "frames 17 2"]:
    """Return the rays of a virtual camera that looks straight at the pelvis of each frame (pelvis at exactly 0, 0)."""
    exact = rays.double().numpy()
    turned = camera.turn_rays(camera.look_at_rays(exact[:, _PELVIS]), exact)
    return torch.from_numpy(turned.astype(np.float32))


def mirror(pose: Float[Tensor, "*batch 17 axes"]) -> Float[Tensor, "*batch 17 axes"]:
    """Return the mirrored pose, 2D or 3D: x negated, left and right joints exchanged."""
    flip = torch.ones(pose.shape[-1], dtype=pose.dtype, device=pose.device)
    flip[0] = -1
    return pose[..., list(MIRROR), :] * flip


def head_length(pelvis_rays: Float[Tensor, "frames 17 2"]) -> float:
    """Return the mean distance from head top to pelvis on the plane z = 1: the library's unit of apparent size."""
    return float((pelvis_rays[:, _HEAD] - pelvis_rays[:, _PELVIS]).norm(dim=-1).mean())


def apparent_size(rays: Float[Tensor, "*batch joints 2"]) -> Float[Tensor, "*batch"]:
    """Return the root mean square distance of the joints from their mean on the plane z = 1; it falls as 1 / distance."""
    return (rays - rays.mean(-2, keepdim=True)).square().sum(-1).mean(-1).sqrt()


def unproject(rays: Float[Tensor, "*batch joints 2"], offsets: Float[Tensor, "*batch joints"], unit: float) -> Tensor:
    """Return the points on the rays at depth z = 1 + unit * offset, clamped to 0.3 to 3 so that they stay in front.

    Returns:
        (*batch, joints, 3), in multiples of the root's distance.
    """
    z = (1 + unit * offsets).clamp(0.3, 3.0)[..., None]
    return torch.cat([rays * z, z], -1)
