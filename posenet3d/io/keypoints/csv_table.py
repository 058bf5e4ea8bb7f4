"""Read and write the project's CSV table for spreadsheets: one line per joint, header ``frame,track,joint,x,y,confidence``."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posenet3d.core.jointsets import KNOWN_JOINTS, JointSet, canonical_joint
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.io.checked_json import describe
from posenet3d.io.keypoints.entries import Entry, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions
from posenet3d.io.keypoints.people import named_joint_set, no_person_error
from posenet3d.io.keypoints.tables import Table, coordinate, frame_label, read_table, whole

COLUMNS = ("frame", "track", "joint", "x", "y", "confidence")
NEEDED = ("frame", "joint", "x", "y")


def read_csv(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read the people in a table, most complete first; rows are the frames from the table's first to its last.

    `track` and `confidence` may be absent: then the table is of one person, with confidence 1. An empty x or y is a
    missing joint. Joints are known by their names, so the table may hold joints of any joint set.

    Raises:
        InputError: a column is missing, a cell is wrong (the message names its line), the points are 3D, or no person.
    """
    table = read_table(path)
    _check_columns(table, path)
    if not table.rows:
        raise no_person_error(path)
    lines = [
        (line, dict(zip(table.header, row, strict=True))) for row, line in zip(table.rows, table.lines, strict=True)
    ]
    known = _known([cells["joint"] for _, cells in lines])
    joints = named_joint_set(options.joint_set, path) if options.joint_set else JointSet("the table", known)
    column = {name: index for index, name in enumerate(joints.joints)}
    found: dict[tuple[object, int], Entry] = {}
    written: set[tuple[object, int, int]] = set()
    for line, cells in lines:
        frame = frame_label(cells["frame"], path, line)
        track = whole(cells.get("track") or "1", path, line, "track")
        joint = column.get(canonical_joint(cells["joint"]))
        if joint is None:
            problem = f"line {line}: joint {describe(cells['joint'])} is not known"
            raise InputError(path, problem, f"use {_usable_names()}")
        if (frame, track, joint) in written:
            problem = f"line {line}: joint '{joints.joints[joint]}' of frame {frame} is there twice"
            raise InputError(path, problem, "keep one line per frame, track and joint")
        written.add((frame, track, joint))
        entry = found.setdefault((frame, track), Entry(frame, np.zeros((len(joints), 3)), track))
        entry.joints[joint] = [
            coordinate(cells["x"], path, line, "x"),
            coordinate(cells["y"], path, line, "y"),
            coordinate(cells.get("confidence") or "1", path, line, "confidence"),
        ]
    return sequences_of_entries(list(found.values()), path, options, "joint", joint_set=joints)


def _check_columns(table: Table, path: Path) -> None:
    """Refuse a table that lacks a column, or holds 3D points."""
    missing = [name for name in NEEDED if name not in table.header]
    if missing:
        remedy = f"give a column per coordinate (nose_x, nose_y ...), or the header {','.join(COLUMNS)}"
        raise InputError(path, f"column '{missing[0]}' is missing", remedy)
    if "z" in table.header:
        raise InputError(path, "has a column z: it holds 3D points", "give the detector's 2D joints in pixels")


def _known(names: Sequence[str]) -> tuple[str, ...]:
    """Return the known joints among the names, in order of appearance."""
    return tuple(name for name in dict.fromkeys(map(canonical_joint, names)) if name in KNOWN_JOINTS)


def write_csv(path: Path, sequences: Sequence[PoseSequence]) -> None:
    """Write the people of one clip; all frames are written, a missing joint with empty x and y, so that no row is lost.

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
        for frame, (pixels, scores) in enumerate(zip(sequence.keypoints_px, sequence.confidence, strict=True)):
            for name, (x, y), c in zip(JOINT_NAMES, pixels, scores, strict=True):
                table.writerow([frame, track, name, f"{x:.3f}", f"{y:.3f}", f"{c:.4g}"] if c > 0
                               else [frame, track, name, "", "", 0])  # fmt: skip
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


def _usable_names() -> str:
    """Return a hint which joint names can be used, for error messages."""
    return "the names " + ", ".join(JOINT_NAMES) + " or a known joint set's"


FORMAT = KeypointFormat(
    name="CSV table",
    suffixes=(".csv",),
    recognise=lambda file: file.suffix == ".csv",
    read=lambda file, options: read_csv(file.path, options),
    description=f"a .csv with the columns `{', '.join(COLUMNS)}`. Joints of any known joint set, by their names.",
)
