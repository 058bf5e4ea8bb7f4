"""Lifted clips of a body that moves at random."""

from dataclasses import replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import pose_rotations
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.lifted import Lifted

FRAMES, FPS, MM = 14, 25.0, 1e-3


def made_up(seed: int = 0, turns: float = 0.6) -> Lifted:
    """Somebody upright, 4 m in front of the camera, who moves smoothly at random and spins more than once."""
    rng, body = np.random.default_rng(seed), load_body(dtype=torch.float64)
    time = np.linspace(0, 1, FRAMES)[:, None, None]
    pose = turns * (rng.normal(size=(24, 3)) + np.sin(5 * time + rng.uniform(0, 6, (24, 3))))
    upright = Rotation.from_euler("x", np.pi) * Rotation.from_euler("y", 8 * time[:, 0])
    parameters = BodyParameters(
        body_model=body.name,
        betas=rng.normal(size=(1, 10)).astype(np.float32),
        global_orient=(upright * Rotation.from_rotvec(0.3 * pose[:, 0])).as_rotvec().astype(np.float32),
        body_pose=pose[:, 1:].reshape(FRAMES, 69).astype(np.float32),
        transl=(np.array([0.3, -0.2, 4]) + 0.5 * np.sin(3 * time[:, 0] + [0, 1, 2])).astype(np.float32),
    )
    rotations, betas, transl = tensors(parameters)
    joints = landmarks_of(body)(rotations, betas, transl).numpy().astype(np.float32)
    return Lifted("made up", joints, fps=FPS, model="student", body=parameters)


def tensors(p: BodyParameters):
    turn, pose, transl = (torch.from_numpy(x).double() for x in (p.global_orient, p.body_pose, p.transl))
    return pose_rotations(turn, pose), torch.from_numpy(p.betas).double().expand(len(turn), -1), transl


def with_nobody(clip: Lifted, *frames: int) -> Lifted:
    """The clip without a person in some frames, as the lifter leaves them."""
    rows = list(frames)
    joints = clip.joints_3d.copy()
    joints[rows] = np.nan
    fields = {name: getattr(clip.body, name).copy() for name in ("global_orient", "body_pose", "transl")}
    for values in fields.values():
        values[rows] = np.nan
    return replace(clip, joints_3d=joints, body=replace(clip.body, **fields))
