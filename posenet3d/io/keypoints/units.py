"""Check what the coordinates of a file mean: pixels, or shares or per cent of the image; ask rather than guess."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError

Units = Literal["px", "share", "centred", "percent"]

UNITS: dict[str, str] = {
    "px": "pixels",
    "share": "shares of width and height, 0 to 1",
    "centred": "shares of half the width about the middle, -1 to 1 (VideoPose3D's screen coordinates)",
    "percent": "per cent of width and height, 0 to 100",
}

MIN_SPAN_PX = 4.0
"""A person smaller than this over a whole clip is no person in pixels; shares of an image always are."""

MAX_SHARE = 1.6
"""Detectors put joints a little outside of the image, not further."""

FILLS_PERCENT = 0.25
"""In pixels, nobody fills less than a quarter of every image side known; per cent of a large image always do."""


def in_pixels(
    sequences: Sequence[PoseSequence], path: Path, units: str | None, image_size: tuple[int, int] | None
) -> list[PoseSequence]:
    """Return the sequences in pixels.

    Args:
        sequences: what a reader gave; `image_size` of a sequence is the file's own.
        path: for messages.
        units: a name in `UNITS`; None recognises shares of the image by their size.
        image_size: width and height in pixels, where the file has none.

    Raises:
        InputError: the coordinates are no pixels and the image size is not known, or cannot be any of `UNITS`.
    """
    if units is not None and units not in UNITS:
        raise InputError("--units", f"'{units[:20]}' is not known", f"choose one of {', '.join(UNITS)}")
    seen = [s.keypoints_px[s.is_observed] for s in sequences]
    points = np.concatenate([p for p in seen if len(p)]) if any(len(p) for p in seen) else np.zeros((0, 2))
    found = units or _recognised(points, sequences, path, image_size)
    if found == "px":
        return list(sequences)
    if any(s.K is not None for s in sequences):
        raise InputError(path, f"holds {UNITS[found]} beside intrinsics in pixels", "write the joints in pixels")
    return [_scaled(s, path, found, image_size) for s in sequences]


def _recognised(
    points: np.ndarray, sequences: Sequence[PoseSequence], path: Path, image_size: tuple[int, int] | None
) -> str:
    if not len(points):
        return "px"
    low, high = points.min(), points.max()
    if high - low < MIN_SPAN_PX and max(abs(low), abs(high)) <= MAX_SHARE + 0.4:
        return "share" if low >= 1 - MAX_SHARE + 0.35 else "centred"
    if high - low < MIN_SPAN_PX:
        problem = f"holds coordinates between {low:.3g} and {high:.3g}, which are no pixels"
        raise InputError(path, problem, "write pixels, or say what they are with --units")
    sizes = [size for s in sequences if (size := s.image_size or image_size) is not None]
    is_in_percent = low >= -5 and high <= 105
    if is_in_percent and sizes and min(min(size) for size in sizes) > 105 / FILLS_PERCENT:
        problem = f"holds coordinates between {low:.3g} and {high:.3g} in images of {sizes[0][0]}x{sizes[0][1]}"
        raise InputError(path, problem, "say what they are: --units percent or --units px")
    return "px"


def _scaled(sequence: PoseSequence, path: Path, units: str, image_size: tuple[int, int] | None) -> PoseSequence:
    size = sequence.image_size or image_size
    if size is None:
        problem = f"holds {UNITS[units]}, and the image size is not known"
        raise InputError(path, problem, "give it: --image-size 1920x1080")
    width, height = size
    points = sequence.keypoints_px.astype(np.float64)
    if units == "centred":  # x: -1 to 1 over the width; y by the same scale, 0 in the middle (VideoPose3D)
        pixels = (points + np.array([1.0, height / width])) * (width / 2)
    else:
        pixels = points * [width, height] / (100.0 if units == "percent" else 1.0)
    note = f"Coordinates were read as {UNITS[units]} and put into {width}x{height} pixels."
    return replace(sequence, keypoints_px=pixels, image_size=size, notes=(*sequence.notes, note))
