"""The door: a path on disk, in any supported format, becomes a list of `PoseSequence`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posenet3d.core.sequence import DEFAULT_FPS, MAX_FPS, MIN_FPS, PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import load_json
from posenet3d.io.keypoints.alphapose import read_results
from posenet3d.io.keypoints.coco import read_coco
from posenet3d.io.keypoints.csv_table import read_csv
from posenet3d.io.keypoints.openpose import read_openpose
from posenet3d.io.keypoints.packed import read_packed
from posenet3d.io.video import VIDEO_SUFFIXES

FORMATS = "an OpenPose folder or its zip, COCO or AlphaPose .json, .csv, or packed .npz"


def read_keypoints(path: str | Path, *, joint_set: str | None = None, fps: float | None = None) -> list[PoseSequence]:
    """Every person or clip in a file or folder of 2D joints.

    Args:
        path: an OpenPose folder, its zip or one frame; COCO or AlphaPose JSON; the project's CSV; packed clips.
        joint_set: the detector's joint set (`posenet3d.core.jointsets.JOINT_SETS`), where it is not to be recognised.
        fps: frames per second, overriding what the file says; without either it is 30.

    Returns:
        Clips in the file's order, or people, most complete first. Several people of one file are called
        ``<file>.person<track_id>``; every row is a frame of the input.

    Raises:
        InputError: the path cannot be used; the message names the file, the field and the remedy.
    """
    path = Path(path)
    if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
        remedy = f"give {MIN_FPS:g} to {MAX_FPS:g} frames per second"
        raise InputError(path, f"the frame rate {fps:g} is not usable", remedy)
    try:
        sequences = _read(path, joint_set, DEFAULT_FPS if fps is None else float(fps))
    except OSError as error:  # already what it is (a folder? a file?) may be forbidden to ask, or the name too long
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    return sequences if fps is None else [replace(sequence, fps=float(fps)) for sequence in sequences]


def choose_track(
    sequences: Sequence[PoseSequence], track: int | None = None, *, file: str | Path = "the input"
) -> list[PoseSequence]:
    """The person to work on: track number `track`, else the most complete one; clips of a packed file are all kept.

    Raises:
        InputError: there is no such track.
    """
    if track is None:
        return [s for s in sequences if s.track_id is None] or list(sequences[:1])
    chosen = [sequence for sequence in sequences if sequence.track_id == track]
    if not chosen:
        ids = [str(s.track_id) for s in sequences if s.track_id is not None]
        remedy = (
            f"choose one of {', '.join(ids[:20])}" if ids else "leave the track out: the file has clips, not tracks"
        )
        raise InputError(file, f"there is no track {track}", remedy)
    return chosen


def _read(path: Path, joint_set: str | None, fps: float) -> list[PoseSequence]:
    """Choose the reader by what the path is, and for JSON by what is in it."""
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".zip":
        return read_openpose(path, joint_set=joint_set, fps=fps)
    if suffix == ".npz":
        return read_packed(path, joint_set=joint_set)
    if suffix == ".csv":
        return read_csv(path, joint_set=joint_set, fps=fps)
    if suffix == ".json":
        return _read_json(path, joint_set, fps)
    if not path.exists():
        raise InputError(path, "there is no such file", "check the path")
    if suffix in VIDEO_SUFFIXES:
        raise InputError(path, "is a video, not 2D joints", "give it to 'posenet3d detect', then its result here")
    raise InputError(path, f"'{suffix or path.name}' is no known format", f"give {FORMATS}")


def _read_json(path: Path, joint_set: str | None, fps: float) -> list[PoseSequence]:
    content = load_json(path)
    if isinstance(content, list):
        return read_results(content, path, joint_set=joint_set, fps=fps)
    if isinstance(content, dict) and "people" in content:
        return read_openpose(path, joint_set=joint_set, fps=fps)
    if isinstance(content, dict) and "annotations" in content:
        return read_coco(content, path, joint_set=joint_set, fps=fps)
    raise InputError(
        path,
        "has neither 'people' (OpenPose), nor 'annotations' (COCO), nor is it a list (AlphaPose)",
        "give one of these formats",
    )
