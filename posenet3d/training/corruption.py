"""Detector errors on clean 2D, for training: jitter, drift, outliers, drop-outs, left/right swaps, and matching confidence.

The strengths are drawn anew for every clip over a wide range, from a clean motion capture to a poor phone clip, so that a
network has to judge the noise of its input from the input. The ranges are round numbers, not fitted to any data set.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.core.normalise import at_pelvis
from posenet3d.core.skeleton import JOINT_NAMES, MIRROR, N_JOINTS
from posenet3d.training.clips import Clips

# Detectors are worst at the ends of the limbs and best on the trunk (COCO's OKS sigmas agree).
_DIFFICULTY = torch.tensor(
    [{"wrist": 1.6, "ankle": 1.4, "elbow": 1.2, "knee": 1.1}.get(n[2:], 0.9) for n in JOINT_NAMES]
)
_LIMBS = (
    (1, 2, 3),
    (4, 5, 6),
    (2, 3),
    (5, 6),
    (3,),
    (6,),
    (11, 12, 13),
    (14, 15, 16),
    (12, 13),
    (15, 16),
    (9, 10),
    (1, 2, 3, 4, 5, 6),
)


def corrupt(
    rays: Float[Tensor, "clips frames joints 2"], rng: torch.Generator
) -> tuple[Float[Tensor, "clips frames joints 2"], Float[Tensor, "clips frames joints"]]:
    """Return detector-like versions of clean clips, and their confidence (0: the joint is missing)."""
    clips, frames = rays.shape[:2]

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=rng)

    def happens(probability: Tensor, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng) < probability

    size = (rays - rays.mean(2, keepdim=True)).square().sum(-1).mean((1, 2)).sqrt()[:, None, None, None]

    def sometimes(highest: float, share: float) -> Tensor:
        """Return per clip 0, or with probability `share` a strength up to `highest`."""
        return uniform(0.0, highest, clips, 1, 1) * (torch.rand(clips, 1, 1, generator=rng) < share)

    level = sometimes(0.06, 0.75)  # of the apparent size
    sigma = level * _DIFFICULTY * uniform(0.7, 1.3, clips, 1, N_JOINTS)
    jitter = torch.randn(rays.shape, generator=rng)
    drift = _blurred(torch.randn(rays.shape, generator=rng))
    share = uniform(0.0, 0.8, clips, 1, 1, 1)
    noisy = rays + size * sigma[..., None] * ((1 - share) * jitter + share * drift)
    confidence = (uniform(0.6, 1.0, clips, 1, 1) + 0.1 * torch.randn(clips, frames, N_JOINTS, generator=rng)).clamp(
        0.35, 1
    )

    swapped = _spans(clips, frames, 0.002, 6, rng) & happens(torch.tensor(0.5), clips, 1)
    noisy = torch.where(swapped[..., None, None], noisy[:, :, list(MIRROR)], noisy)
    outlier = happens(sometimes(0.04, 0.6), clips, frames, N_JOINTS)
    noisy = noisy + outlier[..., None] * size * 0.6 * torch.randn(rays.shape, generator=rng)
    confidence = torch.where(outlier, uniform(0.05, 0.5, *confidence.shape), confidence)
    missing = happens(sometimes(0.05, 0.6), clips, frames, N_JOINTS)
    for limb in _LIMBS:
        missing[:, :, list(limb)] |= _spans(clips, frames, 0.001, 12, rng)[..., None]
    confidence = confidence.masked_fill(missing, 0.0)
    is_perfect = torch.rand(clips, 1, 1, generator=rng) < 0.15  # motion capture, or keypoints labelled by hand
    return torch.where(is_perfect[..., None], rays, noisy), torch.where(is_perfect, torch.ones(()), confidence)


@torch.no_grad()
def noisy_copy(denoiser: nn.Module, clips: Clips, rng: torch.Generator) -> Float[Tensor, "frames 17 2"]:
    """Return every clip corrupted as by a detector and denoised, as rays of the camera that looks at the pelvis."""
    device = next(denoiser.parameters()).device
    denoiser.eval()
    out = torch.empty_like(clips.rays)
    for start, stop in clips.bounds:
        noisy, confidence = corrupt(clips.rays[None, start:stop], rng)
        out[start:stop] = denoiser(noisy.to(device), confidence.to(device))[0].cpu()
    return at_pelvis(out)


def _blurred(signal: Tensor) -> Tensor:
    """Blur noise over about seven frames, to unit variance."""
    kernel = torch.hann_window(9, periodic=False)[1:-1]
    kernel = kernel / kernel.square().sum().sqrt()
    flat = signal.flatten(2).transpose(1, 2)
    channels = flat.shape[1]
    weight = kernel.expand(channels, 1, -1)
    return torch.nn.functional.conv1d(flat, weight, padding=3, groups=channels).transpose(1, 2).view_as(signal)


def _spans(clips: int, frames: int, rate: float, mean_length: int, rng: torch.Generator) -> Tensor:
    """Return spans (clips, frames) that begin at `rate` per frame and last `mean_length` frames on average."""
    begins = torch.rand(clips, frames, generator=rng) < rate
    length = torch.rand(clips, frames, generator=rng) * 2 * mean_length + 1
    ends = torch.where(begins, torch.arange(frames) + length, torch.zeros(())).cummax(1).values
    return torch.arange(frames) < ends
