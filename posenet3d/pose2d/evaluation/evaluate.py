"""Evaluate an estimator on annotated people, with the bounding boxes of the annotations."""

from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from posenet3d.errors import InputError
from posenet3d.io.checked_json import load_json
from posenet3d.pose2d.data.annotations import ImageStore, LabelledPerson, Labels
from posenet3d.pose2d.data.data_set import PoseDataSet, people_held_out
from posenet3d.pose2d.evaluation.scoring import average_precision, pck
from posenet3d.pose2d.predict import Estimator

Scores = dict[str, Any]


def score(
    estimator: Estimator, data: PoseDataSet, *, held_out_only: bool
) -> tuple[dict[str, Scores], list[dict[str, Any]]]:
    """Return PCK and OKS-AP by annotation file, and all people in the official results format of COCO and CrowdPose.

    Raises:
        InputError: an image cannot be read, or there are no people to score.
    """
    scores, results = {}, []
    for labels, images in data.sources:
        people = people_held_out(labels) if held_out_only else labels.people
        if not people:
            raise InputError(labels.file, "has no people to score", "score all of it, or give more images")
        estimated = estimate_all(estimator, people, images)
        file_results = _official_results(people, estimated)
        results += file_results
        scores[labels.file.name] = _scores(labels, people, estimated, file_results)
    return scores, results


def estimate_all(
    estimator: Estimator, people: list[LabelledPerson], images: ImageStore
) -> Float[np.ndarray, "people joints 3"]:
    """Estimate the joints of all people from the boxes of their annotations."""
    estimated, name, image = [], "", None
    for person in tqdm(people, desc="estimate", unit="person"):
        if image is None or person.file_name != name:
            name, image = person.file_name, images.open(person.file_name)
        estimated.append(estimator.joints_in(image, [person.box])[0])
    return np.stack(estimated)


def _scores(
    labels: Labels, people: list[LabelledPerson], estimated: np.ndarray, results: list[dict[str, Any]]
) -> Scores:
    labelled = np.stack([person.joints for person in people])
    overall, per_joint = pck(estimated[..., :2], labelled[..., :2], labelled[..., 2] > 0, labels.joint_set.name)
    annotations = load_json(labels.file)
    ids, image_ids = {person.id for person in people}, {person.image_id for person in people}
    annotations["annotations"] = [a for a in annotations["annotations"] if a["id"] in ids]
    annotations["images"] = [image for image in annotations["images"] if image["id"] in image_ids]
    scores = average_precision(annotations, results, labels.joint_set.name)
    return {
        "people": len(people),
        "PCK@0.2": overall,
        **scores,
        "PCK@0.2 by joint": dict(zip(labels.joint_set.joints, per_joint.tolist(), strict=True)),
    }


def _official_results(people: list[LabelledPerson], estimated: np.ndarray) -> list[dict[str, Any]]:
    """Convert poses to the official results format of COCO and CrowdPose."""
    return [
        {
            "image_id": person.image_id,
            "category_id": 1,
            "keypoints": joints.round(3).ravel().tolist(),
            "score": float(joints[:, 2].mean()),
        }
        for person, joints in zip(people, estimated, strict=True)
    ]
