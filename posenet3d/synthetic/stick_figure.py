"""A jointed figure with the 17 joints of Human3.6M, moved by curves.

World: y up, metres. The figure's own axes: x to its left, y up, z forward. Legs follow their ankles (two-bone
inverse kinematics), so a foot on the ground stays there; everything above the hips follows joint angles. Bone
lengths never change.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from posenet3d.core.skeleton import JOINT, N_JOINTS

ANKLE_HEIGHT = 0.08
THIGH, SHANK = 0.44, 0.45
UPPER_ARM, FOREARM = 0.28, 0.25
LEFT_HIP = np.array([0.135, 0, 0])
SPINE = np.array([0, 0.24, 0])
THORAX = np.array([0, 0.255, 0])
NOSE = 0.12 * np.array([0, 0.96, 0.28])  # the nose sits before the spine, and the crown of the head behind the nose
HEAD_TOP = 0.115 * np.array([0, 0.96, -0.28])
LEFT_SHOULDER = 0.155 * np.array([0.96, -0.28, 0])
"""Proportions of Human3.6M's adults, about 1.7 m tall; the right side mirrors the left."""

STANDING_HEIGHT = ANKLE_HEIGHT + 0.985 * (THIGH + SHANK)
"""Height of the pelvis at rest (m): the knees are never quite straight, where a knee's speed would be without bound."""

Track = Float[np.ndarray, "frames 3"]


@dataclass(frozen=True)
class Motion:
    """The curves that move the figure, one row per frame, all angles in degrees.

    Sides are written out as `l_` and `r_`; an arm is (flexion forward, abduction sideways, outward twist,
    elbow), the trunk (bend forward, lean to the left, twist to the left), the head the same, and the pelvis
    the same with the heading as its twist.
    """

    pelvis: Track  # world
    pelvis_deg: Track
    l_ankle: Track  # world
    r_ankle: Track
    trunk_deg: Track
    head_deg: Track
    l_arm_deg: Float[np.ndarray, "frames 4"]
    r_arm_deg: Float[np.ndarray, "frames 4"]
    splay_deg: float = 8.0  # how far the knees point outwards


def forward_kinematics(motion: Motion) -> Float[np.ndarray, "frames 17 3"]:
    """Joint positions (m, world) of every frame."""
    R_world_pelvis = _bend(motion.pelvis_deg)
    # Half of the trunk's bend happens at the waist, half between spine and thorax.
    R_world_spine = R_world_pelvis * _bend(motion.trunk_deg / 2)
    R_world_thorax = R_world_spine * _bend(motion.trunk_deg / 2)
    R_world_head = R_world_thorax * _bend(motion.head_deg)
    at = {"pelvis": motion.pelvis}
    at["spine"] = at["pelvis"] + R_world_spine.apply(SPINE)
    at["thorax"] = at["spine"] + R_world_thorax.apply(THORAX)
    at["neck_nose"] = at["thorax"] + R_world_head.apply(NOSE)
    at["head_top"] = at["neck_nose"] + R_world_head.apply(HEAD_TOP)
    for side, sign, ankle, arm_deg in (
        ("l", 1, motion.l_ankle, motion.l_arm_deg),
        ("r", -1, motion.r_ankle, motion.r_arm_deg),
    ):
        mirror = np.array([sign, 1, 1])
        hip = at["pelvis"] + R_world_pelvis.apply(mirror * LEFT_HIP)
        knee_axis = (R_world_pelvis * Rotation.from_euler("y", sign * motion.splay_deg, degrees=True)).apply([1, 0, 0])
        at[f"{side}_hip"] = hip
        at[f"{side}_knee"], at[f"{side}_ankle"] = _leg(hip, ankle, knee_axis)
        shoulder = at["thorax"] + R_world_thorax.apply(mirror * LEFT_SHOULDER)
        at[f"{side}_shoulder"] = shoulder
        at[f"{side}_elbow"], at[f"{side}_wrist"] = _arm(shoulder, R_world_thorax, arm_deg, sign)
    result = np.empty((len(motion.pelvis), N_JOINTS, 3))
    for name, position in at.items():
        result[:, JOINT[name]] = position
    return result


def _bend(angles_deg: Track) -> Rotation:
    """(forward, left, twist to the left) to a rotation: the twist is outermost, so a heading turns the whole lean."""
    forward, left, twist = angles_deg.T
    return Rotation.from_euler("YXZ", np.stack([twist, forward, -left], -1), degrees=True)


def _leg(hip: Track, ankle: Track, knee_axis: Track) -> tuple[Track, Track]:
    """Knee and ankle by the law of cosines; an ankle out of reach is pulled back to almost the leg's length.

    The knee leaves the line from hip to ankle towards ``line x axis``, which is forward for a hanging leg and
    upward for one stretched out in front: knees bend the way knees do wherever the foot is.
    """
    line = ankle - hip
    distance = np.linalg.norm(line, axis=-1, keepdims=True)
    line = line / distance
    distance = np.minimum(distance, 0.998 * (THIGH + SHANK))
    along = (distance**2 + THIGH**2 - SHANK**2) / (2 * distance)
    bend = np.cross(line, knee_axis)
    bend /= np.linalg.norm(bend, axis=-1, keepdims=True)
    return hip + along * line + np.sqrt(THIGH**2 - along**2) * bend, hip + distance * line


def _arm(
    shoulder: Track, R_world_thorax: Rotation, arm_deg: Float[np.ndarray, "frames 4"], sign: int
) -> tuple[Track, Track]:
    """Elbow and wrist; with all angles 0 the arm hangs, and the elbow bends the forearm forward."""
    flexion, abduction, twist, elbow = arm_deg.T
    turns = np.stack([-flexion, sign * abduction, sign * twist], -1)
    R_world_upper = R_world_thorax * Rotation.from_euler("XZY", turns, degrees=True)
    R_world_fore = R_world_upper * Rotation.from_euler("X", -elbow[:, None], degrees=True)
    at_elbow = shoulder + R_world_upper.apply([0, -UPPER_ARM, 0])
    return at_elbow, at_elbow + R_world_fore.apply([0, -FOREARM, 0])
