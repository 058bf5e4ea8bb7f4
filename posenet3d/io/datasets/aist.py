"""Read AIST++ (Li et al., ICCV 2021): the folder of annotations with ``keypoints3d/*.pkl`` and ``cameras/``.

Download the annotations at https://google.github.io/aistplusplus_dataset. ``keypoints3d`` holds COCO's 17 joints in
centimetres, ``ignore_list.txt`` the names of takes that failed, and ``cameras/mapping.txt`` the file
``cameras/settingN.json`` of every take. Nine cameras record each take at 60 frames per second. Frames with 3D joints far
outside the studio are failures of the authors' reconstruction and become unknown.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from posenet3d.core.camera import project
from posenet3d.core.jointsets import to_h36m17
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import MAX_PIXEL, load_json
from posenet3d.io.checked_pickle import camera_matrix, load_pickle, number_array
from posenet3d.io.checked_text import read_text

FPS = 60.0
CM = 100.0  # centimetres in a metre
STUDIO_M = 20.0


def read_aist(folder: Path) -> list[PoseSequence]:
    """Read one sequence per take and camera; the 2D is the projected 3D.

    Raises:
        InputError: a file is missing or damaged.
    """
    files = sorted((folder / "keypoints3d").glob("*.pkl"))
    mapping = folder / "cameras" / "mapping.txt"
    if not files or not mapping.is_file():
        raise InputError(folder, "has no keypoints3d/*.pkl or no cameras/mapping.txt", "give the folder of annotations")
    settings = dict(line.split()[:2] for line in read_text(mapping).splitlines() if len(line.split()) >= 2)
    ignored = folder / "ignore_list.txt"  # the authors' list of takes with failed joints
    left_out = set(read_text(ignored).split()) if ignored.is_file() else set()
    return [s for file in files if file.stem not in left_out for s in _sequences_of_take(file, settings, folder)]


def _sequences_of_take(path: Path, settings: dict[str, str], folder: Path) -> list[PoseSequence]:
    """Return the sequences of all cameras of one take."""
    content = load_pickle(path, ("keypoints3d", "keypoints3d_optim"))
    name = "keypoints3d_optim" if "keypoints3d_optim" in content else "keypoints3d"
    joints = number_array(content.get(name), (None, 17, 3), name, path) / CM
    joints[(np.abs(joints) > STUDIO_M).any(-1)] = np.nan
    if path.stem not in settings:
        raise InputError(folder / "cameras" / "mapping.txt", f"does not name {path.stem}", "download it again")
    cameras = folder / "cameras" / f"{settings[path.stem]}.json"
    found = load_json(cameras)
    if not isinstance(found, list):
        raise InputError(cameras, "is not a list of cameras", "download it again")
    return [_sequence(path.stem, joints, camera, cameras) for camera in found]


def _sequence(take: str, joints: np.ndarray, camera: object, path: Path) -> PoseSequence:
    """Return the sequence of one camera; `joints` in metres in the world."""
    if not isinstance(camera, dict) or not {"matrix", "rotation", "translation", "size"} <= camera.keys():
        raise InputError(path, "has a camera without matrix, rotation, translation or size", "download it again")
    K = camera_matrix(camera["matrix"], "matrix", path)
    rotvec, t = (number_array(camera[field], (3,), field, path) for field in ("rotation", "translation"))
    width, height = number_array(camera["size"], (2,), "size", path)
    if not (np.isfinite([*rotvec, *t]).all() and 1 <= min(width, height) <= max(width, height) <= MAX_PIXEL):
        raise InputError(
            path, "has a camera with a rotation, translation or size that is not valid", "download it again"
        )
    R, t = Rotation.from_rotvec(rotvec).as_matrix(), t / CM
    cam = joints @ R.T + t
    truth, _ = to_h36m17(cam, np.isfinite(cam).all(-1).astype(float), "coco17")
    pixels = project(truth, K)
    parts = take.split("_")  # genre, situation, camera, dancer, music, choreography
    return PoseSequence(
        name=f"AIST++ {take} {camera.get('name', '')}".strip(),
        keypoints_px=pixels,
        confidence=np.isfinite(pixels).all(-1).astype(float),
        fps=FPS,
        image_size=(int(width), int(height)),
        K=K,
        joints_3d=truth.astype(np.float32),
        action=parts[0],
        subject=parts[3] if len(parts) > 3 else "",
        take=f"AIST++ {take}",
    )
