"""From a video to its people: detection, tracks, swapped left and right sides, and notes for the user."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from posenet3d.core.camera import DEFAULT_FOV_DEG
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection.detect import detect
from posenet3d.detection.detections import Detections
from posenet3d.detection.detectors import Detector
from posenet3d.detection.left_right import fix_left_right
from posenet3d.io.video import Video


@dataclass(frozen=True)
class FoundPeople:
    """The people of a video.

    Attributes:
        sequences: one per person, most complete first, a row per frame at constant rate.
        detections: what the detector found, before left and right were fixed.
        notes: sentences for the user: what was changed, what is missing, what was assumed.
    """

    sequences: list[PoseSequence]
    detections: Detections
    notes: list[str]


def find_people(
    video: Video, detector: Detector, model_file: Path | None = None, progress: Callable[[float], None] | None = None
) -> FoundPeople:
    """Detect the people in a video, link them to tracks and fix swapped left and right sides.

    Args:
        video: from `posenet3d.io.video.open_video`. A field of view known from elsewhere goes into its `fov_deg`.
        detector: from `posenet3d.detection.detectors.find_detector`.
        model_file: a model of the user's, for detectors that take one.
        progress: is told the share done, 0 to 1; an exception from it stops the work.

    Raises:
        InputError: the video or the detector fails, or no person is found.
    """
    detections = detect(video, detector, model_file, progress)
    sequences, notes = [], []
    for sequence in detections.to_sequences(video):
        fixed, n_swapped = fix_left_right(sequence)
        sequences.append(fixed)
        if n_swapped:
            notes.append(
                f"{sequence.name}: left and right were swapped in {n_swapped} of {len(sequence)} frames; this is fixed."
            )
    return FoundPeople(sequences, detections, [*notes, *_notes(video, detections)])


def _notes(video: Video, detections: Detections) -> list[str]:
    """Describe frames that cannot be decoded, an uneven frame rate, and an assumed field of view."""
    notes = []
    if lost := len(video) - len(detections.images):
        notes.append(f"{lost} of {len(video)} frames cannot be decoded; their rows stay empty.")
    if not video.has_constant_rate:
        missing = int(video.frame_index[-1]) + 1 - len(video)
        notes.append(f"The frame rate is uneven: {missing} frames are missing at {video.fps:.4g} frames per second.")
    if video.fov_deg is None:
        notes.append(f"The camera's field of view is unknown: {DEFAULT_FOV_DEG:g} degrees are assumed.")
    return notes
