"""Pickle in the layout of 3DPW and of its challenge (ECCV 2020): SMPL's 24 joints and their rotations."""

import numpy as np
import torch

from posenet3d.body.layer import Body, pose_rotations
from posenet3d.body.motion import body_motion
from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported
from posenet3d.exports.old_pickle import pickle_for_numpy_1

SCORED_JOINTS = [0, 1, 2, 4, 5, 16, 17, 18, 19]
"""Joints whose rotations the challenge scores: the root, hips, knees, shoulders and elbows."""


def three_dpw_pickle(lifted: Lifted, axes: str = "camera", body: Body | None = None) -> Exported:
    """Return a clip's person in the layout of the challenge and of the data set.

    ``jointPositions`` (1, frames, 24, 3) metres, ``orientations`` (1, frames, 9, 3, 3) rotations of `SCORED_JOINTS`
    against the file's axes;
    ``poses`` [(frames, 72)], ``betas`` [(10,)], ``trans`` [(frames, 3)] as in the data set's own files; ``sequence`` the
    clip's name. Frames without a person repeat the last pose and are counted. The joints are those of the clip's body; they
    differ from those of the official meshes unless the clip was lifted with one.

    Args:
        lifted: a clip with a body.
        axes: by default the camera's.
        body: as for `body_motion`.

    Raises:
        InputError: as `body_motion`.
    """
    motion = body_motion(lifted, axes, body)
    pose = torch.from_numpy(motion.rotvecs).to(motion.body.template)
    rotations = pose_rotations(pose[:, 0], pose[:, 1:].flatten(1))
    betas = torch.from_numpy(motion.betas).to(motion.body.template).expand(len(pose), -1)
    with torch.no_grad():
        orientations, joints = motion.body.kinematics(rotations, betas).double().split([3, 1], dim=-1)
    positions = joints[..., 0].numpy() + motion.transl[:, None]
    content = {
        "jointPositions": positions[None].astype(np.float32),
        "orientations": orientations[None, :, SCORED_JOINTS].numpy().astype(np.float32),
        "poses": [motion.rotvecs.reshape(len(lifted), -1)],
        "betas": [motion.betas],
        "trans": [motion.transl],
        "sequence": lifted.name,
    }
    return Exported(pickle_for_numpy_1(content), n_held=motion.n_held)
