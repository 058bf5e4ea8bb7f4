import numpy as np
import pytest
from helpers.people import BODY

from posenet3d.core.jointsets import (
    JOINT_SETS,
    KNOWN_JOINTS,
    RECIPES,
    JointSet,
    canonical_joint,
    find_joint_set,
    to_h36m17,
    usable_recipes,
)
from posenet3d.core.skeleton import JOINT, JOINT_NAMES


def convert(name: str, missing: tuple[str, ...] = (), sure: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    joints = JOINT_SETS[name].joints
    keypoints = np.array([[BODY.get(joint, (1.0, 1.0)) for joint in joints]], float)
    confidence = np.array([[0.0 if joint in missing else sure for joint in joints]])
    out, out_confidence = to_h36m17(keypoints, confidence, name)
    return out[0], out_confidence[0]


def test_sizes_are_those_in_the_names_and_no_joint_is_twice():
    for name, joint_set in JOINT_SETS.items():
        digits = int("".join(c for c in name.replace("h36m", "") if c.isdigit()))
        assert len(joint_set) == digits
        assert len(set(joint_set.joints)) == digits


def test_weights_sum_to_one_and_use_joints_that_some_set_has():
    for recipes in RECIPES.values():
        for recipe in recipes:
            assert sum(recipe.weights.values()) == pytest.approx(1)
            assert recipe.weights.keys() <= KNOWN_JOINTS


@pytest.mark.parametrize("name", JOINT_SETS)
def test_every_set_can_give_every_joint(name):
    assert all(usable_recipes(joint, JOINT_SETS[name]) for joint in JOINT_NAMES)


@pytest.mark.parametrize("name", sorted(set(JOINT_SETS) - {"h36m17"}))
def test_limbs_are_copied_side_by_side(name):
    out, _ = convert(name)
    for joint in JOINT_NAMES:
        if joint[:2] in ("l_", "r_"):
            np.testing.assert_allclose(out[JOINT[joint]], BODY[joint])


def test_coco_by_hand():
    out, confidence = convert("coco17")
    np.testing.assert_allclose(out[JOINT["pelvis"]], (100, 250))
    np.testing.assert_allclose(out[JOINT["thorax"]], (100, 150))
    np.testing.assert_allclose(out[JOINT["spine"]], (100, 200))
    np.testing.assert_allclose(out[JOINT["neck_nose"]], (100, 150 - 0.8 * 42))
    np.testing.assert_allclose(out[JOINT["head_top"]], (100, 150 - 1.6 * 42))
    assert confidence[JOINT["head_top"]] == pytest.approx(0.4)
    assert confidence[JOINT["pelvis"]] == pytest.approx(0.8)


def test_body25b_and_halpe_keep_their_own_head_top():
    for name in ("body25b", "halpe26", "crowdpose14"):
        out, confidence = convert(name)
        np.testing.assert_allclose(out[JOINT["head_top"]], BODY["head_top"])
        assert confidence[JOINT["head_top"]] == pytest.approx(0.8)


def test_one_hip_makes_no_pelvis_but_a_detected_middle_does():
    out, confidence = convert("coco17", missing=("l_hip",))
    assert np.isnan(out[[JOINT["pelvis"], JOINT["spine"], JOINT["l_hip"]]]).all()
    assert not confidence[[JOINT["pelvis"], JOINT["spine"], JOINT["l_hip"]]].any()
    np.testing.assert_allclose(convert("body25", missing=("l_hip",))[0][0], BODY["mid_hip"])


def test_a_joint_the_set_has_is_never_estimated():
    out, confidence = convert("body25b", missing=("head_top",))
    assert np.isnan(out[JOINT["head_top"]]).all()
    assert confidence[JOINT["head_top"]] == 0


def test_profile_uses_the_near_ear_with_less_trust():
    out, confidence = convert("coco17", missing=("r_ear", "r_eye"))
    np.testing.assert_allclose(out[JOINT["neck_nose"]], (108, 150 - 0.8 * 42))
    assert 0 < confidence[JOINT["head_top"]] < 0.4


def test_confidence_is_the_least_of_the_sources_and_recipes_change_by_frame():
    joints = JOINT_SETS["coco17"].joints
    keypoints = np.tile(np.array([[BODY[joint] for joint in joints]], float), (2, 1, 1))
    confidence = np.ones((2, 17))
    confidence[:, joints.index("r_hip")] = 0.3
    keypoints[1, joints.index("l_shoulder")] = np.nan
    out, sure = to_h36m17(keypoints, confidence, JointSet("mine", joints))
    assert sure[0, JOINT["pelvis"]] == pytest.approx(0.3)
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1, JOINT["thorax"]]).all()


def test_h36m_is_the_identity_and_missing_stays_missing():
    keypoints = np.random.default_rng(0).normal(size=(3, 17, 2))
    confidence = np.full((3, 17), 0.7)
    confidence[1, [0, 7, 10]] = 0
    out, sure = to_h36m17(keypoints, confidence, "h36m17")
    np.testing.assert_allclose(sure, confidence)
    np.testing.assert_allclose(out, np.where(confidence[..., None] > 0, keypoints, np.nan))


def test_wrong_set_or_count_is_refused():
    with pytest.raises(ValueError, match="unknown joint set 'kinect'"):
        to_h36m17(np.zeros((1, 20, 2)), np.zeros((1, 20)), "kinect")
    with pytest.raises(ValueError, match="has 17 joints"):
        to_h36m17(np.zeros((1, 20, 2)), np.zeros((1, 20)), "coco17")


@pytest.mark.parametrize("name", ["BODY_25B", "Body-25b", "body25b"])
def test_sets_are_found_however_written(name):
    assert find_joint_set(name) is JOINT_SETS["body25b"]


@pytest.mark.parametrize(
    "name", ["left_shoulder", "LShoulder", "l_shoulder", "shoulder_left", "Left Shoulder", "lshoulder"]
)
def test_joint_names_however_written(name):
    assert canonical_joint(name) == "l_shoulder"
