"""Read spreadsheets of 2D joints with a column per coordinate, however they were saved; also DeepLabCut's and SLEAP's CSV."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import KNOWN_JOINTS, canonical_joint
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import MAX_PIXEL, describe, read_bytes
from posenet3d.io.keypoints.entries import Entry, joint_set_of_names, sequences_of_entries
from posenet3d.io.keypoints.frame_numbers import frame_numbers
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions

FRAME_COLUMNS = ("frame", "frame_idx", "frame_number", "fnum", "frame_id", "image_id", "image")
TRACK_COLUMNS = ("track", "track_id", "person", "person_id", "individual", "id")
CONFIDENCES = ("confidence", "conf", "score", "likelihood", "visibility", "c", "p")
MAX_CELLS = 50_000_000

_COORDINATE = re.compile(rf"^(?P<joint>.+?)[ ._:-]*(?P<axis>[xyz]|{'|'.join(CONFIDENCES)})$", re.IGNORECASE)


@dataclass(frozen=True)
class Table:
    """A table's header in lower case, its rows, and the line of each for messages."""

    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, names: Sequence[str]) -> int | None:
        """Return the index of the first of these columns; None if there is none."""
        return next((self.header.index(name) for name in names if name in self.header), None)


def read_table(path: Path) -> Table:
    """Read a CSV table: UTF-8 or UTF-16, separated by comma, semicolon or tab; decimal commas become points.

    Raises:
        InputError: it is no text, no table, or a row has another number of cells than the header.
    """
    text = decode(read_bytes(path), path)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        rows = [(reader.line_num, [c.strip() for c in row]) for row in reader if any(c.strip() for c in row)]
    except csv.Error as error:
        raise InputError(path, f"is not a CSV table ({error})", "save the table as plain CSV") from error
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(path, f"line {line} has {len(row)} cells instead of {len(header)}", "complete the line")
    if len(rows) * len(header) > MAX_CELLS:
        raise InputError(path, f"has {len(rows)} rows of {len(header)} cells", "split it into shorter clips")
    cells = [row for _, row in rows]
    if separator == ";":
        cells = [[re.sub(r"^(-?\d*),(\d+)$", r"\1.\2", cell) for cell in row] for row in cells]
    return Table(header, cells, [line for line, _ in rows])


def decode(content: bytes, path: Path) -> str:
    """Return text in UTF-8 (with or without mark) or UTF-16 (with mark).

    Raises:
        InputError: it is neither.
    """
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(path, "is not text in UTF-8", "save the table as CSV in UTF-8") from error


def whole(cell: str, path: Path, line: int, column: str) -> int:
    """Return a frame or track number, also written as 12.0 as pandas does.

    Raises:
        InputError: it is no whole number from 0 up.
    """
    if not re.fullmatch(r"[0-9]{1,15}(\.0*)?", cell):
        raise InputError(path, f"line {line}: {column} is {describe(cell)}", "it must be a whole number from 0 up")
    return int(cell.partition(".")[0])


def coordinate(cell: str, path: Path, line: int, column: str) -> float:
    """Return a coordinate or confidence; an empty cell is NaN.

    Raises:
        InputError: it is no number, or beyond any image.
    """
    try:
        value = float(cell or "nan")
    except ValueError as error:
        raise InputError(path, f"line {line}: {column} is {describe(cell)}", "it must be a number") from error
    if np.isfinite(value) and abs(value) > MAX_PIXEL:
        raise InputError(path, f"line {line}: {column} is {value:g}, which is no pixel", "write pixels")
    return value


def joint_columns(header: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return {joint: {x, y, z, confidence: column}} for the columns that name a known joint and an axis."""
    found: dict[str, dict[str, int]] = {}
    for index, name in enumerate(header):
        match = _COORDINATE.match(name)
        joint = canonical_joint(match["joint"]) if match else ""
        if match and joint in KNOWN_JOINTS:
            axis = match["axis"].lower()
            found.setdefault(joint, {})["confidence" if axis in CONFIDENCES else axis] = index
    return {joint: axes for joint, axes in found.items() if {"x", "y"} <= axes.keys()}


def recognise_wide(header: Sequence[str]) -> bool:
    """Return whether a table has a column per coordinate of at least six known joints."""
    return len(joint_columns(header)) >= 6


def read_wide(table: Table, path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read a table with columns such as nose_x, nose_y, nose_confidence; a row per frame (and track).

    Without a frame column a row is a frame.

    Raises:
        InputError: the table is of 3D points, a cell is wrong, or nobody is seen.
    """
    joints = joint_columns(table.header)
    if any("z" in axes for axes in joints.values()):
        raise InputError(path, "has a column z: it holds 3D points", "give the detector's 2D joints in pixels")
    frame, track = table.column(FRAME_COLUMNS), table.column(TRACK_COLUMNS)
    people = [] if track is None else list(dict.fromkeys(row[track] for row in table.rows))
    entries = []
    for row, (cells, line) in enumerate(zip(table.rows, table.lines, strict=True)):
        values = np.zeros((len(joints), 3))
        for index, (joint, axes) in enumerate(joints.items()):
            x, y = (coordinate(cells[axes[axis]], path, line, f"{joint}_{axis}") for axis in "xy")
            sure = coordinate(cells[axes["confidence"]] or "1", path, line, joint) if "confidence" in axes else 1.0
            values[index] = [x, y, sure] if np.isfinite(x + y) else [0, 0, 0]
        if not (values[:, 2] > 0).any():
            continue
        number: object = row if frame is None else frame_label(cells[frame], path, line)
        entries.append(Entry(number, values, None if track is None else people.index(cells[track]) + 1))
    joint_set = joint_set_of_names(list(joints), path, "header")
    span = (0, len(table.rows) - 1) if frame is None else None
    return sequences_of_entries(entries, path, options, "columns", joint_set=joint_set, frames=span)


def frame_label(cell: str, path: Path, line: int) -> object:
    """Return a frame number, or an image's name as it is."""
    return cell if re.search(r"[A-Za-z]", cell) else whole(cell, path, line, "frame")


def recognise_deeplabcut(header: Sequence[str]) -> bool:
    """Return whether a table's first header line is DeepLabCut's."""
    return bool(header) and header[0] == "scorer"


def read_deeplabcut(table: Table, path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read DeepLabCut's CSV: header lines scorer, (individuals,) bodyparts, coords; then a row per frame.

    Raises:
        InputError: a header line is missing, a cell is wrong, or nobody is seen.
    """
    labels = {row[0].lower(): row[1:] for row in table.rows[:4] if not re.fullmatch(r"[0-9.]+", row[0])}
    if not {"bodyparts", "coords"} <= labels.keys():
        raise InputError(
            path, "has no header lines 'bodyparts' and 'coords'", "give DeepLabCut's CSV as it was written"
        )
    rows, lines = table.rows[len(labels) :], table.lines[len(labels) :]
    values = np.array(
        [[coordinate(c, path, line, "a coordinate") for c in row[1:]] for row, line in zip(rows, lines, strict=True)]
    )
    individuals = labels.get("individuals", [""] * len(labels["bodyparts"]))
    frames = frame_numbers([row[0] if re.search("[A-Za-z]", row[0]) else whole(row[0], path, line, "frame")
                            for row, line in zip(rows, lines, strict=True)], path, "frame")  # fmt: skip
    return read_columns(values, frames, individuals, labels["bodyparts"], labels["coords"], path, options)


def read_columns(
    values: Float[np.ndarray, "frames columns"],
    frames: Sequence[int],
    individuals: Sequence[str],
    bodyparts: Sequence[str],
    coords: Sequence[str],
    path: Path,
    options: KeypointOptions,
) -> list[PoseSequence]:
    """Return sequences from columns that are labelled by individual, bodypart and coordinate (x, y, likelihood).

    Raises:
        InputError: no bodypart is a known joint, or nobody is seen.
    """
    joints = tuple(dict.fromkeys(n for b in bodyparts if (n := canonical_joint(b)) in KNOWN_JOINTS))
    joint_set = joint_set_of_names(joints, path, "bodyparts") if joints else None
    if joint_set is None:
        problem = f"names no known joint ({', '.join(list(dict.fromkeys(bodyparts))[:6])})"
        raise InputError(path, problem, "name the bodyparts left_hip, right_hip, left_knee ...")
    people = [name for name in dict.fromkeys(individuals) if name != "single"] or [""]
    table = np.zeros((len(people), len(values), len(joints), 3))
    table[..., 2] = 1.0
    for column, (who, bodypart, axis) in enumerate(zip(individuals, bodyparts, coords, strict=True)):
        joint = canonical_joint(bodypart)
        if joint in joints and who in people and axis in ("x", "y", "likelihood"):
            table[people.index(who), :, joints.index(joint), "xyl".index(axis[0])] = values[:, column]
    table[~np.isfinite(table).all(-1)] = 0
    entries = [
        Entry(int(number), table[person, row], person + 1 if len(people) > 1 else None)
        for person in range(len(people))
        for row, number in enumerate(frames)
        if (table[person, row, :, 2] > 0).any()
    ]
    span = (min(frames), max(frames)) if len(frames) else None
    return sequences_of_entries(entries, path, options, "bodyparts", joint_set=joint_set, frames=span)


FORMAT = KeypointFormat(
    name="Spreadsheet",
    suffixes=(".csv", ".tsv"),
    recognise=lambda file: file.suffix in (".csv", ".tsv") and _is_wide(file.path),
    read=lambda file, options: _read(file.path, options),
    description="a .csv with a column per coordinate (nose_x, nose_y ...), DeepLabCut's and SLEAP's included.",
)


def _is_wide(path: Path) -> bool:
    header = read_table(path).header
    return recognise_wide(header) or recognise_deeplabcut(header)


def _read(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    table = read_table(path)
    return (read_deeplabcut if recognise_deeplabcut(table.header) else read_wide)(table, path, options)
