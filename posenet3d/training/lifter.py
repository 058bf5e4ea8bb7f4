"""The two adversarial phases of the teacher, and everything that can be set about them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.config import to_dict
from posenet3d.core.normalise import at_pelvis
from posenet3d.core.rotation import random_views
from posenet3d.losses import adversarial, bones, consistency
from posenet3d.models.discriminators import DiscriminatorConfig, MotionDiscriminator, PoseDiscriminator
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.training.clips import Clips, Tilt, window_indices
from posenet3d.training.corruption import corrupt
from posenet3d.training.loop import LoopSettings, optimizer_step, weighted_sum
from posenet3d.training.mirror_guard import handedness, repair_mirror_world


@dataclass(frozen=True)
class TeacherWeights:
    """Weight of each loss term; terms and weights meet by name."""

    consistency_2d: float = 1.0
    consistency_3d: float = 1.0
    pose: float = 1.0
    motion: float = 0.3
    constancy: float = 1.0
    symmetry: float = 0.3
    gradient_penalty: float = 0.02


@dataclass(frozen=True)
class TeacherTraining:
    """Everything `train teacher` can be told with ``--set key=value``."""

    model: TeacherConfig = field(default_factory=TeacherConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    weights: TeacherWeights = field(default_factory=TeacherWeights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    cleaner_steps: int = 3000
    frame_steps: int = 6000
    temporal_steps: int = 4000
    cleaner_batch: int = 24
    cleaner_frames: int = 61
    frame_batch: int = 384
    temporal_batch: int = 128
    lr_cleaner: float = 2e-3
    lr: float = 3e-4
    lr_discriminator: float = 2e-4
    noisy_share: float = 0.5  # of the temporal phase's windows: corrupted, then cleaned, as real detections will be
    tilt_mean_deg: float | None = None  # None: measured on the training 2D (data.windows.measure_tilt)
    tilt_sd_deg: float | None = None
    roll_sd_deg: float = 2.0  # a camera held or put level by hand

    def __post_init__(self) -> None:
        for name in ("frame_batch", "temporal_batch", "cleaner_batch", "cleaner_frames"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2: batch norm needs two rows, a clip two frames")
        for name in ("cleaner_steps", "frame_steps", "temporal_steps", "roll_sd_deg"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative")
        for name in ("lr", "lr_cleaner", "lr_discriminator"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1")
        if not (0 <= self.noisy_share <= 1 and 0 <= self.discriminator.dropout < 1 and self.discriminator.width > 0):
            raise ValueError(
                "noisy_share and discriminator.dropout are shares, discriminator.width a number of channels"
            )
        if self.cleaner_steps + self.frame_steps + self.temporal_steps == 0:
            raise ValueError("all phases have 0 steps: nothing would be trained")
        if (self.tilt_sd_deg or 0) < 0:
            raise ValueError("tilt_sd_deg must not be negative")


class Networks(nn.Module):
    """Everything stage 1 trains."""

    def __init__(self, settings: TeacherTraining):
        super().__init__()
        self.teacher = Teacher(settings.model)
        self.pose_discriminator = PoseDiscriminator(settings.discriminator)
        self.motion_discriminator = MotionDiscriminator(settings.discriminator, settings.model.window)


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
        rays = self._windows(self.training, self.sources, self.batch, rng)
        cycle = self._cycle(rays, rng)
        terms = self._descend_lifter(lambda: self.lifter_terms(rays, cycle, rng))
        critic_terms = self._descend_critics(cycle.view, rng)
        if step + 1 in self.guard_steps:
            repair_mirror_world(self.teacher, self.training.rays[:: max(1, len(self.training.rays) // 4096)])
        return {name: value.mean() for name, value in (terms | critic_terms).items()}

    def _descend_lifter(self, terms_of: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        for parameter in self.critic_parameters():
            parameter.requires_grad_(False)
        terms = terms_of()
        optimizer_step(self.optimizers["lifter"], weighted_sum(terms, self.weights))
        for parameter in self.critic_parameters():
            parameter.requires_grad_(True)
        return terms

    def _descend_critics(self, made: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        real = self._windows(self.training, self.sources[:1], len(made), rng)
        terms = self.critic_terms(real / self.unit, made.detach() / self.unit, rng)
        optimizer_step(self.optimizers["discriminators"], weighted_sum(terms, {**self.weights, "telling": 1.0}))
        return terms

    def lifter_terms(self, rays: Tensor, cycle: consistency.Cycle, rng: torch.Generator) -> dict[str, Tensor]:
        """Raw terms of the lifter's side, one value per window."""
        return {
            "consistency_2d": consistency.distance(cycle.back, rays) / self.unit,
            "consistency_3d": consistency.distance(cycle.turned_again, cycle.turned) / self.unit,
            "pose": adversarial.generator_loss(self.critic(any_frame(cycle.view, rng) / self.unit)),
        }

    def critic_terms(self, real: Tensor, made: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Raw terms of the discriminators' side (inputs in units), one value per window."""
        has_penalty = self.settings.weights.gradient_penalty != 0  # the second derivative is a fifth of a step's work
        real_frame = any_frame(real, rng).requires_grad_(has_penalty)
        score_real = self.critic(real_frame)
        terms = {"telling": adversarial.discriminator_loss(score_real, self.critic(any_frame(made, rng)))}
        if has_penalty:
            terms["gradient_penalty"] = adversarial.gradient_penalty(score_real, real_frame)
        return terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Self-consistency, realism and bending on held-out 2D, the same windows and turns every time."""
        self.teacher.eval()
        rng = torch.Generator().manual_seed(0)
        rays = self._windows(self.held_out, [self.held_out.rays], 1024, rng)
        cycle = self._cycle(rays, rng)
        terms = self.lifter_terms(rays, cycle, rng)
        return {name: float(value.mean()) for name, value in terms.items()} | {"handedness": handedness(cycle.pose)}

    def _cycle(self, rays: Tensor, rng: torch.Generator) -> consistency.Cycle:
        return consistency.cycle(self.lift, rays, self._turns(len(rays), rng), self.unit)

    def _turns(self, count: int, rng: torch.Generator) -> Tensor:
        turns = random_views(count, self.tilt.mean, self.tilt.sd, _radians(self.settings.roll_sd_deg), rng)
        return turns.to(self.device)

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

    def lifter_terms(self, rays: Tensor, cycle: consistency.Cycle, rng: torch.Generator) -> dict[str, Tensor]:
        """The single-frame terms, the motion's realism and the bones'."""
        return super().lifter_terms(rays, cycle, rng) | {
            "motion": adversarial.generator_loss(self.motion_critic(cycle.view / self.unit)),
            "constancy": bones.constancy(cycle.pose),
            "symmetry": bones.symmetry(cycle.pose),
        }

    def critic_terms(self, real: Tensor, made: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        """Both discriminators' terms."""
        terms = super().critic_terms(real, made, rng)
        terms["telling"] = terms["telling"] + adversarial.discriminator_loss(
            self.motion_critic(real), self.motion_critic(made)
        )
        return terms


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


def any_frame(windows: Tensor, rng: torch.Generator) -> Tensor:
    """The same randomly chosen frame of every window."""
    return windows[:, int(torch.randint(windows.shape[1], (), generator=rng))]


def _radians(degrees: float) -> float:
    return degrees * torch.pi / 180
