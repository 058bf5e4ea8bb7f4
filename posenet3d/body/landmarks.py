"""Landmarks on the skin, without computing the skin.

A landmark is a weighted mean of posed vertices. A posed vertex v is a blend of bone transforms,
sum_j w_vj (G_j x_v + t_j), of its unposed position x_v. So the landmark k is

    sum_v r_kv sum_j w_vj (G_j x_v + t_j) = sum_j (G_j p_kj + c_kj t_j),
    c_kj = sum_v r_kv w_vj,    p_kj = sum_v r_kv w_vj x_v:

one point per joint instead of thousands of vertices. x_v and p_kj are linear in the betas and in the pose feature R - I,
so the sums over vertices are computed once, when the table is built. The result is exact, with and without pose
correctives. Kinematics gives the rest joints a_j and the posed joints G_j a_j + t_j; in terms of these, G_j is applied to
p_kj - c_kj a_j instead of p_kj.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.body.layer import N_BETAS, N_BODY_JOINTS, Body, pose_feature
from posenet3d.core.jointsets import JOINT_SETS

SKULL_CAP = 0.075
"""The head top is the mean of the vertices within this radius (m) of the highest vertex, and lies 1 to 2 cm below it."""


@dataclass(frozen=True)
class PointTable:
    """Landmarks as sums over joints of one point per joint.

    Attributes:
        shares: c, the weight of each joint, (landmarks, 24); rows sum to 1.
        places: p at betas 0 in the rest pose, (landmarks, 24, 3), metres.
        by_beta: change of p per beta, (10, landmarks, 24, 3).
        by_pose: change of p per element of the pose feature, (207, landmarks, 24, 3); None without pose correctives.
    """

    shares: np.ndarray
    rest_points: np.ndarray
    by_beta: np.ndarray
    by_pose: np.ndarray | None = None

    def combine(self, mixture: Float[np.ndarray, "out landmarks"]) -> "PointTable":
        """Return the table of landmarks that are weighted sums of these."""
        return PointTable(
            mixture @ self.shares,
            np.einsum("ok,kjc->ojc", mixture, self.rest_points),
            np.einsum("ok,bkjc->bojc", mixture, self.by_beta),
            None if self.by_pose is None else np.einsum("ok,bkjc->bojc", mixture, self.by_pose),
        )


def regressor_table(body: Body, regressor: object) -> PointTable:
    """Return the table of a (landmarks, vertices) regressor on posed vertices, dense or sparse."""
    arrays = body.arrays
    dense = np.asarray(regressor.toarray() if hasattr(regressor, "toarray") else regressor, dtype=float)
    used = np.flatnonzero(dense.any(0))
    blend = dense[:, used, None] * arrays.weights[used]  # r_kv w_vj
    posedirs = None if arrays.posedirs is None else arrays.posedirs[used]
    return PointTable(
        blend.sum(1),
        np.einsum("kvj,vc->kjc", blend, arrays.vertices[used]),
        np.einsum("kvj,vcb->bkjc", blend, arrays.shapedirs[used], optimize=True),
        None if posedirs is None else np.einsum("kvj,vcb->bkjc", blend, posedirs, optimize=True),
    )


def joint_table(body: Body) -> PointTable:
    """Return the table of the 24 joints themselves: each moves with its own bone only."""
    own = np.eye(N_BODY_JOINTS)
    regressor = body.arrays.joint_regressor
    rest = regressor @ body.arrays.vertices
    by_beta = np.stack([regressor @ body.arrays.shapedirs[..., b] for b in range(N_BETAS)])
    by_pose = None if body.arrays.posedirs is None else np.zeros((207, N_BODY_JOINTS, N_BODY_JOINTS, 3))
    return PointTable(own, own[..., None] * rest, own[None, ..., None] * by_beta[:, :, None], by_pose)


class Landmarks(nn.Module):
    """Landmarks of a body from rotations and betas, differentiable."""

    shares: Tensor
    rest_points: Tensor
    directions: Tensor

    def __init__(self, body: Body, table: PointTable):
        super().__init__()
        self.body = body
        self.count = len(table.shares)

        def register(name: str, values: np.ndarray) -> None:
            self.register_buffer(name, torch.as_tensor(values).to(body.template), persistent=False)

        joints = joint_table(body)
        own = np.arange(N_BODY_JOINTS)
        rest, rest_by_beta = joints.rest_points[own, own], joints.by_beta[:, own, own]
        shares = table.shares[..., None]
        register("shares", shares)
        register("rest_points", table.rest_points - shares * rest)
        directions = table.by_beta - shares * rest_by_beta[:, None]
        directions = directions if table.by_pose is None else np.concatenate([directions, table.by_pose])
        register("directions", directions.reshape(len(directions), -1))

    def forward(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        transl: Float[Tensor, "batch 3"] | None = None,
    ) -> Float[Tensor, "batch landmarks 3"]:
        """Return the landmarks in metres, in the frame of `transl`."""
        world = self.body.kinematics(rotations, betas)
        rest_points = self._local_points(rotations, betas)
        points = torch.cat([rest_points, self.shares.expand(len(rest_points), -1, -1, 1)], dim=-1)
        landmarks = points.flatten(2) @ world.transpose(-1, -2).flatten(1, 2)
        return landmarks if transl is None else landmarks + transl[:, None]

    def parts(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        world: Float[Tensor, "batch 24 3 4"],
    ) -> Float[Tensor, "batch landmarks 24 3"]:
        """Return the contribution of each joint to each landmark, which sum to the landmark.

        Args:
            rotations: of the joints.
            betas: of the body.
            world: from `Body.kinematics`.
        """
        rest_points = self._local_points(rotations, betas)
        return torch.einsum("bjcd,bkjd->bkjc", world[..., :3], rest_points) + self.shares * world[:, None, :, :, 3]

    def _local_points(self, rotations: Tensor, betas: Tensor) -> Tensor:
        """Return the points (batch, landmarks, 24, 3) in the frames of the joints, before the joints rotate them."""
        drive = torch.cat([betas, pose_feature(rotations)], dim=-1) if self.body.has_correctives else betas
        return self.rest_points + (drive @ self.directions).unflatten(-1, self.rest_points.shape)


def landmarks_of(body: Body, joint_set: str = "h36m17") -> Landmarks:
    """Return the landmarks of a joint set of `posenet3d.core.jointsets`, in its order.

    If the body's file has a regressor for the set, it is used. Otherwise (official SMPL) the landmarks of the limbs are the
    joints of the body, and those of trunk and head are means of joints and the top of the skull.

    Raises:
        KeyError: the body has no regressor for the joint set, and a joint of it is not in `BETWEEN_JOINTS`.
    """
    if joint_set in body.arrays.regressors:
        return Landmarks(body, regressor_table(body, body.arrays.regressors[joint_set]))
    sources = (*JOINT_SETS["smpl24"].joints, "skull")
    mixture = np.zeros((len(JOINT_SETS[joint_set]), len(sources)))
    for row, name in zip(mixture, JOINT_SETS[joint_set].joints, strict=True):
        of = BETWEEN_JOINTS.get(f"{joint_set} {name}") or BETWEEN_JOINTS.get(name) or {name: 1.0}
        if not of.keys() <= set(sources):
            raise KeyError(f"{joint_set}: {name} is not made of joints")
        for source, share in of.items():
            row[sources.index(source)] = share
    return Landmarks(body, _concatenate(joint_table(body), regressor_table(body, _skull_cap(body))).combine(mixture))


# As in the training data, whose head top lies inside the skull (measured in tools/body_recipe/landmarks.py).
BETWEEN_JOINTS: dict[str, dict[str, float]] = {
    "pelvis": {"l_hip": 0.5, "r_hip": 0.5},
    "spine": {"spine1": 0.85, "spine2": 0.15},
    "thorax": {"l_shoulder": 0.5, "r_shoulder": 0.5},
    "neck_nose": {"l_shoulder": 0.25, "r_shoulder": 0.25, "head_joint": 0.35, "skull": 0.15},
    "neck": {"l_shoulder": 0.25, "r_shoulder": 0.25, "neck_joint": 0.5},
    "head_top": {"head_joint": 0.7, "skull": 0.3},
    "crowdpose14 head_top": {"skull": 1.0},
}


def _skull_cap(body: Body) -> np.ndarray:
    """Return a (1, vertices) regressor of the mean of the vertices near the highest one."""
    vertices = body.arrays.vertices
    near = np.linalg.norm(vertices - vertices[vertices[:, 1].argmax()], axis=1) < SKULL_CAP
    return (near / near.sum())[None]


def _concatenate(first: PointTable, second: PointTable) -> PointTable:
    """Return the table with the landmarks of both tables."""
    by_pose = None
    if first.by_pose is not None and second.by_pose is not None:
        by_pose = np.concatenate([first.by_pose, second.by_pose], 1)
    return PointTable(
        np.concatenate([first.shares, second.shares]),
        np.concatenate([first.rest_points, second.rest_points]),
        np.concatenate([first.by_beta, second.by_beta], 1),
        by_pose,
    )
