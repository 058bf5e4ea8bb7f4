"""The record of a loss term, and what is done with a tuple of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jaxtyping import Float
from torch import Tensor

Inputs = TypeVar("Inputs")


@dataclass(frozen=True)
class LossTerm(Generic[Inputs]):
    """One loss term.

    Attributes:
        name: in settings, logs and charts.
        description: one sentence for the Training page.
        weight: default weight in the sum of losses.
        function: from the inputs of its stage to one value per window.
        families: the groups in which the ablation switches it off (`posenet3d.evaluation.ablation`).
    """

    name: str
    description: str
    weight: float
    function: Callable[[Inputs], Float[Tensor, " batch"]]
    families: tuple[str, ...] = ()


def compute(terms: Sequence[LossTerm[Inputs]], inputs: Inputs) -> dict[str, Tensor]:
    """Return the raw value per window of each term, by name, computed in order."""
    return {term.name: term.function(inputs) for term in terms}


def default_weights(terms: Iterable[LossTerm[Any]]) -> dict[str, float]:
    """Return the terms' default weights by name."""
    return {term.name: term.weight for term in terms}


def completed(weights: Mapping[str, float], defaults: Mapping[str, float]) -> dict[str, float]:
    """Return `weights`, with defaults for terms that are newer than the settings that name the weights.

    Raises:
        ValueError: a weight is of no term.
    """
    unknown = sorted(set(weights) - set(defaults))
    if unknown:
        raise ValueError(f"there is no loss term '{unknown[0]}' (weights are of {', '.join(defaults)})")
    return {**defaults, **weights}
