"""The inputs of each stage's loss terms (`posenet3d.training.terms`)."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.losses import adversarial, consistency
from posenet3d.models.discriminators import MotionDiscriminator, PoseDiscriminator
from posenet3d.models.student import BodyWindow
from posenet3d.training.clips import any_frame


class DenoiserInputs(NamedTuple):
    """Windows of 2D: from the denoiser, plainly smoothed, and clean."""

    denoised: Float[Tensor, "clips frames joints 2"]
    smoothed: Float[Tensor, "clips frames joints 2"]
    clean: Float[Tensor, "clips frames joints 2"]


class Discriminators(NamedTuple):
    """The discriminators of a phase; `motion` is None where frames are lifted one by one."""

    pose: PoseDiscriminator
    motion: MotionDiscriminator | None

    def parameters(self) -> list[nn.Parameter]:
        """Return the parameters of both."""
        return [parameter for module in self if module is not None for parameter in module.parameters()]

    def pose_loss(self, view: Float[Tensor, "batch steps joints 2"], rng: torch.Generator) -> Float[Tensor, " batch"]:
        """Return the lifter's loss for a random frame of each view (in units)."""
        return adversarial.generator_loss(self.pose(any_frame(view, rng)))

    def motion_loss(self, view: Float[Tensor, "batch steps joints 2"]) -> Float[Tensor, " batch"]:
        """Return the lifter's loss for whole windows (in units)."""
        assert self.motion is not None, "the motion terms belong to phases with a motion discriminator"
        return adversarial.generator_loss(self.motion(view))


class LifterInputs(NamedTuple):
    """A consistency cycle that started at `rays`; `unit` is the teacher's."""

    rays: Float[Tensor, "batch steps 17 2"]
    cycle: consistency.Cycle
    discriminators: Discriminators
    unit: float
    rng: torch.Generator


class DiscriminatorInputs(NamedTuple):
    """Scores of real and generated poses, and of motions where motions are judged."""

    real: Float[Tensor, "batch joints 2"]
    score_real: Float[Tensor, " batch"]
    score_fake: Float[Tensor, " batch"]
    motion_scores: tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]] | None  # real, generated


class BodyInputs(NamedTuple):
    """The student's body, the targets and 2D it should match; poses relative to the pelvis, in root distances."""

    body: BodyWindow
    pose: Float[Tensor, "batch steps 17 3"]
    rays: Float[Tensor, "batch steps 17 2"]
    targets: Float[Tensor, "batch steps 17 3"]
    unit: float


class ConsensusInputs(NamedTuple):
    """Poses of both networks and the consensus; relative to the pelvis, in root distances."""

    student_pose: Float[Tensor, "batch steps 17 3"]
    teacher_pose: Float[Tensor, "batch steps 17 3"]
    target: Float[Tensor, "batch steps 17 3"]
    unit: float


class BodyCycleInputs(NamedTuple):
    """The student's body, rotated and lifted again by the teacher; poses relative to the pelvis, in root distances."""

    rotated: Float[Tensor, "batch steps 17 3"]
    view: Float[Tensor, "batch steps 17 2"]  # the rays of `rotated`
    relifted: Float[Tensor, "batch steps 17 3"]  # lifted from `view`
    discriminators: Discriminators
    unit: float
    rng: torch.Generator
