"""Batches of augmented crops for training, and of plain crops for validation."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from posenet3d.pose2d.data.augmentation import Augmentation, Batch, warp
from posenet3d.pose2d.data.crop_set import CropSet
from posenet3d.pose2d.evaluation.scoring import pck
from posenet3d.pose2d.pose_network import EstimatorConfig


class CropSampler:
    """Batches of a data set's crops, on a device."""

    def __init__(self, crops: CropSet, config: EstimatorConfig, device: torch.device):
        self.crops, self.device = crops, device
        self.size, self.joint_set = (config.crop_width, config.crop_height), config.joint_set

    def sample(self, count: int, rng: torch.Generator, augmentation: Augmentation) -> Batch:
        """Return a batch of random people, augmented."""
        rows = torch.randint(len(self.crops), (count,), generator=rng).numpy()
        return self._warp(rows, rng, augmentation)

    def in_order(self, count: int) -> list[Batch]:
        """Return all people in order, not augmented."""
        rows = np.arange(len(self.crops))
        return [self._warp(rows[start : start + count]) for start in range(0, len(rows), count)]

    def _warp(
        self, rows: np.ndarray, rng: torch.Generator | None = None, augmentation: Augmentation | None = None
    ) -> Batch:
        people = self.crops.subset(rows)
        images = torch.from_numpy(self.crops.images(rows)).to(self.device)
        labels = (people.joints.to(self.device), people.weights.to(self.device), people.sizes.to(self.device))
        return warp(images, *labels, size=self.size, joint_set=self.joint_set, rng=rng, augmentation=augmentation)


def validation_pck(crops: CropSampler, estimate: Callable[[Batch], Tensor]) -> float:
    """Return PCK@0.2 of an estimator (a batch to joints in pixels of the crop) on all people, in percent."""
    batches = crops.in_order(64)
    estimated = torch.cat([estimate(batch) for batch in batches]).cpu().numpy()
    labelled = torch.cat([batch.joints for batch in batches]).cpu().numpy()
    weights = torch.cat([batch.weights for batch in batches]).cpu().numpy()
    return pck(estimated, labelled, weights > 0, crops.joint_set)[0]
