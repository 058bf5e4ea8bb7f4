"""Errors of denoised 2D against clean 2D, relative to the size of the person and to plain smoothing.

Relative to smoothing, a clean clip (where smoothing only does harm) counts as much as a noisy one.
"""

from jaxtyping import Float
from torch import Tensor

_OFFSET = 0.002  # added to the error of smoothing, which can be 0


def relative_position_error(
    denoised: Float[Tensor, "clips frames joints 2"],
    smoothed: Float[Tensor, "clips frames joints 2"],
    clean: Float[Tensor, "clips frames joints 2"],
) -> Float[Tensor, " clips"]:
    """Return the distance to the clean 2D over the distance that plain smoothing leaves."""
    return _position_error(denoised, clean) / (_position_error(smoothed, clean) + _OFFSET)


def relative_acceleration_error(
    denoised: Float[Tensor, "clips frames joints 2"],
    smoothed: Float[Tensor, "clips frames joints 2"],
    clean: Float[Tensor, "clips frames joints 2"],
) -> Float[Tensor, " clips"]:
    """Return the distance between second differences over the distance that plain smoothing leaves."""
    return _acceleration_error(denoised, clean) / (_acceleration_error(smoothed, clean) + _OFFSET)


def _position_error(estimate: Tensor, clean: Tensor) -> Tensor:
    return (estimate - clean).square().sum(-1).add(1e-12).sqrt().mean((1, 2)) / _size(clean)


def _acceleration_error(estimate: Tensor, clean: Tensor) -> Tensor:
    return (estimate - clean).diff(n=2, dim=1).square().sum(-1).add(1e-12).sqrt().mean((1, 2)) / _size(clean)


def _size(clean: Tensor) -> Tensor:
    return (clean - clean.mean(2, keepdim=True)).square().sum(-1).mean((1, 2)).sqrt()
