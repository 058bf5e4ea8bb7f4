"""Read JSON files that list people per frame: AlphaPose's other formats, kinetics-skeleton, DWPose, OpenPifPaf, easy_ViTPose."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, image_size, joint_triplets, read_bytes, records, whole_number
from posenet3d.io.keypoints.entries import Entry, joint_set_of_names, joints_of, pixels_of_shares, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions

OPENPOSE_FIELD = "people.pose_keypoints_2d"


def recognise_alphapose_frames(content: object) -> bool:
    """Return whether parsed JSON maps image names to AlphaPose's ``people`` (--format open) or ``bodies`` (--format cmu)."""
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    return isinstance(first, dict) and ("people" in first or "bodies" in first)


def read_alphapose_frames(content: dict[str, Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read AlphaPose's --format open or cmu: 18 joints in OpenPose's order, one object per image name.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    entries = []
    for name, frame in content.items():
        people = frame.get("people", frame.get("bodies", [])) if isinstance(frame, dict) else []
        for person in records(people, path, f"{name}.people"):
            values = person.get("pose_keypoints_2d", person.get("joints"))
            entries.append(Entry(name, joint_triplets(values, path, f"{name}.{OPENPOSE_FIELD}")))
    return sequences_of_entries(entries, path, options, OPENPOSE_FIELD)


def recognise_controlnet(content: object) -> bool:
    """Return whether parsed JSON is a list of ControlNet's (DWPose's) frames."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "people" in first


def read_controlnet(content: list[Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read a list of frames ``{people, canvas_width, canvas_height}``; coordinates may be shares of the canvas.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    frames = records(content, path, "frames")
    entries = []
    size = None
    for number, frame in enumerate(frames):
        size = image_size({"width": frame.get("canvas_width"), "height": frame.get("canvas_height")}, path, "canvas")
        for person in records(frame.get("people") or [], path, f"[{number}].people"):
            values = person.get("pose_keypoints_2d")
            if values:
                joints = joint_triplets(values, path, f"[{number}].{OPENPOSE_FIELD}")
                entries.append(Entry(number, pixels_of_shares(joints, size)))
    return sequences_of_entries(
        entries, path, options, OPENPOSE_FIELD, image_size=size, frames=(0, max(len(frames) - 1, 0))
    )


def recognise_kinetics(content: object) -> bool:
    """Return whether parsed JSON is a kinetics-skeleton clip."""
    data = content.get("data") if isinstance(content, dict) else None
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "skeleton" in data[0]


def read_kinetics(content: dict[str, Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read a kinetics-skeleton clip ``{data: [{frame_index, skeleton: [{pose, score}]}]}``.

    `pose` is x, y per joint, flat or nested, in pixels or as shares of the image.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    frames = records(content["data"], path, "data")
    entries, numbers = [], []
    for index, frame in enumerate(frames):
        number = whole_number(frame.get("frame_index", index), path, f"data[{index}].frame_index")
        numbers.append(number)
        for person in records(frame.get("skeleton") or [], path, f"data[{index}].skeleton"):
            joints = joints_of(person.get("pose"), person.get("score"), path, "skeleton.pose")
            entries.append(Entry(number, joints))
    span = (min(numbers), max(numbers)) if numbers else None
    return sequences_of_entries(entries, path, options, "skeleton.pose", frames=span)


def recognise_openpifpaf(content: object) -> bool:
    """Return whether parsed JSON is OpenPifPaf's list of one image's people (COCO's results without image_id)."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and "keypoints" in first and "image_id" not in first


def read_openpifpaf(content: list[Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read ``IMAGE.predictions.json``: the people in one image.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    people = records(content, path, "predictions")
    entries = [
        Entry(0, joint_triplets(person.get("keypoints"), path, f"[{index}].keypoints"))
        for index, person in enumerate(people)
    ]
    return sequences_of_entries(entries, path, options, "keypoints")


def recognise_json_lines(path: Path) -> bool:
    """Return whether a file's first line is a JSON object of its own with OpenPifPaf's ``predictions``."""
    if path.suffix.lower() not in (".json", ".jsonl", ".ndjson") or not path.is_file():
        return False
    with path.open("rb") as file:
        line = file.readline(1_000_000)
    try:
        first = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "predictions" in first and "frame" in first


def read_json_lines(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read OpenPifPaf's video output: a line ``{frame, predictions}`` per frame.

    Raises:
        InputError: a line is no such object, or nobody is seen.
    """
    entries, numbers = [], []
    for line, text in enumerate(read_bytes(path).decode("utf-8", "replace").splitlines(), 1):
        if not text.strip():
            continue
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(path, f"line {line} is not JSON", "write it again: it may be truncated") from error
        if not isinstance(frame, dict):
            raise InputError(path, f"line {line} is no object", "give OpenPifPaf's JSON lines")
        number = whole_number(frame.get("frame"), path, f"line {line}: frame")
        numbers.append(number)
        for person in records(frame.get("predictions") or [], path, f"line {line}: predictions"):
            joints = joint_triplets(person.get("keypoints"), path, f"line {line}: keypoints")
            track = person.get("id_", person.get("track_id"))
            entries.append(Entry(number, joints, None if track is None else whole_number(track, path, "id_")))
    span = (min(numbers), max(numbers)) if numbers else None
    return sequences_of_entries(entries, path, options, "keypoints", frames=span)


def recognise_easy_vitpose(content: object) -> bool:
    """Return whether parsed JSON is easy_ViTPose's: per frame an object from track id to joints, and a skeleton."""
    return isinstance(content, dict) and "skeleton" in content and isinstance(content.get("keypoints"), list)


def read_easy_vitpose(content: dict[str, Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read ``{keypoints: [{track: [[y, x, score], ...]}], skeleton: {index: name}}``; y comes before x.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    names = content["skeleton"]
    named = None
    if isinstance(names, dict) and names:
        ordered = [str(names[key]) for key in sorted(names, key=lambda key: int(key) if str(key).isdigit() else 0)]
        named = joint_set_of_names(ordered, path, "skeleton") or JOINT_SETS.get("coco17")
    entries = []
    frames = content["keypoints"]
    for number, frame in enumerate(frames):
        for track, joints in frame.items() if isinstance(frame, dict) else ():
            values = joints_of(joints, None, path, f"keypoints[{number}]")
            track_id = int(track) if str(track).isdigit() else None
            entries.append(Entry(number, values[:, [1, 0, 2]], track_id))
    span = (0, max(len(frames) - 1, 0))
    return sequences_of_entries(entries, path, options, "keypoints", joint_set=named, frames=span)


def recognise_label_studio(content: object) -> bool:
    """Return whether parsed JSON is a Label Studio export with keypoint labels."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and isinstance(first.get("annotations"), list) and "data" in first


def read_label_studio(content: list[Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read a Label Studio export: one task per image, keypoints in per cent of the image, by their labels.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    tasks = records(content, path, "tasks")
    found: list[tuple[object, dict[str, tuple[float, float]]]] = []
    sizes = set()
    for index, task in enumerate(tasks):
        data = task.get("data")
        name = next((v for v in data.values() if isinstance(v, str)), index) if isinstance(data, dict) else index
        points: dict[str, tuple[float, float]] = {}
        for annotation in records(task.get("annotations"), path, f"[{index}].annotations")[:1]:
            for result in records(annotation.get("result") or [], path, f"[{index}].result"):
                value = result.get("value")
                if not isinstance(value, dict) or not value.get("keypointlabels"):
                    continue
                labels = value["keypointlabels"]
                if not isinstance(labels, list) or not isinstance(labels[0], str):
                    problem = f"field '[{index}].keypointlabels' is {describe(labels)}"
                    raise InputError(path, problem, "it must be a list with the joint's name")
                size = (
                    image_size(
                        {"width": result.get("original_width"), "height": result.get("original_height")},
                        path,
                        "original",
                    )
                    or options.image_size
                )
                if size is None:
                    raise InputError(path, f"task {index} has no 'original_width'", "give --image-size")
                sizes.add(size)
                ((x, y, _),) = joints_of([[value.get("x"), value.get("y")]], None, path, "value")
                points[labels[0]] = (x * size[0] / 100, y * size[1] / 100)
        found.append((name, points))
    names = tuple(dict.fromkeys(label for _, points in found for label in points))
    joint_set = joint_set_of_names(names, path, "keypointlabels") if names else None
    if names and joint_set is None:
        raise InputError(
            path, f"no label is a joint ({', '.join(names[:5])})", "label nose, left_shoulder, left_hip ..."
        )
    entries = [
        Entry(name, np.array([[*points[label], 1.0] if label in points else [0.0, 0.0, 0.0] for label in names]))
        for name, points in found
        if points
    ]
    size = sizes.pop() if len(sizes) == 1 else None
    return sequences_of_entries(entries, path, options, "keypointlabels", joint_set=joint_set, image_size=size)


ALPHAPOSE_FRAMES = KeypointFormat(
    name="AlphaPose per frame",
    suffixes=(".json",),
    recognise=lambda file: recognise_alphapose_frames(file.json),
    read=lambda file, options: read_alphapose_frames(file.json, file.path, options),
    description="a .json written with --format open or --format cmu. COCO-18.",
)
CONTROLNET = KeypointFormat(
    name="ControlNet",
    suffixes=(".json",),
    recognise=lambda file: recognise_controlnet(file.json),
    read=lambda file, options: read_controlnet(file.json, file.path, options),
    description="a .json list of DWPose's or OpenPose's frames with `people` and `canvas_width`. COCO-18.",
)
KINETICS = KeypointFormat(
    name="kinetics-skeleton",
    suffixes=(".json",),
    recognise=lambda file: recognise_kinetics(file.json),
    read=lambda file, options: read_kinetics(file.json, file.path, options),
    description="a .json with `data`, `frame_index` and `skeleton`. COCO-17 or -18.",
)
OPENPIFPAF = KeypointFormat(
    name="OpenPifPaf",
    suffixes=(".json",),
    recognise=lambda file: recognise_openpifpaf(file.json),
    read=lambda file, options: read_openpifpaf(file.json, file.path, options),
    description="IMAGE.predictions.json of one image. COCO-17 or -133.",
)
JSON_LINES = KeypointFormat(
    name="OpenPifPaf video",
    suffixes=(".json", ".jsonl", ".ndjson"),
    recognise=lambda file: recognise_json_lines(file.path),
    read=lambda file, options: read_json_lines(file.path, options),
    description="JSON lines, one `{frame, predictions}` per frame. COCO-17 or -133.",
)
EASY_VITPOSE = KeypointFormat(
    name="easy_ViTPose",
    suffixes=(".json",),
    recognise=lambda file: recognise_easy_vitpose(file.json),
    read=lambda file, options: read_easy_vitpose(file.json, file.path, options),
    description="a .json with `keypoints` by track and `skeleton`. COCO-17 or -25.",
)
LABEL_STUDIO = KeypointFormat(
    name="Label Studio",
    suffixes=(".json",),
    recognise=lambda file: recognise_label_studio(file.json),
    read=lambda file, options: read_label_studio(file.json, file.path, options),
    description="a .json export with keypoint labels named as joints, one person per image.",
)
