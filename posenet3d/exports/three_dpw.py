"""Pickle in the layout of 3DPW and of its challenge (ECCV 2020): SMPL's 24 joints and their rotations."""

import numpy as np
import torch
from jaxtyping import Float

from posenet3d.body.layer import Body, pose_rotations
from posenet3d.body.motion import body_motion
from posenet3d.core.axes import AXES
from posenet3d.core.camera import pinhole_of_image
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT
from posenet3d.exports.formats import Exported
from posenet3d.exports.old_pickle import pickle_for_numpy_1
from posenet3d.io.datasets.resection import find_intrinsics

SCORED_JOINTS = [0, 1, 2, 4, 5, 16, 17, 18, 19]
"""Joints whose rotations the challenge scores: the root, hips, knees, shoulders and elbows."""

IMAGE_SIZE = (1920, 1080)
"""Width and height of the data set's images, for clips without 2D, from which no camera can be computed."""


def three_dpw_pickle(lifted: Lifted, axes: str = "camera", body: Body | None = None) -> Exported:
    """Return a clip's person in the layout of the challenge and of the data set.

    ``jointPositions`` (1, frames, 24, 3) metres, ``orientations`` (1, frames, 9, 3, 3) rotations of `SCORED_JOINTS`
    against the file's axes;
    ``poses`` [(frames, 72)], ``betas`` [(10,)], ``trans`` [(frames, 3)], ``genders`` as in the data set's own files;
    ``sequence`` the clip's name. Frames without a person repeat the last pose and are counted. The joints are those of the
    clip's body; they differ from those of the official meshes unless the clip was lifted with one.

    The camera makes `posenet3d.io.datasets.three_dpw` and other readers of the data set take the file: ``cam_poses``
    (frames, 4, 4), from the file's axes to the camera; ``cam_intrinsics`` (3, 3), computed from the 3D and the 2D that was
    lifted (a lifted clip does not hold its camera), else a camera of 55 degrees; ``campose_valid`` [(frames,)], 0 in frames
    without a person; ``poses2d`` [(frames, 3, 18)], the 2D that was lifted as OpenPose's 18 joints, 0 for those of the face.

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
    T_cam_file = np.eye(4)
    T_cam_file[:3, :3] = AXES[axes].T
    content = {
        "jointPositions": positions[None].astype(np.float32),
        "orientations": orientations[None, :, SCORED_JOINTS].numpy().astype(np.float32),
        "poses": [motion.rotvecs.reshape(len(lifted), -1)],
        "betas": [motion.betas],
        "trans": [motion.transl],
        "genders": ["n"],
        "sequence": lifted.name,
        "poses2d": [_openpose_joints(lifted)],
        "cam_poses": np.tile(T_cam_file, (len(lifted), 1, 1)),
        "cam_intrinsics": _intrinsics(lifted),
        "campose_valid": [motion.is_known.astype(np.int64)],
    }
    return Exported(pickle_for_numpy_1(content), n_held=motion.n_held)


def _intrinsics(lifted: Lifted) -> Float[np.ndarray, "3 3"]:
    """Return K in pixels, computed from the clip's 3D and 2D; of a camera of 55 degrees where these determine none."""
    if lifted.cleaned_px is not None:
        points, pixels = lifted.joints_3d.reshape(-1, 3), lifted.cleaned_px.reshape(-1, 2)
        try:
            K, _ = find_intrinsics(points.astype(np.float64), pixels.astype(np.float64))
        except (ValueError, np.linalg.LinAlgError):
            K = np.zeros((3, 3))
        if np.isfinite(K).all() and min(K[0, 0], K[1, 1], K[0, 2], K[1, 2]) > 1:
            return K
    return pinhole_of_image(IMAGE_SIZE)


def _openpose_joints(lifted: Lifted) -> Float[np.ndarray, "frames 3 18"]:
    """Return x, y and confidence of OpenPose's 18 joints; 0 for joints that are not known."""
    names = JOINT_SETS["coco18"].joints
    joints = np.zeros((len(lifted), 3, len(names)))
    if lifted.cleaned_px is None:
        return joints
    confidence = np.ones(lifted.cleaned_px.shape[:2]) if lifted.confidence is None else lifted.confidence
    found = np.concatenate([lifted.cleaned_px, confidence[..., None]], axis=-1).astype(np.float64)
    found[~np.isfinite(found).all(-1)] = 0
    for number, name in enumerate(names):
        if name in JOINT:
            joints[:, :, number] = found[:, JOINT[name]]
    shoulders = found[:, [JOINT["l_shoulder"], JOINT["r_shoulder"]]]
    neck = shoulders.mean(1) * (shoulders[..., 2:] > 0).all(1)  # OpenPose's neck is the middle of the shoulders
    joints[:, :, names.index("neck")] = neck
    return joints
