"""BVH (Biovision hierarchy): a skeleton of offsets, then channels per frame; degrees, in a unit it does not name.

y is up in nearly all files; Blender writes z up unless told otherwise.

A joint's place in its parent's frame is its OFFSET, of which every position channel it has replaces one coordinate: the
channels of a ROOT, or of a joint that has them, hold the whole place and are not added to the offset. bvhio and Blender's
importer read it so; where the root's offset is zero, as in most files, adding would give the same. Rotation channels turn
about the joint's own, already turned axes in the order of the CHANNELS line: Z X Y means R = Rz Rx Ry.

The reader is the project's own because bvhio (1.5) takes half a minute for a minute of motion at 120 frames per second,
against one second here, and looks for the rest of a file that is cut off without end. The tests compare the two.
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
from posenet3d.io.checked_text import check_rate, check_size, number, numbers, read_text
from posenet3d.io.mocap.take import UP_AXES, Take, body_names, longest_side

UNITS_M = (1.0, 0.01, 0.001, 0.056444, 0.0254)
"""Metres per unit in files of people: m, cm, mm, the unit of the CMU recordings' BVH conversion (inches / 0.45), inches."""

HEIGHT_M = (1.2, 2.3)
"""From a child to a tall adult with the arms up; no height lies in this range in two of the units."""

TALLEST_M = 2.7
"""Nobody is longer than this along an axis, however far they stretch."""

_MOTION = re.compile(r"MOTION\s+Frames\s*:\s*(?P<frames>\S+)\s+Frame\s+Time\s*:[^\S\n]*(?P<seconds>\S+)", re.IGNORECASE)
_CHANNELS = {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}


@dataclass(frozen=True)
class _Joint:
    """A joint, or an End Site, as the file has it; the parent is -1 for the root."""

    name: str
    parent: int
    offset: Float[np.ndarray, "3"] = field(default_factory=lambda: np.full(3, np.nan))
    channels: tuple[str, ...] = ()


def read_bvh(path: Path, *, metres_per_unit: float | None = None, axes: str = "y_up") -> Take:
    """The motion in a BVH file; End Sites are joints named '<parent>_end'.

    Args:
        path: the file.
        metres_per_unit: by default the one of `UNITS_M` in which the skeleton at rest is `HEIGHT_M` tall along its longest
            side, or, where its rest pose is folded up, the person at the tallest moment.
        axes: a name in `posenet3d.io.mocap.take.UP_AXES`.

    Raises:
        InputError: damaged, cut off, without motion, or of a size that no unit explains.
        KeyError: other axes.
    """
    text = read_text(path)
    motion = _MOTION.search(text)
    if motion is None:
        raise InputError(path, "has no MOTION section with 'Frames:' and 'Frame Time:'", "give a whole BVH file")
    joints = _hierarchy(text[: motion.start()], path)
    seconds = number(motion["seconds"], path, "Frame Time")
    fps = check_rate(1 / seconds if seconds > 0 else 0.0, path, "Frame Time")
    rows = _rows(text, motion.end(), sum(len(joint.channels) for joint in joints), path)
    check_size(path, frames=len(rows), joints=len(joints), announced=number(motion["frames"], path, "Frames"))
    places = _places(joints, np.stack(rows))
    unit = metres_per_unit or _guessed_unit(_rest(joints), places, path)
    names = tuple(joint.name for joint in joints)
    return Take(path.stem, unit * places @ UP_AXES[axes].T, names, body_names(names), fps)


def _hierarchy(text: str, path: Path) -> list[_Joint]:
    """Joints, parents first. Braces are counted in a list: nesting without end must not end in a full stack.

    Raises:
        InputError: it is not one skeleton, or not whole.
    """
    words = iter(text.replace("{", " { ").replace("}", " } ").split())
    joints: list[_Joint] = []
    inside: list[int] = []  # joints whose braces are open
    for word in words:
        match word.upper():
            case "HIERARCHY" if not joints:
                continue
            case "ROOT" | "JOINT" | "END" as kind if inside if kind != "ROOT" else not joints:
                name = " ".join(takewhile(lambda word: word != "{", words))  # some names have spaces
                parent = inside[-1] if inside else -1
                check_size(path, frames=1, joints=len(joints))
                inside.append(len(joints))
                joints.append(_Joint(f"{joints[parent].name}_end" if kind == "END" else name, parent))
            case "OFFSET" if inside:
                offset = _vector(list(islice(words, 3)), joints[inside[-1]], path)
                joints[inside[-1]] = replace(joints[inside[-1]], offset=offset)
            case "CHANNELS" if inside:
                joints[inside[-1]] = replace(joints[inside[-1]], channels=_channels(words, joints[inside[-1]], path))
            case "}" if inside:
                inside.pop()
            case _:
                problem = f"has {describe(word)} in its hierarchy where it means nothing"
                raise InputError(path, problem, "export one skeleton, with one ROOT, again")
    unplaced = [joint.name for joint in joints if np.isnan(joint.offset).any()]
    if inside or unplaced or not joints:
        problem = f"joint {describe(unplaced[0])} has no OFFSET" if unplaced else "its hierarchy is not whole"
        raise InputError(path, problem, "export it again")
    return joints


def _vector(words: list[str], joint: _Joint, path: Path) -> Float[np.ndarray, "3"]:
    where = f"OFFSET of joint {describe(joint.name)}"
    if len(words) != 3:
        raise InputError(path, f"{where} is cut off", "copy the whole file again")
    return numbers(words, path, where)


def _channels(words: Iterator[str], joint: _Joint, path: Path) -> tuple[str, ...]:
    """The names after 'CHANNELS', in lower case."""
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


def _rows(text: str, start: int, n_channels: int, path: Path) -> list[Float[np.ndarray, " channels"]]:
    """The values of every frame."""
    rows = []
    first_line = text.count("\n", 0, start) + 1
    for line, row in enumerate(text[start:].split("\n"), first_line):
        words = row.split()
        if not words:
            continue
        if len(words) != n_channels:
            problem = f"line {line} has {len(words)} values instead of {n_channels}"
            raise InputError(path, problem, "copy the whole file again, or export it again")
        rows.append(numbers(words, path, f"line {line}"))
    return rows


def _places(joints: list[_Joint], motion: Float[np.ndarray, "frames channels"]) -> Float[np.ndarray, "frames joints 3"]:
    """Forward kinematics, in the file's unit."""
    places = np.empty((len(motion), len(joints), 3))
    turns: list[Rotation] = []
    columns = iter(motion.T)
    for index, joint in enumerate(joints):
        place = np.tile(joint.offset, (len(motion), 1))
        turn = Rotation.identity(len(motion))
        for axis, kind in ((channel[0], channel[1:]) for channel in joint.channels):
            if kind == "position":
                place[:, "xyz".index(axis)] = next(columns)
            else:
                turn = turn * Rotation.from_euler(axis, next(columns)[:, None], degrees=True)
        if joint.parent >= 0:
            place = places[:, joint.parent] + turns[joint.parent].apply(place)
            turn = turns[joint.parent] * turn
        places[:, index] = place
        turns.append(turn)
    return places


def _rest(joints: list[_Joint]) -> Float[np.ndarray, "joints 3"]:
    """The skeleton with all angles zero."""
    still = [replace(joint, channels=()) for joint in joints]
    return _places(still, np.empty((1, 0)))[0]


def _guessed_unit(
    rest: Float[np.ndarray, "joints 3"], places: Float[np.ndarray, "frames joints 3"], path: Path
) -> float:
    heights = (float(np.ptp(rest, axis=0).max()), longest_side(places))
    for height in heights:
        for unit in UNITS_M:
            # a rest pose that is folded up may fit a unit in which the person at large is a giant
            if HEIGHT_M[0] <= unit * height <= HEIGHT_M[1] and unit * heights[1] <= TALLEST_M:
                return unit
    problem = (
        f"is of somebody {heights[0]:g} units tall, which is no height in metres, centimetres, millimetres or inches"
    )
    raise InputError(path, problem, "say how many metres a unit is with --unit")
