"""The denoiser: from noisy 2D joints with gaps to smooth 2D joints, trained on corrupted clean 2D.

A lifter passes the noise of its 2D input on (x = ray * depth), so a detector's jitter is worth removing first.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.core.normalise import apparent_size
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.models.blocks import MAX_BLOCKS, MAX_WIDTH

MAX_SPREAD = 1000  # frames


@dataclass(frozen=True)
class DenoiserConfig:
    """Settings of `Denoiser`."""

    width: int = 160  # 0.5 M weights: a tenth of the lifter's time per frame
    dilations: tuple[int, ...] = (1, 2, 4, 8)  # sees 15 frames to each side: half a second at 30 fps
    near_s: float = 2.0  # frames; the smoothing a person would choose by eye at 30 fps
    far_s: float = 12.0  # frames; only matters where all near frames are missing

    def __post_init__(self) -> None:
        if not 0 < self.near_s <= MAX_SPREAD or not 1 <= self.far_s <= MAX_SPREAD:
            raise ValueError(
                f"denoiser.near_s and denoiser.far_s must be greater than 0 and at most {MAX_SPREAD} frames"
            )
        if len(self.dilations) > MAX_BLOCKS or not all(1 <= d <= MAX_SPREAD for d in self.dilations):
            raise ValueError(f"denoiser.dilations must be from 1 to {MAX_SPREAD}")
        if self.width > MAX_WIDTH:
            raise ValueError(f"denoiser.width must be at most {MAX_WIDTH}")


def smoothing_kernel(near: float, far: float) -> Float[Tensor, " taps"]:
    """Return a Gaussian with a faint wide tail, so that a normalised convolution also bridges gaps."""
    t = torch.arange(-3 * int(far), 3 * int(far) + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (t / near) ** 2) + 1e-3 * torch.exp(-0.5 * (t / far) ** 2)
    return kernel / kernel.sum()


def over_time(signal: Float[Tensor, "clips frames channels"], kernel: Float[Tensor, " taps"]) -> Tensor:
    """Convolve every channel with `kernel` along time; outside the clip the signal counts as zero."""
    clips, frames, channels = signal.shape
    flat = signal.transpose(1, 2).reshape(clips * channels, 1, frames)
    out = F.conv1d(flat, kernel.to(signal)[None, None], padding=len(kernel) // 2)
    return out.view(clips, channels, frames).transpose(1, 2)


def smooth(
    rays: Float[Tensor, "clips frames joints 2"],
    confidence: Float[Tensor, "clips frames joints"],
    kernel: Float[Tensor, " taps"],
) -> Float[Tensor, "clips frames joints 2"]:
    """Smooth over time, weighted by confidence; joints unseen near a frame are put at the mean of the seen ones."""
    weight = confidence.square()  # a joint of confidence 0.5 is much less than half as good
    flat = (rays * weight[..., None]).flatten(2)
    mass = over_time(weight, kernel)[..., None]
    mean = over_time(flat, kernel).view_as(rays) / mass.clamp(min=1e-9)
    known = (mass > 1e-7).to(rays)
    middle = (mean * known).sum(2, keepdim=True) / known.sum(2, keepdim=True).clamp(min=1)
    return torch.where(known > 0, mean, middle)


class Denoiser(nn.Module):
    """Smoothing over time with a learnt correction: per joint, how much of the raw input to keep, and a residual."""

    near: Tensor
    slow: Tensor

    def __init__(self, config: DenoiserConfig):
        super().__init__()
        self.register_buffer("near", smoothing_kernel(config.near_s, config.far_s), persistent=False)
        self.register_buffer("slow", smoothing_kernel(3 * config.near_s, config.far_s), persistent=False)
        self.inlet = nn.Conv1d(7 * N_JOINTS, config.width, 1)
        self.blocks = nn.ModuleList(
            nn.Conv1d(config.width, config.width, 3, dilation=d, padding=d, padding_mode="replicate")
            for d in config.dilations
        )
        self.outlet = nn.Conv1d(config.width, 3 * N_JOINTS, 1)
        with torch.no_grad():
            for parameter in self.outlet.parameters():
                parameter.zero_()

    def forward(
        self, rays: Float[Tensor, "clips frames joints 2"], confidence: Float[Tensor, "clips frames joints"]
    ) -> Float[Tensor, "clips frames joints 2"]:
        """Return denoised rays; where `confidence` is 0 the value of `rays` (any finite number) is ignored."""
        smoothed = smooth(rays, confidence, self.near)
        centre, size = self._centre_and_size(smoothed)
        shape = (smoothed - centre) / size
        noisy = (rays - smoothed) / size * (confidence > 0)[..., None]
        noise_level = self._noise_level(noisy, rays / size, confidence)
        features = torch.cat([shape.flatten(2), noisy.clamp(-2, 2).flatten(2), confidence, noise_level], -1).transpose(
            1, 2
        )
        hidden = F.relu(self.inlet(features))
        for block in self.blocks:
            hidden = hidden + F.relu(block(hidden))
        out = self.outlet(hidden).transpose(1, 2)
        keep, residual = out[..., :N_JOINTS].sigmoid(), out[..., N_JOINTS:].view_as(rays)
        return smoothed + size * (keep[..., None] * noisy + residual)

    def _noise_level(self, noisy: Tensor, scaled: Tensor, confidence: Tensor) -> Tensor:
        """Return two measures of each joint's jitter around a frame (.., 2 * joints), as logarithms.

        They are the distance from the smoothed curve and the second difference. Noise has both, a fast movement has mostly the
        first, so their ratio separates the two. The network need not learn to measure variances.
        """
        bend = F.pad(scaled.diff(n=2, dim=1).norm(dim=-1), (0, 0, 1, 1))[:, : scaled.shape[1]]  # 0 at the ends
        trusted = confidence * torch.minimum(confidence.roll(1, 1), confidence.roll(-1, 1))
        mass = over_time(trusted, self.slow).clamp(min=1e-6)
        both = (over_time(trusted * value.clamp(max=0.2), self.slow) / mass for value in (noisy.norm(dim=-1), bend))
        return torch.cat([torch.log(value.clamp(min=1e-4)) / 3 + 2 for value in both], -1)

    def _centre_and_size(self, smoothed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slowly moving centre (.., 1, 2) and apparent size (.., 1, 1) of the person; the network sees shape only."""
        ones = torch.ones_like(smoothed[:, :, :1, 0])
        mass = over_time(ones, self.slow)[..., None]
        centre = over_time(smoothed.mean(2), self.slow)[:, :, None] / mass
        size = over_time(apparent_size(smoothed)[..., None], self.slow)[..., None] / mass
        return centre, size.clamp(min=1e-6)
