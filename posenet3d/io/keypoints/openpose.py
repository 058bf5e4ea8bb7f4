"""OpenPose: one JSON file per frame, in a folder, in a zip of such a folder, or a single frame."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.core.sequence import DEFAULT_FPS, PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import MAX_BYTES, describe, joint_triplets, last_number, parse_json, read_bytes, records
from posenet3d.io.keypoints.keypoint_format import KeypointFile, KeypointFormat
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    common_count,
    joint_set_by_count,
    named_joint_set,
    sequences_of_people,
)

KEYPOINTS = "pose_keypoints_2d"
OLD_KEYPOINTS = "pose_keypoints"  # before version 1.2


def read_openpose(path: Path, *, joint_set: str | None = None, fps: float = DEFAULT_FPS) -> list[PoseSequence]:
    """People in OpenPose's per-frame JSON, most complete first; one row per file, by the number in its name.

    Args:
        path: folder, zip of a folder, or one frame's JSON file.
        joint_set: 'body25', 'body25b' or 'coco18'; by default recognised (`recognise_joint_set`).
        fps: frames per second, which OpenPose does not write.

    Raises:
        InputError: no frame, a file that is not OpenPose's, or nobody in any frame.
    """
    people: list[Person] = []
    n_frames = 0
    for name, content in _frame_files(path):
        people += _people_of_frame(parse_json(content, name), n_frames, name)
        n_frames += 1
    common_count(people, path, KEYPOINTS)
    wanted = named_joint_set(joint_set, path) if joint_set else recognise_joint_set(people, path)
    return sequences_of_people(people, Footage(path, n_frames, fps), wanted, KEYPOINTS)


def recognise_joint_set(people: list[Person], file: Path) -> JointSet:
    """The joint set by its number of joints, and between the two sets of 25 by geometry, as no tag tells them apart.

    In BODY_25 joint 1 (neck) lies between 2 and 5 (shoulders) and 8 (middle of hips) between 9 and 12 (hips).
    In BODY_25B joint 17 (upper neck) lies near the middle of 5 and 6 (shoulders), 0 (nose) near that of 1 and 2 (eyes).
    The set whose two points lie closer, as the median over all people, is meant.

    Raises:
        InputError: no known joint set has that many joints.
    """
    count = common_count(people, file, KEYPOINTS)
    if count != 25:
        return joint_set_by_count(count, file, KEYPOINTS)
    joints = np.stack([person.joints for person in people])
    points_px = np.where(joints[..., 2:] > 0, joints[..., :2], np.nan)
    body25 = _off_middle(points_px, ((1, 2, 5), (8, 9, 12)))
    body25b = _off_middle(points_px, ((17, 5, 6), (0, 1, 2)))
    return JOINT_SETS["body25b" if body25b < body25 else "body25"]


def _off_middle(points_px: Float[np.ndarray, "people 25 2"], triples: tuple[tuple[int, int, int], ...]) -> float:
    """How far the first of each triple is from the middle of the other two, as a share of the person's height.

    Infinite where no triple was seen.
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
    """Each frame's file (for messages) and content, in the order of frames."""
    if path.is_dir():
        try:
            files = [file for file in path.iterdir() if _is_frame(file.name)]
        except OSError as error:
            raise InputError(path, "cannot be read", "check its permissions") from error
        return ((path / name, read_bytes(path / name)) for name in _in_order([f.name for f in files], path))
    if path.suffix.lower() == ".zip":
        return _zip_members(path)
    return [(path, read_bytes(path))]


def _zip_members(path: Path) -> list[tuple[Path, bytes]]:
    """Frames in a zip, read in memory: nothing is unpacked, so no member's name can reach the disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            members = {
                info.filename: info
                for info in archive.infolist()
                if not info.is_dir() and "__MACOSX" not in info.filename and _is_frame(info.filename)
            }
            # zipfile never yields more than the declared size, so the declaration can be trusted as a bound.
            if sum(info.file_size for info in members.values()) > MAX_BYTES:
                raise InputError(path, f"unpacks to more than {MAX_BYTES >> 20} MiB", "split it into shorter clips")
            return [(path / name, archive.read(members[name])) for name in _in_order(list(members), path)]
    except InputError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds: damaged, encrypted, unknown compression, bad CRC
        raise InputError(path, "is not a readable zip file", "zip the folder of JSON files again") from error


def _is_frame(name: str) -> bool:
    base = name.rsplit("/", 1)[-1]
    return base.lower().endswith(".json") and not base.startswith(".")


def _in_order(names: list[str], path: Path) -> list[str]:
    """File names by the last number in each.

    Raises:
        InputError: no file, one without a number, or two with the same.
    """
    if not names:
        raise InputError(path, "holds no JSON file", "give the folder that OpenPose's --write_json filled")
    by_number: dict[int, str] = {}
    for name in names:
        number = last_number(name) if len(names) > 1 else 0
        if number is None:
            raise InputError(path, f"file {describe(name)} has no frame number", "name the files by frame")
        if number in by_number:
            problem = f"files {describe(by_number[number])} and {describe(name)} are both frame {number}"
            raise InputError(path, problem, "keep one clip per folder")
        by_number[number] = name
    return [by_number[number] for number in sorted(by_number)]


def _people_of_frame(content: object, frame: int, file: Path) -> list[Person]:
    if not isinstance(content, dict) or "people" not in content:
        raise InputError(file, "field 'people' is missing", "give OpenPose's JSON files, one per frame")
    people = [
        _person(record, frame, file, f"people[{index}]")
        for index, record in enumerate(records(content["people"], file, "people"))
    ]
    return [person for person in people if person is not None]


def _person(record: dict[str, Any], frame: int, file: Path, field: str) -> Person | None:
    """One person; None for an entry that has a face or hands, but no body."""
    key = OLD_KEYPOINTS if OLD_KEYPOINTS in record and KEYPOINTS not in record else KEYPOINTS
    if key not in record:
        raise InputError(file, f"field '{field}.{key}' is missing", "give OpenPose's JSON files, one per frame")
    if record[key] == []:
        return None
    person_id = record.get("person_id")
    number: object = person_id[0] if isinstance(person_id, list) and person_id else person_id
    # OpenPose writes [-1] when it does not track.
    track_id = number if isinstance(number, int) and 0 <= number < 10**9 else None
    return Person(frame, joint_triplets(record[key], file, f"{field}.{key}"), track_id)


def _is_openpose(file: KeypointFile) -> bool:
    """Return whether the file is a folder, a zip or one frame's JSON."""
    return file.path.is_dir() or file.suffix == ".zip" or file.has_json_key("people")


FORMAT = KeypointFormat(
    name="OpenPose",
    suffixes=(".json", ".zip"),
    recognise=_is_openpose,
    read=lambda file, options: read_openpose(file.path, joint_set=options.joint_set, fps=options.fps),
    description=(
        "a folder with one .json per frame, a .zip of it, or one frame. BODY_25, BODY_25B, COCO-18; "
        "also the old key `pose_keypoints`."
    ),
)
