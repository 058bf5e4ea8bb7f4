"""The trained 2D networks at work: people's boxes in a picture to their joints, seen plainly and in the mirror."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.pose2d.data.crops import Box, cut, view_of
from posenet3d.pose2d.evaluation.calibration import read_calibration
from posenet3d.pose2d.pose_network import decode
from posenet3d.pose2d.training.phases import flip_averaged, from_unit, initial_pose
from posenet3d.pose2d.training.runs import load_estimator, load_refiner

AT_ONCE = 32
"""Crops per pass through the network."""


class Estimator:
    """Student and, where the run has them, refiner and calibration."""

    def __init__(self, run: Path, *, refine: bool = True, is_calibrated: bool = True):
        self.network = load_estimator(run)
        self.refiner = load_refiner(run) if refine else None
        self.calibration = read_calibration(run, len(self.joint_set.joints)) if is_calibrated else None

    @property
    def joint_set(self) -> JointSet:
        """What is estimated."""
        return JOINT_SETS[self.network.config.joint_set]

    def joints_in(self, picture: Image.Image, boxes: list[Box]) -> Float[np.ndarray, "people joints 3"]:
        """x, y (pixels of the picture) and confidence of everybody whose box is given."""
        found = [self._look(picture, boxes[first : first + AT_ONCE]) for first in range(0, len(boxes), AT_ONCE)]
        return np.concatenate([np.zeros((0, len(self.joint_set), 3)), *found])

    @torch.no_grad()
    def _look(self, picture: Image.Image, boxes: list[Box]) -> np.ndarray:
        config = self.network.config
        views = [view_of(box, config) for box in boxes]
        crops = np.stack([cut(picture, view) for view in views]).transpose(0, 3, 1, 2)
        reading = flip_averaged(self.network, torch.from_numpy(np.ascontiguousarray(crops)).float() / 255)
        places, confidence = decode(reading)
        if self.refiner is not None:
            places = from_unit(self.refiner(initial_pose(reading, config))[-1], config)
        there = np.stack([view.to_picture(joints) for view, joints in zip(views, places.double().numpy(), strict=True)])
        chance = confidence.double().numpy()
        if self.calibration is not None:
            chance = self.calibration(chance)
        return np.concatenate([there, chance[..., None]], -1)
