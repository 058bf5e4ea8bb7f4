"""The viewer in a real browser: drawing, and moving the frame by keys, buttons and pointer."""

import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.videos import LEVELS, grey_video
from PIL import Image

from posenet3d.io.keypoints.csv_table import write_csv
from posenet3d.synthetic.sequences import bundled_sequences

CHROMIUM = Path("/usr/bin/chromium")
WAIT_S = 120.0
"""Limit for every state that is waited for: a busy machine that draws in software may take a minute for a first page."""
ROOT = Path(__file__).parents[2]
WALK = bundled_sequences()[0]
FLAGS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("app") / "log").open("w")
    options = [f"--server.port={port}", "--server.headless=true", "--server.fileWatcherType=none"]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "tests" / "helpers" / "stub_app.py"), *options]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(WAIT_S)
        log.close()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1300, "height": 950})
    page.set_default_timeout(1000 * WAIT_S)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(request.url))
    page.on("request", lambda request: request.url.startswith(("http", "ws")) and page.addresses.add(request.url))
    page.addresses, page.sent = set(), []
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: page.sent.append(socket.url)))
    page.goto(address)
    page.wait_for_selector(".viewer[data-frame]")
    yield page
    page.close()


def wait_for(port: int) -> None:
    until(lambda: is_listening(port), "the app starts")


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again until it is so."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"not within {WAIT_S:.0f} s: {what}"
        time.sleep(0.05)


def at_rest(canvas) -> bytes:
    """The picture of a canvas as soon as it has stopped changing."""
    pictures = [canvas.screenshot()]

    def is_still() -> bool:
        time.sleep(0.15)
        pictures.append(canvas.screenshot())
        return pictures[-1] == pictures[-2]

    until(is_still, "the picture comes to rest")
    return pictures[-1]


def changes(canvas, before: bytes, what: str) -> None:
    until(lambda: canvas.screenshot() != before, f"the picture changes: {what}")


def frame(page) -> int:
    return int(page.locator(".frame-number").inner_text().split("/")[0])


def is_at(page, number: int) -> None:
    until(lambda: frame(page) == number, f"frame {number} is shown")


def colours(png: bytes) -> int:
    """How many different colours a picture has; an empty canvas has a handful."""
    with Image.open(io.BytesIO(png)) as image:
        return len(image.convert("RGB").getcolors(maxcolors=1 << 24))


def test_keys_and_buttons_move_the_frame(page):
    viewer = page.locator(".viewer")
    viewer.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    is_at(page, 11)
    page.keyboard.press("ArrowLeft")
    is_at(page, 10)
    page.keyboard.press("End")
    last = int(page.locator(".frame-number").inner_text().split("/")[1])
    is_at(page, last)
    page.keyboard.press("Home")
    is_at(page, 0)
    page.locator("[data-action=worst]").click()
    until(lambda: frame(page) > 0, "the worst frame is shown")
    worst = frame(page)
    page.keyboard.press("ArrowRight")  # the click gave the keys to the viewer
    is_at(page, min(worst + 1, last))
    # Python is told where the viewer rests.
    page.get_by_text(f"Numbers of frame {min(worst + 1, last)}").wait_for()
    assert page.problems == []


def test_space_plays_and_pauses(page):
    page.locator(".viewer").focus()
    page.keyboard.press("Space")
    until(lambda: frame(page) > 3, "it plays")
    page.keyboard.press("Space")
    stopped = frame(page)
    page.wait_for_timeout(400)
    assert frame(page) == stopped


def test_dragging_on_the_error_map_seeks(page):
    box = page.locator(".heat").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.down()
    first = frame(page)
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=4)
    page.mouse.up()
    last = int(page.locator(".frame-number").inner_text().split("/")[1])
    assert first == pytest.approx(last / 4, abs=2)
    assert frame(page) == pytest.approx(last * 3 / 4, abs=2)
    assert "frame" in page.locator(".tooltip").inner_text()


def test_everything_is_drawn_and_nothing_is_fetched_from_elsewhere(page, address):
    for canvas in ("canvas.stage", "canvas.picture", "canvas.heat", "canvas.curves"):
        until(lambda canvas=canvas: colours(page.locator(canvas).screenshot()) > 12, f"{canvas} is drawn")
    elsewhere = {url for url in page.addresses if not url.split("://")[1].startswith(address.split("://")[1])}
    assert elsewhere == set()
    assert page.problems == []


def test_two_bodies_are_drawn_and_move(page):
    stage = page.locator("canvas.stage")
    assert page.locator(".labels span").all_inner_texts() == ["student (stub)", "teacher (stub)"]
    before = at_rest(stage)
    page.locator(".viewer").focus()
    page.keyboard.press("Shift+ArrowRight")
    changes(stage, before, "another frame")
    beside = at_rest(stage)
    page.keyboard.press("o")
    changes(stage, beside, "one over the other")
    page.locator("[data-option=align]").wait_for(state="visible")
    assert page.problems == []


def test_every_option_changes_the_picture(page):
    stage = page.locator("canvas.stage")
    page.locator(".viewer").focus()
    page.keyboard.press("Shift+ArrowRight")
    for option in ("truth", "follow", "trails", "onion", "fromCamera"):
        before = at_rest(stage)
        page.locator(f"[data-option={option}]").click()
        changes(stage, before, option)
    for option, value in (("parts", "body"), ("colour", "errors"), ("layout", "over"), ("align", "procrustes")):
        before = at_rest(stage)
        page.locator(f"[data-option={option}]").select_option(value)
        changes(stage, before, option)


def test_playing_costs_the_server_nothing(page):
    page.on("request", lambda request: page.sent.append(request.url))
    page.locator(".viewer").focus()
    falls_silent(page)
    page.sent.clear()
    page.keyboard.press("Space")
    until(lambda: frame(page) > 20, "it plays")
    assert page.sent == []
    assert "frame=0" in page.url  # Python hears of the frame on pause only
    page.keyboard.press("Space")
    page.wait_for_url(lambda url: "frame=0" not in url)


def falls_silent(page) -> None:
    """Wait until the page has sent nothing for 0.8 s."""

    def is_silent() -> bool:
        before = len(page.sent)
        page.wait_for_timeout(800)
        return len(page.sent) == before

    until(is_silent, "nothing is sent")


def test_a_link_and_a_reload_keep_the_frame(page):
    page.locator(".viewer").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**frame=10**")
    page.reload()
    page.wait_for_selector(".viewer[data-frame='10']")
    assert frame(page) == 10


def test_options_and_frame_survive_a_change_of_pages(page):
    page.locator("[data-option=trails]").click()
    page.locator(".viewer").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**frame=10**")
    page.get_by_role("link", name="About").click()
    page.get_by_text("How to read the pages").wait_for()
    page.get_by_role("link", name="Explore").click()
    page.wait_for_selector(".viewer[data-frame='10']")
    assert page.locator("[data-option=trails]").is_checked()
    assert frame(page) == 10


def test_options_stored_by_an_earlier_version_are_read(page):
    page.evaluate("sessionStorage.setItem('posenet3d-viewer', JSON.stringify({ colour: 'actors' }))")
    page.reload()
    page.wait_for_selector(".viewer[data-frame]", timeout=90_000)
    assert page.locator("[data-option=colour]").input_value() == "candidates"


def test_the_picture_is_a_png(page):
    with page.expect_download() as download:
        page.locator("[data-action=screenshot]").click()
    with Image.open(download.value.path()) as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(maxcolors=1 << 24)) > 50


def test_upload_preview_lift(page, tmp_path):
    file = tmp_path / "mine.csv"
    write_csv(file, [WALK.frames(0, 40)])
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text("People in this file").wait_for()
    page.get_by_role("button", name="Lift mine").click()
    page.wait_for_selector(".viewer[data-frame]")
    assert page.locator(".frame-number").inner_text() == "0 / 39"
    page.get_by_role("link", name="Import").click()
    bad = tmp_path / "bad.json"
    bad.write_text("{oops")
    page.locator("input[type=file]").first.set_input_files(bad)
    page.get_by_text("bad.json:").wait_for()
    page.get_by_role("link", name="Explore").click()
    page.wait_for_selector(".viewer[data-frame]")
    assert page.locator(".frame-number").inner_text() == "0 / 39"


def test_the_video_is_behind_the_joints_frame_by_frame(page, tmp_path):
    file, video = tmp_path / "mine.csv", tmp_path / "mine.mp4"
    write_csv(file, [WALK.frames(0, 40)])
    video.write_bytes(grey_video(LEVELS, size=WALK.image_size))
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text("Video behind the joints").click()
    page.locator("input[type=file]").nth(1).set_input_files(video)
    page.get_by_text("1000 x 1000 pixels, 40 frames, 30 per second").wait_for()
    page.get_by_role("button", name="Lift mine").click()
    page.wait_for_selector(".viewer[data-frame]")
    page.locator("[data-option=whole]").click()
    page.locator(".viewer").focus()
    picture = page.locator("canvas.picture")
    for keys, number in (("Shift+ArrowRight", 10), ("Shift+ArrowRight", 20), ("ArrowLeft", 19), ("End", 39)):
        page.keyboard.press(keys)
        until(lambda number=number: abs(level_of(picture.screenshot()) - LEVELS[number]) <= 3, f"the video at {number}")


def level_of(png: bytes) -> float:
    """The commonest grey of a picture's middle column band: the video, for joints are thin."""
    with Image.open(io.BytesIO(png)) as image:
        grey = np.asarray(image.convert("L"))
    middle = grey[:, grey.shape[1] * 2 // 5 : grey.shape[1] * 3 // 5]
    return float(np.bincount(middle.ravel()).argmax())


def test_lifting_can_be_cancelled(page, tmp_path):
    file = tmp_path / "long.csv"
    write_csv(
        file,
        [
            replace(
                WALK,
                keypoints_px=np.tile(WALK.keypoints_px, (3, 1, 1)),
                confidence=np.tile(WALK.confidence, (3, 1)),
                joints_3d=None,
            )
        ],
    )
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_role("button", name="Lift long").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Lifting long").wait_for(state="detached")
    page.get_by_role("link", name="Explore").click()
    page.wait_for_selector(".viewer[data-frame]")
    assert page.locator(".title").inner_text() == "synthetic walk"


def test_two_visitors_do_not_see_each_other(page, browser, address, tmp_path):
    file = tmp_path / "private.csv"
    write_csv(file, [WALK.frames(0, 40)])
    page.get_by_role("link", name="Import").click()
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text("People in this file").wait_for()
    other = browser.new_page()
    other.set_default_timeout(1000 * WAIT_S)
    other.goto(f"{address}/import")
    other.get_by_text("Upload a file above").wait_for()
    assert other.get_by_text("private").count() == 0
    other.close()


def test_the_saved_page_opens_from_disk(page, browser, tmp_path):
    page.get_by_role("link", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the comparison").click()
    path = tmp_path / "comparison.html"
    download.value.save_as(path)
    alone, asked = browser.new_page(viewport={"width": 1300, "height": 950}), []
    alone.set_default_timeout(1000 * WAIT_S)
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(path.as_uri())
    alone.wait_for_selector(".viewer[data-frame]")
    alone.locator(".viewer").focus()
    alone.keyboard.press("Shift+ArrowRight")
    is_at(alone, 10)
    until(lambda: colours(alone.locator("canvas.stage").screenshot()) > 50, "figures are drawn")
    assert asked == [path.as_uri()]
    alone.close()


def test_narrow_window_stacks_without_overflow(page):
    page.set_viewport_size({"width": 480, "height": 900})

    def is_stacked() -> bool:
        three, two = page.locator(".panel-3d").bounding_box(), page.locator(".panel-2d").bounding_box()
        return two["y"] >= three["y"] + three["height"]

    until(is_stacked, "the panels are one below the other")
    until(lambda: page.evaluate("document.documentElement.scrollWidth") <= 480, "nothing is wider than the window")
