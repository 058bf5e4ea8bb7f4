"""The 2D pose network: one person's crop to joints. Teacher and student differ in width only.

A backbone (`posenet3d.pose2d.backbones`) and a feature pyramid give each joint a token. After one self-attention layer each token
is classified into columns and rows of half a pixel (SimCC: Li et al., ECCV 2022; the head follows RTMPose, Jiang et al., 2023).
As an option each joint gets a heat map instead (Xiao et al., ECCV 2018).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.pose2d.backbones import LiteBackbone, ResidualBackbone, conv
from posenet3d.pose2d.renamed_weights import accept_old_names

BINS_PER_PIXEL = 2

SHARPNESS = 10.0
"""Inverse temperature of the softmax over bins, for predictions and targets alike (RTMPose)."""

PYRAMID_CHANNELS = 64
"""Channels of the feature pyramid's two levels."""


@dataclass(frozen=True)
class EstimatorConfig:
    """Shape of a 2D pose network."""

    RENAMED: ClassVar[dict[str, str]] = {"height": "crop_height", "breadth": "crop_width"}

    joint_set: str = "crowdpose14"
    width: int = 16  # channels of the backbone's first map
    tokens: int = 128  # width of a joint's token
    crop_height: int = 128  # pixels; a multiple of 16
    crop_width: int = 96
    head: Literal["simcc", "heatmap"] = "simcc"
    backbone: Literal["residual", "lite"] = "residual"
    is_fine: bool = False  # simcc: the joints' heat maps are at stride 4 of the crop, not 8

    def __post_init__(self) -> None:
        if self.joint_set not in JOINT_SETS:
            raise ValueError(f"there is no joint set '{self.joint_set}'")
        if self.crop_height % 16 or self.crop_width % 16 or min(self.crop_height, self.crop_width) < 32:
            raise ValueError("crop_height and crop_width must be multiples of 16 and at least 32")
        if self.head not in ("simcc", "heatmap"):
            raise ValueError(f"head '{self.head}' is neither simcc nor heatmap")
        if self.backbone not in ("residual", "lite"):
            raise ValueError(f"backbone '{self.backbone}' is neither residual nor lite")
        if self.width < 4 or self.tokens % 4 or self.tokens < 4:
            raise ValueError("width must be at least 4, tokens a multiple of 4")

    @property
    def joints(self) -> int:
        """Number of joints."""
        return len(JOINT_SETS[self.joint_set])


class Maps(NamedTuple):
    """Feature maps, coarse to fine: the pyramid at strides 16 and 8, then a map at stride 4.

    With `EstimatorConfig.is_fine` the map at stride 4 belongs to the pyramid, too, but with few channels, for it costs an
    eighth of all the rest; otherwise it is the output of the backbone's first stage.
    """

    p4: Float[Tensor, "batch pyramid h16 w16"]
    p3: Float[Tensor, "batch pyramid h8 w8"]
    c2: Float[Tensor, "batch width h4 w4"]


class PoseOutput(NamedTuple):
    """Output for a batch of crops: each joint's logits over columns (`x`) and rows (`y`), its token, and the feature maps."""

    x: Float[Tensor, "batch joints columns"]
    y: Float[Tensor, "batch joints rows"]
    tokens: Float[Tensor, "batch joints channels"]
    maps: Maps


class PoseNetwork(nn.Module):
    """Crops to joints.

    The layout follows light-weight top-down estimators (SimpleBaseline, FPN, RTMPose's head); the paper of
    the two-stage distillation (Ji et al., 2025) names no layers.
    """

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        self.config = config
        w = config.width
        self.backbone = LiteBackbone(w) if config.backbone == "lite" else ResidualBackbone(w)
        self.lateral = nn.ModuleList(
            nn.Conv2d(channels, PYRAMID_CHANNELS, 1) for channels in self.backbone.widths[:0:-1]
        )
        self.smooth = nn.ModuleList(conv(PYRAMID_CHANNELS, PYRAMID_CHANNELS, 1) for _ in range(2))
        if config.is_fine:
            self.finest = nn.ModuleList([nn.Conv2d(w, PYRAMID_CHANNELS, 1), conv(PYRAMID_CHANNELS, w, 1)])
        self.head = _HEADS[config.head](config)

    def forward(self, crops: Float[Tensor, "batch 3 height width"]) -> PoseOutput:
        """Estimate the joints of a batch of crops (RGB, 0 to 1)."""
        maps = self.maps(crops)
        x, y, tokens = self.head(maps)
        return PoseOutput(x, y, tokens, maps)

    def maps(self, crops: Float[Tensor, "batch 3 height width"]) -> Maps:
        """Return the feature maps; the refiner samples them, too."""
        c2, c3, c4, c5 = self.backbone(crops)
        p4 = F.interpolate(self.lateral[0](c5), size=c4.shape[-2:]) + self.lateral[1](c4)
        p3 = F.interpolate(p4, size=c3.shape[-2:]) + self.lateral[2](c3)
        p3_smooth = self.smooth[1](p3)
        if self.config.is_fine:
            lateral, smooth = self.finest
            c2 = smooth(F.interpolate(p3_smooth, size=c2.shape[-2:]) + lateral(c2))
        return Maps(self.smooth[0](p4), p3_smooth, c2)


class SimCCHead(nn.Module):
    """SimCC head: a token per joint from the stride-8 map, one self-attention layer, per-axis bins.

    The column and row sums of each joint's heat map are added to the logits of its token. Without them the head has to learn the
    layout of a map: trained from random weights, the network estimates the mean pose for thousands of steps. (RTMPose starts
    from a backbone that learnt heat maps.)
    """

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        cells = (config.crop_height // 8) * (config.crop_width // 8)
        self.bins = (BINS_PER_PIXEL * config.crop_width, BINS_PER_PIXEL * config.crop_height)
        d = config.tokens
        self.heatmaps = nn.Conv2d(PYRAMID_CHANNELS, config.joints, 1)
        self.fine_heatmaps = nn.Conv2d(config.width, config.joints, 1) if config.is_fine else None
        self.embed = nn.Sequential(nn.LayerNorm(cells), nn.Linear(cells, d), nn.ReLU(), nn.Linear(d, d))
        self.attend = nn.MultiheadAttention(d, 4, batch_first=True)
        self.norm = nn.LayerNorm(d)
        self.columns = nn.Linear(d, BINS_PER_PIXEL * config.crop_width)
        self.rows = nn.Linear(d, BINS_PER_PIXEL * config.crop_height)
        outputs: list[nn.Linear | nn.Conv2d] = [self.columns, self.rows]
        for layer in (
            outputs if self.fine_heatmaps is None else [*outputs, self.fine_heatmaps]
        ):  # coarse maps alone at first
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        accept_old_names(self)

    def forward(self, maps: Maps) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of columns and rows, and the tokens."""
        heat = self.heatmaps(maps.p3)
        tokens = self.embed(heat.flatten(2))
        tokens = self.norm(tokens + self.attend(tokens, tokens, tokens, need_weights=False)[0])
        if self.fine_heatmaps is not None:
            heat = F.interpolate(heat, scale_factor=2, mode="bilinear") + self.fine_heatmaps(maps.c2)
        columns, rows = _axis_logits(heat.flatten(2).softmax(-1).view_as(heat), self.bins)
        return self.columns(tokens) + columns, self.rows(tokens) + rows, tokens


class HeatmapHead(nn.Module):
    """A heat map per joint at stride 4, read as its column and row sums; tokens are mean features weighted by the heat map."""

    def __init__(self, config: EstimatorConfig):
        super().__init__()
        self.bins = (BINS_PER_PIXEL * config.crop_width, BINS_PER_PIXEL * config.crop_height)
        c = PYRAMID_CHANNELS
        self.finer = nn.Sequential(nn.ConvTranspose2d(c, c, 4, 2, 1), nn.BatchNorm2d(c), nn.ReLU())
        self.heatmaps = nn.Conv2d(c, config.joints, 1)
        self.embed = nn.Linear(c, config.tokens)
        accept_old_names(self)

    def forward(self, maps: Maps) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of columns and rows, and the tokens."""
        fine = self.finer(maps.p3)
        heat = self.heatmaps(fine).flatten(2).softmax(-1)
        features = torch.einsum("bks,bcs->bkc", heat, fine.flatten(2))
        return *_axis_logits(heat.unflatten(2, fine.shape[-2:]), self.bins), self.embed(features)


def _axis_logits(heat: Float[Tensor, "batch joints rows columns"], bins: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the logits of columns and rows of a map of probabilities, divided by `SHARPNESS` as all logits are."""
    columns = F.interpolate(heat.sum(2), size=bins[0], mode="linear")
    rows = F.interpolate(heat.sum(3), size=bins[1], mode="linear")
    return (columns + 1e-6).log() / SHARPNESS, (rows + 1e-6).log() / SHARPNESS


_HEADS = {"simcc": SimCCHead, "heatmap": HeatmapHead}


def mirrored_joints(joint_set: str) -> list[int]:
    """Return for every joint the index of its counterpart on the other side."""
    names = JOINT_SETS[joint_set].joints
    other = {"l_": "r_", "r_": "l_"}
    return [names.index(other.get(name[:2], name[:2]) + name[2:]) for name in names]


def flip_averaged(network: PoseNetwork, crops: Float[Tensor, "batch 3 height width"]) -> PoseOutput:
    """Average the logits of crops and of their mirror images; tokens and maps are those of the crops alone."""
    other = mirrored_joints(network.config.joint_set)
    plain, mirrored = network(crops), network(crops.flip(-1))
    return plain._replace(x=(plain.x + mirrored.x.flip(-1)[:, other]) / 2, y=(plain.y + mirrored.y[:, other]) / 2)


def probabilities(logits: Float[Tensor, "*lines bins"]) -> Float[Tensor, "*lines bins"]:
    """Return the probability of every bin."""
    return (SHARPNESS * logits).softmax(-1)


def decode(output: PoseOutput) -> tuple[Float[Tensor, "batch joints 2"], Float[Tensor, "batch joints"]]:
    """Return the joints in pixels of the crop (the centre of its first pixel is 0), and their confidence (0 to 1).

    A joint is at the mean of the bins around the maximum of the smoothed probabilities. The mean over all bins would lie between
    two candidates, and the single most likely bin may hold little of the probability. (On held-out people the share within a
    fifth of the torso rose from 57.3 to 58.7 %.) The confidence is the probability around there, the smaller one of columns
    and rows; `posenet3d.pose2d.evaluation.calibration` maps it to the share of right joints.
    """
    (x, confidence_x), (y, confidence_y) = _peak(probabilities(output.x)), _peak(probabilities(output.y))
    return torch.stack([x, y], -1), torch.minimum(confidence_x, confidence_y)


SMOOTHING_BINS = 8
"""Standard deviation of the Gaussian that smooths the probabilities, in bins: a seventh of an upright person's torso."""

PEAK_BINS = 16
"""Bins on either side of the maximum that belong to the same peak."""


def _peak(probability: Float[Tensor, "*lines bins"]) -> tuple[Float[Tensor, "*lines"], Float[Tensor, "*lines"]]:
    """Return the position of the highest peak in pixels, and its share of the probability."""
    bins = torch.arange(probability.shape[-1], device=probability.device)
    smoothed = probability @ torch.exp(-(bins - bins[:, None]).square() / (2 * SMOOTHING_BINS**2))
    is_near = (bins - smoothed.argmax(-1, keepdim=True)).abs() <= PEAK_BINS
    kept = probability * is_near
    share = kept.sum(-1)
    return ((kept * bins).sum(-1) / share + 0.5) / BINS_PER_PIXEL - 0.5, share


def targets(positions: Float[Tensor, "batch joints"], bins: int) -> Float[Tensor, "batch joints bins"]:
    """Return the target probabilities of joints at `positions` (pixels): a Gaussian as wide as RTMPose's, sharpened alike."""
    sigma = (bins / BINS_PER_PIXEL / 8) ** 0.5  # bins
    centre = (positions[..., None] + 0.5) * BINS_PER_PIXEL - 0.5
    squared = (torch.arange(bins, device=positions.device) - centre).square()
    return probabilities(torch.exp(-squared / (2 * sigma**2)))
