"""The two sides of the game between lifter and discriminator: least squares (Mao et al., ICCV 2017) with an R1 penalty."""

import torch
from jaxtyping import Float
from torch import Tensor


def generator_loss(score_made: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The lifter's side: what it made should score 1."""
    return (score_made - 1).square()


def discriminator_loss(
    score_real: Float[Tensor, " batch"], score_made: Float[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    """The discriminator's side: real poses should score 1, made ones 0."""
    return 0.5 * ((score_real - 1).square() + score_made.square())


def gradient_penalty(score_real: Float[Tensor, " batch"], real: Tensor) -> Float[Tensor, " batch"]:
    """R1 of Mescheder et al. (ICML 2018), eq. 9: squared slope of the score at real data; `real` must require grad.

    Without it the discriminator slowly wins and the lifter's error wanders by several millimetres.
    """
    (slope,) = torch.autograd.grad(score_real.sum(), real, create_graph=True)
    return 0.5 * slope.square().flatten(1).sum(1)
