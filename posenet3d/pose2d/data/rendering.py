"""Pictures of the default body, with where its joints are in them: scenes in, colours and depth out.

VTK draws in a process of its own, see `posenet3d.pose2d.data.render_worker`.
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
"""A joint lies inside the body; with so much before it, something else covers it."""


@dataclass(frozen=True)
class Scene:
    """What one picture shows, in the camera's frame (x right, y down, z forward, metres).

    Attributes:
        people: one row per person, with betas of their own; of the default body.
        colours: of each person's vertices, 0 to 255.
        light: where it stands, and how strong it is.
        boxes: left, right, top, bottom, near, far, and red, green, blue (0 to 1) of things that stand about.
    """

    people: BodyParameters
    colours: UInt8[np.ndarray, "people vertices 3"]
    light: tuple[float, float, float, float] = (-2.0, -4.0, -2.0, 0.9)
    boxes: Float[np.ndarray, "boxes 9"] = field(default_factory=lambda: np.zeros((0, 9)))


class Drawing(NamedTuple):
    """A picture without its background."""

    rgb: UInt8[np.ndarray, "height width 3"]
    depth: Float[np.ndarray, "height width"]  # metres; 0 where there is nothing

    def on(self, background: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """The picture with a background."""
        return np.where(self.depth[..., None] > 0, self.rgb, background)


def draw(scenes: list[Scene], size: tuple[int, int], focal_px: float) -> Iterator[Drawing]:
    """The pictures of some scenes, one after the other; the principal point is their middle.

    Raises:
        InputError: this machine has no OpenGL to draw with.
    """
    width, height = size
    with tempfile.TemporaryDirectory(prefix="posenet3d-people-") as folder:
        file = Path(folder) / "scenes.npz"
        np.savez(file, allow_pickle=False, **_packed(scenes, size, focal_px))
        with drawn_by([*WORKER, str(file)], "pictures") as read:
            for _ in scenes:
                rgb = np.frombuffer(read(width * height * 3), np.uint8).reshape(height, width, 3)
                yield Drawing(rgb, np.frombuffer(read(width * height * 4), np.float32).reshape(height, width))


def joints_of(
    people: BodyParameters, joint_set: str, size: tuple[int, int], focal_px: float, drawing: Drawing
) -> Float[np.ndarray, "people joints 3"]:
    """x, y (pixels) and v of everybody's joints, as COCO has them: 2 visible, 1 hidden, 0 outside the picture."""
    rotations = pose_rotations(torch.from_numpy(people.global_orient), torch.from_numpy(people.body_pose))
    find = landmarks_of(load_body(), joint_set)
    with torch.no_grad():
        places = find(rotations, torch.from_numpy(people.betas), torch.from_numpy(people.transl)).numpy()
    pixels = focal_px * places[..., :2] / places[..., 2:] + (np.array(size) - 1) / 2
    columns, rows = (pixels.round().astype(int)[..., axis] for axis in (0, 1))
    inside = (columns >= 0) & (columns < size[0]) & (rows >= 0) & (rows < size[1])
    before = drawing.depth[np.clip(rows, 0, size[1] - 1), np.clip(columns, 0, size[0] - 1)]
    is_hidden = (before > 0) & (before < places[..., 2] - HIDDEN_M)
    visibility = np.where(inside, np.where(is_hidden, 1.0, 2.0), 0.0)
    return np.concatenate([np.where(inside[..., None], pixels, 0.0), visibility[..., None]], -1)


def boxes_of(people: BodyParameters, size: tuple[int, int], focal_px: float) -> Float[np.ndarray, "people 4"]:
    """Left, top, width, height of everybody's skin in the picture, covered or not; of no size where there is none."""
    rotations = pose_rotations(torch.from_numpy(people.global_orient), torch.from_numpy(people.body_pose))
    with torch.no_grad():
        skins = load_body()(rotations, torch.from_numpy(people.betas), torch.from_numpy(people.transl)).vertices.numpy()
    pixels = focal_px * skins[..., :2] / skins[..., 2:].clip(min=0.05) + (np.array(size) - 1) / 2
    low, high = (np.clip(edge, 0, np.array(size) - 1.0) for edge in (pixels.min(1), pixels.max(1)))
    return np.concatenate([low, high - low], -1)


def _packed(scenes: list[Scene], size: tuple[int, int], focal_px: float) -> dict[str, np.ndarray]:
    people = [scene.people for scene in scenes]
    names = ("betas", "global_orient", "body_pose", "transl")
    stacked = {name: np.concatenate([getattr(some, name) for some in people]).astype(np.float32) for name in names}
    return stacked | {
        "size": np.array(size),
        "focal": np.array(focal_px),
        "colours": np.concatenate([scene.colours for scene in scenes]),
        "picture_of_person": np.repeat(np.arange(len(scenes)), [len(some.transl) for some in people]),
        "light": np.array([scene.light for scene in scenes]),
        "boxes": np.concatenate([scene.boxes for scene in scenes]),
        "picture_of_box": np.repeat(np.arange(len(scenes)), [len(scene.boxes) for scene in scenes]),
    }
