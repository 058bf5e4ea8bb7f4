"""Mosaics to train the person detector: images made of tiles of annotated photographs at many scales, some without a person.

After YOLOv4 (Bochkovskiy et al., 2020). A tile without a person is a strip beside one.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from posenet3d.pose2d.crops import Box
from posenet3d.pose2d.data.annotations import ImageStore, LabelledPerson


class Mosaics:
    """A sampler of mosaics, with the bounding boxes of the people in them."""

    def __init__(self, sources: Sequence[tuple[ImageStore, list[LabelledPerson]]], side: int, empty: float):
        self.side, self.empty = side, empty
        self.photographs: list[tuple[ImageStore, str, list[LabelledPerson]]] = []
        for images, people in sources:
            by_file: dict[str, list[LabelledPerson]] = {}
            for person in people:
                by_file.setdefault(person.file_name, []).append(person)
            self.photographs += [(images, name, by_file[name]) for name in sorted(by_file)]

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray, list[Box]]:
        """Return a random mosaic (RGB) and its bounding boxes."""
        canvas = np.full((self.side, self.side, 3), rng.integers(0, 255), np.uint8)
        boxes: list[Box] = []
        for left, top, right, bottom in self._tiles(rng):
            tile, inside = self._tile(rng, (right - left, bottom - top))
            canvas[top:bottom, left:right] = tile
            boxes += [(x + left, y + top, w, h) for x, y, w, h in inside]
        if rng.random() < 0.5:
            canvas = canvas[:, ::-1]
            boxes = [(self.side - x - w, y, w, h) for x, y, w, h in boxes]
        brightness = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
        return (canvas * brightness).clip(0, 255).astype(np.uint8), boxes

    def _tiles(self, rng: np.random.Generator) -> Iterator[tuple[int, int, int, int]]:
        """Yield 1, 4, 9 or 25 tiles with uneven borders: people from a sixth of the image to all of it."""
        n = int(rng.choice([1, 2, 3, 5], p=[0.3, 0.4, 0.2, 0.1]))
        across, down = (
            np.array([0, *((np.arange(1, n) + rng.uniform(-0.25, 0.25, n - 1)) * self.side / n), self.side]).astype(int)
            for _ in range(2)
        )
        for top, bottom in itertools.pairwise(down.tolist()):
            for left, right in itertools.pairwise(across.tolist()):
                yield left, top, right, bottom

    def _tile(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, list[Box]]:
        images, name, people = self.photographs[rng.integers(len(self.photographs))]
        image = images.open(name)
        is_empty = rng.random() < self.empty
        region = (
            _strip_without_people(image, people) if is_empty else (0.0, 0.0, float(image.width), float(image.height))
        )
        # A window of the region fills the tile: as large as its aspect ratio allows, or smaller.
        max_scale = min((region[2] - region[0]) / size[0], (region[3] - region[1]) / size[1])
        scale = max_scale * (1.0 if rng.random() < 0.5 else rng.uniform(0.6, 1.0))
        spare = np.array([region[2] - region[0] - scale * size[0], region[3] - region[1] - scale * size[1]])
        left, top = np.array(region[:2]) + spare.clip(min=0) * rng.random(2)
        window = (left, top, min(left + scale * size[0], region[2]), min(top + scale * size[1], region[3]))
        tile = np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=window))
        if is_empty:
            return tile, []
        boxes = [
            ((b[0] - left) / scale, (b[1] - top) / scale, b[2] / scale, b[3] / scale) for b in (p.box for p in people)
        ]
        return tile, [clipped for box in boxes if (clipped := _clipped(box, size)) is not None]


def _strip_without_people(image: Image.Image, people: list[LabelledPerson]) -> tuple[float, float, float, float]:
    """Return the widest strip along an edge of the image without a person; left, top, right, bottom."""
    left = min(person.box[0] for person in people)
    top = min(person.box[1] for person in people)
    right = max(person.box[0] + person.box[2] for person in people)
    bottom = max(person.box[1] + person.box[3] for person in people)
    w, h = float(image.width), float(image.height)
    strips = [(0.0, 0.0, left, h), (right, 0.0, w, h), (0.0, 0.0, w, top), (0.0, bottom, w, h)]
    best = max(strips, key=lambda s: min(s[2] - s[0], s[3] - s[1]))
    return best if min(best[2] - best[0], best[3] - best[1]) >= 4 else (0.0, 0.0, 4.0, 4.0)


def _clipped(box: Box, size: tuple[int, int]) -> Box | None:
    """Clip a box to a tile; None if less than a third of its area is inside."""
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[0] + box[2], float(size[0])), min(box[1] + box[3], float(size[1]))
    if right <= left or bottom <= top or (right - left) * (bottom - top) < box[2] * box[3] / 3:
        return None
    return left, top, right - left, bottom - top
