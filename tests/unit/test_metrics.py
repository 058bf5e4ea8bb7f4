import json
import pickle
import re
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from posenet3d.core.camera import pinhole
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES, PARENTS
from posenet3d.errors import InputError
from posenet3d.evaluation import evaluate as evaluation
from posenet3d.evaluation import metrics
from posenet3d.evaluation.evaluate import evaluate, report_text
from posenet3d.evaluation.metrics import METRICS

K = pinhole(1000.0, 500.0, 500.0)


def poses(frames=5, seed=0):
    """Random poses of about a person's size, 4 m in front of the camera."""
    return np.random.default_rng(seed).normal(0, 0.4, (frames, 17, 3)) + np.array([0, 0, 4.0])


def smooth_clip(frames=60):
    """One rigid pose carried round a circle while it turns."""
    t = np.arange(frames) / 30
    pose = poses(1)[0] - [0, 0, 4]
    turned = Rotation.from_euler("y", t[:, None]).as_matrix() @ pose.T
    return turned.transpose(0, 2, 1) + np.stack([np.sin(t), 0 * t, 4 + np.cos(t)], -1)[:, None]


def sequence(joints_3d, name="clip", action="", fps=30.0):
    pixels = np.full((*joints_3d.shape[:2], 2), 500.0)
    return PoseSequence(
        name=name,
        keypoints_px=pixels,
        confidence=np.ones(pixels.shape[:2]),
        fps=fps,
        K=K,
        joints_3d=joints_3d,
        action=action,
    )


def lifted(joints_3d, name="clip"):
    return Lifted(name=name, joints_3d=joints_3d.astype(np.float32))


# --- position ---


def test_mpjpe_of_a_known_shift_of_one_joint():
    truth = poses()
    predicted = truth + np.array([1.0, 2.0, 3.0])  # the place in the room does not count
    predicted[:, 5] += [0.03, 0, 0.04]
    expected = np.zeros((5, 17))
    expected[:, 5] = 50
    np.testing.assert_allclose(metrics.mpjpe(predicted, truth), expected, atol=1e-9)


def test_moving_the_pelvis_moves_every_other_joint():
    truth = poses()
    predicted = truth.copy()
    predicted[:, 0, 0] += 0.01
    np.testing.assert_allclose(metrics.mpjpe(predicted, truth)[:, 1:], 10, atol=1e-9)


@given(scale=st.floats(0.1, 10))
@settings(max_examples=20, deadline=None)
def test_n_mpjpe_ignores_scale_but_mpjpe_does_not(scale):
    truth = poses()
    assert metrics.n_mpjpe(scale * truth, truth).max() < 1e-9
    expected = abs(scale - 1) * 1000 * np.linalg.norm(metrics.root_relative(truth), axis=-1)
    np.testing.assert_allclose(metrics.mpjpe(scale * truth, truth), expected, atol=1e-8)


def test_n_mpjpe_scale_is_the_minimiser_of_the_squared_error():
    truth, predicted = metrics.root_relative(poses()), metrics.root_relative(poses(seed=1) + poses())
    aligned = metrics.scale_aligned(predicted, truth)
    best = ((aligned - truth) ** 2).sum((1, 2))
    for nudge in (0.99, 1.01):
        assert (((nudge * aligned - truth) ** 2).sum((1, 2)) > best).all()


@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    scale=st.floats(0.05, 20),
    shift=st.tuples(*[st.floats(-10, 10)] * 3),
)
@settings(max_examples=30, deadline=None)
def test_pa_is_unchanged_by_any_similarity(angles, scale, shift):
    truth, predicted = poses(), poses(seed=1)
    moved = scale * predicted @ Rotation.from_euler("xyz", angles).as_matrix().T + np.array(shift)
    np.testing.assert_allclose(metrics.pa_mpjpe(moved, truth), metrics.pa_mpjpe(predicted, truth), atol=1e-6)


@pytest.mark.parametrize("flip", [[1, 1, -1], [-1, 1, 1], [-1, -1, -1]])
def test_a_mirrored_pose_is_wrong_in_every_metric(flip):
    truth = metrics.root_relative(poses())
    mirrored = truth * flip
    assert metrics.pa_mpjpe(mirrored, truth).mean() > 50
    assert metrics.n_mpjpe(mirrored, truth).mean() > 50
    assert metrics.mpjpe(mirrored, truth).mean() > 50


def kabsch_scipy(predicted, truth):
    """The slow obvious PA-MPJPE: scipy's proper rotation, then the scale by least squares, frame by frame."""
    errors = []
    for p, g in zip(predicted, truth, strict=True):
        P, G = p - p.mean(0), g - g.mean(0)
        P = Rotation.align_vectors(G, P)[0].apply(P)
        errors.append(1000 * np.linalg.norm((P * G).sum() / (P * P).sum() * P - G, axis=1))
    return np.array(errors)


@pytest.mark.parametrize("noise", [0.02, 0.2, 1.0])
def test_pa_agrees_with_a_frame_by_frame_oracle(noise):
    truth = poses(50)
    predicted = truth + np.random.default_rng(2).normal(0, noise, truth.shape)
    np.testing.assert_allclose(metrics.pa_mpjpe(predicted, truth), kabsch_scipy(predicted, truth), atol=1e-5)


def test_alignments_never_make_the_squared_error_worse():
    truth, predicted = (
        metrics.root_relative(poses(20)),
        metrics.root_relative(poses(20, seed=3) + 2 * poses(20)),
    )
    raw, n, pa = ((e(predicted, truth) ** 2).sum(1) for e in (metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe))
    assert (n <= raw + 1e-9).all()
    assert (pa <= n + 1e-9).all()


@pytest.mark.parametrize("error", [metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe])
@pytest.mark.parametrize("which", ["predicted", "truth", "both"])
def test_a_pose_collapsed_to_a_point_is_finite(error, which):
    point = np.full((3, 17, 3), 2.0)
    predicted = poses(3) if which == "truth" else point
    truth = poses(3) if which == "predicted" else point
    errors = error(predicted, truth)
    assert np.isfinite(errors).all()
    assert (errors.mean() > 50) == (which == "predicted" or (error is metrics.mpjpe and which == "truth"))


@pytest.mark.parametrize("error", [metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe])
def test_a_frame_that_is_not_finite_scores_nan_and_leaves_the_others_alone(error):
    truth, predicted = poses(), poses(seed=1)
    broken = predicted.copy()
    broken[2] = np.nan
    errors = error(broken, truth)
    assert np.isnan(errors[2]).all()
    np.testing.assert_array_equal(np.delete(errors, 2, 0), np.delete(error(predicted, truth), 2, 0))


def test_pck_and_auc_known_answers():
    assert metrics.pck(np.array([149.9, 150.0, 10.0, np.nan])) == pytest.approx(100 * 2 / 3)
    assert metrics.auc(np.zeros(4)) == pytest.approx(100 * 30 / 31)  # nothing is strictly below the threshold 0
    assert metrics.auc(np.full(4, 72.0)) == pytest.approx(100 * 16 / 31)  # 75, 80, ... 150
    assert np.isnan(metrics.pck(np.full(3, np.nan)))


# --- time ---


def test_temporal_errors_are_zero_up_to_one_scale():
    clip = smooth_clip()
    for error in (metrics.mpjve, metrics.acceleration_error):
        assert np.nanmax(error(0.3 * clip, clip)) < 1e-9


def test_velocity_and_acceleration_of_known_motion():
    t = np.arange(6.0)[:, None, None]
    truth = np.broadcast_to(poses(1), (6, 17, 3)).copy()
    steady, hurried = truth.copy(), truth.copy()
    steady[:, 3:4] += 0.002 * t * [1, 0, 0]
    hurried[:, 3:4] += 0.001 * t**2 * [0, 1, 0]
    np.testing.assert_allclose(metrics.speed(steady)[1:, 3], 2, atol=1e-9)
    np.testing.assert_allclose(metrics.acceleration(hurried)[1:-1, 3], 2, atol=1e-9)
    np.testing.assert_allclose(metrics.jerk(hurried)[2:-1], 0, atol=1e-9)
    assert metrics.speed(steady)[1:, 4].max() < 1e-9
    # Against the still truth, with the clip's scale within a hair of 1:
    assert np.nanmean(metrics.mpjve(steady, truth)[:, 3]) == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize(("magnitude", "order"), [(metrics.speed, 1), (metrics.acceleration, 2), (metrics.jerk, 3)])
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 9])
def test_magnitudes_keep_the_number_of_frames(magnitude, order, frames):
    values = magnitude(poses(frames))
    assert values.shape == (frames, 17)
    assert np.isfinite(values).all(1).sum() == max(0, frames - order)


def test_shaking_costs_more_than_a_steady_offset():
    clip = smooth_clip()
    steady = clip + 0.05 * poses(1, seed=4)
    shaky = clip + np.random.default_rng(5).normal(0, 0.01, clip.shape)
    assert metrics.mpjpe(shaky, clip).mean() < metrics.mpjpe(steady, clip).mean()
    for error in (metrics.mpjve, metrics.acceleration_error):
        assert np.nanmean(error(shaky, clip)) > 2 * np.nanmean(error(steady, clip))
    assert np.nanmean(metrics.jitter(shaky)) > 5 * np.nanmean(metrics.jitter(clip))


def test_bone_lengths_and_their_drift():
    clip = smooth_clip()
    child, parent = 12, PARENTS[12]
    expected = np.linalg.norm(clip[:, child] - clip[:, parent], axis=-1)
    np.testing.assert_allclose(metrics.bone_lengths(clip)[:, child - 1], expected)
    assert max(d.max() for d in metrics.bone_length_drift(clip)) < 1e-9
    breathing = clip * np.where(np.arange(60) % 2, 1.1, 0.9)[:, None, None]
    percent, mm = metrics.bone_length_drift(breathing)
    np.testing.assert_allclose(percent, 10)
    np.testing.assert_allclose(mm, 100 * metrics.bone_lengths(clip)[0])
    assert metrics.bone_length_drift(np.zeros((4, 17, 3)))[0].max() == 0


def test_reprojection_error():
    points = np.tile([0.0, 0.0, 4.0], (2, 17, 1))
    pixels = np.tile([503.0, 504.0], (2, 17, 1))
    pixels[0, 1] = np.nan
    errors = metrics.reprojection_error_px(points, pixels, K)
    assert np.isnan(errors[0, 1])
    np.testing.assert_allclose(np.delete(errors.ravel(), 1), 5)
    points[1, 3, 2] = -1
    assert np.isnan(metrics.reprojection_error_px(points, pixels, K)[1]).all()


# --- the report ---


def test_perfect_prediction():
    clip = smooth_clip().astype(np.float32)
    result = evaluate([lifted(clip)], [sequence(clip, action="turning")])
    overall = result.overall
    assert list(overall) == [metric.name for metric in METRICS] == list(result.to_dict()["units"])
    assert all(overall[k] < 1e-3 for k in ("mpjpe", "pa_mpjpe", "n_mpjpe", "mpjve", "acceleration_error"))
    assert overall.pck150 == overall.n_pck150 == 100
    assert overall.jitter == pytest.approx(overall.jitter_truth)
    assert list(result.per_joint) == list(JOINT_NAMES)
    assert result.per_action["turning"] == overall
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()


def test_scores_are_read_by_attribute_or_key_and_name_what_is_missing():
    overall = evaluate([lifted(poses(4))], [sequence(poses(4))]).overall
    assert overall.pa_mpjpe == overall["pa_mpjpe"] == overall.to_dict()["pa_mpjpe"]
    assert pickle.loads(pickle.dumps(overall)) == overall
    with pytest.raises(AttributeError, match="no metric 'mpjpee'"):
        overall.mpjpee  # noqa: B018


def test_one_record_adds_a_metric(monkeypatch):
    height = metrics.Metric("height", "Height", "m", "toy", lambda clip: clip.predicted[..., 1], np.nanmax)
    for module in (metrics, evaluation):
        monkeypatch.setattr(module, "METRICS", (*METRICS, height))
    result = evaluation.evaluate([lifted(poses(4))], [sequence(poses(4))])
    assert result.overall.height == pytest.approx(poses(4)[..., 1].max())
    assert result.to_dict()["units"]["height"] == "m"
    assert re.search(r"Height +\d+\.\d+ m +toy", report_text(result))


def test_bone_deviation_is_the_distance_from_the_median_length():
    clip = smooth_clip(5)
    clip[3] *= 1.2  # about the camera: every bone of one frame is a fifth longer
    expected = np.zeros((5, 16))
    expected[3] = 20
    np.testing.assert_allclose(metrics.bone_length_deviation(clip), expected, atol=1e-9)
    clip[1] = np.nan
    assert np.isnan(metrics.bone_length_deviation(clip)).all(1).tolist() == [False, True, False, False, False]


def test_averages_are_weighted_by_frames():
    long, short = poses(30), poses(10, seed=1)
    off = short.copy()
    off[:, 1:] += [0.04, 0, 0]
    truth = [sequence(long, "a", "sit"), sequence(short, "b", "run")]
    result = evaluate([lifted(long, "a"), lifted(off, "b")], truth)
    assert result.per_action["run"].mpjpe == pytest.approx(40 * 16 / 17, abs=1e-3)
    assert result.per_clip[0].scores.mpjpe == pytest.approx(0, abs=1e-3)
    assert result.overall.mpjpe == pytest.approx(10 * 16 / 17, abs=1e-3)
    assert result.per_joint["pelvis"].mpjpe == 0
    assert result.per_joint["l_wrist"].mpjpe == pytest.approx(10, abs=1e-3)


def test_acceleration_in_si_units_uses_the_frame_rate():
    clip = smooth_clip()
    shaky = clip + np.random.default_rng(5).normal(0, 0.01, clip.shape)
    overall = evaluate([lifted(shaky)], [sequence(clip, fps=50.0)]).overall
    assert overall.acceleration_error_m_s2 == pytest.approx(2.5 * overall.acceleration_error)


def test_missing_frames_are_counted_and_left_out():
    clip = smooth_clip()
    predicted = clip + np.random.default_rng(5).normal(0, 0.01, clip.shape)
    whole = evaluate([lifted(predicted[:40])], [sequence(clip[:40])])
    predicted[40:] = np.nan
    gappy = evaluate([lifted(predicted)], [sequence(clip)])
    assert gappy.counts.frames_missing == 20
    assert whole.counts.frames_missing == 0
    assert gappy.overall == pytest.approx(whole.overall)


def test_a_clip_without_any_prediction_is_null_not_zero():
    clip = smooth_clip(10)
    result = evaluate([lifted(clip, "a"), lifted(np.nan * clip, "b")], [sequence(clip, "a"), sequence(clip, "b")])
    assert result.per_clip[1].scores.mpjpe is None
    assert result.per_clip[1].frames_missing == 10
    assert result.overall.mpjpe is not None
    json.dumps(result.to_dict(), allow_nan=False)
    report_text(result)


def test_one_frame_has_no_velocity_but_a_position():
    overall = evaluate([lifted(poses(1))], [sequence(poses(1))]).overall
    assert overall.mpjve is None
    assert overall.mpjpe == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("predictions", "truth", "words"),
    [
        ([], [], "0 clips"),
        ([lifted(poses())] * 2, [sequence(poses())], "2 clips and the data 1"),
        ([lifted(poses(), "a")], [sequence(poses(), "b")], "'a' stands where the data has 'b'"),
        ([lifted(poses(4))], [sequence(poses(5))], r"\(4, 17, 3\)"),
        ([lifted(np.nan * poses())], [sequence(poses())], "no frame has finite"),
        ([lifted(poses())], [PoseSequence("clip", np.zeros((5, 17, 2)), np.ones((5, 17)))], "no joints_3d"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(predictions, truth, words):
    with pytest.raises(InputError, match=words):
        evaluate(predictions, truth)


def test_report_names_every_metric_and_joint():
    clip = smooth_clip()
    text = report_text(evaluate([lifted(1.1 * clip)], [sequence(clip, action="turning")]))
    assert all(metric.label in text for metric in METRICS)
    assert all(joint in text for joint in JOINT_NAMES)
    assert "turning" in text
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.slow
def test_a_whole_benchmark_takes_seconds():
    truth = poses(31138)
    predicted = (truth + 0.01).astype(np.float32)
    cuts = np.linspace(0, 31138, 40).astype(int)
    clips = [sequence(truth[a:b], str(a)) for a, b in pairwise(cuts)]
    begin = time.perf_counter()
    evaluate([lifted(predicted[a:b], str(a)) for a, b in pairwise(cuts)], clips)
    assert time.perf_counter() - begin < 10  # alone on a core it takes under 2 s; the margin is for a busy machine
