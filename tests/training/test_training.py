"""Training, tiny but real: losses fall, errors beat baselines, a killed run goes on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from posenet3d.cli import main
from posenet3d.config import from_dict, override, to_dict
from posenet3d.core.lifted import Lifted
from posenet3d.core.normalise import unproject
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.lifting.lifter import Lifter
from posenet3d.models.denoiser import Denoiser, DenoiserConfig, smooth
from posenet3d.models.teacher import Teacher, TeacherConfig
from posenet3d.pose2d.training.estimator import EstimatorTraining
from posenet3d.synthetic.sequences import MOTIONS, synthetic_sequence
from posenet3d.training.clips import clips_from, split_by_take, window_indices
from posenet3d.training.corruption import corrupt
from posenet3d.training.denoiser import DenoiserPhase
from posenet3d.training.lifter import TeacherTraining
from posenet3d.training.loop import flat_then_cosine, weighted_sum
from posenet3d.training.mirror_guard import handedness, repair_mirrored_depth
from posenet3d.training.teacher import train_teacher

ROOT = Path(__file__).parents[2]
TINY = ["model.width=48", "model.blocks=1", "discriminator.width=48", "denoiser_batch=4", "frame_batch=32",
        "temporal_batch=8", "model.denoiser.width=16", "loop.log_every=5", "loop.save_every=5"]  # fmt: skip


@pytest.fixture(scope="module")
def motions():
    """Every motion from eight sides, as 2D with its truth."""
    return [
        synthetic_sequence(motion, seed=seed, azimuth_deg=45.0 * seed, distance=4.0 + 0.2 * seed)
        for motion in MOTIONS
        for seed in range(8)
    ]


@pytest.fixture(scope="module")
def packed(motions, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "motions.npz"
    write_packed(path, motions)
    return path


def test_training_beats_a_flat_figure(motions, tmp_path):
    """A few hundred steps on 2D alone must be nearer to the truth than every joint at the pelvis's depth."""
    settings = override(
        TeacherTraining(),
        ["model.width=128", "model.blocks=1", "discriminator.width=128", "denoiser_steps=10", "frame_steps=500",
         "temporal_steps=10", "frame_batch=128", "temporal_batch=8", "denoiser_batch=4", "lr=1e-3", "lr_discriminator=6e-4",
         "tilt_mean_deg=8", "tilt_sd_deg=3"],
    )  # fmt: skip
    train_teacher(motions, settings, tmp_path / "run")
    lifted = Lifter.load(tmp_path / "run")(motions)
    flat = [
        Lifted(s.name, np.concatenate([x.cleaned_px / 1000.0, np.full((len(x), 17, 1), 5.0, np.float32)], -1))
        for s, x in zip(motions, lifted, strict=True)
    ]
    error, baseline = (evaluate(r, motions).overall.pa_mpjpe for r in (lifted, flat))
    assert error < 0.85 * baseline, (error, baseline)
    log = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    loop = [line["consistency_2d"] for line in log if line["phase"] == "frame" and "consistency_2d" in line]
    assert loop[-1] < 0.6 * loop[0]
    assert not any(name.startswith("joints_3d") for line in log for name in line)


def test_the_denoiser_learns_to_beat_smoothing(motions):
    clips = clips_from(motions)
    denoiser = Denoiser(DenoiserConfig(width=48))
    phase = DenoiserPhase(denoiser, clips, clips, lr=5e-3, batch=16, frames=41)
    for step in range(300):
        for group in phase.optimizers["denoiser"].param_groups:
            group["lr"] = 5e-3 * flat_then_cosine(step / 300)
        phase.train_step(step, torch.Generator().manual_seed(step))
    left = phase.validate()  # as shares of what plain smoothing leaves
    assert left["position"] < 0.92
    assert left["acceleration"] < 0.8


def test_smoothing_bridges_a_gap_and_ignores_what_is_missing():
    line = torch.linspace(0, 1, 60)[None, :, None, None].expand(1, 60, 17, 2).clone()
    confidence = torch.ones(1, 60, 17)
    confidence[:, 25:30, 4] = 0
    line[:, 25:30, 4] = 1e3  # whatever stands there must not be looked at
    out = smooth(line, confidence, Denoiser(DenoiserConfig()).near)
    expected = torch.linspace(0, 1, 60)[15:45]
    torch.testing.assert_close(
        out[0, 15:45, 4, 0], expected, atol=0.035, rtol=0
    )  # holding the last value would be 0.04 off


def test_corruption_is_seeded_and_marks_missing_joints():
    rays = 0.1 * torch.randn(1, 1, 17, 2) + torch.zeros(16, 30, 1, 1)
    noisy, confidence = corrupt(rays, torch.Generator().manual_seed(3))
    again, _ = corrupt(rays, torch.Generator().manual_seed(3))
    assert torch.equal(noisy, again)
    assert 0 < float((confidence == 0).float().mean()) < 0.2
    assert (confidence.amax((1, 2)) <= 1).all()
    assert (noisy[(confidence == 1).all(-1).all(-1)] == rays[(confidence == 1).all(-1).all(-1)]).all()


def test_the_guard_finds_and_repairs_the_mirror_world(motions, tmp_path):
    """Turn a trained lifter over, as training itself sometimes does; the guard must see it from 2D alone and turn it back."""
    teacher = Lifter.load().teacher
    clip = clips_from(motions)
    from posenet3d.core.normalise import at_pelvis

    rays = at_pelvis(clip.rays)[::20]

    def score() -> float:
        with torch.no_grad():
            points = unproject(rays, teacher.lift_frames(rays), teacher.config.unit)
        return handedness(points - points[:, :1])

    assert score() > 0.7
    assert not repair_mirrored_depth(teacher, rays)
    teacher.depth_sign.neg_()
    assert score() < 0.3
    assert repair_mirrored_depth(teacher, rays)
    assert score() > 0.7


def run_cli(*arguments: str, **options) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "posenet3d", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def test_kill_9_and_resume_is_the_run_that_was_not_killed(packed, tmp_path, capsys):
    steps = ["denoiser_steps=20", "frame_steps=60", "temporal_steps=30"]
    whole, killed = str(tmp_path / "whole"), str(tmp_path / "killed")
    train = ["train", "teacher", "--data", str(packed)]
    process = run_cli(*train, "--out", whole, "--set", *TINY, *steps)
    assert process.wait(timeout=300) == 0, process.stderr.read()

    process = run_cli(*train, "--out", killed, "--set", *TINY, *steps)
    log = tmp_path / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and len(log.read_text().splitlines()) > 8):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before it could be killed"
    with log.open("a") as file:
        file.write('{"phase": "frame", "st')  # the kill may fall into the middle of a line

    other = tmp_path / "other.npz"
    write_packed(other, [synthetic_sequence("walk", seed=9)])
    assert main(["train", "teacher", "--data", str(other), "--out", killed, "--resume"]) == 2
    assert "other data" in capsys.readouterr().err
    process = run_cli(*train, "--out", killed, "--resume")
    assert process.wait(timeout=300) == 0, process.stderr.read()
    for name in ("model.safetensors", "discriminators.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name
    logs = [[json.loads(x) for x in (Path(p) / "metrics.jsonl").read_text().splitlines()] for p in (whole, killed)]
    for a, b in zip(*logs, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {k: v for k, v in b.items() if k != "seconds"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--out", "{run}"], "--resume"),
        (["--out", "{run}", "--resume"], "config.json"),
        (["--out", "{new}", "--resume"], "no run to resume"),
        (["--out", "{packed}"], "not a folder"),
        (["--out", "{new}", "--set", "modle.width=3"], "no setting 'modle.width'"),
        (["--out", "{new}", "--set", "weights.poes=3"], "no setting 'weights.poes'"),
        (["--out", "{new}", "--set", "weights.pose.x=3"], "no setting 'weights.pose.x'"),
        (["--out", "{new}", "--set", "weights.pose=much"], "not a value of type float"),
        (["--out", "{new}", "--set", "model.width=wide"], "not a value of type int"),
        (["--out", "{new}", "--set", "model.width=0"], "at least 1"),
        (["--out", "{new}", "--set", "model.window=2"], "odd"),
        (["--out", "{new}", "--set", "frame_batch=1"], "at least 2"),
        (["--out", "{new}", "--set", "lr=nan"], "between 0 and 1"),
        (["--out", "{new}", "--set", "loop.log_every=0"], "at least 1"),
        (["--out", "{new}", "--set", "discriminator.dropout=2"], "shares"),
        (["--out", "{new}", "--set", "frame_steps=-1"], "negative"),
        (["--out", "{new}", "--set", "denoiser_steps=0", "frame_steps=0", "temporal_steps=0"], "nothing"),
    ],
)
def test_unusable_training_orders_are_refused_in_one_sentence(packed, tmp_path, capsys, arguments, word):
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "run" / "state" / "latest.pt").write_bytes(b"")
    names = {"run": tmp_path / "run", "new": tmp_path / "new", "packed": packed}
    assert main(["train", "teacher", "--data", str(packed), *(a.format(**names) for a in arguments)]) == 2
    errors = capsys.readouterr().err
    assert word in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_a_loss_that_is_no_number_stops_the_run(packed, tmp_path, capsys):
    steps = ["denoiser_steps=0", "frame_steps=10", "temporal_steps=0", "weights.pose=nan"]
    assert (
        main(["train", "teacher", "--data", str(packed), "--out", str(tmp_path / "run"), "--set", *TINY, *steps]) == 2
    )
    assert "no longer a number" in capsys.readouterr().err


def test_torchrun_on_two_processes_trains_one_network(packed, tmp_path):
    process = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "posenet3d",
         "train", "teacher", "--data", str(packed), "--out", str(tmp_path / "run"), "--set", *TINY,
         "denoiser_steps=5", "frame_steps=10", "temporal_steps=5"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    steps = [json.loads(x)["step"] for x in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert max(steps) == 20
    Lifter.load(tmp_path / "run")


def test_settings_survive_json_and_overrides_nest():
    settings = override(
        TeacherTraining(), ["model.width=64", "weights.motion=0.1", "tilt_mean_deg=none", "loop.seed=7"]
    )
    assert settings.model.width == 64
    assert settings.loop.seed == 7
    assert from_dict(TeacherTraining, to_dict(settings)) == settings
    assert settings.weights == {**TeacherTraining().weights, "motion": 0.1}
    for group in ("model", "weights"):
        with pytest.raises(InputError, match="group of settings"):
            override(settings, [f"{group}=3"])


def test_settings_of_earlier_versions_are_read_under_todays_names():
    settings = override(TeacherTraining(), ["cleaner_steps=7", "model.cleaner.width=16", "lr_cleaner=0.01"])
    assert (settings.denoiser_steps, settings.model.denoiser.width, settings.lr_denoiser) == (7, 16, 0.01)
    old = {"cleaner_batch": 5, "cleaner_frames": 9, "weights": {"pose": 0.5}}
    read = from_dict(TeacherTraining, old)
    assert (read.denoiser_batch, read.denoiser_frames) == (5, 9)
    assert read.weights == {**TeacherTraining().weights, "pose": 0.5}, (
        "a term that the old run did not know has its default"
    )
    with pytest.raises(ValueError, match="no loss term 'colour'"):
        from_dict(TeacherTraining, {"weights": {"colour": 1.0}})


def test_a_setting_with_choices_takes_only_these():
    assert override(EstimatorTraining(), ["model.head=heatmap"]).model.head == "heatmap"
    with pytest.raises(InputError, match="simcc or heatmap"):
        override(EstimatorTraining(), ["model.head=regression"])


def test_a_term_without_a_weight_is_an_error():
    total = weighted_sum({"a": torch.tensor([1.0, 3.0])}, {"a": 0.5, "unused": 9.0})
    assert float(total) == pytest.approx(1.0)
    with pytest.raises(KeyError, match="b"):
        weighted_sum({"b": torch.ones(1)}, {"a": 1.0})


def test_the_rate_is_flat_then_falls():
    rates = [flat_then_cosine(p) for p in (0.0, 0.39, 0.6, 0.8, 1.0)]
    assert rates[:2] == [1.0, 1.0]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.03)


def test_takes_are_held_out_with_all_their_cameras(motions):
    from dataclasses import replace

    named = [replace(s, name=f"take{i // 4}.cam{i % 4}") for i, s in enumerate(motions)]
    training, held_out = split_by_take(named, 30)
    takes = [{s.name.split(".")[0] for s in part} for part in (training, held_out)]
    assert takes[0]
    assert takes[1]
    assert not takes[0] & takes[1]


def test_every_parameter_learns_and_poses_do_not_mix():
    teacher = Teacher(TeacherConfig(width=32, blocks=1)).eval()
    torch.nn.init.normal_(teacher.temporal.outlet.weight)
    rays = torch.randn(6, 9, 17, 2)
    teacher(rays).square().sum().backward()
    for name, parameter in teacher.named_parameters():
        if not name.startswith("denoiser"):
            assert parameter.grad is not None, name
    torch.testing.assert_close(teacher(rays)[2:3], teacher(rays[2:3]), atol=1e-5, rtol=1e-4)


def test_training_needs_complete_frames(motions):
    from dataclasses import replace

    hole = motions[0].confidence.copy()
    hole[:, 3] = 0
    with pytest.raises(InputError, match="17 joints"):
        clips_from([replace(motions[0], confidence=hole)])
    hole = motions[0].confidence.copy()
    hole[10, 3] = 0
    clips = clips_from([replace(motions[0], confidence=hole)])
    assert len(clips.bounds) == 2
    assert int(window_indices(torch.tensor([9]), clips, torch.tensor([5]))) == 9
