"""Pickle as 3DPW holds people and as its challenge (ECCV 2020) takes results: SMPL's 24 joints and their turns."""

import pickle

import numpy as np
import torch

from posenet3d.body.layer import Body, pose_rotations
from posenet3d.core.lifted import Lifted
from posenet3d.exports.motion import Exported, for_old_numpy, motion_of

MAJOR = [0, 1, 2, 4, 5, 16, 17, 18, 19]
"""Joints whose turns the challenge scores: the root, hips, knees, shoulders and elbows."""


def three_dpw_pickle(lifted: Lifted, axes: str = "camera", body: Body | None = None) -> Exported:
    """A clip's person in the layout of the challenge and of the data set.

    ``jointPositions`` (1, frames, 24, 3) metres, ``orientations`` (1, frames, 9, 3, 3) turns of `MAJOR` against the file's axes;
    ``poses`` [(frames, 72)], ``betas`` [(10,)], ``trans`` [(frames, 3)] as in the data set's own files; ``sequence`` the
    clip's name. Frames in which nobody was seen hold the last pose and are counted. For the body's own joints, which are not
    those of the official meshes unless the clip was lifted with one.

    Args:
        lifted: a clip with a body.
        axes: by default the camera's.
        body: as for `motion_of`.

    Raises:
        InputError: as `motion_of`.
    """
    motion = motion_of(lifted, axes, body)
    pose = torch.from_numpy(motion.rotvecs).to(motion.body.template)
    rotations = pose_rotations(pose[:, 0], pose[:, 1:].flatten(1))
    betas = torch.from_numpy(motion.betas).to(motion.body.template).expand(len(pose), -1)
    with torch.no_grad():
        turns, joints = motion.body.kinematics(rotations, betas).double().split([3, 1], dim=-1)
    places = joints[..., 0].numpy() + motion.transl[:, None]
    content = {
        "jointPositions": places[None].astype(np.float32),
        "orientations": turns[None, :, MAJOR].numpy().astype(np.float32),
        "poses": [motion.rotvecs.reshape(len(lifted), -1)],
        "betas": [motion.betas],
        "trans": [motion.transl],
        "sequence": lifted.name,
    }
    return Exported(for_old_numpy(pickle.dumps(content, protocol=2)), n_held=motion.n_held)
