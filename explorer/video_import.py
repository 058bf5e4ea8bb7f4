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
from posenet3d.core.camera import DEFAULT_FOV_DEG
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detect import detect, sequences_in
from posenet3d.detection.detectors import Detector
from posenet3d.detection.left_right import fix_left_right
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
    detections = detect(film, detector, progress=lambda share: progress(DETECTION_SHARE * share))
    detected = time.perf_counter()
    tracks, notes = fix_left_right(sequences_in(film, detections))
    if (looked := len(detections["images"])) < len(film):
        notes.append(f"Only the first {looked} of {len(film)} pictures can be decoded.")
    if not film.has_constant_rate:
        notes.append(
            f"Its rate is uneven: {len(tracks[0]) - len(film)} frames of the {film.fps:.4g} a second are missing."
        )
    if film.fov_deg is None:
        notes.append(
            f"Nothing says how wide the camera sees: {DEFAULT_FOV_DEG:g} degrees are assumed ('Lifting', at the left)."
        )
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
