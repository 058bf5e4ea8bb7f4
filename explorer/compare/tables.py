"""Tables of the pages; pure functions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from explorer.compare.candidates import Candidate
from explorer.compare.joint_errors import Measure, measures_of, nan_mean, worst_moments
from explorer.compare.labels import JOINT_LABELS
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.evaluation import metrics
from posenet3d.evaluation.evaluate import Evaluation

ACTION_METRICS = ("pa_mpjpe", "n_mpjpe", "mpjpe", "n_pck150")
"""Metrics of `posenet3d.evaluation.evaluate` in the table per action: errors of pose, orientation and size, and PCK."""

ALL_CLIPS = "all clips"

ByLabel = Mapping[str, Measure]
"""One measure by label: of the first candidate, of the second, or of both together."""


def frame_table(sequence: PoseSequence, lifted: Lifted, frame: int) -> pd.DataFrame:
    """Return one row per joint: its 3D and 2D positions, its confidence, and every measure."""
    x, y, z = lifted.joints_3d[frame].astype(float).round(3).T
    u, v = sequence.keypoints_px[frame].astype(float).round(1).T
    columns = {
        "joint": JOINT_LABELS,
        "x (m)": x,
        "y (m)": y,
        "z (m)": z,
        "u (px)": u,
        "v (px)": v,
        "confidence": sequence.confidence[frame].astype(float).round(2),
    }
    for measure in measures_of(sequence, lifted):
        columns[f"{measure.short} ({measure.unit})"] = np.round(measure.values[frame], 1)
    return pd.DataFrame(columns)


def measures_by_key(sequence: PoseSequence, candidates: Sequence[Candidate]) -> dict[str, dict[str, Measure]]:
    """Return every measure that the clip and its one or two candidates allow: by key, then by label.

    Ground truth comes last and is not compared with itself. The disagreement of two networks is one measure of both.
    """
    networks = [candidate for candidate in candidates if candidate.source is not None]
    found: dict[str, dict[str, Measure]] = {}
    for index, candidate in enumerate(sorted(candidates, key=lambda candidate: candidate.source is None)):
        other = networks[1].lifted if index == 0 and len(networks) == 2 else None
        for measure in measures_of(sequence, candidate.lifted, other):
            if measure.truth is not None and candidate.source is None:
                continue
            label = candidate.label if measure.key != "disagreement" else label_of_both(networks)
            found.setdefault(measure.key, {})[label] = measure
    return found


def label_of_both(candidates: Sequence[Candidate]) -> str:
    """Return the label of a number that is about both candidates."""
    return " and ".join(candidate.label for candidate in candidates)


def clip_table(measures: Mapping[str, ByLabel], candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Return one row per candidate: the mean of every measure over all joints and frames; NaN where it has no value."""
    columns: dict[str, list[Any]] = {"mean over the clip": [candidate.label for candidate in candidates]}
    for by_label in measures.values():
        means = {label: metrics.finite_mean(measure.values) for label, measure in by_label.items()}
        of_both = means.get(label_of_both(candidates), np.nan)
        measure = next(iter(by_label.values()))
        columns[f"{measure.short} ({measure.unit})"] = [means.get(candidate.label, of_both) for candidate in candidates]
    return pd.DataFrame(columns)


def joint_table(by_label: ByLabel) -> pd.DataFrame:
    """Return one row per joint: for each label its mean, median and 95th percentile over the frames; NaN without a value."""
    columns: dict[str, list[Any]] = {"joint": JOINT_LABELS}
    for label, measure in by_label.items():
        spread = np.array([_spread(joint) for joint in measure.values.T])
        for name, values in zip(("mean", "median", "95 %"), spread.T, strict=True):
            columns[f"{label}, {measure.unit}: {name}"] = values.tolist()
    return pd.DataFrame(columns)


def moments_table(by_label: ByLabel, fps: float) -> pd.DataFrame:
    """Return the clip's worst moments, worst first.

    A moment is a peak of the mean over joints; the worse of the two candidates counts.

    Returns:
        One row per moment: `time_s`, `frame`, the mean over joints of each label under its name, the `worst joint` of all
        labels in that frame and its value, `worst value`.
    """
    means = {label: nan_mean(measure.values) for label, measure in by_label.items()}
    largest = np.fmax.reduce([measure.values for measure in by_label.values()])
    rows = []
    for frame in worst_moments(np.fmax.reduce(list(means.values()))[:, None], fps):
        joint = int(np.nanargmax(largest[frame]))
        row = {"time_s": frame / fps, "frame": frame}
        row |= {label: float(mean[frame]) for label, mean in means.items()}
        rows.append(row | {"worst joint": JOINT_LABELS[joint], "worst value": float(largest[frame, joint])})
    return pd.DataFrame(rows)


def action_table(results: Mapping[str, Evaluation]) -> pd.DataFrame:
    """Return one row per action, and one for all clips, of each label's result of `posenet3d.evaluation.evaluate`."""
    first = next(iter(results.values()))
    actions = list(first.per_action)
    counts = [[clip for clip in first.per_clip if clip.action == action] for action in actions]
    columns: dict[str, list[Any]] = {
        "action": [*actions, ALL_CLIPS],
        "clips": [*(len(clips) for clips in counts), first.counts.clips],
        "frames": [*(sum(clip.frames for clip in clips) for clips in counts), first.counts.frames],
    }
    for label, result in results.items():
        numbers = [*result.per_action.values(), result.overall]
        for name in ACTION_METRICS:
            metric = metrics.metric(name)
            unit = f" ({metric.unit})" if metric.unit != "mm" else ""
            columns[f"{label}, mm: {metric.label}{unit}"] = [row[name] for row in numbers]
    return pd.DataFrame(columns)


def action_means(results: Mapping[str, Evaluation], metric: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """Return the names of the rows of `action_table`, and the metric of every label in each row."""
    names = [*next(iter(results.values())).per_action, ALL_CLIPS]
    rows = {label: [*result.per_action.values(), result.overall] for label, result in results.items()}
    return names, {label: np.array([row[metric] for row in numbers], float) for label, numbers in rows.items()}


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Return mean, median and 95th percentile of the finite values; NaN without a warning where there is none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.nan, np.nan, np.nan
    return float(finite.mean()), float(np.median(finite)), float(np.percentile(finite, 95))
