"""Fit the calibration of a run on held-out people, and measure it on others."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from posenet3d.errors import InputError
from posenet3d.pose2d.data.data_set import BLOCK, PoseDataSet, people_held_out
from posenet3d.pose2d.evaluation.calibration import Bar, Calibration, calibrate, reliability
from posenet3d.pose2d.evaluation.evaluate import estimate_all
from posenet3d.pose2d.evaluation.scoring import is_near
from posenet3d.pose2d.predict import Estimator


@dataclass(frozen=True)
class CalibrationReport:
    """A fitted calibration, with reliability before and after it on people that it was not fitted on."""

    calibration: Calibration
    before: list[Bar]
    after: list[Bar]
    joints: int  # that reliability was measured on


class _Judged(NamedTuple):
    """The held-out people of a data set, with what is right."""

    confidence: Float[np.ndarray, "people joints"]
    is_right: Bool[np.ndarray, "people joints"]
    counts: Bool[np.ndarray, "people joints"]  # labelled joints of people with a torso
    is_for_fit: Bool[np.ndarray, " people"]


def calibrate_run(run: Path, data: PoseDataSet) -> CalibrationReport:
    """Fit on every other block of held-out images, and measure reliability on the rest.

    Raises:
        InputError: the data has too few held-out images.
    """
    sources = _judge(Estimator(run, calibrate=False), data)
    confidence, is_right, counts, is_for_fit = (np.concatenate(arrays) for arrays in zip(*sources, strict=True))
    if not (is_for_fit.any() and (~is_for_fit).any()):
        raise InputError("--data", "has too few held-out images", "give a few hundred images or more")
    calibration = calibrate(confidence[is_for_fit], is_right[is_for_fit], counts[is_for_fit])
    rest = ~is_for_fit[:, None] & counts
    before = reliability(confidence[rest], is_right[rest])
    after = reliability(calibration(confidence)[rest], is_right[rest])
    return CalibrationReport(calibration, before, after, int(rest.sum()))


def _judge(estimator: Estimator, data: PoseDataSet) -> list[_Judged]:
    """Estimate the held-out people of each source and compare them with their labels."""
    judged = []
    for labels, images in data.sources:
        people = people_held_out(labels)
        if not people:
            continue
        estimated = estimate_all(estimator, people, images)
        labelled = np.stack([person.joints for person in people])
        is_right, counts = is_near(estimated[..., :2], labelled[..., :2], labelled[..., 2] > 0, labels.joint_set.name)
        ranks = {image: rank for rank, image in enumerate(sorted({person.image_id for person in people}))}
        block = np.array([ranks[person.image_id] // BLOCK for person in people])
        judged.append(_Judged(estimated[..., 2], is_right, counts, block % 2 == 0))
    if not judged:
        raise InputError("--data", "has no held-out people", "give a few hundred images or more")
    return judged
