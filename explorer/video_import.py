"""Import a video: detect the people in it, and make a copy that the viewer shows behind their joints."""

import time
from dataclasses import dataclass
from pathlib import Path

from explorer.browser_video import BrowserVideo, transcode
from posenet3d.api import read_people
from posenet3d.core.progress import OnProgress, part
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detectors import Detector

DETECTION_SHARE = 0.9
"""Share of the progress bar for detection; the rest is for transcoding."""


@dataclass(frozen=True)
class ImportedVideo:
    """The people in a video, its copy for the browser, and notes for the user."""

    tracks: list[PoseSequence]
    video: BrowserVideo
    notes: list[str]


def import_video(file: Path, fps: float | None, detector: Detector, progress: OnProgress) -> ImportedVideo:
    """Detect the people in a video and transcode it; detections of an earlier call are read from the disk cache.

    Args:
        file: any video.
        fps: overrides the video's own rate.
        detector: an installed one.
        progress: is given the share done, 0 to 1; an exception that it raises stops the work.

    Raises:
        InputError: the file is not a video, no person was detected, or the detector fails.
    """
    started = time.perf_counter()
    people = read_people(file, fps=fps, detector=detector.name, progress=part(progress, 0.0, DETECTION_SHARE))
    tracks, notes = people.sequences, list(people.notes)
    detected = time.perf_counter()
    copy = transcode(file, len(tracks[0]), tracks[0].fps, part(progress, DETECTION_SHARE, 1.0))
    copied = time.perf_counter()
    notes.append(
        f"Time: detection with {detector.name} {detected - started:.1f} s, copy for the viewer {copied - detected:.1f} s."
    )
    return ImportedVideo(tracks, copy, notes)
