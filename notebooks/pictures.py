"""Figures that several notebooks draw: skeletons in 2D and 3D, bodies, and a bar or two. Everything else is the library's."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posenet3d.body.files import default_arrays
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.skeleton import BONES, SIDES
from posenet3d.pose2d.data.rendering import Scene, draw

COLOUR = {"left": "#0072b2", "right": "#d55e00", "middle": "#009e73"}
"""The explorer's: safe for colour-blind eyes."""


def skeleton_2d(axes: Axes, joints: np.ndarray, title: str = "", colour: str | None = None, **line: object) -> None:
    """One figure in the image, y down; (17, 2)."""
    for parent, child in BONES:
        shade = colour or COLOUR[SIDES[child]]
        axes.plot(*joints[[parent, child]].T, "-o", color=shade, markersize=3, **line)
    axes.set_title(title, fontsize=10)
    axes.set_aspect("equal")
    if not axes.yaxis_inverted():
        axes.invert_yaxis()
    axes.set_xticks([])
    axes.set_yticks([])


def skeleton_3d(
    axes: Axes, joints: np.ndarray, title: str = "", colour: str | None = None, turn_deg: float = -60.0
) -> None:
    """One figure in space, (17, 3) in a camera's frame: x right, y down, z away."""
    points = np.stack([joints[:, 0], joints[:, 2], -joints[:, 1]], -1)  # matplotlib's third axis is up
    for parent, child in BONES:
        axes.plot(*points[[parent, child]].T, "-o", color=colour or COLOUR[SIDES[child]], markersize=3)
    middle, reach = points[0], 1.05 * np.ptp(points, axis=0).max() / 2
    low, high = middle - reach, middle + reach
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]), box_aspect=(1, 1, 1))
    axes.set(xticklabels=[], yticklabels=[], zticklabels=[])
    axes.view_init(elev=12, azim=turn_deg)
    axes.set_title(title, fontsize=10)


def row(count: int, *, is_3d: bool | Sequence[bool] = False, size: float = 3.2) -> tuple[Figure, list[Axes]]:
    """A row of empty axes."""
    flags = [is_3d] * count if isinstance(is_3d, bool) else list(is_3d)
    figure = plt.figure(figsize=(size * count, size), layout="constrained")
    kinds = ["3d" if flag else None for flag in flags]
    return figure, [figure.add_subplot(1, count, n + 1, projection=kind) for n, kind in enumerate(kinds)]


def bodies(*people: BodyParameters, size: tuple[int, int] = (360, 480), focal_px: float = 700.0) -> list[np.ndarray]:
    """A picture of every frame of the parameters, drawn by pyvista; each person stands 3 m in front of the camera."""
    skin = default_arrays().colors[None]
    alone = [_alone(some, number) for some in people for number in range(len(some.transl))]
    white = np.full((size[1], size[0], 3), 255, np.uint8)
    return [drawing.on(white) for drawing in draw([Scene(one, skin) for one in alone], size, focal_px)]


def show(pictures: Sequence[np.ndarray], titles: Sequence[str] = ()) -> None:
    """Pictures beside each other."""
    _, all_axes = row(len(pictures))
    for axes, picture, title in zip(all_axes, pictures, [*titles, *[""] * len(pictures)], strict=False):
        axes.imshow(picture)
        axes.set_axis_off()
        axes.set_title(title, fontsize=10)


def _alone(people: BodyParameters, number: int) -> BodyParameters:
    row_of = slice(number, number + 1)
    betas = people.betas[row_of] if len(people.betas) > 1 else people.betas
    return BodyParameters(
        people.body_model,
        betas,
        people.global_orient[row_of],
        people.body_pose[row_of],
        np.array([[0.0, 0.15, 3.0]], np.float32),
    )
