"""Regressors of joints and landmarks on the skin, and the surface points that smplx names."""

import numpy as np
import torch

from body_recipe.regression import Mirrored, fit_row
from posenet3d.body.layer import BODY_PARENTS, Body, pose_rotations
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import JOINT_NAMES

NAMES = JOINT_SETS["smpl24"].joints
LEFT = [j for j, name in enumerate(NAMES) if name.startswith("l_")]
RIGHT = [NAMES.index("r_" + NAMES[j][2:]) for j in LEFT]
SWAP = np.arange(24)
SWAP[LEFT], SWAP[RIGHT] = RIGHT, LEFT

TRUNK = {"pelvis_joint", "spine1", "spine2", "spine3", "neck_joint", "head_joint"}
WIDE = TRUNK | {"l_hip", "l_collar", "l_shoulder"}
SKULL_CAP = 0.075
"""As in posenet3d.body.landmarks: the head top is the mean of the skin this near (m) to the highest vertex."""

# The 17 joints as the project's 2D training data has them, in shares of the way from pelvis to thorax (medians over upright
# frames, forward and back from those in profile): the spine lies 44 % up and 7 % behind that way, the thorax 3 % below and
# 1.6 % in front of the middle of the shoulders. The head top, inside the skull, is 44 % above the thorax: the median of what a
# teacher lifts. Its 52 % of the 2D (whoever stands upright bends the head less than the trunk) made bodies fold their necks.
SPINE_UP, SPINE_BACK, THORAX_DOWN, THORAX_FORWARD, HEAD_UP = 0.44, 0.07, 0.03, 0.016, 0.44


def joint_regressor(skins: np.ndarray, joints: np.ndarray, weights: np.ndarray, mirrored: Mirrored) -> np.ndarray:
    """Rows (24, vertices) from the half skins (people, half, 3) to joints (people, 24, 3), by slabs around each joint."""
    skin, joint = skins.mean(0), joints.mean(0)
    rows = np.zeros((24, len(mirrored.partner)))
    for j, name in enumerate(NAMES):
        if name.startswith("r_"):
            continue
        kids = [k for k, parent in enumerate(BODY_PARENTS) if parent == j]
        near = [j, *kids, *([BODY_PARENTS[j]] if j else [])]
        along = np.array([0, 1.0, 0]) if name in TRUNK else _direction(joint, j, kids)
        thick, far = (0.06 if name in WIDE else 0.045), (0.26 if name in TRUNK else 0.20)
        offset = skin - joint[j]
        slab = (np.abs(offset @ along) < thick) & (np.linalg.norm(offset, axis=1) < far)
        pick = np.flatnonzero(slab & (weights[: mirrored.half, near].sum(1) > 0.5))
        axes = slice(1, 3) if name in TRUNK else slice(0, 3)
        row = np.zeros(mirrored.half)
        row[pick] = fit_row(skins[:, pick, axes], joints[:, j, axes])
        if name in TRUNK:
            rows[j] = mirrored.middle(row)
        else:
            rows[j], rows[SWAP[j]] = mirrored.left(row), mirrored.right(row)
    return rows


def _direction(joint: np.ndarray, j: int, kids: list[int]) -> np.ndarray:
    """Along the limb at a joint: the mean of the bones to and from it."""
    into = joint[j] - joint[BODY_PARENTS[j]]
    onward = joint[kids[0]] - joint[j] if kids else into
    mean = into / np.linalg.norm(into) + onward / np.linalg.norm(onward)
    return mean / np.linalg.norm(mean)


def landmark_regressors(body: Body, mirrored: Mirrored, eye: int) -> dict[str, np.ndarray]:
    """Joint set name to its rows (landmarks, vertices), fitted on random shapes in random poses.

    Args:
        body: the body as it will be stored, without regressors.
        mirrored: how its vertices mirror.
        eye: vertex in the middle of the left eye.
    """
    skins, bones, rest = _random_poses(body)
    skin = body.arrays.vertices
    joints = {name: bones[:, j] for j, name in enumerate(NAMES)}

    def limb(name: str, carriers: tuple[str, ...], reach: float) -> np.ndarray:
        own = body.arrays.weights[:, [NAMES.index(c) for c in carriers]].sum(1) > 0.7
        near = np.linalg.norm(skin - rest[NAMES.index(name)], axis=1) < reach
        pick = np.flatnonzero((own & near)[: mirrored.half])
        row = np.zeros(mirrored.half)
        row[pick] = fit_row(skins[:, pick], joints[name], spread=1e-3)
        return mirrored.left(row)

    rows = {
        "l_shoulder": limb("l_shoulder", ("l_shoulder", "l_collar", "spine3"), 0.14),
        "l_elbow": limb("l_elbow", ("l_shoulder", "l_elbow"), 0.10),
        "l_wrist": limb("l_wrist", ("l_elbow", "l_wrist"), 0.08),
        "l_hip": limb("l_hip", ("pelvis_joint", "l_hip"), 0.22),
        "l_knee": limb("l_knee", ("l_hip", "l_knee"), 0.12),
        "l_ankle": limb("l_ankle", ("l_knee", "l_ankle"), 0.10),
    }
    head = body.arrays.weights[:, NAMES.index("head_joint")] > 0.9
    rows |= {"l_eye": _one(eye, skin), "l_ear": _one(np.argmax(np.where(head, skin[:, 0], -np.inf)), skin)}
    rows |= {"r" + name[1:]: row[mirrored.partner] for name, row in list(rows.items())}
    rows |= {"nose": _one(nose_tip(body), skin), "skull": _cap(skin)}
    rows["pelvis"] = 0.5 * (rows["l_hip"] + rows["r_hip"])
    rows |= _trunk_rows(body, mirrored, rest, rows["skull"])
    sets = {name: JOINT_SETS[name].joints for name in ("coco17", "crowdpose14")} | {"h36m17": JOINT_NAMES}
    # CrowdPose marks the top of the skull; the data's Human3.6M joints end inside it.
    special = {("crowdpose14", "head_top"): "skull"}
    return {name: np.stack([rows[special.get((name, j), j)] for j in joints]) for name, joints in sets.items()}


def _trunk_rows(body: Body, mirrored: Mirrored, rest: np.ndarray, skull: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of the landmarks on the middle line, from places on the mean body."""
    place = dict(zip(NAMES, rest * [0, 1, 1], strict=True))
    hips, shoulders, top = place["l_hip"], place["l_shoulder"], skull @ body.arrays.vertices
    length, forward = np.linalg.norm(shoulders - hips), np.array([0, 0, 1.0])
    thorax = shoulders + THORAX_DOWN * (hips - shoulders) + THORAX_FORWARD * length * forward
    spine = hips + SPINE_UP * (thorax - hips) - SPINE_BACK * length * forward
    neck = 0.5 * (place["neck_joint"] + shoulders)
    head_top = thorax + HEAD_UP * np.linalg.norm(thorax - hips) * (top - thorax) / np.linalg.norm(top - thorax)
    joints = dict(zip(NAMES, body.arrays.joint_regressor.toarray(), strict=True))
    trunk, head = (joints["l_hip"], joints["l_shoulder"]), (joints["head_joint"], skull)
    rows = {
        "thorax": _ring(body, mirrored, thorax, ("spine3", "l_collar", "neck_joint"), trunk),
        "spine": _ring(body, mirrored, spine, ("spine1", "spine2", "spine3"), trunk),
        "neck": _ring(body, mirrored, neck, ("spine3", "l_collar", "neck_joint"), trunk),
        "head_top": _ring(body, mirrored, head_top, ("head_joint",), head),
    }
    return rows | {"neck_nose": 0.5 * (rows["thorax"] + rows["head_top"])}


def nose_tip(body: Body) -> int:
    """The vertex furthest forward on the head's middle line."""
    skin = body.arrays.vertices
    head = body.arrays.weights[:, NAMES.index("head_joint")] > 0.9
    return int(np.argmax(np.where(head & (skin[:, 0] == 0), skin[:, 2], -np.inf)))


def _one(vertex: int, skin: np.ndarray) -> np.ndarray:
    row = np.zeros(len(skin))
    row[vertex] = 1
    return row


def _cap(skin: np.ndarray) -> np.ndarray:
    near = np.linalg.norm(skin - skin[skin[:, 1].argmax()], axis=1) < SKULL_CAP
    return near / near.sum()


def _ring(
    body: Body, mirrored: Mirrored, place: np.ndarray, carriers: tuple[str, ...], ends: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """A symmetric mean of the skin around a place inside trunk or head.

    Other shapes move the place as they move two points (rows over the vertices) below and above it.
    """
    random = np.random.default_rng(3)
    skin, weights = body.arrays.vertices[: mirrored.half], body.arrays.weights[: mirrored.half]
    own = weights[:, [NAMES.index(c) for c in carriers]].sum(1) > 0.5
    pick = np.flatnonzero(own & (np.abs(skin[:, 1] - place[1]) < 0.06) & (np.linalg.norm(skin - place, axis=1) < 0.2))
    betas = np.concatenate([np.zeros((1, 10)), random.normal(size=(60, 10))])
    skins = skin[pick] + np.einsum("vck,sk->svc", body.arrays.shapedirs[pick], betas)
    low, high = (row @ body.arrays.vertices for row in ends)
    low_by_beta, high_by_beta = (np.einsum("v,vck->ck", row, body.arrays.shapedirs) for row in ends)
    share = (place[1] - low[1]) / (high[1] - low[1])
    goal = place + betas @ ((1 - share) * low_by_beta + share * high_by_beta).T
    row = np.zeros(mirrored.half)
    row[pick] = fit_row(skins[..., 1:], goal[:, 1:], spread=1e-2)
    return mirrored.middle(row)


def body_rest(body: Body) -> np.ndarray:
    """Rest joints of the mean shape, (24, 3)."""
    return body.arrays.joint_regressor @ body.arrays.vertices


def _random_poses(body: Body, count: int = 160) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Skins (count, vertices, 3) and joints (count, 24, 3) in everyday joint ranges, and the rest joints (24, 3)."""
    random = np.random.default_rng(1)
    spread = np.full(24, 0.25)
    for name, value in {"hip": 0.7, "shoulder": 0.7, "knee": 0.0, "elbow": 0.0, "hand": 0.1, "foot": 0.1}.items():
        spread[[NAMES.index(f"l_{name}"), NAMES.index(f"r_{name}")]] = value
    pose = random.normal(size=(count, 24, 3)) * spread[:, None]
    pose[:, 0] = 0
    for side, sign in (("l", 1.0), ("r", -1.0)):
        pose[:, NAMES.index(f"{side}_knee"), 0] = random.uniform(0, 1.8, count)
        pose[:, NAMES.index(f"{side}_elbow"), 1] = -sign * random.uniform(0, 2.0, count)
        pose[:, NAMES.index(f"{side}_shoulder"), 2] += sign * random.uniform(-1.2, 0.6, count)
    flat = torch.as_tensor(pose.reshape(count, -1))
    with torch.no_grad():
        posed = body(pose_rotations(flat[:, :3], flat[:, 3:]), torch.as_tensor(random.normal(size=(count, 10))))
    return posed.vertices.numpy(), posed.joints.numpy(), body_rest(body)


def named_vertices(body: Body, mirrored: Mirrored, eye: int, tips: dict[str, np.ndarray]) -> dict[str, int]:
    """Smplx's names of surface points to vertex numbers; `tips` are places (3,) at the left hand's and foot's ends."""
    skin, weights = body.arrays.vertices, body.arrays.weights
    foot = weights[:, [NAMES.index("l_ankle"), NAMES.index("l_foot")]].sum(1) > 0.9
    head = weights[:, NAMES.index("head_joint")] > 0.9
    places = {name: int(np.argmin(np.linalg.norm(skin - place, axis=1))) for name, place in tips.items()}
    places |= {
        "leye": eye,
        "lear": int(np.argmax(np.where(head, skin[:, 0], -np.inf))),
        "LHeel": int(np.argmin(np.where(foot, skin[:, 2] + 0.3 * skin[:, 1], np.inf))),
    }
    right = {("R" if n[0] == "L" else "r") + n[1:]: int(mirrored.partner[v]) for n, v in places.items()}
    return {"nose": nose_tip(body)} | places | right
