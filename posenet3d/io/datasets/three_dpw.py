"""Read 3DPW (von Marcard et al., ECCV 2018): ``sequenceFiles/{train,validation,test}/*.pkl``.

Register at https://virtualhumans.mpi-inf.mpg.de/3DPW, and give the folder ``sequenceFiles``, one of its parts or one file.
The ground truth is computed from the 24 SMPL joints in the files, so no body model is needed. The benchmark's own 14 joints
are regressed from SMPL's mesh and differ by a few centimetres at hips and head. 30 frames per second. Files written by
`posenet3d.exports.three_dpw` are read, too.
"""

from pathlib import Path

import numpy as np

from posenet3d.core.camera import project
from posenet3d.core.jointsets import JOINT_SETS, to_h36m17
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_pickle import camera_matrix, load_pickle, number_array, valid_frames

FPS = 30.0
FIELDS = ("jointPositions", "poses2d", "cam_poses", "cam_intrinsics", "campose_valid", "sequence")
N_BODY = len(JOINT_SETS["smpl24"])


def read_3dpw(path: Path, *, detections: str = "own") -> list[PoseSequence]:
    """Read every person of every sequence, with the 3D in the moving camera's frame; NaN where the camera is not known.

    Args:
        path: a folder or a file.
        detections: 'own' for the 2D joints in the files (OpenPose's), 'gt' for the projected 3D.

    Raises:
        InputError: no such file, a damaged one, or other `detections`.
    """
    if detections not in ("own", "gt"):
        raise InputError("--detections", f"'{detections[:30]}' is not for 3DPW", "give 'own' or 'gt'")
    files = sorted(path.rglob("*.pkl")) if path.is_dir() else [path]
    if not files:
        raise InputError(path, "holds no .pkl files", "give the folder sequenceFiles")
    return [sequence for file in files for sequence in _people(file, detections)]


def _people(path: Path, detections: str) -> list[PoseSequence]:
    """Return the people in one file."""
    content = load_pickle(path, FIELDS)
    missing = [field for field in FIELDS if field not in content]
    if missing:
        raise InputError(path, f"field '{missing[0]}' is missing", "give the file as it was downloaded")
    K = camera_matrix(content["cam_intrinsics"], "cam_intrinsics", path)
    T_cam_world = number_array(content["cam_poses"], (None, 4, 4), "cam_poses", path)
    frames = len(T_cam_world)
    joint_lists = content["jointPositions"]
    if (
        isinstance(joint_lists, np.ndarray) and joint_lists.ndim == 4
    ):  # (people, frames, 24, 3): the challenge, our exports
        joint_lists = [joints.reshape(len(joints), -1) for joints in joint_lists]
    lists = [content[field] for field in ("poses2d", "campose_valid")]
    if not isinstance(content["sequence"], str):
        raise InputError(path, "field 'sequence' is not the name of the sequence", "give the file as it was downloaded")
    if not all(isinstance(x, list) and len(x) == len(joint_lists) for x in (joint_lists, *lists)) or not joint_lists:
        raise InputError(path, "field 'jointPositions' is not a list of people", "give the file as it was downloaded")
    people = []
    for number, (joints, pose_2d, valid) in enumerate(zip(joint_lists, *lists, strict=True)):
        world = number_array(joints, (frames, 3 * N_BODY), f"jointPositions[{number}]", path).reshape(frames, N_BODY, 3)
        cam = np.einsum("fij,fkj->fki", T_cam_world[:, :3, :3], world) + T_cam_world[:, None, :3, 3]
        truth, _ = to_h36m17(cam, np.ones(cam.shape[:2]), "smpl24")
        truth[~valid_frames(valid, frames, f"campose_valid[{number}]", path)] = np.nan
        if detections == "gt":
            pixels = project(truth, K)
            confidence = np.isfinite(pixels).all(-1).astype(float)
        else:
            detected = number_array(pose_2d, (frames, 3, 18), f"poses2d[{number}]", path)
            pixels, confidence = to_h36m17(detected[:, :2].transpose(0, 2, 1), detected[:, 2].clip(0, 1), "coco18")
        people.append(
            PoseSequence(
                name=f"3DPW {content['sequence']} person {number}",
                keypoints_px=pixels,
                confidence=confidence,
                fps=FPS,
                image_size=(round(2 * K[0, 2]), round(2 * K[1, 2])),  # 1920 x 1080, or upright
                K=K,
                joints_3d=truth.astype(np.float32),
                action=str(content["sequence"]),
                subject=f"{content['sequence']} person {number}",
                take=f"3DPW {content['sequence']}",
            )
        )
    return people
