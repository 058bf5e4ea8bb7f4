"""A video into what the pages look at: the people in it, and a copy to be shown behind their joints."""

import base64
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from explorer.browser_video import Backdrop, backdrop
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detectors import Detector
from posenet3d.detection.people import find_people
from posenet3d.io.video import open_video

DETECTION_SHARE = 0.9
"""Of the work; the rest is the copy."""

THUMBNAIL_PX = 96


@dataclass(frozen=True)
class Seen:
    """Who is in a video, its copy, and what has to be said about it."""

    tracks: list[PoseSequence]
    backdrop: Backdrop
    notes: list[str]


def look_at(file: Path, fps: float | None, detector: Detector, progress: Callable[[float], None]) -> Seen:
    """Find the people in a video; a second visit with the same file only copies.

    Args:
        file: any video.
        fps: overrides its own rate.
        detector: one that is installed.
        progress: is told the share done; what it raises stops the work.

    Raises:
        InputError: it is no video, nobody is in it, or the detector fails.
    """
    started = time.perf_counter()
    film = open_video(file, fps)
    people = find_people(film, detector, progress=lambda share: progress(DETECTION_SHARE * share))
    tracks, notes = people.sequences, people.notes
    detected = time.perf_counter()
    copy = backdrop(
        file, len(tracks[0]), film.fps, lambda share: progress(DETECTION_SHARE + (1 - DETECTION_SHARE) * share)
    )
    copied = time.perf_counter()
    notes.append(f"Time: detection ({detector.name}) {detected - started:.1f} s, copy {copied - detected:.1f} s.")
    return Seen(tracks, copy, notes)


def thumbnails(video: Backdrop, tracks: Sequence[PoseSequence]) -> list[str]:
    """A picture of each person, from the frame in which most of them was seen, as an address that holds it (JPEG)."""
    best = [int(track.confidence.sum(1).argmax()) for track in tracks]
    pictures = _frames(video, set(best))
    return [_cut_out(pictures[frame], track, frame, video) for track, frame in zip(tracks, best, strict=True)]


def _frames(video: Backdrop, wanted: set[int]) -> dict[int, Image.Image]:
    found: dict[int, Image.Image] = {}
    with av.open(io.BytesIO(video.content), "r") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                found[number] = frame.to_image()
            if len(found) == len(wanted):
                break
    return found


def _cut_out(picture: Image.Image, track: PoseSequence, frame: int, video: Backdrop) -> str:
    points = track.keypoints_px[frame][track.is_observed[frame]] * (picture.height / video.film.size[1])
    low, high = points.min(0), points.max(0)
    middle, reach = (low + high) / 2, 0.65 * float(np.max(high - low)) + 4
    left, top, right, bottom = (int(value) for value in (*(middle - reach), *(middle + reach)))
    small = picture.crop((left, top, right, bottom)).resize((THUMBNAIL_PX, THUMBNAIL_PX))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
