"""Errors of 3D poses, one value per frame and joint; averages are taken last (`posenet3d.evaluation.evaluate`).

Poses are metres in the camera frame, errors millimetres, all arithmetic float64. A pose with a joint that is
not finite scores NaN, never 0. Which alignment each error is taken after:

=====================  =====================================================================================
mpjpe                  pelvis to pelvis; the scale stays as predicted, so a wrong body height costs
n_mpjpe                pelvis to pelvis, then the best scale of each frame
pa_mpjpe               the best similarity of each frame: scale, turn and shift, never a reflection
mpjve, acceleration    pelvis to pelvis, then ONE best scale per clip: a scale per frame would itself shake
pck, auc               work on any of these errors; `n_pck150` in a report is on n_mpjpe, `pck150` on mpjpe
=====================  =====================================================================================

The pelvis counts as a joint like any other, as in VideoPose3D's 17-joint averages.
"""

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import project
from posenet3d.core.skeleton import BONE_CHILDREN, BONE_PARENTS

MM = 1000.0  # millimetres in a metre
PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = np.linspace(0, 150, 31)

Poses = Float[np.ndarray, "frames joints 3"]
Errors = Float[np.ndarray, "frames joints"]


def root_relative(joints_3d: Poses) -> Poses:
    """Joints minus the pelvis of the same frame (m), in float64."""
    joints_3d = np.asarray(joints_3d, np.float64)
    return joints_3d - joints_3d[:, :1]


def scale_aligned(predicted: Poses, truth: Poses) -> Poses:
    """Root-relative prediction (m), each frame times its best scale ``s = <p, g> / <p, p>``.

    Least squares, without the shift: Rhodin, Salzmann and Fua, ECCV 2018 (N-MPJPE). Two cases that the
    formula leaves open: a prediction collapsed to a point keeps s = 0, and s is never negative, for a size is
    not; otherwise the point reflection p = -g would count as perfect.
    """
    p, g = root_relative(predicted), root_relative(truth)
    return _scale((p * g).sum((1, 2)), (p * p).sum((1, 2)))[:, None, None] * p


def clip_aligned(predicted: Poses, truth: Poses) -> Poses:
    """Root-relative prediction (m) times the one scale that fits the whole clip best (frames known in both)."""
    p, g = root_relative(predicted), root_relative(truth)
    known = np.isfinite(p * g)
    return _scale((p * g)[known].sum(keepdims=True), (p * p)[known].sum(keepdims=True)) * p


def procrustes_aligned(predicted: Poses, truth: Poses) -> Poses:
    """Prediction (m) moved onto the truth by the best similarity of each frame; reflections are not allowed.

    Umeyama, PAMI 1991, equations 40 to 42: with the centred poses P, G and ``P'G = U S V'``, the turn is ``U
    D V'`` where D = diag(1, 1, det U det V) keeps its determinant at +1, and the scale is ``tr(S D) /
    |P|^2``. Flipping the last column is the whole difference from the lenient variant, in which a
    depth-mirrored pose scores near 0. Frames that are not finite stay NaN; a collapsed prediction lands on
    the centroid of the truth.
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
    """Distance of each joint (mm), pelvis to pelvis: protocol 1 of Human3.6M (Ionescu et al., PAMI 2014)."""
    return _distance(root_relative(predicted), root_relative(truth))


def n_mpjpe(predicted: Poses, truth: Poses) -> Errors:
    """MPJPE (mm) after the best scale of each frame (`scale_aligned`; Rhodin et al., ECCV 2018)."""
    return _distance(scale_aligned(predicted, truth), root_relative(truth))


def pa_mpjpe(predicted: Poses, truth: Poses) -> Errors:
    """Distance of each joint (mm) after the best similarity of each frame (`procrustes_aligned`): protocol 2."""
    return _distance(procrustes_aligned(predicted, truth), np.asarray(truth, np.float64))


def pck(errors: Float[np.ndarray, "..."], threshold_mm: float = PCK_THRESHOLD_MM) -> float:
    """Percentage of joints whose error (mm) is below the threshold: 3DPCK of Mehta et al., 3DV 2017.

    Strictly below, as in the evaluation script of MPI-INF-3DHP. Errors that are NaN are left out; NaN if none
    is left.
    """
    return 100 * finite_mean((errors < threshold_mm)[np.isfinite(errors)])


def auc(errors: Float[np.ndarray, "..."]) -> float:
    """Mean PCK (%) over the thresholds 0, 5, ... 150 mm, as `mpii_compute_3d_pck` of MPI-INF-3DHP does."""
    return float(np.mean([pck(errors, threshold) for threshold in AUC_THRESHOLDS_MM]))


def mpjve(predicted: Poses, truth: Poses) -> Errors:
    """Velocity error (mm/frame) from frame t - 1 to t, NaN in frame 0 (Pavllo et al., CVPR 2019, VideoPose3D).

    Taken after `clip_aligned`, because the scale of a monocular lift is unknown.
    """
    return _norm(_difference(clip_aligned(predicted, truth), 1) - _difference(root_relative(truth), 1))


def acceleration_error(predicted: Poses, truth: Poses) -> Errors:
    """``|(x[t-1] - 2 x[t] + x[t+1])_predicted - (...)_truth|`` (mm/frame²), NaN in the first and last frame.

    Kanazawa et al., CVPR 2019 (HMMR), as used by VIBE (Kocabas et al., CVPR 2020). Taken after
    `clip_aligned`. For m/s² multiply by fps² / 1000.
    """
    return _norm(_difference(clip_aligned(predicted, truth), 2) - _difference(root_relative(truth), 2))


def reprojection_error_px(
    joints_3d: Poses, keypoints_px: Float[np.ndarray, "frames joints 2"], K: Float[np.ndarray, "3 3"]
) -> Errors:
    """Pixels between the projected joints and the 2D joints; NaN where a joint was not seen.

    A frame with any joint behind the camera is NaN throughout: such a pose was never placed in front of it.
    """
    projected = project(np.asarray(joints_3d, np.float64), np.asarray(K, np.float64))
    projected[np.isnan(projected).any((1, 2))] = np.nan
    return _norm(projected - keypoints_px)


def bone_lengths(joints_3d: Poses) -> Float[np.ndarray, "frames bones"]:
    """Lengths (m) of the 16 bones in the order of `posenet3d.core.skeleton.BONES`."""
    joints_3d = np.asarray(joints_3d, np.float64)
    return _norm(joints_3d[:, BONE_CHILDREN] - joints_3d[:, BONE_PARENTS])


def bone_length_drift(joints_3d: Poses) -> tuple[Float[np.ndarray, " bones"], Float[np.ndarray, " bones"]]:
    """How much each bone changes length within the clip: standard deviation in % of its mean, and in mm.

    The first is the coefficient of variation, blind to scale; both are 0 for a rigid skeleton, NaN without a
    finite frame.
    """
    lengths = bone_lengths(joints_3d)
    lengths = lengths[np.isfinite(lengths).all(1)]
    if len(lengths) == 0:
        return np.full(len(BONE_PARENTS), np.nan), np.full(len(BONE_PARENTS), np.nan)
    spread = lengths.std(0)
    return 100 * _scale(spread, lengths.mean(0)), MM * spread


def speed(joints_3d: Poses) -> Errors:
    """Length of each joint's step from frame t - 1 to t (mm/frame), not root-relative. NaN in frame 0."""
    return _norm(_difference(joints_3d, 1))


def acceleration(joints_3d: Poses) -> Errors:
    """Length of the second difference centred on frame t (mm/frame²). NaN in the first and last frame."""
    return _norm(_difference(joints_3d, 2))


def jerk(joints_3d: Poses) -> Errors:
    """Length of the third difference of frames t - 2 ... t + 1 (mm/frame³). NaN in the first two and the last."""
    return _norm(_difference(joints_3d, 3))


def jitter(joints_3d: Poses) -> Errors:
    """Jerk (mm/frame³) of the root-relative joints: how much the body shakes, whether or not it should.

    Low is not good by itself, a frozen pose has none: read it beside the jitter of the truth.
    """
    return jerk(root_relative(joints_3d))


def finite_mean(values: np.ndarray) -> float:
    """Mean of the finite entries, NaN (without a warning) if there is none."""
    kept = values[np.isfinite(values)]
    return float(kept.mean(dtype=np.float64)) if kept.size else float("nan")


def _scale(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Their ratio where the denominator is positive, else 0; never below 0."""
    ratio = np.divide(numerator, denominator, where=denominator > 0, out=np.zeros_like(denominator))
    return np.maximum(ratio, 0)


def _difference(joints_3d: Poses, order: int) -> Poses:
    """Difference of that order (mm/frame^order), as many rows as frames, padded with NaN at the ends."""
    joints_mm = MM * np.asarray(joints_3d, np.float64)
    padded = np.full_like(joints_mm, np.nan)
    if len(joints_mm) > order:
        padded[(order + 1) // 2 : len(joints_mm) - order // 2] = np.diff(joints_mm, order, axis=0)
    return padded


def _norm(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def _distance(predicted: Poses, truth: Poses) -> Errors:
    return MM * _norm(predicted - truth)
