"""Self-consistency: lift, turn, project, lift again, turn back, project back; every closed loop must close.

Chen et al. (CVPR 2019), section 3.2; PoseNet3D (3DV 2020), section 3.1. Lengths in root distances.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.normalise import unproject

Lift = Callable[[Tensor], Tensor]
"""Rays (batch, steps, joints, 2) to depth offsets (batch, steps, joints)."""


class Cycle(NamedTuple):
    """What one trip around the loop gives; poses are relative to the pelvis."""

    pose: Float[Tensor, "batch steps joints 3"]
    turned: Float[Tensor, "batch steps joints 3"]
    view: Float[Tensor, "batch steps joints 2"]  # the turned pose as the other camera sees it
    turned_again: Float[Tensor, "batch steps joints 3"]  # lifted from that view
    back: Float[Tensor, "batch steps joints 2"]  # turned back and seen by the first camera


def see(pose: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch joints 2"]:
    """Rays of a pelvis-relative pose whose pelvis stands at distance 1.

    The clamps only bite on the wild poses of the first steps, where a joint can come to lie behind the camera.
    """
    x, y, z = pose.unbind(-1)
    return (torch.stack([x, y], -1) / (1 + z).clamp(min=0.2)[..., None]).clamp(-0.6, 0.6)


def turn(pose: Float[Tensor, "batch steps joints 3"], R_other_cam: Float[Tensor, "batch 3 3"]) -> Tensor:
    """The pose about its pelvis, the same turn for all frames of a window."""
    return torch.einsum("bij,bskj->bski", R_other_cam, pose)


def cycle(lift: Lift, rays: Float[Tensor, "batch steps joints 2"], R_other_cam: Tensor, unit: float) -> Cycle:
    """Once around: the same turn for all frames of a window."""
    points = unproject(rays, lift(rays), unit)
    pose = points - points[..., :1, :]
    turned = turn(pose, R_other_cam)
    view = see(turned)
    # The second lift must earn its depth: its rays are taken as given (Yu et al., ICCV 2021, detach here too).
    again = unproject(view.detach(), lift(view), unit)
    turned_again = again - again[..., :1, :]
    back = see(turn(turned_again, R_other_cam.mT))
    return Cycle(pose, turned, view, turned_again, back)


def distance(a: Float[Tensor, "batch steps joints axes"], b: Tensor) -> Float[Tensor, " batch"]:
    """Mean distance of corresponding joints, one value per window."""
    return ((a - b).square().sum(-1) + 1e-9).sqrt().mean((1, 2))
