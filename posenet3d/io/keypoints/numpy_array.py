"""Read 2D keypoints in a .npy array; its shape tells what the axes are."""

from pathlib import Path

import numpy as np

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_npz import load_npy
from posenet3d.io.keypoints.entries import Entry, sequences_of_entries
from posenet3d.io.keypoints.keypoint_format import KeypointFormat, KeypointOptions
from posenet3d.io.keypoints.videopose3d import entries_of_array

FIELD = "the array"
MAX_PEOPLE = 30
"""More than so many along the second axis are joints, not people."""

REMEDY = "it must be (frames, joints, 2 or 3) or (frames, people, joints, 2 or 3)"


def read_npy(path: Path, options: KeypointOptions) -> list[PoseSequence]:
    """Read (frames, joints, 2 or 3), (frames, people, joints, 2 or 3) or (frames, joints * 2 or 3).

    The third value is the confidence. MoveNet's y, x, score is recognised where it alone makes people upright.

    Raises:
        InputError: the array has another shape or type, or holds 3D.
    """
    array = load_npy(path)
    while array.ndim > 4 and 1 in array.shape[1:-2]:
        array = array.squeeze(axis=1 + array.shape[1:-2].index(1))
    if array.ndim == 2:
        array = _unflattened(array, path)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[3] not in (2, 3) or 0 in array.shape:
        raise InputError(path, f"has shape {array.shape}", REMEDY)
    if array.shape[1] > MAX_PEOPLE:
        raise InputError(path, f"has shape {array.shape}: {array.shape[1]} people", REMEDY)
    array = array.astype(np.float64)
    if array.shape[3] == 3:
        array = _with_x_first(_with_confidence(array, path))
    entries = [
        Entry(entry.frame, entry.joints, person if array.shape[1] > 1 else None)
        for person in range(array.shape[1])
        for entry in entries_of_array(array[:, person], path, FIELD)
    ]
    return sequences_of_entries(entries, path, options, FIELD, frames=(0, len(array) - 1))


def _unflattened(array: np.ndarray, path: Path) -> np.ndarray:
    """Return (frames, joints, 2 or 3) of rows x, y, x, y ... or x, y, score ...; the known number of joints decides."""
    from posenet3d.io.keypoints.people import BY_COUNT

    width = array.shape[1]
    for axes in (3, 2):
        if width % axes == 0 and width // axes in BY_COUNT:
            return array.reshape(len(array), -1, axes)
    raise InputError(path, f"has shape {array.shape}", REMEDY)


def _with_confidence(array: np.ndarray, path: Path) -> np.ndarray:
    """Return the array if its third value is a confidence.

    Raises:
        InputError: it is a coordinate: negative, or as spread as the other two.
    """
    third = array[..., 2][np.isfinite(array[..., 2])]
    if len(third) and (third.min() < 0 or third.max() > 100):
        problem = f"has a third value between {third.min():.3g} and {third.max():.3g}: it holds 3D points"
        raise InputError(path, problem, "give 2D joints in pixels, with the confidence as third value if there is one")
    return array


def _with_x_first(array: np.ndarray) -> np.ndarray:
    """Return x before y: shares of the image (MoveNet) are y, x if only that way the head is over the ankles."""
    points = array[..., :2]
    finite = points[np.isfinite(points)]
    if array.shape[2] != 17 or not len(finite) or np.abs(finite).max() > 2:
        return array
    head, ankles = array[..., 0, :2], array[..., 15:17, :2].mean(2)
    down = np.nanmedian((ankles - head).reshape(-1, 2), axis=0)
    return array[..., [1, 0, 2]] if down[0] > abs(down[1]) else array


FORMAT = KeypointFormat(
    name="NumPy array",
    suffixes=(".npy",),
    recognise=lambda file: file.suffix == ".npy",
    read=lambda file, options: read_npy(file.path, options),
    description="a .npy of (frames, joints, 2 or 3) or (frames, people, joints, 2 or 3); also MoveNet's.",
)
