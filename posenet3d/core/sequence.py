"""One person's 2D joints over time: the container that every surface hands around."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from posenet3d.core.camera import pinhole
from posenet3d.core.skeleton import N_JOINTS

DEFAULT_FPS = 30.0
MIN_FPS, MAX_FPS = 0.1, 10_000.0
"""From time lapse to the fastest camera; what lies outside is a mistake, and smoothing over seconds of it never ends."""


def recording_of_name(name: str) -> str:
    """Return a clip's or file's name up to the first dot: 'cmu_01_01.cam0' and 'cmu_01_01.cam1' are one recording."""
    return name.split(".")[0]


@dataclass(frozen=True)
class PoseSequence:
    """2D joints of one person, one row per frame of the input, with what else is known about the clip.

    A missing joint is NaN in `keypoints_px` and 0 in `confidence`; construction enforces that the two agree.

    Raises:
        ValueError: shapes disagree, or there is no frame at all.
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

    @property
    def is_observed(self) -> np.ndarray:
        """(frames, 17) bool: was the joint seen by the detector."""
        return self.confidence > 0

    @property
    def recording(self) -> str:
        """The recording that the clip is from: `take`, or `recording_of_name` where the take is not known."""
        return self.take or recording_of_name(self.name)

    def frames(self, first: int, stop: int) -> "PoseSequence":
        """The clip cut to frames ``first <= t < stop``."""
        truth = None if self.joints_3d is None else self.joints_3d[first:stop]
        return replace(
            self,
            keypoints_px=self.keypoints_px[first:stop],
            confidence=self.confidence[first:stop],
            joints_3d=truth,
            packed_at=None,
        )

    def intrinsics(self) -> Float[np.ndarray, "3 3"]:
        """`K` if known, else a pinhole with the default field of view centred on the image.

        Without an image size either, the picture is taken to be the bounding box of all joints seen.
        """
        if self.K is not None:
            return np.asarray(self.K, np.float64)
        if self.image_size is not None:
            width, height = self.image_size
            return pinhole(float(max(width, height)), width / 2, height / 2)
        seen = self.keypoints_px[self.is_observed]
        if len(seen) == 0:
            return pinhole(1000.0, 500.0, 500.0)
        low, high = seen.min(0).astype(float), seen.max(0).astype(float)
        # People rarely fill a frame: taking the box itself as the image would put the camera far too close.
        return pinhole(2 * float((high - low).max() + 1e-6), float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
