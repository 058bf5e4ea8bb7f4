"""Errors of 3D poses, one value per frame and joint, and `METRICS`, the numbers that are made of them.

Poses are metres in the camera frame, errors millimetres, all arithmetic float64. The error of a pose with a joint
that is not finite is NaN, never 0. Alignment before each error:

=====================  =====================================================================================
mpjpe                  pelvis to pelvis; the scale stays as predicted, so a wrong body height is an error
n_mpjpe                pelvis to pelvis, then the best scale of each frame
pa_mpjpe               the best similarity of each frame: scale, rotation and translation, never a reflection
mpjve, acceleration    pelvis to pelvis, then ONE best scale per clip: a scale per frame would itself shake
pck, auc               of any of these errors; `pck150` is of mpjpe, `n_pck150` of n_mpjpe
=====================  =====================================================================================

The pelvis counts as a joint like any other, as in VideoPose3D's 17-joint averages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import project
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONE_CHILDREN, BONE_PARENTS

MM = 1000.0  # millimetres in a metre
PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = np.linspace(0, 150, 31)

Poses = Float[np.ndarray, "frames joints 3"]
Errors = Float[np.ndarray, "frames joints"]


def root_relative(joints_3d: Poses) -> Poses:
    """Return joints minus the pelvis of the same frame (m), in float64."""
    joints_3d = np.asarray(joints_3d, np.float64)
    return joints_3d - joints_3d[:, :1]


def scale_aligned(predicted: Poses, truth: Poses) -> Poses:
    """Return the root-relative prediction (m), each frame times its best scale ``s = <p, g> / <p, p>``.

    Least squares without translation: Rhodin, Salzmann and Fua, ECCV 2018 (N-MPJPE). The formula leaves two cases
    open. A prediction collapsed to a point gets s = 0. A negative s is set to 0; otherwise the point reflection
    p = -g would have no error.
    """
    p, g = root_relative(predicted), root_relative(truth)
    return _scale((p * g).sum((1, 2)), (p * p).sum((1, 2)))[:, None, None] * p


def clip_aligned(predicted: Poses, truth: Poses) -> Poses:
    """Return the root-relative prediction (m) times one scale that fits the whole clip best (frames known in both)."""
    p, g = root_relative(predicted), root_relative(truth)
    known = np.isfinite(p * g)
    return _scale((p * g)[known].sum(keepdims=True), (p * p)[known].sum(keepdims=True)) * p


def procrustes_aligned(predicted: Poses, truth: Poses) -> Poses:
    """Return the prediction (m) moved onto the truth by the best similarity of each frame, without reflection.

    Umeyama, PAMI 1991, equations 40 to 42: with the centred poses P, G and ``P'G = U S V'``, the rotation is
    ``U D V'`` where D = diag(1, 1, det U det V) keeps its determinant at +1, and the scale is ``tr(S D) / |P|^2``.
    Without D, as in the variant that allows reflections, a depth-mirrored pose has an error near 0. Frames that are
    not finite stay NaN. A collapsed prediction becomes the centroid of the truth.
    """
    p, g = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    aligned = np.full_like(p, np.nan)
    known = np.isfinite(p + g).all((1, 2))
    p, g = p[known], g[known]
    centre = g.mean(1, keepdims=True)
    P, G = p - p.mean(1, keepdims=True), g - centre
    U, S, Vt = np.linalg.svd(P.transpose(0, 2, 1) @ G)
    handedness = np.sign(np.linalg.det(U) * np.linalg.det(Vt))
    U[:, :, 2] *= handedness[:, None]
    S[:, 2] *= handedness
    aligned[known] = _scale(S.sum(1), (P * P).sum((1, 2)))[:, None, None] * (P @ (U @ Vt)) + centre
    return aligned


def mpjpe(predicted: Poses, truth: Poses) -> Errors:
    """Return the distance of each joint (mm), pelvis to pelvis: protocol 1 of Human3.6M (Ionescu et al., PAMI 2014)."""
    return _distance(root_relative(predicted), root_relative(truth))


def n_mpjpe(predicted: Poses, truth: Poses) -> Errors:
    """Return MPJPE (mm) after the best scale of each frame (`scale_aligned`; Rhodin et al., ECCV 2018)."""
    return _distance(scale_aligned(predicted, truth), root_relative(truth))


def pa_mpjpe(predicted: Poses, truth: Poses) -> Errors:
    """Return the distance of each joint (mm) after the best similarity of each frame (`procrustes_aligned`): protocol 2."""
    return _distance(procrustes_aligned(predicted, truth), np.asarray(truth, np.float64))


def pck(errors: Float[np.ndarray, "..."], threshold_mm: float = PCK_THRESHOLD_MM) -> float:
    """Return the percentage of joints whose error (mm) is below the threshold: 3DPCK of Mehta et al., 3DV 2017.

    Strictly below, as in the evaluation script of MPI-INF-3DHP. Errors that are NaN are left out. NaN if no
    error is finite.
    """
    return 100 * finite_mean((errors < threshold_mm)[np.isfinite(errors)])


def auc(errors: Float[np.ndarray, "..."]) -> float:
    """Return the mean PCK (%) over the thresholds 0, 5, ... 150 mm, as `mpii_compute_3d_pck` of MPI-INF-3DHP does."""
    return float(np.mean([pck(errors, threshold) for threshold in AUC_THRESHOLDS_MM]))


def mpjve(predicted: Poses, truth: Poses) -> Errors:
    """Return the velocity error (mm/frame) from frame t - 1 to t, NaN in frame 0 (Pavllo et al., CVPR 2019, VideoPose3D).

    Taken after `clip_aligned`, because the scale of a monocular lift is unknown.
    """
    return _norm(_difference(clip_aligned(predicted, truth), 1) - _difference(root_relative(truth), 1))


def acceleration_error(predicted: Poses, truth: Poses) -> Errors:
    """Return ``|(x[t-1] - 2 x[t] + x[t+1])_predicted - (...)_truth|`` (mm/frame²), NaN in the first and last frame.

    Kanazawa et al., CVPR 2019 (HMMR), as used by VIBE (Kocabas et al., CVPR 2020). Taken after
    `clip_aligned`. For m/s² multiply by fps² / 1000.
    """
    return _norm(_difference(clip_aligned(predicted, truth), 2) - _difference(root_relative(truth), 2))


def reprojection_error_px(
    joints_3d: Poses, keypoints_px: Float[np.ndarray, "frames joints 2"], K: Float[np.ndarray, "3 3"]
) -> Errors:
    """Return the pixels between projected joints and 2D joints; NaN where a joint has no 2D.

    All joints are NaN in a frame with a joint behind the camera.
    """
    projected = project(np.asarray(joints_3d, np.float64), np.asarray(K, np.float64))
    projected[np.isnan(projected).any((1, 2))] = np.nan
    return _norm(projected - keypoints_px)


def bone_lengths(joints_3d: Poses) -> Float[np.ndarray, "frames bones"]:
    """Return the lengths (m) of the 16 bones in the order of `posenet3d.core.skeleton.BONES`."""
    joints_3d = np.asarray(joints_3d, np.float64)
    return _norm(joints_3d[:, BONE_CHILDREN] - joints_3d[:, BONE_PARENTS])


def bone_length_drift(joints_3d: Poses) -> tuple[Float[np.ndarray, " bones"], Float[np.ndarray, " bones"]]:
    """Return the standard deviation of each bone's length within the clip, in % of its mean and in mm.

    The first is the coefficient of variation, which does not depend on scale. Both are 0 for a rigid skeleton and NaN
    without a finite frame.
    """
    lengths = bone_lengths(joints_3d)
    lengths = lengths[np.isfinite(lengths).all(1)]
    if len(lengths) == 0:
        return np.full(len(BONE_PARENTS), np.nan), np.full(len(BONE_PARENTS), np.nan)
    spread = lengths.std(0)
    return 100 * _scale(spread, lengths.mean(0)), MM * spread


def bone_length_deviation(joints_3d: Poses) -> Float[np.ndarray, "frames bones"]:
    """Return the difference (%) of each bone in each frame from its median length in the clip; 0 for a rigid skeleton."""
    lengths = bone_lengths(joints_3d)
    known = [bone[np.isfinite(bone)] for bone in lengths.T]
    median = np.array([np.median(bone) if bone.size else np.nan for bone in known])
    return 100 * np.abs(lengths - median) / np.maximum(median, 1e-9)


def speed(joints_3d: Poses) -> Errors:
    """Return the length of each joint's step from frame t - 1 to t (mm/frame), not root-relative. NaN in frame 0."""
    return _norm(_difference(joints_3d, 1))


def acceleration(joints_3d: Poses) -> Errors:
    """Return the length of the second difference centred on frame t (mm/frame²). NaN in the first and last frame."""
    return _norm(_difference(joints_3d, 2))


def jerk(joints_3d: Poses) -> Errors:
    """Return the length of the third difference of frames t - 2 ... t + 1 (mm/frame³).

    NaN in the first two frames and the last.
    """
    return _norm(_difference(joints_3d, 3))


def jitter(joints_3d: Poses) -> Errors:
    """Return the jerk (mm/frame³) of the root-relative joints.

    Lower is not always better, a frozen pose has none: compare it with the jitter of the truth.
    """
    return jerk(root_relative(joints_3d))


def finite_mean(values: np.ndarray) -> float:
    """Return the mean of the finite entries; NaN, without a warning, if there is none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean(dtype=np.float64)) if kept.size else float("nan")


def _scale(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the ratio where the denominator is positive, else 0; never below 0."""
    ratio = np.divide(numerator, denominator, where=denominator > 0, out=np.zeros_like(denominator))
    return np.maximum(ratio, 0)


def _difference(joints_3d: Poses, order: int) -> Poses:
    """Return the difference of this order (mm/frame^order), one row per frame, padded with NaN at the ends."""
    joints_mm = MM * np.asarray(joints_3d, np.float64)
    padded = np.full_like(joints_mm, np.nan)
    if len(joints_mm) > order:
        padded[(order + 1) // 2 : len(joints_mm) - order // 2] = np.diff(joints_mm, order, axis=0)
    return padded


def _norm(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def _distance(predicted: Poses, truth: Poses) -> Errors:
    return MM * _norm(predicted - truth)


@dataclass(frozen=True)
class Comparison:
    """A lifted clip beside its ground truth, in float64; frames that are unknown in one are NaN in both."""

    predicted: Poses
    truth: Poses
    sequence: PoseSequence

    @cached_property
    def predicted_at_true_scale(self) -> Poses:
        """Return the prediction after `clip_aligned`."""
        return clip_aligned(self.predicted, self.truth)

    def in_known_frames(self, value: float) -> Float[np.ndarray, "frames 1"]:
        """Return a number of the whole clip as a column, NaN in unknown frames, so that long clips weigh more."""
        unknown = np.isnan(self.predicted + self.truth).any((1, 2))
        return value * np.where(unknown, np.nan, 1.0)[:, None]


@dataclass(frozen=True)
class Metric:
    """A number of the report.

    Attributes:
        name: its key in JSON.
        label: its name in tables.
        unit: of the number.
        description: what it measures, and after which alignment.
        per_frame: from a clip to (frames, joints) or (frames, 1); NaN where undefined.
        reduce: from these values, of one clip or several, to the number.
        is_per_joint: it is averaged for each joint, too.
    """

    name: str
    label: str
    unit: str
    description: str
    per_frame: Callable[[Comparison], np.ndarray]
    reduce: Callable[[np.ndarray], float] = finite_mean
    is_per_joint: bool = False


def _of_pair(error: Callable[[Poses, Poses], Errors]) -> Callable[[Comparison], Errors]:
    return lambda clip: error(clip.predicted, clip.truth)


_MPJPE, _N_MPJPE, _ACCELERATION_ERROR = _of_pair(mpjpe), _of_pair(n_mpjpe), _of_pair(acceleration_error)

METRICS: tuple[Metric, ...] = (
    Metric("mpjpe", "MPJPE", "mm", "pelvis to pelvis, scale as predicted", _MPJPE, is_per_joint=True),
    Metric("pa_mpjpe", "PA-MPJPE", "mm", "after the best similarity of each frame, no reflection",
           _of_pair(pa_mpjpe), is_per_joint=True),
    Metric("n_mpjpe", "N-MPJPE", "mm", "after the best scale of each frame", _N_MPJPE, is_per_joint=True),
    Metric("pck150", "PCK@150", "%", "joints with MPJPE below 150 mm", _MPJPE, pck),
    Metric("auc", "AUC", "%", "mean PCK over 0, 5, ... 150 mm, of MPJPE", _MPJPE, auc),
    Metric("n_pck150", "N-PCK@150", "%", "joints with N-MPJPE below 150 mm", _N_MPJPE, pck),
    Metric("n_auc", "N-AUC", "%", "mean PCK over 0, 5, ... 150 mm, of N-MPJPE", _N_MPJPE, auc),
    Metric("mpjve", "MPJVE", "mm/frame", "velocity error, one scale per clip", _of_pair(mpjve)),
    Metric("acceleration_error", "Acceleration error", "mm/frame²", "one scale per clip", _ACCELERATION_ERROR),
    Metric("acceleration_error_m_s2", "Acceleration error", "m/s²", "the same, by the clip's frame rate",
           lambda clip: _ACCELERATION_ERROR(clip) * clip.sequence.fps**2 / MM),
    Metric("jitter", "Jitter", "mm/frame³", "third difference, one scale per clip",
           lambda clip: jitter(clip.predicted_at_true_scale)),
    Metric("jitter_truth", "Jitter of the truth", "mm/frame³", "the same of the ground truth: the aim, not 0",
           lambda clip: jitter(clip.truth)),
    Metric("bone_length_drift_percent", "Bone-length drift", "%", "standard deviation over mean within a clip",
           lambda clip: clip.in_known_frames(bone_length_drift(clip.predicted_at_true_scale)[0].mean())),
    Metric("bone_length_drift_mm", "Bone-length drift", "mm", "standard deviation within a clip, one scale per clip",
           lambda clip: clip.in_known_frames(bone_length_drift(clip.predicted_at_true_scale)[1].mean())),
    Metric("reprojection_error_px", "Reprojection error", "px", "to the 2D joints of the data",
           lambda clip: reprojection_error_px(clip.predicted, clip.sequence.keypoints_px, clip.sequence.intrinsics())),
)  # fmt: skip
"""The numbers of `posenet3d.evaluation.evaluate` in the order of its report. To add one, add its record here."""


def metric(name: str) -> Metric:
    """Return the metric with this name; KeyError if there is none."""
    return {one.name: one for one in METRICS}[name]
