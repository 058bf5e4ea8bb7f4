"""The training data of the 2D networks: annotation files with their images, split into training and held-out people."""

from dataclasses import dataclass

import numpy as np

from posenet3d.errors import InputError
from posenet3d.pose2d.data.annotations import ImageStore, LabelledPerson, Labels
from posenet3d.pose2d.data.crop_set import CropSet, concatenate, make_crops
from posenet3d.pose2d.data.mosaics import Mosaics
from posenet3d.pose2d.pose_network import EstimatorConfig

BLOCK = 20
"""Consecutive images are held out in blocks of this size: they may show the same scene."""


@dataclass(frozen=True)
class PoseDataSet:
    """One or several annotation files, each with its images."""

    sources: tuple[tuple[Labels, ImageStore], ...]

    @property
    def joint_set(self) -> str:
        """The joint set of all files.

        Raises:
            InputError: they differ.
        """
        names = sorted({labels.joint_set.name for labels, _ in self.sources})
        if len(names) > 1:
            raise InputError("--data", f"holds {' and '.join(names)}", "train on one joint set")
        return names[0]

    def crops(self, config: EstimatorConfig) -> tuple[CropSet, CropSet]:
        """Return the crops of the training people and of the held-out people."""
        people = concatenate([make_crops(labels, images, config) for labels, images in self.sources])
        is_out = np.concatenate([held_out(labels) for labels, _ in self.sources])
        return people.subset(np.flatnonzero(~is_out)), people.subset(np.flatnonzero(is_out))

    def mosaics(self, side: int, empty: float) -> tuple[Mosaics, Mosaics]:
        """Return mosaics of the training people and of the held-out people, to train the person detector.

        Args:
            side: of a mosaic, pixels.
            empty: share of tiles without a person.
        """
        chosen: dict[bool, list[tuple[ImageStore, list[LabelledPerson]]]] = {False: [], True: []}
        for labels, images in self.sources:
            is_out = held_out(labels)
            for wanted, people in chosen.items():
                people.append((images, [p for p, out in zip(labels.people, is_out, strict=True) if out == wanted]))
        return Mosaics(chosen[False], side, empty), Mosaics(chosen[True], side, empty)


def held_out(labels: Labels) -> np.ndarray:
    """Return which people of a file are held out: those of a tenth of the images, in blocks of `BLOCK` by image id."""
    images = sorted({person.image_id for person in labels.people})
    chosen = {image for rank, image in enumerate(images) if rank // BLOCK % 10 == 9}
    return np.array([person.image_id in chosen for person in labels.people])


def people_held_out(labels: Labels) -> list[LabelledPerson]:
    """Return the held-out people of a file."""
    return [person for person, is_out in zip(labels.people, held_out(labels), strict=True) if is_out]
