"""Stage 3: teacher and student train each other, end to end (PoseNet3D, 3DV 2020, section 3.3).

What is new beside stages 1 and 2:

- Distillation's gradient reaches the teacher too, so that bones of constant length and joints that bend one way come back to it.
- The student's body, seen from a random side, is lifted again by the teacher, which for once knows the 3D it should answer.
- The discriminators judge the student's views as well.
- The two were wrong in different ways, so their mean, each lifting whole clips of clean 2D as for a user, is better than either.
  This consensus is a lesson for both, also for windows that they see as a noisy detector would deliver them, and from random
  sides: the student, unlike the teacher, has seen real cameras only.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import Landmarks, landmarks_of
from posenet3d.config import from_dict, to_dict
from posenet3d.core.normalise import at_pelvis, mirror, unproject
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.errors import InputError
from posenet3d.lifting.checkpoint import load_student, load_teacher, load_weights, read_config
from posenet3d.lifting.fit_body import fit_body_to_clip
from posenet3d.lifting.sliding_window import predict_depth
from posenet3d.losses import adversarial, consistency
from posenet3d.models.student import BodyWindow, Student, landmarks_in_root_distances
from posenet3d.models.teacher import Teacher
from posenet3d.training.clips import Clips, Tilt, training_clips, window_indices
from posenet3d.training.lifter import Networks, TeacherTraining, TemporalPhase, any_frame, noisy_copy
from posenet3d.training.loop import LoopSettings, PhasePlan, fit
from posenet3d.training.run_folder import describe_clips, open_run
from posenet3d.training.student import student_terms


@dataclass(frozen=True)
class JointWeights:
    """Weight of each loss term: the teacher's, the student's, and those that join them."""

    consistency_2d: float = 1.0
    consistency_3d: float = 1.0
    pose: float = 1.0
    motion: float = 0.3
    constancy: float = 1.0
    symmetry: float = 0.3
    gradient_penalty: float = 0.02
    consensus: float = 1.0
    consensus_views: float = 1.0
    distillation: float = 0.3
    reprojection: float = 0.5
    wrong_bend: float = 0.5
    rest: float = 0.06
    shape: float = 0.03
    shaking: float = 0.5
    body_consistency_3d: float = 1.0
    body_pose: float = 0.1
    body_motion: float = 0.03


@dataclass(frozen=True)
class JointTraining:
    """Everything `train joint` can be told with ``--set key=value``; the networks are those of the two runs."""

    weights: JointWeights = field(default_factory=JointWeights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    steps: int = 2500
    batch: int = 64
    lr: float = 1e-4  # a third of stage 1's
    lr_student: float = 2e-4
    lr_discriminator: float = 1e-4
    feedback: float = 0.3  # share of distillation's gradient that reaches the teacher
    noisy_share: float = 0.5

    def __post_init__(self) -> None:
        if self.batch < 2 or self.steps < 1:
            raise ValueError("batch must be at least 2 and steps at least 1")
        if not all(0 < lr < 1 for lr in (self.lr, self.lr_student, self.lr_discriminator)):
            raise ValueError("lr, lr_student and lr_discriminator must lie between 0 and 1")
        if not (0 <= self.feedback <= 1 and 0 <= self.noisy_share <= 1):
            raise ValueError("feedback and noisy_share are shares")


class AllNetworks(Networks):
    """Everything stage 3 trains."""

    def __init__(self, settings: TeacherTraining, student: Student):
        super().__init__(settings)
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
        sequences: 2D training data; any 3D they carry is not looked at.
        settings: losses, steps.
        out: run folder (``model.safetensors`` the teacher, ``student.safetensors``, ``config.json``, ``metrics.jsonl``).
        teacher_run: run folder of stage 1, with its discriminators.
        student_run: run folder of stage 2.
        resume: go on where the run in `out` stopped.

    Raises:
        InputError: a run lacks what is needed, or the student learnt from a teacher of another unit.
    """
    if not (teacher_run / "discriminators.safetensors").is_file():
        raise InputError(teacher_run, "has no discriminators.safetensors", "give the run folder of 'train teacher'")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, of_student = read_config(teacher_run), read_config(student_run)
    of_teacher = _as_stage_1(teacher_run, config, settings)
    student = load_student(student_run)
    if abs(student.config.unit / of_teacher.model.unit - 1) > 1e-6 or student.config.window != of_teacher.model.window:
        raise InputError(student_run, f"was not distilled from {teacher_run}", "train a student from that teacher")
    training, held_out = training_clips(sequences)

    torch.manual_seed(settings.loop.seed)
    networks = AllNetworks(of_teacher, student)
    load_weights(networks.teacher, teacher_run)
    critics = nn.ModuleDict({name: getattr(networks, name) for name in ("pose_discriminator", "motion_discriminator")})
    load_weights(critics, teacher_run, "discriminators.safetensors")
    networks.to(device)
    content = {
        "model": config["model"],
        "student": of_student["student"],
        "training": to_dict(settings),
        "teacher": {"run": teacher_run.name, "training": config["training"]},
        "student_run": {"run": student_run.name, "training": of_student["training"]},
        "tilt_deg": config["tilt_deg"],
        "body_model": load_body().name,
    }
    open_run(out, "joint", describe_clips(training), content, resume=resume)
    tilt = Tilt(
        *(config["tilt_deg"][key] * torch.pi / 180 for key in ("mean", "sd")), clips=config["tilt_deg"]["clips"]
    )

    def tuning() -> JointPhase:
        centred, test = (replace(clips, rays=at_pelvis(clips.rays)) for clips in (training, held_out))
        # From the runs, not from the networks at hand, which a resumed run has already changed.
        before = load_teacher(teacher_run).to(device), load_student(student_run).to(device), landmarks_of(load_body())
        lessons = consensus_of(*before, centred), consensus_of(*before, test)
        phase = JointPhase(networks, centred, test, lessons, of_teacher, tilt, settings)
        noise = torch.Generator().manual_seed(settings.loop.seed)
        phase.sources.append(noisy_copy(networks.teacher.cleaner, training, noise))
        return phase

    exports = {
        "model.safetensors": ["teacher"],
        "student.safetensors": ["student"],
        "discriminators.safetensors": ["pose_discriminator", "motion_discriminator"],
    }
    plans = [PhasePlan("joint", settings.steps, tuning)]
    fit(networks, plans, out, settings.loop, resume=resume, exports=exports)
    return networks.teacher, networks.student


class BodyCycle(NamedTuple):
    """The student's answer and what the teacher sees in it; poses are relative to the pelvis, in root distances."""

    embodied: BodyWindow
    pose: Float[Tensor, "batch steps 17 3"]
    turned: Float[Tensor, "batch steps 17 3"]
    view: Float[Tensor, "batch steps 17 2"]
    turned_again: Float[Tensor, "batch steps 17 3"]


class JointPhase(TemporalPhase):
    """Windows through teacher and student, both in evaluation mode: what is tuned is what will be used."""

    def __init__(
        self,
        networks: AllNetworks,
        training: Clips,
        held_out: Clips,
        lessons: tuple[Tensor, Tensor],
        of_teacher: TeacherTraining,
        tilt: Tilt,
        settings: JointTraining,
    ):
        self.student, self.joint = networks.student, settings
        super().__init__(networks, training, held_out, of_teacher, tilt)
        self.weights = to_dict(settings.weights)
        self.landmarks = landmarks_of(load_body()).to(self.device)
        self.consensus, self.consensus_held_out = lessons
        both: list[dict[str, Any]] = [
            {"params": self.lifter_parameters()},
            {"params": list(self.student.parameters()), "lr": settings.lr_student},
        ]
        self.optimizers["lifter"] = torch.optim.Adam(both, lr=settings.lr, betas=(0.5, 0.9), fused=True)

    @property
    def batch(self) -> int:
        """Windows per step."""
        return self.joint.batch

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """Teacher and student, then the discriminators."""
        self.teacher.eval()
        self.student.eval()
        seen, true, consensus = self._triples(self.training, self.sources, self.consensus, self.batch, rng)
        cycle, body = self._cycle(seen, rng), self._body_cycle(seen, rng)
        terms = self._descend_lifter(
            lambda: self.lifter_terms(seen, cycle, rng) | self.body_terms(seen, true, consensus, cycle, body, rng)
        )
        is_body = (torch.rand(len(seen), generator=rng) < 0.5).to(self.device)[:, None, None, None]
        critic_terms = self._descend_critics(torch.where(is_body, body.view, cycle.view), rng)
        return {name: value.mean() for name, value in (terms | critic_terms).items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The same terms on held-out clean 2D, the same windows and turns every time."""
        self.teacher.eval()
        self.student.eval()
        rng = torch.Generator().manual_seed(0)
        rays, _, consensus = self._triples(self.held_out, [self.held_out.rays], self.consensus_held_out, 256, rng)
        cycle, body = self._cycle(rays, rng), self._body_cycle(rays, rng)
        terms = self.lifter_terms(rays, cycle, rng) | self.body_terms(rays, rays, consensus, cycle, body, rng)
        return {name: float(value.mean()) for name, value in terms.items()}

    def body_terms(
        self,
        seen: Float[Tensor, "batch steps 17 2"],
        true: Float[Tensor, "batch steps 17 2"],
        consensus: Float[Tensor, "batch steps 17 3"],
        cycle: consistency.Cycle,
        body: BodyCycle,
        rng: torch.Generator,
    ) -> dict[str, Tensor]:
        """Raw terms of the student's side and of what joins the two, one value per window."""
        depth = self.joint.feedback * cycle.pose + (1 - self.joint.feedback) * cycle.pose.detach()
        lesson = torch.cat([consensus[..., :2], depth[..., 2:]], -1)
        of_student = consistency.distance(body.pose, consensus)
        of_teacher = (cycle.pose - consensus)[..., 2].abs().mean((1, 2))
        return student_terms(body.embodied, body.pose, true, lesson, self.unit) | {
            "consensus": (of_student + of_teacher) / self.unit,
            "consensus_views": self._views_of(consensus, rng),
            "body_consistency_3d": consistency.distance(body.turned_again, body.turned) / self.unit,
            "body_pose": adversarial.generator_loss(self.critic(any_frame(body.view, rng) / self.unit)),
            "body_motion": adversarial.generator_loss(self.motion_critic(body.view / self.unit)),
        }

    def _views_of(self, consensus: Float[Tensor, "batch steps 17 3"], rng: torch.Generator) -> Float[Tensor, " batch"]:
        """How far both are off when they see the consensus from a random side."""
        turned = consistency.turn(consensus, self._turns(len(consensus), rng))
        view = consistency.see(turned)
        skeleton = unproject(view, self.teacher(view), self.unit)
        off = skeleton - skeleton[:, :, :1] - turned
        body = landmarks_in_root_distances(self.student(view), self.landmarks)
        return (off[..., 2].abs().mean((1, 2)) + consistency.distance(body, turned)) / self.unit

    def _body_cycle(self, seen: Float[Tensor, "batch steps 17 2"], rng: torch.Generator) -> BodyCycle:
        """The student's body from a random side, lifted by the teacher."""
        embodied = self.student(seen)
        pose = landmarks_in_root_distances(embodied, self.landmarks)
        turned = consistency.turn(pose, self._turns(len(seen), rng))
        view = consistency.see(turned)
        again = unproject(view.detach(), self.teacher(view), self.unit)
        return BodyCycle(embodied, pose, turned, view, again - again[..., :1, :])

    def _triples(
        self, clips: Clips, sources: list[Tensor], consensus: Tensor, count: int, rng: torch.Generator
    ) -> tuple[Float[Tensor, "batch steps 17 2"], Float[Tensor, "batch steps 17 2"], Float[Tensor, "batch steps 17 3"]]:
        """Random windows as seen (`noisy_share` from the second source), as they truly are, and in 3D; half mirrored."""
        index = window_indices(torch.randint(len(clips.rays), (count,), generator=rng), clips, self.offsets)
        is_noisy = torch.rand(count, generator=rng) < self.joint.noisy_share
        is_mirrored = (torch.rand(count, generator=rng) < 0.5)[:, None, None, None]
        true = sources[0][index]
        seen = torch.where(is_noisy[:, None, None, None], sources[-1][index], true)
        seen, true, pose = (
            torch.where(is_mirrored, mirror(x), x).to(self.device) for x in (seen, true, consensus[index])
        )
        return seen, true, pose


@torch.no_grad()
def consensus_of(
    teacher: Teacher, student: Student, landmarks: Landmarks, clips: Clips
) -> Float[Tensor, "frames 17 3"]:
    """The mean of both networks' poses, each as a user would get it; from the pelvis, in root distances.

    `clips` at the pelvis. Poses are brought to one scale frame by frame before they are averaged.
    """
    out = torch.empty(len(clips.rays), N_JOINTS, 3)
    for start, stop in tqdm(clips.bounds, desc="consensus", leave=False):
        rays = clips.rays[start:stop]
        skeleton = unproject(rays, torch.from_numpy(predict_depth(teacher, rays)), teacher.config.unit)
        skeleton = skeleton - skeleton[:, :1]
        track = fit_body_to_clip(student, landmarks, rays)
        body = landmarks(track.rotations, track.betas.expand(len(rays), -1))
        body = body - body[:, :1]
        scale = (skeleton * body).sum((1, 2)) / body.square().sum((1, 2))
        out[start:stop] = (skeleton + scale[:, None, None] * body) / 2
    return out


def _as_stage_1(run: Path, config: dict[str, Any], settings: JointTraining) -> TeacherTraining:
    """Stage 1's settings, learning at stage 3's rates."""
    try:
        stage_1 = from_dict(TeacherTraining, {**config["training"], "model": config["model"]})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            run / "config.json", f"is not of a teacher's run ({error})", "give a run of stage 1"
        ) from error
    return replace(stage_1, lr=settings.lr, lr_discriminator=settings.lr_discriminator)
