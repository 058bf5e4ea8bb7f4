"""The notebooks in the app: read from their files, shown part by part, and run in a Jupyter Lab that is up when it says so."""

import time
import urllib.request
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.notebooks import FOLDER, Lab, find_notebooks, notebook_of, read_notebook, without_file_links

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
