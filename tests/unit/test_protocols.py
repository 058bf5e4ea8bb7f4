"""Protocols against arithmetic written out here a second time, and the table that puts a row beside the published ones."""

import json
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from posenet3d.cli import main
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.evaluation.protocols import LIMBS_NECK_HEAD, PROTOCOLS, score, score_text
from posenet3d.evaluation.published import PUBLISHED
from posenet3d.io.datasets.h36m import JOINTS_OF_32
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.io.lifted_npz import write_lifted

CLIPS = [
    ("S9", "Walking", 130),
    ("S9", "Eating", 40),
    ("S11", "Walking", 64),
    ("S11", "Eating", 70),
    ("S5", "Eating", 30),
]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    truth, predictions = [], []
    for number, (subject, action, frames) in enumerate(CLIPS):
        joints = (rng.normal(size=(frames, 17, 3)) * 0.4 + [0, 0, 5]).astype(np.float32)
        error = rng.normal(size=joints.shape) * 0.04 * (1 + number)
        name = f"{subject} {action} {number}"
        truth.append(
            PoseSequence(
                name, joints[..., :2] * 100, np.ones((frames, 17)), joints_3d=joints, action=action, subject=subject
            )
        )
        predictions.append(Lifted(name, (0.9 * (joints + error)).astype(np.float32)))
    return predictions, truth


def distances(p, g):
    """MPJPE (mm) per frame: the pelvis of each at the origin."""
    return 1000 * np.linalg.norm((p - p[:, :1]) - (g - g[:, :1]), axis=-1)


def aligned(p, g):
    """PA-MPJPE (mm): SciPy's rotation of one pose onto another, frame by frame, and the scale by hand."""
    errors = []
    for one, other in zip(p.astype(float), g.astype(float), strict=True):
        a, b = one - one.mean(0), other - other.mean(0)
        turn, _ = Rotation.align_vectors(b, a)
        turned = turn.apply(a)
        scale = (turned * b).sum() / (turned * turned).sum()
        errors.append(1000 * np.linalg.norm(scale * turned - b, axis=1))
    return np.array(errors)


def over_actions(data, error, every=1):
    by_action = {}
    for p, g in zip(*data, strict=True):
        if g.subject in ("S9", "S11"):
            by_action.setdefault(g.action, []).append(error(p.joints_3d, g.joints_3d)[::every])
    return np.mean([np.concatenate(parts).mean() for parts in by_action.values()])


@pytest.mark.parametrize("every", [1, 64])
def test_h36m_is_a_mean_over_actions_of_two_subjects(data, every):
    first = score(*data, "h36m-p1", every=every)
    second = score(*data, "h36m-p2", every=every)
    assert first.average["MPJPE"] == pytest.approx(over_actions(data, distances, every), rel=1e-5)
    assert second.average["PA-MPJPE"] == pytest.approx(over_actions(data, aligned, every), rel=1e-5)
    assert first.clips == 4
    assert first.frames == {1: 130 + 40 + 64 + 70, 64: 3 + 1 + 1 + 2}[every]
    assert set(first.per_action) == {"Walking", "Eating"}


def test_n_mpjpe_takes_one_scale_per_frame(data):
    def error(p, g):
        p, g = (p - p[:, :1]).astype(float), (g - g[:, :1]).astype(float)
        scale = (p * g).sum((1, 2)) / (p * p).sum((1, 2))
        return 1000 * np.linalg.norm(scale[:, None, None] * p - g, axis=-1)

    assert score(*data, "h36m-n").average["N-MPJPE"] == pytest.approx(over_actions(data, error), rel=1e-5)


@pytest.mark.parametrize(("name", "joints"), [("3dhp", LIMBS_NECK_HEAD), ("3dhp-17", JOINT_NAMES)])
def test_3dhp_counts_joints_below_150_mm_in_valid_frames(data, name, joints):
    predictions, truth = data
    hidden = truth[0].joints_3d.copy()
    hidden[10:60] = np.nan
    truth = [replace(truth[0], joints_3d=hidden), *truth[1:]]
    rows = [JOINT_NAMES.index(joint) for joint in joints]
    errors = np.concatenate(
        [distances(p.joints_3d, g.joints_3d)[:, rows] for p, g in zip(predictions, truth, strict=True)]
    )
    errors = errors[np.isfinite(errors).all(1)]
    result = score(predictions, truth, name)
    assert result.frames == len(errors) == sum(frames for _, _, frames in CLIPS) - 50
    assert result.average["PCK@150"] == pytest.approx(100 * (errors < 150).mean())
    curve = [100 * (errors < threshold).mean() for threshold in range(0, 151, 5)]
    assert result.average["AUC"] == pytest.approx(np.mean(curve))
    assert result.average["MPJPE"] == pytest.approx(errors.mean(), rel=1e-6)


def test_3dpw_aligns_fourteen_joints(data):
    rows = [JOINT_NAMES.index(joint) for joint in LIMBS_NECK_HEAD]
    assert len(rows) == 14
    errors = [aligned(p.joints_3d[:, rows], g.joints_3d[:, rows]) for p, g in zip(*data, strict=True)]
    assert score(*data, "3dpw").average["PA-MPJPE"] == pytest.approx(np.concatenate(errors).mean(), rel=1e-5)


def test_a_mirror_image_is_no_success(data):
    _, truth = data
    mirrored = [Lifted(g.name, g.joints_3d * np.array([1, 1, -1], np.float32)) for g in truth]
    assert score(mirrored, truth, "h36m-p2").average["PA-MPJPE"] > 50


def test_data_without_the_test_subjects_is_refused(data):
    predictions, truth = data
    with pytest.raises(InputError, match="S9 and S11"):
        score(predictions[4:], truth[4:], "h36m-p1")
    with pytest.raises(ValueError, match="none of"):
        score(predictions, truth, "panoptic")


def test_the_command_prints_it_and_the_table(data, tmp_path, capsys):
    predictions, truth = data
    write_lifted(tmp_path / "p.npz", predictions)
    write_packed(tmp_path / "g.npz", truth)
    order = ["evaluate", str(tmp_path / "p.npz"), str(tmp_path / "g.npz")]
    assert main([*order, "--protocol", "h36m-p2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["average"]["PA-MPJPE"] == pytest.approx(
        score(predictions, truth, "h36m-p2").average["PA-MPJPE"], rel=1e-4
    )
    assert main([*order, "--protocol", "h36m-p2"]) == 0
    assert "mean over actions" in capsys.readouterr().out
    assert main([*order, "--protocol", "h36m-p2", "--table", "ours", "--input-2d", "CPN"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 3 + len(PUBLISHED["h36m-p2"])
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].startswith("| **ours** | 2D only | CPN | ")
    assert main([*order, "--protocol", "h36m-p2", "--table", "a|b", "--every", "2"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith(r"| **a\|b (1 of 2 frames)** | 2D only | not stated | ")
    for wrong in (
        ["--protocol", "h36m"],
        ["--every", "64"],
        ["--table", "ours"],
        ["--protocol", "3dhp", "--every", "0"],
        ["--protocol", "h36m-p2", "--table", "ours", "--json"],
        ["--protocol", "h36m-p2", "--input-2d", "GT"],
    ):
        assert main([*order, *wrong]) == 2
        assert "posenet3d evaluate: " in capsys.readouterr().err


def test_published_rows_use_the_protocols_columns():
    for name, rows in PUBLISHED.items():
        columns = {column.name for column in PROTOCOLS[name].columns}
        assert all(set(row.numbers) <= columns and row.source for row in rows), name


def test_a_protocol_is_told_as_text(data):
    text = score_text(score(*data, "h36m-p1", every=64))
    assert "every 64th frame" in text
    assert "Walking" in text
    assert "not the whole" not in text
    of_one = [[clip for clip, g in zip(part, data[1], strict=True) if g.subject == "S9"] for part in data]
    assert "without S11: not the whole test set" in score_text(score(*of_one, "h36m-p1"))


def test_results_go_back_as_videopose3d_reads_them(data, tmp_path):
    predictions, _ = data
    write_lifted(tmp_path / "p.npz", predictions)
    assert main(["export", str(tmp_path / "p.npz"), "--to", "videopose3d"]) == 0
    written = np.load(tmp_path / "p_positions_3d.npz", allow_pickle=True)
    content = written["positions_3d"].item()  # we wrote it
    with zipfile.ZipFile(tmp_path / "p_positions_3d.npz") as archive:
        assert b"_core" not in archive.read("positions_3d.npy"), "NumPy 1 opens it, too"
    assert np.allclose(content["S9"]["Walking 0"][:, JOINTS_OF_32], predictions[0].joints_3d)
    assert set(content) == {"S9", "S11", "S5"}


def test_videopose3d_loads_the_export_with_its_defaults(data, tmp_path):
    """The steps of VideoPose3D's `Human36mDataset`: cameras by subject, 15 of 32 joints removed."""
    removed = [4, 5, 9, 10, 11, 16, 20, 21, 22, 23, 24, 28, 29, 30, 31]
    cameras = {f"S{number}": [] for number in range(1, 12)}
    predictions = [replace(data[0][0], name="my dance"), replace(data[0][1], name="walk"), *data[0][2:]]
    write_lifted(tmp_path / "p.npz", predictions)
    assert main(["export", str(tmp_path / "p.npz"), "--to", "videopose3d"]) == 0
    content = np.load(tmp_path / "p_positions_3d.npz", allow_pickle=True)["positions_3d"].item()
    loaded = {}
    for subject, actions in content.items():
        assert subject in cameras
        for action, positions in actions.items():
            loaded[subject, action] = np.delete(positions, removed, axis=1)
            assert positions.shape[1:] == (32, 3)
            assert loaded[subject, action].dtype == np.float32
    keys = [("S1", "my dance"), ("S1", "walk"), ("S11", "Walking 2"), ("S11", "Eating 3"), ("S5", "Eating 4")]
    assert set(loaded) == set(keys)
    for key, prediction in zip(keys, predictions, strict=True):
        assert np.allclose(loaded[key], prediction.joints_3d)


def test_results_go_back_as_3dpw_holds_them(tmp_path):
    from helpers.bodies import made_up, tensors

    from posenet3d.body.files import load_body

    clip = made_up()
    write_lifted(tmp_path / "p.npz", [clip])
    assert main(["export", str(tmp_path / "p.npz"), "--to", "3dpw", "-o", str(tmp_path / "r.pkl")]) == 0
    assert b"_core" not in (tmp_path / "r.pkl").read_bytes(), "NumPy 1 opens it, too"
    content = pickle.loads((tmp_path / "r.pkl").read_bytes())  # we wrote it
    rotations, betas, transl = tensors(clip.body)
    posed = load_body()(rotations.float(), betas.float(), transl.float())
    assert np.allclose(content["jointPositions"][0], posed.joints, atol=1e-3)
    assert content["orientations"].shape == (1, len(clip), 9, 3, 3)
    assert np.allclose(content["orientations"][0, :, 0], rotations[:, 0], atol=1e-4)
    assert np.allclose(content["poses"][0][:, 3:], clip.body.body_pose, atol=1e-5)


@pytest.mark.parametrize("axes", ["camera", "y_up", "z_up"])
def test_the_3dpw_export_comes_back_with_its_camera(tmp_path, axes):
    from helpers.bodies import made_up, with_nobody

    from posenet3d.core.camera import project
    from posenet3d.exports.formats import write_export
    from posenet3d.io.datasets.data_format import ReadOptions
    from posenet3d.io.datasets.read import read
    from posenet3d.io.datasets.three_dpw import read_3dpw

    K = np.array([[1100.0, 0, 640], [0, 1100, 360], [0, 0, 1]])
    clip = with_nobody(made_up(), 4)
    clip = replace(clip, cleaned_px=project(clip.joints_3d, K), confidence=np.full((len(clip), 17), 0.7))
    write_export([clip], tmp_path / "r.pkl", "3dpw", axes=axes)
    (by_projection,) = read_3dpw(tmp_path / "r.pkl", detections="gt")
    limbs = [JOINT_NAMES.index(name) for name in ("l_shoulder", "r_elbow", "l_wrist", "r_knee", "l_ankle")]
    assert by_projection.image_size == (1280, 720)
    assert np.allclose(by_projection.K, K, atol=0.1)
    assert np.isnan(by_projection.joints_3d[4]).all()
    known = np.delete(np.arange(len(clip)), 4)
    apart = np.linalg.norm(by_projection.joints_3d[known] - clip.joints_3d[known], axis=-1)
    assert apart[:, limbs].max() < 0.05, "SMPL's joints and ours"
    (own,) = read_3dpw(tmp_path / "r.pkl")
    assert np.allclose(own.keypoints_px[known][:, limbs], clip.cleaned_px[known][:, limbs], atol=0.01)
    assert np.allclose(own.confidence[known][:, limbs], 0.7)
    assert (own.confidence[4] == 0).all()
    write_export([replace(clip, cleaned_px=None, confidence=None)], tmp_path / "r.pkl", "3dpw", axes=axes)
    (without_2d,) = read_3dpw(tmp_path / "r.pkl", detections="gt")
    assert without_2d.image_size == (1920, 1080)
    assert np.isfinite(without_2d.joints_3d[known]).all()
    assert read(tmp_path / "r.pkl", ReadOptions()).sequences[0].name == "3DPW made up person 0"
