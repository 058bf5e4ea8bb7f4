"""Discriminators of 2D poses and of 2D motion: real or generated."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.core.skeleton import N_JOINTS
from posenet3d.models.blocks import ResidualMLP


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Settings of both discriminators."""

    width: int = 384
    blocks: int = 2
    dropout: float = 0.05  # 0.25, the literature's value, lets the lifter win too early


class PoseDiscriminator(nn.Module):
    """Scores single 2D poses; no batch norm, so that real and fake never share statistics."""

    def __init__(self, config: DiscriminatorConfig):
        super().__init__()
        self.score = ResidualMLP(2 * N_JOINTS, 1, config.width, config.blocks, config.dropout, has_norm=False)

    def forward(self, pose: Float[Tensor, "batch joints 2"]) -> Float[Tensor, " batch"]:
        """Return one score per pose (in units), trained towards 1 for real and 0 for generated poses."""
        return self.score(1.6 * pose.flatten(1))[:, 0]


class MotionDiscriminator(nn.Module):
    """Scores 2D windows by their middle pose and the steps between their frames."""

    def __init__(self, config: DiscriminatorConfig, window: int):
        super().__init__()
        self.score = ResidualMLP(2 * N_JOINTS * window, 1, config.width, config.blocks, config.dropout, has_norm=False)

    def forward(self, motion: Float[Tensor, "batch steps joints 2"]) -> Float[Tensor, " batch"]:
        """Return one score per window (in units)."""
        middle = motion[:, motion.shape[1] // 2, None]
        steps = 4 * motion.diff(dim=1)  # a tenth of a second moves joints by about a quarter of the pose's spread
        return self.score(1.6 * torch.cat([middle, steps], 1).flatten(1))[:, 0]
