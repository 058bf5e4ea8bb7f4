"""Train the person detector on mosaics, with the losses of CenterNet (Zhou et al., 2019)."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from posenet3d.config import to_dict
from posenet3d.pose2d.backbones import load_imagenet_weights
from posenet3d.pose2d.crops import Box, iou
from posenet3d.pose2d.data.data_set import PoseDataSet
from posenet3d.pose2d.data.mosaics import Mosaics
from posenet3d.pose2d.person_detector import STRIDE, PersonDetector, PersonDetectorConfig, detect_boxes
from posenet3d.pose2d.training.run import Run, training_device
from posenet3d.training.loop import LoopSettings, optimizer_step, weighted_sum

STORED_NAME = "finder"
"""The person detector's name in config.json and in the state of a run; kept so that runs of earlier versions can be resumed."""


@dataclass(frozen=True)
class PersonDetectorTraining:
    """Settings of the person detector's training."""

    model: PersonDetectorConfig = field(default_factory=PersonDetectorConfig)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(validate_every=1000, save_every=500))
    steps: int = 6000
    batch: int = 16
    lr: float = 2e-3
    weight_decay: float = 0.01
    place: float = 1.0  # weight of the offset loss
    size: float = 1.0  # weight of the loss of the box's size
    empty: float = 0.15  # share of tiles without a person


def train_person_detector(
    data: PoseDataSet,
    settings: PersonDetectorTraining,
    out: Path,
    *,
    imagenet: Path | None = None,
    resume: bool = False,
) -> PersonDetector:
    """Train the person detector and write a run folder.

    Args:
        data: annotated people; a tenth is held out for validation.
        settings: network, losses, steps.
        out: run folder.
        imagenet: published weights that the backbone starts from; see `posenet3d.pose2d.backbones.load_imagenet_weights`.
        resume: continue the unfinished run in `out`.
    """
    torch.manual_seed(settings.loop.seed)
    network = PersonDetector(settings.model).to(training_device())
    if imagenet is not None:
        load_imagenet_weights(network.backbone, imagenet)
    training, validation = data.mosaics(settings.model.side, settings.empty)
    digests = [hashlib.sha256(labels.file.read_bytes()).hexdigest() for labels, _ in data.sources]
    described = {"people": sum(len(labels.people) for labels, _ in data.sources), "sha256": "+".join(digests)}
    run = Run(out, STORED_NAME, described, {"model": to_dict(settings.model)}, resume)
    run.fit(
        {STORED_NAME: network}, settings, settings.loop,
        lambda: PersonDetectorPhase(network, training, validation, settings),
        {"model.safetensors": [STORED_NAME]},
    )  # fmt: skip
    return network.eval()


class PersonDetectorPhase:
    """Training steps on mosaics."""

    def __init__(self, network: PersonDetector, training: Mosaics, held_out: Mosaics, settings: PersonDetectorTraining):
        self.network, self.training, self.held_out, self.settings = network, training, held_out, settings
        self.device = next(network.parameters()).device
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        self.optimizers = {STORED_NAME: optimizer}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Take one step and return the loss terms without their weights."""
        self.network.train()
        numpy_rng = np.random.default_rng(int(torch.randint(2**31, (), generator=rng)))
        images, boxes = zip(*(self.training.sample(numpy_rng) for _ in range(self.settings.batch)), strict=True)
        maps = self.network(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(self.device).float() / 255)
        terms = person_detector_losses(maps, list(boxes))
        optimizer_step(
            self.optimizers[STORED_NAME],
            weighted_sum(terms, {"middle": 1.0, "place": self.settings.place, "size": self.settings.size}),
        )
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return precision and recall at an overlap of 0.5, of boxes with a score of at least 0.5, on held-out mosaics."""
        self.network.eval()
        rng = np.random.default_rng(0)
        hits = found_boxes = true_boxes = 0
        for _ in range(100):
            image, boxes = self.held_out.sample(rng)
            found = detect_boxes(self.network, Image.fromarray(image), 0.5)
            hits += sum(any(iou(box, other) >= 0.5 for other, _ in found) for box in boxes)
            found_boxes, true_boxes = found_boxes + len(found), true_boxes + len(boxes)
        return {"precision": hits / max(found_boxes, 1), "recall": hits / max(true_boxes, 1)}


def person_detector_losses(
    maps: Float[Tensor, "batch 5 rows columns"], boxes: list[list[Box]]
) -> dict[str, Float[Tensor, ""]]:
    """Return CenterNet's terms: focal loss of centres (``middle``), L1 of their offset (``place``) and of the box's ``size``.

    Cells around a centre count less as negatives, by a Gaussian of the box's size.

    Args:
        maps: output of the network.
        boxes: of each image the bounding boxes, in pixels.
    """
    centres = torch.zeros_like(maps[:, 0])
    regression_targets, cells = [], []
    rows = torch.arange(maps.shape[2], device=maps.device)[:, None]
    columns = torch.arange(maps.shape[3], device=maps.device)[None]
    for number, image_boxes in enumerate(boxes):
        for left, top, width, height in image_boxes:
            x, y = (left + width / 2) / STRIDE, (top + height / 2) / STRIDE
            column, row = min(int(x), maps.shape[3] - 1), min(int(y), maps.shape[2] - 1)
            sigma_x, sigma_y = (max(0.12 * side / STRIDE, 0.5) for side in (width, height))
            bump = torch.exp(-(((columns - column) / sigma_x) ** 2) / 2 - ((rows - row) / sigma_y) ** 2 / 2)
            centres[number] = torch.maximum(centres[number], bump)
            cells.append((number, row, column))
            log_size = np.log(max(width, 1.0) / STRIDE), np.log(max(height, 1.0) / STRIDE)
            regression_targets.append([x - column, y - row, *log_size])
    log_yes, log_no = F.logsigmoid(maps[:, 0]), F.logsigmoid(-maps[:, 0])
    score = log_yes.exp()
    is_centre = centres == 1
    positive = -(log_yes * (1 - score) ** 2)[is_centre].sum()
    negative = -(log_no * score**2 * (1 - centres) ** 4)[~is_centre].sum()
    count = max(len(cells), 1)
    terms = {"middle": (positive + negative) / count, "place": maps.sum() * 0, "size": maps.sum() * 0}
    if cells:
        number, row, column = torch.tensor(cells, device=maps.device).T
        target = torch.tensor(regression_targets, device=maps.device, dtype=maps.dtype)
        error = (maps[number, 1:, row, column] - target).abs()
        terms |= {"place": error[:, :2].mean(), "size": error[:, 2:].mean()}
    return terms
