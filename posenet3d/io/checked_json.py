"""Validated JSON access; every failure is an InputError that names the field."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.errors import InputError, printable

MAX_BYTES = 2**30
"""A whole day of one person in verbose JSON; a larger file would exhaust the memory."""

MAX_PARSED_BYTES = 3 * 2**30
"""Of the Python objects that JSON becomes, by `_parsed_bytes`: COCO's training annotations (240 MB) come to 1.7 GiB."""

JOINT_COUNTS = frozenset(map(len, JOINT_SETS.values()))

MAX_PIXEL = 1e6
"""No image is this wide. A file with such a coordinate is broken, and its square would dominate every sum."""


def read_bytes(path: Path) -> bytes:
    """Read a plain file of limited size.

    Raises:
        InputError: there is no such file, it cannot be read, is not a plain file, is empty or too large.
    """
    try:
        if not path.exists():
            raise InputError(path, "there is no such file", "check the path")
        if not path.is_file():
            raise InputError(path, "is not a plain file", "give a keypoint file or a folder of them")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(path, f"is larger than {MAX_BYTES >> 20} MiB", "split it into shorter clips")
        content = path.read_bytes()
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    if not content.strip():
        raise InputError(path, "is empty", "write it again with the detector")
    return content


def load_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: as `read_bytes` and `parse_json`.
    """
    return parse_json(read_bytes(path), path)


def parse_json(content: bytes, file: str | Path) -> Any:
    """Parse JSON; NaN and Infinity are allowed, because numpy users write them.

    Raises:
        InputError: it is not JSON in UTF-8, is nested too deeply, or would fill more memory than `MAX_PARSED_BYTES`.
    """
    if (size := _parsed_bytes(content)) > MAX_PARSED_BYTES:
        raise InputError(file, f"would fill {size >> 20} MiB of memory", "split it into shorter clips")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(file, "is not text in UTF-8", "give the detector's JSON output") from error
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        raise InputError(file, problem, "it may be truncated: write it again with the detector") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(file, "is not usable JSON", "give the detector's JSON output") from error


def _parsed_bytes(content: bytes) -> int:
    """Return about how many bytes the objects in JSON will take, before there are any: `{},` becomes 25 times its size.

    Counted are objects (184 bytes), lists (88), texts (100) and values (a number and its place, 32), as Python 3.11 stores them.
    """
    return 184 * content.count(b"{") + 88 * content.count(b"[") + 50 * content.count(b'"') + 32 * content.count(b",")


def records(value: object, file: str | Path, field: str) -> list[dict[str, Any]]:
    """Return `value` after checking that it is a list of objects.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list):
        raise InputError(file, f"field '{field}' is {describe(value)}", "it must be a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise InputError(file, f"field '{field}[{index}]' is {describe(item)}", "it must be an object")
    return value


def joint_triplets(value: object, file: str | Path, field: str) -> Float[np.ndarray, "joints 3"]:
    """Return joints as rows of x, y, confidence; null and NaN are missing values.

    Written flat (x, y, confidence, x, y, ...) or a list per joint; numbers may be written as text. Without confidences
    (x, y, x, y, ...) every joint that is not missing has confidence 1. A flat list whose length fits both readings is
    the one with a known number of joints, with confidences if both have.

    Raises:
        InputError: not such a list, another number of values, or a coordinate beyond any image.
    """
    if not isinstance(value, list) or not value:
        problem = f"field '{field}' is {describe(value)}" if value != [] else f"field '{field}' holds 0 numbers"
        raise InputError(file, problem, "it must be a list x, y, confidence, ...")
    if all(isinstance(item, list) for item in value):
        width = len(value[0])
        if width not in (2, 3) or any(len(item) != width for item in value):
            raise InputError(
                file, f"field '{field}' holds lists of other lengths", "it must hold x, y, confidence per joint"
            )
        flat = [number for item in value for number in item]
    else:
        flat, width = value, _values_per_joint(len(value))
    if width == 0:
        raise InputError(file, f"field '{field}' holds {len(value)} numbers", "it must hold x, y, confidence per joint")
    try:
        rows = np.array([_number(item, file, field) for item in flat], dtype=np.float64).reshape(-1, width)
    except OverflowError as error:
        raise InputError(
            file, f"field '{field}' holds a number that is no pixel", "write coordinates in pixels"
        ) from error
    if width == 2:
        rows = np.column_stack([rows, np.isfinite(rows).all(1).astype(float)])
    check_pixels(rows[:, :2], file, field)
    return rows


def _values_per_joint(length: int) -> int:
    """Return whether a flat list of this length has 3 or 2 values per joint; 0 if neither."""
    fits = [width for width in (3, 2) if length % width == 0]
    known = [width for width in fits if length // width in JOINT_COUNTS]
    return (known or fits or [0])[0] if 3 in fits or known else 0


def _number(item: object, file: str | Path, field: str) -> float:
    """Return a number, also one written as text; null is NaN."""
    if item is None:
        return np.nan
    if isinstance(item, str) and re.fullmatch(r"\s*-?[0-9]{1,12}(\.[0-9]{0,20})?(e-?[0-9]{1,2})?\s*", item):
        return float(item)
    if type(item) not in (float, int):
        raise InputError(file, f"field '{field}' holds {describe(item)}", "it must hold plain numbers")
    return float(item)  # type: ignore[arg-type]


def check_pixels(pixels: Float[np.ndarray, "*any"], file: str | Path, field: str) -> None:
    """Check that no coordinate is beyond any image; NaN and infinity are allowed, as missing joints.

    Raises:
        InputError: a finite coordinate is larger than `MAX_PIXEL`.
    """
    finite = pixels[np.isfinite(pixels)]
    if len(finite) and np.abs(finite).max() > MAX_PIXEL:
        worst = finite[np.abs(finite).argmax()]
        raise InputError(file, f"field '{field}' holds {worst:g}, which is no pixel", "write coordinates in pixels")


def whole_number(value: object, file: str | Path, field: str) -> int:
    """Return a value as an integer of at most 15 digits; 12.0 is allowed.

    Raises:
        InputError: it is no whole number.
    """
    is_number = type(value) is int or (type(value) is float and value.is_integer())
    if not is_number or abs(value) >= 1e15:  # type: ignore[arg-type]
        raise InputError(file, f"field '{field}' is {describe(value)}", "it must be a whole number")
    return int(value)  # type: ignore[call-overload]


def image_size(record: Mapping[str, object], file: str | Path, field: str) -> tuple[int, int] | None:
    """Return `width` and `height` in pixels; None if either is absent.

    Raises:
        InputError: they are not whole numbers from 1 to `MAX_PIXEL`.
    """
    if record.get("width") is None or record.get("height") is None:
        return None
    size = tuple(whole_number(record[side], file, f"{field}.{side}") for side in ("width", "height"))
    if not all(0 < side <= MAX_PIXEL for side in size):
        problem = f"field '{field}' has width {size[0]} and height {size[1]}"
        raise InputError(file, problem, "both must be positive numbers of pixels")
    return size[0], size[1]


def last_number(text: str) -> int | None:
    """Return the last number in a file name without its suffix: 12 for 'cam1_000012_keypoints.json'; None without any."""
    found = re.findall(r"[0-9]+", re.sub(r"\.[A-Za-z][A-Za-z0-9]*$", "", text.rsplit("/", 1)[-1]))
    return int(found[-1]) if found and len(found[-1]) <= 15 else None


def describe(value: object) -> str:
    """Return a short description of a wrong value, for an error message."""
    kinds = {dict: "an object", list: "a list", type(None): "null"}
    if type(value) in kinds:
        return kinds[type(value)]
    if type(value) not in (str, int, float, bool):
        return f"of type {type(value).__name__}"
    text = str(value) if not isinstance(value, int) or abs(value) < 10**30 else "an enormous number"
    return f"'{printable(text[:40])}'"
