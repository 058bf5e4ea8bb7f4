"""A video through a detector: who is in it, kept in a cache so that a second visit is instant."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posenet3d.core.jointsets import JOINT_SETS, JointSet
from posenet3d.core.sequence import PoseSequence
from posenet3d.detection import cache
from posenet3d.detection.detectors import Detector, RunningDetector
from posenet3d.errors import InputError
from posenet3d.io.keypoints.people import Footage, Person, common_count, sequences_of_people, track_ids
from posenet3d.io.video import Video, read_frames

HEIGHT_PX = 1080
"""Detectors shrink what they are given to a few hundred pixels; more than this would only make the way to them longer."""

Detections = dict[str, Any]
"""COCO's keypoint format: `images`, one per picture; `annotations`, one per person in it; `categories`."""


def detect(
    video: Video, detector: Detector, model_file: Path | None = None, progress: Callable[[float], None] | None = None
) -> Detections:
    """Look at every picture of a video, or remember what was seen there before.

    Args:
        video: from `posenet3d.io.video.open_video`.
        detector: from `posenet3d.detection.detectors.find_detector`.
        model_file: a model of the user's, for detectors that take one.
        progress: is told the share done; what it raises stops the work and leaves nothing behind.

    Raises:
        InputError: the video or the detector fails.
    """
    key = _key(video, detector, model_file)
    known: Detections | None = cache.read(key)
    if known is not None:
        return known
    people = _look(video, detector, model_file, progress or (lambda share: None))
    detections = _in_coco_format(video, people, JOINT_SETS[detector.joint_set], detector.name)
    cache.write(key, detections)
    return detections


def sequences_in(video: Video, detections: Detections) -> list[PoseSequence]:
    """Everybody in the video, most complete first, one row per tick of the video's even clock (`Video.rows`).

    Raises:
        InputError: nobody was seen.
    """
    names = tuple(detections["categories"][0]["keypoints"])
    frame_index = video.frame_index
    people = [
        Person(
            int(frame_index[a["image_id"]]),
            np.array(a["keypoints"], np.float64).reshape(-1, 3) * _to_first(video, a["image_id"]),
            a["track_id"],
        )
        for a in detections["annotations"]
    ]
    if not people:
        problem = f"no person was found in its {len(detections['images'])} pictures"
        raise InputError(video.file, problem, "choose another clip, or another detector")
    n_rows = int(frame_index[len(detections["images"]) - 1]) + 1
    footage = Footage(video.file, n_rows, video.fps, video.size)
    sequences = sequences_of_people(people, footage, JointSet("the detector's", names), "annotations.keypoints")
    sequences = [replace(sequence, video_path=video.file) for sequence in sequences]
    return sequences if video.fov_deg is None else [sequence.with_fov(video.fov_deg) for sequence in sequences]


def _to_first(video: Video, number: int) -> np.ndarray:
    """From a picture's pixels to those of the video's first, which its clip is in; pictures of a folder may differ in size."""
    (width, height), own = video.size, video.image_file(number).size
    return np.array([width / own[0], height / own[1], 1.0])


def _look(
    video: Video, detector: Detector, model_file: Path | None, progress: Callable[[float], None]
) -> list[list[np.ndarray]]:
    """Per picture everybody in it; as many pictures as can be decoded."""
    seen = []
    with RunningDetector(detector, model_file) as running:
        for number, picture in enumerate(read_frames(video.file, HEIGHT_PX)):
            width, height = video.image_file(number).size
            back = np.array([width / picture.shape[1], height / picture.shape[0], 1.0])
            seen.append([person * back for person in running.people(picture)])
            progress(min((number + 1) / len(video), 1.0))
    return seen[: len(video)]


def _in_coco_format(video: Video, seen: Sequence[list[np.ndarray]], joint_set: JointSet, detector: str) -> Detections:
    people = [Person(frame, joints) for frame, found in enumerate(seen) for joints in found]
    if people:
        common_count(people, video.file, "keypoints")
    tracks = track_ids(people, joint_set, len(seen), video.fps)
    frame_index = video.frame_index
    images = [
        {
            "id": n,
            "file_name": video.image_file(n).name,
            "width": video.image_file(n).size[0],
            "height": video.image_file(n).size[1],
            "frame": n,
            "row": int(frame_index[n]),
        }
        for n in range(len(seen))
    ]
    annotations = [
        {
            "id": number,
            "image_id": person.frame,
            "category_id": 1,
            "bbox": _box(person.joints),
            "keypoints": person.joints.round(3).ravel().tolist(),
            "score": round(float(person.joints[:, 2].mean()), 4),
            "track_id": track,
        }
        for number, (person, track) in enumerate(zip(people, tracks, strict=True))
    ]
    return {
        "info": {"description": f"2D joints by {detector}", "fps": video.fps},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(joint_set.joints)}],
    }


def _box(joints: np.ndarray) -> list[float]:
    """Left, top, width, height of the joints that were seen."""
    seen = joints[joints[:, 2] > 0, :2]
    if len(seen) == 0:
        return [0.0, 0.0, 0.0, 0.0]
    low, high = seen.min(0), seen.max(0)
    return [round(float(value), 2) for value in (*low, *(high - low))]


def _key(video: Video, detector: Detector, model_file: Path | None) -> str:
    """The same for the same pictures and the same detector, wherever the files lie and whatever they are called."""
    digest = hashlib.sha256(f"2 {detector.name} {detector.pip} {video.fps}".encode())
    networks = model_file or detector.weights
    for place in (video.file, *([] if networks is None else [networks])):
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file():
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()
