import time

import numpy as np
import pytest

from posenet3d.core.camera import project
from posenet3d.core.skeleton import JOINT, MIRROR, PARENTS
from posenet3d.evaluation import metrics
from posenet3d.synthetic.detector_noise import DetectorNoise, with_detector_noise
from posenet3d.synthetic.motions import MOTIONS
from posenet3d.synthetic.sequences import bundled_sequences, synthetic_sequence
from posenet3d.synthetic.stick_figure import ANKLE_HEIGHT, forward_kinematics

FPS = 30
every_motion = pytest.mark.parametrize("motion", list(MOTIONS))


def in_world(motion, seed=0):
    act, duration = MOTIONS[motion]
    return forward_kinematics(act(np.arange(round(duration * FPS)) / FPS, np.random.default_rng(seed)))


def at(points, name):
    return points[:, JOINT[name]]


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def dot(a, b):
    return (a * b).sum(-1)


def forward_of(points, left, right, up):
    """The way a body faces: left x up, from its own joints."""
    return unit(np.cross(at(points, left) - at(points, right), up))


@every_motion
def test_bones_keep_their_length(motion):
    percent, mm = metrics.bone_length_drift(in_world(motion))
    assert percent.max() < 1e-6
    assert mm.max() < 1e-6


def test_the_figure_is_an_adult_with_equal_sides():
    points = in_world("wave")
    lengths = metrics.bone_lengths(points)[0]
    partner = [MIRROR[child] - 1 for child, parent in enumerate(PARENTS) if parent >= 0]
    np.testing.assert_allclose(lengths, lengths[partner], atol=1e-9)
    assert 1.6 < at(points, "head_top")[0, 1] < 1.8


@every_motion
@pytest.mark.parametrize("side", ["l", "r"])
def test_knees_bend_forward(motion, side):
    points = in_world(motion)
    hip, knee, ankle = (at(points, f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    leg = unit(ankle - hip)
    # Forward of the leg, which is up for a leg held out in front: the line of the leg crossed with the body's left.
    bends = np.cross(leg, at(points, "l_hip") - at(points, "r_hip"))
    off_line = (knee - hip) - dot(knee - hip, leg)[:, None] * leg
    assert dot(off_line, bends).min() > 0
    assert np.linalg.norm(off_line, axis=-1).min() > 0.01  # never locked straight


@pytest.mark.parametrize("motion", ["walk", "turn", "kick", "sit"])
@pytest.mark.parametrize("side", ["l", "r"])
def test_elbows_of_hanging_arms_bend_forward(motion, side):
    points = in_world(motion)
    shoulder, elbow, wrist = (at(points, f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
    forward = forward_of(points, "l_shoulder", "r_shoulder", at(points, "thorax") - at(points, "spine"))
    assert dot(np.cross(elbow - shoulder, wrist - elbow), np.cross([0, -1.0, 0], forward)).min() > 0


@every_motion
def test_nobody_leans_backwards_or_sinks_into_the_ground(motion):
    points = in_world(motion)
    up = at(points, "thorax") - at(points, "pelvis")
    assert dot(up, forward_of(points, "l_hip", "r_hip", up)).min() > -0.1
    assert points[..., 1].min() > ANKLE_HEIGHT - 1e-3
    assert at(points, "pelvis")[:, 1].min() > 0.4


@pytest.mark.parametrize("motion", ["squat", "wave", "sit", "reach"])
def test_feet_that_stand_do_not_slide(motion):
    points = in_world(motion)
    for side in "lr":
        assert np.ptp(at(points, f"{side}_ankle"), axis=0).max() < 1e-6


@pytest.mark.parametrize("motion", ["walk", "turn"])
def test_a_foot_rests_while_the_other_steps(motion):
    points = in_world(motion)
    steps = np.stack([np.linalg.norm(np.diff(at(points, f"{s}_ankle"), axis=0), axis=-1) for s in "lr"])
    assert steps.min(0).max() < 0.012  # of up to 6 cm per frame
    heights = np.stack([at(points, f"{s}_ankle")[:, 1] for s in "lr"])
    assert heights.min(0).max() < ANKLE_HEIGHT + 0.03


def test_arms_swing_against_the_legs():
    points = in_world("walk")
    forward = forward_of(points, "l_hip", "r_hip", [0, 1.0, 0])
    arm = dot(at(points, "l_wrist") - at(points, "r_wrist"), forward)
    leg = dot(at(points, "l_ankle") - at(points, "r_ankle"), forward)
    assert np.corrcoef(arm, leg)[0, 1] < -0.8


def test_a_jump_falls_freely():
    height = at(in_world("jump"), "pelvis")[:, 1]
    acceleration = np.diff(height, 2) * FPS**2
    flying = np.convolve(at(in_world("jump"), "l_ankle")[:, 1] > ANKLE_HEIGHT + 0.15, np.ones(3), "same") == 3
    assert flying.sum() > 5
    np.testing.assert_allclose(acceleration[flying[1:-1]], -9.81, rtol=0.02)
    assert height.max() > height[0] + 0.2


@every_motion
def test_motion_is_smooth(motion):
    acceleration = metrics.acceleration(in_world(motion)) * FPS**2 / 1000
    assert np.nanmax(acceleration) < 80  # m/s²; a thrown-up arm reaches about 65
    assert np.nanmedian(acceleration) < 5


@every_motion
@pytest.mark.parametrize("azimuth_deg", [0.0, 90.0, 215.0])
def test_the_camera_sees_all_of_the_person(motion, azimuth_deg):
    clip = synthetic_sequence(motion, azimuth_deg=azimuth_deg)
    assert clip.joints_3d[..., 2].min() > 2
    width, height = clip.image_size
    assert (clip.keypoints_px > 0).all()
    assert (clip.keypoints_px < [width, height]).all()
    np.testing.assert_allclose(project(clip.joints_3d, clip.K), clip.keypoints_px, atol=1e-2)
    assert (at(clip.keypoints_px, "head_top")[:, 1] < at(clip.keypoints_px, "l_ankle")[:, 1]).all()


def test_left_is_left():
    facing = synthetic_sequence("wave", azimuth_deg=0.0)
    away = synthetic_sequence("wave", azimuth_deg=180.0)
    for part in ("hip", "shoulder", "ankle"):
        assert (at(facing.keypoints_px, f"l_{part}")[:, 0] > at(facing.keypoints_px, f"r_{part}")[:, 0]).all()
        assert (at(away.keypoints_px, f"l_{part}")[:, 0] < at(away.keypoints_px, f"r_{part}")[:, 0]).all()
    # At 90 degrees the camera stands at their left: the left hip is nearer.
    beside = synthetic_sequence("wave", azimuth_deg=90.0)
    assert (at(beside.joints_3d, "l_hip")[:, 2] < at(beside.joints_3d, "r_hip")[:, 2]).all()
    # The waving hand is the right one, and it is above the shoulder.
    middle = len(facing) // 2
    assert at(facing.keypoints_px, "r_wrist")[middle, 1] < at(facing.keypoints_px, "r_shoulder")[middle, 1]
    assert at(facing.keypoints_px, "l_wrist")[middle, 1] > at(facing.keypoints_px, "l_shoulder")[middle, 1]


def test_a_turn_shows_every_side():
    points = synthetic_sequence("turn", azimuth_deg=0.0).joints_3d
    across = at(points, "l_shoulder") - at(points, "r_shoulder")
    yaw = np.unwrap(np.arctan2(across[:, 2], across[:, 0]))
    assert np.ptp(yaw) == pytest.approx(2 * np.pi, abs=0.2)


def test_the_same_seed_gives_the_same_clip_and_another_seed_another():
    first, again, other = (synthetic_sequence("squat", seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.joints_3d, again.joints_3d)
    assert np.abs(first.joints_3d - other.joints_3d).max() > 1e-3


def test_an_unknown_motion_is_named_together_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no motion 'moonwalk'; there are walk, turn"):
        synthetic_sequence("moonwalk")


def test_bundled_sequences_are_quick_distinct_and_repeatable():
    begin = time.perf_counter()
    clips = bundled_sequences()
    assert time.perf_counter() - begin < 2  # 0.1 s alone
    assert len({clip.name for clip in clips}) == len(clips) >= 6
    assert {clip.action for clip in clips} == set(MOTIONS)
    assert all(4 <= len(clip) / clip.fps <= 8 for clip in clips)
    for clip, again in zip(clips, bundled_sequences(), strict=True):
        np.testing.assert_array_equal(clip.keypoints_px, again.keypoints_px)
    noisy = [clip for clip in clips if "noisy" in clip.name]
    assert noisy
    assert all((~clip.is_observed).any() for clip in noisy)
    assert all(clip.is_observed.all() for clip in clips if clip not in noisy)


# --- detector noise ---


@pytest.fixture(scope="module")
def clean():
    return synthetic_sequence("sit", azimuth_deg=40.0)


def errors_px(noisy, clean):
    return np.linalg.norm(noisy.keypoints_px - clean.keypoints_px, axis=-1)


def test_noise_leaves_truth_and_camera_alone(clean):
    noisy = with_detector_noise(clean, np.random.default_rng(0))
    np.testing.assert_array_equal(noisy.joints_3d, clean.joints_3d)
    np.testing.assert_array_equal(noisy.K, clean.K)
    assert len(noisy) == len(clean)


def test_noise_grows_with_apparent_size(clean):
    far = synthetic_sequence("sit", azimuth_deg=40.0, distance=9.0)
    near_error, far_error = (
        np.nanmedian(errors_px(with_detector_noise(c, np.random.default_rng(0)), c)) for c in (clean, far)
    )
    assert near_error / far_error == pytest.approx(2, rel=0.15)


def test_wrists_are_noisier_than_shoulders(clean):
    errors = np.nanmedian(errors_px(with_detector_noise(clean, np.random.default_rng(0)), clean), 0)
    assert errors[JOINT["l_wrist"]] > 1.4 * errors[JOINT["l_shoulder"]]


def test_confidence_tells_the_error(clean):
    noisy = with_detector_noise(clean, np.random.default_rng(0))
    errors = errors_px(noisy, clean)
    sure = noisy.confidence > 0.8
    doubtful = noisy.is_observed & (noisy.confidence < 0.6)
    assert np.median(errors[doubtful]) > 2 * np.median(errors[sure])


def test_errors_linger(clean):
    noisy = with_detector_noise(
        clean, np.random.default_rng(0), DetectorNoise(outliers=0.0, leg_swaps=0.0, joint_dropouts=0.0)
    )
    error = (noisy.keypoints_px - clean.keypoints_px)[:, JOINT["head_top"]]
    neighbours = np.corrcoef(error[:-1].ravel(), error[1:].ravel())[0, 1]
    assert 0.3 < neighbours < 0.75


def test_a_detector_without_faults_returns_the_truth(clean):
    perfect = DetectorNoise(sigma=0.0, joint_dropouts=0.0, limb_dropouts=0.0, outliers=0.0, leg_swaps=0.0)
    noisy = with_detector_noise(clean, np.random.default_rng(0), perfect)
    np.testing.assert_allclose(noisy.keypoints_px, clean.keypoints_px, atol=1e-3)
    assert noisy.confidence.min() > 0.8


def test_leg_swaps_swap_legs_only(clean):
    swaps = DetectorNoise(sigma=0.0, joint_dropouts=0.0, limb_dropouts=0.0, outliers=0.0, leg_swaps=1.0)
    noisy = with_detector_noise(clean, np.random.default_rng(0), swaps)
    moved = errors_px(noisy, clean) > 1
    assert moved.any()
    assert not moved[:, [JOINT["l_wrist"], JOINT["thorax"], JOINT["r_shoulder"]]].any()
    swapped = moved[:, JOINT["l_ankle"]]
    np.testing.assert_allclose(
        at(noisy.keypoints_px, "l_ankle")[swapped], at(clean.keypoints_px, "r_ankle")[swapped], atol=1e-3
    )


def test_missing_joints_stay_missing(clean):
    holes = clean.confidence.copy()
    holes[10:20] = 0
    sparse = type(clean)(**{**vars(clean), "confidence": holes})
    noisy = with_detector_noise(sparse, np.random.default_rng(0))
    assert not noisy.is_observed[10:20].any()
    assert noisy.is_observed[20:].mean() > 0.9
