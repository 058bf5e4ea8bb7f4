"""Draws the pictures of a film: a program of its own, for VTK takes the process down with it where GL libraries are missing.

``python -m posenet3d.exports.movie_worker FOLDER`` reads what `posenet3d.exports.movie` left in FOLDER and writes RGB pictures
to stdout, bytes and nothing else. Without FOLDER it draws one empty picture, which shows whether this machine can draw.

The scene: y up, z towards the viewer, metres; its origin is the floor under the person, along a smoothed path, so that the
camera follows. Seen from the side of the input camera, a little turned.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import matplotlib
import numpy as np
import pyvista as pv
import torch
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter1d

from posenet3d.core.ground import ground_y
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import BONES, JOINT, SIDES
from posenet3d.exports.motion import AXES, motion_of
from posenet3d.io.lifted_npz import read_lifted

SIDE_COLOURS = {"left": "#0072B2", "right": "#D55E00", "middle": "#009E73"}
BACKGROUND, INK, FAINT_INK, GRID, SHADOW = "#F4F6F8", "#252A33", "#5B6470", "#AAB2BE", "#CDD3DB"
BODY_COLOUR = (150, 165, 185)  # for bodies without colours of their own

ADULT_M = 1.7  # from the floor to the top of the head
BALL_M, ROD_M = 0.03, 0.0165  # radii in an adult; a child, or a figure of unknown scale, is drawn as slender
EDGE_M = 0.22  # from the last joint to the edge of the picture: a hand, a foot, a head
FOLLOW_S = 0.25  # the camera follows without taking part in every step
FIELD_OF_VIEW_DEG = 30.0  # long enough a lens to keep limbs in proportion
START_AZIMUTH, ELEVATION = 0.45, 0.2  # radians off the input camera: depth shows, left and right stay obvious
MOST = 99.5  # percent of all joints are in the picture: a wild one must not shrink the person for the whole film
LONGEST = 48  # letters of a label, as many as fit above half a picture
CELL_M, GRID_CELLS = 0.5, 9  # cells from the middle to the edge, where the grid has faded out
SUN = np.array([0.25, 1.0, 0.2])  # throws the shadow
LIGHTS = (((-1.5, 2.0, 3.0), 0.95), ((3.0, -0.5, 2.0), 0.45))  # place beside the camera, strength
FONT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")  # VTK's own lacks Greek and Cyrillic


class Figure(NamedTuple):
    """What is drawn of a person: triangles whose corners move.

    Attributes:
        vertices: of a frame, in the camera's frame (vertices, 3); NaN where a part is not known; None where nobody is.
        faces: (faces, 3).
        colours: RGB of each vertex, 0..255.
    """

    vertices: Callable[[int], np.ndarray | None]
    faces: np.ndarray
    colours: np.ndarray


def body_figure(lifted: Lifted) -> Figure:
    """The student's body, pose correctives included."""
    motion = motion_of(lifted, "camera")
    arrays, model = motion.body.arrays, motion.body.float()
    betas = torch.from_numpy(motion.betas[None]).float()
    turns = torch.from_numpy(motion.rotations.as_matrix()).float().unflatten(0, (len(lifted), -1))
    transl = torch.from_numpy(motion.transl).float()

    def vertices(frame: int) -> np.ndarray | None:
        if not motion.is_known[frame]:
            return None
        now = slice(frame, frame + 1)
        return model(turns[now], betas, transl[now]).vertices[0].numpy()

    colours = np.tile(np.array(BODY_COLOUR), (len(arrays.vertices), 1)) if arrays.colors is None else arrays.colors
    return Figure(vertices, arrays.faces, colours[:, :3].astype(np.uint8))


def skeleton_figure(lifted: Lifted, unit: float) -> Figure:
    """Balls at the joints, rods between them, coloured by side; `unit` scales their thickness."""
    ball, rod = (
        pv.Icosphere(radius=BALL_M * unit, nsub=3),
        pv.Cylinder(radius=ROD_M * unit, resolution=20, capping=False),
    )
    rod = rod.rotate_y(-90).triangulate()  # along z, from -0.5 to 0.5
    parts = [ball] * len(SIDES) + [rod] * len(BONES)
    first = np.cumsum([0] + [part.n_points for part in parts])
    faces = [part.regular_faces + start for part, start in zip(parts, first, strict=False)]
    sides = [*SIDES, *(SIDES[child] for _, child in BONES)]
    colours = [np.tile(_rgb(SIDE_COLOURS[side]), (part.n_points, 1)) for side, part in zip(sides, parts, strict=True)]

    def vertices(frame: int) -> np.ndarray | None:
        joints = lifted.joints_3d[frame].astype(np.float64)
        if not np.isfinite(joints).all(1).any():
            return None
        balls = [ball.points + joint for joint in joints]
        rods = [_between(rod.points, joints[parent], joints[child]) for parent, child in BONES]
        return np.concatenate(balls + rods)

    return Figure(vertices, np.concatenate(faces), np.concatenate(colours))


def _rgb(colour: str) -> np.ndarray:
    return np.array(pv.Color(colour).int_rgb, np.uint8)


def _between(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points along z from -0.5 to 0.5, laid from `start` to `end`."""
    axis = end - start
    along = axis / max(float(np.linalg.norm(axis)), 1e-9)
    aside = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    aside /= max(float(np.linalg.norm(aside)), 1e-9)
    turn = np.stack([aside, np.cross(along, aside)])
    return (start + end) / 2 + points[:, :2] @ turn + points[:, 2:] * axis


def path_of(lifted: Lifted) -> Float[np.ndarray, "frames 3"]:
    """The floor under the person over time in the camera's frame, smooth enough for a camera to follow."""
    pelvis = lifted.joints_3d[:, JOINT["pelvis"]].astype(np.float64)
    known = np.flatnonzero(np.isfinite(pelvis).all(1))
    time = np.arange(len(pelvis))
    filled = np.stack([np.interp(time, known, pelvis[known, axis]) for axis in range(3)], axis=1)
    path = gaussian_filter1d(filled, FOLLOW_S * lifted.fps, axis=0, mode="nearest")
    path[:, 1] = ground_y(lifted.joints_3d, lifted.fps)
    return path


def height_of(scene: Float[np.ndarray, "frames 17 3"]) -> float:
    """How high over the floor the joints come, metres."""
    return float(np.nanpercentile(scene[..., 1], MOST))


def distance_to(
    scene: Float[np.ndarray, "frames 17 3"], azimuth: Float[np.ndarray, " frames"], height: float, aspect: float
) -> float:
    """How far the camera must be from the middle of the person to have it in the picture, metres."""
    away, aside, up = _camera_axes(azimuth)
    around = scene - np.array([0, height / 2, 0])
    near, x, y = (np.einsum("fjk,fk->fj", around, axis) for axis in (away, aside, up))
    slope = np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
    return float(np.nanpercentile(near + np.maximum((abs(x) + EDGE_M) / aspect, abs(y) + EDGE_M) / slope, MOST))


def _camera_axes(azimuth: Float[np.ndarray, " frames"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors (frames, 3) from the person to the camera, to the right and up in its picture."""
    sin, cos, zero = np.sin(azimuth), np.cos(azimuth), np.zeros_like(azimuth)
    level, rise = np.cos(ELEVATION), np.sin(ELEVATION)
    away = np.stack([level * sin, zero + rise, level * cos], axis=1)
    aside = np.stack([cos, zero, -sin], axis=1)
    return away, aside, np.cross(away, aside)


class View:
    """One panel: the things in it that change, and how."""

    def __init__(self, plotter: pv.Plotter, lifted: Lifted, path: np.ndarray, height: float, unit: float):
        self.plotter, self.path, self.fps = plotter, path, lifted.fps
        has_body = lifted.body is not None and bool(np.isfinite(lifted.body.transl).any())
        self.figure = body_figure(lifted) if has_body else skeleton_figure(lifted, height / ADULT_M)
        self.mesh = pv.PolyData.from_regular_faces(np.zeros((len(self.figure.colours), 3)), self.figure.faces)
        self.mesh["colours"] = self.figure.colours
        self.shadow = pv.PolyData.from_regular_faces(self.mesh.points.copy(), self.figure.faces)
        self.shadow_actor = plotter.add_mesh(self.shadow, color=SHADOW, lighting=False)
        self.actor = plotter.add_mesh(
            self.mesh, scalars="colours", rgb=True, ambient=0.4, diffuse=0.6, specular=0.08, specular_power=12
        )
        self.actor.prop.interpolation = "phong"
        self.grid = plotter.add_mesh(_grid(), scalars="rgba", rgb=True, lighting=False, line_width=1.0)
        self._furnish(lifted.name, not has_body, unit)

    def _furnish(self, label: str, has_sides: bool, unit: float) -> None:
        """Lights and words."""
        for towards, strength in LIGHTS:
            self.plotter.renderer.add_light(pv.Light(position=towards, intensity=strength, light_type="camera light"))
        self.words(label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…", (0.03, 0.94), 20 * unit, INK, "left")
        if has_sides:
            for i, side in enumerate(("left", "right")):
                self.words(side, (0.03 + 0.075 * i, 0.035), 15 * unit, SIDE_COLOURS[side], "left")
        self.clock = self.words("", (0.97, 0.035), 15 * unit, FAINT_INK, "right")

    def words(self, text: str, place: tuple[float, float], size: float, colour: str, side: str) -> pv.Text:
        """Text in the picture; `place` is a share of the panel's width and height."""
        actor = pv.Text(text)
        actor.prop = pv.TextProperty(color=colour, font_size=max(9, round(size)), justification_horizontal=side)
        actor.prop.set_font_file(str(FONT))
        actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        actor.position = place
        self.plotter.add_actor(actor, pickable=False)
        return actor

    def show(self, frame: int) -> None:
        """Move everything to where it is in this frame."""
        vertices = self.figure.vertices(frame)
        for actor in (self.actor, self.shadow_actor):
            actor.visibility = vertices is not None
        if vertices is not None:
            points = _in_scene(vertices, self.path[frame])
            # A part that is not known shrinks to a point under the floor's middle: triangles without area are not drawn.
            points = np.where(np.isfinite(points).all(1, keepdims=True), points, 0.0)
            self.mesh.points = points
            self.mesh.point_data.pop("Normals", None)  # or VTK would keep those of the frame before
            self.mesh.compute_normals(cell_normals=False, split_vertices=False, consistent_normals=False, inplace=True)
            fallen = points - np.maximum(points[:, 1:2], 0) * SUN / SUN[1]
            fallen[:, 1] = 0.0
            self.shadow.points = fallen
        x, _, z = AXES["y_up"] @ self.path[frame]
        self.grid.position = (-(x % CELL_M), 0.001, -(z % CELL_M))  # the floor slides: the person travels
        nobody = "" if vertices is not None else "nobody seen   "
        self.clock.input = f"{nobody}{frame / self.fps:.2f} s   frame {frame}"


def _grid() -> pv.PolyData:
    """Lines on the floor that fade with the distance from the middle."""
    steps = np.arange(-GRID_CELLS, GRID_CELLS + 1) * CELL_M
    along, across = np.meshgrid(steps, steps)
    rows = np.stack([along, np.zeros_like(along), across], axis=-1)
    columns = rows[..., ::-1]
    points = np.concatenate([rows.reshape(-1, 3), columns.reshape(-1, 3)])
    count = len(steps)
    start = np.arange(len(points)).reshape(-1, count)[:, :-1].ravel()
    lines = pv.PolyData(
        points.astype(np.float32), lines=np.stack([np.full_like(start, 2), start, start + 1], 1).ravel()
    )
    fade = 1 - np.linalg.norm(points, axis=1) / (GRID_CELLS * CELL_M)
    alpha = 255 * np.clip(fade, 0, 1)
    lines["rgba"] = np.column_stack([np.tile(_rgb(GRID), (len(points), 1)), alpha]).astype(np.uint8)
    return lines


def pictures(
    clips: Sequence[Lifted], frames: Sequence[int], size: tuple[int, int], turns: int
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The pictures of some frames, RGB.

    Args:
        clips: one or more that stand beside each other, with their names above them.
        frames: which to draw, in any order.
        size: width and height of the picture, pixels.
        turns: how often the camera goes round the person in the length of the clip.
    """
    paths = [path_of(lifted) for lifted in clips]
    scenes = [_in_scene(lifted.joints_3d, path[:, None]) for lifted, path in zip(clips, paths, strict=True)]
    azimuth = START_AZIMUTH + 2 * np.pi * turns * np.arange(len(clips[0])) / len(clips[0])
    height, width = max(map(height_of, scenes)), size[0] // len(clips)
    distance = max(distance_to(scene, azimuth, height, width / size[1]) for scene in scenes)
    middle, away = np.array([0, height / 2, 0]), _camera_axes(azimuth)[0]

    theme = pv.themes.DocumentTheme()
    theme.background, theme.anti_aliasing, theme.multi_samples = pv.Color(BACKGROUND), "msaa", 8
    plotter = pv.Plotter(
        off_screen=True, shape=(1, len(clips)), window_size=list(size), border=False, lighting="none", theme=theme
    )
    views = []
    for i, (lifted, path) in enumerate(zip(clips, paths, strict=True)):
        plotter.subplot(0, i)
        views.append(View(plotter, lifted, path, height, unit=min(width / 640, size[1] / 720)))
    for frame in frames:
        for view, renderer in zip(views, plotter.renderers, strict=True):
            view.show(frame)
            _look(renderer.camera, middle + distance * away[frame], middle)
            renderer.UpdateLightsGeometryToFollowCamera()  # or they follow one picture late
        plotter.render()  # a screenshot alone shows the frame before
        picture = np.array(plotter.screenshot(return_img=True))
        for i in range(1, len(clips)):
            picture[:, i * width - 1 : i * width + 1] = _rgb(SHADOW)
        yield picture


def _in_scene(points: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Points of the input camera's frame in the scene's, whose origin is `floor`."""
    return (points - floor) @ AXES["y_up"].T


def _look(camera: pv.Camera, place: np.ndarray, target: np.ndarray) -> None:
    camera.position, camera.focal_point, camera.up = place, target, (0, 1, 0)
    camera.view_angle = FIELD_OF_VIEW_DEG
    camera.clipping_range = (0.05, float(np.linalg.norm(place - target)) + 20)


def main(arguments: Sequence[str], out: IO[bytes]) -> None:
    """Draw the film that `arguments` name, or one empty picture."""
    torch.set_num_threads(1)
    if not arguments:
        plotter = pv.Plotter(off_screen=True, window_size=[64, 48])
        plotter.render()
        plotter.screenshot(return_img=True)
        return
    folder = Path(arguments[0])
    film = json.loads((folder / "film.json").read_text())
    clips = [read_lifted(file)[0] for file in sorted(folder.glob("*.npz"))]
    for picture in pictures(clips, film["frames"], tuple(film["size"]), film["turns"]):
        out.write(picture.tobytes())
        out.flush()


if __name__ == "__main__":
    stdout = os.dup(1)
    os.dup2(2, 1)  # whatever GL libraries print must not end up in the pictures
    with os.fdopen(stdout, "wb") as pipe:
        main(sys.argv[1:], pipe)
