"""Generator and discriminator losses: least squares (Mao et al., ICCV 2017) with an R1 gradient penalty."""

import torch
from jaxtyping import Float
from torch import Tensor


def generator_loss(score_fake: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """Return the lifter's loss: generated poses should score 1."""
    return (score_fake - 1).square()


def discriminator_loss(
    score_real: Float[Tensor, " batch"], score_fake: Float[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """Return the discriminator's loss: real poses should score 1, generated ones 0."""
    return 0.5 * ((score_real - 1).square() + score_fake.square())


def gradient_penalty(score_real: Float[Tensor, " batch"], real: Tensor) -> Float[Tensor, " batch"]:
    """Return the R1 penalty of Mescheder et al. (ICML 2018), eq. 9: the squared slope of the score at real data.

    `real` must require a gradient. Without this penalty the discriminator slowly wins and the lifter's error wanders by
    several millimetres.
    """
    (slope,) = torch.autograd.grad(score_real.sum(), real, create_graph=True)
    return 0.5 * slope.square().flatten(1).sum(1)
