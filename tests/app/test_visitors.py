"""Two visitors, hostile names and foreign content: nothing mixes, nothing breaks a page, nothing is fetched from elsewhere."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from helpers.painted import filmed
from streamlit.testing.v1 import AppTest

from explorer import cache
from explorer.app import UNEXPECTED
from explorer.browser_video import transcode
from explorer.visitors import Connection
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
