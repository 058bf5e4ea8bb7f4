"""Read BVH (Biovision hierarchy): a skeleton of offsets, then channels per frame; in degrees and an unnamed unit of length.

y is up in nearly all files; Blender writes z up by default.

The position of a joint in its parent's frame is its OFFSET. Every position channel of the joint replaces one coordinate of
it: position channels are absolute and are not added to the offset. bvhio and Blender's importer do the same; for a root
with offset zero, as in most files, adding gives the same result. Rotation channels rotate about the joint's own, already
rotated axes in the order of the CHANNELS line: Z X Y means R = Rz Rx Ry.

The reader is the project's own because bvhio (1.5) takes half a minute for a minute of motion at 120 frames per second,
against one second here, and never ends on a truncated file. The tests compare the two.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe
from posenet3d.io.checked_text import check_rate, check_size, count_notes, number, numbers, read_text
from posenet3d.io.mocap.bone_names import canonical_skeleton_names
from posenet3d.io.mocap.take import UP_AXES, Take, longest_side
from posenet3d.io.mocap.upright import TURNS, up_axis

UNITS_M = (1.0, 0.01, 0.001, 0.056444, 0.0254)
"""Metres per unit in files of people: m, cm, mm, the unit of the CMU recordings' BVH conversion (inches / 0.45), inches."""

HEIGHT_M = (1.2, 2.3)
"""From a child to a tall adult with the arms up; no height is in this range in two of the units."""

CHILD_M = 1.05
"""Smaller people are accepted if nothing else fits; 2.3 m in one unit is still below this in the next larger one."""

LEG_SHARE = 0.47
"""Share of thigh and shin in the body's height. It tells the size of people who are folded at rest and never stretch."""

TALLEST_M = 2.7
"""No person is longer than this along an axis, even when stretched."""

_MOTION = re.compile(r"MOTION\s+Frames\s*:\s*(?P<frames>\S+)\s+Frame\s+Time\s*:[^\S\n]*(?P<seconds>\S+)", re.IGNORECASE)
_CHANNELS = {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}


@dataclass(frozen=True)
class _Joint:
    """A joint or an End Site of the file; the parent is an index, -1 for the root."""

    name: str
    parent: int
    offset: Float[np.ndarray, "3"] = field(default_factory=lambda: np.full(3, np.nan))
    channels: tuple[str, ...] = ()


def read_bvh(path: Path, *, metres_per_unit: float | None = None, axes: str | None = None) -> Take:
    """Read the motion in a BVH file; End Sites become joints named '<parent>_end'.

    Args:
        path: the file.
        metres_per_unit: the unit. By default the one of `UNITS_M` that makes the longest side of the rest pose `HEIGHT_M`
            long; for a folded rest pose, the longest side of the person in motion, or the length of the legs.
        axes: a name in `posenet3d.io.mocap.take.UP_AXES`; by default y points up, unless most people would lie then.

    Raises:
        InputError: a damaged or truncated file, no motion, or a size that fits no unit.
        KeyError: unknown axes.
    """
    R_yup_file = None if axes is None else UP_AXES[axes]
    text = read_text(path)
    motion = _MOTION.search(text)
    if motion is None:
        raise InputError(path, "has no MOTION section with 'Frames:' and 'Frame Time:'", "give a whole BVH file")
    joints = _hierarchy(text[: motion.start()], path)
    seconds = number(motion["seconds"], path, "Frame Time")
    fps = check_rate(1 / seconds if seconds > 0 else 0.0, path, "Frame Time")
    announced = number(motion["frames"], path, "Frames")
    rows, notes = _rows(text, motion.end(), sum(len(joint.channels) for joint in joints), path)
    check_size(path, frames=len(rows), joints=len(joints))
    notes += count_notes(announced, len(rows))
    positions = _joint_positions(joints, np.stack(rows))
    names = tuple(joint.name for joint in joints)
    canonical = canonical_skeleton_names(names)
    rest = _rest_pose(joints)
    unit = metres_per_unit or _guess_unit(rest, positions, canonical, path)
    if R_yup_file is None:
        up, up_notes = up_axis(unit * positions, canonical, "y_up", rest=rest)
        R_yup_file, notes = TURNS[up], notes + up_notes
    return Take(path.stem, unit * positions @ R_yup_file.T, names, canonical, fps, notes=notes)


def _hierarchy(text: str, path: Path) -> list[_Joint]:
    """Parse the joints, parents first. Open braces are kept in a list: deep nesting must not overflow the call stack.

    Raises:
        InputError: not exactly one skeleton, or an incomplete one.
    """
    words = iter(text.replace("{", " { ").replace("}", " } ").split())
    joints: list[_Joint] = []
    open_joints: list[int] = []  # joints with an open brace
    for word in words:
        match word.upper():
            case "HIERARCHY" if not joints:
                continue
            case "ROOT" | "JOINT" | "END" as kind if open_joints if kind != "ROOT" else not joints:
                name = " ".join(takewhile(lambda word: word != "{", words))  # some names have spaces
                parent = open_joints[-1] if open_joints else -1
                check_size(path, frames=1, joints=len(joints))
                open_joints.append(len(joints))
                joints.append(_Joint(f"{joints[parent].name}_end" if kind == "END" else name, parent))
            case "OFFSET" if open_joints:
                offset = _vector(list(islice(words, 3)), joints[open_joints[-1]], path)
                joints[open_joints[-1]] = replace(joints[open_joints[-1]], offset=offset)
            case "CHANNELS" if open_joints:
                joints[open_joints[-1]] = replace(
                    joints[open_joints[-1]], channels=_channels(words, joints[open_joints[-1]], path)
                )
            case "}" if open_joints:
                open_joints.pop()
            case _:
                problem = f"has {describe(word)} in its hierarchy at a place where it is not allowed"
                raise InputError(path, problem, "export one skeleton, with one ROOT, again")
    without_offset = [joint.name for joint in joints if np.isnan(joint.offset).any()]
    if open_joints or without_offset or not joints:
        problem = (
            f"joint {describe(without_offset[0])} has no OFFSET" if without_offset else "its hierarchy is incomplete"
        )
        raise InputError(path, problem, "export it again")
    return joints


def _vector(words: list[str], joint: _Joint, path: Path) -> Float[np.ndarray, "3"]:
    """Return the OFFSET of a joint."""
    where = f"OFFSET of joint {describe(joint.name)}"
    if len(words) != 3:
        raise InputError(path, f"{where} is cut off", "copy the whole file again")
    return numbers(words, path, where)


def _channels(words: Iterator[str], joint: _Joint, path: Path) -> tuple[str, ...]:
    """Return the names after 'CHANNELS', in lower case."""
    where = f"CHANNELS of joint {describe(joint.name)}"
    count = number(next(words, ""), path, where)
    if count not in range(7):
        raise InputError(path, f"{where} announces {count:g} channels", "export positions and rotations only")
    channels = tuple(word.lower() for word in islice(words, int(count)))
    wrong = [channel for channel in channels if channel not in _CHANNELS]
    if wrong or len(channels) != count:
        problem = f"{where} has {describe(wrong[0])}" if wrong else f"{where} are cut off"
        raise InputError(path, problem, "they must be Xposition, Zrotation and the like: export it again")
    return channels


def _rows(
    text: str, start: int, n_channels: int, path: Path
) -> tuple[list[Float[np.ndarray, " channels"]], tuple[str, ...]]:
    """Return the values of every frame, and a note if the last row is incomplete and left out."""
    rows: list[Float[np.ndarray, " channels"]] = []
    text = text.rstrip()
    last_line = text.count("\n") + 1
    first_line = text.count("\n", 0, start) + 1
    for line, row in enumerate(text[start:].split("\n"), first_line):
        words = row.split()
        if not words:
            continue
        if len(words) < n_channels and line == last_line and rows:
            return rows, (f"line {line}, the last, has {len(words)} of {n_channels} values and is left out",)
        if len(words) != n_channels:
            problem = f"line {line} has {len(words)} values instead of {n_channels}"
            raise InputError(path, problem, "copy the whole file again, or export it again")
        rows.append(numbers(words, path, f"line {line}"))
    return rows, ()


def _joint_positions(
    joints: list[_Joint], motion: Float[np.ndarray, "frames channels"]
) -> Float[np.ndarray, "frames joints 3"]:
    """Return the joint positions by forward kinematics, in the file's unit."""
    positions = np.empty((len(motion), len(joints), 3))
    rotations: list[Rotation] = []
    columns = iter(motion.T)
    for index, joint in enumerate(joints):
        position = np.tile(joint.offset, (len(motion), 1))
        rotation = Rotation.identity(len(motion))
        for axis, kind in ((channel[0], channel[1:]) for channel in joint.channels):
            if kind == "position":
                position[:, "xyz".index(axis)] = next(columns)
            else:
                rotation = rotation * Rotation.from_euler(axis, next(columns)[:, None], degrees=True)
        if joint.parent >= 0:
            position = positions[:, joint.parent] + rotations[joint.parent].apply(position)
            rotation = rotations[joint.parent] * rotation
        positions[:, index] = position
        rotations.append(rotation)
    return positions


def _rest_pose(joints: list[_Joint]) -> Float[np.ndarray, "joints 3"]:
    """Return the joint positions with all angles zero."""
    without_channels = [replace(joint, channels=()) for joint in joints]
    return _joint_positions(without_channels, np.empty((1, 0)))[0]


def _guess_unit(
    rest: Float[np.ndarray, "joints 3"],
    positions: Float[np.ndarray, "frames joints 3"],
    names: tuple[str, ...],
    path: Path,
) -> float:
    """Return the unit in metres that makes the skeleton as large as a person."""
    heights = (float(np.ptp(rest, axis=0).max()), longest_side(positions), _leg_length(rest, names) / LEG_SHARE)
    for minimum in (HEIGHT_M[0], CHILD_M):
        for height in heights:
            for unit in UNITS_M:
                # A folded rest pose may fit a unit in which the person in motion is a giant.
                if minimum <= unit * height <= HEIGHT_M[1] and unit * heights[1] <= TALLEST_M:
                    return unit
    problem = (
        f"has a person {heights[0]:g} units tall, which is no height in metres, centimetres, millimetres or inches"
    )
    raise InputError(path, problem, "say how many metres a unit is with --unit")


def _leg_length(rest: Float[np.ndarray, "joints 3"], names: tuple[str, ...]) -> float:
    """Return the length of the left thigh and shin at rest; 0 if the skeleton has none."""
    if not {"l_hip", "l_knee", "l_ankle"} <= set(names):
        return 0.0
    hip, knee, ankle = (rest[names.index(name)] for name in ("l_hip", "l_knee", "l_ankle"))
    return float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))
