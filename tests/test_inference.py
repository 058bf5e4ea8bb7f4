"""Lifting with the bundled checkpoint, as a library and from the command line."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posenet3d.__main__ import main
from posenet3d.checkpoint import find_checkpoint, list_checkpoints, load_teacher
from posenet3d.data.csv_file import write_csv
from posenet3d.data.packed import read_packed, write_packed
from posenet3d.data.synthetic import bundled_sequences
from posenet3d.errors import InputError
from posenet3d.evaluation import evaluate
from posenet3d.inference import Lifter
from posenet3d.lifted import Lifted, read_lifted, write_lifted
from posenet3d.losses.bones import lengths
from posenet3d.skeleton import JOINT, MIRROR
from posenet3d.training.mirror_guard import handedness

ROOT = Path(__file__).parent.parent
CLIPS = bundled_sequences()


@pytest.fixture(scope="module")
def lifter():
    return Lifter.load()


@pytest.fixture(scope="module")
def lifted(lifter):
    return lifter(CLIPS)


def test_rows_align_and_bodies_stand_where_they_were_seen(lifted):
    for clip, result in zip(CLIPS, lifted, strict=True):
        assert result.joints_3d.shape == (len(clip), 17, 3)
        assert result.joints_3d.dtype == np.float32
        focal, centre = clip.K[[0, 1], [0, 1]], clip.K[:2, 2]
        seen = result.joints_3d[..., :2] / result.joints_3d[..., 2:] * focal + centre
        np.testing.assert_allclose(seen, result.cleaned_px, atol=0.05)
        assert (result.joints_3d[..., 2] > 0.5).all()


def test_synthetic_people_are_lifted_better_than_flat(lifted):
    flat = [replace(r, joints_3d=r.joints_3d * [1, 1, 0] + np.array([0, 0, 4.0])) for r in lifted]
    error, baseline = (evaluate(results, CLIPS)["overall"]["pa_mpjpe"] for results in (lifted, flat))
    assert error < 0.75 * baseline


def test_people_are_not_inside_out(lifted):
    import torch

    poses = torch.from_numpy(np.concatenate([r.joints_3d for r in lifted]))
    assert handedness(poses - poses[:, :1]) > 0.85


def test_height_sets_the_scale(lifter):
    clip = CLIPS[0].frames(0, 60)
    small, tall = (lifter([clip], height_m=h)[0].joints_3d for h in (1.2, 1.8))
    np.testing.assert_allclose(tall, small * 1.5, rtol=1e-4)
    body = np.nanmedian(np.linalg.norm(np.diff(tall[:, [1, 2, 3]], axis=1), axis=-1).sum(1))
    assert 0.7 < body < 1.1  # a leg of a person of 1.80 m


def test_a_mirrored_person_is_lifted_to_the_mirrored_pose(lifter):
    """Mirror averaging makes depth exactly mirror-symmetric; the cleaner is so only nearly."""
    clip = CLIPS[0].frames(0, 90)
    flipped = clip.keypoints_px[:, list(MIRROR)] * [-1, 1] + [2 * clip.K[0, 2], 0]
    a = lifter([clip])[0].joints_3d
    b = lifter([replace(clip, keypoints_px=flipped.astype(np.float32))])[0].joints_3d[:, list(MIRROR)] * [-1, 1, 1]
    assert np.linalg.norm(a - b, axis=-1).mean() < 0.02


def test_sixty_frames_a_second_see_the_same_time(lifter):
    slow = CLIPS[0].frames(0, 100)
    twice = np.repeat(slow.keypoints_px, 2, axis=0)
    twice[1:-1:2] = (slow.keypoints_px[:-1] + slow.keypoints_px[1:]) / 2
    fast = replace(slow, keypoints_px=twice, confidence=np.repeat(slow.confidence, 2, axis=0), joints_3d=None, fps=60.0)
    a, b = lifter([slow])[0].joints_3d, lifter([fast])[0].joints_3d[::2]
    assert np.linalg.norm(a - b, axis=-1).mean() < 0.04


def test_gaps_are_bridged_if_short_and_left_empty_if_long(lifter):
    clip = CLIPS[0]
    keypoints, confidence = clip.keypoints_px.copy(), clip.confidence.copy()
    confidence[40:46] = 0
    confidence[100:160] = 0
    confidence[:, JOINT["r_wrist"]] = 0
    result = lifter([replace(clip, keypoints_px=keypoints, confidence=confidence)])[0].joints_3d
    assert np.isfinite(result[:100]).all()
    assert np.isnan(result[115:145]).all()
    assert np.isfinite(result[165:]).all()


def test_one_frame_and_far_away_people_are_lifted(lifter):
    one = lifter([CLIPS[0].frames(0, 1)])[0]
    assert np.isfinite(one.joints_3d).all()
    tiny = replace(CLIPS[0], keypoints_px=CLIPS[0].keypoints_px * 0.02 + 900, K=None, image_size=(4000, 3000))
    assert np.isfinite(lifter([tiny])[0].joints_3d).all()


def test_noise_is_cleaned_not_passed_on(lifter, lifted):
    noisy = next(i for i, c in enumerate(CLIPS) if "noisy" in c.name)
    clean = next(i for i, c in enumerate(CLIPS) if c.name == CLIPS[noisy].name.split(" (")[0])
    shake = [np.linalg.norm(np.diff(lifted[i].joints_3d, 3, axis=0), axis=-1).mean() for i in (clean, noisy)]
    assert shake[1] < 4 * shake[0]
    raw = np.linalg.norm(np.diff(CLIPS[noisy].keypoints_px, 3, axis=0), axis=-1)
    kept = np.linalg.norm(np.diff(lifted[noisy].cleaned_px, 3, axis=0), axis=-1)
    assert kept.mean() < 0.15 * np.nanmean(raw)


def test_bundled_weights_in_half_precision_lose_nothing(lifter, lifted):
    """Rounding the weights again, as bundling did, must stay far below the model's own error."""
    teacher = load_teacher(find_checkpoint())
    for parameter in teacher.parameters():
        parameter.data += parameter.data.abs() * 2**-12  # half the spacing of half precision, all in one direction
    other = Lifter(teacher, "rounded")(CLIPS[:1])[0]
    assert np.linalg.norm(other.joints_3d - lifted[0].joints_3d, axis=-1).mean() < 0.01


def test_bones_hardly_change_over_a_clip(lifted):
    import torch

    for result in lifted:
        length = lengths(torch.from_numpy(result.joints_3d))
        assert float((length.std(0) / length.mean(0)).mean()) < 0.25


def test_lifted_files_round_trip(tmp_path, lifted):
    write_lifted(tmp_path / "out.npz", lifted)
    for before, after in zip(lifted, read_lifted(tmp_path / "out.npz"), strict=True):
        assert before.name == after.name
        np.testing.assert_array_equal(before.joints_3d, after.joints_3d)
    stored = np.load(tmp_path / "out.npz")
    assert stored["joints_3d"].shape == (sum(len(c) for c in CLIPS), 17, 3)
    assert stored["start"].tolist() == np.cumsum([0, *[len(c) for c in CLIPS[:-1]]]).tolist()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "out.npz"
    target.write_bytes(b"precious")

    class Broken(Lifted):
        def __len__(self):
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        write_lifted(target, [Broken("x", np.zeros((1, 17, 3), np.float32))])
    assert target.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["out.npz"]


def openpose_folder(folder: Path, frames: int = 40) -> Path:
    folder.mkdir()
    clip = CLIPS[0]
    body25 = {"nose": 9, "neck": 8, "r_shoulder": 14, "r_elbow": 15, "r_wrist": 16, "l_shoulder": 11, "l_elbow": 12,
              "l_wrist": 13, "mid_hip": 0, "r_hip": 1, "r_knee": 2, "r_ankle": 3, "l_hip": 4, "l_knee": 5, "l_ankle": 6,
              "r_eye": 9, "l_eye": 9, "r_ear": 9, "l_ear": 9}  # fmt: skip
    for t in range(frames):
        rows = [[*clip.keypoints_px[t, j].tolist(), 0.9] for j in body25.values()] + [[0, 0, 0]] * 6
        person = {"pose_keypoints_2d": [float(v) for row in rows for v in row]}
        (folder / f"clip_{t}.json").write_text(json.dumps({"people": [person] if t != 20 else []}))
    return folder


def test_cli_lifts_a_folder_and_evaluates_a_set(tmp_path, capsys):
    out = tmp_path / "out.npz"
    assert main(["lift", str(openpose_folder(tmp_path / "op")), "-o", str(out)]) == 0
    assert np.load(out)["joints_3d"].shape == (40, 17, 3)
    truth = tmp_path / "truth.npz"
    write_packed(truth, CLIPS[:8])
    assert main(["lift", str(truth), "-o", str(out), "--height", "1.7"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(out), str(truth), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["frames"] == sum(len(c) for c in CLIPS[:8])
    assert 5 < result["overall"]["pa_mpjpe"] < 200
    assert [s.name for s in read_packed(truth)] == [str(n) for n in np.load(out)["name"]]
    write_csv(tmp_path / "walk.csv", CLIPS[:1])
    assert main(["lift", str(tmp_path / "walk.csv"), "-o", str(out)]) == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["lift", "nothing.json"], "no such file"),
        (["lift", "{csv}", "--height", "17"], "body height"),
        (["lift", "{csv}", "--fps", "0"], "frame rate"),
        (["lift", "{csv}", "--track", "9"], "track"),
        (["lift", "{csv}", "--track", "x"], "track"),
        (["lift", "{csv}", "--fov", "60"], "--image-size"),
        (["lift", "{csv}", "--image-size", "1080p"], "1920x1080"),
        (["lift", "{csv}", "--image-size", "1000x1000", "--fov", "0"], "field of view"),
        (["lift", "{csv}", "--checkpoint", "nowhere"], "checkpoint"),
        (["lift", "{csv}", "--model", "student"], "student"),
        (["lift", "{csv}", "--joint-set", "BODY_99"], "joint set"),
        (["lift", "{video}"], "video"),
        (["evaluate", "{csv}", "{csv}"], "npz"),
    ],
)
def test_cli_refuses_in_one_sentence(tmp_path, capsys, arguments, word):
    write_csv(tmp_path / "walk.csv", CLIPS[:1])
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 100)
    files = {"csv": tmp_path / "walk.csv", "video": tmp_path / "clip.mp4"}
    out = ["-o", str(tmp_path / "out.npz")] if arguments[0] == "lift" else []
    code = main([a.format(**files) for a in arguments] + out)
    errors = capsys.readouterr().err
    assert code == 2
    assert word in errors
    assert len(errors.strip().splitlines()) == 1
    assert not (tmp_path / "out.npz").exists()


def test_cli_says_so_before_the_work_if_it_cannot_write(tmp_path, capsys):
    write_csv(tmp_path / "walk.csv", CLIPS[:1])
    assert main(["lift", str(tmp_path / "walk.csv"), "-o", str(tmp_path / "no" / "out.npz")]) == 2
    assert "folder" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["config", "weights", "shape", "pickle"])
def test_damaged_checkpoints_are_refused(tmp_path, damage):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    good = find_checkpoint()
    config = json.loads((good / "config.json").read_text())
    weights = (good / "model.safetensors").read_bytes()
    if damage == "shape":
        config["model"]["width"] = 13
    if damage == "weights":
        weights = weights[:1000]
    if damage == "pickle":
        weights = b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."
    (folder / "config.json").write_text("{" if damage == "config" else json.dumps(config))
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"config|model"):
        Lifter.load(folder)


def test_the_bundled_checkpoint_is_listed_first_and_has_a_card():
    name, folder = next(iter(list_checkpoints().items()))
    assert name == "teacher"
    card = (folder / "README.md").read_text()
    for word in ("train_2d", "seed", "PA-MPJPE", "Limits", "CMU", "HDM05"):
        assert word in card
    assert (folder / "model.safetensors").stat().st_size < 10_000_000


def test_module_runs_as_a_program(tmp_path):
    done = subprocess.run([sys.executable, "-m", "posenet3d", "lift"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_refinement_keeps_the_2d_and_steadies_the_bones(lifter, lifted):
    import torch

    refined = lifter(CLIPS[:3], is_refined=True)
    for clip, before, after in zip(CLIPS, lifted, refined, strict=False):
        focal, centre = clip.K[[0, 1], [0, 1]], clip.K[:2, 2]
        seen = after.joints_3d[..., :2] / after.joints_3d[..., 2:] * focal + centre
        np.testing.assert_allclose(seen, before.cleaned_px, atol=0.05)
        drift = [
            (length.std(0) / length.mean(0)).mean()
            for length in (lengths(torch.from_numpy(r.joints_3d)) for r in (before, after))
        ]
        assert drift[1] < 0.8 * drift[0]
