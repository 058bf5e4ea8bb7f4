"""Lifted sequences against ground truth: what `posenet3d evaluate` prints.

Averages are over frames, so a long clip weighs more than a short one. A frame without a prediction is left
out of every average and counted in `frames_missing`; it never counts as right or wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.evaluation import metrics

PerFrame = dict[str, np.ndarray]  # metric name -> (frames, joints or 1), NaN where it does not exist


@dataclass(frozen=True)
class Metric:
    """How a number of the report is called, its unit, and what it is measured after."""

    label: str
    unit: str
    meaning: str


METRICS: dict[str, Metric] = {
    "mpjpe": Metric("MPJPE", "mm", "pelvis to pelvis, scale as predicted"),
    "pa_mpjpe": Metric("PA-MPJPE", "mm", "after the best similarity of each frame, no reflection"),
    "n_mpjpe": Metric("N-MPJPE", "mm", "after the best scale of each frame"),
    "pck150": Metric("PCK@150", "%", "joints with MPJPE below 150 mm"),
    "auc": Metric("AUC", "%", "mean PCK over 0, 5, ... 150 mm, of MPJPE"),
    "n_pck150": Metric("N-PCK@150", "%", "joints with N-MPJPE below 150 mm"),
    "n_auc": Metric("N-AUC", "%", "mean PCK over 0, 5, ... 150 mm, of N-MPJPE"),
    "mpjve": Metric("MPJVE", "mm/frame", "velocity error, one scale per clip"),
    "acceleration_error": Metric("Acceleration error", "mm/frame²", "one scale per clip"),
    "acceleration_error_m_s2": Metric("Acceleration error", "m/s²", "the same, by the clip's frame rate"),
    "jitter": Metric("Jitter", "mm/frame³", "third difference, one scale per clip"),
    "jitter_truth": Metric("Jitter of the truth", "mm/frame³", "the same of the ground truth: the aim, not 0"),
    "bone_length_drift_percent": Metric("Bone-length drift", "%", "standard deviation over mean within a clip"),
    "bone_length_drift_mm": Metric("Bone-length drift", "mm", "standard deviation within a clip, one scale per clip"),
    "reprojection_error_px": Metric("Reprojection error", "px", "to the 2D joints of the data"),
}

SHARES: dict[str, tuple[Callable[[np.ndarray], float], str]] = {
    "pck150": (metrics.pck, "mpjpe"),
    "auc": (metrics.auc, "mpjpe"),
    "n_pck150": (metrics.pck, "n_mpjpe"),
    "n_auc": (metrics.auc, "n_mpjpe"),
}
"""Metrics that are a share of joints: their function, and the error they look at."""


def evaluate(predictions: Sequence[Lifted], truth: Sequence[PoseSequence]) -> dict:
    """Score predictions against the clips they were lifted from, matched by position.

    Returns:
        A JSON-able dict: `clips`, `frames`, `frames_missing` (no finite prediction), `frames_without_truth`,
        `units`, then the numbers named in `METRICS` (None where undefined): `overall`,
        `per_joint` {joint: {mpjpe, pa_mpjpe, n_mpjpe}}, `per_action` {action: numbers} and
        `per_clip` [{name, action, frames, frames_missing, numbers}].

    Raises:
        InputError: clips or rows do not match, a clip has no ground truth, or no frame at all can be scored.
    """
    check_match(predictions, truth)
    scored = [errors_per_frame(p, g) for p, g in zip(predictions, truth, strict=True)]
    everything = joined(scored)
    if not np.isfinite(everything["mpjpe"]).any():
        raise InputError(
            "the prediction",
            "no frame has finite joints_3d in prediction and ground truth",
            "lift the data again",
        )
    missing = [_not_finite(p.joints_3d) for p in predictions]
    actions = sorted({g.action for g in truth if g.action})
    return {
        "clips": len(truth),
        "frames": int(sum(len(g) for g in truth)),
        "frames_missing": int(sum(m.sum() for m in missing)),
        "frames_without_truth": int(sum(_not_finite(_truth(g)).sum() for g in truth)),
        "units": {name: metric.unit for name, metric in METRICS.items()},
        "overall": _averages(everything),
        "per_joint": _per_joint(everything),
        "per_action": {
            a: _averages(joined([s for s, g in zip(scored, truth, strict=True) if g.action == a])) for a in actions
        },
        "per_clip": [
            {
                "name": g.name,
                "action": g.action,
                "frames": len(g),
                "frames_missing": int(m.sum()),
                **_averages(s),
            }
            for g, m, s in zip(truth, missing, scored, strict=True)
        ],
    }


def errors_per_frame(prediction: Lifted, truth: PoseSequence) -> PerFrame:
    """Every error of one clip, named as in `METRICS`, (frames, joints) or (frames, 1); NaN where undefined."""
    p = prediction.joints_3d.astype(np.float64)
    g = _truth(truth).astype(np.float64)
    unknown = _not_finite(p) | _not_finite(g)
    p[unknown], g[unknown] = np.nan, np.nan
    same_scale = metrics.clip_aligned(p, g)
    acceleration_error = metrics.acceleration_error(p, g)
    drift_percent, drift_mm = metrics.bone_length_drift(same_scale)
    known = np.where(unknown, np.nan, 1.0)[:, None]
    return {
        "mpjpe": metrics.mpjpe(p, g),
        "pa_mpjpe": metrics.pa_mpjpe(p, g),
        "n_mpjpe": metrics.n_mpjpe(p, g),
        "mpjve": metrics.mpjve(p, g),
        "acceleration_error": acceleration_error,
        "acceleration_error_m_s2": acceleration_error * truth.fps**2 / metrics.MM,
        "jitter": metrics.jitter(same_scale),
        "jitter_truth": metrics.jitter(g),
        "bone_length_drift_percent": drift_percent.mean() * known,
        "bone_length_drift_mm": drift_mm.mean() * known,
        "reprojection_error_px": metrics.reprojection_error_px(p, truth.keypoints_px, truth.intrinsics()),
    }


def report_text(result: dict) -> str:
    """The result of `evaluate` as tables for a terminal."""
    overall = result["overall"]
    lines = [
        f"{result['clips']} clips, {result['frames']} frames; left out: {result['frames_missing']} without a "
        f"prediction, {result['frames_without_truth']} without ground truth",
        "",
    ]
    for name, metric in METRICS.items():
        lines.append(f"{metric.label:<20} {_number(overall[name]):>8} {metric.unit:<10} {metric.meaning}")
    lines += ["", *_table("joint", result["per_joint"], ["mpjpe", "pa_mpjpe", "n_mpjpe"])]
    if result["per_action"]:
        columns = ["mpjpe", "pa_mpjpe", "n_mpjpe", "n_pck150", "n_auc", "acceleration_error"]
        lines += ["", *_table("action", result["per_action"], columns)]
    return "\n".join(lines)


def check_match(predictions: Sequence[Lifted], truth: Sequence[PoseSequence]) -> None:
    """Whether predictions were lifted from these clips.

    Raises:
        InputError: their number, names or rows differ, or a clip has no ground truth.
    """
    if len(predictions) != len(truth) or not truth:
        problem = f"it holds {len(predictions)} clips and the data {len(truth)}"
        raise InputError("the prediction", problem, "lift the same file that it is compared with")
    for p, g in zip(predictions, truth, strict=True):
        if p.name != g.name:
            problem = f"clip '{p.name}' stands where the data has '{g.name}'"
            raise InputError("the prediction", problem, "keep the clips in the order of the data")
        if None not in (p.packed_at, g.packed_at) and p.packed_at != g.packed_at:
            problem = f"clip '{g.name}' has (first row, rows in the file) {p.packed_at} but in the data {g.packed_at}"
            raise InputError("the prediction", problem, "lift the same file that it is compared with")
        if g.joints_3d is None:
            raise InputError("the data", f"clip '{g.name}' has no joints_3d", "evaluate on data with 3D ground truth")
        if p.joints_3d.shape != g.joints_3d.shape:
            problem = f"clip '{g.name}' has joints_3d {p.joints_3d.shape} but the data {g.joints_3d.shape}"
            raise InputError("the prediction", problem, "lift the whole clip, one row per frame")


def _truth(clip: PoseSequence) -> np.ndarray:
    assert clip.joints_3d is not None  # `check_match` has seen to it
    return clip.joints_3d


def _not_finite(joints_3d: np.ndarray) -> np.ndarray:
    return ~np.isfinite(joints_3d.reshape(len(joints_3d), -1)).all(axis=1)


def joined(scored: Sequence[PerFrame]) -> PerFrame:
    """The frames of several clips after each other."""
    return {name: np.concatenate([s[name] for s in scored]) for name in scored[0]}


def _averages(errors: PerFrame) -> dict[str, float | None]:
    def average(name: str) -> float:
        if name in SHARES:
            share, of = SHARES[name]
            return share(errors[of])
        return metrics.finite_mean(errors[name])

    return {name: json_number(average(name)) for name in METRICS}


def _per_joint(errors: PerFrame) -> dict[str, dict[str, float | None]]:
    return {
        joint: {name: json_number(metrics.finite_mean(errors[name][:, j])) for name in ("mpjpe", "pa_mpjpe", "n_mpjpe")}
        for j, joint in enumerate(JOINT_NAMES)
    }


def json_number(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(title: str, rows: dict[str, dict], columns: list[str]) -> list[str]:
    width = max(len(name) for name in (title, *rows))
    heads = [f"{METRICS[c].label} {METRICS[c].unit}" for c in columns]
    lines = ["  ".join([f"{title:<{width}}", *heads])]
    for name, row in rows.items():
        cells = [f"{_number(row[c]):>{len(head)}}" for c, head in zip(columns, heads, strict=True)]
        lines.append("  ".join([f"{name:<{width}}", *cells]))
    return lines
