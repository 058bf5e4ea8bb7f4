"""The result of lifting: the 3D joints of one sequence, and the body parameters if the student lifted it."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.sequence import DEFAULT_FPS


@dataclass(frozen=True)
class Lifted:
    """3D joints of one sequence, with one row per frame of the sequence.

    `joints_3d` is NaN in frames in which the person was not seen, except in short gaps between two sightings
    (`is_bridged`). `cleaned_px` is the 2D that was lifted: the input with noise removed and short gaps filled.
    `confidence` is that of the input: where it is 0 the joint was not seen, and the network filled in its 3D position.
    """

    name: str
    joints_3d: Float[np.ndarray, "frames 17 3"]  # metres, camera frame
    cleaned_px: Float[np.ndarray, "frames 17 2"] | None = None
    fps: float = DEFAULT_FPS
    model: str = "teacher"
    checkpoint: str = ""
    confidence: Float[np.ndarray, "frames 17"] | None = None
    packed_at: tuple[int, int] | None = None  # as `PoseSequence.packed_at`
    is_bridged: Bool[np.ndarray, " frames"] | None = None  # frames filled between two sightings of the person
    body: BodyParameters | None = None  # student only: one shape, one pose per frame, in the camera's frame

    def __len__(self) -> int:
        return len(self.joints_3d)

    def at(self, rows: Int[np.ndarray, " rows"]) -> "Lifted":
        """Return the result of these rows only; rows beyond the last are left out."""
        rows = rows[rows < len(self)]
        return replace(
            self,
            joints_3d=self.joints_3d[rows],
            cleaned_px=None if self.cleaned_px is None else self.cleaned_px[rows],
            confidence=None if self.confidence is None else self.confidence[rows],
            is_bridged=None if self.is_bridged is None else self.is_bridged[rows],
            body=None if self.body is None else self.body.at(rows),
        )
