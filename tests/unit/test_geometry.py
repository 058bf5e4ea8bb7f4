"""Camera, rotation and the lifting geometry: round trips, hard angles, behind the camera."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from posenet3d.core import camera, rotation
from posenet3d.core.normalise import at_pelvis, mirror, unproject
from posenet3d.core.sequence import PoseSequence
from posenet3d.losses.consistency import cycle, distance, see
from posenet3d.training.clips import STATED_TILT, Clips, measure_tilt, window_indices

K = np.array([[900.0, 0, 480], [0, 880, 520], [0, 0, 1]])


@given(st.integers(0, 10_000))
def test_projection_and_rays_are_inverse(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(5, 17, 3)) + np.array([0, 0, 6])
    rays = camera.to_rays(camera.project(points, K), K)
    np.testing.assert_allclose(rays, points[..., :2] / points[..., 2:], atol=1e-12)


@given(st.integers(0, 10_000))
def test_rays_and_pixels_are_inverse(seed):
    pixels = np.random.default_rng(seed).uniform(-500, 2000, (4, 17, 2))
    np.testing.assert_allclose(camera.to_pixels(camera.to_rays(pixels, K), K), pixels, atol=1e-9)


@pytest.mark.parametrize("azimuth", [0.0, 1.0, 3.0, 5.0])
def test_a_level_camera_sees_its_target_in_the_middle_and_the_world_upright(azimuth):
    position, target = np.array([4 * math.sin(azimuth), 1.5, 4 * math.cos(azimuth)]), np.array([0.1, 0.9, 0.2])
    R = camera.look_at(position, target)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    np.testing.assert_allclose(R @ (target - position), [0, 0, np.linalg.norm(target - position)], atol=1e-12)
    up = R @ np.array([0.0, 1, 0])
    assert up[0] == pytest.approx(0, abs=1e-12)  # level
    assert up[1] < -0.9  # y points down


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920)])
def test_the_field_of_view_is_across_the_longer_side(size):
    clip = PoseSequence("a", np.zeros((1, 17, 2)), np.ones((1, 17)), image_size=size).with_fov(65.0)
    edge = np.array(size) / 2
    edge[np.argmax(size)] = 0
    angle = math.degrees(math.atan(abs(camera.to_rays(edge, clip.K)[np.argmax(size)])))
    assert angle == pytest.approx(65 / 2)
    np.testing.assert_array_equal(clip.K[:2, 2], np.array(size) / 2)
    np.testing.assert_array_equal(clip.with_fov(camera.DEFAULT_FOV_DEG).K, replace(clip, K=None).intrinsics())


def test_a_field_of_view_needs_an_image_size_and_an_angle():
    clip = PoseSequence("a", np.zeros((1, 17, 2)), np.ones((1, 17)))
    with pytest.raises(ValueError, match="image_size"):
        clip.with_fov(65.0)
    for angle in (0.0, 180.0, math.nan):
        with pytest.raises(ValueError, match="not between 0 and 180"):
            replace(clip, image_size=(10, 10)).with_fov(angle)


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(camera.project(np.array([[0.0, 0, -1], [0, 0, 0]]), K)).all()


@pytest.mark.parametrize("ray", [(0, 0), (1e-9, 0), (0.3, -0.2), (-2.0, 1.5), (50.0, 50.0)])
def test_look_at_turns_the_ray_onto_the_axis(ray):
    R = camera.look_at_rays(np.array([ray], float))
    np.testing.assert_allclose(R[0] @ R[0].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R[0]) == pytest.approx(1)
    turned = camera.turn_rays(R, np.array([[ray]], float))
    np.testing.assert_allclose(turned, 0, atol=1e-9)


def test_look_at_is_the_smallest_turn():
    ray = np.array([[0.4, -0.3]])
    cosine = (np.trace(camera.look_at_rays(ray)[0]) - 1) / 2
    assert math.acos(cosine) == pytest.approx(math.atan(0.5))


@pytest.mark.parametrize("angle", [0.0, 1e-8, 1e-3, 1.0, math.pi - 1e-6, math.pi])
def test_turns_are_right_handed_and_orthonormal(angle):
    R = rotation.turn_about("y", torch.tensor([angle], dtype=torch.float64))[0]
    expected = torch.tensor([math.sin(angle), 0, math.cos(angle)], dtype=torch.float64)
    torch.testing.assert_close(R @ torch.tensor([0.0, 0, 1], dtype=torch.float64), expected, atol=1e-7, rtol=0)
    torch.testing.assert_close(R @ R.T, torch.eye(3, dtype=torch.float64), atol=1e-7, rtol=0)


def test_random_views_keep_the_true_vertical_upright():
    """Seen by a camera that looks down by the mean tilt, the vertical stays the vertical whatever the azimuth."""
    tilt = math.radians(20.0)
    R = rotation.random_views(64, tilt, 0.0, 0.0, torch.Generator().manual_seed(0))
    down = torch.tensor([0.0, math.cos(tilt), math.sin(tilt)])  # of the world, in the frame of a camera looking down
    torch.testing.assert_close(R @ down, down.expand(64, 3), atol=1e-6, rtol=0)
    assert (R[:, 0, 0] < 0).float().mean() == pytest.approx(0.5, abs=0.2)  # all around, not only a little


def test_a_true_pose_closes_the_cycle():
    """With the depth that made the 2D, lifting, turning and lifting again changes nothing."""
    rng = torch.Generator().manual_seed(1)
    unit = 0.12
    pose = torch.randn(4, 3, 17, 3, generator=rng, dtype=torch.float64) * 0.08
    pose = pose - pose[:, :, :1]
    R = rotation.random_views(4, 0.1, 0.05, 0.02, rng).double()
    rays = see(pose)
    seen = iter([pose, torch.einsum("bij,bskj->bski", R, pose)])

    def oracle(_rays):
        return next(seen)[..., 2] / unit

    loop = cycle(oracle, rays, R, unit)
    assert float(distance(loop.back, rays).max()) < 1e-4
    assert float(distance(loop.turned_again, loop.turned).max()) < 1e-4
    torch.testing.assert_close(loop.pose, pose)


def test_place_keeps_points_in_front_of_the_camera():
    points = unproject(torch.zeros(2, 17, 2), torch.full((2, 17), -1e6), 0.1)
    assert float(points[..., 2].min()) == pytest.approx(0.3)


def test_mirror_twice_is_the_same_and_swaps_sides():
    pose = torch.randn(3, 17, 3)
    torch.testing.assert_close(mirror(mirror(pose)), pose)
    torch.testing.assert_close(mirror(pose)[:, 1, 0], -pose[:, 4, 0])


def test_windows_stay_inside_their_clip():
    clips = Clips(torch.zeros(9, 17, 2), torch.tensor([0] * 4 + [4] * 5), torch.tensor([3] * 4 + [8] * 5))
    index = window_indices(torch.tensor([0, 3, 4, 8]), clips, torch.tensor([-2, 0, 2]))
    assert index.tolist() == [[0, 0, 2], [1, 3, 3], [4, 4, 6], [6, 8, 8]]
    assert clips.bounds == [(0, 4), (4, 9)]


def walkers(tilt: float, count: int, rng: np.random.Generator) -> Clips:
    """Stick figures that walk on level ground toward and away from a camera that looks down by `tilt`."""
    frames, rays, length = 200, [], []
    figure = rng.normal(size=(17, 3)) * 0.3
    figure[0] = 0
    for _ in range(count):
        depth = 5 + 2 * np.sin(np.linspace(0, 6, frames) + rng.uniform(0, 6))
        world = figure + np.stack([rng.normal(size=()) + 0 * depth, np.full(frames, 0.7), depth], -1)[:, None]
        c, s = np.cos(tilt), np.sin(tilt)
        seen = world @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])  # rows: world (y down) to a camera turned down
        rays.append(seen[..., :2] / seen[..., 2:])
        length.append(frames)
    first = np.repeat(np.cumsum([0, *length[:-1]]), length)
    return Clips(
        torch.from_numpy(np.concatenate(rays).astype(np.float32)),
        torch.from_numpy(first),
        torch.from_numpy(first + frames - 1),
    )


@pytest.mark.parametrize("tilt_deg", [0.0, 8.0, 20.0])
def test_the_horizon_tells_the_tilt(tilt_deg):
    found = measure_tilt(walkers(math.radians(tilt_deg), 24, np.random.default_rng(0)))
    assert found.clips == 24
    assert math.degrees(found.mean) == pytest.approx(tilt_deg, abs=1.5)


def test_too_few_clips_leave_the_stated_tilt():
    assert measure_tilt(walkers(0.3, 3, np.random.default_rng(0))) == STATED_TILT


def test_at_pelvis_puts_the_pelvis_at_the_centre():
    rays = at_pelvis(torch.randn(6, 17, 2) * 0.2)
    torch.testing.assert_close(rays[:, 0], torch.zeros(6, 2), atol=1e-6, rtol=0)
