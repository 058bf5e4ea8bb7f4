"""From a box around a person to the crop that the networks see, and back; and a data set as an array of such crops."""

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
from posenet3d.pose2d.data.annotations import Labels, Pictures
from posenet3d.pose2d.pose_network import EstimatorConfig

ROOM = 1.25
"""A crop shows so much more than the box (Xiao et al., 2018)."""

SPARE = 1.5
"""A stored crop shows so much more than a crop, so that it can be turned, moved and scaled in training."""

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class View:
    """Which part of a picture a crop shows: its centre and the length of a crop's pixel in the picture's pixels."""

    x: float
    y: float
    step: float
    size: tuple[int, int]  # breadth, height of the crop

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in the picture."""
        half_x, half_y = self.step * self.size[0] / 2, self.step * self.size[1] / 2
        return self.x - half_x, self.y - half_y, self.x + half_x, self.y + half_y

    def to_crop(self, places: Float[np.ndarray, "*joints 2"]) -> Float[np.ndarray, "*joints 2"]:
        """The picture's pixels to the crop's; 0 is the centre of the first pixel in both."""
        left, top, _, _ = self.edges
        return (places + 0.5 - np.array([left, top])) / self.step - 0.5

    def to_picture(self, places: Float[np.ndarray, "*joints 2"]) -> Float[np.ndarray, "*joints 2"]:
        """The crop's pixels to the picture's."""
        left, top, _, _ = self.edges
        return (places + 0.5) * self.step + np.array([left, top]) - 0.5


def view_of(box: Box, config: EstimatorConfig, spare: float = 1.0) -> View:
    """The view of a box, widened to the crop's shape; with `spare` a stored crop's, whose pixels are as large."""
    left, top, width, height = box
    step = ROOM * max(width / config.breadth, height / config.height, 1e-3)
    size = round(spare * config.breadth), round(spare * config.height)
    return View(left + width / 2, top + height / 2, step, size)


def cut(picture: Image.Image, view: View) -> UInt8[np.ndarray, "height breadth 3"]:
    """What a view shows, black beyond the picture's edge."""
    # Pillow's resize with a box stays inside the picture and averages where it shrinks; the rest is laid around it.
    left, top, right, bottom = view.edges
    inside = max(left, 0.0), max(top, 0.0), min(right, float(picture.width)), min(bottom, float(picture.height))
    canvas = np.zeros((view.size[1], view.size[0], 3), np.uint8)
    x0, y0 = round((inside[0] - left) / view.step), round((inside[1] - top) / view.step)
    x1, y1 = round((inside[2] - left) / view.step), round((inside[3] - top) / view.step)
    if x1 > x0 and y1 > y0 and inside[2] > inside[0] and inside[3] > inside[1]:
        part = picture.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=inside)
        canvas[y0:y1, x0:x1] = np.asarray(part)
    return canvas


@dataclass(frozen=True)
class CropSet:
    """People as stored crops, which lie in files that are mapped into memory: only what is asked for is read."""

    stores: tuple[UInt8[np.ndarray, "_ 3 height breadth"], ...]
    places: Int[np.ndarray, "people 2"]  # of each person: which store, and which row of it
    joints: Float[Tensor, "people joints 2"]  # pixels of the stored crop
    weights: Float[Tensor, "people joints"]  # 1 where labelled
    sizes: Float[Tensor, " people"]  # square root of the person's area, pixels of the stored crop
    digest: str

    def __len__(self) -> int:
        return len(self.places)

    def pictures(self, rows: Int[np.ndarray, " rows"]) -> UInt8[np.ndarray, "rows 3 height breadth"]:
        """The crops of some of the people."""
        return np.stack([self.stores[store][row] for store, row in self.places[rows]])

    def part(self, rows: Int[np.ndarray, " rows"]) -> "CropSet":
        """Some of the people."""
        index = torch.from_numpy(rows)
        return replace(
            self,
            places=self.places[rows],
            joints=self.joints[index],
            weights=self.weights[index],
            sizes=self.sizes[index],
        )


def together(sets: Sequence[CropSet]) -> CropSet:
    """The people of all sets."""
    firsts = np.cumsum([0, *(len(part.stores) for part in sets)])
    return CropSet(
        tuple(store for part in sets for store in part.stores),
        np.concatenate([part.places + np.array([first, 0]) for part, first in zip(sets, firsts, strict=False)]),
        torch.cat([part.joints for part in sets]),
        torch.cat([part.weights for part in sets]),
        torch.cat([part.sizes for part in sets]),
        "+".join(part.digest for part in sets),
    )


def make_crops(labels: Labels, pictures: Pictures, config: EstimatorConfig) -> CropSet:
    """Cut out everybody, or map what an earlier run has cut out (in the user's cache folder, or ``POSENET3D_CACHE``).

    Raises:
        InputError: a picture is missing or cannot be read, or the cache cannot be written.
    """
    views = [view_of(person.box, config, SPARE) for person in labels.people]
    digest = hashlib.sha256(f"1 {config.height} {config.breadth} {labels.file.read_bytes()!r}".encode()).hexdigest()
    mapped = _stored(digest, len(views)) if _file(digest).is_file() else _store(digest, labels, pictures, views)
    joints = np.stack([view.to_crop(p.joints[:, :2]) for p, view in zip(labels.people, views, strict=True)])
    weights = np.stack([person.joints[:, 2] > 0 for person in labels.people])
    sizes = np.array([person.area**0.5 / view.step for person, view in zip(labels.people, views, strict=True)])
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


def _stored(digest: str, people: int) -> np.ndarray:
    found = np.load(_file(digest), mmap_mode="r", allow_pickle=False)
    if len(found) != people:
        raise InputError(_file(digest), "is not what it should be", "delete it")
    return found


def _store(digest: str, labels: Labels, pictures: Pictures, views: list[View]) -> np.ndarray:
    file = _file(digest)
    part = file.with_suffix(".part")
    breadth, height = views[0].size
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        mapped = np.lib.format.open_memmap(part, "w+", np.uint8, (len(views), 3, height, breadth))
        for row, crop in enumerate(_cut_all(labels, pictures, views)):
            mapped[row] = crop.transpose(2, 0, 1)
        mapped.flush()
        part.replace(file)
    except OSError as error:
        raise InputError(file, f"cannot be written ({error.strerror})", "make room, or set POSENET3D_CACHE") from error
    return _stored(digest, len(views))


def _cut_all(labels: Labels, pictures: Pictures, views: list[View]) -> Iterator[np.ndarray]:
    name, picture = "", Image.new("RGB", (1, 1))
    for person, view in zip(tqdm(labels.people, desc="cut out", unit="person"), views, strict=True):
        if person.file_name != name:  # people of one picture mostly follow each other
            name, picture = person.file_name, pictures.open(person.file_name)
        yield cut(picture, view)
