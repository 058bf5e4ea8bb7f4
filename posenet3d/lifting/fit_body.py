"""A body's landmarks brought nearer to the rays they were seen on, by two damped Gauss-Newton steps.

A network answers from experience: its figure is nearly, never exactly, where the 2D is, least of all for a body unlike those it
was trained on. But the 2D is known. So joints are turned, the distance and the clip's one shape changed, by the least that puts
the figure right: min over the change of |2D error|² / SIGMA_SEEN² + |turns|² / SIGMA_TURN² + ... (Levenberg, 1944), with a row
for every knee or elbow that would bend the wrong way. Depth stays the network's, and no learning is involved.

Per frame there are 73 unknowns x (turns, distance) and 38 rows A x + B b = e; all frames share the shape b. With S = A A' + 1,
b solves (sum B' S^-1 B + prior) b = sum B' S^-1 e, which takes the frames' own unknowns into account, and then
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
from posenet3d.lifting.sliding_window import TRAINED_FPS, BodyTrack, OnAdvance, no_progress, predict_body, smoothed
from posenet3d.losses.bones import bending
from posenet3d.models.student import Student

STEPS = 2
SIGMA_SEEN_M = 0.04  # how far landmarks of a body may be from the data set's joints, and of the noise
SIGMA_TURN = 0.15  # rad: how far the network's rotations are off
SIGMA_DISTANCE = 0.05  # of the distance
MIN_BEND = 0.03  # sine; see losses.bones.bending
SIGMA_BEND = 0.05
SIGMA_BETA = 1.0
MAX_BETA = 3.0
ALIKE = 3  # frames in a row say nearly the same about the shape: so many count as one
_SMOOTHING_S = 1 / 30  # frames are fitted one by one
_BATCH = 1024
_MIN_DISTANCE_M = 0.3


def fit_body_to_clip(
    student: Student,
    landmarks: Landmarks,
    rays: Float[Tensor, "frames joints 2"],
    fps: float = TRAINED_FPS,
    advance: OnAdvance = no_progress,
) -> BodyTrack:
    """The student's body over a clip, fitted frame by frame and calmed."""

    def half(share: float) -> None:
        advance(share / 2)

    return smoothed(fit_to_rays(landmarks, predict_body(student, rays, fps, half), rays, half), _SMOOTHING_S * fps)


@torch.no_grad()
def fit_to_rays(
    landmarks: Landmarks, track: BodyTrack, rays: Float[Tensor, "frames joints 2"], advance: OnAdvance = no_progress
) -> BodyTrack:
    """The track with rotations, distances and a shape whose landmarks lie nearer to the rays.

    Args:
        landmarks: the body's 17 joints; the first is the pelvis, which stands on the optical axis.
        track: the student's answer.
        rays: what was seen, in the same virtual camera.
        advance: told how the work goes on.
    """
    rotations, betas, distance = track
    for _ in range(STEPS):
        batches = zip(rotations.split(_BATCH), distance.split(_BATCH), rays.split(_BATCH), strict=True)
        steps = []
        for r, d, seen in batches:
            steps.append(_step(landmarks, r, betas, d, seen))
            advance(len(seen) / len(rays) / STEPS)
        known = torch.eye(N_BETAS) / SIGMA_BETA**2 + sum(step.known for step in steps) / ALIKE
        wanted = (track.betas - betas) / SIGMA_BETA**2 + sum(step.wanted for step in steps) / ALIKE
        shape = (betas + torch.linalg.solve(known, wanted)).clamp(-MAX_BETA, MAX_BETA)
        change = torch.cat([step.change + step.by_shape @ (shape - betas) for step in steps])
        parents = torch.cat([step.parents for step in steps])
        turns = SIGMA_TURN * change[:, :-1].unflatten(1, (N_BODY_JOINTS, 3))
        rotations = roma.rotvec_to_rotmat(torch.einsum("fjba,fjb->fja", parents, turns)) @ rotations
        distance = distance * (SIGMA_DISTANCE * change[:, -1]).exp()
        betas = shape
    return BodyTrack(rotations, betas, distance)


class _Step(NamedTuple):
    """What one linearisation says."""

    change: Float[Tensor, "frames 73"]  # in sigmas, at the present shape
    by_shape: Float[Tensor, "frames 73 10"]  # and how it changes with the betas
    known: Float[Tensor, "10 10"]  # of the betas, from these frames
    wanted: Float[Tensor, " 10"]
    parents: Float[Tensor, "frames 24 3 3"]  # what each joint's turn is relative to


def _step(
    landmarks: Landmarks,
    rotations: Float[Tensor, "frames 24 3 3"],
    betas: Float[Tensor, " 10"],
    distance: Float[Tensor, " frames"],
    rays: Float[Tensor, "frames joints 2"],
) -> _Step:
    betas = betas.expand(len(rotations), -1)
    world = landmarks.body.kinematics(rotations, betas)
    parts = landmarks.parts(rotations, betas, world)
    points = parts.sum(2)
    points = points - points[:, :1]
    moves = _moves(landmarks, parts, world)

    depth = (points[..., 2] + distance[:, None]).clamp(min=_MIN_DISTANCE_M)
    view = points[..., :2] / depth[..., None]

    def seen_change(of_points: Tensor) -> Tensor:
        """Change of the view (frames, 34, n) with changes of the points (frames, joints, 3, n)."""
        # View = (x, y) / depth, so its change is that of (x, y) less the view times that of z, over the depth.
        change = (of_points[:, :, :2] - view[..., None] * of_points[:, :, 2:]) / depth[..., None, None]
        return change.flatten(1, 2)

    turns = seen_change(moves.permute(0, 2, 3, 1, 4).flatten(3))
    by_distance = (-view / depth[..., None] * distance[:, None, None]).flatten(1)
    per_sigma = (distance / SIGMA_SEEN_M)[:, None, None]
    rows = torch.cat([SIGMA_TURN * turns, SIGMA_DISTANCE * by_distance[..., None]], -1) * per_sigma
    shape_rows = seen_change(_by_beta(landmarks, rotations)) * per_sigma
    error = (rays - view).flatten(1)[..., None] * per_sigma
    hinge_rows, lack = _hinges(points, moves)
    rows = torch.cat([rows, F.pad(SIGMA_TURN * hinge_rows, (0, 1)) / SIGMA_BEND], 1)
    error = torch.cat([error, lack[..., None] / SIGMA_BEND], 1)
    shape_rows = F.pad(shape_rows, (0, 0, 0, 4))

    # As many equations as numbers seen (38), not as unknowns (73): the same least change, cheaper.
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


def _by_beta(landmarks: Landmarks, rotations: Tensor) -> Float[Tensor, "frames joints 3 10"]:
    """Change of the landmarks against the pelvis with each beta; they are linear in the betas."""
    frames = len(rotations)
    shapes = torch.cat([torch.zeros(1, N_BETAS), torch.eye(N_BETAS)])
    points = landmarks(rotations.repeat(len(shapes), 1, 1, 1), shapes.repeat_interleave(frames, 0))
    points = (points - points[:, :1]).unflatten(0, (len(shapes), frames))
    return (points[1:] - points[0]).permute(1, 2, 3, 0)


def _moves(landmarks: Landmarks, parts: Tensor, world: Tensor) -> Float[Tensor, "frames 24 joints 3 3"]:
    """How x, y, z of each landmark (last but one) change with a turn of each joint about x, y, z (last).

    A small turn w of the joint at J moves what hangs on it by w x (part - share J).
    """
    carried = torch.einsum("ji,fkic->fjkc", _BELOW, parts)
    shares = torch.einsum("ji,ki->jk", _BELOW, landmarks.shares[..., 0])
    arms = carried - shares[..., None] * world[:, :, None, :, 3]
    arms = arms - arms[:, :, :1]  # against the pelvis
    x, y, z = arms.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).unflatten(-1, (3, 3))


def _hinges(points: Tensor, moves: Tensor) -> tuple[Float[Tensor, "frames 4 72"], Float[Tensor, "frames 4"]]:
    """A row, and what lacks, for knees and elbows that bend the wrong way; 0 for the others."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        bend = bending(points)
        slopes = torch.stack([torch.autograd.grad(b.sum(), points, retain_graph=True)[0] for b in bend.unbind(-1)], 1)
    lack = (MIN_BEND - bend.detach()).clamp(min=0)
    rows = torch.einsum("fhkc,fjkcw->fhjw", slopes, moves).flatten(2)
    return rows * (lack > 0)[..., None], lack


def _subtrees() -> Float[Tensor, "24 24"]:
    """1 where the second joint hangs on the first, or is it."""
    below = np.eye(N_BODY_JOINTS, dtype=np.float32)
    for joint in range(N_BODY_JOINTS - 1, 0, -1):
        below[BODY_PARENTS[joint]] += below[joint]
    return torch.from_numpy(below)


_BELOW = _subtrees()
