"""Uploaded files: group them into clips, and write them to disk for the readers."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from posenet3d.errors import InputError
from posenet3d.io import video

KEYPOINT_SUFFIXES = ["json", "npz", "csv", "zip"]
IMAGE_SUFFIXES = [suffix[1:] for suffix in video.IMAGE_SUFFIXES]
VIDEO_SUFFIXES = [suffix[1:] for suffix in video.VIDEO_SUFFIXES]

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
    """Return the contents of keypoint files by name; OpenPose's frames are one clip together, other files one clip each."""
    contents = [(file.name, file.getvalue()) for file in files]
    frames = sorted((n, content) for n, content in contents if n.endswith(".json") and b'"people"' in content)
    groups: dict[str, tuple[Upload, ...]]
    groups = {name: ((name, content),) for name, content in contents if (name, content) not in frames}
    if not frames:
        return groups
    return groups | {f"{clip_name(frames[0][0])} ({len(frames)} frames)": tuple(frames)}


def _suffix(name: str) -> str:
    return Path(name).suffix[1:].lower()


@contextmanager
def on_disk(name: str, files: Sequence[UploadedFile]) -> Iterator[Path]:
    """Write an upload to a temporary file, or several to a folder; errors name the uploaded file and not our copy."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / clip_name(files[0].name)
        folder.mkdir()
        for file in files:
            (folder / Path(file.name).name).write_bytes(file.getbuffer())  # no second copy in memory
        try:
            yield folder / Path(files[0].name).name if len(files) == 1 else folder
        except InputError as error:
            raise InputError(name, error.problem, error.remedy) from error
