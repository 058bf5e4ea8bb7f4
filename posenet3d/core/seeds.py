"""Numbers over the seeds of a training run, for the tables of results."""

from collections.abc import Sequence
from statistics import mean, stdev


def mean_over_seeds(values: Sequence[float], digits: int) -> str:
    """Return the mean with its standard deviation; the value alone for one seed, 'not run' without a seed."""
    if not values:
        return "not run"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"
