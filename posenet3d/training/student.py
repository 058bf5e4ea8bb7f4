"""Stage 2: the student learns the teacher's 3D as the pose and shape of a body; no motion-capture prior.

The teacher lifts every training frame once, as it would for a user (both mirror views averaged, depth smoothed). The student
then sees windows of the same 2D and must put its body's landmarks where the teacher put its joints.

Scale: the teacher's unit is the distance of the pelvis; the body is in metres. The student predicts the distance in metres,
so the two meet without a constant: landmarks in metres divided by the distance are in the teacher's unit.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.checkpoint import load_teacher, read_config
from posenet3d.clipwise import depth_of_clip
from posenet3d.data.windows import Clips, at_pelvis, mirror, training_clips, window_indices
from posenet3d.losses import body as body_losses
from posenet3d.losses import consistency
from posenet3d.models.student import Student, StudentConfig, landmarks_in_root_distances
from posenet3d.models.teacher import Teacher, place
from posenet3d.sequence import PoseSequence
from posenet3d.skeleton import MIRROR
from posenet3d.training.lifter import noisy_copy
from posenet3d.training.loop import LoopSettings, PhasePlan, descend, fit, weigh
from posenet3d.training.run_folder import open_run
from posenet3d.training.settings import to_dict


@dataclass(frozen=True)
class StudentWeights:
    """Weight of each loss term; lengths are in the teacher's units, so that terms compare."""

    distillation: float = 1.0
    reprojection: float = 0.5
    wrong_bend: float = 0.5
    rest: float = 0.02
    shape: float = 0.03  # at 0.005 bodies of four sigma explained the teacher's uneven bones
    shaking: float = 0.5


@dataclass(frozen=True)
class StudentTraining:
    """Everything `train student` can be told with ``--set key=value``."""

    model: StudentConfig = field(default_factory=StudentConfig)
    weights: StudentWeights = field(default_factory=StudentWeights)
    loop: LoopSettings = field(default_factory=LoopSettings)
    steps: int = 5000
    batch: int = 64
    lr: float = 1e-3
    noisy_share: float = 0.5  # windows as a detector would deliver them, cleaned

    def __post_init__(self) -> None:
        if self.batch < 2 or self.steps < 1 or not 0 < self.lr < 1 or not 0 <= self.noisy_share <= 1:
            raise ValueError("batch must be at least 2, steps at least 1, lr and noisy_share between 0 and 1")


class Pair(nn.Module):
    """The teacher, which only watches, and the student."""

    def __init__(self, teacher: Teacher, student: Student):
        super().__init__()
        self.teacher, self.student = teacher, student


def train_student(
    sequences: list[PoseSequence], settings: StudentTraining, out: Path, *, teacher_run: Path, is_resumed: bool = False
) -> Student:
    """Distil the teacher of `teacher_run` into a student; `out` becomes a checkpoint that holds both.

    Args:
        sequences: 2D training data; any 3D they carry is not looked at.
        settings: network, losses, steps.
        out: run folder (``model.safetensors`` the teacher, ``student.safetensors``, ``config.json``, ``metrics.jsonl``).
        teacher_run: run or bundled checkpoint of stage 1.
        is_resumed: go on where the run in `out` stopped.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = load_teacher(teacher_run).to(device)
    settings = replace(settings, model=replace(settings.model, unit=teacher.config.unit))
    training, held_out = training_clips(sequences)

    torch.manual_seed(settings.loop.seed)
    networks = Pair(teacher, Student(settings.model)).to(device)
    of_teacher = read_config(teacher_run)
    content = {
        "model": of_teacher["model"],
        "student": to_dict(settings.model),
        "training": {key: value for key, value in to_dict(settings).items() if key != "model"},
        "teacher": {"run": teacher_run.name, "training": of_teacher.get("training")},
        "body_model": load_body().name,
    }
    open_run(out, "student", training, content, is_resumed=is_resumed)

    def distilling() -> DistillationPhase:
        rng = torch.Generator().manual_seed(settings.loop.seed)
        sources = [at_pelvis(training.rays), noisy_copy(teacher.cleaner, training, rng)]
        lessons = [Lesson(rays, lesson_of(teacher, rays, training)) for rays in sources]
        test_rays = at_pelvis(held_out.rays)
        test = Lesson(test_rays, lesson_of(teacher, test_rays, held_out))
        return DistillationPhase(networks, training, lessons, held_out, test, settings)

    exports = {"model.safetensors": ["teacher"], "student.safetensors": ["student"]}
    fit(
        networks,
        [PhasePlan("student", settings.steps, distilling)],
        out,
        settings.loop,
        is_resumed=is_resumed,
        exports=exports,
    )
    return networks.student


@dataclass(frozen=True)
class Lesson:
    """What the student sees, and the depth that the teacher gives it."""

    rays: Float[Tensor, "frames 17 2"]
    offsets: Float[Tensor, "frames 17"]


def lesson_of(teacher: Teacher, rays: Float[Tensor, "frames 17 2"], clips: Clips) -> Float[Tensor, "frames 17"]:
    """The teacher's depth offsets of every clip, as it gives them to a user."""
    out = torch.empty(rays.shape[:2])
    with torch.no_grad():
        for start, stop in tqdm(clips.bounds, desc="teacher", leave=False):
            out[start:stop] = torch.from_numpy(depth_of_clip(teacher, rays[start:stop]))
    return out


class DistillationPhase:
    """Windows of 2D with the teacher's 3D."""

    def __init__(
        self,
        networks: Pair,
        training: Clips,
        lessons: list[Lesson],
        held_out: Clips,
        test: Lesson,
        settings: StudentTraining,
    ):
        self.student, self.unit = networks.student, settings.model.unit
        self.training, self.lessons, self.held_out, self.test = training, lessons, held_out, test
        self.settings, self.weights = settings, to_dict(settings.weights)
        self.device = next(self.student.parameters()).device
        self.landmarks = landmarks_of(load_body()).to(self.device)
        window, stride = settings.model.window, settings.model.stride
        self.offsets = (torch.arange(window) - window // 2) * stride
        self.optimizers = {"student": torch.optim.Adam(self.student.parameters(), lr=settings.lr, fused=True)}

    def train_step(self, step: int, rng: torch.Generator) -> dict[str, Tensor]:
        """One step of distillation."""
        self.student.train()
        terms = self._terms(self.training, self.lessons, self.settings.batch, rng)
        descend(self.optimizers["student"], weigh(terms, self.weights))
        return {name: value.mean() for name, value in terms.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The same terms on held-out 2D."""
        self.student.eval()
        terms = self._terms(self.held_out, [self.test], 256, torch.Generator().manual_seed(0))
        return {name: float(value.mean()) for name, value in terms.items()}

    def _terms(self, clips: Clips, lessons: list[Lesson], count: int, rng: torch.Generator) -> dict[str, Tensor]:
        rays, pose_teacher = self._windows(clips, lessons, count, rng)
        embodied = self.student(rays)
        pose = landmarks_in_root_distances(embodied, self.landmarks)
        return {
            "distillation": consistency.distance(pose, pose_teacher) / self.unit,
            "reprojection": consistency.distance(consistency.see(pose), rays) / self.unit,
            "wrong_bend": body_losses.wrong_bend(pose),
            "rest": body_losses.away_from_rest(embodied.rotations),
            "shape": body_losses.shape_size(embodied.betas),
            "shaking": body_losses.shaking(pose - pose_teacher) / self.unit,
        }

    def _windows(
        self, clips: Clips, lessons: list[Lesson], count: int, rng: torch.Generator
    ) -> tuple[Float[Tensor, "batch steps 17 2"], Float[Tensor, "batch steps 17 3"]]:
        """Rays and the teacher's pose (relative to the pelvis, root distances); half of the windows mirrored."""
        index = window_indices(torch.randint(len(clips.rays), (count,), generator=rng), clips, self.offsets)
        rays, offsets = lessons[0].rays[index], lessons[0].offsets[index]
        if len(lessons) > 1:
            is_noisy = torch.rand(count, generator=rng) < self.settings.noisy_share
            rays = torch.where(is_noisy[:, None, None, None], lessons[1].rays[index], rays)
            offsets = torch.where(is_noisy[:, None, None], lessons[1].offsets[index], offsets)
        is_mirrored = torch.rand(count, generator=rng) < 0.5
        rays = torch.where(is_mirrored[:, None, None, None], mirror(rays), rays)
        offsets = torch.where(is_mirrored[:, None, None], offsets[..., list(MIRROR)], offsets)
        points = place(rays, offsets, self.unit)
        return rays.to(self.device), (points - points[:, :, :1]).to(self.device)
