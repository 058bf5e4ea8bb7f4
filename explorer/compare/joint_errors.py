"""What can be said about each joint in each frame: distance to ground truth where there is one, else what can be known.

Pure functions from a clip and its lifted joints to numbers with their words; no streamlit.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from posenet3d.core.camera import to_rays
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONE_CHILDREN, N_JOINTS
from posenet3d.evaluation import metrics

NO_TRUTH = (
    "This clip has no ground truth, so its true error cannot be known. What can be known is how well the 3D explains "
    "the 2D it came from (reprojection error) and whether bones keep their length (bone-length drift). "
    "Both can be small while the depth is wrong."
)

WORST_MOMENTS = 10
"""More marks than this on the timeline no longer say where to look."""

APART_S = 0.5
"""Worst moments closer than this are one moment to a viewer."""


@dataclass(frozen=True)
class Measure:
    """One number per frame and joint (NaN: none), with how to say it."""

    key: str
    short: str
    label: str
    unit: str
    digits: int
    note: str
    values: np.ndarray  # frames, joints
    truth: np.ndarray | None = None  # ground truth where the measure puts it: frames, joints, 3 in the camera frame


@dataclass(frozen=True)
class Curve:
    """Mean acceleration of the body in each frame (m/s²), lifted beside a reference."""

    lifted: np.ndarray
    reference: np.ndarray
    reference_label: str
    title: str = "Smoothness: mean acceleration"
    unit: str = "m/s²"


def measures_of(sequence: PoseSequence, lifted: Lifted, other: Lifted | None = None) -> list[Measure]:
    """All measures that this clip allows, the one to show first in front; `other` is what it is compared with."""
    against_truth = [] if sequence.joints_3d is None else _against_truth(lifted.joints_3d, sequence.joints_3d)
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
            "Distance to ground truth after the best scale, turn and shift of each frame: is the pose right? "
            "The grey skeleton is moved onto the prediction in the same way.",
            metrics.pa_mpjpe(predicted, truth),
            metrics.procrustes_aligned(truth, predicted),
        ),
        Measure(
            "n_mpjpe",
            "N-MPJPE",
            "Error after scaling (N)",
            "mm",
            0,
            "Distance to ground truth, pelvis on pelvis, after the best scale of each frame: do pose and facing fit?",
            metrics.n_mpjpe(predicted, truth),
            metrics.scale_aligned(truth, predicted) + pelvis,
        ),
        Measure(
            "mpjpe",
            "MPJPE",
            "Error, pelvis on pelvis",
            "mm",
            0,
            "Distance to ground truth, pelvis on pelvis and nothing else: a wrong body height counts too.",
            metrics.mpjpe(predicted, truth),
            metrics.root_relative(truth) + pelvis,
        ),
    ]


def _disagreement(ours: np.ndarray, theirs: np.ndarray) -> Measure:
    return Measure(
        "disagreement",
        "Disagreement",
        "Disagreement of the two",
        "mm",
        0,
        "Distance between the two that are shown, pelvis on pelvis, after the best scale of each frame. Where they "
        "disagree at least one is wrong; where they agree both may be.",
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
        "How far a lifted joint, projected back into the image, falls from the 2D input; no value where that has none.",
        error_px,
    )


def _bone_drift(lifted: Lifted) -> Measure:
    lengths = metrics.bone_lengths(lifted.joints_3d)
    usual = nan_median(lengths)
    drift = np.full((len(lengths), N_JOINTS), np.nan)
    drift[:, BONE_CHILDREN] = 100 * np.abs(lengths - usual) / np.maximum(usual, 1e-9)
    return Measure(
        "bone_drift",
        "Bone drift",
        "Bone-length drift",
        "%",
        1,
        "How far the bone that ends in this joint is from its median length in the clip; a real bone stays at 0.",
        drift,
    )


def smoothness(sequence: PoseSequence, lifted: Lifted) -> Curve:
    """The smoothness curve: beside ground truth, or beside the raw input at the lifted depth where there is none."""
    to_m_s2 = sequence.fps**2 / metrics.MM
    if sequence.joints_3d is not None:
        ours = metrics.clip_aligned(lifted.joints_3d, sequence.joints_3d)
        theirs, label = metrics.root_relative(sequence.joints_3d), "ground truth"
    else:
        ours = metrics.root_relative(lifted.joints_3d)
        theirs, label = metrics.root_relative(at_lifted_depth(sequence, lifted)), "raw 2D input at the lifted depth"
    return Curve(
        nan_mean(metrics.acceleration(ours)) * to_m_s2, nan_mean(metrics.acceleration(theirs)) * to_m_s2, label
    )


def at_lifted_depth(sequence: PoseSequence, lifted: Lifted) -> np.ndarray:
    """The input's own joints in metres, each at the depth that the lifter gave it: what it looked like unsmoothed."""
    depth = lifted.joints_3d[..., 2:]
    rays = to_rays(sequence.keypoints_px, sequence.intrinsics())
    return np.concatenate([rays * depth, depth], -1)


def worst_moments(values: np.ndarray, fps: float) -> list[int]:
    """Frames in which the mean over joints peaks above the clip's average, worst first, at least `APART_S` apart."""
    mean = nan_mean(values)
    if not np.isfinite(mean).any():
        return []
    floor = float(nan_mean(mean[None])[0])
    # Padded, for a clip may be at its worst in its first or last frame.
    hills = np.pad(np.where(np.isfinite(mean), mean, floor - 1), 1, constant_values=floor - 1)
    peaks = find_peaks(hills, height=floor, distance=max(1, round(APART_S * fps)))[0] - 1
    worst_first = peaks[np.argsort(-mean[peaks], kind="stable")]
    return [int(frame) for frame in worst_first[:WORST_MOMENTS]]


def colour_top(values: np.ndarray) -> float:
    """Where the colour scale ends: the 99th percentile, rounded up, so that one outlier does not darken the rest."""
    finite = values[np.isfinite(values)]
    top = float(np.percentile(finite, 99)) if finite.size else 0.0
    if top <= 1e-6:
        return 1.0
    magnitude = 10.0 ** np.floor(np.log10(top))
    steps = magnitude * np.array([1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
    return float(f"{steps[steps >= top * (1 - 1e-9)][0]:.3g}")


def nan_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the finite entries of each row, NaN (without a warning) for a row of none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(-1)
    return np.divide(total, finite.sum(-1), out=np.full(total.shape, np.nan), where=finite.any(-1))


def nan_median(values: np.ndarray) -> np.ndarray:
    """Median of the finite entries of each column, NaN (without a warning) for a column of none."""
    known = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(column) if column.size else np.nan for column in known])
