"""No recording lies on both sides of the training split, whoever wrote the file that holds it."""

from dataclasses import replace

import numpy as np
import pytest

from posenet3d.core.sequence import PoseSequence, recording_of_name
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.io.keypoints.packed import read_packed, write_packed
from posenet3d.io.mocap.take import Take
from posenet3d.synthetic.sequences import synthetic_sequence
from posenet3d.synthetic.virtual_cameras import project_with_cameras
from posenet3d.training.clips import clips_from, split_by_take, training_clips

N_TAKES, CAMERAS = 300, 4


@pytest.fixture(scope="module")
def filmed():
    """Two frames of a walk as several hundred takes, each seen by virtual cameras."""
    truth = synthetic_sequence("walk").joints_3d[:2]
    world = (truth - [0, 0.9, 4.5]) * [1, -1, -1] + [0, 0.9, 0]
    takes = [Take(f"walk {n}", world, JOINT_NAMES, JOINT_NAMES, 30.0) for n in range(N_TAKES)]
    return project_with_cameras(takes, cameras=CAMERAS)


def h36m_clips():
    pixels = np.random.default_rng(0).uniform(0, 1000, (2, 17, 2))
    return [
        PoseSequence(f"S{s} Walking {a} camera {c}", pixels, np.ones((2, 17)), take=f"S{s} Walking {a}")
        for s in range(10)
        for a in range(30)
        for c in range(CAMERAS)
    ]


def assert_split_by_recording(sequences):
    training, held_out = split_by_take(sequences)
    assert len(training) + len(held_out) == len(sequences)
    sides = [{name.rpartition(" camera ")[0] for name in (s.name for s in part)} for part in (training, held_out)]
    assert len(sides[0] | sides[1]) == N_TAKES
    assert 0.01 * N_TAKES < len(sides[1]) < 0.1 * N_TAKES  # one in twenty
    assert not sides[0] & sides[1]


@pytest.mark.parametrize("source", ["virtual cameras", "h36m"])
def test_cameras_of_a_take_stay_on_one_side_of_the_split(tmp_path, filmed, source):
    sequences = filmed if source == "virtual cameras" else h36m_clips()
    assert_split_by_recording(sequences)
    write_packed(tmp_path / "packed.npz", sequences)
    again = read_packed(tmp_path / "packed.npz")
    assert [s.take for s in again] == [s.take for s in sequences]
    assert_split_by_recording(again)
    clips, held_out = training_clips(again)
    assert len(clips.bounds) == len(clips_from(split_by_take(again)[0]).bounds)
    assert len(clips.bounds) + len(held_out.bounds) == N_TAKES * CAMERAS


def test_without_takes_these_names_would_be_torn_apart(filmed):
    """The names alone do not tell: this is what the field is for."""
    with pytest.raises(AssertionError):
        assert_split_by_recording([replace(s, take="") for s in filmed])


def test_a_file_without_takes_goes_by_the_name_up_to_the_first_dot(tmp_path):
    pixels = np.random.default_rng(0).uniform(0, 1000, (2, 17, 2))
    clips = [PoseSequence(f"cmu_01_01.cam{c}", pixels, np.ones((2, 17))) for c in range(2)]
    write_packed(tmp_path / "packed.npz", clips)
    assert "take" not in np.load(tmp_path / "packed.npz")
    assert {s.recording for s in read_packed(tmp_path / "packed.npz")} == {"cmu_01_01"}
    assert recording_of_name("walk") == "walk"


def test_a_clip_without_take_beside_others_keeps_its_own_recording(tmp_path):
    pixels = np.random.default_rng(0).uniform(0, 1000, (2, 17, 2))
    clips = [PoseSequence("a.cam0", pixels, np.ones((2, 17)), take=take) for take in ("", "studio 3")]
    write_packed(tmp_path / "packed.npz", clips)
    assert [s.recording for s in read_packed(tmp_path / "packed.npz")] == ["a", "studio 3"]
