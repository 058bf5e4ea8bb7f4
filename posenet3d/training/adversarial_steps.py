"""The two updates of adversarial training, shared by stages 1 and 3: the lifter's, then the discriminators'."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from posenet3d.core.rotation import random_views
from posenet3d.training.clips import Tilt, any_frame
from posenet3d.training.loop import optimizer_step, weighted_sum
from posenet3d.training.loss_term import compute
from posenet3d.training.term_inputs import DiscriminatorInputs, Discriminators
from posenet3d.training.terms import DISCRIMINATOR_TERMS

ParameterGroup = dict[str, Any]
"""Parameters of an optimiser with settings of their own."""

RandomRotations = Callable[[int, torch.Generator], Float[Tensor, "batch 3 3"]]
"""How many and a random generator to rotation matrices R_other_cam on the CPU."""


def adam(parameters: list[nn.Parameter] | list[ParameterGroup], lr: float) -> Optimizer:
    """Return Adam with the momentum of adversarial training."""
    return Adam(parameters, lr=lr, betas=(0.5, 0.9), fused=True)


def camera_rotations(tilt: Tilt, roll_sd_deg: float) -> RandomRotations:
    """Return a sampler of rotations to the views of other cameras with the same distribution of tilt."""
    roll_sd = roll_sd_deg * torch.pi / 180
    return lambda count, rng: random_views(count, tilt.mean, tilt.sd, roll_sd, rng)


def update_lifter(
    optimizer: Optimizer,
    discriminators: Discriminators,
    compute_losses: Callable[[], dict[str, Tensor]],
    weights: Mapping[str, float],
) -> dict[str, Tensor]:
    """Take one step of the networks that lift, with the discriminators frozen, and return the raw losses."""
    with _frozen(discriminators.parameters()):
        losses = compute_losses()
        optimizer_step(optimizer, weighted_sum(losses, weights))
    return losses


def update_discriminators(
    optimizer: Optimizer,
    discriminators: Discriminators,
    real: Float[Tensor, "batch steps joints 2"],
    fake: Float[Tensor, "batch steps joints 2"],
    weights: Mapping[str, float],
    rng: torch.Generator,
) -> dict[str, Tensor]:
    """Take one step of the discriminators and return the raw losses; `real` and `fake` are in units."""
    has_penalty = weights["gradient_penalty"] != 0  # the second derivative is a fifth of a step's work
    fake = fake.detach()
    real_frame = any_frame(real, rng).requires_grad_(has_penalty)
    score_real, score_fake = discriminators.pose(real_frame), discriminators.pose(any_frame(fake, rng))
    motion_scores = (
        None if discriminators.motion is None else (discriminators.motion(real), discriminators.motion(fake))
    )
    inputs = DiscriminatorInputs(real_frame, score_real, score_fake, motion_scores)
    losses = compute([term for term in DISCRIMINATOR_TERMS if has_penalty or term.name != "gradient_penalty"], inputs)
    optimizer_step(optimizer, weighted_sum(losses, weights))
    return losses


@contextmanager
def _frozen(parameters: list[nn.Parameter]) -> Iterator[None]:
    for parameter in parameters:
        parameter.requires_grad_(False)
    yield
    for parameter in parameters:
        parameter.requires_grad_(True)
