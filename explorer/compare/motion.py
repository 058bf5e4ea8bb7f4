"""Smoothness of each 3D result of a clip: numbers, a table and sentences.

Joints are relative to the pelvis (feet: in the camera's frame). Where there is ground truth, each result is first scaled by the
one factor that fits the whole clip best, as `posenet3d evaluate` does. Unknown values are NaN and left out of every mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from explorer.compare.candidates import GROUND_TRUTH, Candidate
from explorer.compare.joint_errors import nan_mean
from explorer.compare.labels import JOINT_LABELS
from explorer.markdown import as_text
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONES, JOINT
from posenet3d.evaluation import metrics
from posenet3d.evaluation import motion as motion_quality

FRAME_BY_FRAME = "frame by frame"
"""Label of the baseline: the teacher lifts each frame of the raw 2D joints by itself."""

ALL_JOINTS, ALL_BONES = "all joints", "all bones"
MOVING = [name for name in JOINT_LABELS if name != JOINT_LABELS[JOINT["pelvis"]]]
"""Joints that can move relative to the pelvis."""

BONE_LABELS = [f"{JOINT_LABELS[parent]} to {JOINT_LABELS[child]}" for parent, child in BONES]
FOOT_LABELS = ("left ankle", "right ankle")

SAME_JERK_RATIO = 1.25
"""Up to this ratio between two jerks, either way, the difference is invisible."""


@dataclass(frozen=True)
class Quantity:
    """A property of motion: its unit, a note, and a function from joints in metres and frame rate to (frames, joints)."""

    unit: str
    note: str
    of: Callable[[np.ndarray, float], np.ndarray]


QUANTITIES = {
    "Speed": Quantity(
        "m/s",
        "How fast a joint moves relative to the pelvis.",
        lambda body, fps: metrics.speed(body) * fps / metrics.MM,
    ),
    "Acceleration": Quantity(
        "m/s²",
        "How quickly a joint's speed and direction change; 9.8 m/s² is free fall.",
        lambda body, fps: metrics.acceleration(body) * fps**2 / metrics.MM,
    ),
    "Jerk": Quantity(
        "mm/frame³",
        "How suddenly the acceleration changes from one frame to the next, also called jitter: shaking is visible here first.",
        lambda body, fps: metrics.jerk(body),
    ),
}


@dataclass(frozen=True)
class ComparedMotion:
    """The motion of one result: as it was lifted, and relative to the pelvis for comparison with the others."""

    label: str
    joints_3d: np.ndarray  # frames, 17, 3: metres, camera frame
    body: np.ndarray  # relative to the pelvis, at the size of the ground truth if there is one


def motions_of(
    sequence: PoseSequence, candidates: Sequence[Candidate], frame_by_frame: np.ndarray | None
) -> list[ComparedMotion]:
    """Return the networks' motions in the order shown, then ground truth (shown or not), then the baseline."""
    found = {candidate.label: candidate.lifted.joints_3d for candidate in candidates if candidate.source is not None}
    if sequence.joints_3d is not None:
        found[GROUND_TRUTH] = sequence.joints_3d
    if frame_by_frame is not None:
        found[FRAME_BY_FRAME] = frame_by_frame
    return [
        ComparedMotion(label, joints_3d, _comparable(joints_3d, sequence.joints_3d))
        for label, joints_3d in found.items()
    ]


def truth_in(motions: Sequence[ComparedMotion]) -> ComparedMotion | None:
    """Return the ground truth among the motions; None if there is none."""
    return next((motion for motion in motions if motion.label == GROUND_TRUTH), None)


def per_joint(motions: Sequence[ComparedMotion], quantity: Quantity, fps: float) -> dict[str, np.ndarray]:
    """Return the mean over the clip of each joint but the pelvis, by label."""
    moving = [JOINT_LABELS.index(name) for name in MOVING]
    return {motion.label: nan_mean(quantity.of(motion.body, fps)[:, moving].T) for motion in motions}


def over_time(motions: Sequence[ComparedMotion], quantity: Quantity, name: str, fps: float) -> dict[str, np.ndarray]:
    """Return (frames,) of one joint, or of the mean over `ALL_JOINTS`, by label."""
    chosen = JOINT_LABELS if name == ALL_JOINTS else [name]
    columns = [JOINT_LABELS.index(joint) for joint in chosen]
    return {motion.label: nan_mean(quantity.of(motion.body[:, columns], fps)) for motion in motions}


def spectra(motions: Sequence[ComparedMotion], name: str, fps: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return frequencies (Hz) and power density ((m/s)²/Hz) of one joint's velocity, or the mean of `ALL_JOINTS`, by label.

    A label without a gap-free window is left out.
    """
    columns = [JOINT_LABELS.index(joint) for joint in (MOVING if name == ALL_JOINTS else [name])]
    found = {}
    for motion in motions:
        frequency, power = motion_quality.velocity_spectrum(motion.body[:, columns], fps)
        density = nan_mean(power)
        if np.isfinite(density).any():
            found[motion.label] = (frequency[1:], density[1:])  # the mean velocity is no vibration
    return found


def feet_on_floor(motions: Sequence[ComparedMotion], fps: float) -> np.ndarray:
    """Return (frames, 2) bool, left and right, for all motions: by the truth's ankle speed, or the first one's ankle height."""
    truth = truth_in(motions)
    if truth is not None:
        return motion_quality.is_planted(truth.joints_3d, fps)
    return motion_quality.is_low(motions[0].joints_3d, fps)


def foot_curves(motions: Sequence[ComparedMotion], foot: int, fps: float) -> dict[str, np.ndarray]:
    """Return the speed (m/s) over time of the left (0) or right (1) ankle in the camera's frame, by label."""
    return {motion.label: motion_quality.foot_speed(motion.joints_3d, fps)[:, foot] for motion in motions}


def bone_drift(motions: Sequence[ComparedMotion], name: str) -> dict[str, np.ndarray]:
    """Return the deviation (%) of a bone, or of the mean of `ALL_BONES`, from its median length over time, by label."""
    curves = {}
    for motion in motions:
        drift = metrics.bone_length_deviation(motion.joints_3d)
        curves[motion.label] = drift.mean(1) if name == ALL_BONES else drift[:, BONE_LABELS.index(name)]
    return curves


def bone_spread(motions: Sequence[ComparedMotion]) -> dict[str, np.ndarray]:
    """Return the standard deviation of each bone's length in % of its mean, by label."""
    return {motion.label: _spread(motion.joints_3d) for motion in motions}


def overview(motions: Sequence[ComparedMotion], fps: float) -> pd.DataFrame:
    """Return one row per motion; columns of two levels, name and unit. Some columns need ground truth."""
    truth, on_floor = truth_in(motions), feet_on_floor(motions, fps)
    rows = []
    for motion in motions:
        row = {}
        for name, quantity in QUANTITIES.items():
            row[name.lower(), quantity.unit] = metrics.finite_mean(quantity.of(motion.body, fps))
            if truth is not None and name == "Acceleration":
                error = metrics.acceleration_error(motion.joints_3d, truth.joints_3d) * fps**2 / metrics.MM
                row["acceleration", "error, m/s²"] = metrics.finite_mean(error)
        if truth is not None:
            row["jerk", "% of truth"] = 100 * jerk_ratio(motion, truth)
        spectrum = motion_quality.velocity_spectrum(motion.body, fps)
        row[f"above {motion_quality.HUMAN_HZ:g} Hz", "% of power"] = motion_quality.share_above(*spectrum)
        row["foot skating", "m/s"] = motion_quality.foot_skating(motion.joints_3d, on_floor, fps)
        row["bone drift", "%"] = metrics.finite_mean(_spread(motion.joints_3d))
        row["known", "% of joints"] = 100 * float(np.isfinite(motion.joints_3d).all(-1).mean())
        rows.append(row)
    heads = pd.MultiIndex.from_tuples(rows[0])
    return pd.DataFrame(rows, [motion.label for motion in motions], heads)


def jerk_ratio(motion: ComparedMotion, reference: ComparedMotion) -> float:
    """Return the ratio of two mean jerks over joints and frames known in both; NaN if the reference has none."""
    ours, theirs = metrics.jerk(motion.body), metrics.jerk(reference.body)
    both = np.isfinite(ours) & np.isfinite(theirs)
    below = metrics.finite_mean(theirs[both])
    return metrics.finite_mean(ours[both]) / below if below > 0 else float("nan")


def verdicts(motions: Sequence[ComparedMotion]) -> list[str]:
    """Return one sentence per network that compares its jerk with the ground truth's, if any, and with the baseline's."""
    truth = truth_in(motions)
    networks = [motion for motion in motions if motion.label not in (GROUND_TRUTH, FRAME_BY_FRAME)]
    baseline = next((motion for motion in motions if motion.label == FRAME_BY_FRAME), None)
    sentences = []
    for motion in networks:
        parts = [] if truth is None else [_compare_with_truth(jerk_ratio(motion, truth))]
        parts += [] if baseline is None else [_compare_with_baseline(jerk_ratio(baseline, motion))]
        sentences.append(f"**{as_text(motion.label)}** {' It '.join(parts)}")
    return sentences if truth is not None or baseline is not None else []


def _compare_with_truth(ratio: float) -> str:
    if not np.isfinite(ratio):
        return "cannot be compared with ground truth: too few consecutive frames."
    percent = f"{100 * ratio:.0f} % of the ground truth's jerk"
    if ratio > SAME_JERK_RATIO:
        return f"is less smooth than ground truth, with {percent}: some shaking is left."
    if ratio < 1 / SAME_JERK_RATIO:
        return f"is smoother than ground truth, with {percent}: some real motion was smoothed away."
    return f"is as smooth as ground truth, with {percent}."


def _compare_with_baseline(ratio: float) -> str:
    if not np.isfinite(ratio):
        return f"cannot be compared with {FRAME_BY_FRAME} lifting: too few consecutive frames."
    if ratio < SAME_JERK_RATIO:
        return f"is about as smooth as {FRAME_BY_FRAME} lifting: the 2D joints were smooth."
    return f"has {ratio:.{0 if ratio >= 10 else 1}f} times less jerk than {FRAME_BY_FRAME} lifting."


def _comparable(joints_3d: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    return metrics.root_relative(joints_3d) if truth is None else metrics.clip_aligned(joints_3d, truth)


def _spread(joints_3d: np.ndarray) -> np.ndarray:
    return metrics.bone_length_drift(joints_3d)[0]
