"""The teacher: from a window of 2D joints to a depth per joint.

Coordinates: the virtual camera looks at the pelvis, which is at distance 1 (the *root distance*, the unit of every length
here). `unit` is the mean head-to-pelvis distance on the image plane, so depth offsets come out near one.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.core.skeleton import N_JOINTS
from posenet3d.models.blocks import ResidualMLP, check_sizes
from posenet3d.models.denoiser import Denoiser, DenoiserConfig
from posenet3d.renamed import RENAMED


@dataclass(frozen=True)
class TeacherConfig:
    """Settings of `Teacher`."""

    RENAMED: ClassVar[dict[str, str]] = RENAMED

    width: int = 384  # 512 costs 1.7 times the time; shorter training loses more than the extra width gains
    blocks: int = 3
    window: int = 9  # with stride 3 it sees 0.8 s at 30 fps
    stride: int = 3
    temporal_blocks: int = 2
    unit: float = 0.127  # replaced by the measurement on the training data, as are:
    sizes: tuple[float, float] = (0.43, 0.92)  # apparent size of nine in ten training clips, in units
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0 or self.stride < 1:
            raise ValueError("model.window must be odd and at least 3, model.stride at least 1")
        if min(self.width, self.denoiser.width) < 1 or min(self.blocks, self.temporal_blocks) < 0:
            raise ValueError("model widths must be at least 1 and numbers of blocks at least 0")
        check_sizes(self.width, self.window, self.stride, self.blocks, self.temporal_blocks)
        if self.unit <= 0 or len(self.sizes) != 2:
            raise ValueError("model.unit must be greater than 0, and model.sizes two numbers")


class Teacher(nn.Module):
    """Depth offsets from a per-frame lifter, refined over a window of frames (PoseNet3D, section 3.1)."""

    depth_sign: Tensor

    def __init__(self, config: TeacherConfig):
        super().__init__()
        self.config = config
        width, window = config.width, config.window
        self.denoiser = Denoiser(config.denoiser)
        self.frame = ResidualMLP(2 * N_JOINTS, N_JOINTS, width, config.blocks)
        self.temporal = ResidualMLP(3 * N_JOINTS * window, N_JOINTS * window, width, config.temporal_blocks)
        nn.init.zeros_(self.temporal.outlet.weight)  # the refinement starts from the per-frame answer
        self.register_buffer("depth_sign", torch.ones(()))  # -1 once the guard against mirrored depth has negated it

    @property
    def offsets(self) -> Tensor:
        """Frames of a window relative to its middle."""
        return (torch.arange(self.config.window) - self.config.window // 2) * self.config.stride

    def lift_frames(self, rays: Float[Tensor, "*batch joints 2"]) -> Float[Tensor, "*batch joints"]:
        """Return the depth offset of every joint from the pelvis, in units, each frame by itself."""
        return self.depth_sign * self.raw_frames(self.scaled(rays))

    def forward(self, rays: Float[Tensor, "batch steps joints 2"]) -> Float[Tensor, "batch steps joints"]:
        """Return the depth offset of every joint in every frame of the window, in units."""
        scaled = self.scaled(rays)
        return self.depth_sign * self.refine(scaled, self.raw_frames(scaled))

    def refine(self, scaled: Tensor, raw: Tensor) -> Tensor:
        """Refine per-frame offsets (before the sign) over the window."""
        inputs = torch.cat([scaled.flatten(1), raw.flatten(1)], -1)
        refined = raw + self.temporal(inputs).view_as(raw)
        return refined - refined[..., :1]

    def scaled(self, rays: Float[Tensor, "*batch joints 2"]) -> Float[Tensor, "*batch joints 2"]:
        """Scale rays to the networks' input range."""
        return rays * (1.6 / self.config.unit)  # about unit variance

    def raw_frames(self, scaled: Float[Tensor, "*batch joints 2"]) -> Float[Tensor, "*batch joints"]:
        """Return per-frame offsets before the sign."""
        raw = self.frame(scaled.reshape(-1, 2 * N_JOINTS)).view(scaled.shape[:-1])
        return raw - raw[..., :1]
