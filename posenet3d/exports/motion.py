"""What all exporters share: the file's axes, the body behind the parameters, and frames in which nobody was seen."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from posenet3d.body.files import available_bodies, default_arrays, load_body, read_smpl
from posenet3d.body.layer import N_BODY_JOINTS, Body
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.lifted import Lifted
from posenet3d.errors import InputError

AXES: dict[str, np.ndarray] = {
    "camera": np.eye(3),
    "y_up": np.diag([1.0, -1.0, -1.0]),
    "z_up": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
}
"""R_file_camera. Camera: x right, y down, z forward. y_up: 180 degrees about x, so z points at the viewer (glTF, BVH,
OpenSim). z_up: 90 degrees about x, so y points away from the viewer (AMASS, Blender's own world)."""


def _label(name: str) -> str:
    sides = {"l_": "left_", "r_": "right_"}
    return (sides.get(name[:2], name[:2]) + name[2:]).removesuffix("_joint")


JOINT_LABELS: tuple[str, ...] = tuple(_label(name) for name in JOINT_SETS["smpl24"].joints)
"""The 24 joints as smplx names them: 'pelvis', 'left_hip', ... Blender pairs 'left_' with 'right_'."""


@dataclass(frozen=True)
class Exported:
    """A file's content, and what the user should be told.

    Attributes:
        content: the bytes of the file.
        n_held: frames in which nobody was seen and the file, which cannot leave a gap, repeats a neighbouring pose.
        n_blank: frames in which nobody was seen and the file has empty cells.
        is_licensed: the file contains the mesh of a body that is not the open one, so that body's licence covers it.
    """

    content: bytes
    n_held: int = 0
    n_blank: int = 0
    is_licensed: bool = False


@dataclass(frozen=True)
class Motion:
    """A body's motion in the axes of a file; every frame has a pose.

    Attributes:
        body: the body, in float64.
        betas: its shape.
        rest: its 24 joints in the rest pose, metres.
        rotvecs: axis-angle in radians; the root's against the file's axes, the others' against their parents.
        transl: SMPL's translation, metres: what is added to the body that turned about its pelvis joint.
        is_known: frames in which the pose is the lifted one; the others repeat a neighbouring pose.
    """

    body: Body
    betas: Float[np.ndarray, "10"]
    rest: Float[np.ndarray, "24 3"]
    rotvecs: Float[np.ndarray, "frames 24 3"]
    transl: Float[np.ndarray, "frames 3"]
    is_known: Bool[np.ndarray, " frames"]

    @property
    def n_held(self) -> int:
        """Frames whose pose is a neighbour's."""
        return int((~self.is_known).sum())

    @property
    def pelvis(self) -> Float[np.ndarray, "frames 3"]:
        """The root joint: the rest pose turns about it, so it moves with `transl` alone."""
        return self.rest[0] + self.transl

    @property
    def rotations(self) -> Rotation:
        """Of all frames times 24 joints, flat."""
        return Rotation.from_rotvec(self.rotvecs.reshape(-1, 3))


def motion_of(lifted: Lifted, axes: str, body: Body | None = None) -> Motion:
    """The student's body of a clip, turned into the axes of a file.

    Frames without a pose hold the last one before them; those at the beginning have the first pose that comes.

    Args:
        lifted: a clip with a body.
        axes: a name in `AXES`.
        body: the body that the betas belong to; found by its name if None.

    Raises:
        InputError: the clip is a skeleton without rotations, has no frame with a person, or its body is not here.
    """
    parameters, clip = lifted.body, f"clip {lifted.name!r}"
    if parameters is None:
        raise InputError(clip, "is a skeleton without rotations", "lift it again with --model student")
    if body is None:
        body = find_body(parameters.body_model)
    parameters.check_for(body.name, clip)
    rotvecs = np.concatenate([parameters.global_orient, parameters.body_pose], 1).astype(np.float64)
    transl = parameters.transl.astype(np.float64)
    is_known = np.isfinite(np.concatenate([rotvecs, transl], 1)).all(axis=1)
    if not is_known.any():
        raise InputError(clip, "has no frame with a person", "choose another clip")
    shown = _held(is_known)
    rotvecs, transl = rotvecs[shown].reshape(-1, N_BODY_JOINTS, 3), transl[shown]
    betas = parameters.betas[:1].astype(np.float64)
    rest = body.rest_joints(torch.from_numpy(betas).to(body.template))[0].double().numpy()
    R_file_camera = AXES[axes]
    rotvecs[:, 0] = (Rotation.from_matrix(R_file_camera) * Rotation.from_rotvec(rotvecs[:, 0])).as_rotvec()
    # The body turns about its pelvis joint, not about the origin, so the joint is what has to be turned.
    transl = (transl + rest[0]) @ R_file_camera.T - rest[0]
    return Motion(body, betas[0], rest, rotvecs, transl, is_known)


def _held(is_known: Bool[np.ndarray, " frames"]) -> Int[np.ndarray, " frames"]:
    """Index of the frame to show in each frame."""
    latest = np.maximum.accumulate(np.where(is_known, np.arange(len(is_known)), -1))
    return np.where(latest < 0, is_known.argmax(), latest)


def find_body(name: str) -> Body:
    """The body of that `Body.name`: the open one, or an official file in the bodies folder.

    Raises:
        InputError: none of them has that name.
    """
    if name == default_arrays().name:
        return load_body(dtype=torch.float64)
    for path in available_bodies().values():
        arrays = read_smpl(path)
        if arrays.name == name:
            return Body(arrays, torch.float64)
    raise InputError(f"body {name!r}", "is not here", "put its file into the bodies folder")


def for_old_numpy(pickled: bytes) -> bytes:
    """A pickle of protocol 2 whose arrays open in NumPy 1, too: version 2 renamed a module and reads both names."""
    return pickled.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def is_licensed(body: Body) -> bool:
    """Whether a mesh of this body falls under somebody's licence: all but the open body."""
    return body.name != default_arrays().name


def turned_joints(lifted: Lifted, axes: str) -> Float[np.ndarray, "frames 17 3"]:
    """The 17 joints of a clip in the axes of a file, metres; NaN where nobody was seen."""
    return lifted.joints_3d.astype(np.float64) @ AXES[axes].T


def n_without_person(lifted: Lifted) -> int:
    """Frames in which no joint is known."""
    return int((~np.isfinite(lifted.joints_3d).all(-1)).all(1).sum())
