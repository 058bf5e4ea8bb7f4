"""Where people are in an unconstrained picture: a small detector of our own, trained on the pictures that the pose networks see.

Every cell of an eighth of the picture's size says how likely a person's middle lies in it, where in it, and how large the box is
(CenterNet: Zhou et al., 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from posenet3d.pose2d.backbones import LiteBackbone, ResidualBackbone, conv
from posenet3d.pose2d.data.crops import Box
from posenet3d.pose2d.data.mosaics import Mosaics
from posenet3d.training.loop import LoopSettings, optimizer_step, weighted_sum

STRIDE = 8
MAX_OVERLAP = 0.55
"""Of two boxes that share more than this (intersection over union) the less sure one goes."""

CHANNELS = 64


@dataclass(frozen=True)
class PersonDetectorConfig:
    """Shape of the finder."""

    width: int = 16
    backbone: Literal["residual", "lite"] = "residual"
    side: int = 256  # of the picture that it sees; the longer side of any picture is brought to it

    def __post_init__(self) -> None:
        if self.backbone not in ("residual", "lite"):
            raise ValueError(f"backbone '{self.backbone}' is neither residual nor lite")
        if self.side % 32 or self.side < 64:
            raise ValueError("side must be a multiple of 32 and at least 64")


class PersonDetector(nn.Module):
    """Pictures to maps of five numbers: logit of a middle, its place in the cell, logarithms of the box's sides in strides."""

    rarity: Tensor

    def __init__(self, config: PersonDetectorConfig):
        super().__init__()
        self.config = config
        w = config.width
        self.backbone = LiteBackbone(w) if config.backbone == "lite" else ResidualBackbone(w, 5)
        self.lateral = nn.ModuleList(nn.Conv2d(channels, CHANNELS, 1) for channels in self.backbone.widths[:0:-1])
        self.head = nn.Sequential(conv(CHANNELS, CHANNELS, 1), nn.Conv2d(CHANNELS, 5, 1))
        self.register_buffer(
            "rarity", torch.tensor([-4.0, 0, 0, 0, 0])[:, None, None]
        )  # few cells have a person's middle

    def forward(self, pictures: Float[Tensor, "batch 3 height breadth"]) -> Float[Tensor, "batch 5 rows columns"]:
        """The maps of a batch (RGB, 0 to 1)."""
        levels = self.backbone(pictures)
        top = self.lateral[0](levels[-1])
        for level, lateral in zip(levels[-2:0:-1], list(self.lateral)[1:], strict=True):
            top = F.interpolate(top, size=level.shape[-2:]) + lateral(level)
        return self.head(top) + self.rarity


@torch.no_grad()
def find(
    finder: PersonDetector, picture: Image.Image, least: float, looks: Sequence[float] = (1.0,)
) -> list[tuple[Box, float]]:
    """Boxes of the people in a picture (pixels) and how sure each is, surest first; none less sure than `least`.

    With `looks` the picture is looked at more than once, so many times as large as the finder is used to: small people in wide
    pictures are as large in a close look as those it learnt from.
    """
    seen = [candidate for look in looks for candidate in _look(finder, picture, least, look)]
    found: list[tuple[Box, float]] = []
    for box, chance in sorted(seen, key=lambda candidate: -candidate[1]):
        if all(overlap(box, other) <= MAX_OVERLAP for other, _ in found):
            found.append((box, chance))
    return found


def _look(finder: PersonDetector, picture: Image.Image, least: float, look: float) -> list[tuple[Box, float]]:
    side = round(look * finder.config.side / 32) * 32
    scale = side / max(picture.size)
    size = (max(1, round(scale * picture.width)), max(1, round(scale * picture.height)))
    small = picture.resize(size, Image.Resampling.BILINEAR)
    canvas = np.full((-(-small.height // 32) * 32, -(-small.width // 32) * 32, 3), 114, np.uint8)
    canvas[: small.height, : small.width] = np.asarray(small)
    maps = finder(torch.from_numpy(canvas).permute(2, 0, 1)[None].float() / 255)[0]
    chance = maps[0].sigmoid()
    is_peak = (chance == F.max_pool2d(chance[None], 3, 1, 1)[0]) & (chance >= least)
    rows, columns = is_peak.nonzero(as_tuple=True)
    candidates = []
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        dx, dy, log_w, log_h = maps[1:, row, column].tolist()
        width, height = (STRIDE * np.exp(min(log, 5.0)) / scale for log in (log_w, log_h))
        x, y = STRIDE * (column + dx) / scale, STRIDE * (row + dy) / scale
        box = (float(x - width / 2), float(y - height / 2), float(width), float(height))
        candidates.append((box, float(chance[row, column])))
    return candidates


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(a[2] * a[3] + b[2] * b[3] - shared, 1e-9)


@dataclass(frozen=True)
class PersonDetectorTraining:
    """Settings of the finder's training."""

    model: PersonDetectorConfig = field(default_factory=PersonDetectorConfig)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(validate_every=1000, save_every=500))
    steps: int = 6000
    batch: int = 16
    lr: float = 2e-3
    weight_decay: float = 0.01
    place: float = 1.0
    size: float = 1.0
    empty: float = 0.15  # share of tiles with nobody


class PersonDetectorPhase:
    """Mosaics to maps."""

    def __init__(self, finder: PersonDetector, training: Mosaics, held_out: Mosaics, settings: PersonDetectorTraining):
        self.finder, self.training, self.held_out, self.settings = finder, training, held_out, settings
        self.device = next(finder.parameters()).device
        optimizer = torch.optim.AdamW(finder.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        self.optimizers = {"finder": optimizer}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """One step; the terms are raw."""
        self.finder.train()
        draws = np.random.default_rng(int(torch.randint(2**31, (), generator=rng)))
        pictures, boxes = zip(*(self.training.draw(draws) for _ in range(self.settings.batch)), strict=True)
        maps = self.finder(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(self.device).float() / 255)
        terms = person_detector_losses(maps, list(boxes))
        optimizer_step(
            self.optimizers["finder"],
            weighted_sum(terms, {"middle": 1.0, "place": self.settings.place, "size": self.settings.size}),
        )
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Precision and recall at half overlap, of boxes that are more likely than not, on mosaics of held-out pictures."""
        self.finder.eval()
        rng = np.random.default_rng(0)
        hits = found_boxes = true_boxes = 0
        for _ in range(100):
            picture, boxes = self.held_out.draw(rng)
            found = find(self.finder, Image.fromarray(picture), 0.5)
            hits += sum(any(overlap(box, other) >= 0.5 for other, _ in found) for box in boxes)
            found_boxes, true_boxes = found_boxes + len(found), true_boxes + len(boxes)
        return {"precision": hits / max(found_boxes, 1), "recall": hits / max(true_boxes, 1)}


def person_detector_losses(
    maps: Float[Tensor, "batch 5 rows columns"], boxes: list[list[Box]]
) -> dict[str, Float[Tensor, ""]]:
    """CenterNet's terms: a focal loss of middles, whose surroundings count less as negatives, and L1 of place and size."""
    middles = torch.zeros_like(maps[:, 0])
    wanted, cells = [], []
    rows = torch.arange(maps.shape[2], device=maps.device)[:, None]
    columns = torch.arange(maps.shape[3], device=maps.device)[None]
    for number, of_picture in enumerate(boxes):
        for left, top, width, height in of_picture:
            x, y = (left + width / 2) / STRIDE, (top + height / 2) / STRIDE
            column, row = min(int(x), maps.shape[3] - 1), min(int(y), maps.shape[2] - 1)
            spread_x, spread_y = (max(0.12 * side / STRIDE, 0.5) for side in (width, height))
            bump = torch.exp(-(((columns - column) / spread_x) ** 2) / 2 - ((rows - row) / spread_y) ** 2 / 2)
            middles[number] = torch.maximum(middles[number], bump)
            cells.append((number, row, column))
            wanted.append([x - column, y - row, np.log(max(width, 1.0) / STRIDE), np.log(max(height, 1.0) / STRIDE)])
    log_yes, log_no = F.logsigmoid(maps[:, 0]), F.logsigmoid(-maps[:, 0])
    chance = log_yes.exp()
    is_middle = middles == 1
    positive = -(log_yes * (1 - chance) ** 2)[is_middle].sum()
    negative = -(log_no * chance**2 * (1 - middles) ** 4)[~is_middle].sum()
    count = max(len(cells), 1)
    terms = {"middle": (positive + negative) / count, "place": maps.sum() * 0, "size": maps.sum() * 0}
    if cells:
        number, row, column = torch.tensor(cells, device=maps.device).T
        away = (maps[number, 1:, row, column] - torch.tensor(wanted, device=maps.device, dtype=maps.dtype)).abs()
        terms |= {"place": away[:, :2].mean(), "size": away[:, 2:].mean()}
    return terms
