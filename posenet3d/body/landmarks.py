"""Landmarks of the skin without computing the skin.

A landmark is a weighted mean of posed vertices, and a posed vertex v is a blend of bone transforms,
sum_j w_vj (G_j x_v + t_j), of its unposed place x_v. So the landmark k is

    sum_v r_kv sum_j w_vj (G_j x_v + t_j) = sum_j (G_j p_kj + c_kj t_j),
    c_kj = sum_v r_kv w_vj,    p_kj = sum_v r_kv w_vj x_v:

one point per joint instead of thousands of vertices. x_v, and with it p_kj, is linear in the betas and in the pose
feature R - I, so both are summed once when the table is built. Exact, with pose correctives and without. In terms of
the rest joints a_j and the posed joints G_j a_j + t_j, which kinematics gives, G_j takes p_kj - c_kj a_j instead of p_kj.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.body.layer import N_BETAS, N_BODY_JOINTS, Body, pose_feature
from posenet3d.core.jointsets import JOINT_SETS

SKULL_CAP = 0.075
"""Radius (m) around the highest vertex whose mean is the head top: one to two centimetres below the vertex itself."""


@dataclass(frozen=True)
class PointTable:
    """Landmarks as one point per joint, each times its share.

    Attributes:
        shares: c, (landmarks, 24); rows sum to 1.
        places: p at betas 0 in the rest pose, (landmarks, 24, 3), metres.
        by_beta: change of p per beta, (10, landmarks, 24, 3).
        by_pose: change of p per element of the pose feature, (207, landmarks, 24, 3); None without pose correctives.
    """

    shares: np.ndarray
    places: np.ndarray
    by_beta: np.ndarray
    by_pose: np.ndarray | None = None

    def mixed(self, mixture: Float[np.ndarray, "out landmarks"]) -> "PointTable":
        """Landmarks that are weighted sums of these."""
        return PointTable(
            mixture @ self.shares,
            np.einsum("ok,kjc->ojc", mixture, self.places),
            np.einsum("ok,bkjc->bojc", mixture, self.by_beta),
            None if self.by_pose is None else np.einsum("ok,bkjc->bojc", mixture, self.by_pose),
        )


def regressor_table(body: Body, regressor: object) -> PointTable:
    """The table of any (landmarks, vertices) regressor on posed vertices, dense or sparse."""
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
    """The table of the 24 joints themselves: a joint rides on its own bone."""
    own = np.eye(N_BODY_JOINTS)
    regressor = body.arrays.joint_regressor
    rest = regressor @ body.arrays.vertices
    by_beta = np.stack([regressor @ body.arrays.shapedirs[..., b] for b in range(N_BETAS)])
    by_pose = None if body.arrays.posedirs is None else np.zeros((207, N_BODY_JOINTS, N_BODY_JOINTS, 3))
    return PointTable(own, own[..., None] * rest, own[None, ..., None] * by_beta[:, :, None], by_pose)


class Landmarks(nn.Module):
    """Landmarks of a body from rotations and betas, with gradients."""

    shares: Tensor
    places: Tensor
    directions: Tensor

    def __init__(self, body: Body, table: PointTable):
        super().__init__()
        self.body = body
        self.count = len(table.shares)

        def keep(name: str, values: np.ndarray) -> None:
            self.register_buffer(name, torch.as_tensor(values).to(body.template), persistent=False)

        joints = joint_table(body)
        own = np.arange(N_BODY_JOINTS)
        rest, rest_by_beta = joints.places[own, own], joints.by_beta[:, own, own]
        shares = table.shares[..., None]
        keep("shares", shares)
        keep("places", table.places - shares * rest)
        directions = table.by_beta - shares * rest_by_beta[:, None]
        directions = directions if table.by_pose is None else np.concatenate([directions, table.by_pose])
        keep("directions", directions.reshape(len(directions), -1))

    def forward(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        transl: Float[Tensor, "batch 3"] | None = None,
    ) -> Float[Tensor, "batch landmarks 3"]:
        """Landmarks in metres, in the frame of `transl`."""
        world = self.body.kinematics(rotations, betas)
        places = self._places(rotations, betas)
        points = torch.cat([places, self.shares.expand(len(places), -1, -1, 1)], dim=-1)
        landmarks = points.flatten(2) @ world.transpose(-1, -2).flatten(1, 2)
        return landmarks if transl is None else landmarks + transl[:, None]

    def parts(
        self,
        rotations: Float[Tensor, "batch 24 3 3"],
        betas: Float[Tensor, "batch 10"],
        world: Float[Tensor, "batch 24 3 4"],
    ) -> Float[Tensor, "batch landmarks 24 3"]:
        """What each joint contributes to each landmark; `world` from the body's kinematics. Their sum is the landmark."""
        places = self._places(rotations, betas)
        return torch.einsum("bjcd,bkjd->bkjc", world[..., :3], places) + self.shares * world[:, None, :, :, 3]

    def _places(self, rotations: Tensor, betas: Tensor) -> Tensor:
        drive = torch.cat([betas, pose_feature(rotations)], dim=-1) if self.body.has_correctives else betas
        return self.places + (drive @ self.directions).unflatten(-1, self.places.shape)


def landmarks_of(body: Body, joint_set: str = "h36m17") -> Landmarks:
    """The landmarks of a joint set of `posenet3d.core.jointsets`, in its order.

    The body's own regressor is used where its file brings one. Otherwise (official SMPL) the limbs' landmarks are the
    joints of the body, and the trunk's and head's lie between them and the top of the skull.

    Raises:
        KeyError: a joint set that is neither in the body's file nor made of such joints.
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
    return Landmarks(body, _stacked(joint_table(body), regressor_table(body, _skull_cap(body))).mixed(mixture))


# As in the training data (tools/body_recipe/landmarks.py tells the measures): its head top lies inside the skull.
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
    """A (1, vertices) regressor: the mean of the vertices near the highest one."""
    vertices = body.arrays.vertices
    near = np.linalg.norm(vertices - vertices[vertices[:, 1].argmax()], axis=1) < SKULL_CAP
    return (near / near.sum())[None]


def _stacked(first: PointTable, second: PointTable) -> PointTable:
    by_pose = None
    if first.by_pose is not None and second.by_pose is not None:
        by_pose = np.concatenate([first.by_pose, second.by_pose], 1)
    return PointTable(
        np.concatenate([first.shares, second.shares]),
        np.concatenate([first.places, second.places]),
        np.concatenate([first.by_beta, second.by_beta], 1),
        by_pose,
    )
