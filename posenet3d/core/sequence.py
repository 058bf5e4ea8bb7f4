"""One person's 2D joints over time: the input of the lifter, whether it comes from a file, a video or a program."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import pinhole, pinhole_of_image
from posenet3d.core.jointsets import JointSet, to_h36m17
from posenet3d.core.skeleton import N_JOINTS

DEFAULT_FPS = 30.0
MIN_FPS, MAX_FPS = 0.1, 10_000.0
"""From time lapse to the fastest camera. Other rates are mistakes, and smoothing over seconds of them never ends."""


def recording_of_name(name: str) -> str:
    """Return a clip's or file's name up to the first dot: 'cmu_01_01.cam0' and 'cmu_01_01.cam1' are one recording."""
    return name.split(".")[0]


@dataclass(frozen=True)
class PoseSequence:
    """2D joints of one person, one row per frame of the input, with what else is known about the clip.

    A missing joint is NaN in `keypoints_px` and 0 in `confidence`; the constructor makes the two agree.

    Raises:
        ValueError: the shapes do not agree, or there is no frame.
    """

    name: str
    keypoints_px: Float[np.ndarray, "frames 17 2"]
    confidence: Float[np.ndarray, "frames 17"]
    fps: float = DEFAULT_FPS
    image_size: tuple[int, int] | None = None  # width, height in pixels
    K: Float[np.ndarray, "3 3"] | None = None  # intrinsics, pixels
    joints_3d: Float[np.ndarray, "frames 17 3"] | None = None  # ground truth, metres, camera frame; for reporting only
    action: str = ""
    subject: str = ""
    video_path: Path | None = None
    track_id: int | None = None
    # First row of the clip in the packed file it was read from, and number of rows of that file. The readers of packed
    # files set it, the lifter copies it to `Lifted`, and `posenet3d.io.lifted_npz` writes the result to the same rows,
    # so that predictions line up with the truth of the packed file row by row. None for all other inputs.
    packed_at: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()  # sentences about what was assumed or repaired on the way here
    take: str = ""  # the recording that the clip is from; its people and cameras share it; empty if not known

    def __post_init__(self) -> None:
        frames = len(self.keypoints_px)
        if frames == 0:
            raise ValueError(f"sequence '{self.name}' has no frames")
        if self.keypoints_px.shape != (frames, N_JOINTS, 2) or self.confidence.shape != (frames, N_JOINTS):
            raise ValueError(
                f"sequence '{self.name}': keypoints {self.keypoints_px.shape} and confidence {self.confidence.shape} "
                f"must be (frames, {N_JOINTS}, 2) and (frames, {N_JOINTS})"
            )
        seen = np.isfinite(self.keypoints_px).all(-1) & (np.nan_to_num(self.confidence) > 0)
        object.__setattr__(
            self, "keypoints_px", np.where(seen[..., None], self.keypoints_px, np.nan).astype(np.float32)
        )
        object.__setattr__(self, "confidence", np.where(seen, self.confidence, 0).clip(0, 1).astype(np.float32))

    def __len__(self) -> int:
        return len(self.keypoints_px)

    @classmethod
    def from_keypoints(
        cls,
        keypoints: np.ndarray,
        joint_set: JointSet | str = "coco17",
        fps: float | int = DEFAULT_FPS,
        image_size: tuple[int, int] | None = None,
        K: np.ndarray | None = None,
        confidence: np.ndarray | None = None,
        name: str = "keypoints",
    ) -> "PoseSequence":
        """Return the sequence of one person whose keypoints are in memory, converted to the library's 17 joints.

        A missing joint is NaN, or has confidence 0.

        Args:
            keypoints: (frames, joints, 2) in pixels, or (frames, joints, 3) with the confidence as the third value.
            joint_set: order of the joints: a `JointSet`, or a name in `posenet3d.core.jointsets.JOINT_SETS`.
            fps: frames per second.
            image_size: width and height in pixels.
            K: intrinsics (3, 3) in pixels, where they are known.
            confidence: (frames, joints), 0 to 1; 1 for every joint if None. Not beside a third value in `keypoints`.
            name: of the clip.

        Raises:
            ValueError: an unknown joint set, a shape that does not fit, an unusable `fps` or `image_size`, or no joint
                in any frame.
        """
        if keypoints.ndim != 3 or keypoints.shape[2] not in (2, 3) or keypoints.dtype.kind not in "fiu":
            shape, kind = keypoints.shape, keypoints.dtype
            raise ValueError(f"keypoints are {kind} of shape {shape}, but must be numbers (frames, joints, 2 or 3)")
        if keypoints.shape[2] == 3:
            if confidence is not None:
                raise ValueError("keypoints hold a confidence as third value, so leave the argument confidence out")
            keypoints, confidence = keypoints[..., :2], keypoints[..., 2]
        confidence = np.ones(keypoints.shape[:2]) if confidence is None else confidence
        if confidence.shape != keypoints.shape[:2]:
            raise ValueError(f"confidence has shape {confidence.shape}, but the keypoints have {keypoints.shape}")
        if not MIN_FPS <= fps <= MAX_FPS:
            raise ValueError(f"fps is {fps:g}, but must be {MIN_FPS:g} to {MAX_FPS:g} frames per second")
        if image_size is not None and min(image_size) < 1:
            raise ValueError(f"image_size is {image_size}, but must be width and height in pixels")
        if K is not None and K.shape != (3, 3):
            raise ValueError(f"K has shape {K.shape}, but must be (3, 3)")
        keypoints_px, confidence = to_h36m17(keypoints.astype(np.float64), confidence.astype(np.float64), joint_set)
        if not confidence.any():
            raise ValueError(f"no joint of '{name}' is seen in any frame")
        return cls(name, keypoints_px, confidence, fps=float(fps), image_size=image_size, K=K)

    @property
    def is_observed(self) -> np.ndarray:
        """Whether the detector saw the joint; (frames, 17) bool."""
        return self.confidence > 0

    @property
    def recording(self) -> str:
        """The recording that the clip is from: `take`, or `recording_of_name` where the take is not known."""
        return self.take or recording_of_name(self.name)

    def with_fov(self, fov_deg: float) -> "PoseSequence":
        """Return the sequence with the intrinsics of a camera whose longer image side spans `fov_deg` degrees.

        Raises:
            ValueError: the image size is not known, or the angle is not between 0 and 180 degrees.
        """
        if self.image_size is None:
            raise ValueError(f"sequence '{self.name}' has no image_size, which a field of view needs")
        if not 0 < fov_deg < 180:
            raise ValueError(f"a field of view of {fov_deg} degrees is not between 0 and 180")
        return replace(self, K=pinhole_of_image(self.image_size, fov_deg))

    def frames(self, first: int, stop: int) -> "PoseSequence":
        """Return the clip cut to frames ``first <= t < stop``."""
        truth = None if self.joints_3d is None else self.joints_3d[first:stop]
        return replace(
            self,
            keypoints_px=self.keypoints_px[first:stop],
            confidence=self.confidence[first:stop],
            joints_3d=truth,
            packed_at=None,
        )

    def intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """Return `K` if it is known, else a pinhole camera with the default field of view centred on the image.

        Without an image size either, the image is assumed to be twice as large as the bounding box of all joints seen.
        """
        if self.K is not None:
            return np.asarray(self.K, np.float64)
        if self.image_size is not None:
            return pinhole_of_image(self.image_size)
        seen = self.keypoints_px[self.is_observed]
        if len(seen) == 0:
            return pinhole(1000.0, 500.0, 500.0)
        low, high = seen.min(0).astype(float), seen.max(0).astype(float)
        # People rarely fill an image: taking the box itself as the image would put the camera far too close.
        return pinhole(2 * float((high - low).max() + 1e-6), float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
