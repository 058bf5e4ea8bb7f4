"""Tell joint sets of equal size apart by geometry, where no name does: which set makes a human body of the points."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JOINT_SETS, JointSet, to_h36m17
from posenet3d.core.skeleton import BONE_CHILDREN, BONE_PARENTS, JOINT
from posenet3d.io.keypoints.people import Person, common_count, joint_set_by_count

CANDIDATES = {
    15: ("mpi15", "cmu15"),
    16: ("mpii16",),
    17: ("coco17", "h36m17"),
    18: ("coco18",),
    25: ("body25", "body25b"),
}
"""Joint sets that share a number of joints, the usual one first."""

MAX_PEOPLE = 2000
"""So many people are enough to decide."""


def joint_set_by_geometry(people: Sequence[Person], file: Path, field: str) -> JointSet:
    """Return the joint set with the people's number of joints whose bones are shortest.

    In the right order of joints a bone joins neighbours on the body; in a wrong order some bones run across the
    body (Human3.6M's knee at COCO's ear). The score is the sum of all bone lengths as a share of the body's extent.

    Raises:
        InputError: no known joint set has that many joints.
    """
    count = common_count(list(people), file, field)
    names = [name for name in CANDIDATES.get(count, ()) if name in JOINT_SETS]
    if len(names) < 2:
        return JOINT_SETS[names[0]] if names else joint_set_by_count(count, file, field)
    chosen = people[:: max(1, len(people) // MAX_PEOPLE)]
    joints = np.stack([person.joints for person in chosen]).astype(float)
    return min((JOINT_SETS[name] for name in names), key=lambda joint_set: bone_score(joints, joint_set))


def bone_score(joints: Float[np.ndarray, "people joints 3"], joint_set: JointSet) -> float:
    """Return the median over people of total bone length over the body's extent, read in this joint set; lower fits.

    Infinite where nothing is seen. The 17 joints that the set gives are measured, so sets of different names compare.
    """
    seen = (joints[..., :2] != 0).any(-1) & np.isfinite(joints).all(-1)
    points, confidence = to_h36m17(joints[..., :2], np.where(seen, joints[..., 2].clip(min=0.01), 0), joint_set)
    points = np.where((confidence > 0)[..., None], points, np.nan)
    own = np.where(seen[..., None], joints[..., :2], np.nan)
    with np.errstate(invalid="ignore"):
        bones = np.linalg.norm(points[:, BONE_CHILDREN] - points[:, BONE_PARENTS], axis=-1)
        extent = np.linalg.norm(_range(own), axis=-1)
    known = np.isfinite(bones).sum(1) >= 6  # of 16: fewer say too little
    if not known.any():
        return np.inf
    score = np.nanmean(bones[known], axis=1) / np.maximum(extent[known], 1e-9)
    return float(np.median(score)) + _asymmetry(points[known])


def _range(points: Float[np.ndarray, "people joints 2"]) -> Float[np.ndarray, "people 2"]:
    low = np.where(np.isfinite(points), points, np.inf).min(1)
    high = np.where(np.isfinite(points), points, -np.inf).max(1)
    return np.where(high >= low, high - low, np.nan)


def _asymmetry(points: Float[np.ndarray, "people 17 2"]) -> float:
    """Return how far pelvis and thorax lie from the middles of hips and shoulders, as a share of the trunk (median)."""
    trunk = np.linalg.norm(points[:, JOINT["thorax"]] - points[:, JOINT["pelvis"]], axis=-1)
    off = []
    for middle, left, right in (("pelvis", "l_hip", "r_hip"), ("thorax", "l_shoulder", "r_shoulder")):
        mean = (points[:, JOINT[left]] + points[:, JOINT[right]]) / 2
        off.append(np.linalg.norm(points[:, JOINT[middle]] - mean, axis=-1) / np.maximum(trunk, 1e-9))
    values = np.concatenate(off)
    values = values[np.isfinite(values)]
    return float(np.median(values).clip(max=2)) if len(values) else 0.0
