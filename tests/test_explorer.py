import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from app_with_stub import StubLifter, flat, stub_checkpoints
from streamlit.testing.v1 import AppTest

from explorer import figures, measures, resources, scene, tables
from explorer.viewer import BUNDLE
from posenet3d.checkpoint import list_checkpoints
from posenet3d.data.synthetic import bundled_sequences
from posenet3d.lifted import Lifted
from posenet3d.sequence import PoseSequence
from posenet3d.skeleton import JOINT, JOINT_NAMES, SIDES

ROOT = Path(__file__).parent.parent
CLIPS = {clip.name: clip for clip in bundled_sequences()}
WALK = CLIPS["synthetic walk"]
NOISY = CLIPS["synthetic walk (noisy detector)"]
PAGES = ["explorer/views/explore.py", "explorer/views/joints.py", "explorer/views/about.py"]


def lifted_of(sequence: PoseSequence) -> Lifted:
    return Lifted(sequence.name, flat(sequence), fps=sequence.fps)


def without_truth(sequence: PoseSequence) -> PoseSequence:
    return replace(sequence, joints_3d=None, K=None, image_size=None, name="no truth")


def csv_of(sequence: PoseSequence, name: str = "walk.csv") -> tuple[str, bytes, str]:
    lines = ["frame,track,joint,x,y,confidence"]
    for frame, (pose, confidence) in enumerate(zip(sequence.keypoints_px, sequence.confidence, strict=True)):
        for joint, (x, y), c in zip(JOINT_NAMES, pose, confidence, strict=True):
            lines.append(f"{frame},1,{joint},{x:.2f},{y:.2f},{c:.3f}")
    return name, "\n".join(lines).encode(), "text/csv"


# What is shipped


def test_bundle_was_built_from_these_sources():
    viewer = BUNDLE.parent
    digest = hashlib.sha256()
    names = [f"src/{path.name}" for path in (viewer / "src").iterdir()] + ["package.json"]
    for name in sorted(names):
        digest.update(f"{name}\n".encode() + viewer.joinpath(name).read_bytes())
    built_from = re.search(r"sha256 ([0-9a-f]{64})", BUNDLE.read_text(encoding="utf-8").partition("\n")[0])
    assert built_from, "viewer.js has no banner"
    assert built_from[1] == digest.hexdigest(), "run 'npm ci && npm run build' in explorer/viewer"


def test_no_download_address_is_shipped():
    assert "resolved" not in (BUNDLE.parent / "package-lock.json").read_text()
    assert "MIT License" in (BUNDLE.parent / "THREE_LICENSE").read_text()


# The payload


@pytest.mark.parametrize("sequence", [WALK, NOISY, without_truth(NOISY)], ids=lambda s: s.name)
def test_payload_holds_what_the_viewer_reads(sequence):
    payload = scene.payload(sequence, lifted_of(sequence))
    meta = payload.pop("meta")
    assert json.loads(json.dumps(meta, allow_nan=False)) == meta
    source = (BUNDLE.parent / "src" / "clip.js").read_text()
    arrays = re.findall(r'"(\w+)"', re.search(r"ARRAYS = \[(.*?)\]", source)[1])
    heats = [f"heat_{m['key']}" for m in meta["measures"]]
    truths = [m["truth"] for m in meta["measures"] if m["truth"]]
    assert set(payload) == {*arrays, *heats, *truths}
    assert {(array.dtype, array.ndim) for array in payload.values()} == {(np.dtype("float32"), 1)}
    frames = len(sequence)
    per_frame = {"pose": 51, "input_px": 34, "confidence": 17, "reprojected_px": 34, "ground": 1, "curve_lifted": 1}
    per_frame |= dict.fromkeys(heats, 17) | dict.fromkeys(truths, 51)
    assert {name: len(payload[name]) for name in per_frame} == {name: n * frames for name, n in per_frame.items()}
    assert len(meta["joints"]) == 17
    assert all(0 <= frame < frames for m in meta["measures"] for frame in m["worst"])


def test_payload_identity_follows_content():
    first = scene.payload(WALK, lifted_of(WALK))["meta"]["id"]
    assert scene.payload(WALK, lifted_of(WALK))["meta"]["id"] == first
    moved = replace(lifted_of(WALK), joints_3d=lifted_of(WALK).joints_3d + np.float32(0.01))
    assert scene.payload(WALK, moved)["meta"]["id"] != first


def test_payload_of_a_clip_in_which_nobody_was_lifted():
    nobody = replace(lifted_of(WALK), joints_3d=np.full_like(WALK.joints_3d, np.nan))
    meta = scene.payload(WALK, nobody)["meta"]
    json.dumps(meta, allow_nan=False)
    assert all(m["worst"] == [] for m in meta["measures"])


def test_truth_comes_first_and_its_absence_is_said():
    with_truth = scene.payload(WALK, lifted_of(WALK))["meta"]
    assert [m["key"] for m in with_truth["measures"]] == ["pa_mpjpe", "n_mpjpe", "mpjpe", "reprojection", "bone_drift"]
    assert with_truth["sentence"] == ""
    bare = scene.payload(without_truth(WALK), lifted_of(WALK))["meta"]
    assert [m["key"] for m in bare["measures"]] == ["reprojection", "bone_drift"]
    assert "no ground truth" in bare["sentence"]
    assert bare["curve"]["reference"] == "raw 2D input at the lifted depth"
    assert not bare["has_image_size"]


def test_perfect_prediction_has_no_error_and_lies_on_the_truth():
    exact = Lifted(WALK.name, WALK.joints_3d, fps=WALK.fps)
    found = measures.measures_of(WALK, exact)
    for measure in found[:4]:
        assert np.nanmax(measure.values) < 0.1, measure.key
    for measure in found[:3]:
        np.testing.assert_allclose(measure.truth, WALK.joints_3d, atol=1e-4)


@pytest.mark.parametrize(("key", "scale", "turn"), [("n_mpjpe", 0.9, False), ("pa_mpjpe", 0.9, True)])
def test_truth_is_drawn_where_the_measure_puts_it(key, scale, turn):
    angle = np.radians(30) if turn else 0.0
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    pelvis = WALK.joints_3d[:, :1]
    predicted = Lifted(WALK.name, ((scale * (WALK.joints_3d - pelvis)) @ R.T + pelvis).astype(np.float32))
    measure = next(m for m in measures.measures_of(WALK, predicted) if m.key == key)
    np.testing.assert_allclose(measure.truth, predicted.joints_3d, atol=1e-4)


def test_bone_drift_blames_the_joint_at_the_end_of_the_bone():
    joints = WALK.joints_3d.copy()
    elbow, wrist = JOINT["l_elbow"], JOINT["l_wrist"]
    joints[7, wrist] = joints[7, elbow] + 1.5 * (joints[7, wrist] - joints[7, elbow])
    drift = measures.measures_of(WALK, Lifted("", joints))[-1].values
    assert drift[7, wrist] == pytest.approx(50, abs=0.5)
    assert np.isnan(drift[:, JOINT["pelvis"]]).all()
    drift[7, wrist] = 0
    assert np.nanmax(drift) < 0.5


def test_worst_moments_are_ordered_and_apart():
    values = np.zeros((100, 2))
    values[[10, 12, 50, 99]] = [[5], [6], [9], [7]]
    values[30] = np.nan
    assert measures.worst_moments(values, fps=20) == [50, 99, 12]  # 10 is the same moment as 12
    assert measures.worst_moments(np.full((5, 2), np.nan), fps=20) == []


def test_one_long_bad_stretch_is_one_moment():
    values = np.repeat(np.sin(np.linspace(0, np.pi, 300))[:, None], 17, axis=1)
    assert measures.worst_moments(values, fps=30) == pytest.approx([150], abs=1)


@pytest.mark.parametrize(("top", "shown"), [(0.0, 1), (73, 80), (151, 200), (0.011, 0.015), (np.nan, 1), (100, 100)])
def test_colour_scale_ends_on_a_round_number(top, shown):
    assert measures.colour_top(np.array([top])) == pytest.approx(shown)


def test_ground_follows_a_slope_but_not_a_jump():
    slope = np.linspace(0.8, 1.2, 300, dtype=np.float32)
    joints = np.zeros((300, 17, 3), np.float32)
    joints[:, :, 1] = slope[:, None]
    joints[100:115, :, 1] -= 0.4  # half a second in the air
    joints[200:203] = np.nan
    ground = scene.ground_y(joints, fps=30.0) - scene.ANKLE_HEIGHT_M
    assert np.abs(ground - slope).max() < 0.06


def test_names_for_people():
    labels = [scene.joint_label(name) for name in JOINT_NAMES]
    assert labels[:3] == ["pelvis", "right hip", "right knee"]
    assert labels[9:12] == ["neck/nose", "head top", "left shoulder"]


# Figures and tables


def test_figures():
    bars = figures.joint_bars(JOINT_NAMES, SIDES, np.arange(17.0), "mm")
    assert tuple(bars.data[0].y) == JOINT_NAMES
    assert bars.layout.yaxis.autorange == "reversed"  # first joint on top, as in the error map
    curve = figures.pck_curves({"MPJPE": np.array([[10.0, 60.0]])}).data[0]
    assert curve.y[list(curve.x).index(50)] == 50
    lines = figures.over_time({"wrist": np.ones(60)}, {"wrist": np.zeros(60)}, fps=30.0, unit="m/s").data
    assert [line.name for line in lines] == ["wrist", "wrist, ground truth"]
    assert lines[0].x[-1] == pytest.approx(59 / 30)


def test_frame_table_shows_what_is_missing():
    table = tables.frame_table(NOISY, lifted_of(NOISY), int((~NOISY.is_observed).any(1).argmax()))
    assert len(table) == 17
    assert table["u (px)"].isna().any()
    assert (table.loc[table["u (px)"].isna(), "confidence"] == 0).all()


# The pages


@pytest.fixture
def app(tmp_path, monkeypatch) -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(resources, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    monkeypatch.setattr(resources.Lifter, "load", classmethod(lambda cls, folder, model: StubLifter()))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def test_opens_on_a_bundled_sequence_without_a_click(app):
    app.run()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="sequence").value == "synthetic walk"
    assert len(app.get("bidi_component")) == 1


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", CLIPS)
def test_every_page_shows_every_bundled_sequence(app, page, name):
    app.run().switch_page(page)
    app.selectbox(key="sequence").set_value(name)
    app.run()
    assert not app.exception
    assert not app.error


def test_about_shows_the_model_card(app):
    app.run().switch_page("explorer/views/about.py").run()
    assert any("The model card of the stub." in text.value for text in app.markdown)


def test_frame_of_the_viewer_reaches_python(app):
    app.run()
    app.session_state["viewer"] = {"frame": 7}
    app.run()
    assert app.expander[0].label == "Numbers of frame 7"


def test_lifting_is_done_once(app, monkeypatch):
    calls = []
    lift = StubLifter.__call__
    monkeypatch.setattr(StubLifter, "__call__", lambda *a, **k: calls.append(1) or lift(*a, **k))
    app.run().run()
    app.switch_page("explorer/views/joints.py").run()
    assert len(calls) == 1


@pytest.mark.parametrize("page", PAGES)
def test_upload_without_ground_truth(app, page):
    app.run()
    app.file_uploader(key="upload").set_value([csv_of(WALK.frames(0, 40))])
    app.run().switch_page(page).run()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="sequence").value == "walk.csv"
    said = " ".join(info.value for info in app.info)
    assert ("no ground truth" in said) == (page == "explorer/views/joints.py")  # the viewer says it by itself


def test_upload_of_two_people_offers_both(app):
    first, second = csv_of(WALK.frames(0, 40))[1], csv_of(WALK.frames(50, 70))[1]
    rows = first + b"\n" + b"\n".join(second.replace(b",1,", b",2,").splitlines()[1:])
    app.run()
    app.file_uploader(key="upload").set_value([("two.csv", rows, "text/csv")])
    app.run()
    assert not app.exception
    person = app.selectbox(key="person of two.csv")
    assert len(person.options) == 2
    assert "40 frames" in person.options[0]


@pytest.mark.parametrize(
    "file", [("bad.json", b"{oops", "application/json"), ("empty.csv", b"", "text/csv"), ("x.npz", b"PK", "x")]
)
def test_broken_upload_is_a_sentence_and_loses_nothing(app, file):
    app.run()
    app.file_uploader(key="upload").set_value([csv_of(WALK.frames(0, 20))])
    app.run()
    app.file_uploader(key="upload").set_value([file])
    app.run()
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.startswith(f"{file[0]}:")  # the user's name for it, not our temporary path
    assert app.selectbox(key="sequence").value == "walk.csv"
    assert set(app.selectbox(key="sequence").options) == {"walk.csv", *CLIPS}
    assert len(app.get("bidi_component")) == 1


def test_second_upload_keeps_the_first_and_takes_the_frame_rate(app):
    app.run()
    first, second = csv_of(WALK.frames(0, 20), "first.csv"), csv_of(WALK.frames(0, 30), "second.csv")
    app.file_uploader(key="upload").set_value([first])
    app.run()
    app.file_uploader(key="upload").set_value([first, second])
    app.number_input(key="upload_fps").set_value(60.0)
    app.run()
    assert not app.error
    assert app.selectbox(key="sequence").value == "second.csv"
    assert {"first.csv", "second.csv"} < set(app.selectbox(key="sequence").options)
    assert app.session_state["choice"].sequence.fps == 60


def test_frames_of_openpose_are_one_clip(app):
    frames = []
    for frame in range(12):
        joints = np.zeros((25, 3))
        joints[:] = [*WALK.keypoints_px[frame, 0], 0.9]
        joints[:, :2] += 10 * np.arange(25)[:, None]
        content = {"people": [{"pose_keypoints_2d": joints.ravel().tolist()}]}
        name = f"clip_{frame:012d}_keypoints.json"
        frames.append((name, json.dumps(content).encode(), "application/json"))
    app.run()
    app.file_uploader(key="upload").set_value(frames)
    app.run()
    assert not app.error
    assert not app.exception
    assert app.selectbox(key="sequence").value == "clip (12 frames)"
    assert len(app.session_state["choice"].sequence) == 12
    assert app.session_state["choice"].sequence.name.startswith("clip")


@pytest.mark.skipif(not list_checkpoints(), reason="no checkpoint is bundled")
def test_opens_with_the_real_checkpoint():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    assert not app.exception
    assert not app.error
    assert app.session_state["choice"].lifted.joints_3d.shape == WALK.joints_3d.shape


@pytest.mark.parametrize("page", PAGES)
def test_without_a_checkpoint_the_app_says_how_to_make_one(app, page, monkeypatch):
    monkeypatch.setattr(resources, "list_checkpoints", dict)
    app.run().switch_page(page).run()
    assert not app.exception
    assert "posenet3d train teacher" in app.error[0].value


def test_a_damaged_checkpoint_is_a_sentence(app, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(resources, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    app.run()
    assert not app.exception
    assert "config.json" in app.error[0].value


@pytest.mark.parametrize(
    ("file", "clip"),
    [("cam01.0000.json", "cam01"), ("a_b_000000000012_keypoints.json", "a_b"), ("0001.json", "upload"), ("w.csv", "w")],
)
def test_clip_name(file, clip):
    assert resources.clip_name(file) == clip


def test_an_uploaded_name_cannot_leave_its_folder():
    buffer = io.BytesIO()
    np.savez(buffer, nothing=np.zeros(1))
    with pytest.raises(ValueError, match=r"^clip\.npz: "):
        resources.read_upload((("../../clip.npz", buffer.getvalue()),))
