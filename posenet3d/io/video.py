"""Open videos and folders of images, and decode their frames one after the other.

Frames are decoded on demand, so that a video of any length takes the memory of a few frames.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from posenet3d.core.sequence import DEFAULT_FPS, MAX_FPS
from posenet3d.errors import InputError
from posenet3d.io.checked_json import last_number

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".gif", ".mpg", ".mpeg", ".wmv", ".mts", ".3gp")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

ACCEPTED_INPUT = "give a video (mp4, mov, avi, webm, gif), an image or a folder of images"

Picture = UInt8[np.ndarray, "height width 3"]


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
    """Return whether a path is a video, an image, or a folder of images without JSON (OpenPose's folders may hold both)."""
    if path.is_dir():
        try:
            suffixes = {file.suffix.lower() for file in path.iterdir()}
        except OSError as error:
            raise InputError(path, "cannot be read", "check its permissions") from error
        return ".json" not in suffixes and not suffixes.isdisjoint(IMAGE_SUFFIXES)
    return path.suffix.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)


def _is_of_images(path: Path) -> bool:
    """Return whether a path is an image or a folder, not a video file."""
    return path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES


def open_video(path: str | Path, fps: float | None = None) -> Video:
    """Open a video and decode its first frame only.

    Args:
        path: a video, an image, or a folder of images, which are sorted by the numbers in their names.
        fps: overrides the video's own rate; for images the default is 30.

    Raises:
        InputError: there is no such file, or it has no frame that can be decoded.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(path, "there is no such file", "check the path")
    if _is_of_images(path):
        return _video_from_images(path, fps)
    with _reading(path), av.open(path, "r") as container:
        if not container.streams.video:
            raise InputError(path, "has no video stream", ACCEPTED_INPUT)
        stream = container.streams.video[0]
        # The last packet is empty and marks the end. AVI has no pts. Packets are not kept: they hold the whole file.
        stamps = [p.dts if p.pts is None else p.pts for p in container.demux(stream) if p.size]
        base, declared = stream.time_base or Fraction(1), stream.average_rate
        focal_mm = _focal_length({**container.metadata, **stream.metadata})
    first = next(read_frames(path), None)
    if first is None or not stamps:
        raise InputError(path, "has no frame that can be decoded", ACCEPTED_INPUT)
    known = all(stamp is not None for stamp in stamps)
    times = np.sort(np.array(stamps, np.float64)) * float(base) if known else np.arange(len(stamps)) / DEFAULT_FPS
    times -= times[0]
    rate = fps or _rate(times, None if declared is None else float(declared))
    if fps is not None:
        times = np.arange(len(times)) / fps
    height, width = first.shape[:2]
    return Video(path, times, (width, height), rate, _fov_from_focal_length(focal_mm))


def read_frames(path: Path, height_px: int | None = None) -> Iterator[Picture]:
    """Yield every frame in order, upright, RGB.

    Damaged frames at the end of a video are left out, as in a player.

    Args:
        path: a video, an image, or a folder of images.
        height_px: scale higher frames down to this height, with even sides; None keeps their size.

    Raises:
        InputError: the video cannot be opened, or an image of a folder cannot be read.
    """
    if _is_of_images(path):
        for file in _image_paths(path):
            yield _read_image(file, height_px)
        return
    with _reading(path), av.open(path, "r") as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = container.decode(video=0)
        while True:
            try:
                frame = next(frames)
            except (StopIteration, av.error.InvalidDataError, av.error.EOFError):
                return
            yield _upright(frame, height_px)


def _upright(frame: av.VideoFrame, height_px: int | None) -> Picture:
    """Return a decoded frame as upright RGB, scaled as in `read_frames`."""
    turns = round(frame.rotation / 90)  # phones record sideways and store the rotation: degrees counter-clockwise
    if height_px is not None:
        height = frame.width if turns % 2 else frame.height
        scale = min(1.0, height_px / height)
        frame = frame.reformat(_round_to_even(frame.width * scale), _round_to_even(frame.height * scale), "rgb24")
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))


def _round_to_even(length: float) -> int:
    """Return the nearest even number of pixels, at least 2."""
    return max(2, 2 * round(length / 2))


def _rate(times: np.ndarray, declared: float | None) -> float:
    """Return the frames per second: the declared rate if the time stamps agree with it, else that of their median step."""
    if len(times) < 2:
        return declared or DEFAULT_FPS
    usual = 1 / max(float(np.median(np.diff(times))), 1 / MAX_FPS)
    return declared if declared and abs(usual / declared - 1) < 0.02 else usual


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn FFmpeg's errors into an InputError."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise InputError(path, f"cannot be read as a video ({error.strerror})", ACCEPTED_INPUT) from error


def _video_from_images(folder: Path, fps: float | None) -> Video:
    """Return the video that a folder of images, or a single image, makes."""
    files = _image_paths(folder)
    if not files:
        raise InputError(folder, "holds no image", ACCEPTED_INPUT)
    rate = fps or DEFAULT_FPS
    image_files = tuple(ImageFile(file.name, _size(file)) for file in files)
    return Video(folder, np.arange(len(files)) / rate, image_files[0].size, rate, _field_of_view(files[0]), image_files)


def _image_paths(folder: Path) -> list[Path]:
    """Return the images sorted by the last number in their names, then by name; a single image is returned alone."""
    if folder.is_file():
        return [folder]
    try:
        files = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    except OSError as error:
        raise InputError(folder, "cannot be read", "check its permissions") from error
    return sorted(files, key=lambda file: (last_number(file.name) or 0, file.name))


SIDEWAYS = (5, 6, 7, 8)
"""Values of EXIF's orientation with width and height exchanged."""


def _size(file: Path) -> tuple[int, int]:
    """Return the upright width and height of an image, without decoding its pixels."""
    with _open_image(file) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS else (width, height)


@contextmanager
def _open_image(file: Path) -> Iterator[Image.Image]:
    """Open an image, with an InputError for one that cannot be read."""
    try:
        with Image.open(file) as image:
            yield image
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise InputError(file, "is not a readable image", "remove it, or save it again") from error


def _read_image(file: Path, height_px: int | None) -> Picture:
    """Return an image as upright RGB, scaled as in `read_frames`."""
    with _open_image(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    if height_px is not None:
        scale = min(1.0, height_px / upright.height)
        upright = upright.resize((_round_to_even(upright.width * scale), _round_to_even(upright.height * scale)))
    return np.asarray(upright)


def _field_of_view(file: Path) -> float | None:
    """Return the field of view across the longer side of an image in degrees; None if EXIF has no focal length."""
    with Image.open(file) as image:
        focal_mm = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    return _fov_from_focal_length(float(focal_mm) if focal_mm else None)


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


def _fov_from_focal_length(focal_mm: float | None) -> float | None:
    """Return the field of view in degrees across 36 mm of film; None for a focal length that no lens has."""
    return float(np.degrees(2 * np.arctan(36 / 2 / focal_mm))) if focal_mm and 5 <= focal_mm <= 2000 else None
