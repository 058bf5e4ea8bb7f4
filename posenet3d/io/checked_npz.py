"""Validated npz access; every failure is an InputError that names the field."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from posenet3d.core.sequence import DEFAULT_FPS, MAX_FPS, MIN_FPS
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.paths import is_plain_file

MAX_UNPACKED_BYTES = 2**32
"""Ten million frames; a compressed file that unpacks to more is a mistake or an attack."""

MAX_CONVERTED_BYTES = 2**30
"""Of an array of small numbers as float64, which takes up to 8 times the room; a compressed file of 2 MB became 9 GB."""

MAX_TEXT = 10_000
"""Characters of a name; NumPy gives every text of an array the room of the longest."""

Arrays = dict[str, np.ndarray]


def load_arrays(path: Path, fields: Sequence[str]) -> Arrays:
    """Read the named fields of an npz; fields that it lacks are left out, and no other field is read.

    Raises:
        InputError: there is no such file, or it is damaged, not an npz, pickled or beyond `MAX_UNPACKED_BYTES`.
    """
    try:
        check_npz(path)
        with zipfile.ZipFile(path) as archive:
            for field in set(fields) & set(archive.namelist()):
                raise wrong(path, field, "is no array", "write it with numpy.savez")
            present = [field for field in fields if f"{field}.npy" in archive.namelist()]
            for field in present:
                _check_header(archive, field, path)
        with np.load(path, allow_pickle=False) as stored:
            return {field: stored[field] for field in present}
    except InputError:
        raise
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds for a damaged or pickled file
        raise InputError(path, "is not a readable npz file of plain arrays", "write it with numpy.savez") from error


def _check_header(archive: zipfile.ZipFile, field: str, path: Path) -> None:
    """Check how much room a field will take, before it is read.

    Raises:
        InputError: it is no array, or will take more than allowed as the numbers or texts that it is used as.
    """
    with archive.open(f"{field}.npy") as file:
        if file.read(6) != b"\x93NUMPY":
            raise wrong(path, field, "is no array", "write it with numpy.savez")
    with archive.open(f"{field}.npy") as file:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(file)
    _check_room(math.prod(shape), dtype, field, path)


def _check_room(size: int, dtype: np.dtype, field: str, path: Path) -> None:
    """Check the room that `size` values of a type take as they are and, for numbers, as float64.

    Raises:
        InputError: it is more than allowed.
    """
    if dtype.kind in "US" and dtype.itemsize > 4 * MAX_TEXT:
        raise wrong(path, field, f"holds texts of {dtype.itemsize // 4} characters", "write shorter names")
    room = size * dtype.itemsize
    converted = 8 * size if dtype.kind in "fiub" and dtype.itemsize < 8 and dtype != np.float32 else 0
    if room > MAX_UNPACKED_BYTES or converted > MAX_CONVERTED_BYTES:
        problem = f"takes {max(room, converted) >> 20} MiB of memory"
        raise wrong(path, field, problem, "split it into smaller files")


def load_npy(path: Path) -> np.ndarray:
    """Read the array of a .npy file as plain numbers.

    Raises:
        InputError: there is no such file, or it is damaged, pickled, of another type or beyond `MAX_UNPACKED_BYTES`.
    """
    if not is_plain_file(path):
        raise InputError(path, "there is no such file", "check the path")
    if path.stat().st_size > MAX_UNPACKED_BYTES:
        raise InputError(path, f"has {path.stat().st_size >> 20} MiB", "split it into smaller files")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy's header parser raises a dozen kinds for a damaged or pickled file
        raise InputError(path, "is not a readable .npy file of plain numbers", "write it with numpy.save") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(path, "holds no plain numbers", "write 2D joints with numpy.save")
    _check_room(array.size, array.dtype, "the array", path)
    return np.asarray(array)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write an npz in one atomic step.

    Raises:
        InputError: it cannot be written, or is too large to be read again.
    """
    size = sum(array.nbytes for array in arrays.values())
    if size > MAX_UNPACKED_BYTES:
        raise InputError(path, f"would unpack to {size >> 20} MiB", "write fewer clips into a file")
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def check_npz(path: Path) -> list[str]:
    """Return the names of the fields of an npz.

    Raises:
        InputError: there is no such file, it is no npz, or it unpacks to more than `MAX_UNPACKED_BYTES`.
    """
    try:
        if not path.exists():
            raise InputError(path, "there is no such file", "check the path")
        if not path.is_file():  # reading a pipe would wait for ever
            raise InputError(path, "is not a plain file", "give an npz file")
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except InputError:
        raise
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    except Exception as error:  # zipfile raises a dozen kinds for a damaged file
        raise InputError(path, "is not a readable npz file of plain arrays", "write it with numpy.savez") from error
    unpacked = sum(info.file_size for info in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        raise InputError(path, f"unpacks to {unpacked >> 20} MiB", "split it into smaller files")
    return [info.filename.removesuffix(".npy") for info in entries]


def numeric(data: Arrays, field: str, path: Path) -> np.ndarray | None:
    """Return a field as float64 (float32 is kept); None if it is absent.

    Raises:
        InputError: it holds no numbers.
    """
    array = data.get(field)
    if array is None:
        return None
    if array.dtype.kind not in "fiu":
        raise wrong(path, field, f"is of type {array.dtype}", "it must hold plain numbers")
    _check_room(array.size, array.dtype, field, path)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def texts(data: Arrays, field: str, count: int, path: Path) -> list[str]:
    """Return one text per clip (or joint); an empty list if the field is absent.

    Raises:
        InputError: it does not hold `count` texts.
    """
    if field not in data:
        return []
    found = np.atleast_1d(data[field])
    if found.dtype.kind != "U" or found.shape != (count,):
        problem = f"has type {found.dtype} and shape {found.shape}"
        raise wrong(path, field, problem, f"it must hold {count} texts")
    return [str(text) for text in found]


def expect(array: np.ndarray, shape: tuple[int, ...], field: str, path: Path) -> None:
    """Check the shape of an array.

    Raises:
        InputError: another shape; the message names the field and the shape that it must have.
    """
    if array.shape != shape:
        raise wrong(path, field, f"has shape {array.shape}", f"it must be {shape}")


def clip_rows(data: Arrays, n_frames: int, path: Path) -> list[slice]:
    """Return the rows of every clip; all rows as one clip if the file has no `start` and `length`.

    Raises:
        InputError: `start` and `length` are not whole numbers, disagree, leave the array or overlap.
    """
    present = [field for field in ("start", "length") if field in data]
    if not present:
        return [slice(0, n_frames)]
    for field in ("start", "length"):
        if field not in data or data[field].dtype.kind not in "iu" or data[field].ndim != 1:
            raise wrong(path, field, "is not a list of whole numbers", "give 'start' and 'length' of every clip")
    start, length = (data[field].astype(np.int64) for field in ("start", "length"))
    if len(start) != len(length) or len(start) == 0:
        raise wrong(path, "length", f"is for {len(length)} clips, 'start' for {len(start)}", "give both per clip")
    # n_frames - length cannot overflow, start + length could.
    outside = (length < 1) | (length > n_frames) | (start < 0) | (start > n_frames - length)
    if outside.any():
        clip = int(outside.argmax())
        problem = f"gives clip {clip} the frames {start[clip]} to {start[clip] + length[clip]} of {n_frames}"
        raise wrong(path, "start", problem, "every clip must lie inside the array and have a frame")
    order = np.argsort(start)
    if (start[order][1:] < (start + length)[order][:-1]).any():
        raise wrong(path, "start", "makes clips overlap", "every frame belongs to one clip")
    return [slice(int(s), int(s + n)) for s, n in zip(start, length, strict=True)]


def clip_table(clips: Sequence[Any]) -> Arrays:
    """Return `start`, `length`, `name`, `subject`, `action` and `fps` of sequences or takes that are stored end to end."""
    lengths = np.array([len(clip) for clip in clips], np.int64)
    return {
        "start": np.cumsum(lengths) - lengths,
        "length": lengths,
        "name": np.array([clip.name for clip in clips]),
        "subject": np.array([clip.subject for clip in clips]),
        "action": np.array([clip.action for clip in clips]),
        "fps": np.array([clip.fps for clip in clips], np.float64),
    }


def rates(data: Arrays, count: int, path: Path) -> Float[np.ndarray, " clips"]:
    """Return the frames per second of every clip; `fps` may be one number for all, and the default if it is absent.

    Raises:
        InputError: not numbers, not one per clip, or out of range.
    """
    fps = numeric(data, "fps", path)
    if fps is None:
        return np.full(count, DEFAULT_FPS)
    if fps.shape not in ((), (1,), (count,)):
        raise wrong(path, "fps", f"has shape {fps.shape}", "give one number, or one per clip")
    found = np.broadcast_to(fps, (count,)).astype(np.float64)
    refuse(
        ~((found >= MIN_FPS) & (found <= MAX_FPS)), "fps", path, f"must be {MIN_FPS:g} to {MAX_FPS:g} frames per second"
    )
    return found


def refuse(bad: Bool[np.ndarray, " clips"], field: str, path: Path, rule: str) -> None:
    """Raise an error for the first clip whose field is bad.

    Raises:
        InputError: `bad` is true for a clip; the message names it and the `rule`.
    """
    if bad.any():
        raise wrong(path, field, f"of clip {int(bad.argmax())} is not usable", f"it {rule}")


def wrong(path: Path, field: str, problem: str, remedy: str) -> InputError:
    """Return the error for a field that is not valid."""
    return InputError(path, f"field '{field}' {problem}", remedy)
