"""Read and write packed clips: an npz with many clips end to end, the format of training and benchmark sets.

Arrays: `keypoints_2d` (N, 17, 2) px is required. The rest is optional: `confidence` (N, 17), `joints_3d_cam` (N, 17, 3)
m, and per clip `start`, `length`, `name`, `subject`, `action`, `take`, `K` (clips, 3, 3) px, `image_size` (2,) or (clips, 2)
px, `fps` () or (clips,). `joint_names` is the order of the joints if it is not Human3.6M's.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JOINT_SETS, JointSet, canonical_joint, to_h36m17
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES, N_JOINTS
from posenet3d.errors import InputError
from posenet3d.io.checked_json import MAX_PIXEL, check_pixels
from posenet3d.io.checked_npz import (
    Arrays,
    clip_rows,
    clip_table,
    expect,
    load_arrays,
    numeric,
    rates,
    refuse,
    save_arrays,
    texts,
    wrong,
)
from posenet3d.io.keypoints.keypoint_format import KeypointFormat
from posenet3d.io.keypoints.people import named_joint_set, no_person_error

FIELDS = ("keypoints_2d", "confidence", "joints_3d_cam", "start", "length", "name", "subject", "action", "take", "K",
          "image_size", "fps", "joint_names")  # fmt: skip


def read_packed(path: Path, *, joint_set: str | None = None) -> list[PoseSequence]:
    """Read all clips of a packed file, in its order.

    Raises:
        InputError: not an npz, a field of a wrong type, shape or value, or no joint seen in any frame.
    """
    data = load_arrays(path, FIELDS)
    keypoints_px, confidence = _joints(data, joint_set, path)
    truth = numeric(data, "joints_3d_cam", path)
    if truth is not None:
        expect(truth, (len(keypoints_px), N_JOINTS, 3), "joints_3d_cam", path)
        truth = truth.astype(np.float32, copy=False)
    clips = clip_rows(data, len(keypoints_px), path)
    names = texts(data, "name", len(clips), path) or _default_names(path, len(clips))
    subjects = texts(data, "subject", len(clips), path) or [""] * len(clips)
    actions = texts(data, "action", len(clips), path) or [""] * len(clips)
    takes = texts(data, "take", len(clips), path) or [""] * len(clips)
    cameras, sizes = _cameras(data, len(clips), path), _sizes(data, len(clips), path)
    fps = rates(data, len(clips), path)
    return [
        PoseSequence(
            name=names[i],
            keypoints_px=keypoints_px[rows],
            confidence=confidence[rows],
            fps=float(fps[i]),
            image_size=None if sizes is None else (int(sizes[i, 0]), int(sizes[i, 1])),
            K=None if cameras is None else cameras[i],
            joints_3d=None if truth is None else truth[rows],
            action=actions[i],
            subject=subjects[i],
            packed_at=(rows.start, len(keypoints_px)),
            take=takes[i],
        )
        for i, rows in enumerate(clips)
    ]


def write_packed(path: Path, sequences: Sequence[PoseSequence]) -> None:
    """Write clips end to end in one atomic step; `read_packed` reads them back.

    `K`, `image_size` and `joints_3d_cam` are written only where every clip has them, `take` where any clip has it.

    Raises:
        InputError: the file cannot be written.
        ValueError: there is no sequence.
    """
    if not sequences:
        raise ValueError("no sequence to write")
    arrays: Arrays = {
        "keypoints_2d": np.concatenate([s.keypoints_px for s in sequences]),
        "confidence": np.concatenate([s.confidence for s in sequences]),
        **clip_table(sequences),
        "joint_names": np.array(JOINT_NAMES),
    }
    truths = [s.joints_3d for s in sequences if s.joints_3d is not None]
    cameras = [s.K for s in sequences if s.K is not None]
    sizes = [s.image_size for s in sequences if s.image_size is not None]
    if any(s.take for s in sequences):
        arrays["take"] = np.array([s.take for s in sequences])
    if len(truths) == len(sequences):
        arrays["joints_3d_cam"] = np.concatenate(truths)
    if len(cameras) == len(sequences):
        arrays["K"] = np.stack(cameras)
    if len(sizes) == len(sequences):
        arrays["image_size"] = np.array(sizes, np.int64)
    save_arrays(path, arrays)


def _joints(data: Arrays, joint_set: str | None, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the 17 joints of all clips (N, 17, 2) in pixels and their confidence (N, 17)."""
    keypoints_px, confidence = numeric(data, "keypoints_2d", path), numeric(data, "confidence", path)
    if keypoints_px is None:
        raise InputError(path, "field 'keypoints_2d' is missing", "store the joints as (N, 17, 2) in pixels")
    if keypoints_px.ndim != 3 or keypoints_px.shape[2] != 2:
        raise wrong(path, "keypoints_2d", f"has shape {keypoints_px.shape}", "it must be (N, 17, 2) in pixels")
    check_pixels(keypoints_px, path, "keypoints_2d")
    wanted = _joint_set(data, joint_set, keypoints_px.shape[1], path)
    if confidence is None:
        confidence = np.ones(keypoints_px.shape[:2], np.float32)
    expect(confidence, keypoints_px.shape[:2], "confidence", path)
    if wanted.joints != JOINT_NAMES:
        keypoints_px, confidence = to_h36m17(keypoints_px, confidence, wanted)
    if not (np.isfinite(keypoints_px).all(-1) & (np.nan_to_num(confidence) > 0)).any():
        raise no_person_error(path)
    return keypoints_px, confidence


def _joint_set(data: Arrays, joint_set: str | None, count: int, path: Path) -> JointSet:
    """Return the joint set that the caller names, else the joints that the file names, else Human3.6M's."""
    wanted = JOINT_SETS["h36m17"]
    if joint_set:
        wanted = named_joint_set(joint_set, path)
    elif "joint_names" in data:
        names = texts(data, "joint_names", count, path)
        wanted = JointSet("joint_names", tuple(canonical_joint(name) for name in names))
    if len(wanted) != count:
        raise wrong(path, "keypoints_2d", f"holds {count} joints", f"it must be (N, {len(wanted)}, 2) in pixels")
    return wanted


def _default_names(path: Path, count: int) -> list[str]:
    """Return names made of the file's name, for a file without `name`."""
    return [path.stem] if count == 1 else [f"{path.stem}.clip{index}" for index in range(count)]


def _cameras(data: Arrays, count: int, path: Path) -> Float[np.ndarray, "clips 3 3"] | None:
    """Return the intrinsics of every clip; the file may hold one matrix for all."""
    K = numeric(data, "K", path)
    if K is None:
        return None
    if K.shape == (3, 3):
        K = np.broadcast_to(K, (count, 3, 3))
    expect(K, (count, 3, 3), "K", path)
    focal = np.stack([K[:, 0, 0], K[:, 1, 1]], -1)
    is_pinhole = (focal > 1e-6).all(-1) & np.isclose(K[:, [1, 2, 2], [0, 0, 1]], 0).all(-1) & np.isclose(K[:, 2, 2], 1)
    refuse(~(np.isfinite(K).all((1, 2)) & is_pinhole), "K", path, "must be [f 0 cx; 0 f cy; 0 0 1] with f > 0 pixels")
    return K.astype(np.float64)


def _sizes(data: Arrays, count: int, path: Path) -> Float[np.ndarray, "clips 2"] | None:
    """Return the image size of every clip; the file may hold one size for all."""
    sizes = numeric(data, "image_size", path)
    if sizes is None:
        return None
    if sizes.shape == (2,):
        sizes = np.broadcast_to(sizes, (count, 2))
    expect(sizes, (count, 2), "image_size", path)
    good = ((sizes >= 1) & (sizes <= MAX_PIXEL)).all(-1)
    refuse(np.asarray(~good), "image_size", path, "must be width and height in pixels")
    return sizes.astype(np.float64)


FORMAT = KeypointFormat(
    name="packed clips",
    suffixes=(".npz",),
    recognise=lambda file: file.suffix == ".npz",
    read=lambda file, options: read_packed(file.path, joint_set=options.joint_set),
    description=(
        "a .npz with `keypoints_2d` and, for several clips, `start`, `length`, `name`, `K`, `confidence` ... "
        "Human3.6M-17, or any joints by `joint_names`."
    ),
)
