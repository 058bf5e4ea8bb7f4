"""A data set as stored crops, a little larger than the network's input, in memory-mapped files of the user's cache folder."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import platformdirs
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from posenet3d.errors import InputError
from posenet3d.pose2d.crops import CropView, extract_crop, view_of
from posenet3d.pose2d.data.annotations import ImageStore, Labels
from posenet3d.pose2d.pose_network import EstimatorConfig

STORED_MARGIN = 1.5
"""A stored crop is this much larger than the network's input, so that augmentation can rotate, shift and scale it."""


@dataclass(frozen=True)
class CropSet:
    """People as stored crops in memory-mapped files; only the rows that are asked for are read."""

    stores: tuple[UInt8[np.ndarray, "_ 3 height width"], ...]
    locations: Int[np.ndarray, "people 2"]  # of each person: index of the store, and row in it
    joints: Float[Tensor, "people joints 2"]  # pixels of the stored crop
    weights: Float[Tensor, "people joints"]  # 1 where labelled
    sizes: Float[Tensor, " people"]  # square root of the person's area, pixels of the stored crop
    digest: str

    def __len__(self) -> int:
        return len(self.locations)

    def images(self, rows: Int[np.ndarray, " rows"]) -> UInt8[np.ndarray, "rows 3 height width"]:
        """Read the crops of some of the people."""
        return np.stack([self.stores[store][row] for store, row in self.locations[rows]])

    def subset(self, rows: Int[np.ndarray, " rows"]) -> "CropSet":
        """Return the set of some of the people."""
        index = torch.from_numpy(rows)
        return replace(
            self,
            locations=self.locations[rows],
            joints=self.joints[index],
            weights=self.weights[index],
            sizes=self.sizes[index],
        )


def concatenate(sets: Sequence[CropSet]) -> CropSet:
    """Return the set of the people of all sets."""
    firsts = np.cumsum([0, *(len(crops.stores) for crops in sets)])
    return CropSet(
        tuple(store for crops in sets for store in crops.stores),
        np.concatenate([crops.locations + np.array([first, 0]) for crops, first in zip(sets, firsts, strict=False)]),
        torch.cat([crops.joints for crops in sets]),
        torch.cat([crops.weights for crops in sets]),
        torch.cat([crops.sizes for crops in sets]),
        "+".join(crops.digest for crops in sets),
    )


def make_crops(labels: Labels, images: ImageStore, config: EstimatorConfig) -> CropSet:
    """Store the crops of all people, or map those of an earlier run (in the user's cache folder, or ``POSENET3D_CACHE``).

    Raises:
        InputError: an image is missing or cannot be read, or the cache cannot be written.
    """
    views = [view_of(person.box, config, STORED_MARGIN) for person in labels.people]
    content = f"1 {config.crop_height} {config.crop_width} {labels.file.read_bytes()!r}"
    digest = hashlib.sha256(content.encode()).hexdigest()
    mapped = _map(digest, len(views)) if _file(digest).is_file() else _store(digest, labels, images, views)
    joints = np.stack([view.to_crop(p.joints[:, :2]) for p, view in zip(labels.people, views, strict=True)])
    weights = np.stack([person.joints[:, 2] > 0 for person in labels.people])
    sizes = np.array([person.area**0.5 / view.scale for person, view in zip(labels.people, views, strict=True)])
    return CropSet(
        (mapped,),
        np.column_stack([np.zeros(len(views), int), np.arange(len(views))]),
        torch.from_numpy(joints).float(),
        torch.from_numpy(weights).float(),
        torch.from_numpy(sizes).float(),
        digest,
    )


def _file(digest: str) -> Path:
    home = os.environ.get("POSENET3D_CACHE") or platformdirs.user_cache_path("posenet3d")
    return Path(home) / "crops" / f"{digest[:32]}.npy"


def _map(digest: str, people: int) -> np.ndarray:
    mapped = np.load(_file(digest), mmap_mode="r", allow_pickle=False)
    if len(mapped) != people:
        raise InputError(_file(digest), f"holds {len(mapped)} crops instead of {people}", "delete it")
    return mapped


def _store(digest: str, labels: Labels, images: ImageStore, views: list[CropView]) -> np.ndarray:
    file = _file(digest)
    unfinished = file.with_suffix(".part")
    width, height = views[0].size
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        mapped = np.lib.format.open_memmap(unfinished, "w+", np.uint8, (len(views), 3, height, width))
        for row, crop in enumerate(_all_crops(labels, images, views)):
            mapped[row] = crop.transpose(2, 0, 1)
        mapped.flush()
        unfinished.replace(file)
    except OSError as error:
        raise InputError(file, f"cannot be written ({error.strerror})", "make room, or set POSENET3D_CACHE") from error
    return _map(digest, len(views))


def _all_crops(labels: Labels, images: ImageStore, views: list[CropView]) -> Iterator[np.ndarray]:
    name, image = "", Image.new("RGB", (1, 1))
    for person, view in zip(tqdm(labels.people, desc="crop", unit="person"), views, strict=True):
        if person.file_name != name:  # people of one image mostly follow each other
            name, image = person.file_name, images.open(person.file_name)
        yield extract_crop(image, view)
