"""Two visitors, hostile names and foreign content: nothing mixes, nothing breaks a page, nothing is fetched from elsewhere."""

import io
import json
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from helpers.painted import filmed
from helpers.stub_app import StubLifter, stub_checkpoints
from streamlit.testing.v1 import AppTest

from explorer import cache, uploads
from explorer.app import UNEXPECTED
from explorer.browser_video import transcode
from explorer.compare.candidates import LiftingOptions, Source
from explorer.markdown import as_text, without_pictures
from explorer.runs import read_log
from explorer.visitors import Connection
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.io.keypoints.formats import accepted_suffixes
from posenet3d.io.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from posenet3d.synthetic.sequences import bundled_sequences

ROOT = Path(__file__).parents[2]
WALK = replace(bundled_sequences()[0].frames(0, 20), image_size=(1000, 1000))


def test_thumbnails_belong_to_the_tracks_and_not_to_the_video_alone(tmp_path):
    st.cache_data.clear()
    video = transcode(filmed(tmp_path / "walk.mkv", 20), 20, 25)
    moved = replace(WALK, keypoints_px=WALK.keypoints_px * 0.5)
    first = cache.thumbnails(video, [WALK])
    both = cache.thumbnails(video, [WALK, moved])
    assert len(first) == 1
    assert len(both) == 2
    assert both[0] == first[0]
    assert cache.thumbnails(video, [moved]) == [both[1]] != first, "as many people, at other places"


# Who may do what


@pytest.mark.parametrize(
    ("visit", "is_local"),
    [
        (Connection(), True),
        (Connection(ip="127.0.0.1", host="localhost:8501"), True),
        (Connection(ip="::ffff:127.0.0.1", host="[::1]:8501"), True),
        (Connection(ip="10.0.0.2", host="localhost:8501"), False),
        (Connection(ip="rubbish", host="localhost:8501"), False),
        (Connection(host="evil.example:8501"), False),
        (Connection(host="[::1"), False),
        (Connection(host="localhost", is_forwarded=True), False),
    ],
)
def test_who_sits_at_this_computer(visit, is_local):
    assert visit.is_local == is_local


def test_the_settings_keep_the_app_to_this_computer_and_tracebacks_to_the_terminal():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "localhost"
    assert settings["client"]["showErrorDetails"] == "none"


def test_a_foreign_name_for_this_computer_shows_nothing(monkeypatch):
    monkeypatch.setattr("explorer.visitors.connection", lambda: Connection(host="evil.example"))
    monkeypatch.setattr("streamlit.get_option", {"server.address": "localhost"}.get)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    assert "--address" in app.error[0].value
    assert not app.selectbox


def test_a_fault_of_the_app_is_a_sentence(monkeypatch):
    def fail():
        raise RuntimeError("/home/owner/secret")

    monkeypatch.setattr("explorer.sidebar.choose", fail)
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert [error.value for error in app.error] == [UNEXPECTED]
    assert len(app.exception) == 1
    assert "secret" not in app.exception[0].value


# Uploads


def csv_of(name: str) -> tuple[str, bytes]:
    lines = ["frame,track,joint,x,y,confidence"]
    for frame, pose in enumerate(WALK.keypoints_px):
        lines += [f"{frame},1,{joint},{x:.1f},{y:.1f},1" for joint, (x, y) in zip(JOINT_NAMES, pose, strict=True)]
    return name, "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("walk.csv", "walk.csv"),
        ("../../w.csv", "w.csv"),
        ("..\\w.csv", "w.csv"),
        ("...csv", "upload.csv"),
        ("..csv", "upload.csv"),
        ("a\0b\n.csv", "a_b_.csv"),
        ("", "upload"),
        ("x" * 400 + "_0012.json", "x" * 145 + "_0012.json"),
        ("." + "x" * 400 + ".csv", "x" * 150 + ".csv"),
        ("ü" * 300 + ".csv", "ü" * 75 + ".csv"),
        ("\udce4.csv", "upload.csv"),
    ],
)
def test_names_of_temporary_copies_are_safe(name, kept):
    assert uploads.disk_name(name) == kept


@pytest.mark.parametrize("name", ["...csv", "..csv", "n\0l.csv", "ü" * 300 + ".csv", "12.csv", "_keypoints.csv"])
def test_any_name_can_be_uploaded(name):
    st.cache_data.clear()
    assert len(cache.read_upload((csv_of(name),))[0]) == 20
    with pytest.raises(InputError) as failure:
        cache.read_upload(((name, b"nothing"),))
    assert failure.value.file == name


def test_two_files_of_one_name_are_not_laid_over_each_other():
    st.cache_data.clear()
    with pytest.raises(InputError, match="is there twice in this upload"):
        cache.read_upload((csv_of("a.csv"), csv_of("a.csv")))


def test_one_list_of_kinds_for_the_app_and_the_command_line():
    known = {*VIDEO_SUFFIXES, *IMAGE_SUFFIXES, *accepted_suffixes()}
    assert set(uploads.ACCEPTED_SUFFIXES) == known
    assert {".wmv", ".mts", ".3gp", ".mpg", ".npy", ".txt"} < known


@pytest.fixture
def app(tmp_path, monkeypatch) -> AppTest:
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(cache, "list_checkpoints", lambda: stub_checkpoints(tmp_path / "stub"))
    monkeypatch.setattr(cache.Lifter, "load", classmethod(lambda cls, folder, model: StubLifter(model)))
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)


def upload(app: AppTest, *files: tuple[str, bytes]) -> None:
    app.run().switch_page("explorer/pages/import_clip.py").run()
    app.file_uploader(key="upload").set_value([(*file, "application/octet-stream") for file in files])
    app.run()


def test_a_visitor_has_a_limited_share_of_the_memory(app, monkeypatch):
    upload(app, csv_of("first.csv"))
    assert not app.error
    monkeypatch.setattr(uploads, "MAX_SESSION_BYTES", len(csv_of("")[1]) + 1000)
    upload(app, csv_of("second.csv"))
    assert not app.exception
    assert "reload the page to start again" in app.error[0].value
    assert list(app.session_state["uploaded"]) == ["first.csv"]


def test_what_was_assumed_of_a_keypoint_file_is_said(app):
    upload(app, csv_of("walk.csv"))
    assert not app.exception
    said = " ".join(caption.value for caption in app.caption)
    assert "30" in said
    assert "55 degrees are assumed" in said
    assert "in an image twice as large" in said


def test_labels_of_single_frames_are_one_clip():
    files = [NamedFile(f"clip_{number}.txt", b"0 0.5 0.5 0.1 0.1") for number in (1, 2)]
    assert list(uploads.group_keypoints(files)) == ["clip (2 frames)"]


class NamedFile(io.BytesIO):
    def __init__(self, name: str, content: bytes):
        super().__init__(content)
        self.name = name


# Text of others

BEACON = "![x](http://evil.example/a.png)"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("joints_3d: 2 of 3 (a.csv); give --fps.", "joints_3d: 2 of 3 (a.csv); give --fps."),
        (BEACON, r"!\[x\](http://evil.example/a.png)"),
        ("![a][b]\n\n[b]: http://evil.example", r"!\[a\]\[b\] \[b\]: http://evil.example"),
        ("<img src=x>", r"\<img src=x>"),
        (":red[x] :material/home: $x$ `y` *z* _w_ \\", r":red\[x\] \:material/home: \$x\$ \`y\` \*z\* \_w\_ \\"),
    ],
)
def test_text_of_others_is_drawn_as_it_is(text, markdown):
    assert as_text(text) == markdown


@pytest.mark.parametrize("picture", ["![x](u)", "!![x](u)", "!!!![x](u)", "![x][u]", "![![x](u)](u)"])
def test_documents_lose_their_pictures(picture):
    assert "![" not in without_pictures(f"# Card\n\n{picture} and [a link](u)")


def run_folder(runs: Path, name: str, stage: str = "teacher", line: str = "") -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    training = {"denoiser_steps": 10, "frame_steps": 10, "temporal_steps": 10}
    (folder / "config.json").write_text(json.dumps({"model": {}, "stage": stage, "training": training}))
    (folder / "metrics.jsonl").write_text(line)
    return folder


def drawn(app: AppTest) -> list[str]:
    """Every text that is drawn as Markdown."""
    kinds = (app.markdown, app.caption, app.error, app.warning, app.info, app.subheader)
    labels = [element.label for kind in (app.button, app.expander) for element in kind]
    return [element.value for kind in kinds for element in kind] + labels


def assert_fetches_nothing(app: AppTest) -> None:
    assert not app.exception
    assert not [text for text in drawn(app) if re.search(r"(?<!\\)!\[", text)]


def test_a_run_of_others_fetches_nothing(app, monkeypatch, tmp_path):
    monkeypatch.setenv("POSENET3D_RUNS", str(tmp_path / "runs"))
    line = json.dumps({"step": 1, "seconds": 1.0, "phase": "denoiser", BEACON: 1.0, f"val/{BEACON}": 1.0}) + "\n"
    run_folder(tmp_path / "runs", "a", line=line)
    app.run().switch_page("explorer/pages/training.py").run()
    assert_fetches_nothing(app)
    assert any("evil.example" in text for text in drawn(app))
    run_folder(tmp_path / "runs", "b", stage=BEACON)
    app.run()
    app.selectbox(key="run").set_value("runs/b").run()
    assert_fetches_nothing(app)
    assert "evil.example" in app.error[0].value


def test_a_model_card_and_a_checkpoint_of_others_fetch_nothing(app, monkeypatch, tmp_path):
    folder = stub_checkpoints(tmp_path / "other")["stub"]
    (folder / "README.md").write_bytes(f"# Card \xff\n\n!{BEACON}".encode("latin-1"))
    monkeypatch.setattr(cache, "list_checkpoints", lambda: {BEACON: folder})
    app.run().switch_page("explorer/pages/about.py").run()
    assert_fetches_nothing(app)
    assert any(text.startswith("# Card") for text in drawn(app))
    for page in ("explore", "errors", "smoothness", "export", "import_clip"):
        app.switch_page(f"explorer/pages/{page}.py").run()
        assert_fetches_nothing(app)


@pytest.mark.parametrize(
    "numbers",
    [
        '"step": NaN, "seconds": 1',
        '"step": 1e999, "seconds": 1',
        '"step": -5, "seconds": 1',
        '"step": 1, "seconds": NaN',
    ],
)
def test_one_bad_run_never_breaks_the_page(app, monkeypatch, tmp_path, numbers):
    monkeypatch.setenv("POSENET3D_RUNS", str(tmp_path / "runs"))
    run_folder(tmp_path / "runs", "good")
    run_folder(tmp_path / "runs", "bad", line=f'{{{numbers}, "phase": "x"}}\n')
    app.run().switch_page("explorer/pages/training.py").run()
    app.selectbox(key="run").set_value("runs/bad").run()
    assert not app.exception
    assert "line 1 is not a line of a training log" in app.error[0].value
    app.selectbox(key="run").set_value("runs/good").run()
    assert not app.exception
    assert not app.error


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_as_a_log_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(InputError, match="it is not a plain file"):
        read_log(tmp_path / "metrics.jsonl")


def test_long_results_do_not_pile_up(monkeypatch):
    source = Source("stub", ROOT / "posenet3d" / "checkpoints" / "joint", "teacher")
    st.cache_resource.clear()
    monkeypatch.setattr(cache.Lifter, "load", classmethod(lambda cls, folder, model: StubLifter(model)))
    monkeypatch.setattr(cache, "KEPT_RESULT_BYTES", 3 * 4 * 20 * 17 * 3 * 4)  # three results of 20 frames
    keys = [
        cache.lift(replace(WALK, name=f"clip {number}"), source, LiftingOptions(), lambda share: None)[0]
        for number in range(5)
    ]
    assert list(cache._results()) == keys[2:]
