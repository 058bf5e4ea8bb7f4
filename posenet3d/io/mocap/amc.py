"""Read Acclaim skeletons (ASF) and motions (AMC), the format of CMU's recordings and HDM05: y up, each bone with own axes.

C is the rotation to the bone's axes at rest, its ASF `axis`. M is the rotation of a frame about these axes. Both multiply
rotations about fixed axes in the order of the file: XYZ means Rz Ry Rx. A bone without a value for an axis does not
rotate about it. With the rotation and the end of the parent,

    R_world_bone = R_world_parent C M C^-1,    end = parent's end + R_world_bone (direction * length).

The root has its own order and rotates its rest orientation: R = M C, at the position of the skeleton plus that of the frame.
Metres are the file's numbers / `length` of :units * 0.0254 (CMU writes inches times 0.45). Source: M. Schafer, Acclaim
Skeleton File Definition 1.10, and the FAQ of mocap.cs.cmu.edu.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe
from posenet3d.io.checked_text import check_rate, check_size, number, numbers, read_text
from posenet3d.io.mocap.bone_names import split_names
from posenet3d.io.mocap.take import Take, longest_side

INCH_M = 0.0254

HEIGHT_M = (0.9, 2.7)
"""From a child to a tall adult with the arms up."""

CANONICAL_NAMES = {
    "root": "pelvis_joint", "lowerback": "spine1", "upperback": "spine2", "thorax": "neck_joint",
    "upperneck": "head_joint", "head": "head_top",
    **{
        f"{side}{bone}": f"{side}_{joint}"
        for side in "lr"
        for bone, joint in {"hipjoint": "hip", "femur": "knee", "tibia": "ankle", "foot": "foot",
                            "clavicle": "shoulder", "humerus": "elbow", "radius": "wrist"}.items()
    },
}  # fmt: skip
"""Joint at the END of each bone, in the spelling of `posenet3d.core.jointsets`. 'thorax' ends where the collar bones begin;
BVH conversions of the same recordings have their neck there."""

_CORES = {name[1:] if joint[1] == "_" else name for name, joint in CANONICAL_NAMES.items()}
"""Names of bones without their sides."""

_Record = dict[str, list[str]]
_TRANSLATIONS, _ROTATIONS = ("tx", "ty", "tz"), ("rx", "ry", "rz")
_FREEDOMS = {*_TRANSLATIONS, *_ROTATIONS, "l"}
_GIVE_WHOLE_ASF = "give the whole .asf file that belongs to the recording"


@dataclass(frozen=True)
class _Bone:
    """A bone at rest, in the file's unit. The parent is an index, -1 for the root; the root's `to_end` is its position."""

    name: str
    parent: int
    to_end: Float[np.ndarray, "3"]
    axes: Rotation
    freedoms: tuple[str, ...]  # degrees of freedom, in the order of a frame's values


@dataclass(frozen=True)
class _Skeleton:
    """Bones, parents first, and the units of the file."""

    bones: list[_Bone]
    metres_per_unit: float
    is_degrees: bool


def read_amc(path: Path, *, asf: Path | None = None, fps: float = 120.0, folder: Path | None = None) -> Take:
    """Read a recording with its skeleton: the ends of all bones, with the names of the bones; 'root' is the root itself.

    Translations and lengths of other bones than the root are ignored; neither CMU nor HDM05 has any.

    Args:
        path: the .amc file.
        asf: its skeleton. By default the .asf in the same folder with a name that the recording's begins with (01.asf
            for 01_02.amc, HDM_bd.asf for HDM_bd_01-01_01_120.amc), or the only one there.
        fps: frames per second, which the file does not say: 120 for CMU and HDM05.
        folder: searched for the skeleton at any depth if the recording's own folder has none with its name.

    Raises:
        InputError: either file is damaged, they do not belong together, several skeletons may be meant, or the person has
            an impossible size.
    """
    check_rate(fps, path, "the frame rate asked for")
    text = read_text(path)
    asf = asf or _find_asf(path, folder)
    skeleton = _read_asf(asf)
    unit_of_angle = re.search(r"^\s*:(DEGREES|RADIANS)\b", text, re.IGNORECASE | re.MULTILINE)
    is_degrees = unit_of_angle[1].upper() == "DEGREES" if unit_of_angle else skeleton.is_degrees
    motion = _motion(text, skeleton.bones, path)
    ends = skeleton.metres_per_unit * _bone_ends(skeleton.bones, motion, is_degrees)
    if not HEIGHT_M[0] <= (height := longest_side(ends)) <= HEIGHT_M[1]:
        problem = f"makes the person of {path.name} {height:.2g} m tall"
        raise InputError(asf, problem, "correct length in :units, the file's units per inch: 0.45 for CMU")
    names = tuple(bone.name for bone in skeleton.bones)
    parts = split_names(names, _CORES)
    canonical = tuple(CANONICAL_NAMES.get(part.side + part.core, part.name) for part in parts)
    return Take(path.stem, ends, names, canonical, fps, subject=asf.stem)


def _find_asf(path: Path, folder: Path | None) -> Path:
    """Return the skeleton file of a recording."""
    try:
        beside = [file for file in path.parent.iterdir() if file.suffix.lower() == ".asf"]
        anywhere = [] if folder is None else [file for file in folder.rglob("*") if file.suffix.lower() == ".asf"]
    except OSError as error:
        raise InputError(path, "lies in a folder that cannot be read", "name its skeleton with --asf FILE") from error
    for files in (beside, anywhere):
        matching = [file for file in files if re.match(rf"{re.escape(file.stem)}(?![A-Za-z0-9])", path.stem)]
        if matching or len(files) == 1:
            return max(matching or files, key=lambda file: len(file.stem))
    problem = f"has {len(anywhere or beside)} .asf files to choose from, none of its name"
    raise InputError(path, problem, "put its skeleton beside it, as 01.asf beside 01_02.amc, or give --asf FILE")


def _read_asf(path: Path) -> _Skeleton:
    """Read a skeleton.

    Raises:
        InputError: a section or field is missing or damaged, or a bone is not connected to the root.
    """
    sections: dict[str, list[list[str]]] = {}
    for line in read_text(path).split("\n"):
        words = re.sub(r"#.*|[,()]", " ", line).split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words[0].lower(), [])
        elif words and sections:
            lines.append(words)
    for section in (":units", ":root", ":bonedata", ":hierarchy"):
        if section not in sections:
            raise InputError(path, f"has no section '{section}'", _GIVE_WHOLE_ASF)
    units = _record(sections[":units"])
    length = number(" ".join(units.get("length", ["1"])), path, "length of :units")
    if not 1e-3 <= length <= 1e3:
        raise InputError(path, f"length of :units is {length:g}", "it must be the file's units per inch: 0.45 for CMU")
    is_degrees = [word.lower() for word in units.get("angle", ["deg"])] != ["rad"]
    records = _bone_records(sections[":bonedata"], path)
    records["root"] = _record(sections[":root"])
    bones: list[_Bone] = []
    indices: dict[str, int] = {}
    for name, parent in _parents(sections[":hierarchy"], records, path).items():
        indices[name] = len(bones)
        bones.append(_bone(name, indices.get(parent, -1), records[name], is_degrees, path))
    return _Skeleton(bones, INCH_M / length, is_degrees)


def _record(lines: list[list[str]]) -> _Record:
    """Return the fields of a section: the first word of each line with the others."""
    return {words[0].lower(): words[1:] for words in lines}


def _bone_records(lines: list[list[str]], path: Path) -> dict[str, _Record]:
    """Return the fields between each 'begin' and 'end', by the name of the bone."""
    starts = [index for index, words in enumerate(lines) if words[0].lower() == "begin"]
    records: dict[str, _Record] = {}
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        record = _record(lines[start:stop])
        name = " ".join(record.get("name", []))
        if not name or name == "root" or name in records or "end" not in record:
            problem = f"bone {describe(name)} of :bonedata has no name of its own or no end"
            raise InputError(path, problem, _GIVE_WHOLE_ASF)
        records[name] = record
    check_size(path, frames=1, joints=len(records))
    return records


def _parents(lines: list[list[str]], records: dict[str, _Record], path: Path) -> dict[str, str]:
    """Return the parent of every bone, parents first; '' for the root."""
    parents: dict[str, str] = {}
    for parent, *names in lines:  # 'begin' and 'end' stand alone
        for name in names:
            if name in parents or name == "root" or name not in records:
                problem = f":hierarchy has bone {describe(name)} twice, or :bonedata does not have it"
                raise InputError(path, problem, _GIVE_WHOLE_ASF)
            parents[name] = parent
    order = ["root"]
    for bone in order:
        order += [name for name, parent in parents.items() if parent == bone]
    unattached = [name for name in records if name not in order]
    if unattached:
        raise InputError(
            path, f"bone {describe(unattached[0])} is not connected to the root in :hierarchy", _GIVE_WHOLE_ASF
        )
    return {name: parents.get(name, "") for name in order}


def _bone(name: str, parent: int, record: _Record, is_degrees: bool, path: Path) -> _Bone:
    """Return a bone from its fields."""
    where = f"bone {describe(name)}"
    order = "".join(record.get("axis", [])[-1:]).lower()
    freedoms = tuple(word.lower() for word in record.get("order" if parent < 0 else "dof", []))
    if sorted(order) != ["x", "y", "z"] or set(freedoms) - _FREEDOMS or len(set(freedoms)) != len(freedoms):
        raise InputError(path, f"{where} has an axis other than XYZ or a dof other than tx to rz", _GIVE_WHOLE_ASF)
    if parent < 0:
        to_end, angles = _triple(record, "position", where, path), _triple(record, "orientation", where, path)
    else:
        length = number(" ".join(record.get("length", [])), path, f"length of {where}")
        to_end, angles = length * _triple(record, "direction", where, path), _triple(record, "axis", where, path)
    return _Bone(name, parent, to_end, Rotation.from_euler(order, angles, degrees=is_degrees), freedoms)


def _triple(record: _Record, field: str, where: str, path: Path) -> Float[np.ndarray, "3"]:
    """Return a field of three numbers."""
    words = record.get(field, [])[:3]
    if len(words) != 3:
        raise InputError(path, f"{where} has no {field} of three numbers", _GIVE_WHOLE_ASF)
    return numbers(words, path, f"{field} of {where}")


def _motion(text: str, bones: list[_Bone], path: Path) -> Float[np.ndarray, "frames freedoms"]:
    """Return the values of all frames, in the order of the bones and of their degrees of freedom.

    Raises:
        InputError: a frame has more or fewer values than the skeleton.
    """
    expected = {bone.name: len(bone.freedoms) for bone in bones if bone.freedoms}
    rows = []
    for frame, values in _frames(text, path):
        for name in {**expected, **values}:
            found, wanted = len(values.get(name, [])), expected.get(name, 0)
            if found != wanted:
                problem = f"frame {frame} has {found} values for bone {describe(name)}, the skeleton {wanted}"
                raise InputError(path, problem, "copy the whole file again, or name the .asf file that belongs to it")
        rows.append(numbers([word for name in expected for word in values[name]], path, f"frame {frame}"))
    check_size(path, frames=len(rows), joints=len(bones))
    return np.stack(rows)


def _frames(text: str, path: Path) -> Iterator[tuple[int, _Record]]:
    """Yield for every frame its number, which is alone on its line, and the words after the name of every bone."""
    frame: int | None = None
    values: _Record = {}
    for line, row in enumerate(text.split("\n"), 1):
        words = row.partition("#")[0].split()
        if not words or words[0].startswith(":"):
            continue
        if len(words) == 1:
            following = int(number(words[0], path, f"line {line}"))
            if frame is not None:
                yield frame, values
                if following != frame + 1:
                    problem = f"line {line}: frame {following} comes after frame {frame}"
                    raise InputError(path, problem, "export it again with every frame")
            frame, values = following, {}
        elif frame is None:
            raise InputError(path, f"line {line} comes before the first frame's number", "give an .amc file")
        else:  # a bone listed twice gets too many values and is refused later
            values[words[0]] = values.get(words[0], []) + words[1:]
    if frame is not None:
        yield frame, values


def _bone_ends(
    bones: list[_Bone], motion: Float[np.ndarray, "frames freedoms"], is_degrees: bool
) -> Float[np.ndarray, "frames bones 3"]:
    """Return the ends of all bones by forward kinematics, in the file's unit."""
    ends = np.empty((len(motion), len(bones), 3))
    rotations: list[Rotation] = []
    columns = iter(motion.T)
    for index, bone in enumerate(bones):
        values = {freedom: next(columns) for freedom in bone.freedoms}
        rotation = Rotation.identity(len(motion))
        for freedom in bone.freedoms:
            if freedom in _ROTATIONS:  # about fixed axes: the later one is on the left
                rotation = Rotation.from_euler(freedom[1], values[freedom][:, None], degrees=is_degrees) * rotation
        if bone.parent < 0:
            translation = [values.get(axis, np.zeros(len(motion))) for axis in _TRANSLATIONS]
            ends[:, index] = bone.to_end + np.stack(translation, axis=1)
            rotations.append(rotation * bone.axes)
        else:
            rotations.append(rotations[bone.parent] * bone.axes * rotation * bone.axes.inv())
            ends[:, index] = ends[:, bone.parent] + rotations[index].apply(bone.to_end)
    return ends
