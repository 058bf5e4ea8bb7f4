"""Open videos and folders of images, and decode their frames one after the other.

Frames are decoded on demand, so that a video of any length takes the memory of a few frames. What a file is, its content
says: an ending may be missing or wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from posenet3d.core.sequence import DEFAULT_FPS, MAX_FPS
from posenet3d.errors import InputError
from posenet3d.io import images
from posenet3d.io.checked_json import last_number
from posenet3d.io.images import IMAGE_SUFFIXES, Picture
from posenet3d.io.video_stream import (
    ACCEPTED_INPUT,
    decode,
    has_video_stream,
    is_shown,
    open_stream,
    packets,
    read_head,
    time_stamp,
)

__all__ = ["ACCEPTED_INPUT", "IMAGE_SUFFIXES", "Picture", "is_video", "open_video", "read_frames"]

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".wmv", ".mts", ".m2ts", ".3gp"),
    *(".ts", ".flv", ".ogv"),
)
"""Common endings, for file dialogs, and for the sentence about a damaged file. Other videos are known by their content."""

MAX_FILES_TRIED = 20
"""At most this many files of a folder are opened to find out whether it holds videos."""


class ImageFile(NamedTuple):
    """An image file of a folder."""

    name: str
    size: tuple[int, int]  # upright width and height, pixels


@dataclass(frozen=True)
class Video:
    """What is known about a video without decoding it: the times of its frames, their size, and perhaps the lens.

    A video of variable rate is treated as one of constant rate with dropped frames: `frame_index` is the index of each
    decoded frame at the constant rate `fps`. For a video of constant rate that is 0, 1, 2 ...
    """

    file: Path
    times_s: Float[np.ndarray, " frames"]
    size: tuple[int, int]  # upright width and height of the first frame, pixels
    fps: float
    fov_deg: float | None = None  # across the longer side, from the metadata
    image_files: tuple[ImageFile, ...] = ()  # of a folder of images, which may differ in size

    def __len__(self) -> int:
        return len(self.times_s)

    def image_file(self, number: int) -> ImageFile:
        """Return the image file of a frame; for a video a record with the file's name and the frame size."""
        return self.image_files[number] if self.image_files else ImageFile(self.file.name, self.size)

    @property
    def frame_index(self) -> Int[np.ndarray, " frames"]:
        """The index of each frame at the constant rate `fps`; all differ."""
        nearest = np.round(self.times_s * self.fps).astype(int)
        steps = np.arange(len(nearest))
        return np.maximum.accumulate(nearest - steps) + steps

    @property
    def has_constant_rate(self) -> bool:
        """Whether no frame was dropped."""
        return int(self.frame_index[-1]) == len(self) - 1


def is_video(path: Path) -> bool:
    """Return whether a path is a video, an image, or a folder of images without JSON (OpenPose's folders may hold both).

    A file is one by its content. A file that is missing or damaged is one by its ending, so that `open_video` says so.

    Raises:
        InputError: a folder cannot be read.
    """
    if _is_folder(path):
        suffixes = {file.suffix.lower() for file in _files_in(path)}
        return ".json" not in suffixes and not suffixes.isdisjoint(IMAGE_SUFFIXES)
    if path.suffix.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES):
        return True
    try:
        head = read_head(path)
    except InputError:
        return False
    return images.has_image_content(head) or has_video_stream(path, head)


def videos_in(folder: Path) -> list[Path]:
    """Return the videos among the first files of a folder, which `open_video` takes one by one.

    Raises:
        InputError: the folder cannot be read.
    """
    files = sorted(file for file in _files_in(folder) if not file.name.startswith("."))
    likely = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()]
    return likely or [
        f for f in files[:MAX_FILES_TRIED] if f.suffix.lower() not in IMAGE_SUFFIXES and _is_video_file(f)
    ]


def folder_of_videos_error(folder: Path, videos: list[Path]) -> InputError:
    """Return the error for a folder of videos: it names one of them."""
    return InputError(folder, f"is a folder with {len(videos)} video(s)", f"give one of them, for example {videos[0]}")


def _is_video_file(path: Path) -> bool:
    return path.is_file() and is_video(path)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:  # no permission, or too long a name
        raise InputError(path, "cannot be read", "check the path and its permissions") from error


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputError(folder, "cannot be read", "check its permissions") from error


Kind = Literal["images", "animation", "video"]


def _kind(path: Path) -> tuple[Kind, bytes]:
    """Return what a path is by its content, and its first bytes.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if _is_folder(path):
        return "images", b""
    head, suffix = read_head(path), path.suffix.lower()
    if images.has_image_content(head) and suffix not in (".mjpg", ".mjpeg"):  # these are many JPEGs in a row
        return "animation" if images.is_animated(path) else "images", head
    is_broken_image = suffix in IMAGE_SUFFIXES and not has_video_stream(path, head)
    return "images" if is_broken_image else "video", head


def open_video(path: str | Path, fps: float | None = None) -> Video:
    """Open a video and decode its first frame only.

    Args:
        path: a video, an image, or a folder of images, which are sorted by the numbers in their names.
        fps: overrides the video's own rate; for images the default is 30.

    Raises:
        InputError: there is no such file, or it has no frame that can be decoded.
    """
    path = Path(path)
    kind, head = _kind(path)
    if kind == "images":
        return _video_from_images(path, fps)
    declared, focal_mm = None, None
    if kind == "animation":
        times = images.animation_times(path)
    else:
        with open_stream(path, head) as (container, stream):
            # Packets are not kept: they hold the whole file.
            stamps = [time_stamp(packet) for packet in packets(container, stream) if is_shown(packet)]
            base, declared = stream.time_base or Fraction(1), stream.average_rate
            focal_mm = _focal_length({**container.metadata, **stream.metadata})
        known = [stamp for stamp in stamps if stamp is not None]
        is_known = len(known) == len(stamps)
        times = np.sort(np.array(known, np.float64)) * float(base) if is_known else np.arange(len(stamps)) / DEFAULT_FPS
    first = next((picture for picture in read_frames(path) if picture is not None), None)
    if first is None or len(times) == 0:
        raise InputError(path, "has no frame that can be decoded", ACCEPTED_INPUT)
    times -= times[0]
    rate = fps or _rate(times, None if declared is None else float(declared))
    if fps is not None:
        times = np.arange(len(times)) / fps
    height, width = first.shape[:2]
    return Video(path, times, (width, height), rate, images.fov_from_focal_length(focal_mm))


def read_frames(path: Path, height_px: int | None = None) -> Iterator[Picture | None]:
    """Yield every frame in order as it is shown: upright, with square pixels, RGB. A frame that is damaged is None.

    Args:
        path: a video, an image, or a folder of images.
        height_px: scale higher frames down to this height, with even sides; None keeps their size.

    Raises:
        InputError: the video cannot be opened.
    """
    kind, head = _kind(path)
    if kind == "video":
        yield from decode(path, head, height_px)
    elif kind == "animation":
        yield from images.read_animation(path, height_px)
    else:
        for file in _image_paths(path):
            try:
                yield images.read_image(file, height_px)
            except InputError:
                yield None


def _rate(times: np.ndarray, declared: float | None) -> float:
    """Return the frames per second: the declared rate if the time stamps agree with it, else that of their median step."""
    if len(times) < 2:
        return declared or DEFAULT_FPS
    usual = 1 / max(float(np.median(np.diff(times))), 1 / MAX_FPS)
    return declared if declared and abs(usual / declared - 1) < 0.02 else usual


def _video_from_images(folder: Path, fps: float | None) -> Video:
    """Return the video that a folder of images, or a single image, makes."""
    files = _image_paths(folder)
    if not files:
        if videos := videos_in(folder):
            raise folder_of_videos_error(folder, videos)
        raise InputError(folder, "holds no image", ACCEPTED_INPUT)
    rate = fps or DEFAULT_FPS
    sizes: list[tuple[int, int] | None] = []
    problems: list[InputError] = []
    for file in files:
        try:
            sizes.append(images.image_size(file))
        except InputError as error:
            sizes.append(None)
            problems.append(error)
    first = next((number for number, size in enumerate(sizes) if size is not None), None)
    if first is None:
        raise problems[0]
    usual = sizes[first] or (0, 0)  # the size of the first image, also for those that cannot be read
    image_files = tuple(ImageFile(file.name, size or usual) for file, size in zip(files, sizes, strict=True))
    return Video(folder, np.arange(len(files)) / rate, usual, rate, images.image_fov(files[first]), image_files)


def _image_paths(folder: Path) -> list[Path]:
    """Return the images sorted by the last number in their names, then by name; a single image is returned alone."""
    if not _is_folder(folder):
        return [folder]
    files = [f for f in _files_in(folder) if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    return sorted(files, key=lambda file: (last_number(file.name) or 0, file.name))


def _focal_length(metadata: dict[str, str]) -> float | None:
    """Return the focal length that phones store in a video, as on 36 mm film; None if there is none.

    The key is com.apple.quicktime.camera.focal_length.35mm_equivalent.
    """
    for key, value in metadata.items():
        if "focal" in key.lower() and "35mm" in key.lower():
            try:
                return float(value)
            except ValueError:
                return None
    return None
