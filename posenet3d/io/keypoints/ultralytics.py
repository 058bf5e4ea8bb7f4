"""Read Ultralytics' YOLO pose results: label files (.txt, one per frame) and the JSON of ``Results.to_json``."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, image_size, read_bytes, records, whole_number
from posenet3d.io.keypoints.entries import Entry, joints_of, sequences_of_entries
from posenet3d.io.keypoints.frame_numbers import frame_numbers
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions

FIELD = "keypoints"
BOX_VALUES = 5  # class, then the bounding box's centre and size


def recognise_labels(path: Path) -> bool:
    """Return whether a .txt file, or a folder of them without .json, holds lines of numbers."""
    if path.is_dir():
        files = [file for file in path.iterdir() if file.is_file()]
        labels = [file for file in files if _is_label(file)]
        return not any(file.suffix.lower() == ".json" for file in files) and any(map(_has_numbers, labels[:20]))
    return path.suffix.lower() == ".txt" and path.is_file() and _has_numbers(path)


def _has_numbers(file: Path) -> bool:
    """Return whether the first line is a class, a bounding box and more numbers."""
    with file.open("rb") as content:
        words = content.readline(100_000).decode("utf-8", "replace").split()
    return len(words) > BOX_VALUES and all(re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", word) for word in words)


def read_labels(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read a folder of YOLO label files; coordinates are shares of the image, so its size is needed.

    A line is class, bounding box (4), then x, y and visibility or score per joint, and perhaps a track id.

    Raises:
        InputError: the image size is not given, a line is no label, or nobody is seen.
    """
    if options.image_size is None:
        problem = "holds coordinates as shares of the image, whose size is not known"
        raise InputError(path, problem, "give the image size: --image-size 1920x1080")
    files = (
        sorted(f for f in path.iterdir() if f.suffix.lower() == ".txt" and f.name != "classes.txt")
        if path.is_dir()
        else [path]
    )
    numbers = frame_numbers([file.name for file in files], path, "file name") if files else []
    entries = [
        entry
        for number, file in zip(numbers, files, strict=True)
        for entry in _people(file, number, options.image_size)
    ]
    span = (min(numbers), max(numbers)) if numbers else None
    return sequences_of_entries(entries, path, options, FIELD, image_size=options.image_size, frames=span)


def _is_label(file: Path) -> bool:
    return file.suffix.lower() == ".txt" and file.name != "classes.txt"


def _people(file: Path, frame: int, size: tuple[int, int]) -> list[Entry]:
    people = []
    for line, text in enumerate(read_bytes(file).decode("utf-8", "replace").splitlines(), 1):
        if not text.strip():
            continue
        try:
            values = np.array(text.split(), np.float64)
        except ValueError as error:
            raise InputError(file, f"line {line} is {describe(text)}", "give YOLO pose labels") from error
        own = values[BOX_VALUES:]
        track = int(own[-1]) if len(own) % 3 == 1 and len(own) > 1 else None
        own = own[: len(own) // 3 * 3]
        if not len(own):
            raise InputError(file, f"line {line} holds no joints", "give labels of a pose model, not of boxes")
        people.append(Entry(frame, joints_of(own.reshape(-1, 3).tolist(), None, file, FIELD, size), track))
    return people


def recognise_results(content: object) -> bool:
    """Return whether parsed JSON is a list of Ultralytics' people, or of one such list per frame."""
    if not isinstance(content, list) or not content:
        return False
    first = content[0]
    if isinstance(first, list):
        first = next((frame[0] for frame in content if isinstance(frame, list) and frame), None)
    points = first.get("keypoints") if isinstance(first, dict) else None
    return isinstance(points, dict) and {"x", "y"} <= points.keys()


def read_results(content: Any, path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read parsed results: one list of people per frame, or the people of one frame, or each with its `frame`.

    Raises:
        InputError: a field is missing or wrong, or nobody is seen.
    """
    frames = content if content and isinstance(content[0], list) else None
    people = [(n, p) for n, own in enumerate(frames) for p in records(own, path, f"[{n}]")] if frames else [
        (p.get("frame", p.get("frame_id", 0)), p) for p in records(content, path, "results")
    ]  # fmt: skip
    entries, sizes = [], set()
    for frame, person in people:
        points = person.get("keypoints")
        if not isinstance(points, dict) or not points.get("x"):
            continue  # an object without joints
        x, y = points["x"], points.get("y") or []
        if not isinstance(x, list) or not isinstance(y, list):
            problem = f"field '{FIELD}' has x {describe(x)} and y {describe(y)}"
            raise InputError(path, problem, "they must be lists with a number per joint")
        pairs = list(zip(x, y, strict=False))
        track = person.get("track_id")
        sizes.add(image_size(person, path, "results"))
        entries.append(
            Entry(
                frame,
                joints_of(pairs, points.get("visible") or points.get("confidence"), path, FIELD),
                None if track is None else whole_number(track, path, "track_id"),
            )
        )
    span = (0, len(frames) - 1) if frames else None
    size = sizes.pop() if len(sizes) == 1 else None
    return sequences_of_entries(entries, path, options, FIELD, image_size=size, frames=span)


LABELS = KeypointFormat(
    name="YOLO labels",
    suffixes=(".txt",),
    recognise=lambda file: recognise_labels(file.path),
    read=lambda file, options: read_labels(file.path, options),
    description="a folder of .txt files, one per frame, as Ultralytics writes them (save_txt); needs the image size.",
)
RESULTS = KeypointFormat(
    name="Ultralytics",
    suffixes=(".json",),
    recognise=lambda file: recognise_results(file.json),
    read=lambda file, options: read_results(file.json, file.path, options),
    description="a .json of `Results.to_json()`, of one frame or a list of frames. COCO-17.",
)
