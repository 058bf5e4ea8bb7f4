"""Uploaded files: group them into clips, and write them to disk for the readers."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.keypoints.formats import accepted_suffixes
from posenet3d.io.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

ACCEPTED_SUFFIXES = tuple(dict.fromkeys((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *accepted_suffixes())))
"""Every file that the command line reads, too."""

MAX_SESSION_BYTES = 2 * 10**9
"""What one visitor may take of the server's memory: uploaded files, and what was read from them."""

MAX_STEM_BYTES, MAX_SUFFIX_BYTES = 150, 20  # file systems allow 255

Upload = tuple[str, bytes]
"""Name and content of an uploaded file."""


def clip_name(first_file: str) -> str:
    """Return the name of the clip that a frame's file belongs to: 'cam01' for cam01.0000.json, 'clip' for clip_0012.json."""
    return re.sub(r"[._-]*\d+(_keypoints)?$", "", Path(first_file).stem) or "upload"


def group_videos(files: Sequence[UploadedFile]) -> dict[str, list[UploadedFile]]:
    """Return the videos among the files by name; several images are one video together."""
    videos = {file.name: [file] for file in files if _suffix(file.name) in VIDEO_SUFFIXES}
    images = [file for file in files if _suffix(file.name) in IMAGE_SUFFIXES]
    if len(images) == 1:
        videos[images[0].name] = images
    elif images:
        videos[f"{clip_name(images[0].name)} ({len(images)} pictures)"] = images
    return videos


def group_keypoints(files: Sequence[UploadedFile]) -> dict[str, tuple[Upload, ...]]:
    """Return the contents of keypoint files by name.

    OpenPose's frames (.json) are one clip together, and so are YOLO's (.txt); other files are one clip each.
    """
    contents = [(file.name, file.getvalue()) for file in files]
    openpose = sorted(one for one in contents if _suffix(one[0]) == ".json" and b'"people"' in one[1])
    labels = sorted(one for one in contents if _suffix(one[0]) == ".txt")
    sets_of_frames = [openpose, labels if len(labels) > 1 else []]
    single = [one for one in contents if not any(one in frames for frames in sets_of_frames)]
    groups: dict[str, tuple[Upload, ...]] = {name: ((name, content),) for name, content in single}
    for frames in filter(None, sets_of_frames):
        groups[f"{clip_name(frames[0][0])} ({len(frames)} frames)"] = tuple(frames)
    return groups


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def disk_name(name: str) -> str:
    """Return the name of our temporary copy of an uploaded file: short, without folders, control characters or leading dots.

    The number at the end stays, because it says which frame it is.
    """
    base = re.sub(r"[\x00-\x1f\x7f/\\\\:]", "_", re.split(r"[/\\\\]", name)[-1])
    suffix = Path(base).suffix
    stem = base.removesuffix(suffix).strip(". ")
    return (_last_bytes(stem, MAX_STEM_BYTES).lstrip(". ") or "upload") + _last_bytes(suffix, MAX_SUFFIX_BYTES)


def _last_bytes(text: str, limit: int) -> str:
    return text.encode(errors="ignore")[-limit:].decode(errors="ignore")


@contextmanager
def on_disk(name: str, files: Sequence[UploadedFile | Upload]) -> Iterator[Path]:
    """Write an upload to a temporary file, or several to a folder; errors name the uploaded file and not our copy.

    Args:
        name: of the clip, for errors.
        files: the files of the clip; their contents are not copied in memory.

    Raises:
        InputError: two files have the same name.
    """
    contents = [file if isinstance(file, tuple) else (file.name, file.getbuffer()) for file in files]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / (
            clip_name(disk_name(contents[0][0])).strip(". ") or "upload"
        )  # readers name the clip after it
        folder.mkdir()
        for original, content in contents:
            path = folder / disk_name(original)
            if path.exists():
                raise InputError(Path(original).name, "is there twice in this upload", "rename one of the two files")
            try:
                path.write_bytes(content)
            except OSError as error:
                raise InputError(
                    name, f"cannot be copied ({error.strerror})", "make room on the server's disk"
                ) from error
        try:
            yield path if len(contents) == 1 else folder
        except InputError as error:
            raise InputError(name, error.problem, error.remedy) from error


def check_total(files: Sequence[UploadedFile], kept_bytes: int) -> None:
    """Check the memory that a visitor takes, before the files are read.

    Args:
        files: in the uploader.
        kept_bytes: size of what was read from earlier files.

    Raises:
        InputError: it is more than `MAX_SESSION_BYTES`.
    """
    total = kept_bytes + sum(file.size for file in files)
    if total > MAX_SESSION_BYTES:
        problem = f"the files of this visit take {total / 1e9:.1f} GB together, and {MAX_SESSION_BYTES / 1e9:.0f} GB are allowed"
        raise InputError("upload", problem, "remove files, or reload the page to start again")


def memory_of(tracks: Sequence[PoseSequence]) -> int:
    """Return the size of sequences in memory, in bytes."""
    arrays = [(track.keypoints_px, track.confidence, track.joints_3d) for track in tracks]
    return sum(array.nbytes for of_track in arrays for array in of_track if array is not None)
