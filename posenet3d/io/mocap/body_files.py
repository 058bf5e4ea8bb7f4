"""Load files of SMPL parameters whose fields have other names than AMASS's: of smplx, of ROMP and of AIST++.

- ``global_orient``, ``body_pose``, ``transl``, as `smplx`'s layers name them; ``root_orient``, ``pose_body``, ``trans``.
- ``results`` of ROMP: per image ``smpl_thetas`` (people, 72) and ``cam_trans`` (people, 3), in the camera's frame.
- ``smpl_poses`` (frames, 72), ``smpl_trans`` and ``smpl_scaling`` of AIST++'s motions/*.pkl, 60 frames per second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from posenet3d.core.sequence import DEFAULT_FPS
from posenet3d.errors import InputError
from posenet3d.io.checked_npz import Arrays, check_npz, load_arrays, numeric, wrong
from posenet3d.io.checked_pickle import load_object, load_pickle, number_array
from posenet3d.pickle_scan import UnsafePickle
from posenet3d.safe_pickle import read_pickle

LAYER_FIELDS = (("global_orient", "body_pose", "transl"), ("root_orient", "pose_body", "trans"))
"""Names of root orientation, body pose and translation."""

ROMP_FIELD = "results"
AIST_FIELDS = ("smpl_poses", "smpl_trans", "smpl_scaling")
AIST_FPS = 60.0
RATE_FIELDS = ("mocap_framerate", "mocap_frame_rate", "fps", "frame_rate")
SMPL_VALUES = 72
_GIVE_PARAMETERS = "give SMPL parameters of every frame"


@dataclass(frozen=True)
class BodyMotion:
    """SMPL's parameters over time, as far as a file has them; the translation in metres."""

    axis_angle: Float[np.ndarray, "frames 72"]
    trans: Float[np.ndarray, "frames 3"]
    fps: float
    notes: tuple[str, ...]


def is_body_file(path: Path) -> bool:
    """Return whether a file holds SMPL parameters in one of these layouts.

    Raises:
        InputError: an npz is damaged.
    """
    if path.suffix.lower() == ".npz":
        return is_body_npz(check_npz(path))
    if path.suffix.lower() != ".pkl":
        return False
    try:
        return AIST_FIELDS[0] in read_pickle(path)
    except (UnsafePickle, OSError):  # its own reader says what is wrong
        return False


def is_body_npz(fields: list[str]) -> bool:
    """Return whether an npz with these fields holds SMPL parameters in one of these layouts."""
    # AMASS's newer files have both, and lifted clips with a body have joints, too.
    if {"poses", "trans"} <= set(fields) or "joints_3d" in fields:
        return False
    return ROMP_FIELD in fields or any({root, body} <= set(fields) for root, body, _ in LAYER_FIELDS)


def load_body_motion(path: Path, fps: float | None) -> BodyMotion:
    """Load the parameters of one person.

    Args:
        path: the file.
        fps: frames per second, overriding the file's own.

    Raises:
        InputError: a field is missing, has a wrong shape or holds numbers that are not finite.
    """
    if path.suffix.lower() == ".pkl":
        return _aist(path, fps)
    if ROMP_FIELD in check_npz(path):
        return _romp(path, fps)
    return _layers(path, fps)


def _layers(path: Path, fps: float | None) -> BodyMotion:
    """Return the motion in a file with the names of smplx's layers."""
    data = load_arrays(path, [*(field for fields in LAYER_FIELDS for field in fields), *RATE_FIELDS])
    names = next(fields for fields in LAYER_FIELDS if set(fields[:2]) <= set(data))
    root = _rotations(data, names[0], path)
    body = _rotations(data, names[1], path)
    if len(root) != len(body) or root.shape[1] != 3 or body.shape[1] < 63:
        problem = f"has {body.shape[1] // 3} joints in {len(body)} frames, and '{names[0]}' {root.shape[1] // 3} in {len(root)}"
        raise wrong(path, names[1], problem, "it must be (frames, 63) or (frames, 69)")
    axis_angle = np.zeros((len(root), SMPL_VALUES))
    axis_angle[:, :3] = root
    axis_angle[:, 3:66] = body[:, :63]
    if body.shape[1] == SMPL_VALUES - 3:
        axis_angle[:, 66:] = body[:, 63:]
    trans = next((found for field in ("transl", "trans") if (found := numeric(data, field, path)) is not None), None)
    notes: tuple[str, ...] = ()
    if trans is None:
        trans, notes = np.zeros((len(root), 3)), ("has no translation: the person stays where it is",)
    rate = next((found for field in RATE_FIELDS if (found := numeric(data, field, path)) is not None), None)
    found_fps = None if rate is None or rate.size != 1 else float(rate.ravel()[0])
    return _checked(axis_angle, trans, fps or found_fps, notes, path)


def _rotations(data: Arrays, field: str, path: Path) -> Float[np.ndarray, "frames values"]:
    """Return rotations as axis-angle, three values per joint; rotation matrices are converted."""
    values = numeric(data, field, path)
    if values is None or values.ndim < 2 or not len(values) or values[0].size % 3 or values[0].size > 600:
        raise wrong(path, field, "holds no rotations of frames", "it must be (frames, joints * 3)")
    if not np.isfinite(values).all():
        raise wrong(path, field, "holds a number that is not finite", "give the file as it was written")
    if values.shape[-2:] == (3, 3) and values.ndim >= (3 if "orient" in field else 4):
        matrices = values.reshape(-1, 3, 3)
        if (np.linalg.det(matrices) <= 0).any():
            raise wrong(path, field, "holds matrices that are no rotations", "give the file as it was written")
        return Rotation.from_matrix(matrices).as_rotvec().reshape(len(values), -1)
    return values.reshape(len(values), -1).astype(np.float64)


def _aist(path: Path, fps: float | None) -> BodyMotion:
    """Return the motion of a pickle of AIST++, whose translation is in units of `smpl_scaling`."""
    content = load_pickle(path, AIST_FIELDS)
    poses = number_array(content.get("smpl_poses"), (None, SMPL_VALUES), "smpl_poses", path)
    trans = number_array(content.get("smpl_trans"), (len(poses), 3), "smpl_trans", path)
    scale = number_array(content.get("smpl_scaling", [1.0]), (1,), "smpl_scaling", path)[0]
    if not 0 < scale < np.inf:
        raise InputError(path, f"smpl_scaling is {scale:g}", "give the file as it was downloaded")
    return _checked(poses, trans / scale, fps or AIST_FPS, (), path)


def _romp(path: Path, fps: float | None) -> BodyMotion:
    """Return the motion of the first person in every image of ROMP's results."""
    results = load_object(path, ROMP_FIELD)
    frames = [results] if isinstance(results, Mapping) and "smpl_thetas" in results else None
    if frames is None and isinstance(results, Mapping):
        frames = list(results.values())
    people = [frame for frame in frames or [] if isinstance(frame, Mapping) and "smpl_thetas" in frame]
    if not people:
        raise wrong(path, ROMP_FIELD, "has no 'smpl_thetas'", "give ROMP's results with its SMPL parameters")
    first = [_first_person(frame, path) for frame in people]
    poses = np.stack([pose for pose, _, _ in first])
    trans = np.stack([shift for _, shift, _ in first])
    crowd = max(count for _, _, count in first)
    notes: list[str] = []
    if len(people) != len(frames or []):
        notes.append(f"{len(frames or []) - len(people)} images without a person are left out")
    if crowd > 1:
        notes.append(f"shows up to {crowd} people in an image; the first of each is read")
    return _checked(poses, trans, fps, tuple(notes), path)


def _first_person(frame: Mapping[str, Any], path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Return pose and translation of the first person in an image, and the number of people."""
    poses = np.atleast_2d(frame["smpl_thetas"])
    poses = number_array(poses, (None, SMPL_VALUES), "smpl_thetas", path)
    trans = number_array(
        np.atleast_2d(frame.get("cam_trans", np.zeros((len(poses), 3)))), (len(poses), 3), "cam_trans", path
    )
    return poses[0], trans[0], len(poses)


def _checked(
    axis_angle: np.ndarray, trans: np.ndarray, fps: float | None, notes: tuple[str, ...], path: Path
) -> BodyMotion:
    """Return the motion after checking its sizes and numbers; a rate that is not known is assumed, with a note."""
    if trans.shape != (len(axis_angle), 3):
        raise wrong(path, "trans", f"has shape {trans.shape}", f"it must be {(len(axis_angle), 3)}")
    if not (np.isfinite(axis_angle).all() and np.isfinite(trans).all()):
        raise InputError(path, "holds a number that is not finite", _GIVE_PARAMETERS)
    if fps is None:
        notes += (f"does not say its frame rate: {DEFAULT_FPS:g} frames per second are assumed (--source-fps)",)
    return BodyMotion(axis_angle.astype(np.float64), trans.astype(np.float64), fps or DEFAULT_FPS, notes)
