"""The viewer in a real browser: it draws, and keys, buttons and the pointer move the frame."""

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parent.parent
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
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "tests" / "app_with_stub.py"), *options]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)
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
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("requestfailed", lambda request: page.problems.append(request.url))
    page.on("request", lambda request: request.url.startswith(("http", "ws")) and page.addresses.add(request.url))
    page.addresses = set()
    page.goto(address)
    page.wait_for_selector(".viewer[data-frame]", timeout=90_000)
    yield page
    page.close()


def wait_for(port: int) -> None:
    for _ in range(120):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise AssertionError("the app did not start")


def frame(page) -> int:
    return int(page.locator(".frame-number").inner_text().split("/")[0])


def colours(png: bytes) -> int:
    """How many different colours a picture has; an empty canvas has a handful."""
    with Image.open(io.BytesIO(png)) as image:
        return len(image.convert("RGB").getcolors(maxcolors=1 << 24))


def test_keys_and_buttons_move_the_frame(page):
    viewer = page.locator(".viewer")
    viewer.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert frame(page) == 11
    page.keyboard.press("ArrowLeft")
    assert frame(page) == 10
    page.keyboard.press("End")
    last = frame(page)
    assert last == int(page.locator(".frame-number").inner_text().split("/")[1])
    page.keyboard.press("Home")
    page.locator("[data-action=worst]").click()
    worst = frame(page)
    assert worst > 0
    page.keyboard.press("ArrowRight")  # the click gave the keys to the viewer
    assert frame(page) == min(worst + 1, last)
    # Python is told where the viewer rests.
    page.get_by_text(f"Numbers of frame {min(worst + 1, last)}").wait_for(timeout=10_000)
    assert page.problems == []


def test_space_plays_and_pauses(page):
    page.locator(".viewer").focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(1000)
    page.keyboard.press("Space")
    stopped = frame(page)
    assert stopped > 3
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
    assert "frame" in page.locator(".tip").inner_text()


def test_everything_is_drawn_and_nothing_is_fetched_from_elsewhere(page, address):
    for canvas in ("canvas.stage", "canvas.picture", "canvas.heat", "canvas.curves"):
        assert colours(page.locator(canvas).screenshot()) > 12, canvas
    elsewhere = {url for url in page.addresses if not url.split("://")[1].startswith(address.split("://")[1])}
    assert elsewhere == set()
    assert page.problems == []


def test_narrow_window_stacks_without_overflow(page):
    page.set_viewport_size({"width": 480, "height": 900})
    page.wait_for_timeout(800)
    three, two = page.locator(".panel-3d").bounding_box(), page.locator(".panel-2d").bounding_box()
    assert two["y"] >= three["y"] + three["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
