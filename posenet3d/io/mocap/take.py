"""Motion of one person in 3D, as motion capture gives it: before any camera has filmed it."""

import re
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from posenet3d.core.jointsets import JointSet, canonical_joint, to_h36m17

Z_UP_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""R_yup_zup: what was up stays up, x stays x."""

UP_AXES: dict[str, np.ndarray] = {"y_up": np.eye(3), "z_up": Z_UP_TO_Y_UP}
"""R_yup_file by what is up in a file."""


@dataclass(frozen=True)
class Take:
    """Joints over time in the world: metres, y up, NaN where a joint is not known.

    Attributes:
        name: of the take.
        joints: all that the source has.
        joint_names: as the source calls them.
        canonical_names: the same joints as `posenet3d.core.jointsets` calls them, which is what `h36m17` goes by.
        fps: frames per second.
        subject: who moves.
        action: what is done.
    """

    name: str
    joints: Float[np.ndarray, "frames joints 3"]
    joint_names: tuple[str, ...]
    canonical_names: tuple[str, ...]
    fps: float
    subject: str = ""
    action: str = ""

    def __post_init__(self) -> None:
        count = len(self.joint_names)
        if self.joints.shape != (len(self.joints), count, 3) or len(self.canonical_names) != count:
            raise ValueError(
                f"take '{self.name}': {self.joints.shape} joints, {count} and {len(self.canonical_names)} names"
            )

    def __len__(self) -> int:
        return len(self.joints)

    def h36m17(self) -> Float[np.ndarray, "frames 17 3"]:
        """The 17 joints, by the recipes of `posenet3d.core.jointsets`; NaN where the source has nothing for one."""
        joint_set = JointSet("the file's", self.canonical_names)
        known = np.isfinite(self.joints).all(-1).astype(float)
        return to_h36m17(self.joints, known, joint_set)[0]

    def downsample(self, fps: float) -> "Take":
        """At a lower frame rate: every frame whose time comes next; at the own rate or above it nothing changes."""
        if fps >= self.fps:
            return self
        rows = np.round(np.arange(0, len(self) - 0.5, self.fps / fps)).astype(int)
        return replace(self, joints=self.joints[rows[rows < len(self)]], fps=fps)


# What skeletons of motion capture call the joints; left and right are taken off first.
_NAMES = {
    "pelvis": "pelvis_joint", "hips": "pelvis_joint", "root": "pelvis_joint",
    "upleg": "hip", "upperleg": "hip", "thigh": "hip", "hip": "hip",
    "leg": "knee", "lowerleg": "knee", "shin": "knee", "calf": "knee", "knee": "knee",
    "foot": "ankle", "ankle": "ankle", "toebase": "foot", "toe": "foot", "toes": "foot",
    "arm": "shoulder", "upperarm": "shoulder", "uparm": "shoulder", "shldr": "shoulder", "shoulder": "shoulder",
    "forearm": "elbow", "lowerarm": "elbow", "lowarm": "elbow", "elbow": "elbow",
    "hand": "wrist", "wrist": "wrist",
    "collar": "collar", "clavicle": "collar",
    "neck": "neck_joint", "head": "head_joint", "headtop": "head_top", "headtopend": "head_top",
    "spine": "spine1", "thorax": "spine3",  # not Human3.6M's joints of these names
}  # fmt: skip

_MIDLINE = ("pelvis_joint", "neck_joint", "head_joint", "head_top", "spine1", "spine3")


def longest_side(joints: Float[np.ndarray, "frames joints 3"]) -> float:
    """How long somebody is along an axis in most of the frames in which they are longest; NaN where nothing is known."""
    known = joints[np.isfinite(joints).all(-1).any(1)]
    if not len(known):
        return float("nan")
    sides = (np.nanmax(known, axis=1) - np.nanmin(known, axis=1)).max(-1)
    return float(np.quantile(sides, 0.9))  # a single frame may be damaged


def body_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The joints of a motion-capture skeleton as `posenet3d.core.jointsets` calls them.

    'mixamorig:LeftUpLeg', 'LeftHip', 'lThigh' and 'left_hip' are one joint. Names that no recipe knows are kept, in lower
    case; a joint that is there twice is known by the first.
    """
    parts = [_side_and_core(name) for name in names]
    cores = {core for _, core in parts}
    here = dict(_NAMES)
    if cores & {"arm", "upperarm", "uparm", "shldr"}:
        here["shoulder"] = "collar"
    if "ankle" in cores:
        here["foot"] = "foot"
    if "wrist" in cores:
        here["hand"] = "hand"
    found: list[str] = []
    for (side, core), name in zip(parts, names, strict=True):
        known = here.get(core, "")
        known = f"{side}_{known}" if side and known else known
        is_joint = known and (side or known in _MIDLINE)
        known = known if is_joint else canonical_joint(name)
        found.append(known if known not in found else f"{known}.{len(found)}")
    return tuple(found)


_SIDE_FIRST = re.compile(r"(?P<side>[LlRr])(?:(?i:eft|ight)[_ .]?|_|(?=[A-Z]))(?P<core>.+)")
_SIDE_LAST = re.compile(r"(?P<core>.+)[_ .](?P<side>[LlRr])(?i:eft|ight)?")


def _side_and_core(name: str) -> tuple[str, str]:
    """('l', 'upleg') of 'mixamorig:LeftUpLeg'; no side for what lies on the midline."""
    plain = re.sub(r"^.*[:|]", "", name.strip())
    match = _SIDE_FIRST.fullmatch(plain) or _SIDE_LAST.fullmatch(plain)
    side, core = (match["side"].lower(), match["core"]) if match else ("", plain)
    return side, re.sub(r"[^a-z0-9]", "", core.lower())
