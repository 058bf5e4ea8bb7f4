"""Read and write lifted clips as npz, for the command line, the explorer and other programs."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posenet3d.body.layer import N_BETAS, N_BODY_JOINTS
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.lifted import Lifted
from posenet3d.io.atomic import atomic_write
from posenet3d.io.checked_npz import Arrays, clip_rows, expect, load_arrays, numeric, rates, refuse, texts, wrong

FIELDS = (
    "joints_3d",
    "cleaned_px",
    "confidence",
    "is_bridged",
    "start",
    "length",
    "name",
    "fps",
    "model",
    "checkpoint",
)
BODY_FIELDS = ("body_model", "betas", "global_orient", "body_pose", "transl")

MAX_PARAMETER = 1e6
"""Radians, metres or betas beyond this are damaged, and would overflow when a body is posed with them."""


def write_lifted(path: Path, results: Sequence[Lifted]) -> None:
    """Write results with `start`, `length` and `name` per clip in one atomic step.

    Clips of a packed file are written to its rows (`Lifted.packed_at`; NaN in rows of no clip), so that they line up with
    its truth. All other clips are written end to end.

    Raises:
        InputError: the file cannot be written.
    """
    arrays = _arrays(results)
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def lifted_bytes(results: Sequence[Lifted]) -> bytes:
    """Return the content of the file that `write_lifted` would write, but with all clips end to end."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **_arrays([replace(r, packed_at=None) for r in results]))
    return buffer.getvalue()


def _arrays(results: Sequence[Lifted]) -> Arrays:
    """Return the arrays of the file."""
    start, length, n_rows = _layout(results)

    def laid_out(values: Sequence[np.ndarray], empty: float = np.nan) -> np.ndarray:
        rows = np.full((n_rows, *values[0].shape[1:]), empty, np.float32)
        for first, value in zip(start, values, strict=True):
            rows[first : first + len(value)] = value
        return rows

    arrays: Arrays = {
        "joints_3d": laid_out([r.joints_3d for r in results]),
        "start": start,
        "length": length,
        "name": np.array([r.name for r in results]),
        "fps": np.array([r.fps for r in results], np.float64),
        "model": np.array(results[0].model),
        "checkpoint": np.array(results[0].checkpoint),
    }
    for field, empty in (("cleaned_px", np.nan), ("confidence", 0.0)):
        known = [values for r in results if (values := getattr(r, field)) is not None]
        if len(known) == len(results):
            arrays[field] = laid_out(known, empty)
    bridged = [r.is_bridged for r in results if r.is_bridged is not None]
    if len(bridged) == len(results):
        arrays["is_bridged"] = laid_out(bridged, 0.0).astype(bool)
    bodies = [r.body for r in results if r.body is not None]
    if len(bodies) == len(results):
        arrays["betas"] = np.concatenate([b.betas for b in bodies]).astype(np.float32)
        arrays["body_model"] = np.array(bodies[0].body_model)
        for field in ("global_orient", "body_pose", "transl"):
            arrays[field] = laid_out([getattr(b, field) for b in bodies])
    return arrays


def _layout(results: Sequence[Lifted]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the first row and the length of every clip, and the number of rows.

    They are those of the packed file if all clips are from one, otherwise the clips follow each other.
    """
    length = np.array([len(r) for r in results], np.int64)
    origins = [r.packed_at for r in results if r.packed_at is not None]
    if len(origins) == len(results) and len({n_rows for _, n_rows in origins}) == 1:
        start = np.array([first for first, _ in origins], np.int64)
        order = np.argsort(start)
        if (start[order][1:] >= (start + length)[order][:-1]).all():  # two files of one size would overlap
            return start, length, origins[0][1]
    return np.cumsum(length) - length, length, int(length.sum())


def read_lifted(path: Path) -> list[Lifted]:
    """Read a file of `write_lifted`; only `joints_3d` is required, and of `BODY_FIELDS` there must be all or none.

    Raises:
        InputError: not an npz, no `joints_3d` of shape (N, 17, 3), or a field that does not fit it.
    """
    data = load_arrays(path, FIELDS + BODY_FIELDS)
    joints, cleaned_px, confidence = (numeric(data, field, path) for field in ("joints_3d", "cleaned_px", "confidence"))
    if joints is None or joints.ndim != 3 or joints.shape[1:] != (17, 3):
        shape = "is missing" if joints is None else f"has shape {joints.shape}"
        raise wrong(path, "joints_3d", shape, "it must be (N, 17, 3), as 'posenet3d lift' writes it")
    if cleaned_px is not None:
        expect(cleaned_px, (len(joints), 17, 2), "cleaned_px", path)
    if confidence is not None:
        expect(confidence, (len(joints), 17), "confidence", path)
    bridged = data.get("is_bridged")
    if bridged is not None and (bridged.dtype != bool or bridged.shape != (len(joints),)):
        problem = f"has type {bridged.dtype} and shape {bridged.shape}"
        raise wrong(path, "is_bridged", problem, f"it must hold {len(joints)} truth values")
    clips = clip_rows(data, len(joints), path)
    names = texts(data, "name", len(clips), path) or [Path(path).stem] * len(clips)
    bodies = _bodies(data, clips, len(joints), path)
    return [
        Lifted(
            name=name,
            joints_3d=joints[rows],
            cleaned_px=None if cleaned_px is None else cleaned_px[rows],
            fps=float(fps),
            model=str(data.get("model", "")),
            checkpoint=str(data.get("checkpoint", "")),
            confidence=None if confidence is None else confidence[rows],
            packed_at=(rows.start, len(joints)),
            is_bridged=None if bridged is None else bridged[rows],
            body=body,
        )
        for name, rows, fps, body in zip(names, clips, rates(data, len(clips), path), bodies, strict=True)
    ]


def _bodies(data: Arrays, clips: list[slice], n_frames: int, path: Path) -> Sequence[BodyParameters | None]:
    """Return the body parameters of every clip; None for each if the file has no body.

    Raises:
        InputError: a field is missing beside the others, has another shape, or is not finite where it must be finite.
    """
    present = [field for field in BODY_FIELDS if field in data]
    if not present:
        return [None] * len(clips)
    missing = [field for field in BODY_FIELDS if field not in data]
    if missing:
        raise wrong(path, missing[0], f"is missing beside '{present[0]}'", "give all of " + ", ".join(BODY_FIELDS))
    (body_model,) = texts(data, "body_model", 1, path)
    shapes = {
        "betas": (len(clips), N_BETAS),
        "global_orient": (n_frames, 3),
        "body_pose": (n_frames, 3 * (N_BODY_JOINTS - 1)),
        "transl": (n_frames, 3),
    }
    values = {field: _parameter(data, field, shape, path) for field, shape in shapes.items()}
    betas = values.pop("betas")
    refuse(~np.isfinite(betas).all(1), "betas", path, "must be finite")
    return [
        BodyParameters(body_model, betas[clip : clip + 1], **{field: value[rows] for field, value in values.items()})
        for clip, rows in enumerate(clips)
    ]


def _parameter(data: Arrays, field: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Return one field of the body in float32, after checking its shape and range."""
    array = numeric(data, field, path)
    assert array is not None  # checked by the caller
    expect(array, shape, field, path)
    if (np.abs(array) > MAX_PARAMETER).any():  # infinite ones too; NaN are frames without a person
        raise wrong(path, field, f"holds values beyond {MAX_PARAMETER:g}", "it is damaged, lift again")
    return array.astype(np.float32)
