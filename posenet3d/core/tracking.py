"""Several people per frame become tracks: who is who from frame to frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

MAX_GAP = 15
"""Frames that a person may be lost and still be the same: half a second behind a pillar at 30 fps."""

SPREAD = 0.1
"""How far a joint moves from frame to frame, as a share of the person's size, before it looks like another joint.
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
        """Where the joints would be in a later frame if the person kept walking; crossing people part by this."""
        last = self.last_frame
        return self.detections[last].keypoints_px + self.velocity_px * (frame - last)

    def add(self, frame: int, detection: Detection) -> None:
        """Append the next detection; frames must come in order."""
        if self.detections:
            last = self.last_frame
            step = detection.keypoints_px - self.detections[last].keypoints_px
            seen = np.isfinite(step).all(-1)
            if seen.any():  # the median joint, half old and half new: a swinging arm is not the body's way
                pace = np.median(step[seen], axis=0) / (frame - last)
                self.velocity_px = pace if len(self.detections) == 1 else 0.5 * self.velocity_px + 0.5 * pace
        self.detections[frame] = detection


def completeness(track: Track) -> float:
    """How much of a person a track shows: the sum of confidence over all joints and frames."""
    return float(sum(d.confidence.sum() for d in track.detections.values()))


def link(frames: Sequence[Sequence[Detection]], max_gap: int = MAX_GAP) -> list[Track]:
    """Follow people through the frames by pose similarity, one-to-one and globally best in each frame.

    Args:
        frames: for each frame the people detected in it, in any order.
        max_gap: frames a track may miss before the person counts as somebody new.

    Returns:
        Tracks numbered from 1 in order of appearance, most complete first.
    """
    tracks: list[Track] = []
    active: list[Track] = []
    for frame, people in enumerate(frames):
        active = [track for track in active if frame - track.last_frame <= max_gap + 1]
        goes_on = _assign(active, list(people), frame)
        new = [Track(len(tracks) + 1 + n) for n in range(len(people) - len(goes_on))]
        unclaimed = iter(new)
        for index, person in enumerate(people):
            (goes_on.get(index) or next(unclaimed)).add(frame, person)
        tracks += new
        active += new
    return most_complete_first(tracks)


def most_complete_first(tracks: Iterable[Track]) -> list[Track]:
    """Tracks by `completeness`; equal ones stay in the order of their numbers."""
    return sorted(tracks, key=lambda track: (-completeness(track), track.track_id))


def _assign(active: list[Track], people: list[Detection], frame: int) -> dict[int, Track]:
    """Which of the people goes on which track: {index of the person: track}."""
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
    """Object keypoint similarity of every a with every b, 0..1: mean over joints seen in both of exp(-d^2 / 2 s^2).

    `spread` is per a, as a share of the larger person's box diagonal. People without a common joint have similarity 0.
    """
    size = np.maximum(_diagonal(a_px)[:, None], _diagonal(b_px)[None])
    distance = np.linalg.norm(a_px[:, None] - b_px[None], axis=-1)
    seen = np.isfinite(distance)
    tolerance = np.maximum(spread[:, None] * size, 1e-3)[..., None]
    close = np.where(seen, np.exp(-0.5 * (np.where(seen, distance, 0) / tolerance) ** 2), 0)
    return close.sum(-1) / np.maximum(seen.sum(-1), 1)


def _diagonal(people_px: Float[np.ndarray, "people 17 2"]) -> Float[np.ndarray, " people"]:
    """Diagonal of each person's box in pixels; 0 where nothing is seen."""
    seen = np.isfinite(people_px)
    high = np.where(seen, people_px, -np.inf).max(1)
    low = np.where(seen, people_px, np.inf).min(1)
    return np.linalg.norm(np.where(high >= low, high - low, 0), axis=-1)
