"""Render the default body in scenes, and label its joints and bounding boxes.

VTK runs in a process of its own, see `posenet3d.pose2d.data.render_worker`.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import pose_rotations
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.io.vtk_process import drawn_by

WORKER = [sys.executable, "-m", "posenet3d.pose2d.data.render_worker"]

HIDDEN_M = 0.2
"""A joint lies inside the body; if the surface is this much in front of it, something else occludes it."""


@dataclass(frozen=True)
class Scene:
    """The content of one image, in the camera's frame (x right, y down, z forward, metres).

    Attributes:
        people: one row per person, each with its own betas; of the default body.
        colours: of each person's vertices, 0 to 255.
        light: position x, y, z and intensity.
        boxes: left, right, top, bottom, near, far, and red, green, blue (0 to 1) of boxes that occlude people.
    """

    people: BodyParameters
    colours: UInt8[np.ndarray, "people vertices 3"]
    light: tuple[float, float, float, float] = (-2.0, -4.0, -2.0, 0.9)
    boxes: Float[np.ndarray, "boxes 9"] = field(default_factory=lambda: np.zeros((0, 9)))


class Drawing(NamedTuple):
    """A rendered image without its background."""

    rgb: UInt8[np.ndarray, "height width 3"]
    depth: Float[np.ndarray, "height width"]  # metres; 0 for the background

    def on(self, background: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """Return the image in front of a background."""
        return np.where(self.depth[..., None] > 0, self.rgb, background)


def draw(scenes: list[Scene], size: tuple[int, int], focal_px: float) -> Iterator[Drawing]:
    """Render scenes one after the other; the principal point is the centre of the image.

    Raises:
        InputError: OpenGL is missing.
    """
    width, height = size
    with tempfile.TemporaryDirectory(prefix="posenet3d-people-") as folder:
        file = Path(folder) / "scenes.npz"
        np.savez(file, allow_pickle=False, **_to_arrays(scenes, size, focal_px))
        with drawn_by([*WORKER, str(file)], "images") as read:
            for _ in scenes:
                rgb = np.frombuffer(read(width * height * 3), np.uint8).reshape(height, width, 3)
                yield Drawing(rgb, np.frombuffer(read(width * height * 4), np.float32).reshape(height, width))


def joints_of(
    people: BodyParameters, joint_set: str, size: tuple[int, int], focal_px: float, drawing: Drawing
) -> Float[np.ndarray, "people joints 3"]:
    """Return x, y (pixels) and v of each person's joints, as in COCO: 2 visible, 1 hidden, 0 outside the image."""
    rotations = pose_rotations(torch.from_numpy(people.global_orient), torch.from_numpy(people.body_pose))
    landmarks = landmarks_of(load_body(), joint_set)
    with torch.no_grad():
        points = landmarks(rotations, torch.from_numpy(people.betas), torch.from_numpy(people.transl)).numpy()
    pixels = focal_px * points[..., :2] / points[..., 2:] + (np.array(size) - 1) / 2
    columns, rows = (pixels.round().astype(int)[..., axis] for axis in (0, 1))
    inside = (columns >= 0) & (columns < size[0]) & (rows >= 0) & (rows < size[1])
    depth = drawing.depth[np.clip(rows, 0, size[1] - 1), np.clip(columns, 0, size[0] - 1)]
    is_hidden = (depth > 0) & (depth < points[..., 2] - HIDDEN_M)
    visibility = np.where(inside, np.where(is_hidden, 1.0, 2.0), 0.0)
    return np.concatenate([np.where(inside[..., None], pixels, 0.0), visibility[..., None]], -1)


def boxes_of(people: BodyParameters, size: tuple[int, int], focal_px: float) -> Float[np.ndarray, "people 4"]:
    """Return left, top, width, height of each person's skin in the image, occluded or not; no size where it is outside."""
    rotations = pose_rotations(torch.from_numpy(people.global_orient), torch.from_numpy(people.body_pose))
    with torch.no_grad():
        surfaces = load_body()(
            rotations, torch.from_numpy(people.betas), torch.from_numpy(people.transl)
        ).vertices.numpy()
    pixels = focal_px * surfaces[..., :2] / surfaces[..., 2:].clip(min=0.05) + (np.array(size) - 1) / 2
    low, high = (np.clip(edge, 0, np.array(size) - 1.0) for edge in (pixels.min(1), pixels.max(1)))
    return np.concatenate([low, high - low], -1)


def _to_arrays(scenes: list[Scene], size: tuple[int, int], focal_px: float) -> dict[str, np.ndarray]:
    people = [scene.people for scene in scenes]
    names = ("betas", "global_orient", "body_pose", "transl")
    stacked = {name: np.concatenate([getattr(bodies, name) for bodies in people]).astype(np.float32) for name in names}
    return stacked | {
        "size": np.array(size),
        "focal": np.array(focal_px),
        "colours": np.concatenate([scene.colours for scene in scenes]),
        "picture_of_person": np.repeat(np.arange(len(scenes)), [len(bodies.transl) for bodies in people]),
        "light": np.array([scene.light for scene in scenes]),
        "boxes": np.concatenate([scene.boxes for scene in scenes]),
        "picture_of_box": np.repeat(np.arange(len(scenes)), [len(scene.boxes) for scene in scenes]),
    }
