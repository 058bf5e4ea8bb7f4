"""Render the images of a video, in a process of its own because VTK aborts its process where OpenGL libraries are missing.

``python -m posenet3d.exports.movie_worker FOLDER`` reads the files that `posenet3d.exports.movie` wrote into FOLDER and
writes RGB images to stdout as raw bytes. Without FOLDER it renders one empty image, to test whether this machine can render.

The scene: y up, z towards the viewer, metres. Its origin follows the floor under the person along a smoothed path, so the
camera follows the person. The camera stands a little to the side of the input camera.
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

from posenet3d.body.motion import body_motion
from posenet3d.core.axes import AXES
from posenet3d.core.ground import ground_y
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import BONES, JOINT, SIDES
from posenet3d.io.lifted_npz import read_lifted

SIDE_COLOURS = {"left": "#0072B2", "right": "#D55E00", "middle": "#009E73"}
BACKGROUND, INK, FAINT_INK, GRID, SHADOW = "#F4F6F8", "#252A33", "#5B6470", "#AAB2BE", "#CDD3DB"
BODY_COLOUR = (150, 165, 185)  # for bodies without vertex colours

ADULT_M = 1.7  # from the floor to the top of the head
BALL_M, ROD_M = 0.03, 0.0165  # radii for an adult; scaled with the height of the person
EDGE_M = 0.22  # from the outermost joint to the edge of the image: a hand, a foot, a head
FOLLOW_S = 0.25  # standard deviation of the smoothing: the camera follows the person but not each step
FIELD_OF_VIEW_DEG = 30.0  # narrow enough to keep limbs in proportion
START_AZIMUTH, ELEVATION = 0.45, 0.2  # radians off the input camera: depth shows, left and right stay obvious
FRAMED_PERCENT = 99.5  # of all joints are in the image: one outlier must not shrink the person in the whole video
MAX_LABEL = 48  # letters that fit above half an image
CELL_M, GRID_CELLS = 0.5, 9  # cells from the middle to the edge, where the grid has faded out
SUN = np.array([0.25, 1.0, 0.2])  # direction of the light that casts the shadow
LIGHTS = (((-1.5, 2.0, 3.0), 0.95), ((3.0, -0.5, 2.0), 0.45))  # position relative to the camera, intensity
FONT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")  # VTK's own font lacks Greek and Cyrillic


class Figure(NamedTuple):
    """The triangles of a person, whose vertices move.

    Attributes:
        vertices: of a frame, in the camera's frame (vertices, 3); NaN for unknown parts; None without a person.
        faces: (faces, 3).
        colours: RGB of each vertex, 0..255.
    """

    vertices: Callable[[int], np.ndarray | None]
    faces: np.ndarray
    colours: np.ndarray


def body_figure(lifted: Lifted) -> Figure:
    """Return the student's body, pose correctives included."""
    motion = body_motion(lifted, "camera")
    arrays, model = motion.body.arrays, motion.body.float()
    betas = torch.from_numpy(motion.betas[None]).float()
    rotations = torch.from_numpy(motion.rotations.as_matrix()).float().unflatten(0, (len(lifted), -1))
    transl = torch.from_numpy(motion.transl).float()

    def vertices(frame: int) -> np.ndarray | None:
        if not motion.is_known[frame]:
            return None
        now = slice(frame, frame + 1)
        return model(rotations[now], betas, transl[now]).vertices[0].numpy()

    colours = np.tile(np.array(BODY_COLOUR), (len(arrays.vertices), 1)) if arrays.colors is None else arrays.colors
    return Figure(vertices, arrays.faces, colours[:, :3].astype(np.uint8))


def skeleton_figure(lifted: Lifted, unit: float) -> Figure:
    """Return balls at the joints and rods between them, coloured by side; `unit` scales their thickness."""
    ball = pv.Icosphere(radius=BALL_M * unit, nsub=3)
    rod = pv.Cylinder(radius=ROD_M * unit, resolution=20, capping=False)
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
    """Map points along z from -0.5 to 0.5 to the line from `start` to `end`."""
    axis = end - start
    along = axis / max(float(np.linalg.norm(axis)), 1e-9)
    aside = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    aside /= max(float(np.linalg.norm(aside)), 1e-9)
    across = np.stack([aside, np.cross(along, aside)])
    return (start + end) / 2 + points[:, :2] @ across + points[:, 2:] * axis


def path_of(lifted: Lifted) -> Float[np.ndarray, "frames 3"]:
    """Return the floor under the person in each frame, in the camera's frame, smoothed for a camera to follow."""
    pelvis = lifted.joints_3d[:, JOINT["pelvis"]].astype(np.float64)
    known = np.flatnonzero(np.isfinite(pelvis).all(1))
    frames = np.arange(len(pelvis))
    filled = np.stack([np.interp(frames, known, pelvis[known, axis]) for axis in range(3)], axis=1)
    path = gaussian_filter1d(filled, FOLLOW_S * lifted.fps, axis=0, mode="nearest")
    path[:, 1] = ground_y(lifted.joints_3d, lifted.fps)
    return path


def height_of(scene: Float[np.ndarray, "frames 17 3"]) -> float:
    """Return the height of the person above the floor, metres."""
    return float(np.nanpercentile(scene[..., 1], FRAMED_PERCENT))


def distance_to(
    scene: Float[np.ndarray, "frames 17 3"], azimuth: Float[np.ndarray, " frames"], height: float, aspect: float
) -> float:
    """Return the distance of the camera from the middle of the person that keeps the person in the image, metres."""
    away, aside, up = _camera_axes(azimuth)
    around = scene - np.array([0, height / 2, 0])
    near, x, y = (np.einsum("fjk,fk->fj", around, axis) for axis in (away, aside, up))
    slope = np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
    return float(
        np.nanpercentile(near + np.maximum((abs(x) + EDGE_M) / aspect, abs(y) + EDGE_M) / slope, FRAMED_PERCENT)
    )


def _camera_axes(azimuth: Float[np.ndarray, " frames"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit vectors (frames, 3) from the person to the camera, and to the right and up in its image."""
    sin, cos, zero = np.sin(azimuth), np.cos(azimuth), np.zeros_like(azimuth)
    level, rise = np.cos(ELEVATION), np.sin(ELEVATION)
    away = np.stack([level * sin, zero + rise, level * cos], axis=1)
    aside = np.stack([cos, zero, -sin], axis=1)
    return away, aside, np.cross(away, aside)


class View:
    """One panel of the video, and what changes in it from frame to frame."""

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
        self._add_lights_and_texts(lifted.name, not has_body, unit)

    def _add_lights_and_texts(self, label: str, has_sides: bool, unit: float) -> None:
        """Add the lights, the label and the clock."""
        for position, intensity in LIGHTS:
            self.plotter.renderer.add_light(pv.Light(position=position, intensity=intensity, light_type="camera light"))
        self.add_text(
            label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…", (0.03, 0.94), 20 * unit, INK, "left"
        )
        if has_sides:
            for i, side in enumerate(("left", "right")):
                self.add_text(side, (0.03 + 0.075 * i, 0.035), 15 * unit, SIDE_COLOURS[side], "left")
        self.clock = self.add_text("", (0.97, 0.035), 15 * unit, FAINT_INK, "right")

    def add_text(self, text: str, position: tuple[float, float], size: float, colour: str, side: str) -> pv.Text:
        """Add text to the image; `position` is a share of the panel's width and height."""
        actor = pv.Text(text)
        actor.prop = pv.TextProperty(color=colour, font_size=max(9, round(size)), justification_horizontal=side)
        actor.prop.set_font_file(str(FONT))
        actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        actor.position = position
        self.plotter.add_actor(actor, pickable=False)
        return actor

    def show(self, frame: int) -> None:
        """Move everything to its position in this frame."""
        vertices = self.figure.vertices(frame)
        for actor in (self.actor, self.shadow_actor):
            actor.visibility = vertices is not None
        if vertices is not None:
            points = _in_scene(vertices, self.path[frame])
            # Unknown parts shrink to the middle of the floor: triangles without area are not drawn.
            points = np.where(np.isfinite(points).all(1, keepdims=True), points, 0.0)
            self.mesh.points = points
            self.mesh.point_data.pop("Normals", None)  # or VTK would keep those of the frame before
            self.mesh.compute_normals(cell_normals=False, split_vertices=False, consistent_normals=False, inplace=True)
            shadow = points - np.maximum(points[:, 1:2], 0) * SUN / SUN[1]
            shadow[:, 1] = 0.0
            self.shadow.points = shadow
        x, _, z = AXES["y_up"] @ self.path[frame]
        self.grid.position = (-(x % CELL_M), 0.001, -(z % CELL_M))  # the grid slides under the person
        note = "" if vertices is not None else "no person   "
        self.clock.input = f"{note}{frame / self.fps:.2f} s   frame {frame}"


def _grid() -> pv.PolyData:
    """Return lines on the floor that fade with the distance from the middle."""
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


def render(
    clips: Sequence[Lifted], frames: Sequence[int], size: tuple[int, int], orbits: int
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Render frames of the clips as RGB images.

    Args:
        clips: one or more, shown beside each other with their names above them.
        frames: their numbers, in any order.
        size: width and height of the image, pixels.
        orbits: rounds of the camera about the person in the length of the clip.
    """
    paths = [path_of(lifted) for lifted in clips]
    scenes = [_in_scene(lifted.joints_3d, path[:, None]) for lifted, path in zip(clips, paths, strict=True)]
    azimuth = START_AZIMUTH + 2 * np.pi * orbits * np.arange(len(clips[0])) / len(clips[0])
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
            _aim(renderer.camera, middle + distance * away[frame], middle)
            renderer.UpdateLightsGeometryToFollowCamera()  # or they follow one image late
        plotter.render()  # a screenshot alone shows the frame before
        image = np.array(plotter.screenshot(return_img=True))
        for i in range(1, len(clips)):
            image[:, i * width - 1 : i * width + 1] = _rgb(SHADOW)
        yield image


def _in_scene(points: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Return points of the input camera's frame in the scene, whose origin is `floor`."""
    return (points - floor) @ AXES["y_up"].T


def _aim(camera: pv.Camera, position: np.ndarray, target: np.ndarray) -> None:
    camera.position, camera.focal_point, camera.up = position, target, (0, 1, 0)
    camera.view_angle = FIELD_OF_VIEW_DEG
    camera.clipping_range = (0.05, float(np.linalg.norm(position - target)) + 20)


def main(arguments: Sequence[str], out: IO[bytes]) -> None:
    """Render the images that the folder in `arguments` asks for, or one empty image."""
    torch.set_num_threads(1)
    if not arguments:
        plotter = pv.Plotter(off_screen=True, window_size=[64, 48])
        plotter.render()
        plotter.screenshot(return_img=True)
        return
    folder = Path(arguments[0])
    movie = json.loads((folder / "movie.json").read_text())
    clips = [read_lifted(file)[0] for file in sorted(folder.glob("*.npz"))]
    for image in render(clips, movie["frames"], tuple(movie["size"]), movie["orbits"]):
        out.write(image.tobytes())
        out.flush()


if __name__ == "__main__":
    stdout = os.dup(1)
    os.dup2(2, 1)  # messages of GL libraries must not end up in the images
    with os.fdopen(stdout, "wb") as pipe:
        main(sys.argv[1:], pipe)
