"""Load bodies: the open default body, and official SMPL files of the user."""

import functools
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import scipy.sparse as sp
import torch

from posenet3d.body.layer import BODY_PARENTS, N_BETAS, N_BODY_JOINTS, Body, BodyArrays
from posenet3d.errors import InputError
from posenet3d.paths import is_plain_file
from posenet3d.pickle_scan import UnsafePickle
from posenet3d.safe_pickle import as_array, read_pickle

DEFAULT_BODY = Path(__file__).parent / "default_body.npz"
DEFAULT_BODY_SHA256 = "dd828aeabc9389964934d2cf0c62cc2e16dce36677c4a6d9e2c78c2dab69d218"
"""Checksum of the file, which tools/build_body.py wrote."""

WEIGHT_STEPS = 65535
"""Skinning weights of the default body are stored in 16 bits."""

POSE_FEATURES = 9 * (N_BODY_JOINTS - 1)
SMPL_VERTICES = 6890
MAX_VERTICES = 100_000
MAX_NPZ = 1 << 30
REMEDY = "give an SMPL file (.pkl or .npz) with 24 joints and at least 10 shape directions"

_ARRAYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_SEX = re.compile(r"(?:smpl|basicmodel)_?(neutral|male|female|m|f)(?:_|\.|$)", re.IGNORECASE)
_SEX_NAMES = {"m": "male", "f": "female"}


def load_body(which: str | Path = "default", dtype: torch.dtype = torch.float32) -> Body:
    """Load a body by name or from a file.

    Args:
        which: 'default', the name of a body in `bodies_folder` ('neutral', 'male', 'female'), or a path.
        dtype: of the body's tensors.

    Raises:
        InputError: no such body, or a file that is not an SMPL body.
    """
    if str(which) == "default":
        return Body(default_arrays(), dtype)
    found = available_bodies().get(str(which).lower())
    return Body(read_smpl(found or Path(which)), dtype)


def bodies_folder() -> Path:
    """Return the folder of official files: ``$POSENET3D_BODIES``, else ``bodies`` in the user's data folder."""
    return Path(os.environ.get("POSENET3D_BODIES") or platformdirs.user_data_path("posenet3d") / "bodies")


def available_bodies() -> dict[str, Path]:
    """Return the SMPL files in `bodies_folder` by name: 'neutral', 'male', 'female'."""
    found: dict[str, Path] = {}
    folder = bodies_folder()
    try:
        files = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError:  # a folder that may not be entered has no bodies for us
        files = []
    for path in files:
        match = _SEX.match(path.name)
        if match and path.suffix.lower() in {".pkl", ".npz"}:
            sex = match[1].lower()
            found.setdefault(_SEX_NAMES.get(sex, sex), path)
    return found


@functools.lru_cache(maxsize=1)
def default_arrays() -> BodyArrays:
    """Load the open body that is included in the library (CC0; its origin is in NOTICE)."""
    with np.load(DEFAULT_BODY, allow_pickle=False) as file:
        data = dict(file)
    vertices, shapedirs = data["vertices"], data["shapedirs"].astype(np.float32)
    count = len(vertices)
    weights = np.zeros((count, N_BODY_JOINTS))
    np.put_along_axis(weights, data["weight_joints"].astype(int), data["weight_values"] / WEIGHT_STEPS, axis=1)

    def regressor(name: str) -> sp.csr_matrix:
        rows, columns = data[f"{name}_rows"].astype(int), data[f"{name}_columns"].astype(int)
        values = data[f"{name}_values"].astype(float)
        values /= np.bincount(rows, values)[rows]  # stored rounded; a row must sum to 1
        return sp.csr_matrix((values, (rows, columns)), shape=(rows.max() + 1, count))

    return BodyArrays(
        name=_content_name("open-body", vertices, shapedirs),
        vertices=vertices,
        faces=data["faces"].astype(np.int64),
        shapedirs=shapedirs,
        posedirs=None,
        joint_regressor=regressor("joints"),
        weights=weights / weights.sum(1, keepdims=True),
        colors=data["colors"],
        regressors={name: regressor(name) for name in ("h36m17", "coco17", "crowdpose14")},
        named_vertices=json.loads(str(data["named_vertices"])),
    )


def read_smpl(path: str | Path) -> BodyArrays:
    """Read an official SMPL file, ``.pkl`` as distributed (without chumpy, nothing in it is executed) or ``.npz``.

    Raises:
        InputError: the file is missing, is of another type, or does not hold a body of SMPL's shape.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], dict[str, Any]]] = {".pkl": _read_pkl, ".npz": _read_npz}
    if path.suffix.lower() not in readers:
        raise InputError(path, "is no body that is known here, nor an SMPL file", REMEDY)
    if not is_plain_file(path):
        raise InputError(path, "does not exist, or is not a plain file", REMEDY)
    try:
        return _validate(path, readers[path.suffix.lower()](path))
    except InputError:
        raise
    except UnsafePickle as error:
        raise InputError(path, f"is refused, for {error}", REMEDY) from error
    except PermissionError as error:
        raise InputError(path, "cannot be read", "check its permissions") from error
    except Exception as error:  # zipfile, zlib, lzma and NumPy raise a dozen kinds for a damaged file
        raise InputError(path, "cannot be read as a body", REMEDY) from error


def _read_pkl(path: Path) -> dict[str, Any]:
    """Return the arrays of a pickle."""
    content = read_pickle(path)
    return {name: as_array(content[name]) for name in _ARRAYS if name in content}


def _read_npz(path: Path) -> dict[str, Any]:
    """Return the arrays of an npz."""
    with zipfile.ZipFile(path) as archive:
        if sum(part.file_size for part in archive.infolist()) > MAX_NPZ:
            raise InputError(path, "unpacks to more than a gigabyte", REMEDY)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in _ARRAYS if name in file}


def _validate(path: Path, data: Mapping[str, Any]) -> BodyArrays:
    """Return the body after checking every shape, index and value."""

    def need(fits: bool, problem: str) -> None:
        if not fits:
            raise InputError(path, problem, REMEDY)

    def has_shape(name: str, *shape: int) -> None:
        need(data[name].shape == shape, f"'{name}' has shape {data[name].shape}, not {shape}")

    for name in _ARRAYS:
        need(name in data or name == "posedirs", f"'{name}' is missing")
    dense = {name: np.asarray(data[name]) for name in data if name != "J_regressor"}
    need(all(value.dtype.kind in "fiub" for value in dense.values()), "an array does not hold numbers")
    need(dense["v_template"].ndim == dense["f"].ndim == 2, "'v_template' or 'f' is no table")
    count = len(dense["v_template"])
    need(count <= MAX_VERTICES, f"'v_template' has {count} vertices")
    has_shape("v_template", count, 3)
    has_shape("f", len(dense["f"]), 3)
    has_shape("J_regressor", N_BODY_JOINTS, count)
    has_shape("weights", count, N_BODY_JOINTS)
    has_shape("kintree_table", 2, N_BODY_JOINTS)
    directions = dense["shapedirs"].shape
    need(len(directions) == 3 and directions[:2] == (count, 3) and directions[2] >= N_BETAS, "'shapedirs' does not fit")
    if "posedirs" in dense:
        has_shape("posedirs", count, 3, POSE_FEATURES)
    regressor = sp.csr_matrix(data["J_regressor"]).astype(float)
    for name, value in [*dense.items(), ("J_regressor", regressor.data)]:
        need(bool(np.isfinite(value).all()), f"'{name}' holds values that are not finite")
    faces = dense["f"].astype(np.int64)
    need(bool(((faces >= 0) & (faces < count)).all()), "'f' names vertices that do not exist")
    need(tuple(dense["kintree_table"][0, 1:].astype(np.int64)) == BODY_PARENTS[1:], "its joints form another tree")
    need(bool(np.allclose(dense["weights"].sum(1), 1, atol=1e-3)), "its skinning weights do not sum to 1")
    posedirs = dense.get("posedirs")
    if posedirs is not None:  # torch knows neither the other byte order nor long doubles
        posedirs = posedirs.astype(np.float32 if posedirs.dtype.itemsize <= 4 else np.float64, copy=False)
    vertices, shapedirs = dense["v_template"].astype(float), dense["shapedirs"][..., :N_BETAS].astype(float)
    return BodyArrays(
        name=_content_name("smpl" if count == SMPL_VERTICES else "body", vertices, shapedirs),
        vertices=vertices,
        faces=faces,
        shapedirs=shapedirs,
        posedirs=posedirs if posedirs is not None and posedirs.any() else None,
        joint_regressor=regressor,
        weights=dense["weights"].astype(float),
    )


def _content_name(kind: str, vertices: np.ndarray, shapedirs: np.ndarray) -> str:
    """Return a name that depends on template and shape space, so that renaming a file cannot mix up betas."""
    content = hashlib.sha256()
    for array in (vertices, shapedirs):
        content.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return f"{kind}-{content.hexdigest()[:8]}"
