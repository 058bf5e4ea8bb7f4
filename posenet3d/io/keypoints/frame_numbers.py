"""Find the frame number in file names and image ids: of the numbers in them, it is the one that varies."""

import re
from collections.abc import Sequence
from pathlib import Path

from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, whole_number

MAX_DIGITS = 15


def frame_numbers(labels: Sequence[object], file: str | Path, field: str) -> list[int]:
    """Return the frame number of every label, in the order of the labels.

    A label is a whole number, or a name with numbers in it ('cam1_000012_keypoints.json', 'frame_00012_1920x1080.jpg').
    Numbers that are the same in every name (a camera, a size) are not the frame. Where several vary, the last one
    that tells all names apart is taken. Labels without any number are frame 0 if all are the same name.

    Args:
        labels: one per person or file; people of one frame share a label.
        file: for messages.
        field: for messages.

    Raises:
        InputError: a label has no number, or no number tells the labels apart.
    """
    names = [label for label in labels if isinstance(label, str)]
    if len(names) < len(labels):
        if names:
            raise InputError(file, f"field '{field}' is a name in some places and a number in others", "use one kind")
        return [whole_number(label, file, field) for label in labels]
    numbers = {name: _numbers_in(name) for name in dict.fromkeys(names)}
    if len(numbers) == 1:
        (own,) = numbers.values()
        return [own[-1] if own else 0] * len(labels)
    without = next((name for name, own in numbers.items() if not own), None)
    if without is not None:
        problem = f"field '{field}' is {describe(without)}, which has no frame number"
        raise InputError(file, problem, "name the images by frame number")
    column = _frame_column(list(numbers.values()))
    if column is None:
        one, other, number = _alike(numbers)
        problem = f"field '{field}' {describe(one)} and {describe(other)} are both frame {number}"
        raise InputError(file, problem, "keep one clip per file, and name its images by frame number")
    return [numbers[name][column] for name in names]


def _numbers_in(name: str) -> list[int]:
    """Return the numbers in a file's name, without those of its folder and of its suffix."""
    base = re.sub(r"\.[A-Za-z][A-Za-z0-9]*$", "", name.replace("\\", "/").rsplit("/", 1)[-1])
    return [int(digits) for digits in re.findall(r"[0-9]+", base) if len(digits) <= MAX_DIGITS]


def _frame_column(rows: list[list[int]]) -> int | None:
    """Return which number of each row is the frame (from the end where rows differ in length); None if none is."""
    shortest = min(map(len, rows))
    is_even = all(len(row) == shortest for row in rows)
    columns = range(shortest - 1, -1, -1) if is_even else range(-1, -shortest - 1, -1)
    return next((column for column in columns if len({row[column] for row in rows}) == len(rows)), None)


def _alike(numbers: dict[str, list[int]]) -> tuple[str, str, int]:
    """Return two names with the same last number, and the number."""
    owner: dict[int, str] = {}
    for name, own in numbers.items():
        if own[-1] in owner:
            return owner[own[-1]], name, own[-1]
        owner[own[-1]] = name
    one, other = list(numbers)[:2]  # no two share the last number, but no number tells all apart
    return one, other, numbers[one][-1]
