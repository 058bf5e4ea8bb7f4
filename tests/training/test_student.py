"""The student, tiny but real: it learns the teacher's 3D as a body, and its parameters make the joints it reports."""

import json

import numpy as np
import pytest
import torch

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import pose_rotations
from posenet3d.cli import main
from posenet3d.core.lifted import Lifted
from posenet3d.core.normalise import mirror
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.evaluation.metrics import bone_lengths
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.lifting.lifter import Lifter
from posenet3d.losses import body as body_losses
from posenet3d.models.student import Student, StudentConfig, landmarks_in_root_distances
from posenet3d.synthetic.sequences import MOTIONS, synthetic_sequence
from posenet3d.training.mirror_guard import handedness


@pytest.fixture(scope="module")
def motions():
    return [synthetic_sequence(m, seed=s, azimuth_deg=60.0 * s) for m in MOTIONS for s in range(6)]


@pytest.fixture(scope="module")
def run(motions, tmp_path_factory):
    """A student trained from the command line for a while."""
    folder = tmp_path_factory.mktemp("student")
    write_packed(folder / "motions.npz", motions)
    settings = [
        "frame_steps=260", "temporal_steps=180", "frame_batch=128", "temporal_batch=24", "lr=2e-3",
        "model.width=128", "model.blocks=1", "model.temporal_blocks=1",
    ]  # fmt: skip
    arguments = ["--data", str(folder / "motions.npz"), "--out", str(folder / "run"), "--set", *settings]
    assert main(["train", "student", *arguments]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def lifted(run, motions):
    return Lifter.load(run, model="student")(motions)


def test_distillation_falls_and_beats_a_flat_figure(run, motions, lifted):
    log = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    distillation = [line["distillation"] for line in log if "distillation" in line]
    assert distillation[-1] < 0.5 * distillation[0]
    flat = [
        Lifted(s.name, np.concatenate([x.cleaned_px / 1000.0, np.full((len(x), 17, 1), 5.0, np.float32)], -1))
        for s, x in zip(motions, lifted, strict=True)
    ]
    error, baseline = (evaluate(r, motions).overall.pa_mpjpe for r in (lifted, flat))
    assert error < 0.95 * baseline, (error, baseline)


def test_parameters_make_the_joints(lifted):
    body = load_body()
    landmarks = landmarks_of(body)
    for result in lifted[:3]:
        p = result.body
        p.check_for(body.name)
        rotations = pose_rotations(torch.from_numpy(p.global_orient), torch.from_numpy(p.body_pose))
        betas = torch.from_numpy(p.betas).expand(len(rotations), -1)
        joints = landmarks(rotations, betas, torch.from_numpy(p.transl))
        np.testing.assert_allclose(joints.numpy(), result.joints_3d, atol=1e-4)


def test_bones_are_constant_and_bodies_are_not_inside_out(lifted):
    for result in lifted[:6]:
        length = bone_lengths(result.joints_3d)[
            :, [1, 2, 4, 5, 11, 12, 14, 15]
        ]  # thighs, shins, arms: no spine in between
        assert (length.std(0) / length.mean(0)).max() < 0.03
    poses = torch.from_numpy(np.concatenate([r.joints_3d for r in lifted]))
    assert handedness(poses - poses[:, :1]) > 0.8


def test_the_pelvis_stands_on_its_ray(lifted, motions):
    for clip, result in zip(motions[:4], lifted, strict=False):
        seen = result.joints_3d[:, 0, :2] / result.joints_3d[:, 0, 2:] * clip.K[[0, 1], [0, 1]] + clip.K[:2, 2]
        np.testing.assert_allclose(seen, result.cleaned_px[:, 0], atol=0.1)


def test_cli_writes_smpl_parameters(run, motions, tmp_path, capsys):
    write_packed(tmp_path / "two.npz", motions[:2])
    arguments = ["lift", str(tmp_path / "two.npz"), "-o", str(tmp_path / "out.npz"), "--model", "student"]
    assert main([*arguments, "--checkpoint", str(run)]) == 0
    stored = np.load(tmp_path / "out.npz")
    frames = len(stored["joints_3d"])
    shapes = {"betas": (2, 10), "global_orient": (frames, 3), "body_pose": (frames, 69), "transl": (frames, 3)}
    for name, shape in shapes.items():
        assert stored[name].shape == shape, name
        assert stored[name].dtype == np.float32
    assert str(stored["body_model"]) == load_body().name
    assert main([*arguments, "--checkpoint", str(run), "--height", "1.8"]) == 2
    assert "own size" in capsys.readouterr().err


def test_a_checkpoint_without_a_student_says_so(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="has no student"):
        Lifter.load(tmp_path, model="student")


def test_an_untrained_student_stands_upright_before_the_camera():
    student = Student(StudentConfig(width=8, blocks=0, temporal_blocks=0)).eval()
    torch.nn.init.zeros_(student.frame.outlet.weight)
    pose = landmarks_in_root_distances(student(0.1 * torch.randn(2, 9, 17, 2)), landmarks_of(load_body()))
    head, foot = pose[:, :, 10], pose[:, :, 3]
    assert (head[..., 1] < 0).all(), "y points down: the head is above the pelvis"
    assert (foot[..., 1] > 0).all()
    assert (pose[:, :, 4, 0] > pose[:, :, 1, 0]).all(), "facing us, the left hip is on the right of the picture"


def test_body_losses_rank_poses(motions):
    pose = torch.from_numpy(motions[0].joints_3d[None, :9])
    pose = pose - pose[:, :, :1]
    turned_over = pose * torch.tensor([1.0, 1.0, -1.0])
    assert float(body_losses.wrong_bend(pose)) < 0.01 < float(body_losses.wrong_bend(turned_over))
    assert float(body_losses.shaking(pose)) < float(body_losses.shaking(pose + 0.02 * torch.randn(pose.shape)))
    rest = torch.eye(3).expand(1, 2, 24, 3, 3)
    assert float(body_losses.away_from_rest(rest)) == 0
    assert float(body_losses.away_from_rest(rest[..., [1, 0, 2]])) > 0
    assert float(body_losses.shape_size(torch.full((1, 10), 2.0))) == pytest.approx(4.0)


def test_the_mirrored_body_is_the_body_of_the_mirrored_pose():
    """What mirror averaging rests on: reflecting rotations and swapping sides reflects the landmarks."""
    from posenet3d.lifting.sliding_window import _SMPL_MIRROR

    landmarks = landmarks_of(load_body())
    rotations = pose_rotations(torch.randn(1, 3), 0.3 * torch.randn(1, 69))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    reflected = (flip[:, None] * flip * rotations)[:, _SMPL_MIRROR]
    betas = torch.randn(1, 10)
    one, other = landmarks(rotations, betas), landmarks(reflected, betas)
    one, other = one - one[:, :1], other - other[:, :1]
    torch.testing.assert_close(mirror(other), one, atol=2e-3, rtol=0)
