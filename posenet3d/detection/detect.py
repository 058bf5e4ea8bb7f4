"""Run a detector on a video; results are cached, so that a second run with the same video is instant."""

import hashlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.detection import cache
from posenet3d.detection.detections import Detections
from posenet3d.detection.detectors import Detector, RunningDetector
from posenet3d.errors import InputError
from posenet3d.io.video import Video, read_frames

MAX_HEIGHT_PX = 1080
"""Frames are shrunk to this height. Detectors shrink their input to a few hundred pixels anyway, so that more would only take
longer on the way to their process."""


def detect(
    video: Video, detector: Detector, model_file: Path | None = None, progress: Callable[[float], None] | None = None
) -> Detections:
    """Detect the people in every frame of a video, or read them from the cache.

    Args:
        video: from `posenet3d.io.video.open_video`.
        detector: from `posenet3d.detection.detectors.find_detector`.
        model_file: a model of the user's, for detectors that take one.
        progress: is told the share done, 0 to 1; an exception from it stops the work, and nothing is cached.

    Raises:
        InputError: the video or the detector fails.
    """
    key = _cache_key(video, detector, model_file)
    if (cached := _read_cache(key)) is not None:
        return cached
    keypoints = _run(video, detector, model_file, progress or (lambda share: None))
    if all(people is None for people in keypoints):
        raise InputError(video.file, "has no frame that can be decoded", "save it again, or choose another video")
    detections = Detections.from_keypoints(video, keypoints, JOINT_SETS[detector.joint_set], detector.name)
    cache.write(key, detections.to_coco())
    return detections


def _read_cache(key: str) -> Detections | None:
    content = cache.read(key)
    try:
        return None if content is None else Detections.from_coco(content, f"cache entry {key}")
    except InputError:  # written by a future version, or damaged: detect again
        return None


def _run(
    video: Video, detector: Detector, model_file: Path | None, progress: Callable[[float], None]
) -> list[list[np.ndarray] | None]:
    """Return the people of every frame, in pixels of the original frame; None for a frame that cannot be decoded."""
    keypoints: list[list[np.ndarray] | None] = []
    with RunningDetector(detector, model_file) as running:
        for number, image in enumerate(islice(read_frames(video.file, MAX_HEIGHT_PX), len(video))):
            if image is None:
                keypoints.append(None)
            else:
                width, height = video.image_file(number).size
                scale = np.array([width / image.shape[1], height / image.shape[0], 1.0])
                keypoints.append([person * scale for person in running.detect(image)])
            progress((number + 1) / len(video))
    return keypoints


def _cache_key(video: Video, detector: Detector, model_file: Path | None) -> str:
    """Hash what the result depends on: the frames in their order, their names, and the detector's weights."""
    digest = hashlib.sha256(f"4 {detector.name} {detector.pip} {video.fps}".encode())
    frames = [video.file / image.name for image in video.image_files] if video.file.is_dir() else [video.file]
    weights = model_file or detector.weights
    for path in (*frames, *([] if weights is None else [weights])):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"\n{file.name}\n".encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
