"""Turn detected people, in any joint set, into one `PoseSequence` each; all detector formats use it."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JOINT_SETS, JointSet, find_joint_set, to_h36m17
from posenet3d.core.sequence import DEFAULT_FPS, PoseSequence, recording_of_name
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.core.tracking import Detection, Track, link, most_complete_first
from posenet3d.errors import InputError

RATE_NOTE = f"The file does not say its frame rate: {DEFAULT_FPS:g} frames per second are assumed (--fps)."

MAX_FRAMES = 500_000
"""Two and a half hours at 60 fps; a larger frame number is a mistake and would add that many empty frames."""

MAX_EMPTY_PER_FRAME = 100
"""Empty frames allowed per listed frame: a person is in view at least a hundredth of the time."""

MAX_PEOPLE = 100
"""People in one frame; a file with more is broken, and the cost of tracking grows with the cube of their number."""

MAX_ROWS = 2_000_000
"""Limit of tracks times frames; beyond it the least complete tracks (passers-by in hours of video) are left out."""

BY_COUNT = {len(s): s for name, s in JOINT_SETS.items() if name not in ("h36m17", "body25b", "smpl24")}
"""The joint set that a number of joints usually means: 17 are COCO's unless the caller says otherwise."""


@dataclass(frozen=True)
class Person:
    """One detected person: rows of x, y in pixels and confidence, in the detector's joint set."""

    frame: int
    joints: Float[np.ndarray, "joints 3"]
    track_id: int | None = None


@dataclass(frozen=True)
class Footage:
    """The file and the frames in which people were detected."""

    file: Path
    n_frames: int
    fps: float | None = None  # None: not known, the default is assumed and said
    image_size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()  # sentences about what was left out or repaired

    @property
    def name(self) -> str:
        """The file name without its suffix."""
        return self.file.stem if self.file.suffix else self.file.name


def named_joint_set(name: str, file: str | Path) -> JointSet:
    """Return the joint set with this name.

    Raises:
        InputError: there is none.
    """
    known = find_joint_set(name)
    if known is None:
        raise InputError(file, f"joint set '{name[:40]}' is not known", f"choose one of {', '.join(JOINT_SETS)}")
    return known


def joint_set_by_count(count: int, file: str | Path, field: str) -> JointSet:
    """Return the joint set that a number of joints usually means.

    Raises:
        InputError: no joint set has that many joints.
    """
    if count not in BY_COUNT:
        raise InputError(
            file,
            f"field '{field}' holds {count} joints, which no known joint set has",
            f"write one of {', '.join(JOINT_SETS)}",
        )
    return BY_COUNT[count]


def common_count(people: list[Person], file: str | Path, field: str) -> int:
    """Return the number of joints that every person has.

    Raises:
        InputError: there is no person, or not all have the same number.
    """
    counts = sorted({len(person.joints) for person in people})
    if not counts:
        raise no_person_error(file)
    if len(counts) > 1:
        raise InputError(
            file, f"field '{field}' holds {counts[0]} and {counts[-1]} joints", "write one joint set per file"
        )
    return counts[0]


def no_person_error(file: str | Path) -> InputError:
    """Return the error for a file that is well-formed but has no person in it."""
    return InputError(file, "no joint is seen in any frame", "run the detector again, or choose another clip")


def sequences_of_people(people: list[Person], footage: Footage, joint_set: JointSet, field: str) -> list[PoseSequence]:
    """Return one sequence per person, with a row for every frame of the footage, most complete person first.

    The file's own track ids are kept if every person has one and none occurs twice in a frame; otherwise people are
    tracked by their motion.

    Raises:
        InputError: no person is seen, the number of joints is not the joint set's, or there are too many people.
    """
    count = common_count(people, footage.file, field)
    if count != len(joint_set):
        raise InputError(
            footage.file,
            f"field '{field}' holds {count} joints, but {joint_set.name} has {len(joint_set)}",
            "choose the joint set that the detector wrote",
        )
    return sequences_of_detections(people, to_detections(people, joint_set), footage)


def sequences_of_detections(people: list[Person], detections: list[Detection], footage: Footage) -> list[PoseSequence]:
    """Build the sequences of `sequences_of_people` from joints that `to_detections` has converted already.

    Raises:
        InputError: no joint is seen, or too many people.
    """
    per_frame = Counter(person.frame for person in people)
    if max(per_frame.values()) > MAX_PEOPLE:
        problem = f"a frame lists {max(per_frame.values())} people"
        raise InputError(footage.file, problem, f"filter the detections to at most {MAX_PEOPLE} per frame")
    tracks = _tracks(people, detections, footage.n_frames, footage.fps or DEFAULT_FPS)
    if not tracks:
        raise no_person_error(footage.file)
    alone = len(tracks) == 1
    tracks = tracks[: max(1, MAX_ROWS // footage.n_frames)]
    return [_sequence(track, footage, alone) for track in tracks]


def track_ids(people: list[Person], detections: list[Detection], n_frames: int, fps: float) -> list[int | None]:
    """Return the track id of each person, tracked by motion; None for a person without any joint."""
    track_of = {id(d): t.track_id for t in _tracks(people, detections, n_frames, fps) for d in t.detections.values()}
    return [track_of.get(id(detection)) for detection in detections]


def check_span(first: int, last: int, listed: int, file: str | Path, field: str) -> int:
    """Return the number of frames from the first to the last.

    Args:
        first: number of the first frame.
        last: number of the last frame.
        listed: number of frames that the file lists.
        file: named in the error.
        field: named in the error.

    Raises:
        InputError: more than `MAX_FRAMES`, or so few frames listed that a frame number must be wrong.
    """
    span = last - first + 1
    if span > MAX_FRAMES or span > 1000 + MAX_EMPTY_PER_FRAME * listed:
        problem = f"field '{field}' spans {span} frames, from {first} to {last}, of which {listed} are listed"
        raise InputError(file, problem, f"number the frames of one clip, at most {MAX_FRAMES}")
    return span


def to_detections(people: list[Person], joint_set: JointSet) -> list[Detection]:
    """Convert each person to Human3.6M's 17 joints; detectors write (0, 0) for a joint that was not found."""
    if not people:
        return []
    joints = np.stack([person.joints for person in people])
    found = (joints[..., :2] != 0).any(-1)
    keypoints_px, confidence = to_h36m17(joints[..., :2], np.where(found, joints[..., 2], 0), joint_set)
    return [Detection(k, c) for k, c in zip(keypoints_px, confidence, strict=True)]


def _tracks(people: list[Person], detections: list[Detection], n_frames: int, fps: float) -> list[Track]:
    """Return the tracks, most complete first; a person without any joint is on none of them."""
    visible = [(p, d) for p, d in zip(people, detections, strict=True) if d.confidence.any()]
    claims = [(person.frame, person.track_id) for person, _ in visible]
    if all(track_id is not None for _, track_id in claims) and len(set(claims)) == len(claims):
        tracks: dict[int, Track] = {}
        for person, detection in sorted(visible, key=lambda pair: pair[0].frame):
            track_id = int(person.track_id or 0)
            tracks.setdefault(track_id, Track(track_id)).add(person.frame, detection)
        return most_complete_first(tracks.values())
    frames: dict[int, list[Detection]] = defaultdict(list)
    for person, detection in visible:
        frames[person.frame].append(detection)
    return link([frames.get(frame, []) for frame in range(n_frames)], fps)


def _sequence(track: Track, footage: Footage, alone: bool) -> PoseSequence:
    """Return one track as a sequence; its name has no track id if the person is alone."""
    keypoints_px = np.full((footage.n_frames, N_JOINTS, 2), np.nan)
    confidence = np.zeros((footage.n_frames, N_JOINTS))
    for frame, detection in track.detections.items():
        keypoints_px[frame], confidence[frame] = detection.keypoints_px, detection.confidence
    return PoseSequence(
        name=footage.name if alone else f"{footage.name}.person{track.track_id}",
        keypoints_px=keypoints_px,
        confidence=confidence,
        fps=DEFAULT_FPS if footage.fps is None else footage.fps,
        notes=(*footage.notes, *((RATE_NOTE,) if footage.fps is None else ())),
        image_size=footage.image_size,
        track_id=track.track_id,
        take=recording_of_name(footage.name),
    )
