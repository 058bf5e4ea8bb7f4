"""Confidence that means what it says: the lines are found, the order is kept, and it is right on people it was not fitted on."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from posenet3d.errors import InputError
from posenet3d.pose2d.evaluation.calibration import (
    FILE,
    Calibration,
    calibrate,
    calibration_error,
    read_calibration,
    reliability,
    write_calibration,
)
from posenet3d.pose2d.evaluation.reliability_plot import reliability_svg


def judged(slope: float, shift: float, people: int = 6000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidences of two joints, which of them are right (by the line given), and that all are labelled."""
    rng = np.random.default_rng(0)
    confidence = expit(rng.normal(1.0, 1.5, (people, 2)))
    is_right = rng.random((people, 2)) < expit(slope * logit(confidence) + shift)
    return confidence, is_right, np.ones((people, 2), bool)


@pytest.mark.parametrize(("slope", "shift"), [(0.6, -0.8), (1.0, 0.0), (1.7, 0.5)])
def test_the_line_is_found_and_confidence_becomes_right(slope, shift):
    confidence, is_right, is_labelled = judged(slope, shift)
    half = len(confidence) // 2
    calibration = calibrate(confidence[:half], is_right[:half], is_labelled[:half])
    assert calibration.slope == pytest.approx([slope] * 2, abs=0.15)
    assert calibration.shift == pytest.approx([shift] * 2, abs=0.15)
    bars = reliability(calibration(confidence)[half:].ravel(), is_right[half:].ravel())
    assert calibration_error(bars) < 0.03
    if slope != 1:
        assert calibration_error(reliability(confidence[half:].ravel(), is_right[half:].ravel())) > 0.05


def test_only_labelled_joints_count_and_a_joint_without_any_stays_as_it_is():
    confidence, is_right, is_labelled = judged(0.6, -0.8)
    is_labelled[:, 1] = False
    is_right[:, 1] = False
    calibration = calibrate(confidence, is_right, is_labelled)
    assert calibration.slope[0] == pytest.approx(0.6, abs=0.1)
    assert (calibration.slope[1], calibration.shift[1]) == (1.0, 0.0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0.05, 10), st.floats(-10, 10))
def test_the_order_of_confidences_is_kept(confidence, slope, shift):
    ordered = np.sort(np.array(confidence))[:, None]
    chance = Calibration((slope,), (shift,))(ordered)
    assert (np.diff(chance[:, 0]) >= 0).all()
    assert ((chance >= 0) & (chance <= 1)).all()


def test_error_by_hand():
    bars = reliability(np.array([0.05, 0.05, 0.95, 0.95]), np.array([False, True, True, True]))
    assert [bar.joints for bar in bars] == [2, 2]
    assert calibration_error(bars) == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)
    assert reliability_svg({"before": bars, "after": bars}).count("<circle") == 4


def test_it_is_read_back_and_a_damaged_one_is_a_sentence(tmp_path):
    calibration = Calibration((1.0, 0.5), (0.0, -0.25))
    assert read_calibration(tmp_path, 2) is None
    write_calibration(tmp_path, calibration)
    assert read_calibration(tmp_path, 2) == calibration
    with pytest.raises(InputError, match="slope"):
        read_calibration(tmp_path, 14)
    (tmp_path / FILE).write_text(json.dumps({"slope": [1, 2], "shift": "no"}))
    with pytest.raises(InputError, match="shift"):
        read_calibration(tmp_path, 2)
