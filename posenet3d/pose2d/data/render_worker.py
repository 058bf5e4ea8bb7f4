"""Render people with VTK, as a program of its own, because VTK aborts its process where OpenGL is missing.

``python -m posenet3d.pose2d.data.render_worker SCENES.npz`` (written by `posenet3d.pose2d.data.rendering`) writes for every image
RGB bytes and the depth of every pixel (32-bit, metres; 0 for the background) to stdout, and nothing else.
"""

import os
import sys
from pathlib import Path
from typing import IO

import numpy as np
import pyvista as pv
import torch

from posenet3d.body.files import load_body
from posenet3d.body.layer import pose_rotations

MAX_DEPTH = 200.0  # metres


def main(file: Path, out: IO[bytes]) -> None:
    """Render the scenes of a file."""
    torch.set_num_threads(1)
    with np.load(file, allow_pickle=False) as content:
        scenes = dict(content)
    body = load_body()
    size = tuple(int(side) for side in scenes["size"])
    people = {name: torch.from_numpy(scenes[name]) for name in ("betas", "global_orient", "body_pose", "transl")}
    plotter = pv.Plotter(off_screen=True, window_size=list(size), lighting="none", border=False)
    plotter.camera.position, plotter.camera.focal_point, plotter.camera.up = (0, 0, 0), (0, 0, 1), (0, -1, 0)
    plotter.camera.view_angle = float(np.degrees(2 * np.arctan(size[1] / 2 / scenes["focal"])))
    for number in range(len(scenes["light"])):
        rows = np.flatnonzero(scenes["picture_of_person"] == number)
        rotations = pose_rotations(people["global_orient"][rows], people["body_pose"][rows])
        skins = body(rotations, people["betas"][rows], people["transl"][rows]).vertices.numpy()
        meshes = [
            _mesh(skin, body.arrays.faces, colours)
            for skin, colours in zip(skins, scenes["colours"][rows], strict=True)
        ]
        boxes = scenes["boxes"][scenes["picture_of_box"] == number]
        rgb, depth = _render(plotter, meshes, boxes, scenes["light"][number])
        out.write(rgb.tobytes() + depth.astype(np.float32).tobytes())
        out.flush()


def _mesh(skin: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> pv.PolyData:
    mesh = pv.PolyData.from_regular_faces(skin, faces)
    mesh["colours"] = colours
    return mesh.compute_normals(cell_normals=False, split_vertices=False, consistent_normals=False)


def _render(
    plotter: pv.Plotter, meshes: list[pv.PolyData], boxes: np.ndarray, light: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    plotter.clear_actors()
    plotter.remove_all_lights()
    plotter.add_light(pv.Light(position=light[:3], focal_point=(0, 0, 0), intensity=light[3], light_type="scene light"))
    for mesh in meshes:
        plotter.add_mesh(
            mesh, scalars="colours", rgb=True, smooth_shading=True, ambient=0.35, diffuse=0.7, specular=0.1
        )
    for left, right, top, bottom, near, far, *colour in boxes:
        plotter.add_mesh(pv.Box((left, right, top, bottom, near, far)), color=colour, ambient=0.4, diffuse=0.6)
    plotter.camera.clipping_range = (0.05, MAX_DEPTH)
    plotter.render()
    rgb = np.asarray(plotter.screenshot(return_img=True))[..., :3]
    depth = -np.asarray(plotter.get_image_depth(fill_value=None, reset_camera_clipping_range=False))
    return np.ascontiguousarray(rgb), np.where(depth < 0.9 * MAX_DEPTH, depth, 0.0)


if __name__ == "__main__":
    stdout = os.dup(1)
    os.dup2(2, 1)  # messages of GL libraries must not end up in the images
    with os.fdopen(stdout, "wb") as pipe:
        main(Path(sys.argv[1]), pipe)
