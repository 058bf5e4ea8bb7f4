"""Compare lifted sequences with ground truth: the numbers of `posenet3d evaluate`.

Averages are over frames, so a long clip weighs more than a short one. A frame without a prediction is left out of every
average and counted in `frames_missing`; it is neither right nor wrong. A frame whose ground truth is no pose (zeros, or no
person's size: `posenet3d.evaluation.truth`) is left out, too, and counted in `frames_without_truth`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.evaluation.metrics import METRICS, Comparison, finite_mean, metric
from posenet3d.evaluation.truth import check_unit, usable_truth

PerFrame = dict[str, np.ndarray]  # metric name -> (frames, joints or 1), NaN where it does not exist


class Scores(Mapping[str, float | None]):
    """Numbers by the name of their metric, ``scores.pa_mpjpe`` or ``scores["pa_mpjpe"]``; None where undefined."""

    def __init__(self, values: Mapping[str, float | None]):
        self._values = dict(values)

    def __getitem__(self, name: str) -> float | None:
        return self._values[name]

    def __getattr__(self, name: str) -> float | None:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(f"there is no metric '{name}' here, but {', '.join(self.__dict__.get('_values', ()))}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Scores({', '.join(f'{name}={_number(value)}' for name, value in self.items())})"

    def to_dict(self) -> dict[str, float | None]:
        """Return the numbers for JSON."""
        return dict(self._values)


@dataclass(frozen=True)
class Counts:
    """What an evaluation is about.

    Attributes:
        clips: number of clips.
        frames: in all clips.
        frames_missing: frames without a finite prediction.
        frames_without_truth: frames whose ground truth is not finite, zeros, or no person's size.
    """

    clips: int
    frames: int
    frames_missing: int
    frames_without_truth: int


@dataclass(frozen=True)
class ClipScores:
    """The numbers of one clip."""

    name: str
    action: str
    frames: int
    frames_missing: int
    scores: Scores


@dataclass(frozen=True)
class Evaluation:
    """The result of `evaluate`.

    Attributes:
        counts: of clips and frames.
        overall: the numbers of all frames.
        per_joint: by the name of the joint, for the metrics that are defined per joint.
        per_action: by action, for clips that have one.
        per_clip: in the order of the clips.
    """

    counts: Counts
    overall: Scores
    per_joint: Mapping[str, Scores]
    per_action: Mapping[str, Scores]
    per_clip: tuple[ClipScores, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``posenet3d evaluate --json``."""
        return {
            **asdict(self.counts),
            "units": {one.name: one.unit for one in METRICS},
            "overall": self.overall.to_dict(),
            "per_joint": {joint: scores.to_dict() for joint, scores in self.per_joint.items()},
            "per_action": {action: scores.to_dict() for action, scores in self.per_action.items()},
            "per_clip": [
                {
                    "name": clip.name,
                    "action": clip.action,
                    "frames": clip.frames,
                    "frames_missing": clip.frames_missing,
                    **clip.scores.to_dict(),
                }
                for clip in self.per_clip
            ],
        }


def evaluate(predictions: Sequence[Lifted], truth: Sequence[PoseSequence]) -> Evaluation:
    """Compare predictions with the clips they were lifted from, matched by position.

    Raises:
        InputError: clips or rows do not match, a clip has no ground truth, or no frame can be compared.
    """
    check_match(predictions, truth)
    errors = [errors_per_frame(p, g) for p, g in zip(predictions, truth, strict=True)]
    all_errors = concatenated(errors)
    if not np.isfinite(all_errors["mpjpe"]).any():
        raise InputError(
            "the prediction",
            "no frame has finite joints_3d in prediction and ground truth",
            "lift the data again, or give data with ground truth",
        )
    missing = [int(_not_finite(p.joints_3d).sum()) for p in predictions]
    of_action: dict[str, list[PerFrame]] = {g.action: [] for g in sorted(truth, key=lambda g: g.action) if g.action}
    for g, clip_errors in zip(truth, errors, strict=True):
        if g.action:
            of_action[g.action].append(clip_errors)
    return Evaluation(
        counts=Counts(
            clips=len(truth),
            frames=int(sum(len(g) for g in truth)),
            frames_missing=sum(missing),
            frames_without_truth=int(sum(_not_finite(usable_truth(g)).sum() for g in truth)),
        ),
        overall=_averages(all_errors),
        per_joint=_per_joint(all_errors),
        per_action={action: _averages(concatenated(clips)) for action, clips in of_action.items()},
        per_clip=tuple(
            ClipScores(g.name, g.action, len(g), n_missing, _averages(clip_errors))
            for g, n_missing, clip_errors in zip(truth, missing, errors, strict=True)
        ),
    )


def errors_per_frame(prediction: Lifted, truth: PoseSequence) -> PerFrame:
    """Return the values of every metric of one clip by name, (frames, joints) or (frames, 1); NaN where undefined."""
    p = prediction.joints_3d.astype(np.float64)
    g = usable_truth(truth)
    unknown = _not_finite(p) | _not_finite(g)
    p[unknown], g[unknown] = np.nan, np.nan
    clip = Comparison(p, g, truth)
    computed: dict[Callable[[Comparison], np.ndarray], np.ndarray] = {}  # several metrics reduce the same values
    for one in METRICS:
        if one.per_frame not in computed:
            computed[one.per_frame] = one.per_frame(clip)
    return {one.name: computed[one.per_frame] for one in METRICS}


JOINT_COLUMNS = tuple(one.name for one in METRICS if one.is_per_joint)
ACTION_COLUMNS = ("mpjpe", "pa_mpjpe", "n_mpjpe", "n_pck150", "n_auc", "acceleration_error")


def report_text(result: Evaluation) -> str:
    """Return an evaluation as tables for a terminal."""
    counts = result.counts
    lines = [
        f"{counts.clips} clips, {counts.frames} frames; left out: {counts.frames_missing} without a "
        f"prediction, {counts.frames_without_truth} without ground truth",
        "",
    ]
    for one in METRICS:
        lines.append(f"{one.label:<20} {_number(result.overall[one.name]):>8} {one.unit:<10} {one.description}")
    lines += ["", *_table("joint", result.per_joint, JOINT_COLUMNS)]
    if result.per_action:
        lines += ["", *_table("action", result.per_action, ACTION_COLUMNS)]
    return "\n".join(lines)


def check_match(predictions: Sequence[Lifted], truth: Sequence[PoseSequence]) -> None:
    """Check that predictions were lifted from these clips.

    Raises:
        InputError: their number, names or rows differ, or a clip has no ground truth, or not in metres.
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
        check_unit(g)


def _not_finite(joints_3d: np.ndarray) -> np.ndarray:
    return ~np.isfinite(joints_3d.reshape(len(joints_3d), -1)).all(axis=1)


def concatenated(errors: Sequence[PerFrame]) -> PerFrame:
    """Return the frames of several clips after each other."""
    return {name: np.concatenate([clip[name] for clip in errors]) for name in errors[0]}


def _averages(errors: PerFrame) -> Scores:
    return Scores({one.name: json_number(one.reduce(errors[one.name])) for one in METRICS})


def _per_joint(errors: PerFrame) -> dict[str, Scores]:
    return {
        joint: Scores({name: json_number(finite_mean(errors[name][:, j])) for name in JOINT_COLUMNS})
        for j, joint in enumerate(JOINT_NAMES)
    }


def json_number(value: float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return value if np.isfinite(value) else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _table(title: str, rows: Mapping[str, Scores], columns: Sequence[str]) -> list[str]:
    width = max(len(name) for name in (title, *rows))
    heads = [f"{metric(name).label} {metric(name).unit}" for name in columns]
    lines = ["  ".join([f"{title:<{width}}", *heads])]
    for name, row in rows.items():
        cells = [f"{_number(row[c]):>{len(head)}}" for c, head in zip(columns, heads, strict=True)]
        lines.append("  ".join([f"{name:<{width}}", *cells]))
    return lines
