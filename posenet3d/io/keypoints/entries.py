"""From people with a frame label each, as most detectors write them, to sequences: frame numbers, joint set, tracks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import KNOWN_JOINTS, JointSet, canonical_joint
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.checked_json import check_pixels, describe
from posenet3d.io.keypoints.frame_numbers import frame_numbers
from posenet3d.io.keypoints.joint_geometry import joint_set_by_geometry
from posenet3d.io.keypoints.keypoint_format import KeypointOptions
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    check_span,
    named_joint_set,
    no_person_error,
    sequences_of_people,
)

MAX_SHARE = 2.0
"""Joints a little outside of the image are shares beyond 1; no person in pixels lies within two of the corner."""


@dataclass(frozen=True)
class Entry:
    """One person in one frame.

    Attributes:
        frame: frame number, or a name that holds it.
        joints: x, y in pixels and confidence per joint.
        track_id: the file's own number of the person, if it has one.
    """

    frame: object
    joints: Float[np.ndarray, "joints 3"]
    track_id: int | None = None


@dataclass
class Skipped:
    """Counts entries that cannot be used; one of them does not refuse a file, all of them do."""

    count: int = 0
    first: InputError | None = None

    def add(self, error: InputError) -> None:
        """Count one entry, and remember the first reason."""
        self.count += 1
        self.first = self.first or error

    def notes(self, used: int) -> tuple[str, ...]:
        """Return the sentence to show, none if nothing was skipped.

        Raises:
            InputError: nothing could be used; the first reason.
        """
        if self.first is None:
            return ()
        if used == 0:
            raise self.first
        return (f"{self.count} of {self.count + used} entries were left out; the first: {self.first.problem}.",)


def sequences_of_entries(
    entries: Sequence[Entry],
    path: Path,
    options: KeypointOptions,
    field: str,
    *,
    joint_set: JointSet | None = None,
    image_size: tuple[int, int] | None = None,
    frames: tuple[int, int] | None = None,
    notes: tuple[str, ...] = (),
) -> list[PoseSequence]:
    """Return one sequence per person, most complete first; rows run from the first frame to the last.

    Args:
        entries: the people of every frame.
        path: the file, for names and messages.
        options: the caller's; its joint set overrides `joint_set`.
        field: name of the joints' field, for messages.
        joint_set: the file's own, if it names its joints; else it is recognised by number and geometry.
        image_size: width and height in pixels, if the file has them.
        frames: first and last frame of the file, where frames without people are listed too.
        notes: sentences about what was left out.

    Raises:
        InputError: nobody is seen, the frames cannot be told, or the joint set is not known.
    """
    if not entries:
        raise no_person_error(path)
    check_pixels(np.concatenate([entry.joints[:, :2].ravel() for entry in entries]), path, field)
    numbers = frame_numbers([entry.frame for entry in entries], path, "frame")
    first, last = (min(numbers), max(numbers)) if frames is None else frames
    n_frames = check_span(first, last, max(len(set(numbers)), 1 if frames is None else last - first + 1), path, "frame")
    people = [
        Person(number - first, entry.joints, entry.track_id) for number, entry in zip(numbers, entries, strict=True)
    ]
    people, left_out = most_common_count(people)
    if options.joint_set is not None:
        wanted = named_joint_set(options.joint_set, path)
    else:
        wanted = joint_set or joint_set_by_geometry(people, path, field)
    footage = Footage(path, n_frames, options.fps, image_size or options.image_size, (*notes, *left_out))
    return sequences_of_people(people, footage, wanted, field)


def most_common_count(people: list[Person]) -> tuple[list[Person], tuple[str, ...]]:
    """Return the people with the number of joints that most have, and a sentence if that leaves some out."""
    counts = Counter(len(person.joints) for person in people)
    count, number = counts.most_common(1)[0]
    if number == len(people) or number <= 0.9 * len(people):  # a file of two joint sets is refused later
        return people, ()
    kept = [person for person in people if len(person.joints) == count]
    return kept, (f"{len(people) - number} of {len(people)} people were left out: they do not have {count} joints.",)


def pixels_of_shares(
    joints: Float[np.ndarray, "joints 3"], size: tuple[int, int] | None
) -> Float[np.ndarray, "joints 3"]:
    """Return joints in pixels where all of them are shares of an image of known size; else as they are."""
    finite = joints[:, :2][np.isfinite(joints[:, :2])]
    is_share = len(finite) > 0 and np.abs(finite).max() <= MAX_SHARE
    return joints * [*size, 1] if size is not None and is_share else joints


def joint_set_of_names(names: Sequence[str], path: Path, field: str) -> JointSet | None:
    """Return the joint set that a file's own joint names describe; None if none of them is known."""
    joints = tuple(canonical_joint(name) for name in names)
    if len(set(joints)) < len(joints):
        double = next(name for name in joints if joints.count(name) > 1)
        raise InputError(path, f"field '{field}' names {describe(double)} twice", "name every joint once")
    return JointSet("the file", joints) if KNOWN_JOINTS & set(joints) else None


def joints_of(
    points: object, scores: object, path: Path, field: str, scale: tuple[float, float] | tuple[int, int] = (1.0, 1.0)
) -> Float[np.ndarray, "joints 3"]:
    """Return x, y in pixels and confidence per joint from a list of points and a list of scores.

    Args:
        points: (joints, 2) or (joints, 3), nested or flat x, y, x, y ...; null stands for a missing joint.
        scores: one per joint, also nested one deep; None if unknown, then 1, or the points' third value.
        path: for messages.
        field: for messages.
        scale: of x and y, for coordinates that are shares of the image.

    Raises:
        InputError: not numbers, or their counts do not fit.
    """
    array = _numbers(points, path, field)
    if array.ndim == 1:
        array = array.reshape(-1, 2) if len(array) % 2 == 0 else array.reshape(-1, 1)
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim != 2 or array.shape[1] not in (2, 3) or not len(array):
        raise InputError(path, f"field '{field}' has shape {array.shape}", "it must hold x, y per joint")
    if scores is not None:
        sure = _numbers(scores, path, f"{field} scores").reshape(-1)
        if len(sure) != len(array):
            raise InputError(path, f"field '{field}' has {len(array)} joints and {len(sure)} scores", "write one each")
    else:
        sure = array[:, 2] if array.shape[1] == 3 else np.ones(len(array))
    pixels = array[:, :2] * scale
    check_pixels(pixels, path, field)
    return np.column_stack([pixels, sure])


def _numbers(value: object, path: Path, field: str) -> Float[np.ndarray, "*shape"]:
    """Return nested lists as an array; null is NaN, and numbers may be written as text.

    Raises:
        InputError: it holds something else, or its rows differ in length.
    """
    try:
        array = np.array(value, dtype=object)
        return np.array([np.nan if item is None else _number(item) for item in array.ravel()]).reshape(array.shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            path, f"field '{field}' is no table of numbers", "write x, y (and a score) per joint"
        ) from error


def _number(item: object) -> float:
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise TypeError(f"{item!r} is no number")
    return float(item)
