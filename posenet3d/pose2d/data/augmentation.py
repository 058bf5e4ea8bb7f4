"""Stored crops turned, scaled, moved, mirrored, recoloured and partly covered, in one warp per batch."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import mirror_indices


@dataclass(frozen=True)
class Augmentation:
    """How far crops are changed (after mmpose's top-down recipes)."""

    turn_deg: float = 40.0
    scale: float = 0.3  # up to 1 +- this
    shift: float = 0.08  # of the crop's breadth and height
    turned: float = 0.6  # share of crops that are turned
    colour: float = 0.25
    covered: float = 0.4  # share of crops with a hole


@dataclass(frozen=True)
class Batch:
    """Crops as the network sees them."""

    crops: Float[Tensor, "batch 3 height breadth"]
    joints: Float[Tensor, "batch joints 2"]  # pixels of the crop
    weights: Float[Tensor, "batch joints"]  # 1 where labelled and inside
    sizes: Float[Tensor, " batch"]  # square root of the person's area, pixels of the crop


def mirrored_joints(joint_set: str) -> list[int]:
    """For every joint the one on the other side."""
    return mirror_indices(JOINT_SETS[joint_set].joints)


def warp(
    pictures: UInt8[Tensor, "batch 3 stored_height stored_breadth"],
    joints: Float[Tensor, "batch joints 2"],
    weights: Float[Tensor, "batch joints"],
    sizes: Float[Tensor, " batch"],
    *,
    size: tuple[int, int],
    joint_set: str,
    rng: torch.Generator | None = None,
    how: Augmentation | None = None,
) -> Batch:
    """Crops out of stored crops; without `how` the plain middle of each.

    Args:
        pictures: stored crops.
        joints: pixels of the stored crops.
        weights: 1 where labelled.
        sizes: square root of each person's area, pixels of the stored crops.
        size: breadth and height of the crops.
        joint_set: says which joints change names in the mirror.
        rng: on the CPU; needed with `how`.
        how: the change.
    """
    batch = len(pictures)
    matrix, flipped = _moves(batch, size, rng, how)
    matrix, flipped = matrix.to(pictures.device), flipped.to(pictures.device)
    stored = torch.tensor([pictures.shape[3], pictures.shape[2]], device=pictures.device, dtype=torch.float32)
    middle = (torch.tensor(size, device=pictures.device, dtype=torch.float32) - 1) / 2
    grid = torch.stack(
        torch.meshgrid(
            torch.arange(size[0], device=pictures.device) - middle[0],
            torch.arange(size[1], device=pictures.device) - middle[1],
            indexing="xy",
        ),
        -1,
    )
    turn, shift = matrix[:, :, :2], matrix[:, :, 2]
    places = torch.einsum("bij,hwj->bhwi", turn, grid) + shift[:, None, None] + (stored - 1) / 2
    crops = F.grid_sample(pictures.float() / 255, (2 * places + 1) / stored - 1, align_corners=False)
    there = torch.einsum("bij,bkj->bki", torch.linalg.inv(turn), joints - (stored - 1) / 2 - shift[:, None]) + middle
    other = torch.tensor(mirrored_joints(joint_set), device=pictures.device)
    there = torch.where(flipped[:, None, None], there[:, other], there)
    weights = torch.where(flipped[:, None], weights[:, other], weights)
    limit = 2 * middle
    inside = ((there > -0.5) & (there < limit + 0.5)).all(-1)
    sizes = sizes / torch.linalg.det(turn).abs().sqrt()
    if how is not None and rng is not None:
        crops = _covered(_recoloured(_filled(crops, rng), rng, how.colour), rng, how.covered)
    return Batch(crops, there, weights * inside, sizes)


def _moves(
    batch: int, size: tuple[int, int], rng: torch.Generator | None, how: Augmentation | None
) -> tuple[Float[Tensor, "batch 2 3"], Tensor]:
    """From pixels of the crop (about its middle) to those of the stored crop, and which crops are mirrored."""
    if how is None or rng is None:
        return torch.eye(2, 3).expand(batch, 2, 3), torch.zeros(batch, dtype=torch.bool)

    def draw() -> Tensor:
        return 2 * torch.rand(batch, generator=rng) - 1

    angle = draw() * math.radians(how.turn_deg) * (torch.rand(batch, generator=rng) < how.turned)
    scale = 1 + how.scale * draw()
    flipped = torch.rand(batch, generator=rng) < 0.5
    side = torch.where(flipped, -1.0, 1.0)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    shift = torch.stack([how.shift * size[0] * draw(), how.shift * size[1] * draw()], -1)
    matrix = torch.stack([torch.stack([side * cos, -sin], -1), torch.stack([side * sin, cos], -1)], 1)
    return torch.cat([matrix, shift[..., None]], -1), flipped


def _filled(crops: Tensor, rng: torch.Generator) -> Tensor:
    """In every other crop what lies beyond the picture's edge shows another picture: in use there is no such edge."""
    chosen = (torch.rand(len(crops), generator=rng) < 0.5).to(crops.device)[:, None, None, None]
    outside = (crops.sum(1, keepdim=True) == 0) & chosen
    return torch.where(outside, crops.roll(1, 0), crops)


def _recoloured(crops: Tensor, rng: torch.Generator, strength: float) -> Tensor:
    """Brightness, contrast and the balance of the colours; some crops become grey."""
    batch = len(crops)

    def factor(*shape: int) -> Tensor:
        return (1 + strength * (2 * torch.rand(*shape, generator=rng) - 1)).to(crops.device)

    mean = crops.mean((1, 2, 3), keepdim=True)
    crops = (crops - mean) * factor(batch, 1, 1, 1) + mean * factor(batch, 1, 1, 1)
    crops = crops * factor(batch, 3, 1, 1)
    grey = (torch.rand(batch, generator=rng) < 0.1).to(crops.device)[:, None, None, None]
    return torch.where(grey, crops.mean(1, keepdim=True), crops).clamp(0, 1)


def _covered(crops: Tensor, rng: torch.Generator, share: float) -> Tensor:
    """A box of each chosen crop shows another crop of the batch: what occludes people are things and people."""
    batch, _, height, breadth = crops.shape
    low = torch.rand(batch, 2, generator=rng) * 0.8
    extent = 0.15 + 0.25 * torch.rand(batch, 2, generator=rng)
    chosen = (torch.rand(batch, generator=rng) < share)[:, None, None]
    y = torch.arange(height)[None] / height
    x = torch.arange(breadth)[None] / breadth
    rows = (y >= low[:, :1]) & (y < low[:, :1] + extent[:, :1])
    columns = (x >= low[:, 1:]) & (x < low[:, 1:] + extent[:, 1:])
    hole = (rows[:, :, None] & columns[:, None, :] & chosen).to(crops.device)
    return torch.where(hole[:, None], crops.roll(1, 0), crops)
