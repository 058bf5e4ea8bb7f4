"""Virtual cameras for motion that was captured without any: 3D in, 2D (and, for reporting, 3D) out.

The cameras stand as Human3.6M's do: at head height, four to six metres away, looking slightly down. For training, the 3D is
left out of what is written, and of the cameras of one take nothing says that they belong together but the name.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import look_at, project
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT, N_JOINTS
from posenet3d.errors import InputError
from posenet3d.io.mocap.take import Take

IMAGE_SIZE = (1000, 1000)
FOCAL_PX = 1146.0
HEIGHT_M = (1.3, 1.9)
DISTANCE_M = (4.0, 6.0)
MARGIN = 0.9
"""Share of the picture that everybody stays within."""

STEP_BACK, MAX_DISTANCE_M = 1.1, 1000.0


def project_with_cameras(
    takes: Sequence[Take], *, cameras: int = 4, seed: int = 0, fps: float | None = None, has_truth: bool = True
) -> list[PoseSequence]:
    """Every take, seen by cameras around it.

    Each camera looks at the middle of where the pelvis goes, and steps back until everybody stays in the picture.

    Args:
        takes: what is filmed.
        cameras: per take, at even angles from a random first one.
        seed: of their places.
        fps: frames per second where a take has more.
        has_truth: keep the 3D, in each camera's frame (m).

    Raises:
        InputError: a take is so large that no camera sees all of it.
        ValueError: no camera.
    """
    if cameras < 1:
        raise ValueError("there must be at least one camera")
    rng = np.random.default_rng(seed)
    sequences = []
    for take in takes:
        chosen = take if fps is None else take.downsample(fps)
        world = chosen.h36m17()
        first = rng.uniform(0, 2 * np.pi)
        for number in range(cameras):
            azimuth = first + 2 * np.pi * number / cameras
            cam = _seen_from(world, azimuth, rng.uniform(*DISTANCE_M), rng.uniform(*HEIGHT_M), take.name)
            sequences.append(_sequence(chosen, f"{take.name} camera {number}", cam, has_truth))
    return sequences


def _intrinsics() -> Float[np.ndarray, "3 3"]:
    width, height = IMAGE_SIZE
    return np.array([[FOCAL_PX, 0, width / 2], [0, FOCAL_PX, height / 2], [0, 0, 1.0]])


def _seen_from(
    world: Float[np.ndarray, "frames 17 3"], azimuth: float, distance: float, height: float, name: str
) -> Float[np.ndarray, "frames 17 3"]:
    """The joints in the frame of a camera on a circle around them, far enough away to see all."""
    known = world[np.isfinite(world).all(-1)]
    if len(known) == 0:
        return world
    low, high = known.min(0), known.max(0)
    pelvis = world[:, JOINT["pelvis"]]
    pelvis = pelvis[np.isfinite(pelvis).all(-1)]
    middle = np.median(pelvis, axis=0) if len(pelvis) else (low + high) / 2
    reach = MARGIN * min(IMAGE_SIZE) / 2 / FOCAL_PX
    is_near = np.abs(known).max() < 1e6 and (high - low).max() < MAX_DISTANCE_M  # else the arithmetic below overflows
    while is_near and distance < MAX_DISTANCE_M:
        position = middle + distance * np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
        position[1] = low[1] + height
        R_cam_world = look_at(position, middle)
        cam = (known - position) @ R_cam_world.T
        if (cam[:, 2] > 0.5).all() and (np.abs(cam[:, :2]) < reach * cam[:, 2:]).all():
            return (world - position) @ R_cam_world.T
        distance *= STEP_BACK
    raise InputError(
        f"take {name!r}", f"does not fit a picture from {MAX_DISTANCE_M:g} m away", "check its unit (--unit)"
    )


def _sequence(take: Take, name: str, cam: Float[np.ndarray, "frames 17 3"], has_truth: bool) -> PoseSequence:
    pixels = project(cam, _intrinsics())
    return PoseSequence(
        name=name,
        keypoints_px=pixels,
        confidence=np.isfinite(pixels).all(-1).astype(float).reshape(len(cam), N_JOINTS),
        fps=take.fps,
        image_size=IMAGE_SIZE,
        K=_intrinsics(),
        joints_3d=cam.astype(np.float32) if has_truth else None,
        action=take.action,
        subject=take.subject,
        take=take.name,
    )
