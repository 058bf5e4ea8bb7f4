"""Self-consistency: lift, rotate, project, lift again, rotate back, project back; the last 2D should equal the first.

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
    """The poses and views of one consistency cycle; poses are relative to the pelvis."""

    pose: Float[Tensor, "batch steps joints 3"]
    rotated: Float[Tensor, "batch steps joints 3"]
    view: Float[Tensor, "batch steps joints 2"]  # the rotated pose seen by the other camera
    relifted: Float[Tensor, "batch steps joints 3"]  # lifted from that view
    reprojected: Float[Tensor, "batch steps joints 2"]  # rotated back and seen by the first camera


def project_pose(pose: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch joints 2"]:
    """Return the rays of a pelvis-relative pose with its pelvis at distance 1.

    The clamps only act on the extreme poses of the first steps, where a joint can lie behind the camera.
    """
    x, y, z = pose.unbind(-1)
    return (torch.stack([x, y], -1) / (1 + z).clamp(min=0.2)[..., None]).clamp(-0.6, 0.6)


def rotate(pose: Float[Tensor, "batch steps joints 3"], R_other_cam: Float[Tensor, "batch 3 3"]) -> Tensor:
    """Rotate poses about the pelvis, all frames of a window alike."""
    return torch.einsum("bij,bskj->bski", R_other_cam, pose)


def cycle(lift: Lift, rays: Float[Tensor, "batch steps joints 2"], R_other_cam: Tensor, unit: float) -> Cycle:
    """Run one consistency cycle; all frames of a window are rotated alike."""
    points = unproject(rays, lift(rays), unit)
    pose = points - points[..., :1, :]
    rotated = rotate(pose, R_other_cam)
    view = project_pose(rotated)
    # No gradient through the rays of the second lift, only through its depth (Yu et al., ICCV 2021, detach here too).
    again = unproject(view.detach(), lift(view), unit)
    relifted = again - again[..., :1, :]
    reprojected = project_pose(rotate(relifted, R_other_cam.mT))
    return Cycle(pose, rotated, view, relifted, reprojected)


def distance(a: Float[Tensor, "batch steps joints axes"], b: Tensor) -> Float[Tensor, " batch"]:
    """Return the mean distance of corresponding joints, one value per window."""
    return ((a - b).square().sum(-1) + 1e-9).sqrt().mean((1, 2))
