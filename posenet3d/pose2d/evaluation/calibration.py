"""Confidence calibration by Platt scaling, one line per joint.

A calibrated confidence is the share of right joints among joints with that confidence; right means within a fifth of the
torso from the label (PCK@0.2). Networks are overconfident (Guo et al., ICML 2017). A logistic line per joint over the
log-odds of the confidence corrects this and keeps the order of confidences.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit, logit

from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.checked_json import load_json

FILE = "calibration.json"
_EDGE = 1e-4  # confidences are clipped to this distance from 0 and 1


@dataclass(frozen=True)
class Calibration:
    """Slope and shift of the line of every joint."""

    slope: tuple[float, ...]
    shift: tuple[float, ...]

    def __call__(self, confidence: Float[np.ndarray, "*people joints"]) -> Float[np.ndarray, "*people joints"]:
        """Return the probability that a joint is right."""
        return expit(np.array(self.slope) * _log_odds(confidence) + np.array(self.shift))


class Bar(NamedTuple):
    """One bar of a reliability diagram: number of joints, their mean confidence, and the share that is right."""

    joints: int
    confidence: float
    right: float


def calibrate(
    confidence: Float[np.ndarray, "people joints"],
    is_right: Bool[np.ndarray, "people joints"],
    is_labelled: Bool[np.ndarray, "people joints"],
) -> Calibration:
    """Fit the line of each joint by maximum likelihood, with a weak prior towards no change."""
    lines = []
    for odds, right, labelled in zip(_log_odds(confidence).T, is_right.T, is_labelled.T, strict=True):
        lines.append(_fit_line(odds[labelled], right[labelled]))
    slopes, shifts = zip(*lines, strict=True)
    return Calibration(slopes, shifts)


def _fit_line(odds: Float[np.ndarray, " joints"], is_right: Bool[np.ndarray, " joints"]) -> tuple[float, float]:
    def negative_log_posterior(line: np.ndarray) -> float:
        probability = np.clip(expit(line[0] * odds + line[1]), 1e-9, 1 - 1e-9)
        prior = (line - [1.0, 0.0]) ** 2  # a few joints cannot move the line far from the identity
        return float(-np.log(np.where(is_right, probability, 1 - probability)).sum() + prior.sum())

    # A negative slope would reverse the order of confidences.
    slope, shift = minimize(negative_log_posterior, [1.0, 0.0], bounds=[(0.05, 10.0), (-10.0, 10.0)]).x
    return float(slope), float(shift)


def reliability(
    confidence: Float[np.ndarray, " joints"], is_right: Bool[np.ndarray, " joints"], bars: int = 10
) -> list[Bar]:
    """Return the bars of a reliability diagram, one per tenth of confidence that holds a joint."""
    number = np.minimum((confidence * bars).astype(int), bars - 1)
    return [
        Bar(int(chosen.sum()), float(confidence[chosen].mean()), float(is_right[chosen].mean()))
        for chosen in (number == bar for bar in range(bars))
        if chosen.any()
    ]


def calibration_error(bars: list[Bar]) -> float:
    """Return the expected calibration error: mean distance of confidence from the share of right joints (Guo et al.)."""
    return sum(bar.joints * abs(bar.confidence - bar.right) for bar in bars) / max(sum(bar.joints for bar in bars), 1)


def write_calibration(run: Path, calibration: Calibration) -> None:
    """Write the calibration into a run folder, where the estimator reads it."""
    with atomic_write(run / FILE) as file:
        file.write(json.dumps(asdict(calibration), indent=1).encode())


def read_calibration(run: Path, joints: int) -> Calibration | None:
    """Read a run's calibration; None if it has none.

    Raises:
        InputError: the file is damaged.
    """
    path = run / FILE
    if not path.is_file():
        return None
    content = load_json(path)
    lines = []
    for name in ("slope", "shift"):
        line = content.get(name) if isinstance(content, dict) else None
        if not (isinstance(line, list) and len(line) == joints and all(isinstance(v, int | float) for v in line)):
            raise InputError(path, f"field '{name}' does not hold {joints} numbers", "calibrate the run again")
        lines.append(tuple(float(value) for value in line))
    return Calibration(*lines)


def _log_odds(confidence: np.ndarray) -> np.ndarray:
    return logit(np.clip(confidence.astype(np.float64), _EDGE, 1 - _EDGE))
