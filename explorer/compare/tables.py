"""Tables for the pages; pure functions, no streamlit."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from explorer.compare.candidates import Actor
from explorer.compare.joint_errors import Measure, measures_of, nan_mean, worst_moments
from explorer.viewer.payload import joint_label
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.evaluation import metrics
from posenet3d.evaluation.evaluate import Evaluation

JOINT_LABELS = [joint_label(name) for name in JOINT_NAMES]

ACTION_METRICS = ("pa_mpjpe", "n_mpjpe", "mpjpe", "n_pck150")
"""Of `posenet3d.evaluation.evaluate`, told per action: is the pose right, the facing, the size, and how often."""

ALL_CLIPS = "all clips"

ByLabel = Mapping[str, Measure]
"""One measure, by whom it is about: the first actor, the second, or the two together."""


def frame_table(sequence: PoseSequence, lifted: Lifted, frame: int) -> pd.DataFrame:
    """One row per joint: where it was seen, where it was lifted to, and every measure."""
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


def measures_by_key(sequence: PoseSequence, actors: Sequence[Actor]) -> dict[str, dict[str, Measure]]:
    """Every measure that the clip and its one or two actors allow: by its key, then by whom it is about.

    Ground truth comes last and is not measured against itself. The disagreement of two networks is one measure of both.
    """
    networks = [actor for actor in actors if actor.source is not None]
    found: dict[str, dict[str, Measure]] = {}
    for index, actor in enumerate(sorted(actors, key=lambda actor: actor.source is None)):
        other = networks[1].lifted if index == 0 and len(networks) == 2 else None
        for measure in measures_of(sequence, actor.lifted, other):
            if measure.truth is not None and actor.source is None:
                continue
            label = actor.label if measure.key != "disagreement" else together(networks)
            found.setdefault(measure.key, {})[label] = measure
    return found


def together(actors: Sequence[Actor]) -> str:
    """What the two are called where one number is about both."""
    return " and ".join(actor.label for actor in actors)


def clip_table(measures: Mapping[str, ByLabel], actors: Sequence[Actor]) -> pd.DataFrame:
    """One row per actor: the mean of every measure over all joints and frames; NaN where it is not about this actor."""
    columns: dict[str, list] = {"mean over the clip": [actor.label for actor in actors]}
    for by_label in measures.values():
        means = {label: metrics.finite_mean(measure.values) for label, measure in by_label.items()}
        of_both = means.get(together(actors), np.nan)
        measure = next(iter(by_label.values()))
        columns[f"{measure.short} ({measure.unit})"] = [means.get(actor.label, of_both) for actor in actors]
    return pd.DataFrame(columns)


def joint_table(by_label: ByLabel) -> pd.DataFrame:
    """One row per joint, and per label its mean, median and 95th percentile over the frames; NaN without a value."""
    columns: dict[str, list] = {"joint": JOINT_LABELS}
    for label, measure in by_label.items():
        spread = np.array([_spread(joint) for joint in measure.values.T])
        for name, values in zip(("mean", "median", "95 %"), spread.T, strict=True):
            columns[f"{label}, {measure.unit}: {name}"] = values.tolist()
    return pd.DataFrame(columns)


def moments_table(by_label: ByLabel, fps: float) -> pd.DataFrame:
    """The clip's worst moments, worst first.

    A moment is where the mean over joints peaks, of whichever label is worse there.

    Returns:
        A row per moment: `time_s`, `frame`, the mean over joints of each label under its name, the `worst joint` of all
        labels in that frame and the value `at it`.
    """
    means = {label: nan_mean(measure.values) for label, measure in by_label.items()}
    largest = np.fmax.reduce([measure.values for measure in by_label.values()])
    rows = []
    for frame in worst_moments(np.fmax.reduce(list(means.values()))[:, None], fps):
        joint = int(np.nanargmax(largest[frame]))
        row = {"time_s": frame / fps, "frame": frame}
        row |= {label: float(mean[frame]) for label, mean in means.items()}
        rows.append(row | {"worst joint": JOINT_LABELS[joint], "at it": float(largest[frame, joint])})
    return pd.DataFrame(rows)


def action_table(results: Mapping[str, Evaluation]) -> pd.DataFrame:
    """One row per action, and one for all clips, of what `posenet3d.evaluation.evaluate` found for each label."""
    first = next(iter(results.values()))
    actions = list(first.per_action)
    counts = [[clip for clip in first.per_clip if clip.action == action] for action in actions]
    columns: dict[str, list] = {
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
    """The names of the rows of `action_table`, and in each the metric of every label."""
    names = [*next(iter(results.values())).per_action, ALL_CLIPS]
    rows = {label: [*result.per_action.values(), result.overall] for label, result in results.items()}
    return names, {label: np.array([row[metric] for row in numbers], float) for label, numbers in rows.items()}


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, median and 95th percentile of the finite values; NaN, without a warning, where there is none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.nan, np.nan, np.nan
    return float(finite.mean()), float(np.median(finite)), float(np.percentile(finite, 95))
