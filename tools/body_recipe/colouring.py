"""Plain colours of the default body: grey skin, a grey-blue top and dark shorts, so that it can be shown in class."""

import numpy as np

from posenet3d.body.layer import BodyArrays
from posenet3d.core.jointsets import JOINT_SETS

SKIN, TOP, SHORTS = np.array([196, 190, 184]), np.array([110, 131, 152]), np.array([66, 72, 84])
SOFT = 0.006
"""Width (m) over which one colour turns into the other; about a third of an edge, so that hems look straight."""


def vertex_colors(arrays: BodyArrays) -> np.ndarray:
    """RGB (vertices, 3), 0 to 255, from places on the mean body in T-pose."""
    joints = dict(zip(JOINT_SETS["smpl24"].joints, arrays.joint_regressor @ arrays.vertices, strict=True))
    x, y, z = arrays.vertices.T.astype(float)
    out = np.abs(x)
    hip, knee, shoulder, elbow = (joints[f"l_{name}"] for name in ("hip", "knee", "shoulder", "elbow"))
    waist = joints["spine1"][1]
    sleeve = shoulder[0] + 0.45 * (elbow[0] - shoulder[0])
    hem = hip[1] + 0.55 * (knee[1] - hip[1])
    neck = joints["neck_joint"]
    from_axis = np.hypot(x, z - neck[2])
    # A cone around the neck, lower in front than at the back: a round neckline.
    neckline = neck[1] - 0.03 + 0.35 * (from_axis - 0.07) + 0.2 * (neck[2] - z)
    above_collar = _ramp((y - neckline) / 2)
    top = _ramp(y - waist) * _ramp(sleeve - out) * (1 - above_collar)
    hand = out > sleeve
    shorts = _ramp(y - hem) * (1 - _ramp(y - waist)) * ~hand
    bare = 1 - top - shorts
    mixed = bare[:, None] * SKIN + top[:, None] * TOP + shorts[:, None] * SHORTS
    return mixed.round().clip(0, 255).astype(np.uint8)


def _ramp(distance: np.ndarray) -> np.ndarray:
    """0 well below zero, 1 well above."""
    return np.clip(0.5 + distance / SOFT, 0, 1)
