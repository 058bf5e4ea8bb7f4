"""Write rendered people as a data set in the annotation format of CrowdPose."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.errors import InputError
from posenet3d.io.atomic import atomic_write
from posenet3d.pose2d.data.annotations import AREA_OF_BOX
from posenet3d.pose2d.data.random_people import random_background, random_scene
from posenet3d.pose2d.data.rendering import Scene, boxes_of, draw, joints_of

SIZE = (384, 384)
FOCAL_PX = 420.0
CHUNK = 100
"""Images per worker process: the colours of all their vertices are in memory."""

MIN_PX, MIN_JOINTS, VISIBLE = 8, 3, 2
"""People whose box is narrower than `MIN_PX`, or with fewer than `MIN_JOINTS` visible joints, get no annotation."""

CROWD_PROBABILITIES = (0.5, 0.2, 0.15, 0.1, 0.05)
"""Shares of images with one person, two, and so on."""


def write_rendered_dataset(out: Path, *, count: int, joint_set: str, seed: int) -> tuple[int, int]:
    """Write ``people.json`` and ``pictures/`` into a new folder.

    Args:
        out: the folder.
        count: number of images.
        joint_set: of the annotations.
        seed: of the random numbers.

    Returns:
        Numbers of images and people.

    Raises:
        InputError: `count` is below 1, the folder exists or cannot be made, or OpenGL is missing.
    """
    if count < 1:
        raise InputError("--count", f"is {count}", "ask for one image or more")
    try:
        (out / "pictures").mkdir(parents=True)
    except OSError as error:
        raise InputError(out, "exists already or cannot be made", "name a new folder") from error
    rng = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    scenes = (
        random_scene(rng, 1 + int(rng.choice(len(CROWD_PROBABILITIES), p=CROWD_PROBABILITIES)), SIZE, FOCAL_PX)
        for _ in range(count)
    )
    with tqdm(total=count, unit="image", desc="render") as bar:
        while chunk := list(islice(scenes, CHUNK)):
            for scene, drawing in zip(chunk, draw(chunk, SIZE, FOCAL_PX), strict=True):
                number = len(images) + 1
                name = f"{number:06d}.jpg"
                image = drawing.on(random_background(rng, SIZE))
                Image.fromarray(image).save(out / "pictures" / name, quality=90)
                joints = joints_of(scene.people, joint_set, SIZE, FOCAL_PX, drawing)
                people = _annotations(scene, joints, number, len(annotations))
                annotations += people
                images.append(_image_record(number, name, people))
                bar.update()
    category = {"id": 1, "name": "person", "keypoints": list(JOINT_SETS[joint_set].joints)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    with atomic_write(out / "people.json") as file:
        file.write(json.dumps(content).encode())
    return len(images), len(annotations)


def _annotations(scene: Scene, joints: np.ndarray, image: int, count_before: int) -> list[dict[str, Any]]:
    """Annotate the people of an image who are visible enough; see `MIN_PX`."""
    people: list[dict[str, Any]] = []
    for box, rows in zip(boxes_of(scene.people, SIZE, FOCAL_PX), joints, strict=True):
        if min(box[2:]) < MIN_PX or (rows[:, 2] == VISIBLE).sum() < MIN_JOINTS:
            continue
        people.append(
            {
                "id": count_before + len(people) + 1,
                "image_id": image,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [round(float(side), 2) for side in box],
                "area": round(AREA_OF_BOX * float(box[2] * box[3]), 2),
                "num_keypoints": int((rows[:, 2] > 0).sum()),
                "keypoints": rows.round(2).ravel().tolist(),
            }
        )
    return people


def _image_record(number: int, name: str, people: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1], "crowdIndex": crowd_index(people)}


def crowd_index(people: list[dict[str, Any]]) -> float:
    """Return CrowdPose's crowd index: other people's joints in a person's box over own ones, averaged (Li et al., 2019)."""
    shares = []
    for person in people:
        left, top, width, height = person["bbox"]
        inside = []
        for other in people:
            x, y, v = np.array(other["keypoints"]).reshape(-1, 3).T
            is_in = (v > 0) & (x >= left) & (x <= left + width) & (y >= top) & (y <= top + height)
            inside.append((other is person, int(is_in.sum())))
        own = sum(count for is_own, count in inside if is_own)
        shares.append(sum(count for is_own, count in inside if not is_own) / max(own, 1))
    return round(float(np.mean(np.minimum(shares, 1.0))), 4) if shares else 0.0
