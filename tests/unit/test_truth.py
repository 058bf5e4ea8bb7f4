"""Ground truth that is none: zeros, poses of no person's size and other units never reach an average."""

from dataclasses import replace

import numpy as np
import pytest

from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import evaluate, report_text
from posenet3d.evaluation.protocols import score, score_text

FRAMES, WITHOUT = 40, 6


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    joints = (rng.normal(0, 0.4, (FRAMES, 17, 3)) + np.array([0, 0, 4])).astype(np.float32)
    truth = PoseSequence(
        "a", joints[..., :2] * 100, np.ones((FRAMES, 17)), joints_3d=joints, action="walk", subject="S9"
    )
    return Lifted("a", joints + rng.normal(0, 0.03, joints.shape).astype(np.float32)), truth


def all_zero(joints):
    joints[:] = 0


def one_joint_zero(joints):
    joints[:, 5] = 0


def millimetres(joints):
    joints *= 1000


def one_point(joints):
    joints[:] = [0, 0, 4]


@pytest.mark.parametrize("spoil", [all_zero, one_joint_zero, millimetres, one_point])
def test_frames_without_a_pose_change_no_number_and_are_counted(pair, spoil):
    prediction, truth = pair
    joints = truth.joints_3d.copy()
    spoil(joints[-WITHOUT:])
    spoiled = replace(truth, joints_3d=joints)
    start = FRAMES - WITHOUT
    kept = replace(
        truth,
        joints_3d=truth.joints_3d[:start],
        keypoints_px=truth.keypoints_px[:start],
        confidence=np.ones((start, 17)),
    )
    expected = evaluate([replace(prediction, joints_3d=prediction.joints_3d[:start])], [kept])
    found = evaluate([prediction], [spoiled])
    assert found.counts.frames_without_truth == WITHOUT
    assert expected.counts.frames_without_truth == 0
    assert found.overall == pytest.approx(expected.overall)
    assert found.per_action["walk"] == pytest.approx(expected.per_action["walk"])
    assert f"{WITHOUT} without ground truth" in report_text(found)
    for protocol in ("h36m-p1", "3dpw"):
        by_protocol = score([prediction], [spoiled], protocol)
        clean = score([replace(prediction, joints_3d=prediction.joints_3d[:start])], [kept], protocol)
        assert by_protocol.average == pytest.approx(clean.average)
        assert (by_protocol.frames, by_protocol.frames_missing) == (start, 0)
        assert by_protocol.frames_without_truth == by_protocol.to_dict()["frames_without_truth"] == WITHOUT
        assert f"{WITHOUT} without ground truth" in score_text(by_protocol)
        assert "without ground truth" not in score_text(clean)


def test_root_relative_truth_has_its_pelvis_at_the_origin(pair):
    prediction, truth = pair
    relative = replace(truth, joints_3d=truth.joints_3d - truth.joints_3d[:, :1])
    found = evaluate([prediction], [relative])
    assert found.counts.frames_without_truth == 0
    assert found.overall.mpjpe == pytest.approx(evaluate([prediction], [truth]).overall.mpjpe, rel=1e-4)


def test_zeros_in_every_frame_are_no_ground_truth(pair):
    prediction, truth = pair
    with pytest.raises(InputError, match="give data with ground truth"):
        evaluate([prediction], [replace(truth, joints_3d=0 * truth.joints_3d)])


@pytest.mark.parametrize(
    ("factor", "says"),
    [
        (1000, "so it is in millimetres; divide it by 1000"),
        (100, "so it is in centimetres; divide it by 100"),
        (0.001, "so it is in kilometres; multiply it by 1000"),
        (20000, "give joints in metres"),
    ],
)
def test_truth_in_another_unit_is_refused(pair, factor, says):
    prediction, truth = pair
    other = replace(truth, joints_3d=truth.joints_3d * np.float32(factor))
    for compare in (evaluate, lambda p, g: score(p, g, "3dpw")):
        with pytest.raises(InputError, match=says):
            compare([prediction], [other])
