"""How good an estimator is on annotated people, with the boxes of the annotations."""

from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from posenet3d.errors import InputError
from posenet3d.io.checked_json import load_json
from posenet3d.pose2d.data.annotations import LabelledPerson, Labels, Pictures
from posenet3d.pose2d.estimator import Estimator
from posenet3d.pose2d.evaluation.scoring import average_precision, pck
from posenet3d.pose2d.training.runs import Photographs, people_held_out

Scores = dict[str, Any]


def score(
    estimator: Estimator, photographs: Photographs, *, is_held_out_only: bool
) -> tuple[dict[str, Scores], list[dict[str, Any]]]:
    """PCK and OKS-AP by annotation file, and everybody in the official results format of COCO and CrowdPose.

    Raises:
        InputError: a picture cannot be read, or there is nobody to score.
    """
    scores, results = {}, []
    for labels, pictures in photographs.sources:
        people = people_held_out(labels) if is_held_out_only else labels.people
        if not people:
            raise InputError(labels.file, "has nobody to score", "score all of it, or give more pictures")
        found = estimate_all(estimator, people, pictures)
        submitted = _submission(people, found)
        results += submitted
        scores[labels.file.name] = _scores(labels, people, found, submitted)
    return scores, results


def estimate_all(
    estimator: Estimator, people: list[LabelledPerson], pictures: Pictures
) -> Float[np.ndarray, "people joints 3"]:
    """Everybody's joints from the annotations' boxes."""
    found, name, picture = [], "", None
    for person in tqdm(people, desc="estimate", unit="person"):
        if picture is None or person.file_name != name:
            name, picture = person.file_name, pictures.open(person.file_name)
        found.append(estimator.joints_in(picture, [person.box])[0])
    return np.stack(found)


def _scores(labels: Labels, people: list[LabelledPerson], found: np.ndarray, submitted: list[dict[str, Any]]) -> Scores:
    labelled = np.stack([person.joints for person in people])
    overall, per_joint = pck(found[..., :2], labelled[..., :2], labelled[..., 2] > 0, labels.joint_set.name)
    annotations = load_json(labels.file)
    ids, images = {person.id for person in people}, {person.image_id for person in people}
    annotations["annotations"] = [a for a in annotations["annotations"] if a["id"] in ids]
    annotations["images"] = [image for image in annotations["images"] if image["id"] in images]
    scores = average_precision(annotations, submitted, labels.joint_set.name)
    return {
        "people": len(people),
        "PCK@0.2": overall,
        **scores,
        "PCK@0.2 by joint": dict(zip(labels.joint_set.joints, per_joint.tolist(), strict=True)),
    }


def _submission(people: list[LabelledPerson], found: np.ndarray) -> list[dict[str, Any]]:
    """The official results format of COCO and CrowdPose."""
    return [
        {
            "image_id": person.image_id,
            "category_id": 1,
            "keypoints": joints.round(3).ravel().tolist(),
            "score": float(joints[:, 2].mean()),
        }
        for person, joints in zip(people, found, strict=True)
    ]
