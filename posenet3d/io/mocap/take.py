"""The motion of one person in 3D from motion capture, without cameras; and the names of its joints."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JointSet, to_h36m17
from posenet3d.io.mocap.bone_names import canonical_skeleton_names as canonical_skeleton_names

Z_UP_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""R_yup_zup: the vertical stays vertical, x stays x."""

UP_AXES: dict[str, np.ndarray] = {"y_up": np.eye(3), "z_up": Z_UP_TO_Y_UP}
"""R_yup_file by the axis that points up in a file."""


@dataclass(frozen=True)
class Take:
    """3D joints of one person over time in the world: metres, y up, NaN where a joint is not known.

    Attributes:
        name: of the take.
        joints: all joints of the source, (frames, joints, 3).
        joint_names: their names in the source.
        canonical_names: their names in `posenet3d.core.jointsets`, from which `h36m17` computes the 17 joints.
        fps: frames per second.
        subject: name of the person.
        action: name of the motion.
        notes: sentences about what was repaired or assumed on reading.
    """

    name: str
    joints: Float[np.ndarray, "frames joints 3"]
    joint_names: tuple[str, ...]
    canonical_names: tuple[str, ...]
    fps: float
    subject: str = ""
    action: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.joint_names)
        if self.joints.shape != (len(self.joints), count, 3) or len(self.canonical_names) != count:
            raise ValueError(
                f"take '{self.name}': {self.joints.shape} joints, {count} and {len(self.canonical_names)} names"
            )

    def __len__(self) -> int:
        return len(self.joints)

    def h36m17(self) -> Float[np.ndarray, "frames 17 3"]:
        """Return the 17 joints, by the recipes of `posenet3d.core.jointsets`; NaN for a joint that has no source."""
        joint_set = JointSet("the file's", self.canonical_names)
        known = np.isfinite(self.joints).all(-1).astype(float)
        return to_h36m17(self.joints, known, joint_set)[0]

    def downsample(self, fps: float) -> "Take":
        """Return the take at a lower frame rate, with the nearest frame to each time; unchanged for `fps` above its own."""
        if fps >= self.fps:
            return self
        rows = np.round(np.arange(0, len(self) - 0.5, self.fps / fps)).astype(int)
        return replace(self, joints=self.joints[rows[rows < len(self)]], fps=fps)


def longest_side(joints: Float[np.ndarray, "frames joints 3"]) -> float:
    """Return the 90th percentile over frames of the longest bounding-box side; NaN if no joint is known."""
    known = joints[np.isfinite(joints).all(-1).any(1)]
    if not len(known):
        return float("nan")
    sides = (np.nanmax(known, axis=1) - np.nanmin(known, axis=1)).max(-1)
    return float(np.quantile(sides, 0.9))  # not the maximum: a single frame may be damaged
