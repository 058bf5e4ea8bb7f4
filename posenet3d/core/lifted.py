"""The result of lifting: 3D joints of one sequence, with the body where there is one."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.sequence import DEFAULT_FPS


@dataclass(frozen=True)
class Lifted:
    """3D joints of one sequence, row by row with its frames.

    `joints_3d` is NaN in frames too far from any detection to say anything (nothing is invented there).
    `cleaned_px` is the 2D that was lifted: the input with noise removed and short gaps bridged. `confidence` is the
    input's own: where it is 0 the joint was not seen, and its 3D is what the network filled in.
    """

    name: str
    joints_3d: Float[np.ndarray, "frames 17 3"]  # metres, camera frame
    cleaned_px: Float[np.ndarray, "frames 17 2"] | None = None
    fps: float = DEFAULT_FPS
    model: str = "teacher"
    checkpoint: str = ""
    confidence: Float[np.ndarray, "frames 17"] | None = None
    packed_at: tuple[int, int] | None = None  # as `PoseSequence.packed_at`
    body: BodyParameters | None = None  # the student's: one shape, a pose per frame, in the camera's frame

    def __len__(self) -> int:
        return len(self.joints_3d)

    def at(self, rows: Int[np.ndarray, " rows"]) -> "Lifted":
        """These rows alone; beyond the last there are none."""
        rows = rows[rows < len(self)]
        return replace(
            self,
            joints_3d=self.joints_3d[rows],
            cleaned_px=None if self.cleaned_px is None else self.cleaned_px[rows],
            confidence=None if self.confidence is None else self.confidence[rows],
            body=None if self.body is None else self.body.at(rows),
        )
