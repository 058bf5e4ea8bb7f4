"""The loss terms of all stages: name, meaning, default weight and function of each, in one place.

To add a loss, write its function in `posenet3d.losses` and a `LossTerm` in one of the tuples below. Settings
(``--set weights.NAME=0.5``), logs, the Training page and the ablation read the tuples. Stage 3 trains with the terms of stages 1
and 2 as well, so that their terms need no second entry.
"""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from posenet3d.losses import adversarial, bones, consistency, denoising
from posenet3d.losses import body as body_losses
from posenet3d.training.loss_term import LossTerm, default_weights
from posenet3d.training.term_inputs import (
    BodyCycleInputs,
    BodyInputs,
    ConsensusInputs,
    DenoiserInputs,
    DiscriminatorInputs,
    LifterInputs,
)

DENOISER_TERMS: tuple[LossTerm[DenoiserInputs], ...] = (
    LossTerm(
        "position",
        "Denoised 2D against the clean 2D: error as a share of what plain smoothing leaves.",
        1.0,
        lambda x: denoising.relative_position_error(*x),
    ),
    LossTerm(
        "acceleration",
        "The same for the 2D's acceleration: 1 is no better than plain smoothing.",
        0.3,  # equal weights flatten real motion: smoothness is cheap to buy
        lambda x: denoising.relative_acceleration_error(*x),
    ),
)
"""Stage 1, denoiser phase."""


FRAME_TERMS: tuple[LossTerm[LifterInputs], ...] = (
    LossTerm(
        "consistency_2d",
        "Lift, rotate, lift again, rotate back: distance to the first 2D, in head lengths.",
        1.0,
        lambda x: consistency.distance(x.cycle.reprojected, x.rays) / x.unit,
        ("self-consistency",),
    ),
    LossTerm(
        "consistency_3d",
        "A rotated pose against the pose lifted from its view alone, in head lengths.",
        1.0,
        lambda x: consistency.distance(x.cycle.relifted, x.cycle.rotated) / x.unit,
        ("self-consistency",),
    ),
    LossTerm(
        "pose",
        "How surely the discriminator recognises rotated poses as generated; 0 if it takes them for real.",
        1.0,
        lambda x: x.discriminators.pose_loss(x.cycle.view / x.unit, x.rng),
        ("adversarial",),
    ),
)
"""Stage 1, single frames."""

WINDOW_TERMS: tuple[LossTerm[LifterInputs], ...] = (
    LossTerm(
        "motion",
        "How surely the discriminator recognises rotated motion as generated; 0 if it takes it for real.",
        0.3,
        lambda x: x.discriminators.motion_loss(x.cycle.view / x.unit),
        ("temporal", "adversarial"),
    ),
    LossTerm(
        "constancy",
        "How much bones change their length within a window (variance of their shares).",
        1.0,
        lambda x: bones.constancy(x.cycle.pose),
        ("bone",),
    ),
    LossTerm(
        "symmetry",
        "How much left and right bones differ in length (squared shares of the mean bone).",
        0.3,
        lambda x: bones.symmetry(x.cycle.pose),
        ("bone",),
    ),
)
"""Stage 1, windows: these and `FRAME_TERMS`."""


def _discriminator(x: DiscriminatorInputs) -> Float[Tensor, " batch"]:
    loss = adversarial.discriminator_loss(x.score_real, x.score_fake)
    return loss if x.motion_scores is None else loss + adversarial.discriminator_loss(*x.motion_scores)


DISCRIMINATOR_TERMS: tuple[LossTerm[DiscriminatorInputs], ...] = (
    LossTerm(
        "discriminator",
        "The discriminators' own loss: each has 0 if it tells real from generated, 0.25 if it can only guess.",
        1.0,
        _discriminator,
    ),
    LossTerm(
        "gradient_penalty",
        "Steepness of the discriminator at real poses; held down so that it does not win too easily.",
        0.02,
        lambda x: adversarial.gradient_penalty(x.score_real, x.real),
    ),
)
"""Stages 1 and 3, the discriminators' update."""


BODY_TERMS: tuple[LossTerm[BodyInputs], ...] = (
    LossTerm(
        "distillation",
        "The student's joints against the teacher's, in head lengths.",
        1.0,
        lambda x: consistency.distance(x.pose, x.targets) / x.unit,
        ("distillation",),
    ),
    LossTerm(
        "reprojection",
        "The student's joints projected into the camera against the 2D, in head lengths.",
        0.5,
        lambda x: consistency.distance(consistency.project_pose(x.pose), x.rays) / x.unit,
    ),
    LossTerm(
        "wrong_bend",
        "How far knees and elbows bend the wrong way (squared sine).",
        0.5,
        lambda x: body_losses.wrong_bend(x.pose),
        ("bone",),
    ),
    LossTerm(
        "rest",
        "How far joints are rotated from the rest pose, above all those that no 2D joint determines.",
        0.06,
        lambda x: body_losses.away_from_rest(x.body.rotations),
    ),
    LossTerm(
        "shape",
        "Size of the body's shape parameters (mean of squares): 1 is a usual person.",
        0.03,  # at 0.005 bodies of four sigma explained the teacher's uneven bones
        lambda x: body_losses.shape_size(x.body.betas),
        ("bone",),
    ),
)
"""Stage 2, single frames."""

BODY_WINDOW_TERMS: tuple[LossTerm[BodyInputs], ...] = (
    LossTerm(
        "shaking",
        "How much the student shakes where the teacher does not, in head lengths.",
        0.5,
        lambda x: body_losses.shaking(x.pose - x.targets) / x.unit,
        ("temporal",),
    ),
)
"""Stage 2, windows: these and `BODY_TERMS`."""


def _consensus(x: ConsensusInputs) -> Float[Tensor, " batch"]:
    """Return the student's distance and the teacher's error in depth; along the rays the teacher cannot move."""
    of_student = consistency.distance(x.student_pose, x.target)
    of_teacher = (x.teacher_pose - x.target)[..., 2].abs().mean((1, 2))
    return (of_student + of_teacher) / x.unit


CONSENSUS_TERMS: tuple[LossTerm[ConsensusInputs], ...] = (
    LossTerm(
        "consensus",
        "Both networks against the mean of their poses before this stage, in head lengths.",
        1.0,
        _consensus,
        ("distillation",),
    ),
)
"""Stage 3, the views that the cameras saw."""

CONSENSUS_VIEW_TERMS: tuple[LossTerm[ConsensusInputs], ...] = (
    LossTerm(
        "consensus_views",
        "The same where both see that mean pose from a random side.",
        1.0,
        _consensus,
        ("distillation",),
    ),
)
"""Stage 3, the consensus seen from random sides."""

BODY_CYCLE_TERMS: tuple[LossTerm[BodyCycleInputs], ...] = (
    LossTerm(
        "body_consistency_3d",
        "The student's body, rotated, against the pose that the teacher lifts from that view, in head lengths.",
        1.0,
        lambda x: consistency.distance(x.relifted, x.rotated) / x.unit,
        ("self-consistency",),
    ),
    LossTerm(
        "body_pose",
        "As 'pose', for the student's body.",
        0.1,
        lambda x: x.discriminators.pose_loss(x.view / x.unit, x.rng),
        ("adversarial",),
    ),
    LossTerm(
        "body_motion",
        "As 'motion', for the student's body.",
        0.03,
        lambda x: x.discriminators.motion_loss(x.view / x.unit),
        ("temporal", "adversarial"),
    ),
)
"""Stage 3, the student's body from a random side."""

JOINT_WEIGHTS = {"distillation": 0.3}
"""Weights that stage 3 changes of stages 1 and 2."""

VALIDATION_NUMBERS = {
    "handedness": "Share of bent knees and elbows that bend in the anatomical direction; below 0.5 poses are depth-mirrored.",
}
"""Numbers that are logged on held-out 2D and are no loss."""


def all_terms() -> tuple[LossTerm[Any], ...]:
    """Return the terms of all stages."""
    stage_1: tuple[LossTerm[Any], ...] = (*DENOISER_TERMS, *FRAME_TERMS, *WINDOW_TERMS, *DISCRIMINATOR_TERMS)
    stage_2: tuple[LossTerm[Any], ...] = (*BODY_TERMS, *BODY_WINDOW_TERMS)
    return (*stage_1, *stage_2, *CONSENSUS_TERMS, *CONSENSUS_VIEW_TERMS, *BODY_CYCLE_TERMS)


def teacher_weights() -> dict[str, float]:
    """Return the default weights of stage 1, its denoiser apart."""
    return default_weights((*FRAME_TERMS, *WINDOW_TERMS, *DISCRIMINATOR_TERMS))


def student_weights() -> dict[str, float]:
    """Return the default weights of stage 2."""
    return default_weights((*BODY_TERMS, *BODY_WINDOW_TERMS))


def joint_weights() -> dict[str, float]:
    """Return the default weights of stage 3."""
    own = default_weights((*CONSENSUS_TERMS, *CONSENSUS_VIEW_TERMS, *BODY_CYCLE_TERMS))
    return teacher_weights() | student_weights() | JOINT_WEIGHTS | own
