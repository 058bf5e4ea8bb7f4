"""Fit a body's landmarks to the 2D of a clip by two damped Gauss-Newton steps.

The network's body is near the 2D but not exactly on it, least of all for a body unlike those it was trained on. But the 2D is
known. So joints are rotated and the distance and the clip's one shape are changed, by the smallest change that fits:
min |2D error|² / SIGMA_2D_M² + |rotations|² / SIGMA_ROTATION² + ... (Levenberg, 1944), with a row for every knee or elbow that
would bend the wrong way. Depth stays the network's, and no learning is involved.

Per frame there are 73 unknowns x (rotations, distance) and 38 rows A x + B b = e; all frames share the shape b. With
S = A A' + 1, b solves (sum B' S^-1 B + prior) b = sum B' S^-1 e, which takes the frames' own unknowns into account. Then
x = A' S^-1 (e - B b).
"""

from typing import NamedTuple

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from posenet3d.body.landmarks import Landmarks
from posenet3d.body.layer import BODY_PARENTS, N_BETAS, N_BODY_JOINTS
from posenet3d.core.progress import OnProgress, no_progress, part
from posenet3d.lifting.sliding_window import TRAINED_FPS, BodyTrack, predict_body, smoothed
from posenet3d.losses.bones import bending
from posenet3d.models.student import Student

STEPS = 2
SIGMA_2D_M = 0.04  # of the 2D at the person's distance: landmarks differ from the data set's joints, and noise
SIGMA_ROTATION = 0.15  # rad: the error of the network's rotations
SIGMA_DISTANCE = 0.05  # of the distance
MIN_BEND = 0.03  # sine; see `posenet3d.losses.bones.bending`
SIGMA_BEND = 0.05
SIGMA_BETA = 1.0
MAX_BETA = 3.0
FRAMES_PER_OBSERVATION = 3  # neighbouring frames tell nearly the same about the shape: three count as one
_SMOOTHING_S = 1 / 30  # frames are fitted one by one
_BATCH = 1024
_MIN_DISTANCE_M = 0.3


def fit_body_to_clip(
    student: Student,
    landmarks: Landmarks,
    rays: Float[Tensor, "frames joints 2"],
    fps: float = TRAINED_FPS,
    progress: OnProgress = no_progress,
) -> BodyTrack:
    """Return the student's body over a clip, fitted frame by frame and smoothed."""
    track = predict_body(student, rays, fps, part(progress, 0.0, 0.5))
    return smoothed(fit_to_rays(landmarks, track, rays, part(progress, 0.5, 1.0)), _SMOOTHING_S * fps)


@torch.no_grad()
def fit_to_rays(
    landmarks: Landmarks, track: BodyTrack, rays: Float[Tensor, "frames joints 2"], progress: OnProgress = no_progress
) -> BodyTrack:
    """Return a track whose landmarks lie nearer to the rays.

    Args:
        landmarks: the body's 17 joints; the first is the pelvis, on the optical axis.
        track: the student's prediction.
        rays: the 2D, in the same virtual camera.
        progress: told the share done.
    """
    rotations, betas, distance = track
    done = 0
    for _ in range(STEPS):
        batches = zip(rotations.split(_BATCH), distance.split(_BATCH), rays.split(_BATCH), strict=True)
        steps = []
        for r, d, seen in batches:
            steps.append(_step(landmarks, r, betas, d, seen))
            done += len(seen)
            progress(done / len(rays) / STEPS)
        information = (
            torch.eye(N_BETAS) / SIGMA_BETA**2 + sum(step.information for step in steps) / FRAMES_PER_OBSERVATION
        )
        gradient = (track.betas - betas) / SIGMA_BETA**2 + sum(step.gradient for step in steps) / FRAMES_PER_OBSERVATION
        shape = (betas + torch.linalg.solve(information, gradient)).clamp(-MAX_BETA, MAX_BETA)
        change = torch.cat([step.change + step.change_per_beta @ (shape - betas) for step in steps])
        parents = torch.cat([step.parents for step in steps])
        rotvecs = SIGMA_ROTATION * change[:, :-1].unflatten(1, (N_BODY_JOINTS, 3))
        rotations = roma.rotvec_to_rotmat(torch.einsum("fjba,fjb->fja", parents, rotvecs)) @ rotations
        distance = distance * (SIGMA_DISTANCE * change[:, -1]).exp()
        betas = shape
    return BodyTrack(rotations, betas, distance)


class _Step(NamedTuple):
    """The solution of one linearisation, and its normal equations of the shape."""

    change: Float[Tensor, "frames 73"]  # in sigmas, at the present shape
    change_per_beta: Float[Tensor, "frames 73 10"]
    information: Float[Tensor, "10 10"]  # of the betas, from these frames
    gradient: Float[Tensor, " 10"]
    parents: Float[Tensor, "frames 24 3 3"]  # rotation of the parent, to which each joint's change is relative


def _step(
    landmarks: Landmarks,
    rotations: Float[Tensor, "frames 24 3 3"],
    betas: Float[Tensor, " 10"],
    distance: Float[Tensor, " frames"],
    rays: Float[Tensor, "frames joints 2"],
) -> _Step:
    """Linearise the view at the present body and solve for the smallest change that fits the rays."""
    betas = betas.expand(len(rotations), -1)
    world = landmarks.body.kinematics(rotations, betas)
    parts = landmarks.parts(rotations, betas, world)
    points = parts.sum(2)
    points = points - points[:, :1]
    jacobian = _rotation_jacobian(landmarks, parts, world)

    depth = (points[..., 2] + distance[:, None]).clamp(min=_MIN_DISTANCE_M)
    view = points[..., :2] / depth[..., None]

    def project_change(of_points: Tensor) -> Tensor:
        """Return changes of the view (frames, 34, n) for changes of the points (frames, joints, 3, n)."""
        # View = (x, y) / depth, so its change is that of (x, y) minus the view times that of z, over the depth.
        change = (of_points[:, :, :2] - view[..., None] * of_points[:, :, 2:]) / depth[..., None, None]
        return change.flatten(1, 2)

    by_rotation = project_change(jacobian.permute(0, 2, 3, 1, 4).flatten(3))
    by_distance = (-view / depth[..., None] * distance[:, None, None]).flatten(1)
    per_sigma = (distance / SIGMA_2D_M)[:, None, None]
    rows = torch.cat([SIGMA_ROTATION * by_rotation, SIGMA_DISTANCE * by_distance[..., None]], -1) * per_sigma
    shape_rows = project_change(_beta_jacobian(landmarks, rotations)) * per_sigma
    error = (rays - view).flatten(1)[..., None] * per_sigma
    hinge_rows, hinge_residual = _hinges(points, jacobian)
    rows = torch.cat([rows, F.pad(SIGMA_ROTATION * hinge_rows, (0, 1)) / SIGMA_BEND], 1)
    error = torch.cat([error, hinge_residual[..., None] / SIGMA_BEND], 1)
    shape_rows = F.pad(shape_rows, (0, 0, 0, 4))

    # One equation per row (38), not per unknown (73): the same smallest change, cheaper.
    gram = rows @ rows.mT + torch.eye(rows.shape[1])
    solved = torch.linalg.solve(gram, torch.cat([error, shape_rows], -1))
    change = rows.mT @ solved
    parents = world[:, [max(parent, 0) for parent in BODY_PARENTS], :, :3].clone()
    parents[:, 0] = torch.eye(3)
    return _Step(
        change[..., 0],
        -change[..., 1:],
        torch.einsum("fra,frb->ab", shape_rows, solved[..., 1:]),
        torch.einsum("fra,fr->a", shape_rows, solved[..., 0]),
        parents,
    )


def _beta_jacobian(
    landmarks: Landmarks, rotations: Float[Tensor, "frames 24 3 3"]
) -> Float[Tensor, "frames joints 3 10"]:
    """Return the derivatives of the landmarks, relative to the pelvis, by each beta; they are linear in the betas."""
    frames = len(rotations)
    shapes = torch.cat([torch.zeros(1, N_BETAS), torch.eye(N_BETAS)])
    points = landmarks(rotations.repeat(len(shapes), 1, 1, 1), shapes.repeat_interleave(frames, 0))
    points = (points - points[:, :1]).unflatten(0, (len(shapes), frames))
    return (points[1:] - points[0]).permute(1, 2, 3, 0)


def _rotation_jacobian(landmarks: Landmarks, parts: Tensor, world: Tensor) -> Float[Tensor, "frames 24 joints 3 3"]:
    """Return the derivatives of x, y, z of each landmark (last but one) by a rotation of each joint about x, y, z (last).

    A small rotation w of the joint at J moves its subtree by w x (part - share J).
    """
    carried = torch.einsum("ji,fkic->fjkc", _SUBTREES, parts)
    shares = torch.einsum("ji,ki->jk", _SUBTREES, landmarks.shares[..., 0])
    arms = carried - shares[..., None] * world[:, :, None, :, 3]
    arms = arms - arms[:, :, :1]  # relative to the pelvis
    x, y, z = arms.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).unflatten(-1, (3, 3))


def _hinges(points: Tensor, jacobian: Tensor) -> tuple[Float[Tensor, "frames 4 72"], Float[Tensor, "frames 4"]]:
    """Return Jacobian rows and residuals of hinge joints bent backwards; zero for the others."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        bend = bending(points)
        slopes = torch.stack([torch.autograd.grad(b.sum(), points, retain_graph=True)[0] for b in bend.unbind(-1)], 1)
    residual = (MIN_BEND - bend.detach()).clamp(min=0)
    rows = torch.einsum("fhkc,fjkcw->fhjw", slopes, jacobian).flatten(2)
    return rows * (residual > 0)[..., None], residual


def _subtrees() -> Float[Tensor, "24 24"]:
    """Return 1 where the second joint is in the subtree of the first, else 0."""
    subtree = np.eye(N_BODY_JOINTS, dtype=np.float32)
    for joint in range(N_BODY_JOINTS - 1, 0, -1):
        subtree[BODY_PARENTS[joint]] += subtree[joint]
    return torch.from_numpy(subtree)


_SUBTREES = _subtrees()
