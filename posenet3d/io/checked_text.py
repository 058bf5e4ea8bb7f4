"""Validated text files of motion capture (BVH, AMC, TRC); every failure is an InputError that names the line or field."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.sequence import MAX_FPS, MIN_FPS
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, read_bytes

MAX_VALUE = 1e7
"""Ten kilometres in millimetres, or an angle after thousands of turns; larger numbers are damaged."""

MAX_JOINTS = 1000
"""A skeleton with every finger and a face has 200."""

MAX_POINTS = 10**8
"""Joints times frames: four hours of sixty joints at 120 frames per second."""


def read_text(path: Path) -> str:
    r"""Read a text file in UTF-8, with or without a byte order mark; all line ends become '\n'.

    Raises:
        InputError: as `posenet3d.io.checked_json.read_bytes`, with a remedy for motion capture.
    """
    try:
        content = read_bytes(path)
    except InputError as error:
        raise InputError(path, error.problem, "give the path of a whole, readable motion-capture file") from error
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace").read()


def numbers(words: Sequence[str], path: Path, where: str) -> Float[np.ndarray, " numbers"]:
    """Convert words to numbers.

    Raises:
        InputError: one is not a number, not finite or beyond `MAX_VALUE`; the message says where.
    """
    values = np.fromiter(map(_float, words), np.float64, len(words))
    is_wrong = ~(np.abs(values) <= MAX_VALUE)
    if is_wrong.any():
        problem = f"{where} holds {describe(words[int(is_wrong.argmax())])}"
        raise InputError(path, problem, "it must hold plain numbers: export the file again")
    return values


def _float(word: str) -> float:
    """Return a word as a number; NaN if it is none."""
    try:
        return float(word)
    except ValueError:
        return np.nan


def number(word: str, path: Path, where: str) -> float:
    """Convert one word to a number.

    Raises:
        InputError: as `numbers`.
    """
    return float(numbers([word], path, where)[0])


def check_rate(fps: float, path: Path, where: str) -> float:
    """Return the frame rate after checking its range.

    Raises:
        InputError: it is out of range.
    """
    if not MIN_FPS <= fps <= MAX_FPS:
        remedy = f"it must be {MIN_FPS:g} to {MAX_FPS:g} frames per second"
        raise InputError(path, f"{where} gives {fps:g} frames per second", remedy)
    return fps


def count_notes(announced: float, held: int) -> tuple[str, ...]:
    """Return a note if a file holds another number of frames than it announces; the frames that are there are read."""
    return () if announced == held else (f"announces {announced:g} frames and holds {held}; all {held} are read",)


def check_size(path: Path, *, frames: int, joints: int) -> None:
    """Check the size of a file: it must hold a frame and must not fill the memory.

    Raises:
        InputError: no frame, or more than `MAX_JOINTS` or `MAX_POINTS`.
    """
    if frames == 0:
        raise InputError(path, "holds no frame", "export it with its motion")
    if joints > MAX_JOINTS:
        raise InputError(path, f"has {joints} joints, more than {MAX_JOINTS}", "give one person's skeleton")
    if frames * joints > MAX_POINTS:
        raise InputError(path, f"has {frames} frames of {joints} joints", "split it into shorter takes")
