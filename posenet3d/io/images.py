"""Read images: their shown size, their pixels, their lens, and the frames of animated WebP and PNG files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import ExifTags, Image, ImageOps

from posenet3d.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: as RGB one takes 300 MB, and a small file can claim any size."""

SIDEWAYS = (5, 6, 7, 8)
"""Values of EXIF's orientation with width and height exchanged."""

FRAME_S_IF_ZERO = 0.1
"""Browsers show an animation's frame of duration 0 this long."""

Picture = UInt8[np.ndarray, "height width 3"]


def has_image_content(head: bytes) -> bool:
    """Return whether a file starts like an image that Pillow reads: JPEG, PNG, BMP, TIFF or WebP."""
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*")
    return head.startswith(starts) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def check_size(file: Path, width: int, height: int) -> None:
    """Refuse a frame that is too large to decode.

    Raises:
        InputError: it has more than `MAX_PIXELS`.
    """
    if width * height > MAX_PIXELS:
        problem = f"is {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels"
        raise InputError(file, problem, "scale it down")


@contextmanager
def _open_image(file: Path) -> Iterator[Image.Image]:
    """Open an image, with an InputError for one that cannot be read."""
    if not file.is_file():  # opening a FIFO would wait for ever
        raise InputError(file, "is not a regular file", "remove it, or save the image again")
    try:
        with Image.open(file) as image:
            check_size(file, *image.size)
            yield image
    except InputError:
        raise
    except Exception as error:  # Pillow raises errors of many types for damaged files
        raise InputError(file, "is not a readable image", "remove it, or save it again") from error


def image_size(file: Path) -> tuple[int, int]:
    """Return the upright width and height of an image, without decoding its pixels.

    Raises:
        InputError: the image cannot be read.
    """
    with _open_image(file) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS else (width, height)


def read_image(file: Path, height_px: int | None) -> Picture:
    """Return an image as upright RGB, scaled as in `posenet3d.io.video.read_frames`.

    Raises:
        InputError: the image cannot be read.
    """
    with _open_image(file) as image:
        return _as_picture(image, height_px)


def is_animated(file: Path) -> bool:
    """Return whether an image is an animation: a WebP or PNG file with several frames."""
    try:
        with _open_image(file) as image:
            return image.format in ("WEBP", "PNG") and len(_frame_numbers(image)) > 1
    except InputError:
        return False


def animation_times(file: Path) -> Float[np.ndarray, " frames"]:
    """Return the time in seconds at which each frame of an animation is shown.

    Raises:
        InputError: the first frame cannot be read.
    """
    with _open_image(file) as image:
        numbers = _frame_numbers(image)
        durations = np.full(len(numbers), FRAME_S_IF_ZERO)
        for place, number in enumerate(numbers):
            try:
                image.seek(number)
                image.load()
            except Exception:  # damaged from here on: the rows stay, with the last known duration
                if place == 0:
                    raise
                durations[place:] = durations[place - 1]
                break
            durations[place] = float(image.info.get("duration") or 0) / 1000 or FRAME_S_IF_ZERO
    return np.concatenate([[0.0], np.cumsum(durations)[:-1]])


def read_animation(file: Path, height_px: int | None) -> Iterator[Picture | None]:
    """Yield the frames of an animation as upright RGB; None for each frame from the first damaged one on.

    Raises:
        InputError: the file cannot be opened as an image.
    """
    with _open_image(file) as image:
        is_damaged = False
        for number in _frame_numbers(image):
            picture = None
            try:
                if not is_damaged:
                    image.seek(number)
                    picture = _as_picture(image, height_px)
            except Exception:  # a frame needs the one before it, so that nothing after this one can be decoded
                is_damaged = True
            yield picture


def _frame_numbers(image: Image.Image) -> range:
    """Return the numbers of an animation's frames; an APNG's default image is not shown in it."""
    return range(int(bool(getattr(image, "default_image", False))), getattr(image, "n_frames", 1))


def _as_picture(image: Image.Image, height_px: int | None) -> Picture:
    """Return an open image as upright RGB, at most `height_px` high."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    if height_px is not None:
        scale = min(1.0, height_px / upright.height)
        upright = upright.resize((round_to_even(upright.width * scale), round_to_even(upright.height * scale)))
    return np.asarray(upright)


def round_to_even(length: float) -> int:
    """Return the nearest even number of pixels, at least 2."""
    return max(2, 2 * round(length / 2))


def image_fov(file: Path) -> float | None:
    """Return the field of view across the longer side of an image in degrees; None if EXIF has no usable focal length."""
    try:
        with _open_image(file) as image:
            focal_mm = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
            return fov_from_focal_length(float(focal_mm) if focal_mm else None)
    except InputError:  # the lens is unknown, which a note says
        return None


def fov_from_focal_length(focal_mm: float | None) -> float | None:
    """Return the field of view in degrees across 36 mm of film; None for a focal length that no lens has."""
    return float(np.degrees(2 * np.arctan(36 / 2 / focal_mm))) if focal_mm and 5 <= focal_mm <= 2000 else None
