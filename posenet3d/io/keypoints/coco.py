"""COCO keypoints: images, annotations and categories in one JSON file, as data sets and our detector write them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.core.jointsets import KNOWN_JOINTS, JointSet, canonical_joint, to_h36m17
from posenet3d.core.sequence import DEFAULT_FPS, MAX_FPS, MIN_FPS, PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, image_size, joint_triplets, load_json, records, whole_number
from posenet3d.io.keypoints.alphapose import track_number
from posenet3d.io.keypoints.keypoint_format import KeypointFormat
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    check_span,
    common_count,
    joint_set_by_count,
    named_joint_set,
    sequences_of_people,
)

LABELLED_BUT_HIDDEN = 0.5
"""Confidence of an annotator's guess at an occluded joint (visibility 1)."""


def read_coco(
    content: dict[str, Any], path: Path, *, joint_set: str | None = None, fps: float = DEFAULT_FPS
) -> list[PoseSequence]:
    """People in a parsed COCO keypoint file, most complete first; one row per image.

    Rows are the images' `row` where all have one (`posenet3d detect` writes where each stands on an even clock), else they
    follow `frame`, else the order of the list. The joints are those that the
    category names, else known by their number. A joint's third number is a
    visibility if the file holds a 2, else a score.

    Raises:
        InputError: a field is missing or wrong, or nobody is annotated.
    """
    images = records(content.get("images"), path, "images")
    row_of = _rows(images, path)
    category = _category(content, path)
    people = _people(records(content.get("annotations"), path, "annotations"), row_of, category, path)
    count = common_count(people, path, "annotations.keypoints")
    sizes = {image_size(image, path, f"images[{index}]") for index, image in enumerate(images)}
    n_rows = max(row_of.values(), default=-1) + 1
    footage = Footage(path, n_rows, _rate(content, path) or fps, sizes.pop() if len(sizes) == 1 else None)
    wanted = named_joint_set(joint_set, path) if joint_set else _named_joints(category, count, path)
    return sequences_of_people(_with_confidence(people), footage, wanted, "annotations.keypoints")


def read_photographs(path: Path) -> list[PoseSequence]:
    """Everybody who is annotated in photographs (COCO keypoints, CrowdPose), a clip of one frame each, in the file's order.

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
    people = _people(records(content["annotations"], path, "annotations"), row_of, category, path)
    joint_set = _named_joints(category, common_count(people, path, "annotations.keypoints"), path)
    joints = np.stack([person.joints for person in _with_confidence(people)])
    keypoints_px, confidence = to_h36m17(joints[..., :2], joints[..., 2], joint_set)
    return [
        PoseSequence(
            name=f"{path.stem} person {n}",
            keypoints_px=pose[None],
            confidence=sure[None],
            image_size=sizes[person.frame],
            take=f"{path.stem} image {person.frame}",
        )
        for n, (person, pose, sure) in enumerate(zip(people, keypoints_px, confidence, strict=True))
        if sure.any()
    ]


def _rate(content: dict[str, Any], path: Path) -> float | None:
    """Frames per second, where `posenet3d detect` wrote them."""
    info = content.get("info")
    rate = info.get("fps") if isinstance(info, dict) else None
    if rate is None:
        return None
    if not isinstance(rate, int | float) or not MIN_FPS <= rate <= MAX_FPS:
        raise InputError(path, f"field 'info.fps' is {describe(rate)}", "it must be a number of frames per second")
    return float(rate)


def _rows(images: list[dict[str, Any]], path: Path) -> dict[object, int]:
    """The row of every image id; rows that no image has are frames that are missing."""
    ids = _ids(images, path)
    numbers = _numbers(images, "row", path)
    if numbers is not None:
        check_span(0, max(numbers, default=0), len(numbers), path, "images.row")
    else:
        frames = _numbers(images, "frame", path)
        order = range(len(images)) if frames is None else np.argsort(frames)
        numbers = np.argsort(order).tolist()
    return dict(zip(ids, numbers, strict=True))


def _ids(images: list[dict[str, Any]], path: Path) -> list[object]:
    ids: list[object] = [image.get("id") for image in images]
    for index, image_id in enumerate(ids):
        if type(image_id) not in (int, str):
            problem = f"field 'images[{index}].id' is {describe(image_id)}"
            raise InputError(path, problem, "it must be a number or a name")
    if len(set(ids)) < len(ids):
        raise InputError(path, "field 'images.id' has the same image twice", "give every image its own id")
    return ids


def _numbers(images: list[dict[str, Any]], key: str, path: Path) -> list[int] | None:
    """That field of every image; None where one has it not."""
    if not all(key in image for image in images):
        return None
    numbers = [whole_number(image[key], path, f"images[{i}].{key}") for i, image in enumerate(images)]
    if len(set(numbers)) < len(numbers):
        raise InputError(path, f"field 'images.{key}' has the same {key} twice", "keep one clip per file")
    return numbers


def _category(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The first category that names keypoints; empty if there is none."""
    categories = records(content.get("categories") or [], path, "categories")
    return next((category for category in categories if category.get("keypoints")), {})


def _named_joints(category: dict[str, Any], count: int, path: Path) -> JointSet:
    names = category.get("keypoints", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(path, "field 'categories.keypoints' is not a list of names", "name the joints in it")
    joints = tuple(canonical_joint(name) for name in names)
    if not KNOWN_JOINTS & set(joints):  # no names, or numbers only
        return joint_set_by_count(count, path, "annotations.keypoints")
    return JointSet("the category", joints)


def _people(
    annotations: list[dict[str, Any]], row_of: dict[object, int], category: dict[str, Any], path: Path
) -> list[Person]:
    people = []
    for index, annotation in enumerate(annotations):
        field = f"annotations[{index}]"
        of_others = "id" in category and annotation.get("category_id", category["id"]) != category["id"]
        if annotation.get("iscrowd") == 1 or of_others:
            continue  # a crowd's outline and other kinds of objects have no joints
        image_id = annotation.get("image_id")
        if type(image_id) not in (int, str) or image_id not in row_of:
            raise InputError(path, f"field '{field}.image_id' is {describe(image_id)}", "it must be the id of an image")
        joints = joint_triplets(annotation.get("keypoints"), path, f"{field}.keypoints")
        people.append(Person(row_of[image_id], joints, track_number(annotation, path, field)))
    return people


def _with_confidence(people: list[Person]) -> list[Person]:
    """Visibilities 0, 1, 2 as confidence; scores stay."""
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
    read=lambda file, options: read_coco(file.json, file.path, joint_set=options.joint_set, fps=options.fps),
    description=(
        "a .json with `images`, `annotations` and `categories`. COCO-17, CrowdPose-14, Halpe-26 and -136, "
        "or any joints by the names in the category."
    ),
)
