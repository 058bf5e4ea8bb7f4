"""Evaluation protocols of Human3.6M, MPI-INF-3DHP and 3DPW: clips, frames and joints, alignment and averaging.

Human3.6M: subjects S9 and S11, all cameras. Errors are averaged over the frames of each action and then over the actions,
as in the tables of its papers (VideoPose3D's evaluation). Protocol 1 is MPJPE, protocol 2 PA-MPJPE without reflection; some
papers use every 64th frame (``--every 64``). MPI-INF-3DHP: 3DPCK and AUC over the 14 joints of the authors' script, or over
all 17 as later papers do, valid frames only. 3DPW: PA-MPJPE of the 14 joints of LSP, as in SMPL papers.

The alignment of each error is described in `posenet3d.evaluation.metrics`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.evaluation import metrics
from posenet3d.evaluation.evaluate import check_match, concatenated, json_number
from posenet3d.evaluation.truth import usable_truth

ALL_JOINTS = JOINT_NAMES
LIMBS_NECK_HEAD = tuple(name for name in JOINT_NAMES if name not in ("pelvis", "spine", "neck_nose"))
"""The 14 joints of 3DHP's script and of LSP; H36M's thorax is used for the neck, its head for the head top."""

ErrorOf = Callable[[metrics.Poses, metrics.Poses], metrics.Errors]


@dataclass(frozen=True)
class Column:
    """One number of a protocol: an error in mm, and how it is averaged (`reduce`)."""

    name: str
    error: ErrorOf
    unit: str = "mm"
    reduce: Callable[[np.ndarray], float] = metrics.finite_mean


@dataclass(frozen=True)
class Protocol:
    """The evaluation protocol of a benchmark; papers compare the first column."""

    title: str
    columns: tuple[Column, ...]
    joints: tuple[str, ...] = ALL_JOINTS
    subjects: tuple[str, ...] = ()  # only these; all if empty
    is_action_mean: bool = False  # the mean over actions, not over frames


@dataclass(frozen=True)
class ProtocolScores:
    """The numbers of a protocol.

    Attributes:
        protocol: its name.
        every: frames 0, every, 2 x every ... of each clip were used.
        subjects: those of the protocol that the data has; empty if the protocol uses all.
        clips: number of clips.
        frames: with a prediction and ground truth.
        frames_missing: with ground truth but without a prediction; left out of every average.
        frames_without_truth: without a pose as ground truth (`posenet3d.evaluation.truth`); left out, too.
        average: by the name of the column; None without a frame.
        per_action: the same by action.
    """

    protocol: str
    every: int
    subjects: list[str]
    clips: int
    frames: int
    frames_missing: int
    average: dict[str, float | None]
    per_action: dict[str, dict[str, float | None]]
    frames_without_truth: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``posenet3d evaluate --protocol NAME --json``."""
        return asdict(self)


def _pa_of(joints: tuple[str, ...]) -> ErrorOf:
    """Return PA-MPJPE in which only these joints are aligned."""
    rows = [JOINT_NAMES.index(name) for name in joints]

    def error(predicted: metrics.Poses, truth: metrics.Poses) -> metrics.Errors:
        errors = np.full(predicted.shape[:2], np.nan)
        errors[:, rows] = metrics.pa_mpjpe(predicted[:, rows], truth[:, rows])
        return errors

    return error


MPJPE, N_MPJPE = Column("MPJPE", metrics.mpjpe), Column("N-MPJPE", metrics.n_mpjpe)
PCK_COLUMNS = (
    Column("PCK@150", metrics.mpjpe, "%", metrics.pck),
    Column("AUC", metrics.mpjpe, "%", metrics.auc),
    MPJPE,
    Column("N-PCK@150", metrics.n_mpjpe, "%", metrics.pck),
    Column("N-AUC", metrics.n_mpjpe, "%", metrics.auc),
)
H36M_TEST = ("S9", "S11")

PROTOCOLS: dict[str, Protocol] = {
    "h36m-p1": Protocol("Human3.6M protocol 1", (MPJPE,), subjects=H36M_TEST, is_action_mean=True),
    "h36m-p2": Protocol(
        "Human3.6M protocol 2", (Column("PA-MPJPE", metrics.pa_mpjpe),), subjects=H36M_TEST, is_action_mean=True
    ),
    "h36m-n": Protocol("Human3.6M, N-MPJPE", (N_MPJPE,), subjects=H36M_TEST, is_action_mean=True),
    "3dhp": Protocol("MPI-INF-3DHP, 14 joints", PCK_COLUMNS, LIMBS_NECK_HEAD),
    "3dhp-17": Protocol("MPI-INF-3DHP, 17 joints", PCK_COLUMNS),
    "3dpw": Protocol("3DPW, 14 joints", (Column("PA-MPJPE", _pa_of(LIMBS_NECK_HEAD)), MPJPE, N_MPJPE), LIMBS_NECK_HEAD),
}


def score(predictions: Sequence[Lifted], truth: Sequence[PoseSequence], name: str, *, every: int = 1) -> ProtocolScores:
    """Return the numbers of a protocol.

    Args:
        predictions: one per clip, in the order of `truth`.
        truth: with 3D.
        name: in `PROTOCOLS`.
        every: use the frames 0, every, 2 x every ... of each clip.

    Raises:
        InputError: the clips do not match, or no clip shows a subject of the protocol.
        ValueError: an unknown protocol, or `every` below 1.
    """
    if name not in PROTOCOLS or every < 1:
        raise ValueError(f"'{name}' is none of {', '.join(PROTOCOLS)}, or every={every} is below 1")
    protocol = PROTOCOLS[name]
    check_match(predictions, truth)
    pairs = [
        (p, g)
        for p, g in zip(predictions, truth, strict=True)
        if not protocol.subjects or g.subject in protocol.subjects
    ]
    if not pairs:
        wanted = " and ".join(protocol.subjects)
        raise InputError("the data", f"has no clip of {wanted}, the subjects of {protocol.title}", "give the test set")
    by_action: dict[str, list[dict[str, np.ndarray]]] = {}
    for p, g in pairs:
        by_action.setdefault(g.action, []).append(_errors(p, g, protocol, every))
    actions = {action: concatenated(parts) for action, parts in by_action.items()}
    per_action = {action: _numbers(errors, protocol) for action, errors in sorted(actions.items())}
    all_errors = concatenated([part for parts in by_action.values() for part in parts])
    frames = int(np.isfinite(all_errors[protocol.columns[0].name]).any(1).sum())
    if frames == 0:
        remedy = "lift the data again, or give data with ground truth"
        raise InputError(
            "the prediction", "no frame of the protocol has finite joints in prediction and ground truth", remedy
        )
    if protocol.is_action_mean:
        known = [[row[c.name] for row in per_action.values()] for c in protocol.columns]
        average = {c.name: _mean(values) for c, values in zip(protocol.columns, known, strict=True)}
    else:
        average = _numbers(all_errors, protocol)
    return ProtocolScores(
        protocol=name,
        every=every,
        subjects=sorted({g.subject for _, g in pairs if g.subject}) if protocol.subjects else [],
        clips=len(pairs),
        frames=frames,
        frames_missing=sum(_n_missing(p, g, every) for p, g in pairs),
        average=average,
        per_action=per_action if len(per_action) > 1 or "" not in per_action else {},
        frames_without_truth=sum(int((~_has_truth(g, every)).sum()) for _, g in pairs),
    )


def score_text(result: ProtocolScores) -> str:
    """Return the result of `score` as a table for a terminal."""
    protocol = PROTOCOLS[result.protocol]
    every = f", every {result.every}th frame" if result.every > 1 else ""
    mean = "mean over actions" if protocol.is_action_mean else "mean over frames"
    heads = [f"{column.name} {column.unit}" for column in protocol.columns]
    rows = {**result.per_action, mean: result.average}
    width = max(len(name) for name in rows)
    counts = {"a prediction": result.frames_missing, "ground truth": result.frames_without_truth}
    left_out = ", ".join(f"{count} without {what}" for what, count in counts.items() if count)
    missing = f"; left out: {left_out}" if left_out else ""
    lacking = [subject for subject in protocol.subjects if subject not in result.subjects]
    only = f" (without {' and '.join(lacking)}: not the whole test set)" if lacking else ""
    lines = [f"{protocol.title}{only}: {result.clips} clips, {result.frames} frames{every}{missing}", ""]
    lines.append("  ".join([" " * width, *heads]))
    for name, row in rows.items():
        cells = [
            f"{'-' if row[c.name] is None else format(row[c.name], '.1f'):>{len(head)}}"
            for c, head in zip(protocol.columns, heads, strict=True)
        ]
        lines.append("  ".join([f"{name:<{width}}", *cells]))
    return "\n".join(lines)


def _errors(p: Lifted, g: PoseSequence, protocol: Protocol, every: int) -> dict[str, np.ndarray]:
    """Return each column's errors (frames, the protocol's joints), NaN in frames without prediction or ground truth."""
    predicted, truth = p.joints_3d[::every].astype(np.float64), usable_truth(g)[::every]
    unknown = ~(np.isfinite(predicted).all((1, 2)) & np.isfinite(truth).all((1, 2)))
    predicted[unknown], truth[unknown] = np.nan, np.nan
    rows = [JOINT_NAMES.index(joint) for joint in protocol.joints]
    computed = {error: error(predicted, truth)[:, rows] for error in {column.error for column in protocol.columns}}
    return {column.name: computed[column.error] for column in protocol.columns}


def _n_missing(p: Lifted, g: PoseSequence, every: int) -> int:
    return int((_has_truth(g, every) & ~np.isfinite(p.joints_3d[::every]).all((1, 2))).sum())


def _has_truth(g: PoseSequence, every: int) -> np.ndarray:
    """Return whether each used frame has a pose as ground truth."""
    return np.isfinite(usable_truth(g)[::every]).all((1, 2))


def _numbers(errors: dict[str, np.ndarray], protocol: Protocol) -> dict[str, float | None]:
    return {column.name: json_number(column.reduce(errors[column.name])) for column in protocol.columns}


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
