"""Stage 1: train a teacher on labels, or a student that is distilled from a teacher (Ji et al., 2025).

A student learns the labels, the teacher's bins, and the structure of the teacher's joints.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from posenet3d.config import to_dict
from posenet3d.lifting.checkpoint import load_weights
from posenet3d.pose2d.backbones import load_imagenet_weights
from posenet3d.pose2d.checkpoint import load_estimator
from posenet3d.pose2d.data.augmentation import Augmentation
from posenet3d.pose2d.data.crop_set import CropSet
from posenet3d.pose2d.data.data_set import PoseDataSet
from posenet3d.pose2d.losses import bins_loss, label_loss, structure_losses
from posenet3d.pose2d.pose_network import EstimatorConfig, PoseNetwork, decode
from posenet3d.pose2d.training.crop_sampler import CropSampler, validation_pck
from posenet3d.pose2d.training.run import Run, describe_crops, training_device
from posenet3d.training.loop import LoopSettings, optimizer_step, weighted_sum

MAX_GRAD_NORM = 1.0
"""Gradients are clipped to this norm: without, one batch in a thousand undid what hundreds had learnt."""


@dataclass(frozen=True)
class EstimatorTraining:
    """Settings of a teacher or a student of stage 1; the last three weights apply with a teacher."""

    model: EstimatorConfig = field(default_factory=EstimatorConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(validate_every=1000, save_every=500))
    steps: int = 16_000
    batch: int = 32  # twice as many steps of half the size learn half as much again from the same crops
    lr: float = 2e-3
    weight_decay: float = 0.02
    labels: float = 1.0
    bins: float = 1.0
    relations: float = 5.0
    distances: float = 1.0


def train_estimator(
    data: PoseDataSet,
    settings: EstimatorTraining,
    out: Path,
    *,
    teacher_run: Path | None = None,
    init: Path | None = None,
    imagenet: Path | None = None,
    resume: bool = False,
) -> PoseNetwork:
    """Train a teacher, or with `teacher_run` a student, and write a run folder.

    Args:
        data: annotated people; a tenth is held out for validation.
        settings: network, losses, steps.
        out: run folder.
        teacher_run: run of the teacher to distil from.
        init: a run to start the weights from.
        imagenet: published weights that the backbone starts from; see `posenet3d.pose2d.backbones.load_imagenet_weights`.
        resume: continue the unfinished run in `out`.
    """
    device = training_device()
    torch.manual_seed(settings.loop.seed)
    network = PoseNetwork(settings.model).to(device)
    if imagenet is not None:
        load_imagenet_weights(network.backbone, imagenet)
    if init is not None:
        load_weights(network, init)
    teacher = None if teacher_run is None else load_estimator(teacher_run).to(device)
    training, validation = data.crops(settings.model)
    kind = "teacher" if teacher is None else "student"
    run = Run(out, kind, describe_crops(training), {"model": to_dict(settings.model)}, resume)
    run.fit(
        {"network": network}, settings, settings.loop,
        lambda: EstimatorPhase(network, training, validation, settings, teacher),
        {"model.safetensors": ["network"]},
    )  # fmt: skip
    return network.eval()


class EstimatorPhase:
    """Training steps of stage 1."""

    def __init__(
        self,
        network: PoseNetwork,
        training: CropSet,
        held_out: CropSet,
        settings: EstimatorTraining,
        teacher: PoseNetwork | None = None,
    ):
        self.network, self.settings, self.teacher = network, settings, teacher
        device = next(network.parameters()).device
        self.training = CropSampler(training, settings.model, device)
        self.held_out = CropSampler(held_out, settings.model, device)
        groups = [
            {"params": [p for p in network.parameters() if p.ndim >= 2], "weight_decay": settings.weight_decay},
            # Normalisation layers and biases are not pulled to zero.
            {"params": [p for p in network.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizers = {"network": torch.optim.AdamW(groups, lr=settings.lr)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Take one step and return the loss terms without their weights."""
        self.network.train()
        batch = self.training.sample(self.settings.batch, rng, self.settings.augmentation)
        output = self.network(batch.crops)
        terms = {"labels": label_loss(output, batch.joints, batch.weights)}
        weights = {"labels": self.settings.labels}
        if self.teacher is not None:
            with torch.no_grad():
                teacher_output = self.teacher(batch.crops)
            terms |= {"bins": bins_loss(output, teacher_output), **structure_losses(output, teacher_output)}
            fading = 1 - step / self.settings.steps  # as DWPose fades its feature term
            weights |= {
                "bins": self.settings.bins,
                "relations": fading * self.settings.relations,
                "distances": fading * self.settings.distances,
            }
        optimizer_step(self.optimizers["network"], weighted_sum(terms, weights), MAX_GRAD_NORM)
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return PCK on held-out people."""
        self.network.eval()
        return {"pck": validation_pck(self.held_out, lambda batch: decode(self.network(batch.crops))[0])}
