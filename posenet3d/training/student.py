"""Stage 2: the student learns the teacher's 3D as the pose and shape of a body; no motion-capture prior.

The teacher lifts every training frame once, as it would for a user (flip averaging, depth smoothed). The student then sees
windows of the same 2D and must put its body's landmarks at the teacher's joints.

Scale: the teacher's unit is the distance of the pelvis; the body is in metres. The student predicts the distance in metres,
so the two meet without a constant: landmarks in metres divided by the distance are in the teacher's unit.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

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
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import load_teacher
from posenet3d.lifting.sliding_window import predict_depth
from posenet3d.models.student import BodyWindow, Student, StudentConfig, landmarks_in_root_distances
from posenet3d.models.teacher import Teacher
from posenet3d.training import terms
from posenet3d.training.clips import Clips, random_windows, training_clips
from posenet3d.training.corruption import noisy_copy
from posenet3d.training.loop import LoopSettings, PhasePlan, fit, optimizer_step, weighted_sum
from posenet3d.training.loss_term import LossTerm, completed, compute
from posenet3d.training.run_folder import describe_clips, open_run
from posenet3d.training.term_inputs import BodyInputs


@dataclass(frozen=True)
class StudentTraining:
    """Settings of `train student`, each changeable with ``--set key=value``."""

    model: StudentConfig = field(default_factory=StudentConfig)
    weights: dict[str, float] = field(default_factory=terms.student_weights)  # lengths are in the teacher's units
    loop: LoopSettings = field(default_factory=LoopSettings)
    frame_steps: int = 6000
    temporal_steps: int = 4000
    frame_batch: int = 512
    temporal_batch: int = 64
    lr: float = 1e-3
    lr_temporal: float = 4e-4  # at 1e-3 the second phase first forgets half of what the first has learnt
    noisy_share: float = 0.5  # of the windows: as a detector would deliver them, denoised

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", completed(self.weights, terms.student_weights()))
        if min(self.frame_batch, self.temporal_batch) < 2 or not 0 <= self.noisy_share <= 1:
            raise ValueError("batches must be at least 2 and noisy_share a share")
        if not (0 < self.lr < 1 and 0 < self.lr_temporal < 1):
            raise ValueError("lr and lr_temporal must lie between 0 and 1")
        if min(self.frame_steps, self.temporal_steps) < 0 or self.frame_steps + self.temporal_steps == 0:
            raise ValueError("steps must not be negative, nor both phases 0: nothing would be trained")


class Networks(nn.Module):
    """The frozen teacher and the student."""

    def __init__(self, teacher: Teacher, student: Student):
        super().__init__()
        self.teacher, self.student = teacher, student


def train_student(
    sequences: list[PoseSequence], settings: StudentTraining, out: Path, *, teacher_run: Path, resume: bool = False
) -> Student:
    """Distil the teacher of `teacher_run` into a student; `out` becomes a checkpoint that holds both.

    Args:
        sequences: 2D training data; 3D in them is ignored.
        settings: network, losses, steps.
        out: run folder (``model.safetensors`` the teacher, ``student.safetensors``, ``config.json``, ``metrics.jsonl``).
        teacher_run: run or bundled checkpoint of stage 1.
        resume: continue where the run in `out` stopped.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = load_teacher(teacher_run).to(device)
    settings = replace(settings, model=replace(settings.model, unit=teacher.config.unit))
    training, held_out = training_clips(sequences)

    torch.manual_seed(settings.loop.seed)
    networks = Networks(teacher, Student(settings.model)).to(device)
    networks.student.start_from(teacher.frame)
    of_teacher = RunConfig.read(teacher_run)
    content = {
        "model": of_teacher.model,
        "student": to_dict(settings.model),
        "training": {key: value for key, value in to_dict(settings).items() if key != "model"},
        "teacher": {"run": teacher_run.name, "training": of_teacher.training},
        "body_model": load_body().name,
    }
    open_run(out, "student", describe_clips(training), content, resume=resume)

    @functools.cache
    def data() -> DistillationData:
        noisy = noisy_copy(teacher.denoiser, training, torch.Generator().manual_seed(settings.loop.seed))
        return DistillationData(
            distillation_targets(teacher, training, noisy),
            distillation_targets(teacher, held_out),
            settings.noisy_share,
        )

    plans = [
        PhasePlan("frame", settings.frame_steps, lambda: frame_phase(networks.student, data(), settings)),
        PhasePlan("temporal", settings.temporal_steps, lambda: temporal_phase(networks.student, data(), settings)),
    ]
    exports = {"model.safetensors": ["teacher"], "student.safetensors": ["student"]}
    fit(networks, plans, out, settings.loop, resume=resume, exports=exports)
    return networks.student


@dataclass(frozen=True)
class DistillationTargets:
    """The 2D of all clips, the teacher's depth of it, and the same 2D as detected and denoised.

    The student's input may be noisy; its targets never are.
    """

    clips: Clips
    rays: Float[Tensor, "frames 17 2"]
    offsets: Float[Tensor, "frames 17"]
    noisy: Float[Tensor, "frames 17 2"] | None


@dataclass(frozen=True)
class DistillationData:
    """Targets to train and to validate on, and the share of noisy windows in training."""

    training: DistillationTargets
    held_out: DistillationTargets
    noisy_share: float


def distillation_targets(
    teacher: Teacher, clips: Clips, noisy: Float[Tensor, "frames 17 2"] | None = None
) -> DistillationTargets:
    """Compute the teacher's depth of every clip, as a user would get it."""
    rays = at_pelvis(clips.rays)
    offsets = torch.empty(rays.shape[:2])
    for start, stop in tqdm(clips.bounds, desc="teacher", leave=False):
        offsets[start:stop] = torch.from_numpy(predict_depth(teacher, rays[start:stop]))
    return DistillationTargets(clips, rays, offsets, noisy)


class Windows(NamedTuple):
    """Windows of the student's input, the clean 2D, and the teacher's pose (from the pelvis, in root distances)."""

    seen: Float[Tensor, "batch steps 17 2"]
    clean: Float[Tensor, "batch steps 17 2"]
    targets: Float[Tensor, "batch steps 17 3"]


@dataclass(eq=False)
class StudentPhase:
    """Distillation of the teacher's 3D; `frame_phase` and `temporal_phase` build its two uses.

    Attributes:
        student: its unit is the teacher's.
        predict: bodies as this phase predicts them, from rays (batch, steps, 17, 2).
        trained: the parameters that learn.
        terms: losses.
        weights: of the losses, by name.
        offsets: frames of a window relative to its middle.
        batch: windows per step.
        lr: learning rate at the start.
        keeps_statistics: the per-frame network keeps its batch statistics.
    """

    student: Student
    predict: Callable[[Tensor], BodyWindow]
    trained: list[nn.Parameter]
    terms: tuple[LossTerm[BodyInputs], ...]
    weights: dict[str, float]
    data: DistillationData
    offsets: Tensor
    batch: int
    lr: float
    keeps_statistics: bool

    def __post_init__(self) -> None:
        self.unit, self.device = self.student.config.unit, self.student.rest.device
        self.landmarks = landmarks_of(load_body()).to(self.device)
        self.optimizers = {"student": torch.optim.Adam(self.trained, lr=self.lr, fused=True)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Take one step of distillation."""
        self.student.train()
        if self.keeps_statistics:
            self.student.frame.eval()
        losses = self._losses(self._windows(self.data.training, self.batch, rng))
        optimizer_step(self.optimizers["student"], weighted_sum(losses, self.weights))
        return {name: value.mean() for name, value in losses.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the same losses on held-out 2D."""
        self.student.eval()
        losses = self._losses(self._windows(self.data.held_out, 256, torch.Generator().manual_seed(0)))
        return {name: float(value.mean()) for name, value in losses.items()}

    def _losses(self, windows: Windows) -> dict[str, Tensor]:
        body = self.predict(windows.seen)
        pose = landmarks_in_root_distances(body, self.landmarks)
        return compute(self.terms, BodyInputs(body, pose, windows.clean, windows.targets, self.unit))

    def _windows(self, data: DistillationTargets, count: int, rng: torch.Generator) -> Windows:
        """Return random windows, half of them mirrored."""
        index = random_windows(data.clips, count, self.offsets, rng)
        clean, offsets = data.rays[index], data.offsets[index]
        seen = clean
        if data.noisy is not None:
            is_noisy = torch.rand(count, generator=rng) < self.data.noisy_share
            seen = torch.where(is_noisy[:, None, None, None], data.noisy[index], clean)
        is_mirrored = (torch.rand(count, generator=rng) < 0.5)[:, None, None]
        seen, clean = (torch.where(is_mirrored[..., None], mirror(rays), rays) for rays in (seen, clean))
        offsets = torch.where(is_mirrored, offsets[..., list(MIRROR)], offsets)
        points = unproject(clean, offsets, self.unit)
        targets = points - points[:, :, :1]
        return Windows(seen.to(self.device), clean.to(self.device), targets.to(self.device))


def frame_phase(student: Student, data: DistillationData, settings: StudentTraining) -> StudentPhase:
    """Build the phase of single frames: the body's pose, and a shape per frame."""
    return StudentPhase(
        student=student,
        predict=lambda rays: student.decode(rays, student.raw_frames(rays.flatten(0, 1)).unflatten(0, rays.shape[:2])),
        trained=list(student.frame.parameters()),
        terms=terms.BODY_TERMS,
        weights=settings.weights,
        data=data,
        offsets=torch.zeros(1, dtype=torch.long),
        batch=settings.frame_batch,
        lr=settings.lr,
        keeps_statistics=False,
    )


def temporal_phase(student: Student, data: DistillationData, settings: StudentTraining) -> StudentPhase:
    """Build the phase of windows: pose and shape agree over time, and motion follows the teacher's.

    All parameters learn; the per-frame network goes on learning under the temporal one. It keeps its batch statistics: frames
    of a few windows are too much alike.
    """
    return StudentPhase(
        student=student,
        predict=student,
        trained=list(student.parameters()),
        terms=terms.BODY_TERMS + terms.BODY_WINDOW_TERMS,
        weights=settings.weights,
        data=data,
        offsets=student.offsets,
        batch=settings.temporal_batch,
        lr=settings.lr_temporal,
        keeps_statistics=True,
    )
