"""JSON from anywhere, checked value by value: what is not what it should be raises `InputError` naming the field."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from posenet3d.errors import InputError

MAX_BYTES = 2**30
"""A whole day of one person in verbose JSON; anything larger would exhaust the memory before it could be refused."""

MAX_PIXEL = 1e6
"""No image is this wide: such a coordinate is a broken file, and its square would swamp every sum."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of bounded size.

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
    """The value in a JSON file.

    Raises:
        InputError: as `read_bytes` and `parse_json`.
    """
    return parse_json(read_bytes(path), path)


def parse_json(content: bytes, file: str | Path) -> Any:
    """The value in JSON text; NaN and Infinity are allowed, as numpy users write them.

    Raises:
        InputError: it is not JSON in UTF-8, or is nested beyond reason.
    """
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(file, "is not text in UTF-8", "give the detector's JSON output") from error
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})"
        raise InputError(file, problem, "it may be truncated: write it again with the detector") from error
    except (ValueError, RecursionError) as error:
        raise InputError(file, "is not usable JSON", "give the detector's JSON output") from error


def records(value: object, file: str | Path, field: str) -> list[dict[str, Any]]:
    """`value`, which must be a list of objects.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, list):
        raise InputError(file, f"field '{field}' is {describe(value)}", "it must be a list of objects")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise InputError(file, f"field '{field}[{index}]' is {describe(item)}", "it must be an object")
    return value


def joint_triplets(value: object, file: str | Path, field: str) -> Float[np.ndarray, "joints 3"]:
    """A flat list x, y, confidence, x, y, ... as rows; null and NaN stand for missing.

    Raises:
        InputError: not a flat list of numbers, not a multiple of three of them, or a coordinate beyond any image.
    """
    if not isinstance(value, list):
        raise InputError(file, f"field '{field}' is {describe(value)}", "it must be a list x, y, confidence, ...")
    for item in value:
        if type(item) not in (float, int, type(None)):
            raise InputError(file, f"field '{field}' holds {describe(item)}", "it must hold plain numbers")
    if not value or len(value) % 3:
        raise InputError(file, f"field '{field}' holds {len(value)} numbers", "it must hold x, y, confidence per joint")
    try:
        rows = np.array(value, dtype=np.float64).reshape(-1, 3)
    except OverflowError as error:
        raise InputError(
            file, f"field '{field}' holds a number that is no pixel", "write coordinates in pixels"
        ) from error
    check_pixels(rows[:, :2], file, field)
    return rows


def check_pixels(pixels: Float[np.ndarray, "*any"], file: str | Path, field: str) -> None:
    """Refuse coordinates beyond any image; NaN and infinity are missing joints and pass.

    Raises:
        InputError: a finite coordinate is larger than `MAX_PIXEL`.
    """
    finite = pixels[np.isfinite(pixels)]
    if len(finite) and np.abs(finite).max() > MAX_PIXEL:
        worst = finite[np.abs(finite).argmax()]
        raise InputError(file, f"field '{field}' holds {worst:g}, which is no pixel", "write coordinates in pixels")


def whole_number(value: object, file: str | Path, field: str) -> int:
    """An integer, also when written 12.0, within 15 digits.

    Raises:
        InputError: it is not.
    """
    is_number = type(value) is int or (type(value) is float and value.is_integer())
    if not is_number or abs(value) >= 1e15:  # type: ignore[operator, arg-type]
        raise InputError(file, f"field '{field}' is {describe(value)}", "it must be a whole number")
    return int(value)  # type: ignore[call-overload]


def image_size(record: Mapping[str, object], file: str | Path, field: str) -> tuple[int, int] | None:
    """`width` and `height` in pixels, None where either is absent.

    Raises:
        InputError: they are not positive whole numbers of a believable size.
    """
    if record.get("width") is None or record.get("height") is None:
        return None
    size = tuple(whole_number(record[side], file, f"{field}.{side}") for side in ("width", "height"))
    if not all(0 < side <= MAX_PIXEL for side in size):
        problem = f"field '{field}' has width {size[0]} and height {size[1]}"
        raise InputError(file, problem, "both must be positive numbers of pixels")
    return size[0], size[1]


def last_number(text: str) -> int | None:
    """The last number in a file name without its suffix: 12 for 'cam1_000012_keypoints.json'."""
    found = re.findall(r"[0-9]+", re.sub(r"\.[A-Za-z][A-Za-z0-9]*$", "", text.rsplit("/", 1)[-1]))
    return int(found[-1]) if found and len(found[-1]) <= 15 else None


def describe(value: object) -> str:
    """A wrong value in few words, for an error message."""
    kinds = {dict: "an object", list: "a list", type(None): "null"}
    if type(value) in kinds:
        return kinds[type(value)]
    text = str(value) if not isinstance(value, int) or abs(value) < 10**30 else "an enormous number"
    return f"'{text[:40].encode('utf-8', 'replace').decode()}'"  # JSON may hold half a surrogate pair
