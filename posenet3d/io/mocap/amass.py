"""Read AMASS (Mahmood et al., ICCV 2019): npz of SMPL-H parameters, posed with a body of this library.

Register at https://amass.is.tue.mpg.de and download SMPL+H G files. Fields: ``poses`` (frames, 156), axis-angle, the
first 66 values are SMPL's root and 21 body joints, the others the hands; ``trans`` (frames, 3), metres, z up; ``betas``;
``mocap_framerate`` (``mocap_frame_rate`` in newer files). Files written by `posenet3d.exports.amass` are read, too,
with SMPL's hand joints in ``poses_smpl`` (frames, 72), or as older ones in ``poses``.

The hands stay flat. Betas belong to SMPL's shape space: on the open default body they are ignored, so people have its mean
shape; on an official body (``--body``) the first ten are used.
"""

from pathlib import Path

import numpy as np
import torch

from posenet3d.body.files import default_arrays
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import N_BETAS, Body, pose_rotations
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.io.checked_npz import expect, load_arrays, numeric, wrong
from posenet3d.io.checked_text import MAX_VALUE, check_rate
from posenet3d.io.mocap.take import Z_UP_TO_Y_UP, Take

FIELDS = ("poses", "poses_smpl", "trans", "betas", "mocap_framerate", "mocap_frame_rate", "axes", "body_model")
BODY_VALUES, SMPL_VALUES = 66, 72
BATCH_FRAMES = 500  # frames


def read_amass(path: Path, body: Body) -> Take:
    """Read the 17 joints of a file, as landmarks on the skin of `body`.

    Raises:
        InputError: not such a file, or a field of a wrong shape.
    """
    data = load_arrays(path, FIELDS)
    poses, trans = numeric(data, "poses", path), numeric(data, "trans", path)
    if poses is None or trans is None:
        raise wrong(path, "poses" if poses is None else "trans", "is missing", "give a file of motion, not of shape")
    if poses.ndim != 2 or poses.shape[1] < BODY_VALUES or not len(poses):
        raise wrong(path, "poses", f"has shape {poses.shape}", "it must be (frames, 156)")
    with_hands = numeric(data, "poses_smpl", path)
    if with_hands is not None:
        expect(with_hands, (len(poses), SMPL_VALUES), "poses_smpl", path)
        poses = with_hands
    expect(trans, (len(poses), 3), "trans", path)
    rate = numeric(data, "mocap_framerate", path)
    rate = numeric(data, "mocap_frame_rate", path) if rate is None else rate
    if rate is None or rate.size != 1:
        raise wrong(path, "mocap_framerate", "is missing or no frame rate", "give the file as it was downloaded")
    fps = check_rate(float(rate.ravel()[0]), path, "field 'mocap_framerate'")
    for field, values in (("poses", poses), ("trans", trans)):
        if not (np.abs(values) <= MAX_VALUE).all():
            raise wrong(path, field, "holds a number that is not finite, or huge", "give the file as it was downloaded")
    axis_angle = np.zeros((len(poses), SMPL_VALUES))
    axis_angle[:, :BODY_VALUES] = poses[:, :BODY_VALUES]
    if poses.shape[1] == SMPL_VALUES:  # SMPL's, as we export it
        axis_angle = poses
    joints = _joints(axis_angle, trans, _betas(data, body, path), body)
    axes = str(data.get("axes", "z_up"))
    y_up = {"z_up": joints @ Z_UP_TO_Y_UP.T, "camera": joints * [1, -1, -1]}.get(axes, joints)
    return Take(path.stem, y_up, JOINT_NAMES, JOINT_NAMES, fps, path.parent.name, path.stem)


def _betas(data: dict[str, np.ndarray], body: Body, path: Path) -> np.ndarray:
    """Return the ten betas if they belong to the body's shape space, otherwise zeros."""
    betas = numeric(data, "betas", path)
    is_ours = body.name == default_arrays().name
    belongs = str(data["body_model"]) == body.name if "body_model" in data else not is_ours
    if betas is None or not belongs:
        return np.zeros(N_BETAS)
    found = np.zeros(N_BETAS)
    count = min(N_BETAS, betas.size)
    found[:count] = betas.ravel()[:count]
    return found


def _joints(axis_angle: np.ndarray, trans: np.ndarray, betas: np.ndarray, body: Body) -> np.ndarray:
    """Return the 17 joints of posed frames (frames, 17, 3), in metres."""
    landmarks = landmarks_of(body)
    parts = []
    with torch.no_grad():
        for start in range(0, len(trans), BATCH_FRAMES):
            pose = torch.from_numpy(axis_angle[start : start + BATCH_FRAMES]).to(body.template)
            shift = torch.from_numpy(trans[start : start + BATCH_FRAMES]).to(body.template)
            shape = torch.from_numpy(betas).to(body.template).expand(len(pose), -1)
            parts.append(landmarks(pose_rotations(pose[:, :3], pose[:, 3:]), shape, shift).double().numpy())
    return np.concatenate(parts)
