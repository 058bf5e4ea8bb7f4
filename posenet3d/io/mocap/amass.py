"""Read AMASS (Mahmood et al., ICCV 2019): npz of SMPL-H parameters, posed with a body of this library.

Register at https://amass.is.tue.mpg.de and download SMPL+H G files. Fields: ``poses`` (frames, 156), axis-angle, the
first 66 values are SMPL's root and 21 body joints, the others the hands; ``trans`` (frames, 3), metres, z up; ``betas``;
``mocap_framerate`` (``mocap_frame_rate`` in newer files). Files written by `posenet3d.exports.amass` are read, too,
with SMPL's hand joints in ``poses_smpl`` (frames, 72), or as older ones in ``poses``.

Files of SMPL parameters with other names of their fields are read, too: see `posenet3d.io.mocap.body_files`.

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
from posenet3d.io.mocap.body_files import BodyMotion, is_body_file, load_body_motion
from posenet3d.io.mocap.take import Take
from posenet3d.io.mocap.upright import TURNS, up_axis

FIELDS = ("poses", "poses_smpl", "trans", "betas", "mocap_framerate", "mocap_frame_rate", "axes", "body_model")
BODY_VALUES, SMPL_VALUES = 66, 72
BATCH_FRAMES = 500  # frames


def read_amass(path: Path, body: Body, *, axes: str | None = None, fps: float | None = None) -> Take:
    """Read the 17 joints of a file, as landmarks on the skin of `body`.

    Args:
        path: the file.
        body: the SMPL body that is posed.
        axes: a name in `posenet3d.io.mocap.take.UP_AXES`; by default the file's own, otherwise z, unless most people would
            lie then.
        fps: frames per second, overriding the file's own.

    Raises:
        InputError: not such a file, or a field of a wrong shape.
        KeyError: unknown axes.
    """
    if is_body_file(path):
        motion = _body_motion(path, fps)
        return _take(path, _joints(motion.axis_angle, motion.trans, np.zeros(N_BETAS), body), motion, axes)
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
    rate = rate if fps is None else np.array(fps)
    if rate is None or rate.size != 1:
        raise wrong(path, "mocap_framerate", "is missing or no frame rate", "give it with --source-fps")
    fps = check_rate(float(rate.ravel()[0]), path, "field 'mocap_framerate'")
    for field, values in (("poses", poses), ("trans", trans)):
        if not (np.abs(values) <= MAX_VALUE).all():
            raise wrong(path, field, "holds a number that is not finite, or huge", "give the file as it was downloaded")
    axis_angle = np.zeros((len(poses), SMPL_VALUES))
    axis_angle[:, :BODY_VALUES] = poses[:, :BODY_VALUES]
    if poses.shape[1] == SMPL_VALUES:  # SMPL's, as we export it
        axis_angle = poses
    joints = _joints(axis_angle, trans, _betas(data, body, path), body)
    motion = BodyMotion(axis_angle, trans, fps, ())
    if axes is None and "axes" in data:  # our own files say it
        axes = {"camera": "y_down", "z_up": "z_up"}.get(str(data["axes"]), "y_up")
    return _take(path, joints, motion, axes, "z_up")


def _body_motion(path: Path, fps: float | None) -> BodyMotion:
    """Load a file with other names of its fields, and check its rate and the size of its numbers."""
    motion = load_body_motion(path, fps)
    check_rate(motion.fps, path, "its frame rate")
    for field, values in (("pose", motion.axis_angle), ("translation", motion.trans)):
        if not (np.abs(values) <= MAX_VALUE).all():
            raise wrong(path, field, "holds a huge number", "give the file as it was written")
    return motion


def _take(path: Path, joints: np.ndarray, motion: BodyMotion, axes: str | None, declared: str = "y_up") -> Take:
    """Return the take, with y up; the axis that points up is recognised if it is not known."""
    notes = motion.notes
    if axes is None:
        axes, more = up_axis(joints, JOINT_NAMES, declared, others=("y_up", "z_up") if declared == "z_up" else TURNS)
        notes += more
    y_up = joints @ TURNS[axes].T
    return Take(path.stem, y_up, JOINT_NAMES, JOINT_NAMES, motion.fps, path.parent.name, path.stem, notes)


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
