"""Augmentation of stored crops: rotation, scale, shift, mirror, colour and occlusion, with one warp per batch."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from posenet3d.pose2d.pose_network import mirrored_joints


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes (after mmpose's top-down recipes)."""

    RENAMED: ClassVar[dict[str, str]] = {"turn_deg": "rotation_deg", "turned": "rotated", "covered": "occluded"}

    rotation_deg: float = 40.0
    scale: float = 0.3  # up to 1 +- this
    shift: float = 0.08  # of the crop's width and height
    rotated: float = 0.6  # share of crops that are rotated
    colour: float = 0.25
    occluded: float = 0.4  # share of crops in which a box is occluded


@dataclass(frozen=True)
class Batch:
    """Crops at the size of the network's input, with labels."""

    crops: Float[Tensor, "batch 3 height width"]
    joints: Float[Tensor, "batch joints 2"]  # pixels of the crop
    weights: Float[Tensor, "batch joints"]  # 1 where labelled and inside
    sizes: Float[Tensor, " batch"]  # square root of the person's area, pixels of the crop


def warp(
    images: UInt8[Tensor, "batch 3 stored_height stored_width"],
    joints: Float[Tensor, "batch joints 2"],
    weights: Float[Tensor, "batch joints"],
    sizes: Float[Tensor, " batch"],
    *,
    size: tuple[int, int],
    joint_set: str,
    rng: torch.Generator | None = None,
    augmentation: Augmentation | None = None,
) -> Batch:
    """Warp stored crops to the network's input; without `augmentation`, cut out the centre of each.

    Args:
        images: stored crops.
        joints: pixels of the stored crops.
        weights: 1 where labelled.
        sizes: square root of each person's area, pixels of the stored crops.
        size: width and height of the network's input.
        joint_set: says which joints change sides in the mirror.
        rng: on the CPU; needed with `augmentation`.
        augmentation: ranges of the random changes.
    """
    batch = len(images)
    matrix, is_mirrored = _random_matrices(batch, size, rng, augmentation)
    matrix, is_mirrored = matrix.to(images.device), is_mirrored.to(images.device)
    stored = torch.tensor([images.shape[3], images.shape[2]], device=images.device, dtype=torch.float32)
    centre = (torch.tensor(size, device=images.device, dtype=torch.float32) - 1) / 2
    grid = torch.stack(
        torch.meshgrid(
            torch.arange(size[0], device=images.device) - centre[0],
            torch.arange(size[1], device=images.device) - centre[1],
            indexing="xy",
        ),
        -1,
    )
    linear, shift = matrix[:, :, :2], matrix[:, :, 2]
    source = torch.einsum("bij,hwj->bhwi", linear, grid) + shift[:, None, None] + (stored - 1) / 2
    crops = F.grid_sample(images.float() / 255, (2 * source + 1) / stored - 1, align_corners=False)
    warped = torch.einsum("bij,bkj->bki", torch.linalg.inv(linear), joints - (stored - 1) / 2 - shift[:, None]) + centre
    other = torch.tensor(mirrored_joints(joint_set), device=images.device)
    warped = torch.where(is_mirrored[:, None, None], warped[:, other], warped)
    weights = torch.where(is_mirrored[:, None], weights[:, other], weights)
    is_inside = ((warped > -0.5) & (warped < 2 * centre + 0.5)).all(-1)
    sizes = sizes / torch.linalg.det(linear).abs().sqrt()
    if augmentation is not None and rng is not None:
        crops = _change_colours(_fill_borders(crops, rng), rng, augmentation.colour)
        crops = _occlude(crops, rng, augmentation.occluded)
    return Batch(crops, warped, weights * is_inside, sizes)


def _random_matrices(
    batch: int, size: tuple[int, int], rng: torch.Generator | None, augmentation: Augmentation | None
) -> tuple[Float[Tensor, "batch 2 3"], Tensor]:
    """Return affine maps from the crop's pixels (about its centre) to the stored crop's, and which crops are mirrored."""
    if augmentation is None or rng is None:
        return torch.eye(2, 3).expand(batch, 2, 3), torch.zeros(batch, dtype=torch.bool)

    def draw() -> Tensor:
        return 2 * torch.rand(batch, generator=rng) - 1

    angle = draw() * math.radians(augmentation.rotation_deg) * (torch.rand(batch, generator=rng) < augmentation.rotated)
    scale = 1 + augmentation.scale * draw()
    is_mirrored = torch.rand(batch, generator=rng) < 0.5
    side = torch.where(is_mirrored, -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    shift = torch.stack([augmentation.shift * size[0] * draw(), augmentation.shift * size[1] * draw()], -1)
    matrix = torch.stack([torch.stack([side * cos, -sin], -1), torch.stack([side * sin, cos], -1)], 1)
    return torch.cat([matrix, shift[..., None]], -1), is_mirrored


def _fill_borders(crops: Tensor, rng: torch.Generator) -> Tensor:
    """Fill the area beyond the image's edge with another crop, in every other crop: in use there is no such black edge."""
    chosen = (torch.rand(len(crops), generator=rng) < 0.5).to(crops.device)[:, None, None, None]
    outside = (crops.sum(1, keepdim=True) == 0) & chosen
    return torch.where(outside, crops.roll(1, 0), crops)


def _change_colours(crops: Tensor, rng: torch.Generator, strength: float) -> Tensor:
    """Change brightness, contrast and colour balance; a tenth of the crops becomes grey."""
    batch = len(crops)

    def factor(*shape: int) -> Tensor:
        return (1 + strength * (2 * torch.rand(*shape, generator=rng) - 1)).to(crops.device)

    mean = crops.mean((1, 2, 3), keepdim=True)
    crops = (crops - mean) * factor(batch, 1, 1, 1) + mean * factor(batch, 1, 1, 1)
    crops = crops * factor(batch, 3, 1, 1)
    grey = (torch.rand(batch, generator=rng) < 0.1).to(crops.device)[:, None, None, None]
    return torch.where(grey, crops.mean(1, keepdim=True), crops).clamp(0, 1)


def _occlude(crops: Tensor, rng: torch.Generator, share: float) -> Tensor:
    """Replace a box of each chosen crop by another crop of the batch: people are occluded by objects and other people."""
    batch, _, height, width = crops.shape
    low = torch.rand(batch, 2, generator=rng) * 0.8
    extent = 0.15 + 0.25 * torch.rand(batch, 2, generator=rng)
    chosen = (torch.rand(batch, generator=rng) < share)[:, None, None]
    y = torch.arange(height)[None] / height
    x = torch.arange(width)[None] / width
    rows = (y >= low[:, :1]) & (y < low[:, :1] + extent[:, :1])
    columns = (x >= low[:, 1:]) & (x < low[:, 1:] + extent[:, 1:])
    box = (rows[:, :, None] & columns[:, None, :] & chosen).to(crops.device)
    return torch.where(box[:, None], crops.roll(1, 0), crops)
