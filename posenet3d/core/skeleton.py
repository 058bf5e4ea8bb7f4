"""The 17 joints of Human3.6M: names, order, parents, bones and mirror pairs.

All code inside the library uses this joint set; `posenet3d.core.jointsets` converts all others to it.
"""

from collections.abc import Sequence

import numpy as np

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle", "spine", "thorax",
    "neck_nose", "head_top", "l_shoulder", "l_elbow", "l_wrist", "r_shoulder", "r_elbow", "r_wrist",
)  # fmt: skip

N_JOINTS = len(JOINT_NAMES)
JOINT: dict[str, int] = {name: index for index, name in enumerate(JOINT_NAMES)}

PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)

BONES: tuple[tuple[int, int], ...] = tuple((parent, child) for child, parent in enumerate(PARENTS) if parent >= 0)
"""(parent, child) of the 16 bones, in order of the child."""

BONE_PARENTS = np.array([parent for parent, _ in BONES])
BONE_CHILDREN = np.array([child for _, child in BONES])


def mirror_indices(names: Sequence[str]) -> list[int]:
    """Return for every joint the index of its left-right partner, by the prefixes l_ and r_; without one its own index."""
    swapped = {"l_": "r_", "r_": "l_"}
    return [names.index(swapped.get(name[:2], name[:2]) + name[2:]) for name in names]


MIRROR: tuple[int, ...] = tuple(mirror_indices(JOINT_NAMES))
"""Index of each joint's left-right partner; a joint on the midline is its own."""

SIDES: tuple[str, ...] = tuple({"l": "left", "r": "right"}[n[0]] if n[1] == "_" else "middle" for n in JOINT_NAMES)
