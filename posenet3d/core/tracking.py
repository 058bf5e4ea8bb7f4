"""Track several people from frame to frame by the similarity of their poses."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

MAX_GAP_S = 0.5
"""Seconds that a track may be lost while other people are in view: a walk behind a pillar."""

SPREAD = 0.1
"""Tolerance of a joint's movement from frame to frame, as a share of the person's size.
A sprinter's foot makes about 15 % of the body's height per frame at 30 fps, the trunk a third of that."""

MIN_SIMILARITY = 0.1


@dataclass(frozen=True)
class Detection:
    """One person in one frame: 17 joints, NaN where missing."""

    keypoints_px: Float[np.ndarray, "17 2"]
    confidence: Float[np.ndarray, "17"]


@dataclass
class Track:
    """One person's detections by frame."""

    track_id: int
    detections: dict[int, Detection] = field(default_factory=dict)
    velocity_px: Float[np.ndarray, "2"] = field(default_factory=lambda: np.zeros(2))

    @property
    def last_frame(self) -> int:
        """The frame of the latest detection."""
        return next(reversed(self.detections))

    def expected(self, frame: int) -> Float[np.ndarray, "17 2"]:
        """Return the joints in a later frame at constant velocity; this keeps the tracks of crossing people apart."""
        last = self.last_frame
        return self.detections[last].keypoints_px + self.velocity_px * (frame - last)

    def add(self, frame: int, detection: Detection) -> None:
        """Append the next detection and update the velocity; frames must come in order."""
        if self.detections:
            last = self.last_frame
            step = detection.keypoints_px - self.detections[last].keypoints_px
            seen = np.isfinite(step).all(-1)
            if seen.any():  # median over joints, so that a swinging arm does not count; half old and half new velocity
                pace = np.median(step[seen], axis=0) / (frame - last)
                self.velocity_px = pace if len(self.detections) == 1 else 0.5 * self.velocity_px + 0.5 * pace
        self.detections[frame] = detection


def completeness(track: Track) -> float:
    """Return the sum of confidence over all joints and frames of a track."""
    return float(sum(d.confidence.sum() for d in track.detections.values()))


def link(frames: Sequence[Sequence[Detection]], fps: float = 30.0) -> list[Track]:
    """Track people through the frames by pose similarity, with the best one-to-one assignment in each frame.

    Where no frame has two people, there is one person, however long the gaps.

    Args:
        frames: for each frame the people detected in it, in any order.
        fps: frames per second; a track may be lost for `MAX_GAP_S` before the person gets a new track.

    Returns:
        Tracks numbered from 1 in order of appearance, most complete first.
    """
    if max(map(len, frames), default=0) <= 1:
        return _one_track(frames)
    max_gap = max(1, round(MAX_GAP_S * fps))
    tracks: list[Track] = []
    active: list[Track] = []
    for frame, people in enumerate(frames):
        active = [track for track in active if frame - track.last_frame <= max_gap + 1]
        assigned = _assign(active, list(people), frame)
        new = [Track(len(tracks) + 1 + n) for n in range(len(people) - len(assigned))]
        unclaimed = iter(new)
        for index, person in enumerate(people):
            (assigned.get(index) or next(unclaimed)).add(frame, person)
        tracks += new
        active += new
    return most_complete_first(tracks)


def _one_track(frames: Sequence[Sequence[Detection]]) -> list[Track]:
    """Return all detections as one track; none if there is no detection."""
    track = Track(1)
    for frame, people in enumerate(frames):
        for person in people:
            track.add(frame, person)
    return [track] if track.detections else []


def most_complete_first(tracks: Iterable[Track]) -> list[Track]:
    """Return the tracks sorted by `completeness`; equally complete ones in the order of their numbers."""
    return sorted(tracks, key=lambda track: (-completeness(track), track.track_id))


def _assign(active: list[Track], people: list[Detection], frame: int) -> dict[int, Track]:
    """Assign people to active tracks: {index of the person: track}; people without a track are left out."""
    if not active or not people:
        return {}
    expected = np.stack([track.expected(frame) for track in active])
    gaps = np.array([frame - track.last_frame for track in active], float)
    score = similarity(expected, np.stack([p.keypoints_px for p in people]), SPREAD * (1 + 0.1 * gaps))
    rows, columns = linear_sum_assignment(score, maximize=True)
    return {int(c): active[r] for r, c in zip(rows, columns, strict=True) if score[r, c] > MIN_SIMILARITY}


def similarity(
    a_px: Float[np.ndarray, "a 17 2"], b_px: Float[np.ndarray, "b 17 2"], spread: Float[np.ndarray, " a"]
) -> Float[np.ndarray, "a b"]:
    """Return the object keypoint similarity of every a with every b, 0 to 1.

    It is the mean over the joints seen in both of exp(-d^2 / 2 s^2), where s is the `spread` of a times the larger of the
    two bounding boxes' diagonals; 0 for people without a common joint.
    """
    size = np.maximum(_diagonal(a_px)[:, None], _diagonal(b_px)[None])
    distance = np.linalg.norm(a_px[:, None] - b_px[None], axis=-1)
    seen = np.isfinite(distance)
    tolerance = np.maximum(spread[:, None] * size, 1e-3)[..., None]
    close = np.where(seen, np.exp(-0.5 * (np.where(seen, distance, 0) / tolerance) ** 2), 0)
    return close.sum(-1) / np.maximum(seen.sum(-1), 1)


def _diagonal(people_px: Float[np.ndarray, "people 17 2"]) -> Float[np.ndarray, " people"]:
    """Return the diagonal of each person's bounding box in pixels; 0 for a person without joints."""
    seen = np.isfinite(people_px)
    high = np.where(seen, people_px, -np.inf).max(1)
    low = np.where(seen, people_px, np.inf).min(1)
    return np.linalg.norm(np.where(high >= low, high - low, 0), axis=-1)
