"""Bone losses: constant length over time, equal length left and right, hinge joints that bend one way."""

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.skeleton import BONE_CHILDREN, BONE_PARENTS, BONES, JOINT, MIRROR

PARTNER = [BONES.index((MIRROR[parent], MIRROR[child])) for parent, child in BONES]
"""Index of each bone's left-right partner."""

_KNEES = (("r_hip", "r_knee", "r_ankle"), ("l_hip", "l_knee", "l_ankle"))
_ELBOWS = (("r_shoulder", "r_elbow", "r_wrist"), ("l_shoulder", "l_elbow", "l_wrist"))


def lengths(pose: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch bones"]:
    """Return the length of each of the 16 bones, in the pose's unit."""
    vectors = pose[..., list(BONE_CHILDREN), :] - pose[..., list(BONE_PARENTS), :]
    return (vectors.square().sum(-1) + 1e-9).sqrt()


def constancy(pose: Float[Tensor, "batch steps joints 3"]) -> Float[Tensor, " batch"]:
    """Return the variance over the window of each bone's length over its mean, summed over bones (PoseNet3D, section 3.1)."""
    length = lengths(pose)
    return (length / length.mean(1, keepdim=True).clamp(min=1e-3)).var(1, unbiased=False).sum(-1)


def symmetry(pose: Float[Tensor, "batch steps joints 3"]) -> Float[Tensor, " batch"]:
    """Return the squared difference of left and right bone lengths, averaged over the window, over the mean bone."""
    length = lengths(pose).mean(1)
    share = length / length.mean(-1, keepdim=True)
    return (share - share[:, PARTNER]).square().sum(-1)


def bending(pose: Float[Tensor, "*batch joints 3"]) -> Float[Tensor, "*batch hinges"]:
    """Return the signed sine of the bend of both knees, then both elbows; positive is the anatomical direction.

    A knee folds the shin backward and an elbow folds the forearm forward, about the axis from right to left hip or shoulder.
    Negating depth changes every sign. That makes it a label-free test for depth-mirrored poses.
    """

    def joint(name: str) -> Tensor:
        return pose[..., JOINT[name], :]

    def hinge(root: str, middle: str, tip: str, axis: Tensor) -> Tensor:
        upper, lower = joint(middle) - joint(root), joint(tip) - joint(middle)
        scale = (upper.square().sum(-1) * lower.square().sum(-1) * axis.square().sum(-1) + 1e-12).sqrt()
        return (torch.linalg.cross(upper, lower) * axis).sum(-1) / scale

    hips = joint("l_hip") - joint("r_hip")
    shoulders = joint("l_shoulder") - joint("r_shoulder")
    return torch.stack([hinge(*k, hips) for k in _KNEES] + [-hinge(*e, shoulders) for e in _ELBOWS], -1)
