"""Read OpenPose: one JSON file per frame, in a folder, in a zip of such a folder, or a single frame."""

import io
import re
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import MAX_BYTES, describe, image_size, joint_triplets, parse_json, read_bytes, records
from posenet3d.io.keypoints.entries import Skipped, most_common_count, pixels_of_shares
from posenet3d.io.keypoints.frame_numbers import frame_numbers
from posenet3d.io.keypoints.joint_geometry import joint_set_by_geometry
from posenet3d.io.keypoints.keypoint_format import KeypointFile, KeypointFormat, KeypointOptions
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    check_span,
    common_count,
    named_joint_set,
    no_person_error,
    sequences_of_people,
)

KEYPOINTS = "pose_keypoints_2d"
OLD_KEYPOINTS = "pose_keypoints"  # before version 1.2

MAX_RATIO, SMALL_BYTES = 100, 2**25
"""A zip of keypoints unpacks to 4 to 20 times its size; one that unpacks to more than 100 times and 32 MiB is a bomb."""


def read_openpose(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read the people in OpenPose's JSON, most complete first; the number in a file's name is its row.

    Rows run from the first file to the last; numbers without a file are empty rows. Files that are no frame (settings, an
    empty file, one that was cut off) are left out and counted.

    Args:
        path: folder, zip of a folder, or one frame's JSON file.
        options: the joint set is 'body25', 'body25b' or 'coco18', by default recognised (`recognise_joint_set`).

    Raises:
        InputError: no frame, no file of OpenPose's, or no person in any frame.
    """
    frames: dict[Path, list[Person]] = {}
    skipped, size = Skipped(), None
    files = list(_frame_files(path))
    is_numbered = any(_has_number(name) for name, _ in files)
    for name, content in files:
        if is_numbered and not _has_number(name):
            skipped.add(InputError(name, f"file {describe(name.name)} has no frame number", "name the files by frame"))
            continue
        try:
            frame, size = _unwrapped(parse_json(content, name), name)
            frames[name] = _people_of_frame(frame, name, size)
        except InputError as error:
            skipped.add(error)
            frames[name] = []  # its row stays empty
    notes = skipped.notes(sum(map(bool, frames.values())) or len(frames) - skipped.count)
    numbers = frame_numbers([file.name for file in frames], path, "file name")
    first, last = min(numbers), max(numbers)
    n_frames = check_span(first, last, len(set(numbers)), path, "file name")
    people = [
        replace(person, frame=number - first)
        for number, found in zip(numbers, frames.values(), strict=True)
        for person in found
    ]
    if not people:
        raise no_person_error(path)
    people, left_out = most_common_count(people)
    wanted = named_joint_set(options.joint_set, path) if options.joint_set else recognise_joint_set(people, path)
    footage = Footage(path, n_frames, options.fps, size or options.image_size, (*notes, *left_out))
    return sequences_of_people(people, footage, wanted, KEYPOINTS)


def _unwrapped(content: object, file: Path) -> tuple[object, tuple[int, int] | None]:
    """Return a frame and its canvas size; ControlNet wraps a frame into a list and writes the size."""
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, dict):
        return content, None
    return content, image_size(
        {"width": content.get("canvas_width"), "height": content.get("canvas_height")}, file, "canvas"
    )


def recognise_joint_set(people: list[Person], file: Path) -> JointSet:
    """Recognise the joint set by its number of joints; the two sets with 25 joints by geometry, as no field tells them apart.

    In BODY_25 joint 1 (neck) lies between 2 and 5 (shoulders) and joint 8 (middle of the hips) between 9 and 12 (hips).
    In BODY_25B joint 17 (upper neck) lies near the middle of 5 and 6 (shoulders) and joint 0 (nose) near the middle of
    1 and 2 (eyes). The set whose points lie closer to these middles, as the median over all people, is taken.

    Raises:
        InputError: no known joint set has that many joints.
    """
    count = common_count(people, file, KEYPOINTS)
    if count != 25:
        return joint_set_by_geometry(people, file, KEYPOINTS)
    joints = np.stack([person.joints for person in people])
    points_px = np.where(joints[..., 2:] > 0, joints[..., :2], np.nan)
    body25 = _off_middle(points_px, ((1, 2, 5), (8, 9, 12)))
    body25b = _off_middle(points_px, ((17, 5, 6), (0, 1, 2)))
    return JOINT_SETS["body25b" if body25b < body25 else "body25"]


def _off_middle(points_px: Float[np.ndarray, "people 25 2"], triples: tuple[tuple[int, int, int], ...]) -> float:
    """Return the distance of each triple's first joint from the middle of the other two, as a share of the height.

    The median over people, the mean over triples; infinite if no triple was seen.
    """
    seen = np.isfinite(points_px[..., 1])
    height = np.where(seen, points_px[..., 1], -np.inf).max(1) - np.where(seen, points_px[..., 1], np.inf).min(1)
    offsets = []
    for middle, left, right in triples:
        gap = points_px[:, middle] - (points_px[:, left] + points_px[:, right]) / 2
        share = np.linalg.norm(gap, axis=-1) / np.maximum(height, 1)
        share = share[np.isfinite(share)]
        offsets += [float(np.median(share))] if len(share) else []
    return sum(offsets) / len(offsets) if offsets else np.inf


def _frame_files(path: Path) -> Iterable[tuple[Path, bytes]]:
    """Return the file name (for messages) and content of every frame, in order."""
    if path.is_dir():
        try:
            files = [file for file in path.iterdir() if _is_frame(file.name)]
            inner = [folder for folder in path.iterdir() if folder.is_dir()]
            if not files and len(inner) == 1:  # OpenPose's output folder holds a folder 'json' for some front ends
                return _frame_files(inner[0])
        except OSError as error:
            raise InputError(path, "cannot be read", "check its permissions") from error
        return ((path / name, _content(path / name)) for name in _in_order([f.name for f in files], path))
    if path.suffix.lower() == ".zip":
        return _zip_members(path)
    return [(path, read_bytes(path))]


def _content(file: Path) -> bytes:
    """Return a file's bytes; an empty file is empty, and left out like one that is damaged."""
    return b"" if file.is_file() and file.stat().st_size == 0 else read_bytes(file)


def _zip_members(path: Path) -> list[tuple[Path, bytes]]:
    """Return the frames in a zip, read in memory: nothing is unpacked to disk, so no member's name can do harm."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            members = {
                info.filename: info
                for info in archive.infolist()
                if not info.is_dir() and "__MACOSX" not in info.filename and _is_frame(info.filename)
            }
            # zipfile never returns more than the declared size, so the declared size is a safe bound.
            limit = min(MAX_BYTES, max(SMALL_BYTES, MAX_RATIO * path.stat().st_size))
            if sum(info.file_size for info in members.values()) > limit:
                raise InputError(path, f"unpacks to more than {limit >> 20} MiB", "split it into shorter clips")
            return [(path / name, archive.read(members[name])) for name in _in_order(list(members), path)]
    except InputError:
        raise
    except (
        Exception
    ) as error:  # zipfile raises six kinds of errors: damaged, encrypted, unknown compression, bad CRC ...
        raise InputError(path, "is not a readable zip file", "zip the folder of JSON files again") from error


def _is_frame(name: str) -> bool:
    """Return whether a file name is that of a frame; hidden files are not."""
    base = name.rsplit("/", 1)[-1]
    return base.lower().endswith(".json") and not base.startswith(".")


def _in_order(names: list[str], path: Path) -> list[str]:
    """Return the names of frames, sorted.

    Raises:
        InputError: there is no file.
    """
    if not names:
        raise InputError(path, "holds no JSON file", "give the folder that OpenPose's --write_json filled")
    return sorted(names)


def _has_number(file: Path) -> bool:
    return re.search("[0-9]", file.stem) is not None


def _people_of_frame(content: object, file: Path, size: tuple[int, int] | None) -> list[Person]:
    """Return the people in one frame's parsed JSON, in pixels; null is no people."""
    if not isinstance(content, dict) or "people" not in content:
        raise InputError(file, "field 'people' is missing", "give OpenPose's JSON files, one per frame")
    people = [
        _person(record, file, f"people[{index}]")
        for index, record in enumerate(records(content["people"] or [], file, "people"))
    ]
    found = [person for person in people if person is not None]
    return [replace(person, joints=pixels_of_shares(person.joints, size)) for person in found]


def _person(record: dict[str, Any], file: Path, field: str) -> Person | None:
    """Return one person; None for an entry with a face or hands but no body."""
    values = record.get(KEYPOINTS, record.get(OLD_KEYPOINTS))
    if not values:
        if any(key.endswith("_2d") for key in record):
            return None
        problem = f"field '{field}.{KEYPOINTS}' is missing"
        raise InputError(file, problem, "give OpenPose's JSON files, one per frame")
    person_id = record.get("person_id")
    number: object = person_id[0] if isinstance(person_id, list) and person_id else person_id
    # OpenPose writes [-1] when it does not track.
    track_id = number if isinstance(number, int) and 0 <= number < 10**9 else None
    return Person(0, joint_triplets(values, file, f"{field}.{KEYPOINTS}"), track_id)


def _is_openpose(file: KeypointFile) -> bool:
    """Return whether the file is a folder, a zip or one frame's JSON."""
    return file.path.is_dir() or file.suffix == ".zip" or file.has_json_key("people")


FORMAT = KeypointFormat(
    name="OpenPose",
    suffixes=(".json", ".zip"),
    recognise=_is_openpose,
    read=lambda file, options: read_openpose(file.path, options),
    description=(
        "a folder with one .json per frame, a .zip of it, or one frame. BODY_25, BODY_25B, COCO-18; "
        "also the old key `pose_keypoints`."
    ),
)
