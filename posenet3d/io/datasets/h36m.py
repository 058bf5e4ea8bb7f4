"""Read Human3.6M (Ionescu et al., PAMI 2014) in the files that VideoPose3D's scripts make of it.

Register at http://vision.imar.ro/human3.6m, download the poses and run VideoPose3D's ``prepare_data_h36m.py``. Put into
one folder:

- ``data_3d_h36m.npz``: ``positions_3d[subject][action]`` (frames, 32, 3), metres, world, z up;
- ``data_2d_h36m_gt.npz``: ``positions_2d[subject][action][camera]`` (frames, 17, 2), pixels. It is always required: the
  files hold no cameras, so these are computed from it (`posenet3d.io.datasets.resection`);
- any ``data_2d_h36m_NAME.npz`` of a detector, such as ``cpn_ft_h36m_dbb``.

50 frames per second; four cameras of 1000 x 1000 or 1000 x 1002 pixels.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.errors import InputError
from posenet3d.io.checked_json import describe
from posenet3d.io.checked_pickle import load_dictionary, number_array
from posenet3d.io.datasets.resection import FoundCamera, find_camera

FPS = 50.0
IMAGE_SIZE = (1000, 1000)
POSITIONS = "data_3d_h36m.npz"
JOINTS_OF_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
"""Indices of the 17 joints among the 32, in the order of `posenet3d.core.skeleton`; the others are copies, hands and feet."""

TOO_FAR_PX = 5.0
"""Median error above which the 2D cannot be a projection of the 3D: exact projections agree to a hundredth of a pixel."""


def read_h36m(folder: Path, *, detections: str = "gt", subjects: Collection[str] | None = None) -> list[PoseSequence]:
    """Read one sequence per action and camera, with the 3D in the camera's frame.

    Args:
        folder: with the files.
        detections: NAME of the 2D in ``data_2d_h36m_NAME.npz``; 'gt' is exact.
        subjects: only these, such as S9 and S11; all if None.

    Raises:
        InputError: a file is missing, damaged or does not fit the others.
    """
    source, exact, chosen = (folder / name for name in (POSITIONS, _keypoints("gt"), _keypoints(detections)))
    positions = load_dictionary(source, "positions_3d")
    views = load_dictionary(exact, "positions_2d")
    detected = views if chosen == exact else _detections(chosen)
    wanted = [subject for subject in positions if subjects is None or subject in subjects]
    missing = [subject for subject in subjects or () if subject not in positions]
    if missing or not wanted:
        raise InputError(source, f"has no subject {', '.join(missing)}", f"it has {', '.join(positions)}")
    sequences = []
    for subject in tqdm(wanted, desc="subjects"):
        takes = _takes(positions[subject], subject, source)
        cameras = _cameras(takes, views.get(subject), subject, exact)
        for action, world in takes.items():
            seen = _views(detected.get(subject), subject, action, chosen)
            if len(seen) > len(cameras):
                problem = f"has {len(seen)} views of {subject} {action}, {exact.name} {len(cameras)}"
                raise InputError(chosen, problem, "give the files of the same run of VideoPose3D's script")
            for number, pixels in enumerate(seen):
                sequences.append(_sequence(subject, action, number, world, pixels, cameras[number]))
    return sequences


def _keypoints(name: str) -> str:
    """Return the file name of these detections."""
    return f"data_2d_h36m_{name}.npz"


def _detections(path: Path) -> dict[str, Any]:
    """Read the 2D of a detector; it must be in Human3.6M's joints, not in COCO's, which are 17, too."""
    layout = load_dictionary(path, "metadata").get("layout_name")
    if not isinstance(layout, str) or layout != "h36m":
        remedy = "give detections fine-tuned on Human3.6M, such as cpn_ft_h36m_dbb"
        raise InputError(path, f"holds joints in the layout {describe(layout)}, not 'h36m'", remedy)
    return load_dictionary(path, "positions_2d")


def _takes(actions: Any, subject: str, path: Path) -> dict[str, np.ndarray]:
    """Return the 17 joints of every action in the world, metres."""
    if not isinstance(actions, dict) or not actions:
        raise InputError(path, f"has no actions of {subject}", "give the file as VideoPose3D's script writes it")
    takes = {}
    for action, joints in actions.items():
        count = joints.shape[1] if isinstance(joints, np.ndarray) and joints.ndim == 3 else 32
        world = number_array(joints, (None, count, 3), f"positions_3d[{subject}][{action}]", path)
        if count not in (N_JOINTS, 32):
            raise InputError(path, f"has {count} joints in {subject} {action}", "it must have 32, or the 17 of these")
        takes[str(action)] = world if count == N_JOINTS else world[:, JOINTS_OF_32]
    return takes


def _views(actions: Any, subject: str, action: str, path: Path) -> list[np.ndarray]:
    """Return the 2D of one action, one array per camera."""
    cameras = actions.get(action) if isinstance(actions, dict) else None
    is_single = isinstance(cameras, np.ndarray) and cameras.ndim == 0
    if not isinstance(cameras, list | np.ndarray) or is_single or not len(cameras):
        raise InputError(
            path, f"has no views of {subject} {action}", "give the files of the same run of VideoPose3D's script"
        )
    where = f"positions_2d[{subject}][{action}]"
    return [_view(view, f"{where}[{number}]", path) for number, view in enumerate(cameras)]


def _view(view: Any, where: str, path: Path) -> np.ndarray:
    """Return x, y and confidence (frames, 17, 3); the confidence is 1 for detections without it."""
    has_confidence = isinstance(view, np.ndarray) and view.shape[-1:] == (3,)
    found = number_array(view, (None, N_JOINTS, 3 if has_confidence else 2), where, path)
    confidence = found[..., 2:].clip(0, 1) if has_confidence else np.ones_like(found[..., :1])
    return np.concatenate([found[..., :2], confidence], axis=-1)


def _cameras(takes: dict[str, np.ndarray], views: Any, subject: str, path: Path) -> list[FoundCamera]:
    """Compute the cameras of a subject from all its actions."""
    pairs: list[tuple[list[np.ndarray], list[np.ndarray]]] = []
    for action, world in takes.items():
        for number, pixels in enumerate(_views(views, subject, action, path)):
            if number == len(pairs):
                pairs.append(([], []))
            frames = min(len(world), len(pixels))
            pairs[number][0].append(world[:frames].reshape(-1, 3))
            pairs[number][1].append(pixels[:frames, :, :2].reshape(-1, 2))
    found = []
    for number, (points, seen) in enumerate(pairs):
        try:
            camera = find_camera(np.concatenate(points), np.concatenate(seen))
        except (ValueError, np.linalg.LinAlgError) as error:
            raise InputError(path, f"does not determine camera {number} of {subject}", str(error)) from error
        if camera.error_px > TOO_FAR_PX:
            problem = f"camera {number} of {subject} does not see the 3D of {POSITIONS} ({camera.error_px:.0f} px off)"
            raise InputError(path, problem, "give the files of the same run of VideoPose3D's script")
        found.append(camera)
    return found


def _sequence(
    subject: str, action: str, number: int, world: np.ndarray, pixels: np.ndarray, camera: FoundCamera
) -> PoseSequence:
    """Return the sequence of one action and camera."""
    frames = min(len(world), len(pixels))  # detections of some videos go on after the end of the motion capture
    return PoseSequence(
        name=f"{subject} {action} camera {number}",
        keypoints_px=pixels[:frames, :, :2],
        confidence=pixels[:frames, :, 2],
        fps=FPS,
        image_size=IMAGE_SIZE,
        K=camera.K,
        joints_3d=camera.to_camera(world[:frames]).astype(np.float32),
        action=re.sub(r" \d+$", "", action),  # 'Walking 1' and 'Walking' are two takes of one action
        subject=subject,
        take=f"{subject} {action}",
    )
