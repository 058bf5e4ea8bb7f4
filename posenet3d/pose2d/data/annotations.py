"""Annotated photographs in the keypoint formats of COCO and CrowdPose: annotations in one JSON file, images in a folder or a zip.

Peculiarities of the formats: most joints of CrowdPose are labelled "hidden" (v = 1), so every v > 0 counts as a label. Its
`skeleton` is COCO's and is wrong for its 14 joints. It has no `area` (0.53 of the box's area replaces it). Crowds, and people
without any labelled joint, are left out of training.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe, joint_triplets, load_json, records

BY_COUNT = {17: "coco17", 14: "crowdpose14"}
AREA_OF_BOX = 0.53
"""A person's area as a share of the box where the file has none (CrowdPose's own evaluation)."""


@dataclass(frozen=True)
class LabelledPerson:
    """One annotated person; a joint is x, y (pixels) and v (0 not labelled, 1 hidden, 2 visible)."""

    id: int
    image_id: int
    file_name: str
    box: tuple[float, float, float, float]  # left, top, width, height
    joints: Float[np.ndarray, "joints 3"]
    area: float
    crowd_index: float | None = None


@dataclass(frozen=True)
class Labels:
    """The people of an annotation file with at least one labelled joint, and the joint set."""

    file: Path
    joint_set: JointSet
    people: list[LabelledPerson]


def read_labels(path: Path) -> Labels:
    """Read an annotation file of COCO keypoints or CrowdPose.

    Raises:
        InputError: the file has another format, or no person in it has a labelled joint.
    """
    content = load_json(path)
    if not isinstance(content, dict):
        raise InputError(path, f"is {describe(content)}", "give an annotation file of COCO keypoints or CrowdPose")
    images = {image.get("id"): image for image in records(content.get("images"), path, "images")}
    people = []
    for index, annotation in enumerate(records(content.get("annotations"), path, "annotations")):
        person = _person(annotation, images, path, f"annotations[{index}]")
        if person is not None and (person.joints[:, 2] > 0).any():
            people.append(person)
    counts = sorted({len(person.joints) for person in people})
    if not counts:
        raise InputError(
            path, "has no person with a labelled joint", "give the file of keypoints, not of boxes or captions"
        )
    if len(counts) > 1 or counts[0] not in BY_COUNT:
        problem = f"field 'annotations.keypoints' holds {' and '.join(map(str, counts))} joints"
        raise InputError(path, problem, "give 17 joints (COCO) or 14 (CrowdPose)")
    return Labels(path, JOINT_SETS[BY_COUNT[counts[0]]], people)


def _person(
    annotation: dict[str, Any], images: dict[object, dict[str, Any]], path: Path, field: str
) -> LabelledPerson | None:
    if annotation.get("iscrowd") == 1 or "keypoints" not in annotation:
        return None
    image = images.get(annotation.get("image_id"))
    if image is None:
        problem = f"field '{field}.image_id' is {describe(annotation.get('image_id'))}"
        raise InputError(path, problem, "it must be the id of an image")
    box = annotation.get("bbox")
    is_box = isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box)
    if box is None or not is_box:
        raise InputError(path, f"field '{field}.bbox' is {describe(box)}", "it must be [left, top, width, height]")
    left, top, width, height = (float(side) for side in box)
    return LabelledPerson(
        id=int(annotation.get("id", 0)),
        image_id=int(image["id"]),
        file_name=str(image.get("file_name", "")),
        box=(left, top, width, height),
        joints=joint_triplets(annotation["keypoints"], path, f"{field}.keypoints"),
        area=float(annotation.get("area") or AREA_OF_BOX * width * height),
        crowd_index=image.get("crowdIndex"),
    )


class ImageStore:
    """The images of a data set by file name, in a folder or a zip, at any depth.

    Raises:
        InputError: there is no such folder or zip; or, from `open`, the image is missing or cannot be read.
    """

    def __init__(self, path: Path):
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            files = {file.name: str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
        else:
            try:
                self._zip = zipfile.ZipFile(path)
            except (OSError, zipfile.BadZipFile) as error:
                raise InputError(path, "is neither a folder nor a zip", "give the data set's images") from error
            files = {Path(name).name: name for name in self._zip.namelist() if not name.endswith("/")}
        self._files = files

    def open(self, file_name: str) -> Image.Image:
        """Open an image: RGB, upright."""
        stored = self._files.get(Path(file_name).name)
        if stored is None:
            raise InputError(self.path, f"has no image '{file_name}'", "give the images that the annotations name")
        try:
            content = (self.path / stored).read_bytes() if self._zip is None else self._zip.read(stored)
            return ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, zipfile.BadZipFile) as error:
            raise InputError(self.path, f"'{file_name}' cannot be read as an image", "download it again") from error
