"""The adversarial phases of the teacher: settings, networks, and the phase in which the lifter learns."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from posenet3d.losses import consistency
from posenet3d.models.discriminators import DiscriminatorConfig, MotionDiscriminator, PoseDiscriminator
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.renamed import RENAMED
from posenet3d.training import terms
from posenet3d.training.adversarial_steps import (
    RandomRotations,
    adam,
    camera_rotations,
    update_discriminators,
    update_lifter,
)
from posenet3d.training.clips import Clips, Tilt, random_windows
from posenet3d.training.loop import LoopSettings
from posenet3d.training.loss_term import LossTerm, completed, compute
from posenet3d.training.mirror_guard import handedness, repair_mirrored_depth
from posenet3d.training.term_inputs import Discriminators, LifterInputs


@dataclass(frozen=True)
class TeacherTraining:
    """Settings of `train teacher`, each changeable with ``--set key=value``."""

    RENAMED: ClassVar[dict[str, str]] = RENAMED

    model: TeacherConfig = field(default_factory=TeacherConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    weights: dict[str, float] = field(default_factory=terms.teacher_weights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    denoiser_steps: int = 3000
    frame_steps: int = 6000
    temporal_steps: int = 4000
    denoiser_batch: int = 24
    denoiser_frames: int = 61
    frame_batch: int = 384
    temporal_batch: int = 128
    lr_denoiser: float = 2e-3
    lr: float = 3e-4
    lr_discriminator: float = 2e-4
    noisy_share: float = 0.5  # of the temporal phase's windows: corrupted, then denoised, as real detections will be
    tilt_mean_deg: float | None = None  # None: measured on the training 2D (training.clips.measure_tilt)
    tilt_sd_deg: float | None = None
    roll_sd_deg: float = 2.0  # a camera held or levelled by hand

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", completed(self.weights, terms.teacher_weights()))
        for name in ("frame_batch", "temporal_batch", "denoiser_batch", "denoiser_frames"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2: batch norm needs two rows, a clip two frames")
        for name in ("denoiser_steps", "frame_steps", "temporal_steps", "roll_sd_deg"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative")
        for name in ("lr", "lr_denoiser", "lr_discriminator"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1")
        if not (0 <= self.noisy_share <= 1 and 0 <= self.discriminator.dropout < 1 and self.discriminator.width > 0):
            raise ValueError(
                "noisy_share and discriminator.dropout are shares, discriminator.width a number of channels"
            )
        if self.denoiser_steps + self.frame_steps + self.temporal_steps == 0:
            raise ValueError("all phases have 0 steps: nothing would be trained")
        if (self.tilt_sd_deg or 0) < 0:
            raise ValueError("tilt_sd_deg must not be negative")


class Networks(nn.Module):
    """All networks of stage 1."""

    def __init__(self, model: TeacherConfig, discriminator: DiscriminatorConfig):
        super().__init__()
        self.teacher = Teacher(model)
        self.pose_discriminator = PoseDiscriminator(discriminator)
        self.motion_discriminator = MotionDiscriminator(discriminator, model.window)


@dataclass(frozen=True)
class LifterData:
    """Training and held-out clips at the pelvis; `noisy` are the training clips corrupted and denoised."""

    training: Clips
    held_out: Clips
    noisy: Tensor | None = None
    noisy_share: float = 0.0


@dataclass(eq=False)
class LifterPhase:
    """Self-consistency against discriminators; `frame_phase` and `temporal_phase` build its two uses.

    Attributes:
        teacher: its unit is the unit of all losses.
        lift: depth offsets as this phase predicts them.
        trained: the teacher's parameters that learn.
        discriminators: the discriminators that judge this phase.
        terms: the lifter's losses.
        weights: of all losses, by name.
        offsets: frames of a window relative to its middle.
        batch: windows per step.
        rotations: views in which poses are judged.
        lr, lr_discriminator: learning rates at the start.
        guard_steps: when to look for depth-mirrored poses.
    """

    teacher: Teacher
    lift: consistency.Lift
    trained: list[nn.Parameter]
    discriminators: Discriminators
    terms: tuple[LossTerm[LifterInputs], ...]
    weights: dict[str, float]
    data: LifterData
    offsets: Tensor
    batch: int
    rotations: RandomRotations
    lr: float
    lr_discriminator: float
    guard_steps: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.unit, self.device = self.teacher.config.unit, self.teacher.depth_sign.device
        self.optimizers = {
            "lifter": adam(self.trained, self.lr),
            "discriminators": adam(self.discriminators.parameters(), self.lr_discriminator),
        }

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Update the lifter, then the discriminators."""
        self.teacher.train()
        training = self.data.training
        rays = self._training_windows(rng)
        cycle = self._cycle(rays, rng)
        losses = update_lifter(
            self.optimizers["lifter"], self.discriminators, lambda: self._losses(rays, cycle, rng), self.weights
        )
        real = training.rays[random_windows(training, len(rays), self.offsets, rng)].to(self.device)
        losses |= update_discriminators(
            self.optimizers["discriminators"], self.discriminators,
            real / self.unit, cycle.view / self.unit, self.weights, rng,
        )  # fmt: skip
        if step + 1 in self.guard_steps:
            repair_mirrored_depth(self.teacher, training.rays[:: max(1, len(training.rays) // 4096)])
        return {name: value.mean() for name, value in losses.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the lifter's losses and the handedness on held-out 2D, with the same windows and views every time."""
        self.teacher.eval()
        rng, held_out = torch.Generator().manual_seed(0), self.data.held_out
        rays = held_out.rays[random_windows(held_out, 1024, self.offsets, rng)].to(self.device)
        cycle = self._cycle(rays, rng)
        losses = self._losses(rays, cycle, rng)
        return {name: float(value.mean()) for name, value in losses.items()} | {"handedness": handedness(cycle.pose)}

    def _training_windows(self, rng: torch.Generator) -> Tensor:
        """Return random windows (batch, steps, 17, 2), `noisy_share` of them from the noisy copy."""
        data = self.data
        index = random_windows(data.training, self.batch, self.offsets, rng)
        rays = data.training.rays[index]
        if data.noisy is not None:
            is_noisy = torch.rand(self.batch, generator=rng) < data.noisy_share
            rays = torch.where(is_noisy[:, None, None, None], data.noisy[index], rays)
        return rays.to(self.device)

    def _cycle(self, rays: Tensor, rng: torch.Generator) -> consistency.Cycle:
        return consistency.cycle(self.lift, rays, self.rotations(len(rays), rng).to(self.device), self.unit)

    def _losses(self, rays: Tensor, cycle: consistency.Cycle, rng: torch.Generator) -> dict[str, Tensor]:
        return compute(self.terms, LifterInputs(rays, cycle, self.discriminators, self.unit, rng))


def frame_phase(networks: Networks, data: LifterData, settings: TeacherTraining, tilt: Tilt) -> LifterPhase:
    """Build the phase of single frames: self-consistency and the pose discriminator, guarded against mirrored depth."""
    teacher = networks.teacher
    return LifterPhase(
        teacher=teacher,
        lift=teacher.lift_frames,
        trained=list(teacher.frame.parameters()),
        discriminators=Discriminators(networks.pose_discriminator, None),
        terms=terms.FRAME_TERMS,
        weights=settings.weights,
        data=data,
        offsets=torch.zeros(1, dtype=torch.long),
        batch=settings.frame_batch,
        rotations=camera_rotations(tilt, settings.roll_sd_deg),
        lr=settings.lr,
        lr_discriminator=settings.lr_discriminator,
        guard_steps=guard_steps(settings.frame_steps),
    )


def guard_steps(frame_steps: int) -> tuple[int, ...]:
    """Return the steps after which a frame phase looks for depth-mirrored poses.

    Depth settles on one of its two signs early; the last check catches a late change.
    """
    return (150, 300, 600, 1000, frame_steps)


def temporal_phase(networks: Networks, data: LifterData, settings: TeacherTraining, tilt: Tilt) -> LifterPhase:
    """Build the phase of windows: both discriminators, and bones of constant length.

    The per-frame lifter goes on learning under the temporal one. There is no guard against mirrored depth: a trained per-frame
    lifter has decided its sign, and validation still reports it.
    """
    teacher = networks.teacher
    return LifterPhase(
        teacher=teacher,
        lift=teacher,
        trained=[*teacher.frame.parameters(), *teacher.temporal.parameters()],
        discriminators=Discriminators(networks.pose_discriminator, networks.motion_discriminator),
        terms=terms.FRAME_TERMS + terms.WINDOW_TERMS,
        weights=settings.weights,
        data=data,
        offsets=teacher.offsets,
        batch=settings.temporal_batch,
        rotations=camera_rotations(tilt, settings.roll_sd_deg),
        lr=settings.lr,
        lr_discriminator=settings.lr_discriminator,
    )
