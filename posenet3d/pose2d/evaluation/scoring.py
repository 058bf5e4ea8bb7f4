"""Metrics of 2D poses: PCK relative to the torso, and OKS-AP of COCO and CrowdPose by pycocotools."""

import contextlib
import copy
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.pose2d.data.annotations import AREA_OF_BOX
from posenet3d.pose2d.losses import OKS_SIGMAS

CROWD_RANGES = {"easy": (0.0, 0.2), "medium": (0.2, 0.8), "hard": (0.8, 1.01)}
"""Ranges of the crowd index in CrowdPose's own evaluation (its paper says 0.1 and 0.8)."""

UNCOUNTED = 2
"""CrowdPose leaves its last two joints, head and neck, out of a person's number of keypoints."""


def torso_lengths(
    joints: Float[np.ndarray, "people joints 2"], is_labelled: np.ndarray, joint_set: str
) -> Float[np.ndarray, " people"]:
    """Return the distance from left shoulder to right hip, else of the other diagonal; NaN where neither is labelled."""
    names = JOINT_SETS[joint_set].joints
    lengths = np.full(len(joints), np.nan)
    for shoulder, hip in (("r_shoulder", "l_hip"), ("l_shoulder", "r_hip")):
        a, b = names.index(shoulder), names.index(hip)
        has_both = is_labelled[:, a] & is_labelled[:, b]
        lengths[has_both] = np.linalg.norm(joints[has_both, a] - joints[has_both, b], axis=-1)
    return lengths


def pck(
    estimated: Float[np.ndarray, "people joints 2"],
    labelled: Float[np.ndarray, "people joints 2"],
    is_labelled: np.ndarray,
    joint_set: str,
    share: float = 0.2,
) -> tuple[float, Float[np.ndarray, " joints"]]:
    """Return the percentage of labelled joints within `share` of the torso: over all joints, and joint by joint.

    People without a labelled torso diagonal are left out (Yang and Ramanan, TPAMI 2013).
    """
    is_right, counts = is_near(estimated, labelled, is_labelled, joint_set, share)
    correct = counts & is_right
    per_joint = 100 * correct.sum(0) / np.maximum(counts.sum(0), 1)
    return 100 * float(correct.sum() / max(counts.sum(), 1)), per_joint


def is_near(
    estimated: Float[np.ndarray, "people joints 2"],
    labelled: Float[np.ndarray, "people joints 2"],
    is_labelled: np.ndarray,
    joint_set: str,
    share: float = 0.2,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which joints are within `share` of the torso, and which count: labelled ones of people with a torso diagonal."""
    torso = torso_lengths(labelled, is_labelled, joint_set)
    error = np.linalg.norm(estimated - labelled, axis=-1)
    return error <= share * torso[:, None], is_labelled & np.isfinite(torso)[:, None]


def average_precision(
    annotations: dict[str, Any], results: Sequence[dict[str, Any]], joint_set: str
) -> dict[str, float]:
    """Return OKS-AP in percent: AP, AP50, AP75, AR, and COCO's sizes or CrowdPose's easy, medium and hard.

    Args:
        annotations: a parsed annotation file.
        results: in the official submission format: ``image_id``, ``category_id``, ``keypoints`` (x, y, score), ``score``.
        joint_set: coco17 or crowdpose14; selects the sigmas and the definition of areas.
    """
    if not results:
        return {"AP": 0.0, "AP50": 0.0, "AP75": 0.0, "AR": 0.0}
    is_crowd_pose = joint_set == "crowdpose14"
    truth = _crowd_pose(annotations) if is_crowd_pose else annotations
    stats = _evaluate(truth, results, joint_set)
    scores = {"AP": stats[0], "AP50": stats[1], "AP75": stats[2], "AR": stats[5]}
    if not is_crowd_pose:
        return scores | {"AP medium": stats[3], "AP large": stats[4]}
    index_of = {image["id"]: image.get("crowdIndex") for image in truth["images"]}
    if None in index_of.values():
        return scores
    for name, (low, high) in CROWD_RANGES.items():
        images = [image for image, index in index_of.items() if low <= index < high]
        if images:
            scores[f"AP {name}"] = _evaluate(truth, results, joint_set, images)[0]
    return scores


def _crowd_pose(annotations: dict[str, Any]) -> dict[str, Any]:
    """Set the areas and the numbers of keypoints that CrowdPose's own evaluation uses; it ignores people without keypoints."""
    truth = copy.deepcopy(annotations)
    for person in truth["annotations"]:
        _, _, width, height = person["bbox"]
        person["area"] = AREA_OF_BOX * width * height
        labelled = np.array(person["keypoints"]).reshape(-1, 3)[:-UNCOUNTED, 2] > 0
        person["num_keypoints"] = int(labelled.sum())
        person.setdefault("iscrowd", 0)
    return truth


def _evaluate(
    truth: dict[str, Any], results: Sequence[dict[str, Any]], joint_set: str, images: list[int] | None = None
) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        gold = COCO()
        gold.dataset = copy.deepcopy(truth)
        gold.dataset.setdefault("info", {})
        gold.createIndex()
        evaluation = COCOeval(gold, gold.loadRes(copy.deepcopy(list(results))), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(OKS_SIGMAS[joint_set])
        if joint_set == "crowdpose14":  # it has no size classes: all people count
            evaluation.params.areaRng = [[0, 1e10]] * 3
        if images is not None:
            evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [100 * float(value) for value in evaluation.stats]
