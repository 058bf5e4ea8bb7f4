"""What a confidence is worth: it is mapped to the share of joints that are right among joints that look as sure.

Right means: within a fifth of the torso from the label (PCK@0.2). Networks are too sure of themselves (Guo et al., ICML 2017); a
logistic line per joint over the confidence's log-odds puts it right (Platt scaling), and keeps the order of confidences.
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
_EDGE = 1e-4  # confidences this near to 0 or 1 are not told apart


@dataclass(frozen=True)
class Calibration:
    """Slope and shift of every joint's line."""

    slope: tuple[float, ...]
    shift: tuple[float, ...]

    def __call__(self, confidence: Float[np.ndarray, "*people joints"]) -> Float[np.ndarray, "*people joints"]:
        """The chance that a joint is right."""
        return expit(np.array(self.slope) * _odds(confidence) + np.array(self.shift))


class Bar(NamedTuple):
    """One bar of a reliability diagram: so many joints, their mean confidence, and the share that is right."""

    joints: int
    confidence: float
    right: float


def calibrate(
    confidence: Float[np.ndarray, "people joints"],
    is_right: Bool[np.ndarray, "people joints"],
    is_labelled: Bool[np.ndarray, "people joints"],
) -> Calibration:
    """The lines that explain best which joints are right."""
    lines = []
    for odds, right, labelled in zip(_odds(confidence).T, is_right.T, is_labelled.T, strict=True):
        lines.append(_line(odds[labelled], right[labelled]))
    slopes, shifts = zip(*lines, strict=True)
    return Calibration(slopes, shifts)


def _line(odds: Float[np.ndarray, " joints"], is_right: Bool[np.ndarray, " joints"]) -> tuple[float, float]:
    def surprise(line: np.ndarray) -> float:
        chance = np.clip(expit(line[0] * odds + line[1]), 1e-9, 1 - 1e-9)
        away = (line - [1.0, 0.0]) ** 2  # a few joints cannot pull the line far from what it says without them
        return float(-np.log(np.where(is_right, chance, 1 - chance)).sum() + away.sum())

    # A line that falls would turn the order of confidences over.
    found = minimize(surprise, [1.0, 0.0], bounds=[(0.05, 10.0), (-10.0, 10.0)]).x
    return float(found[0]), float(found[1])


def reliability(
    confidence: Float[np.ndarray, " joints"], is_right: Bool[np.ndarray, " joints"], bars: int = 10
) -> list[Bar]:
    """Joints by tenths of confidence; a tenth in which there are none has no bar."""
    number = np.minimum((confidence * bars).astype(int), bars - 1)
    return [
        Bar(int(chosen.sum()), float(confidence[chosen].mean()), float(is_right[chosen].mean()))
        for chosen in (number == bar for bar in range(bars))
        if chosen.any()
    ]


def calibration_error(bars: list[Bar]) -> float:
    """Expected calibration error: how far confidence is from the share that is right, over all joints (Guo et al.)."""
    return sum(bar.joints * abs(bar.confidence - bar.right) for bar in bars) / max(sum(bar.joints for bar in bars), 1)


def write_calibration(run: Path, calibration: Calibration) -> None:
    """Leave it in a run folder, where the estimator looks for it."""
    with atomic_write(run / FILE) as file:
        file.write(json.dumps(asdict(calibration), indent=1).encode())


def read_calibration(run: Path, joints: int) -> Calibration | None:
    """A run's calibration; None if it was never calibrated.

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


def _odds(confidence: np.ndarray) -> np.ndarray:
    return logit(np.clip(confidence.astype(np.float64), _EDGE, 1 - _EDGE))
