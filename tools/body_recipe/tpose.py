"""From MakeHuman's relaxed A-pose to SMPL's T-pose, and the 24 joints of SMPL's tree on MakeHuman's rig.

Everything is done for the left side and mirrored: the morphed meshes are symmetric.
"""

import numpy as np
import scipy.sparse as sp
from scipy.spatial.transform import Rotation

from body_recipe.assets import FLIP, Assets

# Angles of a relaxed T-pose, chosen so that limbs point the way SMPL's do, to about two degrees: a pose predicted for one
# body then looks alike on the other. Radians.
ARM_DOWN, ARM_BACK = np.deg2rad(3.0), np.deg2rad(5.0)
CLAVICLE_UP, SCAPULA_UP = np.deg2rad(7.0), np.deg2rad(15.0)
THIGH_OUT, THIGH_BACK = np.deg2rad(1.5), np.deg2rad(1.0)
SHANK_OUT, SHANK_BACK = np.deg2rad(-1.0), np.deg2rad(6.0)
# Share of the hand's twist that each half of the forearm carries.
TWIST = {"lowerarm01": 0.15, "lowerarm02": 0.65}


class Rig:
    """Bones of symmetric bodies in A-pose, and their turns into T-pose.

    Attributes:
        heads: T-posed bone heads (people, bones, 3); `tails` likewise.
        turns, shifts: bone transforms from A- to T-pose, (people, bones, 3, 3) and (people, bones, 3).
    """

    def __init__(self, assets: Assets, bodies: np.ndarray):
        self.bones = assets.bones
        heads = np.stack([bodies[:, index].mean(1) for index in assets.heads], 1)
        tails = np.stack([bodies[:, index].mean(1) for index in assets.tails], 1)
        self.turns = _turns(assets.bones, heads)
        self.heads = heads.copy()
        for bone, parent in enumerate(assets.parents):
            if parent >= 0:
                offset = heads[:, bone] - heads[:, parent]
                self.heads[:, bone] = self.heads[:, parent] + _apply(self.turns[:, parent], offset)
        self.shifts = self.heads - _apply(self.turns, heads)
        self.tails = _apply(self.turns, tails) + self.shifts

    def head(self, bone: str) -> np.ndarray:
        """T-posed head of a bone, (people, 3)."""
        return self.heads[:, self.bones.index(bone)]

    def tail(self, bone: str) -> np.ndarray:
        """T-posed tail of a bone, (people, 3)."""
        return self.tails[:, self.bones.index(bone)]

    def skin(self, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Points (people, n, 3) of the A-pose, T-posed by linear blend skinning with weights (n, bones)."""
        blend = sp.csr_matrix(weights)
        skin = np.empty_like(points)
        for person, (turns, shifts) in enumerate(zip(self.turns, self.shifts, strict=True)):
            blended = (blend @ turns.reshape(-1, 9)).reshape(-1, 3, 3)
            skin[person] = _apply(blended, points[person]) + blend @ shifts
        return skin


def smpl_joints(rig: Rig) -> np.ndarray:
    """The 24 joint centres (people, 24, 3), SMPL's order, as fixed combinations of bone ends."""
    spine = [rig.head(f"spine0{i}") for i in (1, 2, 3, 4, 5)]
    thigh, knee = rig.head("upperleg01.L"), rig.head("lowerleg01.L")
    hip = thigh + 0.05 * (knee - thigh)
    hip[:, 0] = 0.75 * thigh[:, 0]  # the rig's hip sits too far out: more medial, as the centre of the femur's head is
    middle = {
        0: 0.6 * spine[3] + 0.4 * spine[4],
        3: 0.6 * spine[2] + 0.4 * spine[1],
        6: 0.55 * spine[1] + 0.45 * spine[0],
        9: 0.9 * spine[0] + 0.1 * spine[1],
        12: 0.75 * rig.head("neck01") + 0.25 * rig.head("head"),
        15: rig.head("head"),
    }
    left = {
        1: hip,
        4: knee,
        7: rig.head("foot.L"),
        10: np.mean([rig.head(f"toe{i}-1.L") for i in (1, 2, 3)], 0),
        13: 0.45 * rig.head("clavicle.L") + 0.55 * rig.tail("clavicle.L"),
        16: rig.head("upperarm01.L"),
        18: rig.head("lowerarm01.L"),
        20: rig.head("wrist.L"),
        22: np.mean([rig.head(f"finger{i}-1.L") for i in (2, 3, 4)], 0),
    }
    joints = np.zeros((len(hip), 24, 3))
    for index, place in middle.items():
        joints[:, index] = place * [0, 1, 1]
    for index, place in left.items():
        joints[:, index], joints[:, index + 1] = place, place * FLIP
    return joints


def joint_of_bone(bone: str) -> int:
    """The SMPL joint that carries a bone of MakeHuman's rig."""
    name, _, side = bone.partition(".")
    for start, joint in _JOINT_OF:
        if name.startswith(start):
            return joint + (side == "R" and joint in _SIDED)
    return 15  # head, jaw, eyes, tongue and face


# Tried in order; of a pair the left joint.
_JOINT_OF = (
    ("root", 0), ("pelvis", 0), ("spine05", 0), ("spine04", 0), ("spine03", 3), ("spine02", 6), ("spine01", 9),
    ("breast", 9), ("neck", 12), ("clavicle", 13), ("shoulder01", 13), ("upperarm", 16), ("lowerarm", 18), ("wrist", 20),
    ("metacarpal", 20), ("finger1", 20), ("finger", 22), ("upperleg", 1), ("lowerleg", 4), ("foot", 7), ("toe", 10),
)  # fmt: skip
_SIDED = {1, 4, 7, 10, 13, 16, 18, 20, 22}


def _turns(bones: tuple[str, ...], heads: np.ndarray) -> np.ndarray:
    """Rotation of each bone from A- to T-pose, (people, bones, 3, 3); trunk, head and feet keep theirs."""
    turns = np.broadcast_to(np.eye(3), (*heads.shape[:2], 3, 3)).copy()
    parts = _left_turns({bone[:-2]: heads[:, index] for index, bone in enumerate(bones) if bone.endswith(".L")})
    mirror = np.diag(FLIP)
    for index, bone in enumerate(bones):
        name, _, side = bone.partition(".")
        part = next((turn for start, turn in parts.items() if name.startswith(start)), None) if side else None
        if part is not None:
            turns[:, index] = part if side == "L" else mirror @ part @ mirror
    return turns


def _left_turns(head: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Start of a bone's name to the turn of such bones on the left side; the first that fits counts."""
    upper = _unit(head["lowerarm01"] - head["upperarm01"])
    fore = _unit(head["wrist"] - head["lowerarm01"])
    hinge = np.cross(upper, fore)  # a relaxed elbow is bent a little, which shows its axis
    hand, across = head["finger3-1"] - head["wrist"], head["finger5-1"] - head["finger2-1"]
    out, down, back = np.array([1.0, 0, 0]), np.array([0, -1.0, 0]), np.array([0, 0, -1.0])
    aim = np.array([np.cos(ARM_DOWN) * np.cos(ARM_BACK), -np.sin(ARM_DOWN), -np.cos(ARM_DOWN) * np.sin(ARM_BACK)])
    turn_fore = _frame(out, down) @ _frame(fore, hinge).swapaxes(-1, -2)
    turn_hand = _frame(out, back) @ _frame(hand, across).swapaxes(-1, -2)  # palm down, thumb forward
    return {
        "clavicle": Rotation.from_rotvec([0, 0, CLAVICLE_UP]).as_matrix(),
        "shoulder01": Rotation.from_rotvec([0, 0, SCAPULA_UP]).as_matrix(),
        "upperarm": _frame(aim, down) @ _frame(upper, hinge).swapaxes(-1, -2),
        **{name: _partway(turn_fore, turn_hand, share) for name, share in TWIST.items()},
        "wrist": turn_hand,
        "metacarpal": turn_hand,
        "finger": turn_hand,
        "upperleg": _swing(head["lowerleg01"] - head["upperleg01"], _leg(THIGH_OUT, THIGH_BACK)),
        "lowerleg": _swing(head["foot"] - head["lowerleg01"], _leg(SHANK_OUT, SHANK_BACK)),
    }


def _leg(out: float, back: float) -> np.ndarray:
    return np.array([np.sin(out), -np.cos(out) * np.cos(back), -np.sin(back)])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def _frame(along: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Rotations whose first column points along, and whose second lies as near to `side` as it can."""
    first = _unit(along)
    third = _unit(np.cross(first, side))
    return np.stack([first, np.cross(third, first), third], -1)


def _swing(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotations that take directions `start` (people, 3) to `end` (3,)."""
    start, end = _unit(start), _unit(end)
    axis, cosine = np.cross(start, end), (start @ end)[:, None, None]
    zero = np.zeros(len(axis))
    x, y, z = axis.T
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    return np.eye(3) + cross + cross @ cross / (1 + cosine)


def _partway(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    between = Rotation.from_matrix(first.swapaxes(-1, -2) @ second).as_rotvec()
    return first @ Rotation.from_rotvec(share * between).as_matrix()


def _apply(turns: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("...ij,...j->...i", turns, points)
