"""The notebooks in the app: read from their files, shown part by part, and run in a Jupyter Lab that is up when it says so."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.notebooks import FOLDER, Lab, find_notebooks, notebook_of, read_notebook, without_file_links
from explorer.visitors import Connection

PAGE = str(Path(__file__).parents[2] / "explorer" / "pages" / "learn.py")


def test_every_notebook_has_a_title_text_code_and_pictures():
    assert list(find_notebooks()) == sorted(file.stem for file in FOLDER.glob("[0-9][0-9]_*.py"))
    for notebook in map(read_notebook, find_notebooks().values()):
        kinds = [part.kind for part in notebook.parts()]
        assert {"markdown", "code", "picture"} <= set(kinds)
        assert notebook.title[0] == Path(notebook.file).stem[1]
        assert notebook.answers()


def test_stages_lead_to_their_notebooks():
    assert notebook_of("teacher") == "02_teacher"
    assert notebook_of("student") == "04_student"
    assert notebook_of("joint") == "05_joint"
    assert notebook_of("nonsense") is None


def test_links_to_files_become_text_and_others_stay():
    text = "See [answers](answers/01.md) and [the paper](https://example.org/a)."
    assert without_file_links(text) == "See answers and [the paper](https://example.org/a)."


def test_the_page_shows_the_chosen_notebook():
    app = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not app.exception
    first = next(iter(find_notebooks()))
    assert app.selectbox(key="notebook").value == first
    app.selectbox(key="notebook").set_value("03_time").run()
    assert not app.exception
    assert any("What neighbouring frames are good for".lower() in words.value.lower() for words in app.markdown)
    assert len(app.code) > 5
    assert app.expander[0].label == "Answers"


def test_without_notebooks_the_page_explains_it(monkeypatch, tmp_path):
    monkeypatch.setattr("explorer.notebooks.FOLDER", tmp_path)
    monkeypatch.setattr("explorer.notebooks.find_notebooks.__defaults__", (tmp_path,))
    app = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not app.exception
    assert str(tmp_path) in app.info[0].value


def test_without_jupyter_the_page_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    app = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not app.exception
    assert "posenet3d-explorer[learn]" in app.caption[0].value
    assert not app.button


@pytest.mark.slow
def test_jupyter_lab_answers_when_it_is_up(tmp_path):
    (tmp_path / "one.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    lab = Lab(tmp_path)
    try:
        for _ in range(120):
            if lab.is_up():
                break
            time.sleep(0.5)
        assert lab.is_up()
        with urllib.request.urlopen(lab.address("one"), timeout=20) as page:
            assert "JupyterLab" in page.read().decode()
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://localhost:{lab.port}/api/contents/one.ipynb", timeout=20)
    finally:
        lab.close()


def test_the_token_is_not_on_the_command_line(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr("subprocess.Popen", lambda command, **options: seen.update(options, command=command))
    lab = Lab(tmp_path)
    assert lab.token not in " ".join(seen["command"])
    assert seen["env"]["JUPYTER_TOKEN"] == lab.token


@pytest.mark.parametrize(
    "visit",
    [
        Connection(ip="192.168.0.7", host="localhost:8501"),
        Connection(host="evil.example"),
        Connection(is_forwarded=True),
    ],
)
def test_only_visitors_at_this_computer_may_start_jupyter(monkeypatch, visit):
    monkeypatch.setattr("explorer.visitors.connection", lambda: visit)
    app = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not app.exception
    assert not app.button
    assert "make lab" in app.caption[0].value
    monkeypatch.setattr("explorer.visitors.connection", lambda: Connection(host="127.0.0.1:8501"))
    app.run()
    assert [button.label for button in app.button] == ["Run in Jupyter Lab"]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_jupyter_lab_ends_with_an_app_that_is_killed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from explorer.notebooks import Lab; lab = Lab(Path(sys.argv[1])); "
        "print(lab.port, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(PAGE).parents[2], stdout=subprocess.PIPE, text=True) as parent:
        port = int(parent.stdout.readline())
        try:
            assert reaches(port, is_up=True)
        finally:
            parent.kill()
    assert reaches(port, is_up=False)


def reaches(port: int, *, is_up: bool) -> bool:
    """Whether the server is up, or down, within a minute."""
    for _ in range(120):
        with socket.socket() as probe:
            if (probe.connect_ex(("127.0.0.1", port)) == 0) == is_up:
                return True
        time.sleep(0.5)
    return False
