"""Keypoints in memory become a sequence of the library's 17 joints, or an error that says what is wrong."""

import math

import numpy as np
import pytest

from posenet3d.core.jointsets import JOINT_SETS, JointSet, to_h36m17
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT, JOINT_NAMES


def points(joint_set: str, frames: int = 4) -> np.ndarray:
    return np.random.default_rng(0).uniform(1, 900, (frames, len(JOINT_SETS[joint_set]), 2))


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_every_known_joint_set_becomes_the_17_joints(joint_set):
    array = points(joint_set)
    clip = PoseSequence.from_keypoints(array, joint_set)
    expected, confidence = to_h36m17(array, np.ones(array.shape[:2]), joint_set)
    np.testing.assert_allclose(clip.keypoints_px, expected, rtol=1e-6)
    np.testing.assert_allclose(clip.confidence, confidence, rtol=1e-6)
    assert (clip.name, clip.fps, clip.image_size, clip.K, clip.take) == ("keypoints", 30, None, None, "")


def test_what_is_given_is_kept():
    K = np.array([[900.0, 0, 480], [0, 900, 270], [0, 0, 1]])
    clip = PoseSequence.from_keypoints(points("coco17"), fps=25, image_size=(960, 540), K=K, name="walk")
    assert (clip.name, clip.fps, clip.image_size) == ("walk", 25.0, (960, 540))
    np.testing.assert_array_equal(clip.intrinsics(), K)


def test_missing_is_nan_or_confidence_0_wherever_the_confidence_stands():
    array = points("coco17", frames=3)
    knee, ankle = (JOINT_SETS["coco17"].joints.index(name) for name in ("l_knee", "r_ankle"))
    array[1, knee] = np.nan
    confidence = np.full(array.shape[:2], 0.5)
    confidence[2, ankle] = 0
    apart = PoseSequence.from_keypoints(array, confidence=confidence)
    together = PoseSequence.from_keypoints(np.concatenate([array, confidence[..., None]], -1))
    for clip in (apart, together):
        assert np.isnan(clip.keypoints_px[1, JOINT["l_knee"]]).all()
        assert np.isnan(clip.keypoints_px[2, JOINT["r_ankle"]]).all()
        assert clip.is_observed.sum() == 3 * 17 - 2
        assert clip.confidence[0, JOINT["l_knee"]] == 0.5


def test_integers_and_a_joint_set_of_ones_own():
    own = JointSet("own", JOINT_NAMES[::-1])
    array = np.arange(2 * 17 * 2).reshape(2, 17, 2)
    clip = PoseSequence.from_keypoints(array, own)
    np.testing.assert_array_equal(clip.keypoints_px, array[:, ::-1])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"keypoints": np.ones((17, 2))}, r"shape \(17, 2\), but must be numbers \(frames, joints, 2 or 3\)"),
        ({"keypoints": np.ones((4, 17, 4))}, r"shape \(4, 17, 4\)"),
        ({"keypoints": np.full((4, 17, 2), "x")}, "must be numbers"),
        ({"keypoints": np.ones((4, 18, 2))}, "coco17 has 17 joints, but the keypoints have 18"),
        ({"joint_set": "coco99"}, "unknown joint set 'coco99'; one of h36m17, coco17"),
        ({"keypoints": np.ones((4, 17, 3)), "confidence": np.ones((4, 17))}, "leave the argument confidence out"),
        ({"confidence": np.ones((3, 17))}, r"confidence has shape \(3, 17\)"),
        ({"confidence": np.zeros((4, 17))}, "no joint of 'keypoints' is seen"),
        ({"keypoints": np.full((4, 17, 2), np.nan)}, "no joint of 'keypoints' is seen"),
        ({"keypoints": np.ones((0, 17, 2))}, "no joint of 'keypoints' is seen"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": math.nan}, "fps is nan"),
        ({"image_size": (0, 100)}, "image_size"),
        ({"K": np.eye(4)}, r"K has shape \(4, 4\)"),
    ],
)
def test_what_does_not_fit_is_an_error(arguments, says):
    with pytest.raises(ValueError, match=says):
        PoseSequence.from_keypoints(**({"keypoints": points("coco17")} | arguments))
