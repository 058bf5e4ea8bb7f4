"""Lifting with the bundled checkpoint, as a library and from the command line."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posenet3d.cli import main
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT, MIRROR
from posenet3d.errors import InputError
from posenet3d.evaluation.evaluate import evaluate
from posenet3d.io.keypoints.csv_table import write_csv
from posenet3d.io.keypoints.packed import read_packed, write_packed
from posenet3d.io.lifted_npz import lifted_bytes, read_lifted, write_lifted
from posenet3d.lifting.checkpoint import find_checkpoint, list_checkpoints, load_teacher
from posenet3d.lifting.lifter import BodyLifter, Lifter, SkeletonLifter
from posenet3d.losses.bones import lengths
from posenet3d.paths import BUNDLED
from posenet3d.synthetic.sequences import bundled_sequences, synthetic_sequence
from posenet3d.training.mirror_guard import handedness

ROOT = Path(__file__).parents[2]
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
    error, baseline = (evaluate(results, CLIPS).overall.pa_mpjpe for results in (lifted, flat))
    assert error < 0.75 * baseline


def test_people_are_not_inside_out(lifted):
    import torch

    poses = torch.from_numpy(np.concatenate([r.joints_3d for r in lifted]))
    assert handedness(poses - poses[:, :1]) > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("model", ["teacher", "student"])
def test_progress_moves_within_a_clip_and_can_stop_the_work(model):
    lifter = Lifter.load(model=model)
    walk = synthetic_sequence("walk")
    stripped = replace(walk, joints_3d=None)
    long = replace(
        stripped, keypoints_px=np.tile(walk.keypoints_px, (8, 1, 1)), confidence=np.tile(walk.confidence, (8, 1))
    )
    clips = [long, walk]
    told = []
    lifter(clips, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert sum(share < 0.9 for share in told) >= 2  # of the first clip alone

    class CancelledError(Exception):
        pass

    def stop(share):
        raise CancelledError

    with pytest.raises(CancelledError):
        lifter(clips, progress=stop)


def test_options_that_do_not_apply_are_errors(lifter):
    student = Lifter.load(model="student")
    assert isinstance(lifter, SkeletonLifter)
    assert isinstance(student, BodyLifter)
    for options in ({"height_m": 1.8}, {"refine": True}):
        with pytest.raises(TypeError, match="unexpected keyword"):
            student(CLIPS[:1], **options)
    with pytest.raises(TypeError, match="unexpected keyword"):
        lifter(CLIPS[:1], fit=False)
    with pytest.raises(ValueError, match="choose 'teacher' or 'student'"):
        Lifter.load(model="pupil")


def test_height_sets_the_scale(lifter):
    clip = CLIPS[0].frames(0, 60)
    small, tall = (lifter([clip], height_m=h)[0].joints_3d for h in (1.2, 1.8))
    np.testing.assert_allclose(tall, small * 1.5, rtol=1e-4)
    body = np.nanmedian(np.linalg.norm(np.diff(tall[:, [1, 2, 3]], axis=1), axis=-1).sum(1))
    assert 0.7 < body < 1.1  # a leg of a person of 1.80 m


def test_a_mirrored_person_is_lifted_to_the_mirrored_pose(lifter):
    """Flip averaging makes depth exactly mirror-symmetric; the denoiser is so only nearly."""
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
    confidence[200:] = 0
    lifted = lifter([replace(clip, keypoints_px=keypoints, confidence=confidence)])[0]
    result = lifted.joints_3d
    assert np.isfinite(result[:100]).all()
    assert np.isnan(result[100:160]).all()
    assert np.isfinite(result[160:200]).all()
    assert np.isnan(result[200:]).all()  # nothing is known after the last sighting
    assert np.flatnonzero(lifted.is_bridged).tolist() == list(range(40, 46))


def test_nothing_is_known_before_the_first_sighting(lifter, tmp_path):
    clip = CLIPS[0]
    confidence = clip.confidence.copy()
    confidence[:30] = 0
    lifted = lifter([replace(clip, confidence=confidence)])
    assert np.isnan(lifted[0].joints_3d[:30]).all()
    assert np.isfinite(lifted[0].joints_3d[30:]).all()
    write_lifted(tmp_path / "out.npz", lifted)
    (again,) = read_lifted(tmp_path / "out.npz")
    assert again.is_bridged.dtype == bool
    assert not again.is_bridged.any()


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
    other = SkeletonLifter(teacher, "rounded")(CLIPS[:1])[0]
    assert np.linalg.norm(other.joints_3d - lifted[0].joints_3d, axis=-1).mean() < 0.002


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


def test_clips_of_a_packed_file_keep_its_rows(tmp_path, lifter):
    """Rows of OUT are rows of the input, also where clips leave gaps or stand in another order than their rows."""
    write_packed(tmp_path / "in.npz", [CLIPS[0].frames(0, 50), CLIPS[1].frames(0, 50)])
    stored = dict(np.load(tmp_path / "in.npz"))
    stored |= {"start": np.array([60, 5]), "length": np.array([30, 40])}
    np.savez(tmp_path / "in.npz", **stored)
    clips = read_packed(tmp_path / "in.npz")
    results = lifter(clips)
    write_lifted(tmp_path / "out.npz", results)
    out = np.load(tmp_path / "out.npz")
    assert out["joints_3d"].shape == (100, 17, 3)
    assert (out["start"].tolist(), out["length"].tolist()) == ([60, 5], [30, 40])
    np.testing.assert_array_equal(out["joints_3d"][60:90], results[0].joints_3d)
    np.testing.assert_array_equal(out["joints_3d"][5:45], results[1].joints_3d)
    of_no_clip = np.r_[:5, 45:60, 90:100]
    assert np.isnan(out["joints_3d"][of_no_clip]).all()
    assert not out["confidence"][of_no_clip].any()
    for before, after in zip(results, read_lifted(tmp_path / "out.npz"), strict=True):
        np.testing.assert_array_equal(before.joints_3d, after.joints_3d)
    write_lifted(tmp_path / "out.npz", [results[0], results[0]])  # the same rows twice: end to end
    assert [len(r) for r in read_lifted(tmp_path / "out.npz")] == [30, 30]
    (tmp_path / "one.npz").write_bytes(lifted_bytes(results[:1]))
    assert np.load(tmp_path / "one.npz")["joints_3d"].shape == (30, 17, 3)


def test_what_was_filled_in_can_be_told(tmp_path, lifter):
    confidence = CLIPS[0].confidence.copy()
    confidence[:, JOINT["r_wrist"]] = 0
    write_lifted(tmp_path / "out.npz", lifter([replace(CLIPS[0], confidence=confidence)]))
    out = np.load(tmp_path / "out.npz")
    assert np.isfinite(out["joints_3d"]).all()
    np.testing.assert_array_equal(out["confidence"], confidence)


LEGS = [f"{side}_{part}" for side in "rl" for part in ("hip", "knee", "ankle")]


@pytest.mark.parametrize(
    "hidden", [LEGS, ["pelvis", *LEGS], ["r_ankle", "l_ankle"], LEGS[:3], ["neck_nose", "head_top"]], ids=", ".join
)
@pytest.mark.parametrize("clip", CLIPS[:3], ids=lambda clip: clip.name)
def test_people_seen_in_part_stand_where_they_are(lifter, clip, hidden):
    """Unseen limbs are filled in, but must not set the scale: with them the distance was up to twice the true one."""
    confidence = clip.confidence.copy()
    confidence[:, [JOINT[name] for name in hidden]] = 0
    z = lifter([replace(clip, confidence=confidence)])[0].joints_3d[..., 2]
    seen = confidence[0] > 0
    assert np.median(z[:, seen]) == pytest.approx(np.median(clip.joints_3d[:, seen, 2]), rel=0.15)


def test_a_few_joints_make_no_person(lifter):
    confidence = np.zeros_like(CLIPS[0].confidence)
    confidence[:, [JOINT["head_top"], JOINT["r_wrist"]]] = 1
    assert np.isnan(lifter([replace(CLIPS[0], confidence=confidence)])[0].joints_3d).all()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "out.npz"
    target.write_bytes(b"precious")

    def burn(problem: Exception):
        def save(file, **arrays):
            file.write(b"half")
            raise problem

        monkeypatch.setattr(np, "savez_compressed", save)

    for problem, seen in (
        (RuntimeError("fire"), RuntimeError),
        (OSError(28, "No space left on device"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ):
        burn(problem)
        with pytest.raises(seen):
            write_lifted(target, [Lifted("x", np.zeros((1, 17, 3), np.float32))])
        assert target.read_bytes() == b"precious"
        assert [p.name for p in tmp_path.iterdir()] == ["out.npz"]


def test_only_files_are_written_over(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")  # stands for /dev/null, which a rename would replace too
    for name in ("folder", "pipe"):
        with pytest.raises(InputError, match="not a plain file"):
            write_lifted(tmp_path / name, [Lifted("x", np.zeros((1, 17, 3), np.float32))])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe"]
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"joints_3d": np.zeros((4, 51))}, "has shape"),
        ({"joints_3d": np.full((4, 17, 3), "a")}, "is of type"),
        ({"start": np.array([-2, 2])}, "must lie inside"),
        ({"start": np.array([0.0, 2.0])}, "whole numbers"),
        ({"start": np.array(["a", "b"])}, "whole numbers"),
        ({"length": np.array([2, 2**62])}, "must lie inside"),
        ({"length": np.array([2])}, "give both per clip"),
        ({"name": np.array(["one"])}, "2 texts"),
        ({"fps": np.array([30.0, 30, 30])}, "'fps' has shape"),
        ({"fps": np.array("fast")}, "'fps' is of type"),
        ({"cleaned_px": np.zeros((3, 17, 2))}, "'cleaned_px' has shape"),
    ],
)
def test_lifted_files_from_elsewhere_are_checked(tmp_path, changes, says):
    good = {"joints_3d": np.zeros((4, 17, 3)), "start": np.array([0, 2]), "length": np.array([2, 2])}
    np.savez(tmp_path / "p.npz", **(good | changes))
    with pytest.raises(InputError, match=says):
        read_lifted(tmp_path / "p.npz")


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


@pytest.mark.slow
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
        (["lift", "{csv}", "--track", "²"], "track"),
        (["lift", "{csv}", "-o", "{csv}"], "input itself"),
        (["lift", "{csv}", "-o", "{folder}"], "plain file"),
        (["lift", "{csv}", "--image-size", "99999999999999999999x1"], "1920x1080"),
        (["lift", "{csv}", "--fov", "60"], "--image-size"),
        (["lift", "{csv}", "--image-size", "1080p"], "1920x1080"),
        (["lift", "{csv}", "--image-size", "1000x1000", "--fov", "0"], "field of view"),
        (["lift", "{csv}", "--checkpoint", "nowhere"], "checkpoint"),
        (["lift", "{csv}", "--model", "student", "--checkpoint", "teacher"], "no student"),
        (["lift", "{csv}", "--joint-set", "BODY_99"], "joint set"),
        (["lift", "{video}"], "video"),
        (["evaluate", "{csv}", "{csv}"], "npz"),
    ],
)
def test_cli_refuses_in_one_sentence(tmp_path, capsys, arguments, word):
    write_csv(tmp_path / "walk.csv", CLIPS[:1])
    (tmp_path / "clip.mp4").write_bytes(b"\0" * 100)
    files = {"csv": tmp_path / "walk.csv", "video": tmp_path / "clip.mp4", "folder": tmp_path}
    out = ["-o", str(tmp_path / "out.npz")] if arguments[0] == "lift" and "-o" not in arguments else []
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


@pytest.mark.parametrize("damage", ["config", "weights", "shape", "negative", "text", "pickle"])
def test_damaged_checkpoints_are_refused(tmp_path, damage):
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    good = find_checkpoint()
    config = json.loads((good / "config.json").read_text())
    weights = (good / "model.safetensors").read_bytes()
    if damage in ("shape", "negative", "text"):
        config["model"]["width"] = {"shape": 13, "negative": -1, "text": "wide"}[damage]
    if damage == "weights":
        weights = weights[:1000]
    if damage == "pickle":
        weights = b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR."
    (folder / "config.json").write_text("{" if damage == "config" else json.dumps(config))
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(InputError, match=r"config|model"):
        Lifter.load(folder)


def test_bundled_checkpoints_of_all_stages_have_cards_and_the_last_stage_is_the_default():
    bundled = [folder for folder in list_checkpoints().values() if folder.parent == BUNDLED]
    assert [folder.name for folder in bundled] == ["joint", "student", "teacher"]
    assert {find_checkpoint(model=model).name for model in ("teacher", "student")} == {"joint"}
    for folder in bundled:
        card = (folder / "README.md").read_text()
        for word in ("train_2d", "seed", "PA-MPJPE", "Limits", "CMU", "HDM05"):
            assert word in card
        assert all(file.stat().st_size < 10_000_000 for file in folder.iterdir())


@pytest.mark.slow
def test_the_bundled_student_gives_a_body(lifted):
    student = Lifter.load(model="student")(CLIPS[:8])
    errors = [evaluate(results, CLIPS[:8]).overall.pa_mpjpe for results in (lifted[:8], student)]
    assert errors[1] < 1.5 * errors[0]
    for clip, result in zip(CLIPS, student, strict=False):
        assert result.body is not None
        assert result.body.betas.shape == (1, 10)
        assert np.isfinite(result.joints_3d).all()
        assert len(result.body.transl) == len(clip)


def test_module_runs_as_a_program(tmp_path):
    done = subprocess.run([sys.executable, "-m", "posenet3d", "lift"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_refinement_keeps_the_2d_and_steadies_the_bones(lifter, lifted):
    import torch

    refined = lifter(CLIPS[:3], refine=True)
    for clip, before, after in zip(CLIPS, lifted, refined, strict=False):
        focal, centre = clip.K[[0, 1], [0, 1]], clip.K[:2, 2]
        seen = after.joints_3d[..., :2] / after.joints_3d[..., 2:] * focal + centre
        np.testing.assert_allclose(seen, before.cleaned_px, atol=0.05)
        drift = [
            (length.std(0) / length.mean(0)).mean()
            for length in (lengths(torch.from_numpy(r.joints_3d)) for r in (before, after))
        ]
        assert drift[1] < 0.8 * drift[0]


def test_people_far_away_are_lifted_as_well_as_near_ones(lifter):
    """Training saw people some metres away; a small figure must not fall out of what the networks know."""
    errors = []
    for distance in (6.0, 25.0):
        clips = [
            synthetic_sequence(motion, seed=1, distance=distance, azimuth_deg=40.0)
            for motion in ("walk", "kick", "sit")
        ]
        errors.append(evaluate(lifter(clips), clips).overall.n_mpjpe)
    assert errors[1] < 1.3 * errors[0]
