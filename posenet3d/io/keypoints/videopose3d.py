"""Read VideoPose3D's custom data sets (``data_2d_custom_NAME.npz``) and Detectron2's detections of one video."""

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_pickle import load_dictionary, load_object, number_array
from posenet3d.io.keypoints.entries import Entry, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions

LAYOUTS = {"coco": "coco17", "h36m": "h36m17", "human36m": "h36m17", "mpii": "mpii16"}


def npz_fields(path: Path) -> set[str]:
    """Return the names of an npz file's arrays; none for a file that is no zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return set()


def recognise_custom(path: Path) -> bool:
    """Return whether an npz holds VideoPose3D's ``positions_2d`` and ``metadata``."""
    return path.suffix.lower() == ".npz" and {"positions_2d", "metadata"} <= npz_fields(path)


def read_custom(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read every video of a custom data set as a clip; the joint set and each video's size are in its metadata.

    Raises:
        InputError: a field is missing or wrong, or the file names anything but arrays.
    """
    positions, metadata = load_dictionary(path, "positions_2d"), load_dictionary(path, "metadata")
    joint_set = _layout(metadata, path)
    videos = metadata.get("video_metadata")
    sequences: list[PoseSequence] = []
    for subject, actions in positions.items():
        if not isinstance(actions, dict):
            raise InputError(
                path, f"field 'positions_2d' has no actions for '{subject}'", "give the file as it was made"
            )
        for action, views in actions.items():
            for number, view in enumerate(views if isinstance(views, list | tuple | np.ndarray) else []):
                where = f"positions_2d of {subject}"
                joints = number_array(view, (None, None, None), where, path)
                size = _video_size(videos, subject) or options.image_size
                clip = sequences_of_entries(
                    entries_of_array(joints, path, where), path, options, where,
                    joint_set=joint_set, image_size=size, frames=(0, len(joints) - 1),
                )  # fmt: skip
                name = f"{subject} {action}" + (f" {number}" if len(views) > 1 else "")
                sequences += [renamed(sequence, name) for sequence in clip]
    if not sequences:
        raise InputError(path, "holds no video", "give the file that prepare_data_2d_custom.py wrote")
    return sequences


def renamed(sequence: PoseSequence, name: str) -> PoseSequence:
    """Return the sequence as a clip of its own: with this name and no track."""
    return replace(sequence, name=name, take=name, track_id=None)


def entries_of_array(joints: np.ndarray, path: Path, field: str) -> list[Entry]:
    """Return one entry per frame of (frames, joints, 2 or 3); a frame that is NaN or 0 throughout has nobody.

    Raises:
        InputError: the array has another shape.
    """
    if joints.ndim != 3 or joints.shape[2] not in (2, 3):
        raise InputError(path, f"field '{field}' has shape {joints.shape}", "it must be (frames, joints, 2 or 3)")
    values = joints.astype(np.float64)
    if values.shape[2] == 2:
        values = np.concatenate([values, np.ones((*values.shape[:2], 1))], axis=2)
    values[~np.isfinite(values).all(2)] = 0
    seen = (values[..., :2] != 0).any((1, 2))
    return [Entry(int(frame), values[frame]) for frame in np.flatnonzero(seen)]


def _layout(metadata: dict[str, Any], path: Path) -> JointSet | None:
    name = metadata.get("layout_name")
    known = LAYOUTS.get(str(name).lower()) if isinstance(name, str) else None
    return JOINT_SETS.get(known) if known else None


def _video_size(videos: object, subject: str) -> tuple[int, int] | None:
    own = videos.get(subject) if isinstance(videos, dict) else None
    if not isinstance(own, dict):
        return None
    width, height = own.get("w"), own.get("h")
    if not all(isinstance(side, int | np.integer) and side > 0 for side in (width, height)):
        return None
    return int(width), int(height)  # type: ignore[arg-type]


def recognise_detectron(path: Path) -> bool:
    """Return whether an npz holds Detectron2's ``boxes`` and ``keypoints`` per frame."""
    return path.suffix.lower() == ".npz" and {"boxes", "keypoints", "metadata"} <= npz_fields(path)


def read_detectron(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read the detections of VideoPose3D's infer_video: per frame (people, 4, 17), rows x, y, logit, probability.

    Raises:
        InputError: a field is missing or wrong, or the file names anything but arrays.
    """
    frames = load_object(path, "keypoints")
    metadata = load_object(path, "metadata")
    size = _video_size({"video": metadata}, "video")
    entries = []
    for number, classes in enumerate(frames):
        people = classes[1] if len(classes) > 1 else []
        if not len(people):
            continue
        values = number_array(people, (None, None, None), f"keypoints of frame {number}", path)
        if values.shape[1] < 3:
            raise InputError(
                path, f"field 'keypoints' has shape {values.shape} in frame {number}", "give Detectron's file"
            )
        entries += [Entry(number, np.stack([person[0], person[1], person[-1]], axis=1)) for person in values]
    joint_set = JOINT_SETS["coco17"]
    return sequences_of_entries(
        entries, path, options, "keypoints", joint_set=joint_set, image_size=size, frames=(0, max(len(frames) - 1, 0))
    )


CUSTOM = KeypointFormat(
    name="VideoPose3D data set",
    suffixes=(".npz",),
    recognise=lambda file: recognise_custom(file.path),
    read=lambda file, options: read_custom(file.path, options),
    description="data_2d_custom_NAME.npz with `positions_2d` and `metadata`, a clip per video.",
)
DETECTRON = KeypointFormat(
    name="Detectron2",
    suffixes=(".npz",),
    recognise=lambda file: recognise_detectron(file.path),
    read=lambda file, options: read_detectron(file.path, options),
    description="the .npz that VideoPose3D's infer_video writes per video, with `boxes` and `keypoints`.",
)
