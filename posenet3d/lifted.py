"""A lifted sequence, and the OUT.npz that carries it between the command line, the explorer and other programs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float

from posenet3d.atomic import atomic_write
from posenet3d.errors import InputError
from posenet3d.sequence import DEFAULT_FPS


@dataclass(frozen=True)
class Lifted:
    """3D joints of one sequence, row by row with its frames.

    `joints_3d` is NaN in frames too far from any detection to say anything (nothing is invented there).
    `cleaned_px` is the 2D that was lifted: the input with noise removed and short gaps bridged.
    """

    name: str
    joints_3d: Float[np.ndarray, "frames 17 3"]  # metres, camera frame
    cleaned_px: Float[np.ndarray, "frames 17 2"] | None = None
    fps: float = DEFAULT_FPS
    model: str = "teacher"
    checkpoint: str = ""

    def __len__(self) -> int:
        return len(self.joints_3d)


def write_lifted(path: Path, results: Sequence[Lifted]) -> None:
    """Write results one after the other, with `start`, `length` and `name` per clip; whole or not at all."""
    with atomic_write(path) as file:
        _save(file, results)


def lifted_bytes(results: Sequence[Lifted]) -> bytes:
    """What `write_lifted` would write."""
    buffer = io.BytesIO()
    _save(buffer, results)
    return buffer.getvalue()


def _save(file: IO[bytes], results: Sequence[Lifted]) -> None:
    lengths = np.array([len(r) for r in results], np.int64)
    arrays: dict[str, np.ndarray] = {
        "joints_3d": np.concatenate([r.joints_3d for r in results]).astype(np.float32),
        "start": np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        "length": lengths,
        "name": np.array([r.name for r in results]),
        "fps": np.array([r.fps for r in results], np.float64),
        "model": np.array(results[0].model),
        "checkpoint": np.array(results[0].checkpoint),
    }
    if all(r.cleaned_px is not None for r in results):
        arrays["cleaned_px"] = np.concatenate([r.cleaned_px for r in results if r.cleaned_px is not None]).astype(
            np.float32
        )
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy types the keyword allow_pickle only


def read_lifted(path: Path) -> list[Lifted]:
    """Read what `write_lifted` wrote.

    Raises:
        InputError: not an npz, or without `joints_3d` of shape (N, 17, 3).
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {key: stored[key] for key in stored.files}
    except FileNotFoundError as error:
        raise InputError(path, "there is no such file", "check the path") from error
    except Exception as error:
        raise InputError(path, "is not a readable npz file", "write it with 'posenet3d lift'") from error
    joints = data.get("joints_3d")
    if joints is None or joints.ndim != 3 or joints.shape[1:] != (17, 3):
        shape = "is missing" if joints is None else f"has shape {joints.shape}"
        raise InputError(path, f"field 'joints_3d' {shape}", "it must be (N, 17, 3), as 'posenet3d lift' writes it")
    start = data.get("start", np.array([0]))
    length = data.get("length", np.array([len(joints)]))
    names = data.get("name", np.array([Path(path).stem] * len(start)))
    fps = np.broadcast_to(data.get("fps", np.array(DEFAULT_FPS)), len(start))
    if len(start) != len(length) or (len(start) and int((start + length).max()) > len(joints)):
        raise InputError(path, "fields 'start' and 'length' do not fit 'joints_3d'", "write it with 'posenet3d lift'")
    return [
        Lifted(
            name=str(n),
            joints_3d=joints[s : s + count],
            cleaned_px=data["cleaned_px"][s : s + count] if "cleaned_px" in data else None,
            fps=float(f),
            model=str(data.get("model", "")),
            checkpoint=str(data.get("checkpoint", "")),
        )
        for n, s, count, f in zip(names, start, length, fps, strict=True)
    ]
