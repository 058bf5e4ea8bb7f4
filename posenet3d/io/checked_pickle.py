"""Validated access to pickled dictionaries of arrays, in pickles (3DPW, AIST++) and in npz (VideoPose3D and its successors).

Nothing in them is executed: `posenet3d.safe_pickle` accepts arrays only.
"""

from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.errors import InputError
from posenet3d.io.checked_json import MAX_PIXEL, describe
from posenet3d.io.checked_npz import check_npz, wrong
from posenet3d.pickle_scan import UnsafePickle
from posenet3d.safe_pickle import plain, read_object_npz, read_pickle


def load_pickle(path: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    """Read the named fields of the dictionary in a pickle; fields that it lacks are left out, no other field is unpacked.

    Raises:
        InputError: it cannot be read, holds anything but arrays, or has none of the fields.
    """
    try:
        content = read_pickle(path)
        content = {field: plain(content[field]) for field in fields if field in content}
    except UnsafePickle as error:
        raise InputError(path, f"is not usable: {error}", "give the file as it was downloaded") from error
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    if not content:
        raise InputError(
            path, f"has no field {' or '.join(repr(f) for f in fields)}", "give the file as it was downloaded"
        )
    return content


def load_dictionary(path: Path, field: str) -> dict[str, Any]:
    """Read the dictionary in a field of an npz, with its keys as texts.

    Raises:
        InputError: there is none, or it holds anything but arrays.
    """
    check_npz(path)
    try:
        content = read_object_npz(path, field)
    except UnsafePickle as error:
        raise InputError(path, f"is not usable: {error}", f"give the file that has '{field}'") from error
    if not isinstance(content, dict):
        raise wrong(path, field, "is no dictionary", "give the file as the data set's scripts write it")
    return {key if isinstance(key, str) else describe(key): value for key, value in content.items()}


def load_object(path: Path, field: str) -> Any:
    """Return what an npz holds in a field that is an array of objects.

    Raises:
        InputError: there is none, or it names anything but arrays.
    """
    check_npz(path)
    try:
        return read_object_npz(path, field)
    except UnsafePickle as error:
        raise InputError(path, f"is not usable: {error}", f"give the file that has '{field}'") from error


MAX_ABS = 1e9
"""A thousand kilometres in millimetres; larger numbers are damaged, and their squares would overflow."""

MAX_NUMBERS = 10**8
"""In nested lists; lists that contain each other many times would expand to more than any memory."""


def number_array(value: Any, shape: tuple[int | None, ...], where: str, path: Path) -> np.ndarray:
    """Convert a value of such a dictionary to float64 numbers, which may be NaN.

    Args:
        value: an array or nested lists.
        shape: that it must have; None is any length but 0.
        where: name of the value, for errors.
        path: of the file, for errors.

    Raises:
        InputError: no numbers, another shape, or a number beyond `MAX_ABS`.
    """
    array = _plain_array(value)
    fits = array.ndim == len(shape) and all(
        have == want if want is not None else have > 0 for have, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype.kind not in "fiu" or not fits:
        wanted = " x ".join("n" if size is None else str(size) for size in shape)
        raise wrong(path, where, f"has shape {array.shape} and type {array.dtype}", f"it must be {wanted} numbers")
    numbers = array.astype(np.float64)
    if (np.abs(numbers) > MAX_ABS).any():
        raise wrong(path, where, f"holds {np.nanmax(np.abs(numbers)):g}", "download the file again")
    return numbers


def valid_frames(value: Any, frames: int, where: str, path: Path) -> np.ndarray:
    """Return whether each frame is valid, from flags or numbers of any shape: false below 1.

    Raises:
        InputError: there is not one number per frame.
    """
    flags = _plain_array(value).ravel()
    return ~(number_array(flags.astype(float) if flags.dtype.kind == "b" else flags, (frames,), where, path) < 1)


def camera_matrix(value: Any, where: str, path: Path) -> np.ndarray:
    """Return a camera's intrinsics K in pixels.

    Raises:
        InputError: as `number_array`, or the values cannot be intrinsics.
    """
    K = number_array(value, (3, 3), where, path)
    if not (np.isfinite(K).all() and min(K[0, 0], K[1, 1]) > 1 and np.abs(K).max() <= MAX_PIXEL):
        raise wrong(path, where, "is no camera's matrix", "it must hold focal lengths and centre in pixels")
    return K


def _plain_array(value: Any) -> np.ndarray:
    """Return an array or nested lists of numbers as an array; an empty one of objects if they are none or too many."""
    is_number = isinstance(value, bool | int | float | np.number | np.bool_)
    if not (is_number or isinstance(value, np.ndarray | list)) or _nested_size(value, {}) > MAX_NUMBERS:
        return np.empty(0, object)
    try:
        return np.asarray(value)
    except (ValueError, OverflowError):  # lists of different lengths, or a number beyond float64
        return np.empty(0, object)


def _nested_size(value: Any, known: dict[int, int]) -> int:
    """Return the number of values in arrays and nested lists; more than `MAX_NUMBERS` if there is anything else.

    Lists that are there twice are counted twice and visited once: few bytes may unfold to 1e12 numbers.
    """
    if isinstance(value, np.ndarray):
        return int(value.size)
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return 1
    if not isinstance(value, list):
        return MAX_NUMBERS + 1
    if id(value) not in known:
        known[id(value)] = sum(_nested_size(part, known) for part in value)
    return known[id(value)]
