"""The motion of a lifted body in the axes of a file, with a pose in every frame; for the exports and the viewer."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation

from posenet3d.body.files import available_bodies, default_arrays, load_body, read_smpl
from posenet3d.body.layer import N_BODY_JOINTS, Body
from posenet3d.core.axes import AXES
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.lifted import Lifted
from posenet3d.errors import InputError


def _label(name: str) -> str:
    sides = {"l_": "left_", "r_": "right_"}
    return (sides.get(name[:2], name[:2]) + name[2:]).removesuffix("_joint")


JOINT_LABELS: tuple[str, ...] = tuple(_label(name) for name in JOINT_SETS["smpl24"].joints)
"""The 24 joints as smplx names them: 'pelvis', 'left_hip', ... Blender pairs 'left_' with 'right_'."""


@dataclass(frozen=True)
class BodyMotion:
    """A body's motion in the axes of a file; every frame has a pose.

    Attributes:
        body: the body, in float64.
        betas: its shape.
        rest: its 24 joints in the rest pose, metres.
        rotvecs: axis-angle in radians; the root's against the file's axes, the others' against their parents.
        transl: SMPL's translation, metres; added after the body has been rotated about its pelvis joint.
        is_known: False in frames without a person, which repeat the pose of a neighbouring frame.
    """

    body: Body
    betas: Float[np.ndarray, "10"]
    rest: Float[np.ndarray, "24 3"]
    rotvecs: Float[np.ndarray, "frames 24 3"]
    transl: Float[np.ndarray, "frames 3"]
    is_known: Bool[np.ndarray, " frames"]

    @property
    def n_held(self) -> int:
        """Count the frames that repeat the pose of a neighbouring frame."""
        return int((~self.is_known).sum())

    @property
    def pelvis(self) -> Float[np.ndarray, "frames 3"]:
        """Return the positions of the root joint; the body rotates about it, so only `transl` moves it."""
        return self.rest[0] + self.transl

    @property
    def rotations(self) -> Rotation:
        """Return the rotations of all frames times 24 joints, flat."""
        return Rotation.from_rotvec(self.rotvecs.reshape(-1, 3))


def body_motion(lifted: Lifted, axes: str, body: Body | None = None) -> BodyMotion:
    """Return the motion of a clip's body, rotated into the axes of a file.

    Frames without a pose repeat the last pose before them. Those at the beginning of the clip repeat the first pose.

    Args:
        lifted: a clip with a body.
        axes: a name in `AXES`.
        body: the body that the betas belong to; found by its name if None.

    Raises:
        InputError: the clip is a skeleton without rotations, has no frame with a person, or its body is not installed.
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
    shown = _shown_frames(is_known)
    rotvecs, transl = rotvecs[shown].reshape(-1, N_BODY_JOINTS, 3), transl[shown]
    betas = parameters.betas[:1].astype(np.float64)
    rest = body.rest_joints(torch.from_numpy(betas).to(body.template))[0].double().numpy()
    R_file_camera = AXES[axes]
    rotvecs[:, 0] = (Rotation.from_matrix(R_file_camera) * Rotation.from_rotvec(rotvecs[:, 0])).as_rotvec()
    # The body rotates about its pelvis joint, not about the origin, so the position of the joint is rotated.
    transl = (transl + rest[0]) @ R_file_camera.T - rest[0]
    return BodyMotion(body, betas[0], rest, rotvecs, transl, is_known)


def _shown_frames(is_known: Bool[np.ndarray, " frames"]) -> Int[np.ndarray, " frames"]:
    """Return for each frame the index of the frame whose pose it shows."""
    latest = np.maximum.accumulate(np.where(is_known, np.arange(len(is_known)), -1))
    return np.where(latest < 0, is_known.argmax(), latest)


def find_body(name: str) -> Body:
    """Return the body with this `Body.name`: the open one, or an official file in the bodies folder.

    Raises:
        InputError: no body has that name.
    """
    if name == default_arrays().name:
        return load_body(dtype=torch.float64)
    for path in available_bodies().values():
        arrays = read_smpl(path)
        if arrays.name == name:
            return Body(arrays, torch.float64)
    raise InputError(f"body {name!r}", "is not installed", "put its file into the bodies folder")


def is_licensed(body: Body) -> bool:
    """Return whether the mesh of this body has a licence of its own; only the open body has none."""
    return body.name != default_arrays().name
