"""Stage 1: the teacher learns to lift 2D joints to 3D from 2D alone.

Three phases, each a few hundred to a few thousand steps: the cleaner (2D denoising), the per-frame lifter against a pose
discriminator, and the temporal refinement against a motion discriminator as well. Temporal terms from the first step on were
tried and end worse (docs/experiments.md).
"""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d import __version__
from posenet3d.atomic import atomic_write
from posenet3d.data.corruption import corrupt
from posenet3d.data.windows import (
    STATED_TILT,
    Clips,
    Tilt,
    at_pelvis,
    clips_from,
    head_length,
    measure_tilt,
    split_by_take,
    window_indices,
)
from posenet3d.losses import adversarial, bones, consistency
from posenet3d.models.discriminators import DiscriminatorConfig, MotionDiscriminator, PoseDiscriminator
from posenet3d.models.teacher import Teacher, TeacherConfig, place
from posenet3d.rotation import random_views
from posenet3d.sequence import PoseSequence
from posenet3d.training.cleaner import CleanerPhase
from posenet3d.training.loop import LoopSettings, PhasePlan, descend, fit, weigh
from posenet3d.training.settings import to_dict


@dataclass(frozen=True)
class TeacherWeights:
    """Weight of each loss term; terms and weights meet by name."""

    consistency_2d: float = 1.0
    consistency_3d: float = 1.0
    pose: float = 1.0
    motion: float = 0.3
    constancy: float = 1.0
    symmetry: float = 0.0
    gradient_penalty: float = 0.02


@dataclass(frozen=True)
class TeacherTraining:
    """Everything `train teacher` can be told with ``--set key=value``."""

    model: TeacherConfig = field(default_factory=TeacherConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    weights: TeacherWeights = field(default_factory=TeacherWeights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    cleaner_steps: int = 800
    frame_steps: int = 6000
    temporal_steps: int = 3500
    cleaner_batch: int = 32
    cleaner_frames: int = 81
    frame_batch: int = 384
    temporal_batch: int = 128
    lr_cleaner: float = 1e-3
    lr: float = 3e-4
    lr_discriminator: float = 2e-4
    noisy_share: float = 0.5  # of the temporal phase's windows: corrupted, then cleaned, as real detections will be
    tilt_mean_deg: float | None = None  # None: measured on the training 2D (data.windows.measure_tilt)
    tilt_sd_deg: float | None = None
    roll_sd_deg: float = 2.0  # a camera held or put level by hand

    def __post_init__(self) -> None:
        for name in ("frame_batch", "temporal_batch", "cleaner_batch"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2: batch norm needs two rows")


class Networks(nn.Module):
    """Everything stage 1 trains."""

    def __init__(self, settings: TeacherTraining):
        super().__init__()
        self.teacher = Teacher(settings.model)
        self.pose_discriminator = PoseDiscriminator(settings.discriminator)
        self.motion_discriminator = MotionDiscriminator(settings.discriminator, settings.model.window)


def train_teacher(
    sequences: list[PoseSequence],
    settings: TeacherTraining,
    out: Path,
    *,
    is_resumed: bool = False,
    init: Path | None = None,
) -> Teacher:
    """Train on 2D sequences and leave a run folder in `out`; any 3D they carry is not looked at.

    Args:
        sequences: the training data; one take in twenty is held out for validation on 2D.
        settings: networks, losses, steps.
        out: run folder (``config.json``, ``model.safetensors``, ``metrics.jsonl``, ``state/``).
        is_resumed: go on where the run in `out` stopped.
        init: a run folder to start the weights from.
    """
    training_sequences, held_out_sequences = split_by_take(sequences)
    training = clips_from(training_sequences)
    held_out = clips_from(held_out_sequences) if held_out_sequences else training
    pelvis_rays = at_pelvis(training.rays)
    tilt = _tilt(settings, training)
    settings = replace(settings, model=replace(settings.model, unit=head_length(pelvis_rays)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    torch.manual_seed(settings.loop.seed)
    networks = Networks(settings).to(device)
    teacher = networks.teacher
    if init is not None:
        from posenet3d.checkpoint import load_weights

        load_weights(teacher, init)
    (out / "state").mkdir(parents=True, exist_ok=True)
    _write_config(out, settings, tilt, len(sequences), len(training.rays))

    def lifting(phase: type[FramePhase]) -> FramePhase:
        return phase(
            networks,
            replace(training, rays=pelvis_rays),
            replace(held_out, rays=at_pelvis(held_out.rays)),
            settings,
            tilt,
        )

    def temporal() -> FramePhase:
        phase = lifting(TemporalPhase)
        rng = torch.Generator().manual_seed(settings.loop.seed)
        phase.sources.append(noisy_copy(teacher.cleaner, training, rng))
        return phase

    def cleaning() -> CleanerPhase:
        return CleanerPhase(
            teacher.cleaner, training, held_out,
            lr=settings.lr_cleaner, batch=settings.cleaner_batch, frames=settings.cleaner_frames,
        )  # fmt: skip

    plans = [
        PhasePlan("cleaner", settings.cleaner_steps, cleaning),
        PhasePlan("frame", settings.frame_steps, lambda: lifting(FramePhase)),
        PhasePlan("temporal", settings.temporal_steps, temporal),
    ]
    exports = {
        "model.safetensors": ["teacher"],
        "discriminators.safetensors": ["pose_discriminator", "motion_discriminator"],
    }
    fit(networks, plans, out, settings.loop, is_resumed=is_resumed, exports=exports)
    return teacher


class FramePhase:
    """Single frames: self-consistency and the pose discriminator, with the guard against the mirror world."""

    def __init__(self, networks: Networks, training: Clips, held_out: Clips, settings: TeacherTraining, tilt: Tilt):
        self.teacher, self.critic = networks.teacher, networks.pose_discriminator
        self.motion_critic = networks.motion_discriminator
        self.training, self.held_out, self.settings, self.tilt = training, held_out, settings, tilt
        self.sources = [training.rays]  # what is lifted: clean, later also corrupted-and-cleaned
        self.device = next(self.teacher.parameters()).device
        self.unit = settings.model.unit
        self.weights = to_dict(settings.weights)
        # The choice of world falls early; the last look catches a late change of mind.
        self.guard_steps: tuple[int, ...] = (150, 300, 600, 1000, settings.frame_steps)
        self.optimizers = {
            "lifter": self._adam(self.lifter_parameters(), settings.lr),
            "discriminators": self._adam(self.critic_parameters(), settings.lr_discriminator),
        }

    def lifter_parameters(self) -> list[nn.Parameter]:
        """What the lifter's side optimises."""
        return list(self.teacher.frame.parameters())

    def critic_parameters(self) -> list[nn.Parameter]:
        """What the discriminators' side optimises."""
        return list(self.critic.parameters())

    def lift(self, rays: Tensor) -> Tensor:
        """Depth offsets as this phase makes them."""
        return self.teacher.lift_frames(rays)

    @property
    def batch(self) -> int:
        """Windows per step."""
        return self.settings.frame_batch

    @property
    def offsets(self) -> Tensor:
        """Frames of a window, against its middle."""
        return torch.zeros(1, dtype=torch.long)

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Lifter, then discriminators."""
        self.teacher.train()
        cycle = self._cycle(self._windows(self.training, self.sources, self.batch, rng), rng)
        for parameter in self.critic_parameters():
            parameter.requires_grad_(False)
        terms = self.lifter_terms(cycle, rng)
        descend(self.optimizers["lifter"], weigh(terms, self.weights))
        for parameter in self.critic_parameters():
            parameter.requires_grad_(True)
        real = self._windows(self.training, self.sources[:1], self.batch, rng)
        critic_terms = self.critic_terms(real / self.unit, cycle.view.detach() / self.unit, rng)
        descend(self.optimizers["discriminators"], weigh(critic_terms, {**self.weights, "telling": 1.0}))
        if step + 1 in self.guard_steps:
            repair_mirror_world(self.teacher, self.training.rays[:: max(1, len(self.training.rays) // 4096)])
        return {name: value.mean() for name, value in (terms | critic_terms).items()}

    def lifter_terms(self, cycle: consistency.Cycle, rng: torch.Generator) -> dict[str, Tensor]:
        """Raw terms of the lifter's side, one value per window."""
        return {
            "consistency_2d": consistency.distance(cycle.back, self.lifted) / self.unit,
            "consistency_3d": consistency.distance(cycle.turned_again, cycle.turned) / self.unit,
            "pose": adversarial.fooling(self.critic(_any_frame(cycle.view, rng) / self.unit)),
        }

    def critic_terms(self, real: Tensor, made: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Raw terms of the discriminators' side (inputs in units), one value per window."""
        real_frame = _any_frame(real, rng).requires_grad_()
        score_real = self.critic(real_frame)
        return {
            "telling": adversarial.telling(score_real, self.critic(_any_frame(made, rng))),
            "gradient_penalty": adversarial.gradient_penalty(score_real, real_frame),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Self-consistency, realism and bending on held-out 2D, the same windows and turns every time."""
        self.teacher.eval()
        rng = torch.Generator().manual_seed(0)
        cycle = self._cycle(self._windows(self.held_out, [self.held_out.rays], 1024, rng), rng)
        terms = self.lifter_terms(cycle, rng)
        return {name: float(value.mean()) for name, value in terms.items()} | {"handedness": handedness(cycle.pose)}

    def _cycle(self, rays: Tensor, rng: torch.Generator) -> consistency.Cycle:
        self.lifted = rays
        turns = random_views(len(rays), self.tilt.mean, self.tilt.sd, _radians(self.settings.roll_sd_deg), rng)
        return consistency.cycle(self.lift, rays, turns.to(self.device), self.unit)

    def _windows(self, clips: Clips, sources: list[Tensor], count: int, rng: torch.Generator) -> Tensor:
        """Random windows (count, steps, 17, 2); with a second source, `noisy_share` of them come from it."""
        index = window_indices(torch.randint(len(clips.rays), (count,), generator=rng), clips, self.offsets)
        rays = sources[0][index]
        if len(sources) > 1:
            is_noisy = torch.rand(count, generator=rng) < self.settings.noisy_share
            rays = torch.where(is_noisy[:, None, None, None], sources[1][index], rays)
        return rays.to(self.device)

    @staticmethod
    def _adam(parameters: list[nn.Parameter], lr: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=lr, betas=(0.5, 0.9), fused=True)


class TemporalPhase(FramePhase):
    """Windows: the same terms, and bones that keep their length and motion that moves like people."""

    def __init__(self, networks: Networks, training: Clips, held_out: Clips, settings: TeacherTraining, tilt: Tilt):
        super().__init__(networks, training, held_out, settings, tilt)
        self.guard_steps = ()  # a trained per-frame lifter has decided the world; validation still reports it

    def lifter_parameters(self) -> list[nn.Parameter]:
        """The per-frame lifter goes on learning under the temporal one."""
        return [*self.teacher.frame.parameters(), *self.teacher.temporal.parameters()]

    def critic_parameters(self) -> list[nn.Parameter]:
        """Both discriminators."""
        return [*self.critic.parameters(), *self.motion_critic.parameters()]

    def lift(self, rays: Tensor) -> Tensor:
        """Depth offsets refined over the window."""
        return self.teacher(rays)

    @property
    def batch(self) -> int:
        """Windows per step."""
        return self.settings.temporal_batch

    @property
    def offsets(self) -> Tensor:
        """Frames of a window, against its middle."""
        return self.teacher.offsets

    def lifter_terms(self, cycle: consistency.Cycle, rng: torch.Generator) -> dict[str, Tensor]:
        """The single-frame terms, the motion's realism and the bones'."""
        return super().lifter_terms(cycle, rng) | {
            "motion": adversarial.fooling(self.motion_critic(cycle.view / self.unit)),
            "constancy": bones.constancy(cycle.pose),
            "symmetry": bones.symmetry(cycle.pose),
        }

    def critic_terms(self, real: Tensor, made: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Both discriminators' terms."""
        terms = super().critic_terms(real, made, rng)
        terms["telling"] = terms["telling"] + adversarial.telling(self.motion_critic(real), self.motion_critic(made))
        return terms


def handedness(pose: Float[Tensor, "*batch joints 3"]) -> float:
    """Share of clearly bent knees and elbows that bend the way a body does; below one half is the mirror world."""
    bend = bones.bending(pose)
    clear = bend[bend.abs() > 0.1]
    return float((clear > 0).float().mean()) if len(clear) else 0.5


@torch.no_grad()
def repair_mirror_world(teacher: Teacher, rays: Float[Tensor, "frames joints 2"]) -> bool:
    """Turn depth over if the per-frame lifter lives in the depth-mirrored world; True if it had to.

    Both worlds explain the 2D equally well, so training settles in either. Only the body knows: knees bend one way.
    """
    was_training = teacher.training
    teacher.eval()
    rays = rays.to(next(teacher.parameters()).device)
    points = place(rays, teacher.lift_frames(rays), teacher.config.unit)
    teacher.train(was_training)
    if handedness(points - points[:, :1]) >= 0.5:
        return False
    teacher.depth_sign.neg_()
    return True


@torch.no_grad()
def noisy_copy(cleaner: nn.Module, clips: Clips, rng: torch.Generator) -> Float[Tensor, "frames 17 2"]:
    """Every clip as a detector would deliver it and the cleaner hand it on, at the pelvis."""
    device = next(cleaner.parameters()).device
    cleaner.eval()
    out = torch.empty_like(clips.rays)
    for start, stop in clips.bounds:
        noisy, confidence = corrupt(clips.rays[None, start:stop], rng)
        out[start:stop] = cleaner(noisy.to(device), confidence.to(device))[0].cpu()
    return at_pelvis(out)


def _any_frame(windows: Tensor, rng: torch.Generator) -> Tensor:
    """The same randomly chosen frame of every window."""
    return windows[:, int(torch.randint(windows.shape[1], (), generator=rng))]


def _radians(degrees: float) -> float:
    return degrees * torch.pi / 180


def _tilt(settings: TeacherTraining, training: Clips) -> Tilt:
    """The cameras' tilt: as set, else as measured on the training 2D."""
    if settings.tilt_mean_deg is None and settings.tilt_sd_deg is None:
        return measure_tilt(training)
    mean = STATED_TILT.mean if settings.tilt_mean_deg is None else _radians(settings.tilt_mean_deg)
    return Tilt(mean, STATED_TILT.sd if settings.tilt_sd_deg is None else _radians(settings.tilt_sd_deg), 0)


def _write_config(out: Path, settings: TeacherTraining, tilt: Tilt, sequences: int, frames: int) -> None:
    config = {
        "stage": "teacher",
        "version": __version__,
        "model": to_dict(settings.model),
        "training": {key: value for key, value in to_dict(settings).items() if key != "model"},
        "data": {"sequences": sequences, "training_frames": frames},
        "tilt_deg": {"mean": tilt.mean * 180 / torch.pi, "sd": tilt.sd * 180 / torch.pi, "clips": tilt.clips},
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    with atomic_write(out / "config.json") as file:
        file.write(json.dumps(config, indent=2).encode())
