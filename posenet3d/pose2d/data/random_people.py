"""Random people: shapes, poses, clothes and positions, for rendered images with exact labels.

Poses are sampled joint by joint within the limits of a body, around a few postures; no motion capture data is used.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from posenet3d.body.files import default_arrays
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.pose2d.data.rendering import Scene

HIP, KNEE, SHOULDER, ELBOW = (1, 2), (4, 5), (16, 17), (18, 19)  # left and right, of SMPL's joints
SPINE, NECK, ANKLE, WRIST, COLLAR = (3, 6, 9), (12, 15), (7, 8), (20, 21), (13, 14)

SKIN = np.array([[236, 188, 160], [198, 134, 98], [141, 85, 54], [92, 58, 41], [224, 172, 140], [65, 44, 34]])
"""Tones from light to dark."""


@dataclass(frozen=True)
class Posture:
    """A posture that poses are sampled around; degrees."""

    hip: float  # mean flexion
    knee: float
    spread: float  # standard deviation of single joints
    tilt: float  # standard deviation of the whole body


POSTURES = (
    Posture(5.0, 8.0, 12.0, 8.0),  # standing, walking
    Posture(25.0, 35.0, 25.0, 15.0),  # running, playing
    Posture(90.0, 95.0, 15.0, 8.0),  # sitting
    Posture(100.0, 120.0, 15.0, 15.0),  # squatting
    Posture(35.0, 40.0, 40.0, 90.0),  # in the air, on the floor
)
PROBABILITIES = (0.35, 0.25, 0.12, 0.08, 0.2)


def random_scene(rng: np.random.Generator, people: int, size: tuple[int, int], focal_px: float) -> Scene:
    """Return a scene with a number of people in view, sometimes a box in front of them, and one light."""
    poses = np.stack([random_pose(rng) for _ in range(people)])
    depth = np.sort(rng.uniform(2.2, 9.0, people)) if people > 1 else rng.uniform(2.0, 8.0, 1)
    reach = np.array(size) / 2 / focal_px
    aside = rng.uniform(-0.8, 0.8, (people, 2)) * reach * depth[:, None] * [1.0, 0.35]
    transl = np.column_stack([aside, depth])
    bodies = BodyParameters(
        default_arrays().name,
        (1.2 * rng.standard_normal((people, 10))).clip(-2.5, 2.5).astype(np.float32),
        poses[:, :3].astype(np.float32),
        poses[:, 3:].astype(np.float32),
        transl.astype(np.float32),
    )
    light = (*(rng.uniform(-4, 4), rng.uniform(-6, 0), rng.uniform(-4, 2)), rng.uniform(0.4, 1.2))
    boxes = np.array([_random_box(rng, transl[0]) for _ in range(int(rng.integers(0, 2)))]).reshape(-1, 9)
    return Scene(bodies, np.stack([random_clothes(rng) for _ in range(people)]), light, boxes)


def random_pose(rng: np.random.Generator) -> Float[np.ndarray, "72"]:
    """Return axis-angle vectors of the root, in the camera's frame, and of the 23 body joints; radians."""
    posture = POSTURES[rng.choice(len(POSTURES), p=PROBABILITIES)]
    angles = np.zeros((24, 3))  # degrees about x, y, z of each joint's parent
    spread = posture.spread
    for side, sign in enumerate((1.0, -1.0)):
        flexion = rng.normal(posture.hip, spread)
        angles[HIP[side]] = [-np.clip(flexion, -30, 130), rng.normal(0, 12), sign * abs(rng.normal(4, spread / 2))]
        angles[KNEE[side]] = [np.clip(rng.normal(posture.knee, spread), 0, 145), 0, 0]
        angles[ANKLE[side]] = rng.normal(0, 12, 3)
        raised = rng.choice([rng.uniform(-80, -40), rng.uniform(-50, 30), rng.uniform(20, 80)], p=[0.45, 0.3, 0.25])
        angles[SHOULDER[side]] = [rng.normal(0, 30), sign * rng.normal(-10, 35), sign * raised]
        angles[ELBOW[side]] = [
            rng.normal(0, 15),
            -sign * abs(rng.choice([rng.normal(15, 12), rng.uniform(20, 140)])),
            0,
        ]
        angles[WRIST[side]] = rng.normal(0, 15, 3)
        angles[COLLAR[side]] = [0, 0, sign * rng.normal(0, 6)]
    for joint in SPINE:
        angles[joint] = [rng.normal(8, 10), rng.normal(0, 8), rng.normal(0, 6)]
    for joint in NECK:
        angles[joint] = [rng.normal(3, 10), rng.normal(0, 15), rng.normal(0, 6)]
    heading = Rotation.from_euler("y", rng.uniform(0, 360), degrees=True)
    tilt = Rotation.from_euler("zx", rng.normal(0, posture.tilt, 2), degrees=True)
    camera = Rotation.from_euler("x", 180 + rng.normal(8, 10), degrees=True)  # y down; the camera looks down a little
    root = (camera * tilt * heading).as_rotvec()
    return np.concatenate([root, Rotation.from_euler("xyz", angles[1:], degrees=True).as_rotvec().ravel()])


def random_clothes(rng: np.random.Generator) -> np.ndarray:
    """Return colours of the default body's vertices: skin, top, trousers or shorts, shoes and hair, with a pattern."""
    arrays = default_arrays()
    x, y, _ = arrays.vertices.T
    up = (y - y.min()) / (y.max() - y.min())
    main_joint = arrays.weights.argmax(1)  # the joint that moves a vertex most
    colours = np.tile(SKIN[rng.integers(len(SKIN))], (len(up), 1)).astype(float)
    parts = {
        "top": np.isin(main_joint, [3, 6, 9, 13, 14, *SHOULDER, *(ELBOW if rng.random() < 0.5 else ())]),
        "bottom": np.isin(main_joint, [0, *HIP, *(KNEE if rng.random() < 0.6 else ())]),
        "shoes": np.isin(main_joint, [*ANKLE, 10, 11]),
        "hair": (main_joint == 15) & (up > np.quantile(up[main_joint == 15], rng.uniform(0.55, 0.8))),
    }
    for name, chosen in parts.items():
        base = (
            rng.uniform(10, 245, 3)
            if name != "hair"
            else rng.choice([25.0, 60.0, 120.0, 190.0]) * np.array([1, 0.8, 0.6])
        )
        stripes = np.sin(rng.uniform(10, 90) * (up if rng.random() < 0.5 else x) + rng.uniform(0, 6))
        pattern = rng.uniform(0, 70) * (stripes > rng.uniform(-0.5, 0.9)) if rng.random() < 0.4 else 0 * stripes
        colours[chosen] = base + pattern[chosen, None]
    return (colours + rng.normal(0, 6, colours.shape)).clip(0, 255).astype(np.uint8)


def random_background(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Return a background of smooth shapes at several scales, some with hard edges."""
    width, height = size
    image = np.zeros((height, width, 3)) + rng.uniform(20, 235, 3)
    for cells in (2, 4, 9, 20, 45):
        coarse = rng.normal(0, 1, (cells, cells, 3))
        rows = np.linspace(0, cells - 1.001, height)
        columns = np.linspace(0, cells - 1.001, width)
        r, c = rows.astype(int), columns.astype(int)
        if rng.random() < 0.5:  # hard edges
            layer = coarse[r][:, c]
        else:
            fr, fc = (rows - r)[:, None, None], (columns - c)[None, :, None]
            up, down = np.minimum(r + 1, cells - 1), np.minimum(c + 1, cells - 1)
            layer = (1 - fr) * ((1 - fc) * coarse[r][:, c] + fc * coarse[r][:, down])
            layer += fr * ((1 - fc) * coarse[up][:, c] + fc * coarse[up][:, down])
        image += rng.uniform(0, 90) / cells**0.4 * layer
    return image.clip(0, 255).astype(np.uint8)


def _random_box(rng: np.random.Generator, body: np.ndarray) -> np.ndarray:
    """Return a box that occludes a part of the person at `body`; see `Scene.boxes`."""
    z = float(body[2]) - rng.uniform(0.5, 0.9)
    x, y = body[0] + rng.uniform(-0.5, 0.5), body[1] + rng.uniform(-0.3, 0.9)
    w, h = rng.uniform(0.05, 0.35, 2)
    return np.array([x - w, x + w, y - h, y + h, z, z + 0.1, *rng.random(3)])
