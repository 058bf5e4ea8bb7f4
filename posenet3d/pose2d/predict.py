"""2D pose estimation with the built-in networks: an image to the joints of its people.

The person detector gives boxes, then the estimator runs twice: the detector's boxes are rough, and boxes that end at the
joints of the first pass are those of the training data.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.core.threads import network_threads
from posenet3d.paths import BUNDLED_POSE2D
from posenet3d.pose2d.checkpoint import load_estimator, load_person_detector, load_refiner, person_detector_folder
from posenet3d.pose2d.crops import Box, extract_crop, iou, view_of
from posenet3d.pose2d.evaluation.calibration import read_calibration
from posenet3d.pose2d.person_detector import detect_boxes
from posenet3d.pose2d.pose_network import decode, flip_averaged
from posenet3d.pose2d.refiner import from_unit, initial_pose

BATCH_SIZE = 32
"""Crops per pass through the network."""

MIN_BOX_SCORE, MIN_SCORE_TRACKED = 0.25, 0.15
"""Minimum box score; the second one where the previous frame had a person."""

INPUT_SCALES = (1.0, 1.5)
"""Image sizes at which the person detector runs; see `posenet3d.pose2d.person_detector.detect_boxes`."""

MIN_JOINT_SCORE = 0.3
"""Joints with a lower score do not count for a person's box."""

MIN_JOINTS = 5
"""Minimum number of joints with `MIN_JOINT_SCORE` for a person to be kept."""

MAX_IOU = 0.7
"""Of two people whose joints' boxes overlap more than this, the one with the higher score is kept."""

FIRST_CROP_SCALE, SECOND_CROP_SCALE = 1.2, 1.1
"""Enlarge the boxes of each pass by this factor before cropping: the detector's boxes tend to end before the feet, and joints
estimated too near to the middle would shrink the box of the second pass."""

SAME_PERSON_IOU = 0.3
"""Minimum overlap with a box of the previous frame for a box to count as the same person."""


class Estimator:
    """The pose network of a run, with its refiner and calibration where the run has them."""

    def __init__(self, run: Path, *, refine: bool = True, calibrate: bool = True):
        self.network = load_estimator(run)
        self.refiner = load_refiner(run) if refine else None
        self.calibration = read_calibration(run, len(self.joint_set.joints)) if calibrate else None

    @property
    def joint_set(self) -> JointSet:
        """The joints that are estimated."""
        return JOINT_SETS[self.network.config.joint_set]

    def joints_in(self, image: Image.Image, boxes: list[Box]) -> Float[np.ndarray, "people joints 3"]:
        """Estimate x, y (pixels of the image) and confidence of the person in each box."""
        batches = [
            self._estimate(image, boxes[first : first + BATCH_SIZE]) for first in range(0, len(boxes), BATCH_SIZE)
        ]
        return np.concatenate([np.zeros((0, len(self.joint_set), 3)), *batches])

    @network_threads()
    @torch.no_grad()
    def _estimate(self, image: Image.Image, boxes: list[Box]) -> np.ndarray:
        config = self.network.config
        views = [view_of(box, config) for box in boxes]
        crops = np.stack([extract_crop(image, view) for view in views]).transpose(0, 3, 1, 2)
        output = flip_averaged(self.network, torch.from_numpy(np.ascontiguousarray(crops)).float() / 255)
        in_crop, scores = decode(output)
        if self.refiner is not None:
            in_crop = from_unit(self.refiner(initial_pose(output, config))[-1], config)
        in_image = np.stack([view.to_image(pose) for view, pose in zip(views, in_crop.double().numpy(), strict=True)])
        confidence = scores.double().numpy()
        if self.calibration is not None:
            confidence = self.calibration(confidence)
        return np.concatenate([in_image, confidence[..., None]], -1)


class PeopleEstimator:
    """Person detector and estimator, from a folder that holds both.

    Raises:
        InputError: the folder does not hold them.
    """

    def __init__(self, folder: Path = BUNDLED_POSE2D):
        self.estimator = Estimator(folder / "estimator")
        self.person_detector = load_person_detector(person_detector_folder(folder))

    @network_threads()
    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], previous_boxes: Sequence[Box] = ()
    ) -> list[Float[np.ndarray, "joints 3"]]:
        """Estimate x, y (pixels) and confidence of all people, highest-scoring first.

        Args:
            image: RGB.
            previous_boxes: people in the previous frame of a video; near them a lower box score is enough.
        """
        picture = Image.fromarray(image)
        candidates = [
            _enlarged(box, FIRST_CROP_SCALE)
            for box, score in detect_boxes(self.person_detector, picture, MIN_SCORE_TRACKED, INPUT_SCALES)
            if score >= MIN_BOX_SCORE or any(iou(box, previous) >= SAME_PERSON_IOU for previous in previous_boxes)
        ]
        first_pass = self.estimator.joints_in(picture, candidates)
        boxes = [_enlarged(box, SECOND_CROP_SCALE) for pose in first_pass if (box := box_around(pose)) is not None]
        kept: list[tuple[Box, np.ndarray]] = []
        for pose in sorted(self.estimator.joints_in(picture, boxes), key=lambda joints: -joints[:, 2].mean()):
            box = box_around(pose)
            if box is not None and all(iou(box, other) <= MAX_IOU for other, _ in kept):
                kept.append((box, pose))
        return [pose for _, pose in kept]


def box_around(person: Float[np.ndarray, "joints 3"]) -> Box | None:
    """Return the bounding box of the joints with `MIN_JOINT_SCORE`; None if there are fewer than `MIN_JOINTS`."""
    likely = person[person[:, 2] >= MIN_JOINT_SCORE, :2]
    if len(likely) < MIN_JOINTS:
        return None
    low, high = likely.min(0), likely.max(0)
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def _enlarged(box: Box, factor: float) -> Box:
    left, top, width, height = box
    return left - (factor - 1) / 2 * width, top - (factor - 1) / 2 * height, factor * width, factor * height
