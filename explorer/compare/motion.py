"""How smoothly each answer to a clip moves: numbers, tables and sentences; no streamlit.

Joints are looked at relative to the pelvis (feet: in the camera's frame) and, where there is ground truth, after the one scale
that fits the whole clip best, as `posenet3d evaluate` does. What is unknown is NaN and left out of every mean.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from explorer.compare.candidates import GROUND_TRUTH, Actor
from explorer.compare.joint_errors import nan_mean
from explorer.compare.tables import JOINT_LABELS
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONES, JOINT
from posenet3d.evaluation import metrics
from posenet3d.evaluation import motion as motion_quality

ALONE = "frame by frame"
"""The raw single-frame lifting: what the teacher makes of the 2D as it came, each frame for itself."""

ALL_JOINTS, ALL_BONES = "all joints", "all bones"
MOVING = [name for name in JOINT_LABELS if name != JOINT_LABELS[JOINT["pelvis"]]]
"""Joints that can move relative to the pelvis."""

BONE_LABELS = [f"{JOINT_LABELS[parent]} to {JOINT_LABELS[child]}" for parent, child in BONES]
FOOT_LABELS = ("left ankle", "right ankle")

AS_SMOOTH = 1.25
"""Up to this ratio between two jerks, either way, nobody sees a difference."""


@dataclass(frozen=True)
class Quantity:
    """A way to look at motion: its unit, what it tells, and (frames, joints) of it from joints in metres and the frame rate."""

    unit: str
    note: str
    of: Callable[[np.ndarray, float], np.ndarray]


QUANTITIES = {
    "Speed": Quantity(
        "m/s",
        "How fast a joint moves against the pelvis.",
        lambda body, fps: metrics.speed(body) * fps / metrics.MM,
    ),
    "Acceleration": Quantity(
        "m/s²",
        "How quickly a joint's speed and direction change; 9.8 m/s² is free fall.",
        lambda body, fps: metrics.acceleration(body) * fps**2 / metrics.MM,
    ),
    "Jerk": Quantity(
        "mm/frame³",
        "How suddenly the acceleration changes from one frame to the next, also called jitter: what shakes shows here first.",
        lambda body, fps: metrics.jerk(body),
    ),
}


@dataclass(frozen=True)
class Motion:
    """One answer to a clip: as it was lifted, and as a body that can be compared with the others."""

    label: str
    joints_3d: np.ndarray  # frames, 17, 3: metres, camera frame
    body: np.ndarray  # the same relative to the pelvis, at the size of the ground truth if there is one


def motions_of(sequence: PoseSequence, actors: Sequence[Actor], alone: np.ndarray | None) -> list[Motion]:
    """The networks' motions in the order shown, then ground truth, shown or not, then frame by frame (`alone`)."""
    found = {actor.label: actor.lifted.joints_3d for actor in actors if actor.source is not None}
    if sequence.joints_3d is not None:
        found[GROUND_TRUTH] = sequence.joints_3d
    if alone is not None:
        found[ALONE] = alone
    return [Motion(label, joints_3d, _comparable(joints_3d, sequence.joints_3d)) for label, joints_3d in found.items()]


def truth_in(motions: Sequence[Motion]) -> Motion | None:
    """The ground truth among the motions."""
    return next((motion for motion in motions if motion.label == GROUND_TRUTH), None)


def per_joint(motions: Sequence[Motion], quantity: Quantity, fps: float) -> dict[str, np.ndarray]:
    """Mean over the clip of each joint but the pelvis, by label."""
    moving = [JOINT_LABELS.index(name) for name in MOVING]
    return {motion.label: nan_mean(quantity.of(motion.body, fps)[:, moving].T) for motion in motions}


def over_time(motions: Sequence[Motion], quantity: Quantity, name: str, fps: float) -> dict[str, np.ndarray]:
    """(frames,) of one joint, or of the mean over `ALL_JOINTS`, by label."""
    chosen = JOINT_LABELS if name == ALL_JOINTS else [name]
    columns = [JOINT_LABELS.index(joint) for joint in chosen]
    return {motion.label: nan_mean(quantity.of(motion.body[:, columns], fps)) for motion in motions}


def spectra(motions: Sequence[Motion], name: str, fps: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Frequencies (Hz) and power density ((m/s)²/Hz) of one joint's velocity, or the mean of `ALL_JOINTS`, by label.

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


def feet_on_floor(motions: Sequence[Motion], fps: float) -> np.ndarray:
    """(frames, 2) bool, left and right: judged once and for everybody, by the truth's speed or the first one's height."""
    truth = truth_in(motions)
    if truth is not None:
        return motion_quality.is_planted(truth.joints_3d, fps)
    return motion_quality.is_low(motions[0].joints_3d, fps)


def foot_curves(motions: Sequence[Motion], foot: int, fps: float) -> dict[str, np.ndarray]:
    """Speed (m/s) over time of the left (0) or right (1) ankle in the camera's frame, by label."""
    return {motion.label: motion_quality.foot_speed(motion.joints_3d, fps)[:, foot] for motion in motions}


def bone_drift(motions: Sequence[Motion], name: str) -> dict[str, np.ndarray]:
    """How far (%) a bone, or the mean of `ALL_BONES`, is from its median length over time, by label."""
    curves = {}
    for motion in motions:
        drift = metrics.bone_length_deviation(motion.joints_3d)
        curves[motion.label] = drift.mean(1) if name == ALL_BONES else drift[:, BONE_LABELS.index(name)]
    return curves


def bone_spread(motions: Sequence[Motion]) -> dict[str, np.ndarray]:
    """Standard deviation of each bone's length in % of its mean, by label."""
    return {motion.label: _spread(motion.joints_3d) for motion in motions}


def overview(motions: Sequence[Motion], fps: float) -> pd.DataFrame:
    """One row per motion; columns of two levels, name and unit. What needs the truth is there only where that is."""
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


def jerk_ratio(motion: Motion, reference: Motion) -> float:
    """Mean jerk of one motion over that of another, over joints and frames known in both; NaN if the other has none."""
    ours, theirs = metrics.jerk(motion.body), metrics.jerk(reference.body)
    both = np.isfinite(ours) & np.isfinite(theirs)
    below = metrics.finite_mean(theirs[both])
    return metrics.finite_mean(ours[both]) / below if below > 0 else float("nan")


def verdicts(motions: Sequence[Motion]) -> list[str]:
    """One sentence per network: how its jerk compares with the truth's, if there is one, and with frame by frame's."""
    truth = truth_in(motions)
    networks = [motion for motion in motions if motion.label not in (GROUND_TRUTH, ALONE)]
    alone = next((motion for motion in motions if motion.label == ALONE), None)
    sentences = []
    for motion in networks:
        said = [] if truth is None else [_against_truth(jerk_ratio(motion, truth))]
        said += [] if alone is None else [_against_alone(jerk_ratio(alone, motion))]
        sentences.append(f"**{motion.label}** {' It '.join(said)}")
    return sentences if truth is not None or alone is not None else []


def _against_truth(ratio: float) -> str:
    if not np.isfinite(ratio):
        return "cannot be compared with the truth: too few frames in a row."
    said = f"{100 * ratio:.0f} % of the truth's jerk"
    if ratio > AS_SMOOTH:
        return f"is rougher than the truth, with {said}: some shaking is left."
    if ratio < 1 / AS_SMOOTH:
        return f"is smoother than the truth, with {said}: some real motion was smoothed away."
    return f"flows as the truth does, with {said}."


def _against_alone(ratio: float) -> str:
    if not np.isfinite(ratio):
        return f"cannot be compared with {ALONE}: too few frames in a row."
    if ratio < AS_SMOOTH:
        return f"moves much as {ALONE} does: the 2D came smooth."
    return f"has {ratio:.{0 if ratio >= 10 else 1}f} times less jerk than {ALONE}."


def _comparable(joints_3d: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    return metrics.root_relative(joints_3d) if truth is None else metrics.clip_aligned(joints_3d, truth)


def _spread(joints_3d: np.ndarray) -> np.ndarray:
    return metrics.bone_length_drift(joints_3d)[0]
