"""Joint sets of detectors and data sets, and their conversion to the 17 joints of Human3.6M.

A joint set is a tuple of names. A name means the same place on the body in every set, so one list of recipes per
Human3.6M joint serves all sets, and a file with its own joint names needs no code.

The weights were measured on a neutral adult body (heights above the middle of the hips, as a share of hips to
shoulders: shoulders 1, nose 1.33, ears 1.37, Human3.6M's neck_nose 1.35, its head_top 1.58, top of the skull 1.61).
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from posenet3d.core.skeleton import JOINT_NAMES, N_JOINTS


@dataclass(frozen=True)
class JointSet:
    """The joints of one detector or data set, in its order."""

    name: str
    joints: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.joints)


class Recipe(NamedTuple):
    """A joint as a weighted mean of others (weights sum to 1; negative ones extrapolate), and a factor of its confidence."""

    weights: dict[str, float]
    trust: float = 1.0


def _both(joint: str, share: float) -> dict[str, float]:
    """Return the weights of a left and a right joint that share `share` equally."""
    return {f"l_{joint}": share / 2, f"r_{joint}": share / 2}


def _above_shoulders(landmarks: dict[str, float], reach: float, trust: float) -> Recipe:
    """Return the point on the line from the middle of the shoulders to the landmarks, at `reach` times its length."""
    return Recipe({name: reach * share for name, share in landmarks.items()} | _both("shoulder", 1 - reach), trust)


# Tried in order. A joint that the set has itself is copied or stays missing; only other joints are estimated.
RECIPES: dict[str, tuple[Recipe, ...]] = {
    **{name: (Recipe({name: 1.0}),) for name in JOINT_NAMES},
    # Human3.6M's pelvis is the middle of its hips: both hips come before a detector's estimate; one hip is not enough.
    "pelvis": (Recipe({"pelvis": 1.0}), Recipe(_both("hip", 1.0)), Recipe({"mid_hip": 1.0})),
    "spine": (Recipe({"spine": 1.0}), Recipe(_both("hip", 0.5) | _both("shoulder", 0.5))),
    # The base of the neck. OpenPose's and Halpe's neck is on the shoulder line; an upper neck is not a thorax.
    "thorax": (Recipe({"thorax": 1.0}), Recipe(_both("shoulder", 1.0)), Recipe({"neck": 1.0}, 0.8)),
    # The middle of neck and head, half-way from thorax to head top. The motion capture that the lifter was trained on
    # defines it so; Human3.6M's own point lies a few centimetres further forward. Estimated like the head top.
    "neck_nose": (
        Recipe({"neck_nose": 1.0}),
        Recipe({"head_top": 0.5} | _both("shoulder", 0.5)),
        Recipe({"head_top": 0.5, "neck": 0.5}, 0.8),
        _above_shoulders(_both("ear", 1.0), 0.8, 0.8),
        _above_shoulders(_both("eye", 1.0), 0.72, 0.7),
        _above_shoulders({"l_ear": 1.0}, 0.8, 0.6),
        _above_shoulders({"r_ear": 1.0}, 0.8, 0.6),
        _above_shoulders({"nose": 1.0}, 0.8, 0.5),
        _above_shoulders({"head_joint": 1.0}, 0.9, 0.8),
    ),
    "head_top": (
        Recipe({"head_top": 1.0}),
        _above_shoulders(_both("ear", 1.0), 1.6, 0.5),
        _above_shoulders(_both("eye", 1.0), 1.45, 0.4),
        # The visible ear alone, for profiles: half a head's width off sideways when seen from the front.
        _above_shoulders({"l_ear": 1.0}, 1.6, 0.3),
        _above_shoulders({"r_ear": 1.0}, 1.6, 0.3),
        _above_shoulders({"head_joint": 1.0}, 1.8, 0.5),
    ),
}


def _names(text: str) -> tuple[str, ...]:
    """Split a text of names at its spaces."""
    return tuple(text.split())


def _unnamed(first: int, stop: int) -> tuple[str, ...]:
    """Return names of face and hand points, which no recipe uses."""
    return tuple(f"point_{index}" for index in range(first, stop))


_COCO = _names(
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
    "l_hip r_hip l_knee r_knee l_ankle r_ankle"
)
_HALPE = (
    *_COCO,
    *_names("head_top neck mid_hip l_big_toe r_big_toe l_small_toe r_small_toe l_heel r_heel"),
)
_OPENPOSE_FEET = _names("l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel")

JOINT_SETS: dict[str, JointSet] = {
    joint_set.name: joint_set
    for joint_set in (
        JointSet("h36m17", JOINT_NAMES),
        JointSet("coco17", _COCO),
        JointSet(
            "coco18",
            _names(
                "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist "
                "r_hip r_knee r_ankle l_hip l_knee l_ankle r_eye l_eye r_ear l_ear"
            ),
        ),
        JointSet(
            "body25",
            _names(
                "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist mid_hip "
                "r_hip r_knee r_ankle l_hip l_knee l_ankle r_eye l_eye r_ear l_ear"
            )
            + _OPENPOSE_FEET,
        ),
        JointSet("body25b", (*_COCO, "upper_neck", "head_top", *_OPENPOSE_FEET)),
        JointSet(
            "crowdpose14",
            _names(
                "l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
                "l_hip r_hip l_knee r_knee l_ankle r_ankle head_top neck"
            ),
        ),
        JointSet("halpe26", _HALPE),
        JointSet("halpe136", _HALPE + _unnamed(26, 136)),
        JointSet("coco133", (*_COCO, *_OPENPOSE_FEET, *_unnamed(23, 133))),
        JointSet(
            "mpii16",
            _names(
                "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax upper_neck head_top "
                "r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist"
            ),
        ),
        JointSet(
            "mpi15",
            _names(
                "head_top neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist "
                "r_hip r_knee r_ankle l_hip l_knee l_ankle chest"
            ),
        ),
        JointSet(
            "mediapipe33",
            _names(
                "nose l_eye_inner l_eye l_eye_outer r_eye_inner r_eye r_eye_outer l_ear r_ear l_mouth r_mouth "
                "l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_pinky r_pinky l_index r_index l_thumb r_thumb "
                "l_hip r_hip l_knee r_knee l_ankle r_ankle l_heel r_heel l_foot_index r_foot_index"
            ),
        ),
        # SMPL's pelvis lies 8 cm above the middle of its hips and its head at the base of the skull, so they have other names.
        JointSet(
            "smpl24",
            _names(
                "pelvis_joint l_hip r_hip spine1 l_knee r_knee spine2 l_ankle r_ankle spine3 l_foot r_foot "
                "neck_joint l_collar r_collar head_joint l_shoulder r_shoulder l_elbow r_elbow "
                "l_wrist r_wrist l_hand r_hand"
            ),
        ),
    )
}

KNOWN_JOINTS: frozenset[str] = frozenset(name for joint_set in JOINT_SETS.values() for name in joint_set.joints)

_ALIASES = {
    "head": "head_top",
    "top_head": "head_top",
    "hip": "mid_hip",
    "midhip": "mid_hip",
    "root": "pelvis",
    "headtop": "head_top",
    "upperneck": "upper_neck",
}


def find_joint_set(name: str) -> JointSet | None:
    """Return the joint set with this name in any spelling ('BODY_25B', 'Halpe-26', 'coco17'); None if there is none."""
    return JOINT_SETS.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def canonical_joint(name: str) -> str:
    """Return a joint's name in this module's spelling: 'left_shoulder', 'LShoulder' and 'l_shoulder' are one joint."""
    snake = re.sub(r"[\s\-]+", "_", name.strip())
    snake = re.sub(r"^([LR])(?=[A-Z][a-z])", r"\1_", snake)
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", snake).lower()
    snake = re.sub(r"^(left|right)_?", lambda side: f"{side[1][0]}_", snake)
    snake = re.sub(r"^(\w+)_(left|right)$", lambda part: f"{part[2][0]}_{part[1]}", snake)
    if snake not in KNOWN_JOINTS and f"{snake[:1]}_{snake[1:]}" in KNOWN_JOINTS:  # 'rknee'
        snake = f"{snake[:1]}_{snake[1:]}"
    return _ALIASES.get(snake, snake)


def to_h36m17(
    keypoints: Float[np.ndarray, "frames joints axes"],
    confidence: Float[np.ndarray, "frames joints"],
    joint_set: JointSet | str,
) -> tuple[Float[np.ndarray, "frames 17 axes"], Float[np.ndarray, "frames 17"]]:
    """Convert keypoints (2D or 3D, any unit) to the 17 joints of Human3.6M, as weighted means of the set's joints.

    In each frame the first recipe is used whose sources are all seen (finite, confidence above 0); without any the joint
    is NaN with confidence 0. The confidence is the lowest among the sources times the recipe's `trust`.

    Raises:
        ValueError: an unknown joint set, or a number of joints that is not the set's.
    """
    known = find_joint_set(joint_set) if isinstance(joint_set, str) else joint_set
    if known is None:
        raise ValueError(f"unknown joint set '{joint_set}'; one of {', '.join(JOINT_SETS)}")
    if keypoints.shape[1] != len(known):
        raise ValueError(f"{known.name} has {len(known)} joints, but the keypoints have {keypoints.shape[1]}")
    seen = np.isfinite(keypoints).all(-1) & (np.nan_to_num(confidence) > 0)
    out = np.full((len(keypoints), N_JOINTS, keypoints.shape[2]), np.nan)
    out_confidence = np.zeros((len(keypoints), N_JOINTS))
    for target, name in enumerate(JOINT_NAMES):
        for recipe in usable_recipes(name, known):
            sources = [known.joints.index(source) for source in recipe.weights]
            rows = seen[:, sources].all(-1) & (out_confidence[:, target] == 0)
            weights = np.array(list(recipe.weights.values()))
            out[rows, target] = np.einsum("fjc,j->fc", keypoints[rows][:, sources].astype(float), weights)
            out_confidence[rows, target] = recipe.trust * confidence[rows][:, sources].min(-1, initial=1)
    return out, out_confidence


def usable_recipes(joint: str, joint_set: JointSet) -> tuple[Recipe, ...]:
    """Return the recipes for a Human3.6M joint whose sources the set has; only the joint itself if the set has it."""
    recipes = RECIPES[joint]
    if joint in joint_set.joints:
        return recipes[:1]
    return tuple(recipe for recipe in recipes if recipe.weights.keys() <= set(joint_set.joints))
