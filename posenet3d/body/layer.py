"""Shape, kinematics and skinning of a body in SMPL's format (Loper et al., SMPL, SIGGRAPH Asia 2015, equations 5 to 12).

Rotations are matrices relative to the parent joint; `pose_rotations` converts from axis-angle.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import roma
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor, nn

N_BODY_JOINTS = 24
N_BETAS = 10

BODY_PARENTS: tuple[int, ...] = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
"""Parent of each joint in SMPL's kinematic tree, in the order of smpl24 in `posenet3d.core.jointsets`."""


@dataclass(frozen=True)
class BodyArrays:
    """The arrays of a body file (NumPy, metres); `Body` converts them to tensors.

    Attributes:
        name: of the body, unique to its shape space; betas are only valid together with it.
        vertices: rest pose at betas 0, (vertices, 3).
        faces: (faces, 3), counter-clockwise seen from outside.
        shapedirs: movement of each vertex per unit of each beta, (vertices, 3, 10).
        posedirs: movement per element of (R - I) of the 23 non-root joints, (vertices, 3, 207); None without pose correctives.
        joint_regressor: joints from rest vertices, sparse (24, vertices).
        weights: skinning weights, (vertices, 24), rows sum to 1.
        colors: RGB of each vertex, 0..255, or None.
        regressors: joint set name to a sparse (landmarks, vertices) regressor on posed vertices.
        named_vertices: smplx's names of surface points ('nose', 'lindex', 'RHeel') to vertex numbers.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray | None
    joint_regressor: sp.csr_matrix
    weights: np.ndarray
    colors: np.ndarray | None = None
    regressors: dict[str, sp.csr_matrix] = field(default_factory=dict)
    named_vertices: dict[str, int] = field(default_factory=dict)


class Posed(NamedTuple):
    """A posed body, in metres."""

    vertices: Float[Tensor, "batch vertices 3"]
    joints: Float[Tensor, "batch 24 3"]


def pose_rotations(
    global_orient: Float[Tensor, "batch 3"], body_pose: Float[Tensor, "batch 69"]
) -> Float[Tensor, "batch 24 3 3"]:
    """Return the rotation matrices of the 24 joints from axis-angle in radians: the root, then 23 joints of three values."""
    return roma.rotvec_to_rotmat(torch.cat([global_orient, body_pose], dim=-1).unflatten(-1, (N_BODY_JOINTS, 3)))


class Body(nn.Module):
    """The differentiable body, with buffers and no parameters. `arrays` keeps the file's content in full precision."""

    template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    weights: Tensor
    rest_template: Tensor
    rest_by_beta: Tensor
    by_depth: Tensor
    by_index: Tensor
    step_template: Tensor
    step_by_beta: Tensor
    bottom_row: Tensor

    def __init__(self, arrays: BodyArrays, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.arrays = arrays
        self.name = arrays.name
        rest = arrays.joint_regressor @ arrays.vertices
        rest_by_beta = np.stack([arrays.joint_regressor @ arrays.shapedirs[..., k] for k in range(N_BETAS)])

        def register(name: str, values: np.ndarray) -> None:
            # Not persistent: a checkpoint of a network must not carry a copy of the body it was trained with.
            self.register_buffer(name, torch.as_tensor(np.ascontiguousarray(values), dtype=dtype), persistent=False)

        register("template", arrays.vertices)
        register("shapedirs", arrays.shapedirs.transpose(2, 0, 1).reshape(N_BETAS, -1))
        register("weights", arrays.weights)
        register("rest_template", rest)
        register("rest_by_beta", rest_by_beta.reshape(N_BETAS, -1))
        up = [joint if parent < 0 else parent for joint, parent in enumerate(BODY_PARENTS)]
        register("step_template", np.concatenate([rest[:1], (rest - rest[up])[1:]])[BY_DEPTH])
        steps = np.concatenate([rest_by_beta[:, :1], (rest_by_beta - rest_by_beta[:, up])[:, 1:]], axis=1)
        register("step_by_beta", steps[:, BY_DEPTH].reshape(N_BETAS, -1))
        register("bottom_row", np.array([0.0, 0, 0, 1])[None, None, None])
        self.has_correctives = arrays.posedirs is not None
        if arrays.posedirs is not None:
            register("posedirs", arrays.posedirs.reshape(-1, arrays.posedirs.shape[-1]).T)
        for name, index in _tree_levels().items():
            self.register_buffer(name, index, persistent=False)

    def rest_joints(self, betas: Float[Tensor, "batch 10"]) -> Float[Tensor, "batch 24 3"]:
        """Return the joints of the rest pose, which are linear in the betas."""
        return self.rest_template + (betas @ self.rest_by_beta).unflatten(-1, (N_BODY_JOINTS, 3))

    def rest_vertices(self, betas: Float[Tensor, "batch 10"]) -> Float[Tensor, "batch vertices 3"]:
        """Return the vertices of the rest pose, which are linear in the betas."""
        return self.template + (betas @ self.shapedirs).unflatten(-1, (-1, 3))

    def kinematics(
        self, rotations: Float[Tensor, "batch 24 3 3"], betas: Float[Tensor, "batch 10"]
    ) -> Float[Tensor, "batch 24 3 4"]:
        """Return rotation and position of each joint in the body frame, [R_body_joint | joint], by forward kinematics.

        Joints at the same depth of the tree are computed together: 8 batched products instead of 23.
        """
        step = self.step_template + (betas @ self.step_by_beta).unflatten(-1, (N_BODY_JOINTS, 3))  # from the parent
        local = torch.cat([rotations.index_select(1, self.by_depth), step[..., None]], dim=-1)
        local = torch.cat([local, self.bottom_row.expand(*local.shape[:2], 1, 4)], dim=-2)
        levels = list(local.split(LEVEL_SIZES, dim=1))
        for depth in range(1, len(levels)):
            levels[depth] = levels[depth - 1].index_select(1, getattr(self, f"parents_{depth}")) @ levels[depth]
        return torch.cat(levels, dim=1).index_select(1, self.by_index)[:, :, :3]

    def bone_transforms(
        self, rotations: Float[Tensor, "batch 24 3 3"], betas: Float[Tensor, "batch 10"]
    ) -> tuple[Float[Tensor, "batch 24 3 4"], Float[Tensor, "batch 24 3"]]:
        """Return the transform of each bone from rest pose to pose, and the posed joints."""
        turn, joints = self.kinematics(rotations, betas).split([3, 1], dim=-1)
        shift = joints - turn @ self.rest_joints(betas)[..., None]
        return torch.cat([turn, shift], dim=-1), joints[..., 0]

    def joints(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        transl: Float[Tensor, "batch 3"] | None = None,
    ) -> Float[Tensor, "batch 24 3"]:
        """Return the 24 posed joints without computing the skin."""
        joints = self.kinematics(rotations, betas)[..., 3]
        return joints if transl is None else joints + transl[:, None]

    def forward(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        transl: Float[Tensor, "batch 3"] | None = None,
    ) -> Posed:
        """Return posed vertices and joints by linear blend skinning, with pose correctives if the body has them."""
        bones, joints = self.bone_transforms(rotations, betas)
        skin = self.rest_vertices(betas)
        if self.has_correctives:
            skin = skin + (pose_feature(rotations) @ self.posedirs).unflatten(-1, (-1, 3))
        blended = (self.weights @ bones.flatten(2)).unflatten(-1, (3, 4))
        vertices = (blended[..., :3] @ skin[..., None])[..., 0] + blended[..., 3]
        if transl is None:
            return Posed(vertices, joints)
        return Posed(vertices + transl[:, None], joints + transl[:, None])


def pose_feature(rotations: Float[Tensor, "batch 24 3 3"]) -> Float[Tensor, "batch 207"]:
    """Return R - I of the 23 non-root joints, the input of the pose correctives (SMPL, equation 9)."""
    return (rotations[:, 1:] - torch.eye(3, dtype=rotations.dtype, device=rotations.device)).flatten(1)


def _depths() -> np.ndarray:
    """Return the depth of each joint in the tree, 0 for the root."""
    depth: list[int] = []
    for parent in BODY_PARENTS:
        depth.append(depth[parent] + 1 if parent >= 0 else 0)
    return np.array(depth)


LEVEL_SIZES: list[int] = np.bincount(_depths()).tolist()
"""Number of joints at each depth of the tree."""

BY_DEPTH = np.argsort(_depths(), kind="stable")
"""The joints sorted by depth."""


def _tree_levels() -> dict[str, Tensor]:
    """Return index buffers: the joints sorted by depth, the inverse, and for each level its parents in the level above."""
    depth = _depths()
    indices = {"by_depth": BY_DEPTH, "by_index": np.argsort(BY_DEPTH)}
    for level in range(1, len(LEVEL_SIZES)):
        above = np.flatnonzero(depth == level - 1).tolist()
        indices[f"parents_{level}"] = np.array([above.index(BODY_PARENTS[j]) for j in np.flatnonzero(depth == level)])
    return {name: torch.as_tensor(index) for name, index in indices.items()}
