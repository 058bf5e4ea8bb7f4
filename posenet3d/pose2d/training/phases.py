"""Training of the 2D networks: a teacher on labels, a student that is distilled from it, a refiner on the frozen student.

Stage 1 (Ji et al., 2025): labels, the teacher's bins, and the structure of its joints. Stage 2: the graph network learns to
move the student's pose to the teacher's final one, block by block.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.pose2d.data.augmentation import Augmentation, Batch, mirrored_joints, warp
from posenet3d.pose2d.data.crops import CropSet
from posenet3d.pose2d.evaluation.scoring import pck
from posenet3d.pose2d.losses import bins_loss, label_loss, pose_error, structure_losses
from posenet3d.pose2d.pose_network import EstimatorConfig, PoseNetwork, PoseOutput, decode
from posenet3d.pose2d.refiner import Refiner, RefinerConfig, Start
from posenet3d.training.loop import LoopSettings, optimizer_step, weighted_sum

BLOCKS = {"block1": 0.3, "block2": 0.5, "block3": 1.0}
"""Weights of the refiner's poses: progressive supervision, later ones count more (OPEC-Net)."""


STEEPEST = 1.0
"""Norm that a step's gradient is cut to: without, one batch in a thousand undid what hundreds had learnt."""


@dataclass(frozen=True)
class EstimatorTraining:
    """Settings of a teacher or a student of stage 1; the last three weights count where there is a teacher."""

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


@dataclass(frozen=True)
class RefinerTraining:
    """Settings of stage 2."""

    model: RefinerConfig = field(default_factory=RefinerConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(validate_every=500, save_every=250))
    steps: int = 2500
    batch: int = 64
    lr: float = 1e-3
    labels: float = 0.5  # share of the labels among the targets; 0 is the literal paper: the teacher's pose alone
    damaged: float = (
        0.5  # share of poses that are made worse first: the student is too good on its own training pictures
    )
    is_progressive: bool = True  # False: only the last block is supervised

    def __post_init__(self) -> None:
        if not 0 <= self.labels <= 1:
            raise ValueError("labels must be from 0 to 1")


class _Crops:
    """Batches of a data set's crops."""

    def __init__(self, crops: CropSet, config: EstimatorConfig, device: torch.device):
        self.crops, self.device = crops, device
        self.size, self.joint_set = (config.breadth, config.height), config.joint_set

    def draw(self, count: int, rng: torch.Generator, how: Augmentation) -> Batch:
        rows = torch.randint(len(self.crops), (count,), generator=rng).numpy()
        return self._warped(rows, rng, how)

    def in_order(self, count: int) -> list[Batch]:
        rows = np.arange(len(self.crops))
        return [self._warped(rows[start : start + count]) for start in range(0, len(rows), count)]

    def _warped(self, rows: np.ndarray, rng: torch.Generator | None = None, how: Augmentation | None = None) -> Batch:
        part = self.crops.part(rows)
        pictures = torch.from_numpy(self.crops.pictures(rows)).to(self.device)
        rest = (part.joints.to(self.device), part.weights.to(self.device), part.sizes.to(self.device))
        return warp(pictures, *rest, size=self.size, joint_set=self.joint_set, rng=rng, how=how)


class EstimatorPhase:
    """Stage 1: crops to joints; with a teacher also to what it sees."""

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
        self.training = _Crops(training, settings.model, device)
        self.held_out = _Crops(held_out, settings.model, device)
        plain = [p for p in network.parameters() if p.ndim < 2]  # norms and biases are not pulled to zero
        groups = [
            {"params": [p for p in network.parameters() if p.ndim >= 2], "weight_decay": settings.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.optimizers = {"network": torch.optim.AdamW(groups, lr=settings.lr)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """One step; the terms are raw."""
        self.network.train()
        batch = self.training.draw(self.settings.batch, rng, self.settings.augmentation)
        reading = self.network(batch.crops)
        terms = {"labels": label_loss(reading, batch.joints, batch.weights)}
        weights = {"labels": self.settings.labels}
        if self.teacher is not None:
            with torch.no_grad():
                wanted = self.teacher(batch.crops)
            terms |= {"bins": bins_loss(reading, wanted), **structure_losses(reading, wanted)}
            fading = 1 - step / self.settings.steps  # as DWPose fades its feature term
            weights |= {
                "bins": self.settings.bins,
                "relations": fading * self.settings.relations,
                "distances": fading * self.settings.distances,
            }
        optimizer_step(self.optimizers["network"], weighted_sum(terms, weights), STEEPEST)
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """PCK on people that are not trained on."""
        self.network.eval()
        return {"pck": _pck(self.held_out, lambda batch: decode(self.network(batch.crops))[0])}


class RefinerPhase:
    """Stage 2: the student's pose to the teacher's."""

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
        self.training = _Crops(training, student.config, device)
        self.held_out = _Crops(held_out, student.config, device)
        self.optimizers = {"refiner": torch.optim.Adam(refiner.parameters(), lr=settings.lr)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """One step; one term per block of the refiner."""
        self.refiner.train()
        batch = self.training.draw(self.settings.batch, rng, self.settings.augmentation)
        with torch.no_grad():
            start = initial_pose(flip_averaged(self.student, batch.crops), self.student.config)
            taught = None if self.settings.labels == 1 else flip_averaged_pose(self.teacher, batch.crops)
        start = start._replace(pose=_damaged(start.pose, self.settings.damaged, self.student.config.joint_set, rng))
        labelled = to_unit(batch.joints, self.student.config)
        scale = 2 * batch.sizes / (self.student.config.breadth * self.student.config.height) ** 0.5
        share, terms = self.settings.labels, {}
        for name, pose in zip(BLOCKS, self.refiner(start), strict=True):
            rest = (scale, self.student.config.joint_set)
            terms[name] = share * pose_error(pose, labelled, batch.weights, *rest)
            if taught is not None:
                terms[name] = terms[name] + (1 - share) * pose_error(pose, *taught, *rest)
        weights = BLOCKS if self.settings.is_progressive else {**dict.fromkeys(BLOCKS, 0.0), "block3": 1.0}
        optimizer_step(self.optimizers["refiner"], weighted_sum(terms, weights))
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """PCK before and after the refiner."""
        self.refiner.eval()

        def before(batch: Batch) -> Tensor:
            return decode(flip_averaged(self.student, batch.crops))[0]

        def after(batch: Batch) -> Tensor:
            start = initial_pose(flip_averaged(self.student, batch.crops), self.student.config)
            return from_unit(self.refiner(start)[-1], self.student.config)

        return {"pck_before": _pck(self.held_out, before), "pck": _pck(self.held_out, after)}


def initial_pose(reading: PoseOutput, config: EstimatorConfig) -> Start:
    """What the refiner starts from."""
    places, confidence = decode(reading)
    return Start(to_unit(places, config), confidence, reading.maps)


def flip_averaged_pose(
    network: PoseNetwork, crops: Float[Tensor, "batch 3 height breadth"]
) -> tuple[Float[Tensor, "batch joints 2"], Float[Tensor, "batch joints"]]:
    """A network's last word (-1 to 1) and its confidence: the mean over the crop and its mirror image."""
    places, confidence = decode(flip_averaged(network, crops))
    return to_unit(places, network.config), confidence


def flip_averaged(network: PoseNetwork, crops: Float[Tensor, "batch 3 height breadth"]) -> PoseOutput:
    """The mean reading of crops and of their mirror images; tokens and maps are the plain ones'."""
    other = mirrored_joints(network.config.joint_set)
    plain, mirrored = network(crops), network(crops.flip(-1))
    return plain._replace(x=(plain.x + mirrored.x.flip(-1)[:, other]) / 2, y=(plain.y + mirrored.y[:, other]) / 2)


def to_unit(places: Float[Tensor, "batch joints 2"], config: EstimatorConfig) -> Float[Tensor, "batch joints 2"]:
    """Pixels of the crop to -1 to 1 across it, edge to edge."""
    return (2 * places + 1) / torch.tensor([config.breadth, config.height], device=places.device) - 1


def from_unit(pose: Float[Tensor, "batch joints 2"], config: EstimatorConfig) -> Float[Tensor, "batch joints 2"]:
    """The inverse of `to_unit`."""
    return ((pose + 1) * torch.tensor([config.breadth, config.height], device=pose.device) - 1) / 2


def _damaged(pose: Tensor, share: float, joint_set: str, rng: torch.Generator) -> Tensor:
    """Errors as pose networks make them (after PoseFix, Moon et al., CVPR 2019): jitter, misses, sides taken for each other."""

    def chosen(part: float) -> Tensor:
        return (torch.rand(pose.shape[:2], generator=rng) < part).to(pose.device)[..., None]

    def noise(size: float) -> Tensor:
        return size * torch.randn(pose.shape, generator=rng).to(pose.device)

    worse = torch.where(chosen(0.2), pose + noise(0.05), pose)
    worse = torch.where(chosen(0.05), pose + noise(0.25), worse)
    worse = torch.where(chosen(0.05), pose[:, mirrored_joints(joint_set)] + noise(0.03), worse)
    whole = (torch.rand(len(pose), generator=rng) < share).to(pose.device)[:, None, None]
    return torch.where(whole, worse, pose)


def _pck(crops: _Crops, estimate) -> float:
    batches = crops.in_order(64)
    estimated = torch.cat([estimate(batch) for batch in batches]).cpu().numpy()
    labelled = torch.cat([batch.joints for batch in batches]).cpu().numpy()
    weights = torch.cat([batch.weights for batch in batches]).cpu().numpy()
    return pck(estimated, labelled, weights > 0, crops.joint_set)[0]
