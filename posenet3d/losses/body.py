"""Priors of the student's body that need no motion capture: hinge joints bend one way, rest poses and usual shapes are likely."""

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.losses.bones import bending

# The 17 joints determine the rotation of these body joints hardly or not at all: without a pull to rest they drift.
_UNDETERMINED = ("foot", "hand", "collar", "wrist", "ankle", "spine", "neck", "head")
_REST_WEIGHT = torch.tensor(
    [1.0 if any(part in name for part in _UNDETERMINED) else 0.05 for name in JOINT_SETS["smpl24"].joints[1:]]
)


def wrong_bend(pose: Float[Tensor, "batch steps joints 3"]) -> Float[Tensor, " batch"]:
    """Return the squared sine by which knees and elbows bend the wrong way (SMPLify, ECCV 2016, section 3.2, uses exp)."""
    return bending(pose).neg().clamp(min=0).square().sum(-1).mean(1)


def away_from_rest(rotations: Float[Tensor, "batch steps 24 3 3"]) -> Float[Tensor, " batch"]:
    """Return the weighted squared distance of joint rotations from the identity; the root is free."""
    rest = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    off = (rotations[:, :, 1:] - rest).square().sum((-1, -2))
    return (off * _REST_WEIGHT.to(off)).mean((1, 2))


def shape_size(betas: Float[Tensor, "batch 10"]) -> Float[Tensor, " batch"]:
    """Return the mean of the squared betas: 1 is a usual person."""
    return betas.square().mean(-1)


def shaking(pose: Float[Tensor, "batch steps joints 3"]) -> Float[Tensor, " batch"]:
    """Return the mean length of the second difference over the window."""
    return (pose.diff(n=2, dim=1).square().sum(-1) + 1e-9).sqrt().mean((1, 2))
