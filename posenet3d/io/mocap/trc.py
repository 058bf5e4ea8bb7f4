"""Read TRC: marker trajectories as OpenSim, Pose2Sim, Sports2D and Motion Analysis write them, as a table with tabs.

Five header lines (file type; names and values of the fields; markers; their columns), then one line per frame: its
number, its time, and x, y, z of every marker. y points up, as OpenSim requires; some laboratories write z up. Files with
doubled tabs, and with commas, semicolons or spaces instead of tabs, are read, too.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe
from posenet3d.io.checked_text import check_rate, check_size, count_notes, number, numbers, read_text
from posenet3d.io.mocap.bone_names import canonical_marker_names
from posenet3d.io.mocap.take import UP_AXES, Take, longest_side
from posenet3d.io.mocap.upright import TURNS, up_axis

UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
SIZE_M = (0.2, 5.0)
"""Range of the markers' extent: from a forearm to a person with a long pole. It refuses files in pixels that say metres."""

HEIGHT_M = (1.0, 2.7)
"""Extent of a whole person, from a child to a tall adult with the arms up; it tells the unit if the file does not."""

_SPELLINGS_M = {
    **UNITS_M,
    **dict.fromkeys(("meter", "meters", "metre", "metres"), 1.0),
    **dict.fromkeys(("centimeter", "centimeters", "centimetre", "centimetres"), 0.01),
    **dict.fromkeys(("millimeter", "millimeters", "millimetre", "millimetres"), 0.001),
    **dict.fromkeys(("in", "inch", "inches"), 0.0254),
    **dict.fromkeys(("ft", "foot", "feet"), 0.3048),
}
_HEADER_LINES = 5
_GIVE_WHOLE_TRC = "give a whole TRC file with tabs between its cells"


def read_trc(path: Path, *, axes: str | None = None) -> Take:
    """Read the markers of a TRC file as joints by their names: Pose2Sim's 'RHip', 'Neck', 'Head' (the head top).

    An empty cell, or nan, is a missing marker. The rows and names that are there count, not the numbers in the header.

    Args:
        path: the file.
        axes: a name in `posenet3d.io.mocap.take.UP_AXES`; by default y points up, unless most people would lie then.

    Raises:
        InputError: the header lacks a field or a marker, or a cell is not a number.
        KeyError: unknown axes.
    """
    R_yup_file = None if axes is None else UP_AXES[axes]
    lines = read_text(path).split("\n")
    while len(lines) > 1 and not lines[-1].strip():
        lines.pop()
    if not lines[0].lstrip('"').startswith("PathFileType") or len(lines) < _HEADER_LINES:
        raise InputError(path, f"has no TRC header: 'PathFileType' and {_HEADER_LINES - 1} lines more", _GIVE_WHOLE_TRC)
    separator = next((mark for mark in "\t;," if mark in lines[1]), None)
    header = _header(lines[1], lines[2], separator)
    fps = check_rate(number(_field(header, "DataRate", path), path, "DataRate"), path, "DataRate")
    names = tuple(name for name in _cells(lines[3], separator) if name)[2:]
    announced_markers = number(_field(header, "NumMarkers", path), path, "NumMarkers")
    announced = number(_field(header, "NumFrames", path), path, "NumFrames")
    if not names:
        raise InputError(path, "line 4 names no marker", _GIVE_WHOLE_TRC)
    rows, notes = _rows(lines, len(names), separator, path)
    check_size(path, frames=len(rows), joints=len(names))
    notes += count_notes(announced, len(rows))
    if announced_markers != len(names):
        notes += (f"announces {announced_markers:g} markers and names {len(names)}; all {len(names)} are read",)
    joints = np.stack(rows).reshape(-1, len(names), 3)
    unit, unit_notes = _unit(header.get("units", ""), longest_side(joints), path)
    joints, canonical = unit * joints, canonical_marker_names(names)
    up_notes: tuple[str, ...] = ()
    if R_yup_file is None:
        up, up_notes = up_axis(joints, canonical, "y_up")
        R_yup_file = TURNS[up]
    return Take(path.stem, joints @ R_yup_file.T, names, canonical, fps, notes=notes + unit_notes + up_notes)


def _unit(text: str, size: float, path: Path) -> tuple[float, tuple[str, ...]]:
    """Return metres per unit, and a note if the file does not name its unit and it is told by the size of the markers."""
    unit = _SPELLINGS_M.get(text.lower().strip("."))
    if not text:
        for name, unit in UNITS_M.items():
            if HEIGHT_M[0] <= unit * size <= HEIGHT_M[1]:
                return unit, (f"does not say its Units; by the size of the person they are {name}",)
        raise InputError(path, "field 'Units' is missing in lines 2 and 3", "write m, cm or mm there")
    if unit is None:
        raise InputError(path, f"Units is {describe(text)}", f"it must be one of {', '.join(UNITS_M)}")
    if not np.isnan(size) and not SIZE_M[0] <= unit * size <= SIZE_M[1]:
        problem = f"has markers {unit * size:.3g} m apart, by its Units, '{text}'"
        raise InputError(path, problem, "correct Units in its header; pixels are no unit of length")
    return unit, ()


def _cells(line: str, separator: str | None) -> list[str]:
    """Split a line at its separator, None for spaces."""
    return [cell.strip().strip('"').strip() for cell in line.split(separator)]


def _header(names: str, values: str, separator: str | None) -> dict[str, str]:
    """Return the fields of the header by their names in lower case; doubled separators count as one."""
    keys = [cell for cell in _cells(names.lower(), separator) if cell]
    cells = _cells(values, separator)
    is_doubled = sum(map(bool, cells)) == len(keys)
    return dict(zip(keys, filter(None, cells) if is_doubled else cells, strict=False))


def _field(header: dict[str, str], field: str, path: Path) -> str:
    """Return a field of the header."""
    if not header.get(field.lower()):
        raise InputError(path, f"field '{field}' is missing in lines 2 and 3", "give a whole TRC file")
    return header[field.lower()]


def _rows(
    lines: list[str], n_markers: int, separator: str | None, path: Path
) -> tuple[list[Float[np.ndarray, " coordinates"]], tuple[str, ...]]:
    """Return the coordinates of every frame, and a note if the last row is incomplete and left out."""
    rows: list[Float[np.ndarray, " coordinates"]] = []
    stop = 2 + 3 * n_markers
    for index, line in enumerate(lines[_HEADER_LINES:], _HEADER_LINES + 1):
        if not line.strip():
            continue
        cells = _cells(line, separator)
        if any(cells[stop:]) and sum(map(bool, cells)) == stop:  # doubled separators
            cells = [cell for cell in cells if cell]
        if len(cells) < stop and index == len(lines) and rows:
            return rows, (f"line {index}, the last, has {len(cells)} of {stop} cells and is left out",)
        if len(cells) < stop or any(cells[stop:]):
            problem = f"line {index} has {len(cells)} cells, {n_markers} markers take {stop}"
            raise InputError(path, problem, "copy the whole file again, or complete the line")
        rows.append(_row(cells[:stop], path, f"line {index}"))
    return rows, ()


def _row(cells: list[str], path: Path, where: str) -> Float[np.ndarray, " coordinates"]:
    """Return the coordinates in the cells of a frame, NaN for missing markers."""
    number(cells[0], path, f"the frame's number in {where}")
    is_seen = np.array([cell.lower() not in ("", "nan") for cell in cells[2:]])
    values = np.full(len(is_seen), np.nan)
    values[is_seen] = numbers([cell for cell, seen in zip(cells[2:], is_seen, strict=True) if seen], path, where)
    return values
