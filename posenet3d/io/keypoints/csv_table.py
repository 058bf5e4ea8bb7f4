"""The project's own table, for spreadsheets: one line per joint, header ``frame,track,joint,x,y,confidence``."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posenet3d.core.jointsets import KNOWN_JOINTS, JointSet, canonical_joint
from posenet3d.core.sequence import DEFAULT_FPS, PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.checked_json import MAX_PIXEL, describe, read_bytes
from posenet3d.io.keypoints.keypoint_format import KeypointFormat
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    check_span,
    named_joint_set,
    nothing_seen,
    sequences_of_people,
)

COLUMNS = ("frame", "track", "joint", "x", "y", "confidence")
NEEDED = ("frame", "joint", "x", "y")


def read_csv(path: Path, *, joint_set: str | None = None, fps: float = DEFAULT_FPS) -> list[PoseSequence]:
    """People in a table, most complete first; rows are the frames from the first in the table to the last.

    `track` and `confidence` may be absent (one person, sure of every joint). An empty x or y is a missing joint. Joints
    go by their names, so the table may hold any joints that some known joint set has.

    Raises:
        InputError: a column is missing, a cell is not what it should be (the line is named), or nobody is seen.
    """
    lines = _lines(path)
    joints = named_joint_set(joint_set, path) if joint_set else JointSet("the table", _joints(lines, path))
    column = {name: index for index, name in enumerate(joints.joints)}
    people: dict[tuple[int, int], Person] = {}
    written: set[tuple[int, int, int]] = set()
    for line, cells in lines:
        frame = _whole(cells["frame"], path, line, "frame")
        track = _whole(cells.get("track") or "1", path, line, "track")
        joint = column.get(canonical_joint(cells["joint"]))
        if joint is None:
            raise InputError(path, f"line {line}: joint {describe(cells['joint'])} is not known", f"use {_usable()}")
        if (frame, track, joint) in written:
            problem = f"line {line}: joint '{joints.joints[joint]}' of frame {frame} is there twice"
            raise InputError(path, problem, "keep one line per frame, track and joint")
        written.add((frame, track, joint))
        person = people.setdefault((frame, track), Person(frame, np.zeros((len(joints), 3)), track))
        person.joints[joint] = [
            _number(cells["x"], path, line, "x"),
            _number(cells["y"], path, line, "y"),
            _number(cells.get("confidence") or "1", path, line, "confidence"),
        ]
    return _sequences(list(people.values()), joints, path, fps)


def write_csv(path: Path, sequences: Sequence[PoseSequence]) -> None:
    """Write people of one clip; every frame is written, a missing joint with empty x and y, so that rows survive.

    Raises:
        InputError: the file cannot be written.
        ValueError: the sequences are not equally long.
    """
    if len({len(sequence) for sequence in sequences}) > 1:
        raise ValueError("only people of one clip, with the same frames, go into one table")
    ids = [sequence.track_id for sequence in sequences]
    tracks = ids if None not in ids and len(set(ids)) == len(ids) else range(1, len(ids) + 1)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for track, sequence in zip(tracks, sequences, strict=True):
        for frame, (pixels, sure) in enumerate(zip(sequence.keypoints_px, sequence.confidence, strict=True)):
            for name, (x, y), c in zip(JOINT_NAMES, pixels, sure, strict=True):
                table.writerow([frame, track, name, f"{x:.3f}", f"{y:.3f}", f"{c:.4g}"] if c > 0
                               else [frame, track, name, "", "", 0])  # fmt: skip
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and cells by column name."""
    try:
        table = csv.reader(io.StringIO(read_bytes(path).decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(table, [])]
        rows = [(table.line_num, row) for row in table if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise InputError(path, "is not text in UTF-8", "save the table as CSV in UTF-8") from error
    except csv.Error as error:
        raise InputError(path, f"is not a CSV table ({error})", "save the table as plain CSV") from error
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise InputError(path, f"column '{missing[0]}' is missing", f"its header must be {','.join(COLUMNS)}")
    for line, row in rows:
        if len(row) != len(header):
            raise InputError(path, f"line {line} has {len(row)} cells instead of {len(header)}", "complete the line")
    return [(line, {name: cell.strip() for name, cell in zip(header, row, strict=True)}) for line, row in rows]


def _joints(lines: list[tuple[int, dict[str, str]]], path: Path) -> tuple[str, ...]:
    """Known joints named in the table, in order of appearance."""
    if not lines:
        raise nothing_seen(path)
    return tuple(name for name in dict.fromkeys(canonical_joint(c["joint"]) for _, c in lines) if name in KNOWN_JOINTS)


def _usable() -> str:
    return "the names " + ", ".join(JOINT_NAMES) + " or a known joint set's"


def _whole(cell: str, path: Path, line: int, column: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 15):
        raise InputError(path, f"line {line}: {column} is {describe(cell)}", "it must be a whole number from 0 up")
    return int(cell)


def _number(cell: str, path: Path, line: int, column: str) -> float:
    try:
        value = float(cell or "nan")
    except ValueError as error:
        raise InputError(path, f"line {line}: {column} is {describe(cell)}", "it must be a number") from error
    if np.isfinite(value) and abs(value) > MAX_PIXEL:
        raise InputError(path, f"line {line}: {column} is {value:g}, which is no pixel", "write pixels")
    return value


def _sequences(people: list[Person], joints: JointSet, path: Path, fps: float) -> list[PoseSequence]:
    frames = [person.frame for person in people]
    first = min(frames)
    n_frames = check_span(first, max(frames), len(set(frames)), path, "frame")
    aligned = [Person(person.frame - first, person.joints, person.track_id) for person in people]
    return sequences_of_people(aligned, Footage(path, n_frames, fps), joints, "joint")


FORMAT = KeypointFormat(
    name="CSV table",
    suffixes=(".csv",),
    recognise=lambda file: file.suffix == ".csv",
    read=lambda file, options: read_csv(file.path, joint_set=options.joint_set, fps=options.fps),
    description=f"a .csv with the columns `{', '.join(COLUMNS)}`. Joints of any known joint set, by their names.",
)
