import ast
import base64
import copy
import gzip
import hashlib
import io
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import roma
import streamlit as st
import torch
from helpers.painted import PAINTED, filmed, paint
from helpers.stub_app import StubLifter, flat, stub_checkpoints
from streamlit.testing.v1 import AppTest

from explorer import cache, session, uploads
from explorer.browser_video import BrowserVideo
from explorer.charts import style
from explorer.compare import joint_errors, labels, tables
from explorer.compare.candidates import GROUND_TRUTH, NONE, Candidate, sources_of
from explorer.viewer import BUNDLE, skinning, standalone
from explorer.viewer import payload as viewer_payload
from explorer.viewer.payload_schema import SCHEMA
from explorer.visitors import Connection
from posenet3d.body.files import load_body
from posenet3d.body.layer import BODY_PARENTS, pose_rotations
from posenet3d.core.ground import ANKLE_HEIGHT_M, ground_y
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.detection.detectors import DETECTORS
from posenet3d.exports import formats
from posenet3d.exports.formats import Exported, ExportFormat
from posenet3d.io.video import Video
from posenet3d.lifting.checkpoint import list_checkpoints
from posenet3d.synthetic.sequences import bundled_sequences

ROOT = Path(__file__).parents[2]
CLIPS = {clip.name: clip for clip in bundled_sequences()}
WALK = CLIPS["synthetic walk"]
NOISY = CLIPS["synthetic walk (noisy detector)"]
PAGES_FOLDER = ROOT / "explorer" / "pages"
PAGES = [f"explorer/pages/{path.name}" for path in sorted(PAGES_FOLDER.glob("*.py")) if path.name != "__init__.py"]
IMPORT, EXPLORE, EXPORT = (f"explorer/pages/{name}.py" for name in ("import_clip", "explore", "export"))


def lifted_of(sequence: PoseSequence) -> Lifted:
    return Lifted(sequence.name, flat(sequence), fps=sequence.fps)


def candidates_of(sequence: PoseSequence) -> list[Candidate]:
    return [Candidate("stub", "key", lifted_of(sequence))]


def pair_of(sequence: PoseSequence) -> list[Candidate]:
    """A student's body and a skeleton."""
    return [Candidate("body", "body", StubLifter("student")([sequence])[0]), *candidates_of(sequence)]


def without_truth(sequence: PoseSequence) -> PoseSequence:
    return replace(sequence, joints_3d=None, K=None, image_size=None, name="no truth")


def csv_of(sequence: PoseSequence, name: str = "walk.csv") -> tuple[str, bytes, str]:
    lines = ["frame,track,joint,x,y,confidence"]
    for frame, (pose, confidence) in enumerate(zip(sequence.keypoints_px, sequence.confidence, strict=True)):
        for joint, (x, y), c in zip(JOINT_NAMES, pose, confidence, strict=True):
            lines.append(f"{frame},1,{joint},{x:.2f},{y:.2f},{c:.3f}")
    return name, "\n".join(lines).encode(), "text/csv"


# The code of the app


def sources_that_mention(pattern: str) -> set[str]:
    files = (ROOT / "explorer").rglob("*.py")
    return {str(file.relative_to(ROOT / "explorer")) for file in files if re.search(pattern, file.read_text())}


def test_one_file_touches_the_session_state():
    assert sources_that_mention("session_state") == {"session.py"}


def test_one_file_caches():
    assert sources_that_mention(r"cache_data|cache_resource|lru_cache|functools") == {"cache.py"}


def test_keys_of_the_session_state_differ():
    slots = [value for value in vars(session).values() if isinstance(value, session.Stored | session.Widget)]
    assert len(slots) > 25
    assert len({slot.key for slot in slots}) == len(slots)


def test_charts_viewer_and_theme_share_one_palette():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    assert theme["primaryColor"] == style.PALETTE[0]
    assert theme["dark"]["primaryColor"] == style.PALETTE_DARK[0]
    assert tuple(theme["chartCategoricalColors"][:3]) == style.PALETTE[:3]
    assert tuple(theme["dark"]["chartCategoricalColors"][:3]) == style.PALETTE_DARK[:3]
    written = [file for file in (ROOT / "explorer").rglob("*.*") if file.suffix in {".py", ".js", ".css", ".json"}]
    written = [file for file in written if "node_modules" not in file.parts and "dist" not in file.parts]
    assert [file.name for file in written if style.PALETTE[0].lower() in file.read_text().lower()] == ["palette.json"]


# What is shipped


def test_bundle_was_built_from_these_sources():
    viewer = BUNDLE.parents[1]
    digest = hashlib.sha256()
    names = [f"src/{path.name}" for path in (viewer / "src").iterdir()]
    names += ["package.json", "palette.json", "payload_schema.json"]
    for name in sorted(names):
        digest.update(f"{name}\n".encode() + viewer.joinpath(name).read_bytes())
    built_from = re.search(r"sha256 ([0-9a-f]{64})", BUNDLE.read_text(encoding="utf-8").partition("\n")[0])
    assert built_from, "viewer.js has no banner"
    assert built_from[1] == digest.hexdigest(), "run 'npm ci && npm run build' in explorer/viewer"


def test_no_download_address_is_shipped():
    assert "resolved" not in (BUNDLE.parents[1] / "package-lock.json").read_text()
    assert "MIT License" in (BUNDLE.parents[1] / "THREE_LICENSE").read_text()


# The payload


@pytest.mark.parametrize("sequence", [WALK, NOISY, without_truth(NOISY)], ids=lambda s: s.name)
@pytest.mark.parametrize("of", [candidates_of, pair_of])
def test_payload_holds_what_the_schema_names(sequence, of):
    payload = viewer_payload.make_payload(sequence, of(sequence))
    meta, arrays = payload.meta, payload.arrays
    assert json.loads(json.dumps(meta, allow_nan=False)) == meta
    names = {kind: set(fields) for kind, fields in SCHEMA["arrays"].items()}
    expected = {"input_px", "confidence", "curve_reference"}
    expected |= {"truth"} if sequence.joints_3d is not None else set()
    expected |= {"b_onto_a"} if len(meta["candidates"]) == 2 else set()
    assert expected <= names["clip"]
    for number, _ in enumerate(meta["bodies"]):
        expected |= {f"body{number}_{name}" for name in names["body"]}
    for candidate in meta["candidates"]:
        own = names["candidate"] - {"bridged"} | (names["candidate_body"] if candidate["body"] is not None else set())
        own |= {f"heat_{m['key']}" for m in candidate["measures"]}
        own |= {f"truth_{m['key']}" for m in candidate["measures"] if m["has_truth"]}
        expected |= {f"{candidate['prefix']}_{name}" for name in own}
    assert set(arrays) == expected
    assert all(array.ndim == 1 for array in arrays.values())
    frames = len(sequence)
    per_frame = {"a_pose": 51, "input_px": 34, "confidence": 17, "a_ground": 1, "a_curve": 1, "a_heat_bone_drift": 17}
    per_frame |= {"b_onto_a": 8, "a_turns": 96, "a_root": 3, "truth": 51, "a_truth_pa_mpjpe": 8}
    sizes = {name: len(arrays[name]) for name in per_frame if name in arrays}
    assert sizes == {name: per_frame[name] * frames for name in sizes}
    assert len(meta["joints"]) == 17
    assert all(0 <= frame < frames for one in meta["candidates"] for m in one["measures"] for frame in m["worst"])


def test_bridged_frames_are_marked_for_the_viewer():
    clip = WALK.frames(0, 10)
    bridged = np.arange(10) == 4
    (candidate,) = candidates_of(clip)
    marked = replace(candidate, lifted=replace(candidate.lifted, is_bridged=bridged))
    payload = viewer_payload.make_payload(clip, [marked])
    assert payload.arrays["a_bridged"].tolist() == bridged.astype(int).tolist()
    assert "a_bridged" not in viewer_payload.make_payload(clip, [candidate]).arrays
    assert payload.id != viewer_payload.make_payload(clip, [candidate]).id


def test_a_video_goes_into_the_payload():
    payload = viewer_payload.make_payload(WALK, candidates_of(WALK))
    video = BrowserVideo(b"mp4", Video(Path("a.mp4"), np.zeros(1), (640, 480), 30.0), 30.0)
    with_video = payload.with_video(video)
    assert with_video.meta["video"] == {"size": [640, 480], "fps": 30.0}
    assert with_video.arrays["video"].tobytes() == b"mp4"
    assert with_video.id != payload.id
    assert set(with_video.to_component()) == {"meta", "video", *payload.arrays}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta, arrays: arrays.pop("a_pose"), "lacks the array 'a_pose'"),
        (lambda meta, arrays: arrays.pop("body0_colors"), "lacks the array 'body0_colors'"),
        (lambda meta, arrays: arrays.pop("a_truth_mpjpe"), "lacks the array 'a_truth_mpjpe'"),
        (lambda meta, arrays: arrays.update(c_pose=arrays["a_pose"]), "does not name the array 'c_pose'"),
        (lambda meta, arrays: arrays.update(video=arrays["body0_colors"]), "must not hold the array 'video'"),
        (lambda meta, arrays: arrays.update(a_pose=arrays["a_pose"].astype(float)), "'a_pose' has type float64"),
        (lambda meta, arrays: arrays.update(a_root=arrays["a_root"][:-1]), "'a_root' has"),
        (lambda meta, arrays: arrays.update(a_vertices=arrays["a_vertices"][:-3]), "'a_vertices' has"),
        (lambda meta, arrays: arrays.update(body0_faces=arrays["body0_faces"][:-1]), "'body0_faces' has"),
        (lambda meta, arrays: meta.pop("fps"), "clip and payload_schema.json differ in fps"),
        (
            lambda meta, arrays: meta["candidates"][0].pop("centre"),
            "candidate and payload_schema.json differ in centre",
        ),
        (lambda meta, arrays: meta["candidates"][0]["measures"][0].update(hue=1), "measure and .* differ in hue"),
        (lambda meta, arrays: meta["bodies"][0].pop("nearest"), "body and payload_schema.json differ in nearest"),
        (lambda meta, arrays: meta["camera"].pop("fx"), "camera and payload_schema.json differ in fx"),
    ],
)
def test_a_payload_that_differs_from_the_schema_is_refused(change, message):
    payload = viewer_payload.make_payload(WALK, pair_of(WALK))
    meta, arrays = copy.deepcopy(dict(payload.meta)), dict(payload.arrays)
    change(meta, arrays)
    with pytest.raises(ValueError, match=message):
        viewer_payload.ViewerPayload(meta, arrays)


def test_a_thousand_frames_of_two_are_a_few_megabytes():
    sequence = replace(
        WALK, **{k: np.concatenate([getattr(WALK, k)] * 5)[:1000] for k in ("keypoints_px", "confidence", "joints_3d")}
    )
    payload = viewer_payload.make_payload(sequence, [pair_of(sequence)[0]] * 2)
    assert sum(array.nbytes for array in payload.arrays.values()) < 4e6


def test_the_browser_gets_the_body_that_the_library_poses():
    candidate = pair_of(WALK)[0]
    payload = viewer_payload.make_payload(WALK, [candidate]).arrays
    body, own = load_body(), candidate.lifted.body
    frame = 7
    rotations = pose_rotations(torch.from_numpy(own.global_orient[[frame]]), torch.from_numpy(own.body_pose[[frame]]))
    posed = body(rotations, torch.from_numpy(own.betas), torch.from_numpy(own.transl[[frame]]))
    turns = payload["a_turns"].reshape(-1, 24, 4)[frame].astype(np.float64)
    local = roma.unitquat_to_rotmat(torch.nn.functional.normalize(torch.from_numpy(turns), dim=-1)).numpy()
    rest = payload["a_rest"].reshape(24, 3).astype(np.float64)
    turn, place = [local[0]], [payload["a_root"].reshape(-1, 3)[frame].astype(np.float64)]
    for joint, parent in enumerate(BODY_PARENTS[1:], 1):
        turn.append(turn[parent] @ local[joint])
        place.append(place[parent] + turn[parent] @ (rest[joint] - rest[parent]))
    np.testing.assert_allclose(place, posed.joints[0].numpy(), atol=5e-4)
    skin = payload["a_vertices"].reshape(-1, 3)
    weights = payload["body0_weights"].reshape(-1, 4) / skinning.WEIGHT_STEPS
    influences = payload["body0_influences"].reshape(-1, 4)
    moved = sum(
        weights[:, k, None] * (np.einsum("vij,vj->vi", np.array(turn)[j], skin - rest[j]) + np.array(place)[j])
        for k, j in enumerate(influences.T)
    )
    off = np.linalg.norm(moved - posed.vertices[0].numpy(), axis=1)
    assert np.median(off) < 5e-4
    assert off.max() < 0.02  # a vertex in the armpit hangs on five joints, a graphics card takes four


def test_similarities_place_points_exactly():
    points = WALK.joints_3d[:5].astype(np.float64)
    R = roma.rotvec_to_rotmat(torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64)).numpy()
    placed = 1.3 * points @ R.T + [1.0, 2.0, 3.0]
    placed[2] = np.nan
    scale, quaternion, shift = np.split(viewer_payload.similarities(points, placed), [1, 5], axis=1)
    assert np.isnan(scale[2])
    known = [0, 1, 3, 4]
    turned = roma.quat_action(
        torch.from_numpy(quaternion[known])[:, None].expand(-1, 17, -1), torch.from_numpy(points[known])
    )
    np.testing.assert_allclose(scale[known, None] * turned.numpy() + shift[known, None], placed[known], atol=1e-9)


def test_payload_identity_follows_content():
    first = viewer_payload.make_payload(WALK, candidates_of(WALK)).meta["id"]
    assert viewer_payload.make_payload(WALK, candidates_of(WALK)).meta["id"] == first
    moved = replace(lifted_of(WALK), joints_3d=lifted_of(WALK).joints_3d + np.float32(0.01))
    assert viewer_payload.make_payload(WALK, [Candidate("stub", "moved", moved)]).meta["id"] != first


def test_payload_of_a_clip_without_a_lifted_person():
    nobody = replace(lifted_of(WALK), joints_3d=np.full_like(WALK.joints_3d, np.nan))
    meta = viewer_payload.make_payload(WALK, [Candidate("nobody", "nobody", nobody)]).meta
    json.dumps(meta, allow_nan=False)
    assert all(m["worst"] == [] for m in meta["candidates"][0]["measures"])


def test_truth_comes_first_and_its_absence_is_stated():
    with_truth = viewer_payload.make_payload(WALK, pair_of(WALK)).meta
    keys = ["pa_mpjpe", "n_mpjpe", "mpjpe", "disagreement", "reprojection", "bone_drift"]
    assert [m["key"] for m in with_truth["candidates"][0]["measures"]] == keys
    assert with_truth["sentence"] == ""
    bare = viewer_payload.make_payload(without_truth(WALK), candidates_of(without_truth(WALK))).meta
    assert [m["key"] for m in bare["candidates"][0]["measures"]] == ["reprojection", "bone_drift"]
    assert "no ground truth" in bare["sentence"]
    assert bare["curve"]["reference"] == "raw 2D input at the lifted depth"
    assert not bare["has_image_size"]


def test_both_candidates_share_one_colour_scale():
    first, second = viewer_payload.make_payload(WALK, pair_of(WALK)).meta["candidates"]
    assert [m["top"] for m in first["measures"]] == [m["top"] for m in second["measures"]]


def test_perfect_prediction_has_no_error_and_lies_on_the_truth():
    exact = Lifted(WALK.name, WALK.joints_3d, fps=WALK.fps)
    found = joint_errors.measures_of(WALK, exact)
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
    measure = next(m for m in joint_errors.measures_of(WALK, predicted) if m.key == key)
    np.testing.assert_allclose(measure.truth, predicted.joints_3d, atol=1e-4)


def test_bone_drift_blames_the_joint_at_the_end_of_the_bone():
    joints = WALK.joints_3d.copy()
    elbow, wrist = JOINT["l_elbow"], JOINT["l_wrist"]
    joints[7, wrist] = joints[7, elbow] + 1.5 * (joints[7, wrist] - joints[7, elbow])
    drift = joint_errors.measures_of(WALK, Lifted("", joints))[-1].values
    assert drift[7, wrist] == pytest.approx(50, abs=0.5)
    assert np.isnan(drift[:, JOINT["pelvis"]]).all()
    drift[7, wrist] = 0
    assert np.nanmax(drift) < 0.5


def test_worst_moments_are_ordered_and_apart():
    values = np.zeros((100, 2))
    values[[10, 12, 50, 99]] = [[5], [6], [9], [7]]
    values[30] = np.nan
    assert joint_errors.worst_moments(values, fps=20) == [50, 99, 12]  # 10 is the same moment as 12
    assert joint_errors.worst_moments(np.full((5, 2), np.nan), fps=20) == []


def test_one_long_bad_stretch_is_one_moment():
    values = np.repeat(np.sin(np.linspace(0, np.pi, 300))[:, None], 17, axis=1)
    assert joint_errors.worst_moments(values, fps=30) == pytest.approx([150], abs=1)


@pytest.mark.parametrize(("top", "shown"), [(0.0, 1), (73, 80), (151, 200), (0.011, 0.015), (np.nan, 1), (100, 100)])
def test_colour_scale_ends_on_a_round_number(top, shown):
    assert joint_errors.colour_top(np.array([top])) == pytest.approx(shown)


def test_ground_follows_a_slope_but_not_a_jump():
    slope = np.linspace(0.8, 1.2, 300, dtype=np.float32)
    joints = np.zeros((300, 17, 3), np.float32)
    joints[:, :, 1] = slope[:, None]
    joints[100:115, :, 1] -= 0.4  # half a second in the air
    joints[200:203] = np.nan
    ground = ground_y(joints, fps=30.0) - ANKLE_HEIGHT_M
    assert np.abs(ground - slope).max() < 0.06


def test_joint_labels():
    names = [labels.joint_label(name) for name in JOINT_NAMES]
    assert names[:3] == ["pelvis", "right hip", "right knee"]
    assert names[9:12] == ["neck/nose", "head top", "left shoulder"]


# Figures and tables


def test_frame_table_shows_missing_values():
    table = tables.frame_table(NOISY, lifted_of(NOISY), int((~NOISY.is_observed).any(1).argmax()))
    assert len(table) == 17
    assert table["u (px)"].isna().any()
    assert (table.loc[table["u (px)"].isna(), "confidence"] == 0).all()


# The pages


@pytest.fixture
def app(tmp_path, monkeypatch) -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(cache, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    monkeypatch.setattr(cache.Lifter, "load", classmethod(lambda cls, folder, model: StubLifter(model)))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def upload(app: AppTest, *files: tuple[str, bytes, str]) -> None:
    """What a user does on the Import page: drop files."""
    app.run().switch_page(IMPORT).run()
    app.file_uploader(key="upload").set_value(list(files))
    app.run()


def lift_chosen(app: AppTest) -> None:
    next(button for button in app.button if button.label.startswith("Lift ")).click()
    app.run()


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
    app.run().switch_page("explorer/pages/about.py").run()
    assert any("The model card of the stub." in text.value for text in app.markdown)


def test_frame_of_the_viewer_reaches_python(app):
    app.run()
    app.session_state["viewer"] = {"frame": 7}
    app.run()
    assert app.main.expander[0].label == "Numbers of frame 7"


def test_lifting_is_done_once(app, monkeypatch):
    calls = []
    lift = StubLifter.__call__
    monkeypatch.setattr(StubLifter, "__call__", lambda *a, **k: calls.append(1) or lift(*a, **k))
    app.run().run()
    app.switch_page("explorer/pages/errors.py").run()
    assert len(calls) == 2  # teacher and student


@pytest.mark.parametrize("page", PAGES)
def test_upload_without_ground_truth(app, page):
    upload(app, csv_of(WALK.frames(0, 40)))
    lift_chosen(app)
    app.switch_page(page).run()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="sequence").value == "walk.csv"
    said = " ".join(element.value for element in [*app.info, *app.markdown, *app.caption])
    assert "no ground truth" in said or page != "explorer/pages/errors.py"


def test_upload_of_two_people_offers_both(app):
    first, second = csv_of(WALK.frames(0, 40))[1], csv_of(WALK.frames(50, 70))[1]
    rows = first + b"\n" + b"\n".join(second.replace(b",1,", b",2,").splitlines()[1:])
    upload(app, ("two.csv", rows, "text/csv"))
    assert not app.exception
    table = app.dataframe[0].value
    assert len(table) == 2
    assert table["joints detected (%)"].notna().all()
    lift_chosen(app)
    person = app.selectbox(key="person of two.csv")
    assert len(person.options) == 2
    assert "40 frames" in person.options[0]


@pytest.mark.parametrize(
    "file", [("bad.json", b"{oops", "application/json"), ("empty.csv", b"", "text/csv"), ("x.npz", b"PK", "x")]
)
def test_broken_upload_is_an_error_message_and_loses_nothing(app, file):
    upload(app, csv_of(WALK.frames(0, 20)))
    lift_chosen(app)
    upload(app, file)
    assert not app.exception
    assert len(app.error) == 1
    assert app.error[0].value.startswith(f"{file[0]}:")  # the user's name for it, not our temporary path
    assert app.selectbox(key="sequence").value == "walk.csv"
    assert set(app.selectbox(key="sequence").options) == {"walk.csv", *CLIPS}
    app.switch_page(EXPLORE).run()
    assert len(app.get("bidi_component")) == 1


@pytest.fixture
def with_detector(tmp_path, monkeypatch):
    monkeypatch.setenv("POSENET3D_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POSENET3D_DETECTORS", str(tmp_path / "none"))
    monkeypatch.delitem(DETECTORS, "pose2d")
    monkeypatch.setitem(DETECTORS, "painted", PAINTED)


def test_video_is_imported_and_lifted(app, with_detector, tmp_path):
    upload(app, ("walk.mkv", filmed(tmp_path / "walk.mkv", 30).read_bytes(), "video/x-matroska"))
    assert not app.exception
    assert not app.error
    assert app.dataframe[0].value["picture"][0].startswith("data:image/jpeg")
    assert any("55 degrees are assumed" in text.value for text in app.caption)
    lift_chosen(app)
    app.switch_page(EXPLORE).run()
    assert app.selectbox(key="sequence").value == "walk.mkv"
    assert len(app.get("bidi_component")) == 1


def test_pictures_are_one_video_together(app, with_detector, tmp_path):
    folder = paint(tmp_path / "clip", 6)
    upload(app, *((f"IMG_{file.name}", file.read_bytes(), "image/png") for file in sorted(folder.iterdir())))
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="imported file").value == "IMG (6 pictures)"
    lift_chosen(app)
    assert app.session_state["sequence"] == "IMG (6 pictures)"


def test_field_of_view_sets_the_camera(app, with_detector, tmp_path):
    upload(app, ("walk.mkv", filmed(tmp_path / "walk.mkv", 5).read_bytes(), "video/x-matroska"))
    lift_chosen(app)
    assert app.session_state["choice"].sequence.K is None
    app.number_input(key="field of view").set_value(90.0).run()
    assert not app.exception
    sequence = app.session_state["choice"].sequence
    assert sequence.K[0, 0] == pytest.approx(sequence.image_size[0] / 2)
    assert any(text.value.startswith("Distance from the camera: student (stub)") for text in app.sidebar.caption)
    app.selectbox(key="sequence").set_value("synthetic walk").run()  # whose camera is known
    assert not any(box.key == "field of view" for box in app.number_input)


def test_broken_video_is_an_error_message(app, with_detector):
    upload(app, ("holiday.mp4", b"no film" * 100, "video/mp4"))
    assert not app.exception
    assert [error.value for error in app.error] == [
        "holiday.mp4: cannot be read as a video (it is text); "
        "give a video (mp4, mov, avi, webm, gif), an image or a folder of images."
    ]


def test_the_bundled_detector_is_there_and_a_better_one_is_offered(app, monkeypatch, tmp_path):
    monkeypatch.setenv("POSENET3D_DETECTORS", str(tmp_path / "none"))
    app.run().switch_page(IMPORT).run()
    assert not app.exception
    assert app.radio(key="detector").value == "pose2d"
    assert any("python -m posenet3d detectors --install mediapipe" in text.value for text in app.markdown)
    assert any(button.label == "Install MediaPipe" for button in app.button)
    monkeypatch.setattr("explorer.visitors.connection", lambda: Connection(ip="192.168.0.7"))
    app.run()
    assert not any(button.label == "Install MediaPipe" for button in app.button)
    assert any("python -m posenet3d detectors --install mediapipe" in text.value for text in app.markdown)


def test_second_upload_keeps_the_first_and_takes_the_frame_rate(app):
    first, second = csv_of(WALK.frames(0, 20), "first.csv"), csv_of(WALK.frames(0, 30), "second.csv")
    upload(app, first)
    app.number_input(key="upload_fps").set_value(60.0)
    upload(app, first, second)
    assert not app.error
    assert app.selectbox(key="imported file").value == "second.csv"
    lift_chosen(app)
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
    upload(app, *frames)
    assert not app.error
    assert not app.exception
    lift_chosen(app)
    assert app.selectbox(key="sequence").value == "clip (12 frames)"
    assert len(app.session_state["choice"].sequence) == 12
    assert app.session_state["choice"].sequence.name.startswith("clip")


def test_nothing_is_lifted_before_the_button(app, monkeypatch):
    calls = []
    lift = StubLifter.__call__
    monkeypatch.setattr(StubLifter, "__call__", lambda *a, **k: calls.append(1) or lift(*a, **k))
    upload(app, csv_of(WALK.frames(0, 40)))
    before = len(calls)
    lift_chosen(app)
    assert len(calls) == before + 2


def test_the_last_choice_is_stored_for_a_cancelled_lifting(app):
    app.run()
    app.selectbox(key="sequence").set_value(NOISY.name).run()
    settled = app.session_state["settled"]
    assert settled["sequence"] == NOISY.name
    assert settled["fit"] is True
    assert "upload" not in settled  # a file that was uploaded meanwhile stays


def test_export_offers_every_format_and_disables_those_that_need_a_body(app):
    app.run().switch_page(EXPORT).run()
    assert not app.exception
    buttons = {button.proto.label: button.proto.disabled for button in app.get("download_button")}
    assert len(buttons) == 10  # ours, eight formats, the page
    assert not any(buttons.values())
    app.radio[0].set_value("teacher (stub)").run()
    greyed = [b.proto.label.split(":")[0] for b in app.get("download_button") if b.proto.disabled]
    assert greyed == ["AMASS-style npz", "BVH", "glTF (.glb)", "OBJ", "3DPW's pickle"]


def test_export_places_the_person_by_a_checkbox_each(app):
    app.run().switch_page(EXPORT).run()
    assert [box.key for box in app.checkbox] == ["export --floor", "export --origin"]
    assert not any(box.value for box in app.checkbox)
    app.checkbox(key="export --floor").check().run()
    assert not app.exception
    assert app.checkbox(key="export --floor").value
    assert not app.checkbox(key="export --origin").value


def test_export_offers_a_format_that_is_one_record(app, monkeypatch):
    toy = ExportFormat("toy", ".toy", lambda lifted: Exported(b""), "Toy: nothing", options=())
    monkeypatch.setattr(formats, "EXPORT_FORMATS", (*formats.EXPORT_FORMATS, toy))
    app.run().switch_page(EXPORT).run()
    assert not app.exception
    assert "Toy: nothing" in [button.proto.label for button in app.get("download_button")]


def test_the_saved_page_holds_the_clip_and_fetches_nothing():
    payload = viewer_payload.make_payload(WALK, pair_of(WALK))
    payload = viewer_payload.ViewerPayload({**payload.meta, "name": "</script><b>"}, payload.arrays)
    page = standalone.standalone_page(payload).decode()
    assert len(page) < 2.5e6
    assert "</script><b>" not in page
    clip = json.loads(re.search(r'id="posenet3d-clip">(.*?)</script>', page, re.DOTALL)[1])
    block = gzip.decompress(base64.b64decode(clip["block"]))
    offset = 0
    for name, kind, size in clip["arrays"]:
        values = np.frombuffer(block, np.dtype(kind), size, offset)
        np.testing.assert_array_equal(values, payload.arrays[name])
        assert offset % values.itemsize == 0
        offset += values.nbytes
    assert offset == len(block)
    assert not re.search(r'(src|href)\s*=\s*"?http', page)


@pytest.mark.slow
@pytest.mark.skipif(not list_checkpoints(), reason="no checkpoint is bundled")
def test_opens_with_the_real_checkpoint():
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    assert not app.exception
    assert not app.error
    candidates = app.session_state["choice"].candidates
    assert [candidate.label for candidate in candidates] == ["student (joint)", "teacher (joint)"]
    assert all(candidate.lifted.joints_3d.shape == WALK.joints_3d.shape for candidate in candidates)


# The candidates


def test_every_model_is_on_offer_once():
    labels = list(sources_of(list_checkpoints()))
    assert labels == ["student (joint)", "teacher (joint)", "student (student)", "teacher (teacher)"]


def test_ground_truth_can_be_shown_and_is_forgotten_with_its_clip(app):
    app.run()
    app.selectbox(key="beside").set_value(GROUND_TRUTH).run()
    assert [candidate.label for candidate in app.session_state["choice"].candidates] == ["student (stub)", GROUND_TRUTH]
    np.testing.assert_array_equal(app.session_state["choice"].candidates[1].lifted.joints_3d, WALK.joints_3d)
    upload(app, csv_of(WALK.frames(0, 40)))
    lift_chosen(app)
    assert not app.exception
    assert app.selectbox(key="beside").value == "teacher (stub)"


# The address


def test_a_link_opens_the_same_view(app):
    app.query_params |= {"sequence": NOISY.name, "show": "teacher (stub)", "beside": NONE, "frame": "12"}
    app.run()
    assert not app.exception
    assert app.selectbox(key="sequence").value == NOISY.name
    assert app.selectbox(key="beside").value == NONE
    assert app.main.expander[0].label == "Numbers of frame 12"


@pytest.mark.parametrize("frame", ["-1", "100000", "x", "²", "9" * 5000])
def test_a_missing_frame_opens_the_first(app, frame):
    app.query_params["frame"] = frame
    app.run()
    assert not app.exception
    assert app.main.expander[0].label == "Numbers of frame 0"


def test_another_clip_starts_at_its_beginning(app):
    app.run()
    app.session_state["viewer"] = {"frame": 7}
    app.run()
    assert app.query_params["frame"] == "7"
    app.selectbox(key="sequence").set_value(NOISY.name).run()
    assert app.query_params["frame"] == "0"


def test_settings_survive_a_change_of_pages(app):
    app.run()
    app.number_input(key="height_m").set_value(1.5).run()
    app.switch_page("explorer/pages/about.py").run()
    app.switch_page("explorer/pages/explore.py").run()
    assert app.number_input(key="height_m").value == 1.5


@pytest.mark.parametrize("page", PAGES)
def test_without_a_checkpoint_the_app_explains_how_to_train_one(app, page, monkeypatch):
    monkeypatch.setattr(cache, "list_checkpoints", dict)
    app.run().switch_page(page).run()
    assert not app.exception
    assert "posenet3d train teacher" in app.error[0].value


def test_a_damaged_checkpoint_is_an_error_message(app, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(cache, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    app.run()
    assert not app.exception
    assert "config.json" in app.error[0].value


@pytest.mark.parametrize(
    ("file", "clip"),
    [("cam01.0000.json", "cam01"), ("a_b_000000000012_keypoints.json", "a_b"), ("0001.json", "upload"), ("w.csv", "w")],
)
def test_clip_name(file, clip):
    assert uploads.clip_name(file) == clip


def test_an_uploaded_name_cannot_leave_its_folder():
    buffer = io.BytesIO()
    np.savez(buffer, nothing=np.zeros(1))
    with pytest.raises(ValueError, match=r"^clip\.npz: "):
        cache.read_upload((("../../clip.npz", buffer.getvalue()),))


def test_no_page_prints_the_texts_of_its_code():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["runner"]["magicEnabled"] is False
    for page in (ROOT / "explorer" / "pages").glob("*.py"):
        statements = ast.parse(page.read_text()).body[1:]
        bare = [s.lineno for s in statements if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)]
        assert not bare, f"{page.name}: Streamlit would show line(s) {bare}"
