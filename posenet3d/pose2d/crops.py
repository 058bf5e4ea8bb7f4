"""Bounding boxes, and the crops around them that the networks see."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from posenet3d.pose2d.pose_network import EstimatorConfig

PADDING = 1.25
"""A crop is this much larger than the bounding box (Xiao et al., 2018)."""

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class CropView:
    """The part of an image that a crop shows: its centre, and image pixels per crop pixel."""

    x: float
    y: float
    scale: float
    size: tuple[int, int]  # width, height of the crop

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in the image."""
        half_x, half_y = self.scale * self.size[0] / 2, self.scale * self.size[1] / 2
        return self.x - half_x, self.y - half_y, self.x + half_x, self.y + half_y

    def to_crop(self, points: Float[np.ndarray, "*joints 2"]) -> Float[np.ndarray, "*joints 2"]:
        """Convert pixels of the image to pixels of the crop; 0 is the centre of the first pixel in both."""
        left, top, _, _ = self.edges
        return (points + 0.5 - np.array([left, top])) / self.scale - 0.5

    def to_image(self, points: Float[np.ndarray, "*joints 2"]) -> Float[np.ndarray, "*joints 2"]:
        """Convert pixels of the crop to pixels of the image."""
        left, top, _, _ = self.edges
        return (points + 0.5) * self.scale + np.array([left, top]) - 0.5


def view_of(box: Box, config: EstimatorConfig, margin: float = 1.0) -> CropView:
    """Return the view of a box, widened to the crop's aspect ratio.

    Args:
        box: a person's bounding box.
        config: has the crop's size.
        margin: enlarges the crop at the same scale; see `posenet3d.pose2d.data.crop_set.STORED_MARGIN`.
    """
    left, top, width, height = box
    scale = PADDING * max(width / config.crop_width, height / config.crop_height, 1e-3)
    size = round(margin * config.crop_width), round(margin * config.crop_height)
    return CropView(left + width / 2, top + height / 2, scale, size)


def extract_crop(image: Image.Image, view: CropView) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels of a view, black beyond the image's edge."""
    # Pillow's resize with a box must stay inside the image, and it averages where it shrinks; the rest of the crop stays black.
    left, top, right, bottom = view.edges
    inside = max(left, 0.0), max(top, 0.0), min(right, float(image.width)), min(bottom, float(image.height))
    canvas = np.zeros((view.size[1], view.size[0], 3), np.uint8)
    x0, y0 = round((inside[0] - left) / view.scale), round((inside[1] - top) / view.scale)
    x1, y1 = round((inside[2] - left) / view.scale), round((inside[3] - top) / view.scale)
    if x1 > x0 and y1 > y0 and inside[2] > inside[0] and inside[3] > inside[1]:
        resized = image.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=inside)
        canvas[y0:y1, x0:x1] = np.asarray(resized)
    return canvas


def iou(a: Box, b: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    intersection = max(width, 0.0) * max(height, 0.0)
    return intersection / max(a[2] * a[3] + b[2] * b[3] - intersection, 1e-9)
