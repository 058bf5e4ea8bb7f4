"""Spectrum, feet on the floor, and the lifting of single frames, on motions whose answers are known."""

import numpy as np
import pytest
import torch
from scipy.signal import welch

from posenet3d.core.camera import project
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.evaluation import motion
from posenet3d.evaluation.metrics import finite_mean, jitter, n_mpjpe
from posenet3d.lifting.checkpoint import find_checkpoint
from posenet3d.lifting.lifter import Lifter
from posenet3d.lifting.single_frame import lift_single_frames
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.synthetic.sequences import bundled_sequences

FPS = 30.0
CLIPS = {clip.name: clip for clip in bundled_sequences()}
WALK = CLIPS["synthetic walk"]
LEFT, RIGHT = JOINT["l_ankle"], JOINT["r_ankle"]


def swinging(hz, frames=600, amplitude=0.1, fps=FPS):
    """Every joint swings along x."""
    joints = np.zeros((frames, 17, 3))
    joints[..., 0] = amplitude * np.sin(2 * np.pi * hz * np.arange(frames) / fps)[:, None]
    return joints


# Spectrum


def test_spectrum_is_welch_s():
    joints = np.random.default_rng(0).normal(size=(400, 17, 3)).cumsum(0)
    frequency, power = motion.velocity_spectrum(joints, FPS)
    expected = welch(np.diff(joints, axis=0) * FPS, FPS, "hann", 60, axis=0)
    np.testing.assert_allclose(frequency, expected[0])
    np.testing.assert_allclose(power, expected[1].sum(-1), rtol=1e-9)


@pytest.mark.parametrize("hz", [1.0, 3.0, 9.0])
def test_a_swing_has_its_power_at_its_frequency(hz):
    frequency, power = motion.velocity_spectrum(swinging(hz), FPS)
    assert frequency[power[:, 5].argmax()] == pytest.approx(hz)
    assert (motion.share_above(frequency, power) > 50) == (hz > 6)


def test_power_is_the_mean_square_of_the_velocity():
    frequency, power = motion.velocity_spectrum(swinging(3.0), FPS)
    velocity = np.diff(swinging(3.0)[:, 0, 0]) * FPS
    assert power[:, 0].sum() * frequency[1] == pytest.approx((velocity**2).mean(), rel=0.02)


def test_windows_with_gaps_are_left_out_for_their_joint_only():
    joints = swinging(3.0)
    gappy = joints.copy()
    gappy[300, 5] = np.nan
    whole, left = (motion.velocity_spectrum(j, FPS)[1] for j in (joints, gappy))
    np.testing.assert_array_equal(np.delete(whole, 5, 1), np.delete(left, 5, 1))
    gappy[:, 5] = 1e3  # what stands in the windows of the gap must not matter
    gappy[::20, 5] = np.nan
    frequency, left = motion.velocity_spectrum(gappy, FPS)
    assert np.isnan(left[:, 5]).all()
    assert motion.share_above(frequency, left) == pytest.approx(motion.share_above(frequency, np.delete(whole, 5, 1)))


@pytest.mark.parametrize("frames", [1, 2, 16])
def test_too_short_for_a_spectrum(frames):
    frequency, power = motion.velocity_spectrum(swinging(3.0, frames), FPS)
    assert frequency.shape == (0,)
    assert power.shape == (0, 17)
    assert np.isnan(motion.share_above(frequency, power))


def test_a_short_clip_is_one_window():
    frequency, power = motion.velocity_spectrum(swinging(3.0, 31), FPS)
    assert frequency[1] == pytest.approx(1.0)
    assert np.isfinite(power).all()


def test_a_slow_camera_cannot_see_the_share_and_stillness_has_none():
    assert np.isnan(motion.share_above(*motion.velocity_spectrum(swinging(1.0, fps=12.0), 12.0)))
    assert np.isnan(motion.share_above(*motion.velocity_spectrum(np.zeros((90, 17, 3)), FPS)))


def test_shaking_raises_the_share():
    shaken = WALK.joints_3d + np.random.default_rng(0).normal(0, 0.005, WALK.joints_3d.shape)
    calm, rough = (motion.share_above(*motion.velocity_spectrum(j, FPS)) for j in (WALK.joints_3d, shaken))
    assert calm < 2
    assert rough > 5 * calm


# Feet


def standing(frames=90):
    """Both feet on a floor at y = 1; the right one is lifted and moved from frame 30 to 60."""
    joints = np.zeros((frames, 17, 3))
    joints[:, [LEFT, RIGHT], 1] = 1.0
    joints[30:60, RIGHT, 1] -= 0.3
    joints[:, RIGHT, 0] = np.clip(np.arange(frames) - 30, 0, 30) * 0.02
    return joints


def test_feet_on_the_floor_by_height_and_by_speed():
    joints = standing()
    low, planted = motion.is_low(joints, FPS), motion.is_planted(joints, FPS)
    assert low[:, 0].all()
    assert not low[30:60, 1].any()
    assert low[:30, 1].all()
    assert low[60:, 1].all()
    assert planted[1:, 0].all()
    assert not planted[0].any()  # no speed is known there
    assert not planted[31:60, 1].any()
    assert planted[1:30, 1].all()
    assert planted[62:, 1].all()


def test_skating_is_the_speed_of_the_feet_on_the_floor():
    truth = standing()
    on_floor = motion.is_planted(truth, FPS)
    assert motion.foot_skating(truth, on_floor, FPS) == pytest.approx(0, abs=1e-9)
    skating = truth.copy()
    skating[..., 2] += 0.01 * np.arange(90)[:, None]  # the whole body drifts: 0.3 m/s
    assert motion.foot_skating(skating, on_floor, FPS) == pytest.approx(0.3)
    assert motion.foot_speed(skating, FPS)[5] == pytest.approx([0.3, 0.3])


def test_unknown_feet_are_not_on_the_floor():
    joints = standing()
    joints[40:50] = np.nan
    for on_floor in (motion.is_low(joints, FPS), motion.is_planted(joints, FPS)):
        assert not on_floor[40:50].any()
        assert np.isfinite(motion.foot_skating(joints, on_floor, FPS))
    nobody = np.full((5, 17, 3), np.nan)
    assert not motion.is_low(nobody, FPS).any()
    assert np.isnan(motion.foot_skating(nobody, motion.is_low(nobody, FPS), FPS))


def test_one_frame_has_no_skating():
    one = standing()[:1]
    assert np.isnan(motion.foot_skating(one, motion.is_low(one, FPS), FPS))


# Single frames


@pytest.fixture
def teacher():
    torch.manual_seed(3)
    return Teacher(TeacherConfig(width=32, blocks=1, temporal_blocks=0, window=3, stride=1)).eval()


def test_each_frame_is_lifted_without_its_neighbours(teacher):
    whole = lift_single_frames(teacher, WALK, WALK.joints_3d)
    part = lift_single_frames(teacher, WALK.frames(100, 101), WALK.joints_3d[100:101])
    np.testing.assert_allclose(part[0], whole[100], atol=1e-5)


def test_joints_lie_on_the_rays_of_the_raw_2d_at_the_pelvis_distance(teacher):
    noisy = CLIPS["synthetic walk (noisy detector)"]
    alone = lift_single_frames(teacher, noisy, noisy.joints_3d)
    seen = noisy.is_observed
    np.testing.assert_allclose(project(alone, noisy.intrinsics())[seen], noisy.keypoints_px[seen], atol=0.02)
    pelvis = seen[:, 0]
    np.testing.assert_allclose(
        np.linalg.norm(alone[pelvis, 0], axis=-1), np.linalg.norm(noisy.joints_3d[pelvis, 0], axis=-1), rtol=1e-5
    )


def test_what_was_not_seen_or_not_lifted_stays_unknown(teacher):
    noisy = CLIPS["synthetic walk (noisy detector)"]
    joints = noisy.joints_3d.copy()
    joints[10:20] = np.nan
    alone = lift_single_frames(teacher, noisy, joints)
    assert np.isnan(alone[~noisy.is_observed]).all()
    assert np.isnan(alone[10:20]).all()
    assert np.isfinite(alone[20:][noisy.is_observed[20:]]).all()


def test_nobody_at_all(teacher):
    empty = PoseSequence("empty", np.full((4, 17, 2), np.nan, np.float32), np.zeros((4, 17), np.float32))
    assert np.isnan(lift_single_frames(teacher, empty, np.full((4, 17, 3), np.nan, np.float32))).all()


def test_the_bundled_teacher_is_right_alone_but_rougher():
    lifter = Lifter.load(find_checkpoint("joint", "teacher"), device="cpu")
    lifted = lifter([WALK])[0].joints_3d
    alone = lift_single_frames(lifter.teacher, WALK, lifted)
    assert finite_mean(n_mpjpe(alone, WALK.joints_3d)) < 1.2 * finite_mean(n_mpjpe(lifted, WALK.joints_3d))
    assert finite_mean(jitter(alone)) > 1.5 * finite_mean(jitter(lifted))
