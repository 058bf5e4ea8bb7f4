"""What the 2D networks learn from: labels, the teacher's bins, the structure of its joints, and its final pose.

All terms are sums over bins and means over joints and batch, so that their weights can be compared (implementations differ
in this, which makes published weights hard to carry over).
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
"""Standard deviation of annotators per joint, as a share of the person's size."""


def label_loss(
    reading: PoseOutput, joints: Float[Tensor, "batch joints 2"], weights: Float[Tensor, "batch joints"]
) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence from the labels' bins, over labelled joints (RTMPose, Jiang et al., 2023)."""
    wanted_x = targets(joints[..., 0], reading.x.shape[-1])
    wanted_y = targets(joints[..., 1], reading.y.shape[-1])
    away = _divergence(wanted_x, reading.x) + _divergence(wanted_y, reading.y)
    return (away * weights).sum() / weights.sum().clamp(min=1)


def bins_loss(reading: PoseOutput, teacher: PoseOutput) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence from the teacher's bins, over all joints, labelled or not (DWPose, Yang et al., 2023)."""
    return (_divergence(probabilities(teacher.x), reading.x) + _divergence(probabilities(teacher.y), reading.y)).mean()


def structure_losses(reading: PoseOutput, teacher: PoseOutput) -> dict[str, Float[Tensor, ""]]:
    """The human joints structure loss of stage 1 (Ji et al., 2025), in our reading; the paper's formula is not public.

    ``relations``: how alike the joints' tokens are to each other, pair by pair (cosines about their mean), compared with the
    teacher's; free of the tokens' width. ``distances``: distances between joints over their mean, compared likewise
    (relational distillation, Park et al., CVPR 2019, across joints).
    """
    relations = F.smooth_l1_loss(_relations(reading.tokens), _relations(teacher.tokens))
    distances = F.smooth_l1_loss(_distances(reading), _distances(teacher))
    return {"relations": relations, "distances": distances}


def pose_error(
    pose: Float[Tensor, "batch joints 2"],
    wanted: Float[Tensor, "batch joints 2"],
    weights: Float[Tensor, "batch joints"],
    scale: Float[Tensor, " batch"],
    joint_set: str,
) -> Float[Tensor, ""]:
    """What a refined pose costs: the distance as a share of the crop, and a part that counts as OKS does.

    The distance alone pulls towards medians, and was seen to lower the mean error and the OKS-AP together; OKS is local.

    Args:
        pose: crop coordinates from -1 to 1.
        wanted: the same.
        weights: of each joint.
        scale: square root of the person's area in the same unit.
        joint_set: whose sigmas count.
    """
    away = (pose - wanted).abs().sum(-1)
    sigmas = torch.tensor(OKS_SIGMAS[joint_set], device=pose.device)
    squared = (pose - wanted).square().sum(-1)
    likeness = torch.exp(-squared / (2 * (2 * sigmas * scale[:, None]).square()).clamp(min=1e-6))
    return ((away + 0.3 * (1 - likeness)) * weights).sum() / weights.sum().clamp(min=1e-6)


def _divergence(wanted: Tensor, logits: Tensor) -> Float[Tensor, "batch joints"]:
    return (wanted * (wanted.clamp(min=1e-12).log() - (SHARPNESS * logits).log_softmax(-1))).sum(-1)


def _relations(tokens: Tensor) -> Float[Tensor, "batch joints joints"]:
    centred = F.normalize(tokens - tokens.mean(1, keepdim=True), dim=-1)
    return centred @ centred.mT


def _distances(reading: PoseOutput) -> Float[Tensor, "batch joints joints"]:
    places, _ = decode(reading)
    # The square root has no slope at 0, and every joint is at 0 from itself.
    away = ((places[:, :, None] - places[:, None]).square().sum(-1) + 1e-6).sqrt()
    return away / away.mean((1, 2), keepdim=True)
