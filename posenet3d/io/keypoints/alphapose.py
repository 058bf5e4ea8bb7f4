"""Read lists of detected people with their frame: AlphaPose's results and COCO's results format."""

import re
from pathlib import Path
from typing import Any

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, joint_triplets, records, whole_number
from posenet3d.io.keypoints.entries import Entry, Skipped, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions
from posenet3d.io.keypoints.people import no_person_error


def read_results(content: object, path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read the people in a parsed results list, most complete first; frames without people are empty rows.

    Rows run from the first listed frame to the last. The frame is `image_id`: a number, or a name that contains one
    (`posenet3d.io.keypoints.frame_numbers`). The track is AlphaPose's `idx` or `track_id` if every person has one;
    otherwise people are tracked by their motion. An entry that cannot be used is left out and counted.

    Raises:
        InputError: not such a list, an unknown number of joints, or no person in it.
    """
    listed = records(content, path, "results")
    if not listed:
        raise no_person_error(path)
    entries, skipped = [], Skipped()
    is_numbered = any(_has_number(entry.get("image_id")) for entry in listed)
    for index, entry in enumerate(listed):
        try:
            if is_numbered and not _has_number(entry.get("image_id")):
                problem = f"field '[{index}].image_id' is {describe(entry.get('image_id'))}, which has no frame number"
                raise InputError(path, problem, "name the images by frame number")
            joints = joint_triplets(entry.get("keypoints"), path, f"[{index}].keypoints")
            entries.append(Entry(entry.get("image_id"), joints, track_number(entry, path, f"[{index}]")))
        except InputError as error:
            skipped.add(error)
    return sequences_of_entries(entries, path, options, "image_id", notes=skipped.notes(len(entries)))


def _has_number(image_id: object) -> bool:
    """Return whether an image id is a number or contains one."""
    return type(image_id) in (int, float) or (isinstance(image_id, str) and re.search("[0-9]", image_id) is not None)


def track_number(entry: dict[str, Any], file: Path, field: str) -> int | None:
    """Return `track_id` or AlphaPose's `idx` (a number, sometimes inside a list); None if absent.

    Raises:
        InputError: it is neither a whole number nor absent.
    """
    key = "track_id" if entry.get("track_id") is not None else "idx"
    value = entry.get(key)
    while isinstance(value, list) and value:  # AlphaPose nests it, at times beside further numbers
        value = value[0]
    return None if value is None else whole_number(value, file, f"{field}.{key}")


FORMAT = KeypointFormat(
    name="AlphaPose",
    suffixes=(".json",),
    recognise=lambda file: isinstance(file.json, list),
    read=lambda file, options: read_results(file.json, file.path, options),
    description=(
        "a .json with a list of people, also COCO's results format. COCO-17, COCO-133, CrowdPose-14, Halpe-26 and -136."
    ),
)
