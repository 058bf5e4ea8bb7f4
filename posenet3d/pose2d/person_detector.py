"""The person detector: bounding boxes of people in an image, by a small network in the manner of CenterNet (Zhou et al., 2019).

Every cell of a map at an eighth of the image's size has a score for the centre of a person, the centre's offset in the cell, and
the size of the bounding box.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from posenet3d.pose2d.backbones import LiteBackbone, ResidualBackbone, conv
from posenet3d.pose2d.crops import Box, iou
from posenet3d.pose2d.renamed_weights import accept_old_names

STRIDE = 8
MAX_IOU = 0.55
"""Non-maximum suppression: of two boxes that overlap more than this, the one with the lower score is dropped."""

CHANNELS = 64


@dataclass(frozen=True)
class PersonDetectorConfig:
    """Shape of the person detector."""

    width: int = 16  # channels of the backbone's first map
    backbone: Literal["residual", "lite"] = "residual"
    side: int = 256  # of the network's input; the longer side of any image is resized to it

    def __post_init__(self) -> None:
        if self.backbone not in ("residual", "lite"):
            raise ValueError(f"backbone '{self.backbone}' is neither residual nor lite")
        if self.side % 32 or self.side < 64:
            raise ValueError("side must be a multiple of 32 and at least 64")


class PersonDetector(nn.Module):
    """Images to maps of five channels: logit of a centre, offset x and y, logarithms of the box's width and height in strides."""

    prior: Tensor

    def __init__(self, config: PersonDetectorConfig):
        super().__init__()
        self.config = config
        w = config.width
        self.backbone = LiteBackbone(w) if config.backbone == "lite" else ResidualBackbone(w, 5)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, CHANNELS, 1) for channels in self.backbone.widths[:0:-1])
        self.head = nn.Sequential(conv(CHANNELS, CHANNELS, 1), nn.Conv2d(CHANNELS, 5, 1))
        # Few cells hold a person's centre.
        self.register_buffer("prior", torch.tensor([-4.0, 0, 0, 0, 0])[:, None, None])
        accept_old_names(self)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 5 rows columns"]:
        """Return the maps of a batch (RGB, 0 to 1)."""
        levels = self.backbone(images)
        top = self.lateral[0](levels[-1])
        for level, lateral in zip(levels[-2:0:-1], list(self.lateral)[1:], strict=True):
            top = F.interpolate(top, size=level.shape[-2:]) + lateral(level)
        return self.head(top) + self.prior


@torch.no_grad()
def detect_boxes(
    network: PersonDetector, image: Image.Image, min_score: float, input_scales: Sequence[float] = (1.0,)
) -> list[tuple[Box, float]]:
    """Detect people, and return their bounding boxes (pixels) with scores, highest-scoring first.

    Args:
        network: the person detector.
        image: RGB.
        min_score: boxes with a lower score are dropped.
        input_scales: the network runs once per scale, with an input of `config.side` times the scale. At a larger scale small
            people in wide images are as large as those of the training data.
    """
    candidates = [found for scale in input_scales for found in _detect_at_scale(network, image, min_score, scale)]
    kept: list[tuple[Box, float]] = []
    for box, score in sorted(candidates, key=lambda candidate: -candidate[1]):
        if all(iou(box, other) <= MAX_IOU for other, _ in kept):
            kept.append((box, score))
    return kept


def _detect_at_scale(
    network: PersonDetector, image: Image.Image, min_score: float, input_scale: float
) -> list[tuple[Box, float]]:
    side = round(input_scale * network.config.side / 32) * 32
    scale = side / max(image.size)
    size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
    small = image.resize(size, Image.Resampling.BILINEAR)
    canvas = np.full((-(-small.height // 32) * 32, -(-small.width // 32) * 32, 3), 114, np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    maps = network(torch.from_numpy(canvas).permute(2, 0, 1)[None].float() / 255)[0]
    scores = maps[0].sigmoid()
    is_peak = (scores == F.max_pool2d(scores[None], 3, 1, 1)[0]) & (scores >= min_score)
    rows, columns = is_peak.nonzero(as_tuple=True)
    candidates = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        dx, dy, log_w, log_h = maps[1:, row, column].tolist()
        width, height = (STRIDE * np.exp(min(log, 5.0)) / scale for log in (log_w, log_h))
        x, y = STRIDE * (column + dx) / scale, STRIDE * (row + dy) / scale
        box = (float(x - width / 2), float(y - height / 2), float(width), float(height))
        candidates.append((box, float(scores[row, column])))
    return candidates
