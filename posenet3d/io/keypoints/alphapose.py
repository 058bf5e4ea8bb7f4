"""Lists of people with the frame they were seen in: AlphaPose's results and COCO's results format."""

from pathlib import Path
from typing import Any

from posenet3d.core.sequence import DEFAULT_FPS, PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, joint_triplets, last_number, records, whole_number
from posenet3d.io.keypoints.keypoint_format import KeypointFormat
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    check_span,
    common_count,
    joint_set_by_count,
    named_joint_set,
    nothing_seen,
    sequences_of_people,
)


def read_results(
    content: object, path: Path, *, joint_set: str | None = None, fps: float = DEFAULT_FPS
) -> list[PoseSequence]:
    """People in a parsed results list, most complete first; a frame nobody is listed for is an empty row.

    Rows run from the first frame to the last. Frames are `image_id`, a number or a name with one ('12.jpg' comes
    after '9.jpg'). Tracks are AlphaPose's `idx` or `track_id` where every person has one, else found by motion.

    Raises:
        InputError: not such a list, an unknown number of joints, or nobody in it.
    """
    entries = records(content, path, "results")
    if not entries:
        raise nothing_seen(path)
    numbers = _frame_numbers(entries, path)
    first, last = min(numbers), max(numbers)
    n_frames = check_span(first, last, len(set(numbers)), path, "image_id")
    people = [
        Person(
            frame=number - first,
            joints=joint_triplets(entry.get("keypoints"), path, f"[{index}].keypoints"),
            track_id=track_number(entry, path, f"[{index}]"),
        )
        for index, (entry, number) in enumerate(zip(entries, numbers, strict=True))
    ]
    count = common_count(people, path, "keypoints")
    wanted = named_joint_set(joint_set, path) if joint_set else joint_set_by_count(count, path, "keypoints")
    return sequences_of_people(people, Footage(path, n_frames, fps), wanted, "keypoints")


def track_number(entry: dict[str, Any], file: Path, field: str) -> int | None:
    """`track_id` or AlphaPose's `idx` (a number, at times in a list); None where absent.

    Raises:
        InputError: it is neither a whole number nor absent.
    """
    key = "track_id" if entry.get("track_id") is not None else "idx"
    value = entry.get(key)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if value is None else whole_number(value, file, f"{field}.{key}")


def _frame_numbers(entries: list[dict[str, Any]], file: Path) -> list[int]:
    """The frame number of every entry; a single unnumbered picture is frame 0."""
    names = [entry.get("image_id") for entry in entries]
    if isinstance(names[0], str) and last_number(names[0]) is None and all(name == names[0] for name in names):
        return [0] * len(names)
    numbers = [_frame_number(name, file, f"[{index}].image_id") for index, name in enumerate(names)]
    owner: dict[int, object] = {}
    for name, number in zip(names, numbers, strict=True):
        if owner.setdefault(number, name) != name:
            problem = f"field 'image_id' {describe(owner[number])} and {describe(name)} are both frame {number}"
            raise InputError(file, problem, "keep one clip per file")
    return numbers


def _frame_number(image_id: object, file: Path, field: str) -> int:
    if not isinstance(image_id, str):
        return whole_number(image_id, file, field)
    number = last_number(image_id)
    if number is None:
        raise InputError(file, f"field '{field}' is {describe(image_id)}", "name the images by frame number")
    return number


FORMAT = KeypointFormat(
    name="AlphaPose",
    suffixes=(".json",),
    recognise=lambda file: isinstance(file.json, list),
    read=lambda file, options: read_results(file.json, file.path, joint_set=options.joint_set, fps=options.fps),
    description=(
        "a .json with a list of people, also COCO's results format. COCO-17, COCO-133, CrowdPose-14, Halpe-26 and -136."
    ),
)
