"""Error measures per joint and frame: distance to ground truth where there is one, reprojection error and bone drift else.

Pure functions from a clip and its lifted joints to numbers with labels and units.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from posenet3d.core.camera import to_rays
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONE_CHILDREN, N_JOINTS
from posenet3d.evaluation import metrics
from posenet3d.evaluation.truth import usable_truth

NO_TRUTH = (
    "This clip has no ground truth, so its true error is unknown. The pages show how well the 3D joints project back onto "
    "the 2D joints (reprojection error) and whether bones keep their length (bone-length drift). "
    "Both can be small while the depth is wrong."
)

WORST_MOMENTS = 10
"""At most so many are marked on the timeline; more would no longer show where to look."""

MIN_DISTANCE_S = 0.5
"""Worst moments closer than this look like one moment."""


@dataclass(frozen=True)
class Measure:
    """One number per frame and joint (NaN: no value), with its labels and unit."""

    key: str
    short: str
    label: str
    unit: str
    digits: int
    note: str
    values: np.ndarray  # frames, joints
    truth: np.ndarray | None = None  # ground truth as the measure aligns it: frames, joints, 3 in the camera frame


@dataclass(frozen=True)
class SmoothnessCurve:
    """Mean acceleration of the body in each frame (m/s²): of the result and of a reference."""

    lifted: np.ndarray
    reference: np.ndarray
    reference_label: str
    title: str = "Smoothness: mean acceleration"
    unit: str = "m/s²"


def measures_of(sequence: PoseSequence, lifted: Lifted, other: Lifted | None = None) -> list[Measure]:
    """Return all measures that this clip allows, the default first; `other` is the result to compare with."""
    against_truth = [] if sequence.joints_3d is None else _against_truth(lifted.joints_3d, usable_truth(sequence))
    against_other = [] if other is None else [_disagreement(lifted.joints_3d, other.joints_3d)]
    return [*against_truth, *against_other, _reprojection(sequence, lifted), _bone_drift(lifted)]


def _against_truth(predicted: np.ndarray, truth: np.ndarray) -> list[Measure]:
    pelvis = predicted[:, :1]
    return [
        Measure(
            "pa_mpjpe",
            "PA-MPJPE",
            "Error after Procrustes (PA)",
            "mm",
            0,
            "Distance to ground truth after the best scale, rotation and translation of each frame: the error of the pose. "
            "The grey skeleton is aligned to the result in the same way.",
            metrics.pa_mpjpe(predicted, truth),
            metrics.procrustes_aligned(truth, predicted),
        ),
        Measure(
            "n_mpjpe",
            "N-MPJPE",
            "Error after scaling (N)",
            "mm",
            0,
            "Distance to ground truth at equal pelvis position, after the best scale of each frame: the error of pose and "
            "orientation.",
            metrics.n_mpjpe(predicted, truth),
            metrics.scale_aligned(truth, predicted) + pelvis,
        ),
        Measure(
            "mpjpe",
            "MPJPE",
            "Error at equal pelvis",
            "mm",
            0,
            "Distance to ground truth at equal pelvis position, without scaling: a wrong body height counts too.",
            metrics.mpjpe(predicted, truth),
            metrics.root_relative(truth) + pelvis,
        ),
    ]


def _disagreement(ours: np.ndarray, theirs: np.ndarray) -> Measure:
    return Measure(
        "disagreement",
        "Disagreement",
        "Disagreement of the two results",
        "mm",
        0,
        "Distance between the two results at equal pelvis position, after the best scale of each frame. Where they "
        "disagree, at least one is wrong; where they agree, both may be wrong.",
        metrics.n_mpjpe(ours, theirs),
    )


def _reprojection(sequence: PoseSequence, lifted: Lifted) -> Measure:
    error_px = metrics.reprojection_error_px(lifted.joints_3d, sequence.keypoints_px, sequence.intrinsics())
    return Measure(
        "reprojection",
        "Reprojection",
        "Reprojection error",
        "px",
        1,
        "Distance in the image between a 3D joint, projected back, and its 2D joint; no value where it was not detected.",
        error_px,
    )


def _bone_drift(lifted: Lifted) -> Measure:
    drift = np.full((len(lifted), N_JOINTS), np.nan)
    drift[:, BONE_CHILDREN] = metrics.bone_length_deviation(lifted.joints_3d)
    return Measure(
        "bone_drift",
        "Bone drift",
        "Bone-length drift",
        "%",
        1,
        "Deviation of the bone that ends in this joint from its median length in the clip; a real bone stays at 0.",
        drift,
    )


def smoothness(sequence: PoseSequence, lifted: Lifted) -> SmoothnessCurve:
    """Return the mean acceleration over time; the reference is ground truth, or the raw 2D joints at the lifted depth."""
    to_m_s2 = sequence.fps**2 / metrics.MM
    if sequence.joints_3d is not None:
        ours = metrics.clip_aligned(lifted.joints_3d, sequence.joints_3d)
        theirs, label = metrics.root_relative(sequence.joints_3d), "ground truth"
    else:
        ours = metrics.root_relative(lifted.joints_3d)
        theirs, label = metrics.root_relative(at_lifted_depth(sequence, lifted)), "raw 2D input at the lifted depth"
    return SmoothnessCurve(
        nan_mean(metrics.acceleration(ours)) * to_m_s2, nan_mean(metrics.acceleration(theirs)) * to_m_s2, label
    )


def at_lifted_depth(sequence: PoseSequence, lifted: Lifted) -> np.ndarray:
    """Return the 2D joints, unsmoothed, in metres at the depths of the lifted joints."""
    depth = lifted.joints_3d[..., 2:]
    rays = to_rays(sequence.keypoints_px, sequence.intrinsics())
    return np.concatenate([rays * depth, depth], -1)


def worst_moments(values: np.ndarray, fps: float) -> list[int]:
    """Return frames where the mean over joints peaks above the clip's average, worst first, at least `MIN_DISTANCE_S` apart."""
    mean = nan_mean(values)
    if not np.isfinite(mean).any():
        return []
    floor = float(nan_mean(mean[None])[0])
    # Padded, because a clip may be worst in its first or last frame.
    padded = np.pad(np.where(np.isfinite(mean), mean, floor - 1), 1, constant_values=floor - 1)
    peaks = find_peaks(padded, height=floor, distance=max(1, round(MIN_DISTANCE_S * fps)))[0] - 1
    worst_first = peaks[np.argsort(-mean[peaks], kind="stable")]
    return [int(frame) for frame in worst_first[:WORST_MOMENTS]]


def colour_top(values: np.ndarray) -> float:
    """Return the end of the colour scale: the 99th percentile, rounded up, so that one outlier does not darken the rest."""
    finite = values[np.isfinite(values)]
    top = float(np.percentile(finite, 99)) if finite.size else 0.0
    if top <= 1e-6:
        return 1.0
    magnitude = 10.0 ** np.floor(np.log10(top))
    steps = magnitude * np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(f"{steps[steps >= top * (1 - 1e-9)][0]:.3g}")


def nan_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of the finite entries of each row; NaN without a warning for a row without any."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(-1)
    return np.divide(total, finite.sum(-1), out=np.full(total.shape, np.nan), where=finite.any(-1))
