"""Stage 2: train the graph network that refines the pose of a frozen student, block by block (Ji et al., 2025)."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.config import to_dict
from posenet3d.errors import InputError
from posenet3d.pose2d.checkpoint import load_estimator
from posenet3d.pose2d.data.augmentation import Augmentation, Batch
from posenet3d.pose2d.data.crop_set import CropSet
from posenet3d.pose2d.data.data_set import PoseDataSet
from posenet3d.pose2d.losses import pose_error
from posenet3d.pose2d.pose_network import PoseNetwork, decode, flip_averaged, mirrored_joints
from posenet3d.pose2d.refiner import Refiner, RefinerConfig, from_unit, initial_pose, to_unit
from posenet3d.pose2d.training.crop_sampler import CropSampler, validation_pck
from posenet3d.pose2d.training.run import Run, describe_crops, training_device
from posenet3d.training.loop import LoopSettings, optimizer_step, weighted_sum

BLOCKS = {"block1": 0.3, "block2": 0.5, "block3": 1.0}
"""Weights of the poses after each block: progressive supervision, later ones count more (OPEC-Net)."""


@dataclass(frozen=True)
class RefinerTraining:
    """Settings of stage 2."""

    RENAMED: ClassVar[dict[str, str]] = {"damaged": "corrupted"}

    model: RefinerConfig = field(default_factory=RefinerConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(validate_every=500, save_every=250))
    steps: int = 2500
    batch: int = 64
    lr: float = 1e-3
    labels: float = 0.5  # share of the labels in the targets; 0 is the literal paper: the teacher's pose alone
    corrupted: float = 0.5  # share of input poses with added errors: the student is too good on its own training images
    is_progressive: bool = True  # False: only the last block is supervised

    def __post_init__(self) -> None:
        if not 0 <= self.labels <= 1:
            raise ValueError("labels must be from 0 to 1")


def train_refiner(
    data: PoseDataSet,
    settings: RefinerTraining,
    out: Path,
    *,
    student_run: Path,
    teacher_run: Path,
    resume: bool = False,
) -> Refiner:
    """Train the refiner on a frozen student and write a run folder that holds both.

    Args:
        data: annotated people; a tenth is held out for validation.
        settings: network, losses, steps.
        out: run folder.
        student_run: run of the student whose poses are refined.
        teacher_run: run of the teacher whose poses are targets beside the labels.
        resume: continue the unfinished run in `out`.

    Raises:
        InputError: the joint sets of student, teacher and data differ.
    """
    device = training_device()
    torch.manual_seed(settings.loop.seed)
    student, teacher = load_estimator(student_run).to(device), load_estimator(teacher_run).to(device)
    if student.config.joint_set != settings.model.joint_set or teacher.config.joint_set != settings.model.joint_set:
        raise InputError(out, "student, teacher and data differ in their joints", "train all on one joint set")
    settings = replace(settings, model=replace(settings.model, width=student.config.width))
    refiner = Refiner(settings.model).to(device)
    training, validation = data.crops(student.config)
    content = {"model": to_dict(student.config), "refiner": to_dict(settings.model)}
    run = Run(out, "refiner", describe_crops(training), content, resume)
    run.fit(
        {"refiner": refiner, "student": student}, settings, settings.loop,
        lambda: RefinerPhase(refiner, student, teacher, training, validation, settings),
        {"refiner.safetensors": ["refiner"], "model.safetensors": ["student"]},
    )  # fmt: skip
    return refiner.eval()


class RefinerPhase:
    """Training steps of stage 2."""

    def __init__(
        self,
        refiner: Refiner,
        student: PoseNetwork,
        teacher: PoseNetwork,
        training: CropSet,
        held_out: CropSet,
        settings: RefinerTraining,
    ):
        self.refiner, self.student, self.teacher, self.settings = refiner, student.eval(), teacher.eval(), settings
        device = next(refiner.parameters()).device
        self.training = CropSampler(training, student.config, device)
        self.held_out = CropSampler(held_out, student.config, device)
        self.optimizers = {"refiner": torch.optim.Adam(refiner.parameters(), lr=settings.lr)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Take one step and return the loss of each block without its weight."""
        self.refiner.train()
        config = self.student.config
        batch = self.training.sample(self.settings.batch, rng, self.settings.augmentation)
        with torch.no_grad():
            start = initial_pose(flip_averaged(self.student, batch.crops), config)
            distilled = None if self.settings.labels == 1 else flip_averaged_pose(self.teacher, batch.crops)
        start = start._replace(pose=_corrupt(start.pose, self.settings.corrupted, config.joint_set, rng))
        labelled = to_unit(batch.joints, config)
        scale = 2 * batch.sizes / (config.crop_width * config.crop_height) ** 0.5
        share, terms = self.settings.labels, {}
        for name, pose in zip(BLOCKS, self.refiner(start), strict=True):
            terms[name] = share * pose_error(pose, labelled, batch.weights, scale, config.joint_set)
            if distilled is not None:
                terms[name] = terms[name] + (1 - share) * pose_error(pose, *distilled, scale, config.joint_set)
        weights = BLOCKS if self.settings.is_progressive else {**dict.fromkeys(BLOCKS, 0.0), "block3": 1.0}
        optimizer_step(self.optimizers["refiner"], weighted_sum(terms, weights))
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return PCK on held-out people before and after the refiner."""
        self.refiner.eval()

        def before(batch: Batch) -> Tensor:
            return decode(flip_averaged(self.student, batch.crops))[0]

        def after(batch: Batch) -> Tensor:
            start = initial_pose(flip_averaged(self.student, batch.crops), self.student.config)
            return from_unit(self.refiner(start)[-1], self.student.config)

        return {"pck_before": validation_pck(self.held_out, before), "pck": validation_pck(self.held_out, after)}


def flip_averaged_pose(
    network: PoseNetwork, crops: Float[Tensor, "batch 3 height width"]
) -> tuple[Float[Tensor, "batch joints 2"], Float[Tensor, "batch joints"]]:
    """Return a network's pose (-1 to 1 across the crop) and its confidence, averaged over crops and their mirror images."""
    joints, confidence = decode(flip_averaged(network, crops))
    return to_unit(joints, network.config), confidence


def _corrupt(pose: Tensor, share: float, joint_set: str, rng: torch.Generator) -> Tensor:
    """Add errors that pose networks make (after PoseFix, Moon et al., CVPR 2019): jitter, misses, swapped sides."""

    def chosen(probability: float) -> Tensor:
        return (torch.rand(pose.shape[:2], generator=rng) < probability).to(pose.device)[..., None]

    def noise(size: float) -> Tensor:
        return size * torch.randn(pose.shape, generator=rng).to(pose.device)

    corrupted = torch.where(chosen(0.2), pose + noise(0.05), pose)
    corrupted = torch.where(chosen(0.05), pose + noise(0.25), corrupted)
    corrupted = torch.where(chosen(0.05), pose[:, mirrored_joints(joint_set)] + noise(0.03), corrupted)
    is_corrupted = (torch.rand(len(pose), generator=rng) < share).to(pose.device)[:, None, None]
    return torch.where(is_corrupted, corrupted, pose)
