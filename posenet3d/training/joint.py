"""Stage 3: teacher and student train each other, end to end (PoseNet3D, 3DV 2020, section 3.3).

New beside the losses of stages 1 and 2:

- Distillation's gradient reaches the teacher too, so that constant bones and one-way hinge joints come back to it.
- The student's body, seen from a random side, is lifted again by the teacher; here the true 3D is known.
- The discriminators judge the student's views as well.
- The two networks err in different ways, so the mean of their poses (whole clips of clean 2D, lifted as for a user) is better
  than either. This consensus is a target for both, also for windows with a detector's noise, and from random sides: the
  student, unlike the teacher, has seen real cameras only.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.config import to_dict
from posenet3d.core.normalise import at_pelvis, mirror, unproject
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.run_config import RunConfig
from posenet3d.lifting.checkpoint import load_student, load_teacher, load_weights
from posenet3d.losses import consistency
from posenet3d.models.discriminators import DiscriminatorConfig, MotionDiscriminator, PoseDiscriminator
from posenet3d.models.student import BodyWindow, Student, landmarks_in_root_distances
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.training import terms
from posenet3d.training.adversarial_steps import (
    ParameterGroup,
    RandomRotations,
    adam,
    camera_rotations,
    update_discriminators,
    update_lifter,
)
from posenet3d.training.clips import Clips, random_windows, training_clips
from posenet3d.training.consensus import consensus_of
from posenet3d.training.corruption import noisy_copy
from posenet3d.training.loop import LoopSettings, PhasePlan, fit
from posenet3d.training.loss_term import completed, compute
from posenet3d.training.run_folder import describe_clips, open_run
from posenet3d.training.teacher import read_teacher_run
from posenet3d.training.term_inputs import BodyCycleInputs, BodyInputs, ConsensusInputs, Discriminators, LifterInputs


@dataclass(frozen=True)
class JointTraining:
    """Settings of `train joint`, each changeable with ``--set key=value``; the networks' settings are those of the two runs."""

    weights: dict[str, float] = field(default_factory=terms.joint_weights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    steps: int = 2500
    batch: int = 64
    lr: float = 1e-4  # a third of stage 1's
    lr_student: float = 2e-4
    lr_discriminator: float = 1e-4
    feedback: float = 0.3  # share of distillation's gradient that reaches the teacher
    noisy_share: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", completed(self.weights, terms.joint_weights()))
        if self.batch < 2 or self.steps < 1:
            raise ValueError("batch must be at least 2 and steps at least 1")
        if not all(0 < lr < 1 for lr in (self.lr, self.lr_student, self.lr_discriminator)):
            raise ValueError("lr, lr_student and lr_discriminator must lie between 0 and 1")
        if not (0 <= self.feedback <= 1 and 0 <= self.noisy_share <= 1):
            raise ValueError("feedback and noisy_share are shares")


class Networks(nn.Module):
    """All networks of stage 3."""

    def __init__(self, model: TeacherConfig, discriminator: DiscriminatorConfig, student: Student):
        super().__init__()
        self.teacher = Teacher(model)
        self.pose_discriminator = PoseDiscriminator(discriminator)
        self.motion_discriminator = MotionDiscriminator(discriminator, model.window)
        self.student = student


def train_joint(
    sequences: list[PoseSequence],
    settings: JointTraining,
    out: Path,
    *,
    teacher_run: Path,
    student_run: Path,
    resume: bool = False,
) -> tuple[Teacher, Student]:
    """Fine-tune a teacher and its student together; `out` becomes a checkpoint that holds both.

    Args:
        sequences: 2D training data; 3D in them is ignored.
        settings: losses, steps.
        out: run folder (``model.safetensors`` the teacher, ``student.safetensors``, ``config.json``, ``metrics.jsonl``).
        teacher_run: run folder of stage 1, with its discriminators.
        student_run: run folder of stage 2.
        resume: continue where the run in `out` stopped.

    Raises:
        InputError: a run is incomplete, or the student was distilled from another teacher.
    """
    if not (teacher_run / "discriminators.safetensors").is_file():
        raise InputError(teacher_run, "has no discriminators.safetensors", "give the run folder of 'train teacher'")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    of_teacher, of_student = RunConfig.read(teacher_run), RunConfig.read(student_run)
    stage_1 = read_teacher_run(teacher_run)
    student = load_student(student_run)
    if abs(student.config.unit / stage_1.model.unit - 1) > 1e-6 or student.config.window != stage_1.model.window:
        raise InputError(student_run, f"was not distilled from {teacher_run}", "train a student from that teacher")
    training, held_out = training_clips(sequences)

    torch.manual_seed(settings.loop.seed)
    networks = Networks(stage_1.model, stage_1.discriminator, student)
    load_weights(networks.teacher, teacher_run)
    discriminators = nn.ModuleDict(
        {"pose_discriminator": networks.pose_discriminator, "motion_discriminator": networks.motion_discriminator}
    )
    load_weights(discriminators, teacher_run, "discriminators.safetensors")
    networks.to(device)
    content = {
        "model": of_teacher.model,
        "student": of_student.student,
        "training": to_dict(settings),
        "teacher": {"run": teacher_run.name, "training": of_teacher.training},
        "student_run": {"run": student_run.name, "training": of_student.training},
        "tilt_deg": of_teacher.tilt_deg,
        "body_model": load_body().name,
    }
    open_run(out, "joint", describe_clips(training), content, resume=resume)

    def joint() -> JointPhase:
        centred, centred_held_out = (replace(clips, rays=at_pelvis(clips.rays)) for clips in (training, held_out))
        # From the runs, not from the networks at hand, which a resumed run has already changed.
        before = load_teacher(teacher_run).to(device), load_student(student_run).to(device), landmarks_of(load_body())
        consensus, consensus_held_out = consensus_of(*before, centred), consensus_of(*before, centred_held_out)
        noisy = noisy_copy(networks.teacher.denoiser, training, torch.Generator().manual_seed(settings.loop.seed))
        data = JointData(centred, noisy, consensus)
        test = JointData(centred_held_out, centred_held_out.rays, consensus_held_out)
        return JointPhase(networks, data, test, camera_rotations(stage_1.tilt, stage_1.roll_sd_deg), settings)

    exports = {
        "model.safetensors": ["teacher"],
        "student.safetensors": ["student"],
        "discriminators.safetensors": ["pose_discriminator", "motion_discriminator"],
    }
    fit(networks, [PhasePlan("joint", settings.steps, joint)], out, settings.loop, resume=resume, exports=exports)
    return networks.teacher, networks.student


class JointData(NamedTuple):
    """Clips at the pelvis, the same corrupted and denoised, and the consensus of both networks."""

    clips: Clips
    noisy: Float[Tensor, "frames 17 2"]
    consensus: Float[Tensor, "frames 17 3"]


class Windows(NamedTuple):
    """Windows of the networks' input, the clean 2D, and the consensus pose (from the pelvis, in root distances)."""

    seen: Float[Tensor, "batch steps 17 2"]
    clean: Float[Tensor, "batch steps 17 2"]
    consensus: Float[Tensor, "batch steps 17 3"]


class BodyCycle(NamedTuple):
    """The student's body, rotated and lifted again by the teacher; poses relative to the pelvis, in root distances."""

    body: BodyWindow
    pose: Float[Tensor, "batch steps 17 3"]
    rotated: Float[Tensor, "batch steps 17 3"]
    view: Float[Tensor, "batch steps 17 2"]
    relifted: Float[Tensor, "batch steps 17 3"]


class JointPhase:
    """Windows through teacher and student, both in evaluation mode: they are tuned as they will be used."""

    def __init__(
        self,
        networks: Networks,
        training: JointData,
        held_out: JointData,
        rotations: RandomRotations,
        settings: JointTraining,
    ):
        self.teacher, self.student = networks.teacher, networks.student
        self.discriminators = Discriminators(networks.pose_discriminator, networks.motion_discriminator)
        self.training, self.held_out, self.rotations, self.settings = training, held_out, rotations, settings
        self.unit, self.device = self.teacher.config.unit, self.teacher.depth_sign.device
        self.landmarks = landmarks_of(load_body()).to(self.device)
        of_teacher: ParameterGroup = {"params": [*self.teacher.frame.parameters(), *self.teacher.temporal.parameters()]}
        of_student: ParameterGroup = {"params": list(self.student.parameters()), "lr": settings.lr_student}
        self.optimizers = {
            "lifter": adam([of_teacher, of_student], settings.lr),
            "discriminators": adam(self.discriminators.parameters(), settings.lr_discriminator),
        }

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Update teacher and student, then the discriminators."""
        self.teacher.eval()
        self.student.eval()
        windows = self._windows(self.training, self.settings.batch, rng)
        cycle, body = self._cycle(windows.seen, rng), self._body_cycle(windows.seen, rng)
        losses = update_lifter(
            self.optimizers["lifter"], self.discriminators,
            lambda: self._losses(windows, cycle, body, rng), self.settings.weights,
        )  # fmt: skip
        is_body = (torch.rand(len(windows.seen), generator=rng) < 0.5).to(self.device)[:, None, None, None]
        fake = torch.where(is_body, body.view, cycle.view)
        clips = self.training.clips
        real = clips.rays[random_windows(clips, len(fake), self.teacher.offsets, rng)].to(self.device)
        losses |= update_discriminators(
            self.optimizers["discriminators"], self.discriminators,
            real / self.unit, fake / self.unit, self.settings.weights, rng,
        )  # fmt: skip
        return {name: value.mean() for name, value in losses.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the same losses on held-out clean 2D, with the same windows and views every time."""
        self.teacher.eval()
        self.student.eval()
        rng = torch.Generator().manual_seed(0)
        windows = self._windows(self.held_out, 256, rng)
        cycle, body = self._cycle(windows.seen, rng), self._body_cycle(windows.seen, rng)
        losses = self._losses(windows, cycle, body, rng)
        return {name: float(value.mean()) for name, value in losses.items()}

    def _windows(self, data: JointData, count: int, rng: torch.Generator) -> Windows:
        """Return random windows: `noisy_share` of the inputs noisy, half of all mirrored."""
        index = random_windows(data.clips, count, self.teacher.offsets, rng)
        is_noisy = torch.rand(count, generator=rng) < self.settings.noisy_share
        is_mirrored = (torch.rand(count, generator=rng) < 0.5)[:, None, None, None]
        clean = data.clips.rays[index]
        seen = torch.where(is_noisy[:, None, None, None], data.noisy[index], clean)
        seen, clean, consensus = (
            torch.where(is_mirrored, mirror(x), x).to(self.device) for x in (seen, clean, data.consensus[index])
        )
        return Windows(seen, clean, consensus)

    def _rotations(self, count: int, rng: torch.Generator) -> Float[Tensor, "batch 3 3"]:
        return self.rotations(count, rng).to(self.device)

    def _cycle(self, seen: Tensor, rng: torch.Generator) -> consistency.Cycle:
        """The teacher's pose, rotated and lifted again: the cycle of stage 1."""
        return consistency.cycle(self.teacher, seen, self._rotations(len(seen), rng), self.unit)

    def _body_cycle(self, seen: Tensor, rng: torch.Generator) -> BodyCycle:
        """The student's body, rotated and lifted again by the teacher."""
        body = self.student(seen)
        pose = landmarks_in_root_distances(body, self.landmarks)
        rotated = consistency.rotate(pose, self._rotations(len(seen), rng))
        view = consistency.project_pose(rotated)
        return BodyCycle(body, pose, rotated, view, self._lifted(view.detach(), view))

    def _losses(
        self, windows: Windows, cycle: consistency.Cycle, body: BodyCycle, rng: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the losses of stage 1, of stage 2, and of stage 3, one value per window."""
        losses = compute(
            terms.FRAME_TERMS + terms.WINDOW_TERMS,
            LifterInputs(windows.seen, cycle, self.discriminators, self.unit, rng),
        )
        feedback = self.settings.feedback
        depth = feedback * cycle.pose + (1 - feedback) * cycle.pose.detach()
        targets = torch.cat([windows.consensus[..., :2], depth[..., 2:]], -1)
        consensus = windows.consensus
        losses |= compute(terms.CONSENSUS_TERMS, ConsensusInputs(body.pose, cycle.pose, consensus, self.unit))
        losses |= compute(
            terms.BODY_TERMS + terms.BODY_WINDOW_TERMS,
            BodyInputs(body.body, body.pose, windows.clean, targets, self.unit),
        )
        rotated = consistency.rotate(consensus, self._rotations(len(consensus), rng))
        view = consistency.project_pose(rotated)
        teacher_pose = self._lifted(view, view)
        student_pose = landmarks_in_root_distances(self.student(view), self.landmarks)
        losses |= compute(terms.CONSENSUS_VIEW_TERMS, ConsensusInputs(student_pose, teacher_pose, rotated, self.unit))
        return losses | compute(
            terms.BODY_CYCLE_TERMS,
            BodyCycleInputs(body.rotated, body.view, body.relifted, self.discriminators, self.unit, rng),
        )

    def _lifted(self, rays: Tensor, view: Tensor) -> Float[Tensor, "batch steps 17 3"]:
        """Return the teacher's pose of `view` along `rays`, relative to the pelvis."""
        points = unproject(rays, self.teacher(view), self.unit)
        return points - points[..., :1, :]
