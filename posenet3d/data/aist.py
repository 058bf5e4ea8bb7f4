"""AIST++ (Li et al., ICCV 2021): the folder of annotations with ``keypoints3d/*.pkl`` and ``cameras/``.

Download the annotations at https://google.github.io/aistplusplus_dataset. ``keypoints3d`` holds COCO's 17 joints in
centimetres, ``cameras/mapping.txt`` says which ``cameras/settingN.json`` a take was filmed with, and nine cameras see each.
60 frames per second. Frames whose 3D is far outside the studio are the authors' failures and become unknown.
"""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from posenet3d.camera import project
from posenet3d.data.json_file import load_json
from posenet3d.data.object_npz import number_array
from posenet3d.data.pickle_file import load_pickle
from posenet3d.errors import InputError
from posenet3d.jointsets import to_h36m17
from posenet3d.sequence import PoseSequence

FPS = 60.0
CM = 100.0  # centimetres in a metre
STUDIO_M = 20.0


def read_aist(folder: Path) -> list[PoseSequence]:
    """Every take as each of its cameras sees it: the 2D is the projected 3D.

    Raises:
        InputError: a file is missing or damaged.
    """
    files = sorted((folder / "keypoints3d").glob("*.pkl"))
    mapping = folder / "cameras" / "mapping.txt"
    if not files or not mapping.is_file():
        raise InputError(folder, "has no keypoints3d/*.pkl or no cameras/mapping.txt", "give the folder of annotations")
    settings = dict(line.split()[:2] for line in mapping.read_text().splitlines() if len(line.split()) >= 2)
    return [sequence for file in files for sequence in _views(file, settings, folder)]


def _views(path: Path, settings: dict[str, str], folder: Path) -> list[PoseSequence]:
    content = load_pickle(path, ())
    name = "keypoints3d_optim" if "keypoints3d_optim" in content else "keypoints3d"
    joints = number_array(content.get(name), (None, 17, 3), name, path) / CM
    joints[(np.abs(joints) > STUDIO_M).any(-1)] = np.nan
    if path.stem not in settings:
        raise InputError(folder / "cameras" / "mapping.txt", f"does not name {path.stem}", "download it again")
    cameras = folder / "cameras" / f"{settings[path.stem]}.json"
    found = load_json(cameras)
    if not isinstance(found, list):
        raise InputError(cameras, "is no list of cameras", "download it again")
    return [_view(path.stem, joints, camera, cameras) for camera in found]


def _view(take: str, joints: np.ndarray, camera: object, path: Path) -> PoseSequence:
    if not isinstance(camera, dict) or not {"matrix", "rotation", "translation", "size"} <= camera.keys():
        raise InputError(path, "has a camera without matrix, rotation, translation or size", "download it again")
    K = number_array(camera["matrix"], (3, 3), "matrix", path)
    R = Rotation.from_rotvec(number_array(camera["rotation"], (3,), "rotation", path)).as_matrix()
    t = number_array(camera["translation"], (3,), "translation", path) / CM
    width, height = number_array(camera["size"], (2,), "size", path)
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
    )
