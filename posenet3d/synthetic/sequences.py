"""Made motion with exact 3D: somebody walks, squats, waves ... before a known camera. No data file, no licence.

The curves are our own (`posenet3d.synthetic.motions`, turned into joints by `posenet3d.synthetic.stick_figure`). They serve the
explorer's examples and the tests; no network is trained on them.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import look_at, pinhole_of_image, project
from posenet3d.core.sequence import PoseSequence
from posenet3d.synthetic.detector_noise import with_detector_noise
from posenet3d.synthetic.motions import MOTIONS
from posenet3d.synthetic.stick_figure import forward_kinematics

FPS = 30.0
IMAGE_SIZE = (1000, 1000)


def synthetic_sequence(
    motion: str, *, seed: int = 0, distance: float = 4.5, azimuth_deg: float = 25.0, fps: float = FPS
) -> PoseSequence:
    """One clip of a made motion with exact 2D, 3D and camera.

    Args:
        motion: a name in `MOTIONS`.
        seed: changes how the person sways while standing, and nothing else.
        distance: from the camera to the middle of the scene (m).
        azimuth_deg: where the camera stands; at 0 the person begins facing it, at 90 it sees their left side.
        fps: frames per second.

    Raises:
        ValueError: there is no such motion.
    """
    if motion not in MOTIONS:
        raise ValueError(f"no motion '{motion}'; there are {', '.join(MOTIONS)}")
    act, duration = MOTIONS[motion]
    times = np.arange(round(duration * fps)) / fps
    joints_world = forward_kinematics(act(times, np.random.default_rng(seed)))
    R_cam_world, camera_world = _camera(distance, azimuth_deg)
    joints_3d = (joints_world - camera_world) @ R_cam_world.T
    K = pinhole_of_image(IMAGE_SIZE)
    keypoints_px = project(joints_3d, K)
    return PoseSequence(
        name=f"synthetic {motion}",
        keypoints_px=keypoints_px,
        confidence=np.ones(keypoints_px.shape[:2]),
        fps=fps,
        image_size=IMAGE_SIZE,
        K=K,
        joints_3d=joints_3d.astype(np.float32),
        action=motion,
        subject="synthetic",
        take=f"synthetic {motion}",
    )


def bundled_sequences() -> list[PoseSequence]:
    """Every motion seen cleanly, then two of them as a detector would see them; the same on every call."""
    views = {"walk": (4.5, 0), "turn": (3.5, 0), "jump": (3.8, 30), "kick": (3.8, 55), "sit": (3.5, 50)}
    clean = {}
    for motion in MOTIONS:
        distance, azimuth_deg = views.get(motion, (3.5, 35))
        clean[motion] = synthetic_sequence(motion, distance=distance, azimuth_deg=float(azimuth_deg))
    noisy = [
        replace(
            with_detector_noise(clean[motion], np.random.default_rng(seed)), name=f"synthetic {motion} (noisy detector)"
        )
        for seed, motion in enumerate(("walk", "squat"))
    ]
    return [*clean.values(), *noisy]


def _camera(distance: float, azimuth_deg: float) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """(R_cam_world, position in the world) of a camera at head height that looks at the middle of a person."""
    middle, height = np.array([0, 0.95, 0]), 1.5
    azimuth = np.radians(azimuth_deg)
    position = np.array([distance * np.sin(azimuth), height, distance * np.cos(azimuth)])
    return look_at(position, middle), position
