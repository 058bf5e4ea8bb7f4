"""Losses of the 2D pose networks: labels, the teacher's bins, the structure of its joints, and refined poses.

All terms are sums over bins and means over joints and batch, so that their weights can be compared. (Implementations differ in
this, so published weights do not carry over.)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from posenet3d.pose2d.pose_network import SHARPNESS, PoseOutput, decode, probabilities, targets

OKS_SIGMAS = {
    # pycocotools, and crowdposetools for CrowdPose's 14; the same joints have the same ones.
    "coco17": (.026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089),
    "crowdpose14": (.079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089, .079, .079),
}  # fmt: skip
"""Standard deviation of annotators per joint, as a share of the person's size (COCO's object keypoint similarity)."""


def label_loss(
    output: PoseOutput, joints: Float[Tensor, "batch joints 2"], weights: Float[Tensor, "batch joints"]
) -> Float[Tensor, ""]:
    """Return the Kullback-Leibler divergence from the labels' bins, over labelled joints (RTMPose, Jiang et al., 2023)."""
    target_x = targets(joints[..., 0], output.x.shape[-1])
    target_y = targets(joints[..., 1], output.y.shape[-1])
    divergence = _divergence(target_x, output.x) + _divergence(target_y, output.y)
    return (divergence * weights).sum() / weights.sum().clamp(min=1)


def bins_loss(output: PoseOutput, teacher: PoseOutput) -> Float[Tensor, ""]:
    """Return the Kullback-Leibler divergence from the teacher's bins, over all joints (DWPose, Yang et al., 2023)."""
    return (_divergence(probabilities(teacher.x), output.x) + _divergence(probabilities(teacher.y), output.y)).mean()


def structure_losses(output: PoseOutput, teacher: PoseOutput) -> dict[str, Float[Tensor, ""]]:
    """Return the human joints structure loss of stage 1 (Ji et al., 2025), in our reading; the paper's formula is not public.

    ``relations``: cosine similarity of every pair of joint tokens (about their mean), compared with the teacher's; independent
    of the tokens' width. ``distances``: distances between joints over their mean, compared likewise (relational distillation,
    Park et al., CVPR 2019, across joints).
    """
    relations = F.smooth_l1_loss(_relations(output.tokens), _relations(teacher.tokens))
    distances = F.smooth_l1_loss(_distances(output), _distances(teacher))
    return {"relations": relations, "distances": distances}


def pose_error(
    pose: Float[Tensor, "batch joints 2"],
    target: Float[Tensor, "batch joints 2"],
    weights: Float[Tensor, "batch joints"],
    scale: Float[Tensor, " batch"],
    joint_set: str,
) -> Float[Tensor, ""]:
    """Return the loss of a refined pose: L1 distance as a share of the crop, plus 0.3 times one minus its OKS.

    The distance alone pulls towards medians, and was seen to lower the mean error and the OKS-AP together; OKS is local.

    Args:
        pose: crop coordinates from -1 to 1.
        target: the same.
        weights: of each joint.
        scale: square root of the person's area in the same unit.
        joint_set: its sigmas are used.
    """
    distance = (pose - target).abs().sum(-1)
    sigmas = torch.tensor(OKS_SIGMAS[joint_set], device=pose.device)
    squared = (pose - target).square().sum(-1)
    oks = torch.exp(-squared / (2 * (2 * sigmas * scale[:, None]).square()).clamp(min=1e-6))
    return ((distance + 0.3 * (1 - oks)) * weights).sum() / weights.sum().clamp(min=1e-6)


def _divergence(target: Tensor, logits: Tensor) -> Float[Tensor, "batch joints"]:
    return (target * (target.clamp(min=1e-12).log() - (SHARPNESS * logits).log_softmax(-1))).sum(-1)


def _relations(tokens: Tensor) -> Float[Tensor, "batch joints joints"]:
    centred = F.normalize(tokens - tokens.mean(1, keepdim=True), dim=-1)
    return centred @ centred.mT


def _distances(output: PoseOutput) -> Float[Tensor, "batch joints joints"]:
    joints, _ = decode(output)
    # The square root has no slope at 0, and every joint has distance 0 from itself.
    distances = ((joints[:, :, None] - joints[:, None]).square().sum(-1) + 1e-6).sqrt()
    return distances / distances.mean((1, 2), keepdim=True)
