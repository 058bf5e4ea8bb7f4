"""Read 2D keypoints: a path on disk, in any supported format, becomes a list of `PoseSequence`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posenet3d.core.sequence import MAX_FPS, MIN_FPS, PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.keypoints import formats
from posenet3d.io.keypoints.keypoint_format import KeypointFile, KeypointOptions
from posenet3d.io.keypoints.other_files import explain_other_file
from posenet3d.io.keypoints.units import in_pixels
from posenet3d.io.video import is_video


def read_keypoints(
    path: str | Path,
    *,
    joint_set: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    units: str | None = None,
) -> list[PoseSequence]:
    """Read every person or clip in a file or folder of 2D joints.

    Args:
        path: a file or folder in one of `posenet3d.io.keypoints.formats.FORMATS`.
        joint_set: the detector's joint set, a name in `posenet3d.core.jointsets.JOINT_SETS`; None recognises it.
        fps: frames per second, overriding the file's own; without either it is 30.
        image_size: width and height in pixels, overriding the file's own.
        units: what the coordinates are, a name in `posenet3d.io.keypoints.units.UNITS`; None recognises it.

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
        options = KeypointOptions(joint_set, None if fps is None else float(fps), image_size)
        sequences = in_pixels(_read(KeypointFile(path), options), path, units, image_size)
    except OSError as error:  # even asking whether it is a folder can fail: no permission, or too long a name
        raise InputError(path, "cannot be read", "check the path and its permissions") from error
    sequences = [_with_empty_note(sequence) for sequence in sequences]
    if image_size is not None:
        sequences = [replace(sequence, image_size=image_size) for sequence in sequences]
    return sequences if fps is None else [replace(sequence, fps=float(fps)) for sequence in sequences]


def _with_empty_note(sequence: PoseSequence) -> PoseSequence:
    """Return the sequence with a note that counts its rows without a person, if there are any."""
    empty = int((~sequence.is_observed.any(1)).sum())
    if empty == 0:
        return sequence
    note = f"{sequence.name} is not seen in {empty} of {len(sequence)} frames."
    return replace(sequence, notes=(*sequence.notes, note))


def choose_track(
    sequences: Sequence[PoseSequence], track: int | None = None, *, file: str | Path = "the input"
) -> list[PoseSequence]:
    """Return the person with track number `track`, else the most complete one; clips of a packed file are all kept.

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


def _read(file: KeypointFile, options: KeypointOptions) -> list[PoseSequence]:
    """Read with the first format that recognises the file."""
    if (error := explain_other_file(file)) is not None:
        raise error
    for known in formats.FORMATS:
        if known.recognise(file):
            return known.read(file, options)
    raise _unknown_format(file)


def _unknown_format(file: KeypointFile) -> InputError:
    """Return the error for a path that no format recognises."""
    path, suffix = file.path, file.suffix
    if not path.exists():
        return InputError(path, "there is no such file", "check the path")
    if is_video(path):
        return InputError(path, "is a video, not 2D joints", "give it to 'posenet3d detect', then its result here")
    if suffix in formats.accepted_suffixes():
        problem = f"is none of the {suffix} files that can be read"
        return InputError(path, problem, f"give {formats.describe_formats(suffix)}")
    return InputError(path, f"'{suffix or path.name}' is no known format", f"give {formats.describe_formats()}")
