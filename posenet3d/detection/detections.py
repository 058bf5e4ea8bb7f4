"""What a detector found in a video, as typed records, and the same as COCO keypoint JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import pinhole
from posenet3d.core.jointsets import JointSet
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.tracking import Detection
from posenet3d.errors import InputError
from posenet3d.io.checked_json import joint_triplets, records, whole_number
from posenet3d.io.keypoints.people import (
    Footage,
    Person,
    common_count,
    sequences_of_detections,
    to_detections,
    track_ids,
)
from posenet3d.io.video import Video

DESCRIPTION = "2D joints by "
"""COCO's `info.description`, up to the name of the detector."""


@dataclass(frozen=True)
class DetectedImage:
    """One decoded frame of a video."""

    file_name: str
    width: int  # pixels
    height: int
    frame: int  # number in the video
    row: int  # number at a constant frame rate; see `Video.frame_index`


@dataclass(frozen=True, eq=False)
class DetectedPerson:
    """One person in one image."""

    image: int  # index in `Detections.images`
    keypoints: Float[np.ndarray, "joints 3"]  # x, y (pixels of that image) and score, in the detector's joint set
    bbox: tuple[float, float, float, float]  # left, top, width, height of the joints with a score above 0
    score: float  # mean of the joints' scores
    h36m17: Detection  # `keypoints` converted to Human3.6M's 17 joints
    track_id: int | None = None  # None for a person without any joint


@dataclass(frozen=True, eq=False)
class Detections:
    """The people of a video, frame by frame."""

    images: tuple[DetectedImage, ...]
    people: tuple[DetectedPerson, ...]
    joint_names: tuple[str, ...]
    fps: float
    detector: str

    @property
    def n_tracks(self) -> int:
        """How many different people there are."""
        return len({person.track_id for person in self.people})

    def to_coco(self) -> dict[str, Any]:
        """Convert to COCO keypoint JSON with `track_id` for people, `frame` and `row` for images, and `info.fps`."""
        images = [
            {
                "id": number,
                "file_name": image.file_name,
                "width": image.width,
                "height": image.height,
                "frame": image.frame,
                "row": image.row,
            }
            for number, image in enumerate(self.images)
        ]
        annotations = [
            {
                "id": number,
                "image_id": person.image,
                "category_id": 1,
                "bbox": list(person.bbox),
                "keypoints": person.keypoints.ravel().tolist(),
                "score": person.score,
                "track_id": person.track_id,
            }
            for number, person in enumerate(self.people)
        ]
        return {
            "info": {"description": DESCRIPTION + self.detector, "fps": self.fps},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person", "keypoints": list(self.joint_names)}],
        }

    @classmethod
    def from_coco(cls, content: Any, file: str | Path) -> "Detections":
        """Read what `to_coco` wrote.

        Args:
            content: parsed JSON.
            file: the name for error messages.

        Raises:
            InputError: a field is missing or has the wrong type.
        """
        try:
            images = tuple(
                DetectedImage(
                    str(image["file_name"]),
                    *(whole_number(image[key], file, f"images.{key}") for key in ("width", "height", "frame", "row")),
                )
                for image in records(content["images"], file, "images")
            )
            annotations = records(content["annotations"], file, "annotations")
            keypoints = [joint_triplets(a["keypoints"], file, "annotations.keypoints") for a in annotations]
            rest = [(int(a["image_id"]), tuple(a["bbox"]), float(a["score"]), a["track_id"]) for a in annotations]
            names = tuple(content["categories"][0]["keypoints"])
            fps, detector = float(content["info"]["fps"]), content["info"]["description"].removeprefix(DESCRIPTION)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            problem = f"does not hold detections ({type(error).__name__}: {error})"
            raise InputError(file, problem, "run posenet3d detect again") from error
        people = [Person(image, joints) for (image, *_), joints in zip(rest, keypoints, strict=True)]
        converted = to_detections(people, JointSet("the detector's", names))
        found = tuple(
            DetectedPerson(image, joints, bbox, score, detection, track_id)
            for (image, bbox, score, track_id), joints, detection in zip(rest, keypoints, converted, strict=True)
        )
        return cls(images, found, names, fps, detector)

    @classmethod
    def from_keypoints(
        cls,
        video: Video,
        keypoints: Sequence[list[Float[np.ndarray, "joints 3"]] | None],
        joint_set: JointSet,
        detector: str,
    ) -> "Detections":
        """Build detections from a detector's output, and link the people of neighbouring frames to tracks.

        Args:
            video: the video.
            keypoints: for every frame the joints of each person: x, y (pixels of that frame) and score; None for a
                frame that cannot be decoded, which has no image here.
            joint_set: the detector's.
            detector: its name.

        Raises:
            InputError: people have different numbers of joints.
        """
        raw = [(frame, joints) for frame, found in enumerate(keypoints) for joints in found or ()]
        people = [Person(frame, joints.round(3)) for frame, joints in raw]
        if people:
            common_count(people, video.file, "keypoints")
        converted = to_detections(people, joint_set)
        tracks = track_ids(people, converted, len(keypoints), video.fps)
        decoded = [frame for frame, found in enumerate(keypoints) if found is not None]
        image_of = {frame: image for image, frame in enumerate(decoded)}
        people_found = tuple(
            DetectedPerson(
                image_of[frame],
                person.joints,
                _bbox(joints),
                round(float(joints[:, 2].mean()), 4),
                detection,
                track,
            )
            for (frame, joints), person, detection, track in zip(raw, people, converted, tracks, strict=True)
        )
        rows, stills = video.frame_index, [video.image_file(frame) for frame in decoded]
        images = tuple(
            DetectedImage(still.name, *still.size, frame, int(rows[frame]))
            for frame, still in zip(decoded, stills, strict=True)
        )
        return cls(images, people_found, joint_set.joints, video.fps, detector)

    def to_sequences(self, video: Video) -> list[PoseSequence]:
        """Build one sequence per person, most complete first, with a row per frame at constant `fps`.

        Dropped frames of a video, and frames that cannot be decoded, are empty rows.

        Raises:
            InputError: no person was found.
        """
        if not self.people:
            problem = f"no person was found in its {len(self.images)} frames"
            raise InputError(video.file, problem, "choose another clip, or another detector")
        people = [Person(self.images[p.image].row, p.keypoints, p.track_id) for p in self.people]
        n_rows = max(int(video.frame_index[-1]), self.images[-1].row) + 1
        footage = Footage(video.file, n_rows, video.fps, video.size)
        sequences = sequences_of_detections(people, [self._in_first_image(p, video) for p in self.people], footage)
        width, height = video.size
        K = None if video.fov_deg is None else pinhole(float(max(video.size)), width / 2, height / 2, video.fov_deg)
        return [replace(sequence, video_path=video.file, K=K) for sequence in sequences]

    def _in_first_image(self, person: DetectedPerson, video: Video) -> Detection:
        """Scale a person's joints to the first image, whose pixels the clip is in; images of a folder may differ in size."""
        image = self.images[person.image]
        scale = np.array([video.size[0] / image.width, video.size[1] / image.height])
        return replace(person.h36m17, keypoints_px=person.h36m17.keypoints_px * scale)


def _bbox(joints: Float[np.ndarray, "joints 3"]) -> tuple[float, float, float, float]:
    """Return left, top, width, height of the joints with a score above 0; zeros if there are none."""
    detected = joints[joints[:, 2] > 0, :2]
    if len(detected) == 0:
        return 0.0, 0.0, 0.0, 0.0
    low, high = detected.min(0), detected.max(0)
    left, top, width, height = (round(float(value), 2) for value in (*low, *(high - low)))
    return left, top, width, height
