"""The 2D pose network: one person's crop to joints. Teacher and student differ in width only.

From a backbone (`posenet3d.pose2d.backbones`) and a feature pyramid every joint gets a token, the tokens look at each other
once (self-attention), and each is classified into columns and rows of half a pixel (SimCC: Li et al., ECCV 2022; the head
follows RTMPose, Jiang et al., 2023). As an option each joint gets a heat map instead (Xiao et al., ECCV 2018).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.pose2d.backbones import LiteBackbone, ResidualBackbone, conv

SPLIT = 2
"""Bins per pixel."""

SHARPNESS = 10.0
"""Of the softmax over bins, for predictions and targets alike (RTMPose)."""

PYRAMID = 64
"""Channels of the pyramid's two levels."""


@dataclass(frozen=True)
class EstimatorConfig:
    """Shape of a 2D pose network."""

    joint_set: str = "crowdpose14"
    width: int = 16  # channels of the backbone's first map
    tokens: int = 128  # numbers per joint
    height: int = 128  # of the crop, pixels; a multiple of 16
    breadth: int = 96
    head: Literal["simcc", "heatmap"] = "simcc"
    backbone: Literal["residual", "lite"] = "residual"
    is_fine: bool = False  # simcc: the joints' maps speak at a quarter of the crop's size, not at an eighth

    def __post_init__(self) -> None:
        if self.joint_set not in JOINT_SETS:
            raise ValueError(f"there is no joint set '{self.joint_set}'")
        if self.height % 16 or self.breadth % 16 or min(self.height, self.breadth) < 32:
            raise ValueError("height and breadth must be multiples of 16 and at least 32")
        if self.head not in ("simcc", "heatmap"):
            raise ValueError(f"head '{self.head}' is neither simcc nor heatmap")
        if self.backbone not in ("residual", "lite"):
            raise ValueError(f"backbone '{self.backbone}' is neither residual nor lite")
        if self.width < 4 or self.tokens % 4 or self.tokens < 4:
            raise ValueError("width must be at least 4, tokens a multiple of 4")

    @property
    def joints(self) -> int:
        """How many joints are estimated."""
        return len(JOINT_SETS[self.joint_set])


class Maps(NamedTuple):
    """Feature maps, coarse to fine: the pyramid at a sixteenth and an eighth of the crop's size, then a map at a quarter.

    That is the pyramid's, too, where the network is fine, with few channels, for it costs an eighth of all the rest; else what
    the first stage sees.
    """

    p4: Float[Tensor, "batch pyramid h16 w16"]
    p3: Float[Tensor, "batch pyramid h8 w8"]
    c2: Float[Tensor, "batch width h4 w4"]


class PoseOutput(NamedTuple):
    """What the network says of a batch of crops: per joint a line of logits for columns and one for rows, and its token."""

    x: Float[Tensor, "batch joints columns"]
    y: Float[Tensor, "batch joints rows"]
    tokens: Float[Tensor, "batch joints numbers"]
    maps: Maps


class PoseNetwork(nn.Module):
    """Crops to joints.

    Source of the layout: research of light-weight top-down estimators (SimpleBaseline, FPN, RTMPose's head); the paper of
    the two-stage distillation (Ji et al., 2025) names no layers.
    """

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        self.config = config
        w = config.width
        self.backbone = LiteBackbone(w) if config.backbone == "lite" else ResidualBackbone(w)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, PYRAMID, 1) for channels in self.backbone.widths[:0:-1])
        self.smooth = nn.ModuleList(conv(PYRAMID, PYRAMID, 1) for _ in range(2))
        if config.is_fine:
            self.finest = nn.ModuleList([nn.Conv2d(w, PYRAMID, 1), conv(PYRAMID, w, 1)])
        self.head = _HEADS[config.head](config)

    def forward(self, crops: Float[Tensor, "batch 3 height breadth"]) -> PoseOutput:
        """Read a batch of crops (RGB, 0 to 1)."""
        maps = self.maps(crops)
        x, y, tokens = self.head(maps)
        return PoseOutput(x, y, tokens, maps)

    def maps(self, crops: Float[Tensor, "batch 3 height breadth"]) -> Maps:
        """The feature maps, which the refiner looks at, too."""
        c2, c3, c4, c5 = self.backbone(crops)
        p4 = F.interpolate(self.lateral[0](c5), size=c4.shape[-2:]) + self.lateral[1](c4)
        p3 = F.interpolate(p4, size=c3.shape[-2:]) + self.lateral[2](c3)
        p3_seen = self.smooth[1](p3)
        if self.config.is_fine:
            lateral, smooth = self.finest
            c2 = smooth(F.interpolate(p3_seen, size=c2.shape[-2:]) + lateral(c2))
        return Maps(self.smooth[0](p4), p3_seen, c2)


class SimCCHead(nn.Module):
    """Tokens from the map at an eighth, one look at each other, then bins.

    What each joint's map says of columns and rows by itself, as a heat map would, is added to the tokens' answer. Without it
    the head has to learn what is where in a map: trained from nothing, the network estimates the mean pose for thousands
    of steps (RTMPose starts from a backbone that learnt heat maps).
    """

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        cells = (config.height // 8) * (config.breadth // 8)
        self.bins = (SPLIT * config.breadth, SPLIT * config.height)
        d = config.tokens
        self.look = nn.Conv2d(PYRAMID, config.joints, 1)
        self.look_closer = nn.Conv2d(config.width, config.joints, 1) if config.is_fine else None
        self.embed = nn.Sequential(nn.LayerNorm(cells), nn.Linear(cells, d), nn.ReLU(), nn.Linear(d, d))
        self.attend = nn.MultiheadAttention(d, 4, batch_first=True)
        self.norm = nn.LayerNorm(d)
        self.columns = nn.Linear(d, SPLIT * config.breadth)
        self.rows = nn.Linear(d, SPLIT * config.height)
        last: list[nn.Linear | nn.Conv2d] = [self.columns, self.rows]
        for line in last if self.look_closer is None else [*last, self.look_closer]:  # the coarse maps speak first
            for parameter in line.parameters():
                nn.init.zeros_(parameter)

    def forward(self, maps: Maps) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of columns and rows, and the tokens."""
        seen = self.look(maps.p3)
        tokens = self.embed(seen.flatten(2))
        tokens = self.norm(tokens + self.attend(tokens, tokens, tokens, need_weights=False)[0])
        if self.look_closer is not None:
            seen = F.interpolate(seen, scale_factor=2, mode="bilinear") + self.look_closer(maps.c2)
        columns, rows = _along(seen.flatten(2).softmax(-1).view_as(seen), self.bins)
        return self.columns(tokens) + columns, self.rows(tokens) + rows, tokens


class HeatmapHead(nn.Module):
    """A heat map per joint at a quarter of the size, read as its column and row sums; tokens are what lies under it."""

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        self.bins = (SPLIT * config.breadth, SPLIT * config.height)
        self.finer = nn.Sequential(nn.ConvTranspose2d(PYRAMID, PYRAMID, 4, 2, 1), nn.BatchNorm2d(PYRAMID), nn.ReLU())
        self.look = nn.Conv2d(PYRAMID, config.joints, 1)
        self.embed = nn.Linear(PYRAMID, config.tokens)

    def forward(self, maps: Maps) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of columns and rows, and the tokens."""
        fine = self.finer(maps.p3)
        flat = self.look(fine).flatten(2).softmax(-1)
        seen = torch.einsum("bks,bcs->bkc", flat, fine.flatten(2))
        return *_along(flat.unflatten(2, fine.shape[-2:]), self.bins), self.embed(seen)


def _along(heat: Float[Tensor, "batch joints rows columns"], bins: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Logits of columns and rows of a map of probabilities (over `SHARPNESS`, as logits are)."""
    columns = F.interpolate(heat.sum(2), size=bins[0], mode="linear")
    rows = F.interpolate(heat.sum(3), size=bins[1], mode="linear")
    return (columns + 1e-6).log() / SHARPNESS, (rows + 1e-6).log() / SHARPNESS


_HEADS = {"simcc": SimCCHead, "heatmap": HeatmapHead}


def probabilities(logits: Float[Tensor, "*lines bins"]) -> Float[Tensor, "*lines bins"]:
    """The probability of every bin."""
    return (SHARPNESS * logits).softmax(-1)


def decode(reading: PoseOutput) -> tuple[Float[Tensor, "batch joints 2"], Float[Tensor, "batch joints"]]:
    """Where the joints are, in pixels of the crop (the centre of its first pixel is 0), and how sure each is (0 to 1).

    A joint's place is the mean of the bins around the one about which the most is gathered: the mean over all of them would lie
    between two candidates, and the fullest bin alone may stand for little. (On held-out people the share within a fifth
    of the torso rose from 57.3 to 58.7 %.) Its confidence is the share that lies around there, the smaller one of
    columns and rows; see `posenet3d.pose2d.evaluation.calibration` for what that is worth.
    """
    (x, sure_x), (y, sure_y) = _peak(probabilities(reading.x)), _peak(probabilities(reading.y))
    return torch.stack([x, y], -1), torch.minimum(sure_x, sure_y)


GATHER = 8
"""Bins: standard deviation of the Gaussian that gathers what speaks for a place; a seventh of an upright person's torso."""

REACH = 16
"""Bins on either side of the fullest place that count as the same candidate."""


def _peak(chance: Float[Tensor, "*lines bins"]) -> tuple[Float[Tensor, "*lines"], Float[Tensor, "*lines"]]:
    bins = torch.arange(chance.shape[-1], device=chance.device)
    gathered = chance @ torch.exp(-(bins - bins[:, None]).square() / (2 * GATHER**2))
    near = (bins - gathered.argmax(-1, keepdim=True)).abs() <= REACH
    held = chance * near
    share = held.sum(-1)
    return ((held * bins).sum(-1) / share + 0.5) / SPLIT - 0.5, share


def targets(places: Float[Tensor, "batch joints"], bins: int) -> Float[Tensor, "batch joints bins"]:
    """The probabilities that a joint at `places` (pixels) should get: a Gaussian as wide as RTMPose's, sharpened alike."""
    sigma = (bins / SPLIT / 8) ** 0.5  # bins
    centre = (places[..., None] + 0.5) * SPLIT - 0.5
    squared = (torch.arange(bins, device=places.device) - centre).square()
    return probabilities(torch.exp(-squared / (2 * sigma**2)))
