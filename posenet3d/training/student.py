"""Stage 2: the student learns the teacher's 3D as the pose and shape of a body; no motion-capture prior.

The teacher lifts every training frame once, as it would for a user (both mirror views averaged, depth smoothed). The student
then sees windows of the same 2D and must put its body's landmarks where the teacher put its joints.

Scale: the teacher's unit is the distance of the pelvis; the body is in metres. The student predicts the distance in metres,
so the two meet without a constant: landmarks in metres divided by the distance are in the teacher's unit.
"""

import functools
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.config import to_dict
from posenet3d.core.normalise import at_pelvis, mirror, unproject
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import MIRROR
from posenet3d.lifting.checkpoint import load_teacher, read_config
from posenet3d.lifting.sliding_window import predict_depth
from posenet3d.losses import body as body_losses
from posenet3d.losses import consistency
from posenet3d.models.student import BodyWindow, Student, StudentConfig, landmarks_in_root_distances
from posenet3d.models.teacher import Teacher
from posenet3d.training.clips import Clips, training_clips, window_indices
from posenet3d.training.lifter import noisy_copy
from posenet3d.training.loop import LoopSettings, PhasePlan, fit, optimizer_step, weighted_sum
from posenet3d.training.run_folder import describe_clips, open_run


@dataclass(frozen=True)
class StudentWeights:
    """Weight of each loss term; lengths are in the teacher's units, so that terms compare."""

    distillation: float = 1.0
    reprojection: float = 0.5
    wrong_bend: float = 0.5
    rest: float = 0.06
    shape: float = 0.03  # at 0.005 bodies of four sigma explained the teacher's uneven bones
    shaking: float = 0.5


@dataclass(frozen=True)
class StudentTraining:
    """Everything `train student` can be told with ``--set key=value``."""

    model: StudentConfig = field(default_factory=StudentConfig)
    weights: StudentWeights = field(default_factory=StudentWeights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    frame_steps: int = 6000
    temporal_steps: int = 4000
    frame_batch: int = 512
    temporal_batch: int = 64
    lr: float = 1e-3
    lr_temporal: float = 4e-4  # at 1e-3 the second phase first forgets half of what the first has learnt
    noisy_share: float = 0.5  # windows as a detector would deliver them, cleaned

    def __post_init__(self) -> None:
        if min(self.frame_batch, self.temporal_batch) < 2 or not 0 <= self.noisy_share <= 1:
            raise ValueError("batches must be at least 2 and noisy_share a share")
        if not (0 < self.lr < 1 and 0 < self.lr_temporal < 1):
            raise ValueError("lr and lr_temporal must lie between 0 and 1")
        if min(self.frame_steps, self.temporal_steps) < 0 or self.frame_steps + self.temporal_steps == 0:
            raise ValueError("steps must not be negative, nor both phases 0: nothing would be trained")


class Pair(nn.Module):
    """The teacher, which only watches, and the student."""

    def __init__(self, teacher: Teacher, student: Student):
        super().__init__()
        self.teacher, self.student = teacher, student


def train_student(
    sequences: list[PoseSequence], settings: StudentTraining, out: Path, *, teacher_run: Path, resume: bool = False
) -> Student:
    """Distil the teacher of `teacher_run` into a student; `out` becomes a checkpoint that holds both.

    Args:
        sequences: 2D training data; any 3D they carry is not looked at.
        settings: network, losses, steps.
        out: run folder (``model.safetensors`` the teacher, ``student.safetensors``, ``config.json``, ``metrics.jsonl``).
        teacher_run: run or bundled checkpoint of stage 1.
        resume: go on where the run in `out` stopped.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = load_teacher(teacher_run).to(device)
    settings = replace(settings, model=replace(settings.model, unit=teacher.config.unit))
    training, held_out = training_clips(sequences)

    torch.manual_seed(settings.loop.seed)
    networks = Pair(teacher, Student(settings.model)).to(device)
    networks.student.start_from(teacher.frame)
    of_teacher = read_config(teacher_run)
    content = {
        "model": of_teacher["model"],
        "student": to_dict(settings.model),
        "training": {key: value for key, value in to_dict(settings).items() if key != "model"},
        "teacher": {"run": teacher_run.name, "training": of_teacher.get("training")},
        "body_model": load_body().name,
    }
    open_run(out, "student", describe_clips(training), content, resume=resume)

    @functools.cache
    def lessons() -> tuple[DistillationTargets, DistillationTargets]:
        noisy = noisy_copy(teacher.cleaner, training, torch.Generator().manual_seed(settings.loop.seed))
        return distillation_targets(teacher, training, noisy), distillation_targets(teacher, held_out)

    def distilling(phase: type[FramePhase]) -> FramePhase:
        return phase(networks.student, training, held_out, *lessons(), settings)

    plans = [
        PhasePlan("frame", settings.frame_steps, lambda: distilling(FramePhase)),
        PhasePlan("temporal", settings.temporal_steps, lambda: distilling(TemporalPhase)),
    ]
    exports = {"model.safetensors": ["teacher"], "student.safetensors": ["student"]}
    fit(networks, plans, out, settings.loop, resume=resume, exports=exports)
    return networks.student


@dataclass(frozen=True)
class DistillationTargets:
    """The 2D of all clips, the teacher's depth for it, and the same 2D as a detector and the cleaner deliver it.

    What the student sees may be noisy; what it must answer never is.
    """

    rays: Float[Tensor, "frames 17 2"]
    offsets: Float[Tensor, "frames 17"]
    noisy: Float[Tensor, "frames 17 2"] | None


def distillation_targets(
    teacher: Teacher, clips: Clips, noisy: Float[Tensor, "frames 17 2"] | None = None
) -> DistillationTargets:
    """The teacher's depth of every clip, as it gives it to a user."""
    rays = at_pelvis(clips.rays)
    offsets = torch.empty(rays.shape[:2])
    for start, stop in tqdm(clips.bounds, desc="teacher", leave=False):
        offsets[start:stop] = torch.from_numpy(predict_depth(teacher, rays[start:stop]))
    return DistillationTargets(rays, offsets, noisy)


class FramePhase:
    """Single frames with the teacher's 3D: the body's pose, and one shape that fits everybody's average frame."""

    def __init__(
        self,
        student: Student,
        training: Clips,
        held_out: Clips,
        lesson: DistillationTargets,
        test: DistillationTargets,
        settings: StudentTraining,
    ):
        self.student, self.unit = student, settings.model.unit
        self.training, self.lesson, self.held_out, self.test = training, lesson, held_out, test
        self.settings, self.weights = settings, to_dict(settings.weights)
        self.device = next(self.student.parameters()).device
        self.landmarks = landmarks_of(load_body()).to(self.device)
        self.optimizers = {"student": torch.optim.Adam(self.trained(), lr=self.lr, fused=True)}

    @property
    def lr(self) -> float:
        """Learning rate at the start of the phase."""
        return self.settings.lr

    def trained(self) -> list[nn.Parameter]:
        """What is optimised."""
        return list(self.student.frame.parameters())

    def prepare(self) -> None:
        """Training mode."""
        self.student.train()

    def decode(self, rays: Float[Tensor, "batch steps 17 2"]) -> BodyWindow:
        """The body as this phase makes it."""
        return self.student.decode(rays, self.student.raw_frames(rays.flatten(0, 1)).unflatten(0, rays.shape[:2]))

    @property
    def batch(self) -> int:
        """Windows per step."""
        return self.settings.frame_batch

    @property
    def offsets(self) -> Tensor:
        """Frames of a window, against its middle."""
        return torch.zeros(1, dtype=torch.long)

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """One step of distillation."""
        self.prepare()
        terms = self.terms(*self._windows(self.training, self.lesson, self.batch, rng))
        optimizer_step(self.optimizers["student"], weighted_sum(terms, self.weights))
        return {name: value.mean() for name, value in terms.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The same terms on held-out 2D."""
        self.student.eval()
        terms = self.terms(*self._windows(self.held_out, self.test, 256, torch.Generator().manual_seed(0)))
        return {name: float(value.mean()) for name, value in terms.items()}

    def terms(
        self,
        seen: Float[Tensor, "batch steps 17 2"],
        true: Float[Tensor, "batch steps 17 2"],
        lesson: Float[Tensor, "batch steps 17 3"],
    ) -> dict[str, Tensor]:
        """Raw loss terms, one value per window."""
        embodied = self.decode(seen)
        return student_terms(embodied, landmarks_in_root_distances(embodied, self.landmarks), true, lesson, self.unit)

    def _windows(
        self, clips: Clips, lesson: DistillationTargets, count: int, rng: torch.Generator
    ) -> tuple[Float[Tensor, "batch steps 17 2"], Float[Tensor, "batch steps 17 2"], Float[Tensor, "batch steps 17 3"]]:
        """Rays as seen, the true ones, and the teacher's pose (from the pelvis, root distances); half of all mirrored."""
        index = window_indices(torch.randint(len(clips.rays), (count,), generator=rng), clips, self.offsets)
        true, offsets = lesson.rays[index], lesson.offsets[index]
        seen = true
        if lesson.noisy is not None:
            is_noisy = torch.rand(count, generator=rng) < self.settings.noisy_share
            seen = torch.where(is_noisy[:, None, None, None], lesson.noisy[index], true)
        is_mirrored = (torch.rand(count, generator=rng) < 0.5)[:, None, None]
        seen, true = (torch.where(is_mirrored[..., None], mirror(rays), rays) for rays in (seen, true))
        offsets = torch.where(is_mirrored, offsets[..., list(MIRROR)], offsets)
        points = unproject(true, offsets, self.unit)
        return seen.to(self.device), true.to(self.device), (points - points[:, :, :1]).to(self.device)


class TemporalPhase(FramePhase):
    """Windows: pose and shape agree over time, and motion follows the teacher's."""

    @property
    def lr(self) -> float:
        """Learning rate at the start of the phase."""
        return self.settings.lr_temporal

    def trained(self) -> list[nn.Parameter]:
        """Everything; the per-frame network goes on learning under the temporal one."""
        return list(self.student.parameters())

    def prepare(self) -> None:
        """Training mode, but the per-frame network keeps its batch statistics: frames of a few windows are too much alike."""
        self.student.train()
        self.student.frame.eval()

    def decode(self, rays: Float[Tensor, "batch steps 17 2"]) -> BodyWindow:
        """The body refined over the window."""
        return self.student(rays)

    @property
    def batch(self) -> int:
        """Windows per step."""
        return self.settings.temporal_batch

    @property
    def offsets(self) -> Tensor:
        """Frames of a window, against its middle."""
        return self.student.offsets


def student_terms(
    embodied: BodyWindow,
    pose: Float[Tensor, "batch steps 17 3"],
    rays: Float[Tensor, "batch steps 17 2"],
    lesson: Float[Tensor, "batch steps 17 3"],
    unit: float,
) -> dict[str, Tensor]:
    """Raw terms of a body against the teacher's 3D and the 2D it came from, one value per window; poses in root distances."""
    terms = {
        "distillation": consistency.distance(pose, lesson) / unit,
        "reprojection": consistency.distance(consistency.see(pose), rays) / unit,
        "wrong_bend": body_losses.wrong_bend(pose),
        "rest": body_losses.away_from_rest(embodied.rotations),
        "shape": body_losses.shape_size(embodied.betas),
    }
    if pose.shape[1] > 2:
        terms["shaking"] = body_losses.shaking(pose - lesson) / unit
    return terms
