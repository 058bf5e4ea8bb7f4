"""Read COCO keypoints: images, annotations and categories in one JSON file, as data sets and `posenet3d detect` write them."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.core.jointsets import KNOWN_JOINTS, JointSet, canonical_joint, to_h36m17
from posenet3d.core.sequence import MAX_FPS, MIN_FPS, PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, image_size, joint_triplets, load_json, records, whole_number
from posenet3d.io.keypoints.alphapose import track_number
from posenet3d.io.keypoints.entries import Skipped, most_common_count
from posenet3d.io.keypoints.frame_numbers import frame_numbers
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    check_span,
    common_count,
    joint_set_by_count,
    named_joint_set,
    no_person_error,
    sequences_of_people,
)

LABELLED_BUT_HIDDEN = 0.5
"""Confidence of an annotator's guess at an occluded joint (visibility 1)."""


def read_coco(content: dict[str, Any], path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read the people in a parsed COCO keypoint file, most complete first; one row per frame.

    The row of an image is its `row` if all images have one (`posenet3d detect` writes the frame at constant rate),
    otherwise its `frame`, otherwise the number that varies in its `file_name`; gaps between the numbers are empty rows.
    Only where the names have no numbers is it the order of the list, and a note says so. The category names the joints;
    without names their number tells the joint set. The third value of a joint is a visibility if the file holds a 2,
    otherwise a score. Annotations without joints are left out and counted.

    Raises:
        InputError: a field is missing or wrong, or no person is annotated.
    """
    images = records(content.get("images"), path, "images")
    row_of, notes = _rows(images, path)
    category = _category(content, path)
    people, skipped = _people(records(content.get("annotations"), path, "annotations"), row_of, category, path)
    notes += skipped.notes(len(people))
    if not people:
        raise no_person_error(path)
    people, left_out = most_common_count(people)
    count = common_count(people, path, "annotations.keypoints")
    sizes = {image_size(image, path, f"images[{index}]") for index, image in enumerate(images)}
    n_rows = max(row_of.values(), default=-1) + 1
    size = sizes.pop() if len(sizes) == 1 else None
    fps = _rate(content, path) or options.fps
    footage = Footage(path, n_rows, fps, size or options.image_size, (*notes, *left_out))
    wanted = named_joint_set(options.joint_set, path) if options.joint_set else _named_joints(category, count, path)
    return sequences_of_people(_with_confidence(people), footage, wanted, "annotations.keypoints")


def read_photographs(path: Path) -> list[PoseSequence]:
    """Read all people annotated in photographs (COCO keypoints, CrowdPose): one clip of one frame each, in file order.

    Raises:
        InputError: as `read_coco`, or the file holds something else.
    """
    content = load_json(path)
    if not isinstance(content, dict) or "annotations" not in content:
        raise InputError(path, "has no 'annotations'", "give the annotation file of COCO keypoints or CrowdPose")
    images = records(content.get("images"), path, "images")
    row_of = {image_id: row for row, image_id in enumerate(_ids(images, path))}
    sizes = [image_size(image, path, f"images[{index}]") for index, image in enumerate(images)]
    category = _category(content, path)
    people, skipped = _people(records(content["annotations"], path, "annotations"), row_of, category, path)
    skipped.notes(len(people))
    joint_set = _named_joints(category, common_count(people, path, "annotations.keypoints"), path)
    joints = np.stack([person.joints for person in _with_confidence(people)])
    keypoints_px, confidence = to_h36m17(joints[..., :2], joints[..., 2], joint_set)
    return [
        PoseSequence(
            name=f"{path.stem} person {n}",
            keypoints_px=pose_px[None],
            confidence=pose_confidence[None],
            image_size=sizes[person.frame],
            take=f"{path.stem} image {person.frame}",
        )
        for n, (person, pose_px, pose_confidence) in enumerate(zip(people, keypoints_px, confidence, strict=True))
        if pose_confidence.any()
    ]


def _rate(content: dict[str, Any], path: Path) -> float | None:
    """Return the frames per second if `posenet3d detect` wrote them, otherwise None."""
    info = content.get("info")
    rate = info.get("fps") if isinstance(info, dict) else None
    if rate is None:
        return None
    if not isinstance(rate, int | float) or not MIN_FPS <= rate <= MAX_FPS:
        raise InputError(path, f"field 'info.fps' is {describe(rate)}", "it must be a number of frames per second")
    return float(rate)


def _rows(images: list[dict[str, Any]], path: Path) -> tuple[dict[object, int], tuple[str, ...]]:
    """Return the row of every image id, and a note where the order of the list had to decide; gaps are dropped frames."""
    ids = _ids(images, path)
    for key in ("row", "frame"):
        numbers = _numbers(images, key, path)
        if numbers is not None:
            first = 0 if key == "row" else min(numbers, default=0)
            check_span(first, max(numbers, default=0), len(numbers), path, f"images.{key}")
            return dict(zip(ids, (number - first for number in numbers), strict=True)), ()
    names = [image.get("file_name") for image in images]
    if len(images) > 1 and all(isinstance(name, str) and re.search("[0-9]", name) for name in names):
        numbers = frame_numbers(names, path, "images.file_name")
        if len(set(numbers)) == len(numbers):
            first = min(numbers)
            check_span(first, max(numbers), len(numbers), path, "images.file_name")
            return dict(zip(ids, (number - first for number in numbers), strict=True)), ()
    note = "The images have no frame numbers: they were taken in the order of the list."
    return dict(zip(ids, range(len(ids)), strict=True)), (note,) if len(images) > 1 else ()


def _ids(images: list[dict[str, Any]], path: Path) -> list[object]:
    """Return the ids of the images, which must differ."""
    ids: list[object] = [image.get("id") for image in images]
    for index, image_id in enumerate(ids):
        if type(image_id) not in (int, str):
            problem = f"field 'images[{index}].id' is {describe(image_id)}"
            raise InputError(path, problem, "it must be a number or a name")
    if len(set(ids)) < len(ids):
        raise InputError(path, "field 'images.id' has the same image twice", "give every image its own id")
    return ids


def _numbers(images: list[dict[str, Any]], key: str, path: Path) -> list[int] | None:
    """Return this field of every image; None if any image lacks it."""
    if not all(key in image for image in images):
        return None
    numbers = [whole_number(image[key], path, f"images[{i}].{key}") for i, image in enumerate(images)]
    if len(set(numbers)) < len(numbers):
        raise InputError(path, f"field 'images.{key}' has the same {key} twice", "keep one clip per file")
    return numbers


def _category(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the first category that names keypoints; an empty one if there is none."""
    categories = records(content.get("categories") or [], path, "categories")
    return next((category for category in categories if category.get("keypoints")), {})


def _named_joints(category: dict[str, Any], count: int, path: Path) -> JointSet:
    """Return the joints that the category names; without names the usual joint set of their number."""
    names = category.get("keypoints", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(path, "field 'categories.keypoints' is not a list of names", "name the joints in it")
    joints = tuple(canonical_joint(name) for name in names)
    if not KNOWN_JOINTS & set(joints):  # no names, or numbers only
        return joint_set_by_count(count, path, "annotations.keypoints")
    return JointSet("the category", joints)


def _people(
    annotations: list[dict[str, Any]], row_of: dict[object, int], category: dict[str, Any], path: Path
) -> tuple[list[Person], Skipped]:
    """Return the annotated people, and what could not be used."""
    people, skipped = [], Skipped()
    for index, annotation in enumerate(annotations):
        field = f"annotations[{index}]"
        is_other_kind = "id" in category and annotation.get("category_id", category["id"]) != category["id"]
        if annotation.get("iscrowd") == 1 or is_other_kind:
            continue  # the outline of a crowd and other kinds of objects have no joints
        try:
            people.append(_person(annotation, row_of, path, field))
        except InputError as error:
            skipped.add(error)
    return people, skipped


def _person(annotation: dict[str, Any], row_of: dict[object, int], path: Path, field: str) -> Person:
    """Return one annotated person."""
    image_id = annotation.get("image_id")
    if type(image_id) not in (int, str) or image_id not in row_of:
        raise InputError(path, f"field '{field}.image_id' is {describe(image_id)}", "it must be the id of an image")
    joints = joint_triplets(annotation.get("keypoints"), path, f"{field}.keypoints")
    return Person(row_of[image_id], joints, track_number(annotation, path, field))


def _with_confidence(people: list[Person]) -> list[Person]:
    """Convert visibilities 0, 1, 2 to confidence; scores are kept."""
    third = np.concatenate([person.joints[:, 2] for person in people])
    if not ((third == 2).any() and np.isin(third, (0, 1, 2)).all()):
        return people
    confidence = np.array([0, LABELLED_BUT_HIDDEN, 1.0])
    return [
        replace(p, joints=np.column_stack([p.joints[:, :2], confidence[p.joints[:, 2].astype(int)]])) for p in people
    ]


FORMAT = KeypointFormat(
    name="COCO",
    suffixes=(".json",),
    recognise=lambda file: file.has_json_key("annotations"),
    read=lambda file, options: read_coco(file.json, file.path, options),
    description=(
        "a .json with `images`, `annotations` and `categories`. COCO-17, CrowdPose-14, Halpe-26 and -136, "
        "or any joints by the names in the category."
    ),
)
