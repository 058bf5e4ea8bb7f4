"""Read TRC: marker trajectories as OpenSim, Pose2Sim, Sports2D and Motion Analysis write them, as a table with tabs.

Five header lines (file type; names and values of the fields; markers; their columns), then one line per frame: its
number, its time, and x, y, z of every marker. y points up, as OpenSim requires; some laboratories write z up.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import canonical_joint
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe
from posenet3d.io.checked_text import check_rate, check_size, number, numbers, read_text
from posenet3d.io.mocap.take import UP_AXES, Take, longest_side

UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
SIZE_M = (0.2, 5.0)
"""Range of the markers' extent: from a forearm to a person with a long pole. It refuses files in pixels that say metres."""

_HEADER_LINES = 5
_ALIASES = {"chip": "mid_hip"}  # Pose2Sim's middle of the hips


def read_trc(path: Path, *, axes: str = "y_up") -> Take:
    """Read the markers of a TRC file as joints by their names: Pose2Sim's 'RHip', 'Neck', 'Head' (the head top).

    An empty cell, or nan, is a missing marker.

    Args:
        path: the file.
        axes: a name in `posenet3d.io.mocap.take.UP_AXES`.

    Raises:
        InputError: the header lacks a field or a marker, a cell is not a number, or the file is truncated.
        KeyError: unknown axes.
    """
    R_yup_file = UP_AXES[axes]
    lines = read_text(path).split("\n")
    if not lines[0].startswith("PathFileType") or len(lines) < _HEADER_LINES:
        problem = f"has no TRC header: 'PathFileType' and {_HEADER_LINES - 1} lines more"
        raise InputError(path, problem, "give a whole TRC file with tabs between its cells")
    header = dict(zip(_cells(lines[1].lower()), _cells(lines[2]), strict=False))
    metres_per_unit = UNITS_M.get(_field(header, "Units", path).lower())
    if metres_per_unit is None:
        raise InputError(path, f"Units is {describe(header['units'])}", f"it must be one of {', '.join(UNITS_M)}")
    fps = check_rate(number(_field(header, "DataRate", path), path, "DataRate"), path, "DataRate")
    names = tuple(name for name in _cells(lines[3])[2:] if name)
    if len(names) != number(_field(header, "NumMarkers", path), path, "NumMarkers") or not names:
        problem = f"NumMarkers is {header['nummarkers']}, but line 4 names {len(names)} markers"
        raise InputError(path, problem, "correct the header, with tabs between the names")
    rows = [
        _row(line, len(names), path, f"line {index}")
        for index, line in enumerate(lines[_HEADER_LINES:], _HEADER_LINES + 1)
        if line.strip()
    ]
    announced = number(_field(header, "NumFrames", path), path, "NumFrames")
    check_size(path, frames=len(rows), joints=len(names), announced=announced)
    joints = metres_per_unit * np.stack(rows).reshape(-1, len(names), 3) @ R_yup_file.T
    size = longest_side(joints)
    if not np.isnan(size) and not SIZE_M[0] <= size <= SIZE_M[1]:
        problem = f"has markers {size:.3g} m apart, by its Units, '{header['units']}'"
        raise InputError(path, problem, "correct Units in its header; pixels are no unit of length")
    return Take(path.stem, joints, names, tuple(_canonical_name(name) for name in names), fps)


def _canonical_name(name: str) -> str:
    """Return a marker's name in the spelling of `posenet3d.core.jointsets`."""
    known = canonical_joint(name)
    return _ALIASES.get(known, known)


def _cells(line: str) -> list[str]:
    """Split a line at its tabs."""
    return [cell.strip() for cell in line.split("\t")]


def _field(header: dict[str, str], field: str, path: Path) -> str:
    """Return a field of the header."""
    if not header.get(field.lower()):
        raise InputError(path, f"field '{field}' is missing in lines 2 and 3", "give a whole TRC file")
    return header[field.lower()]


def _row(line: str, n_markers: int, path: Path, where: str) -> Float[np.ndarray, " coordinates"]:
    """Return the coordinates in the line of a frame, NaN for missing markers; tabs may follow the last cell."""
    cells = _cells(line)
    stop = 2 + 3 * n_markers
    if len(cells) < stop or any(cells[stop:]):
        problem = f"{where} has {len(cells)} cells, {n_markers} markers take {stop}"
        raise InputError(path, problem, "copy the whole file again, or complete the line")
    number(cells[0], path, f"the frame's number in {where}")
    is_seen = np.array([cell.lower() not in ("", "nan") for cell in cells[2:stop]])
    values = np.full(len(is_seen), np.nan)
    values[is_seen] = numbers([cell for cell, seen in zip(cells[2:], is_seen, strict=False) if seen], path, where)
    return values
