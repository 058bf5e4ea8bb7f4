"""The fit of a body to the 2D: exact derivatives, and a body that comes nearer to what was seen without losing its depth."""

import pytest
import roma
import torch

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.lifting import fit_body
from posenet3d.lifting.sliding_window import BodyTrack
from posenet3d.losses.bones import bending, lengths

FRAMES = 40


@pytest.fixture(scope="module")
def landmarks():
    return landmarks_of(load_body())


@pytest.fixture(scope="module")
def true():
    """People of one shape in random easy poses, facing any side, upright before a camera with y down."""
    rng = torch.Generator().manual_seed(3)
    turns = 0.25 * torch.randn(FRAMES, 24, 3, generator=rng)
    turns[:, 4:6, 0] += 0.8  # knees and
    turns[:, 18, 1] -= 0.8  # elbows clearly bent
    turns[:, 19, 1] += 0.8
    rotations = roma.rotvec_to_rotmat(turns)
    azimuth = torch.zeros(FRAMES, 3)
    azimuth[:, 1] = 6.3 * torch.rand(FRAMES, generator=rng)
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ roma.rotvec_to_rotmat(azimuth)
    betas = torch.randn(10, generator=rng)
    return BodyTrack(rotations, betas, torch.full((FRAMES,), 4.0))


def points_of(landmarks, track):
    points = landmarks(track.rotations, track.betas.expand(len(track.rotations), -1))
    return points - points[:, :1]


def seen(landmarks, track):
    points = points_of(landmarks, track)
    return points[..., :2] / (points[..., 2:] + track.distance[:, None, None])


def disturbed(track, sigma):
    rng = torch.Generator().manual_seed(4)
    noise = roma.rotvec_to_rotmat(sigma * torch.randn(FRAMES, 24, 3, generator=rng))
    return track._replace(rotations=noise @ track.rotations, distance=1.05 * track.distance)


def test_moves_are_the_derivatives_of_the_landmarks(landmarks, true):
    rotations, betas = true.rotations[:1], true.betas[None]
    world = landmarks.body.kinematics(rotations, betas)
    moves = fit_body._rotation_jacobian(landmarks, landmarks.parts(rotations, betas, world), world)[0]
    parents = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]

    def turned(turns):
        before = [torch.eye(3) if p < 0 else world[0, p, :, :3] for p in parents]
        local = torch.stack([b.T @ t for b, t in zip(before, turns, strict=True)])
        points = landmarks(roma.rotvec_to_rotmat(local)[None] @ rotations, betas)[0]
        return points - points[:1]

    jacobian = torch.autograd.functional.jacobian(turned, torch.full((24, 3), 1e-6))  # (17, 3, 24, 3)
    torch.testing.assert_close(moves, jacobian.permute(2, 0, 1, 3), atol=2e-4, rtol=0)


def test_parts_add_up_to_the_landmarks(landmarks, true):
    betas = true.betas.expand(FRAMES, -1)
    parts = landmarks.parts(true.rotations, betas, landmarks.body.kinematics(true.rotations, betas))
    torch.testing.assert_close(parts.sum(2), landmarks(true.rotations, betas), atol=1e-5, rtol=0)


def test_a_disturbed_body_comes_back(landmarks, true):
    rays, start = seen(landmarks, true), disturbed(true, 0.1)
    fitted = fit_body.fit_to_rays(landmarks, start, rays)
    off = {n: (seen(landmarks, t) - rays).norm(dim=-1).mean() for n, t in (("start", start), ("fitted", fitted))}
    assert off["fitted"] < 0.3 * off["start"]
    error = {
        n: (points_of(landmarks, t) - points_of(landmarks, true)).norm(dim=-1).mean()
        for n, t in (("start", start), ("fitted", fitted))
    }
    assert error["fitted"] < 0.75 * error["start"], "3D gains too, though only 2D was given"
    identity = fitted.rotations @ fitted.rotations.mT
    torch.testing.assert_close(identity, torch.eye(3).expand_as(identity), atol=1e-4, rtol=0)


def test_the_shape_comes_nearer_too(landmarks, true):
    start = disturbed(true, 0.05)._replace(betas=torch.zeros(10))
    fitted = fit_body.fit_to_rays(landmarks, start, seen(landmarks, true))

    def bones(betas):
        points = landmarks(torch.eye(3).expand(1, 24, 3, 3), betas[None])[0]
        return lengths(points) / lengths(points).mean()

    off = {
        name: (bones(betas) - bones(true.betas)).abs().mean()
        for name, betas in (("start", start.betas), ("fitted", fitted.betas))
    }
    assert off["fitted"] < 0.6 * off["start"]
    wild = fit_body.fit_to_rays(
        landmarks, start, 3 * torch.randn(FRAMES, 17, 2, generator=torch.Generator().manual_seed(1))
    )
    assert wild.betas.abs().max() <= fit_body.MAX_BETA
    assert torch.isfinite(wild.rotations).all()


def test_a_clip_in_batches_is_fitted_as_a_whole(landmarks, true, monkeypatch):
    rays, start = seen(landmarks, true), disturbed(true, 0.1)
    whole = fit_body.fit_to_rays(landmarks, start, rays)
    monkeypatch.setattr(fit_body, "_BATCH", 7)
    for one, other in zip(whole, fit_body.fit_to_rays(landmarks, start, rays), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_body_that_is_right_stays(landmarks, true):
    bend = bending(points_of(landmarks, true))
    fitted = fit_body.fit_to_rays(landmarks, true, seen(landmarks, true))
    usual = (bend > fit_body.MIN_BEND).all(1)
    assert usual.sum() > 10
    assert (roma.rotmat_geodesic_distance(fitted.rotations[usual], true.rotations[usual])).mean() < 0.01


def test_knees_and_elbows_are_turned_the_right_way(landmarks, true):
    turns = roma.rotmat_to_rotvec(true.rotations)
    turns[:, 4:6] = torch.tensor([-0.3, 0.0, 0.0])  # both knees bent forward
    wrong = true._replace(rotations=roma.rotvec_to_rotmat(turns))
    assert (bending(points_of(landmarks, wrong))[:, :2] < 0).all()
    fitted = fit_body.fit_to_rays(landmarks, wrong, seen(landmarks, wrong))
    assert (bending(points_of(landmarks, fitted))[:, :2] > -0.02).float().mean() > 0.95
