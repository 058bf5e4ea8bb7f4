"""Take docs/screenshots: every page of the app in Chromium (`make screenshots`).

Starts the app with the bundled checkpoints on a free port and visits its pages one after the other.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from posenet3d.io.keypoints.csv_table import write_csv
from posenet3d.synthetic.sequences import bundled_sequences

ROOT = Path(__file__).parent.parent
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
WIDTH, HEIGHT = 1400, 950
NOISY = "sequence=synthetic+walk+%28noisy+detector%29"
PAGES = {  # name: address, text on the complete page, height of the image
    "explore": (f"?{NOISY}&frame=96", "Numbers of frame", HEIGHT),
    "errors": (f"errors?{NOISY}", "Joints below a threshold", 2000),
    "smoothness": (f"smoothness?{NOISY}", "Bone lengths", 2300),
    "training": ("training", "Settings", 1900),
    "import": ("import", "People in this file", HEIGHT),
    "export": (f"export?{NOISY}", "Download the comparison", HEIGHT),
    "about": ("about", "How to read the pages", HEIGHT),
}
START_S, SHOW_MS, SETTLE_MS = 120, 180_000, 8000


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots", help="folder of the images")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=WIDTH, help="of the browser's window, pixels")
    parser.add_argument("--only", nargs="*", choices=list(PAGES), default=list(PAGES))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = [f"--server.port={port}", "--server.headless=true", "--server.fileWatcherType=none"]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py"), *options]
    server = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            for name in args.only:
                page = browser.new_page(viewport={"width": args.width, "height": HEIGHT}, color_scheme=args.theme)
                take(page, f"http://127.0.0.1:{port}/", name, args.out / f"{name}.png")
                page.close()
            browser.close()
    finally:
        server.terminate()
        server.wait(10)


def take(page: Page, home: str, name: str, file: Path) -> None:
    """Take the screenshot of one page when everything on it is drawn."""
    address, text, height = PAGES[name]
    page.goto(home + address)
    if name == "import":
        with tempfile.TemporaryDirectory() as folder:
            clip, (first, *others) = Path(folder) / "clip.csv", bundled_sequences()
            write_csv(clip, [first, *(other for other in others if len(other) == len(first))])
            page.locator("input[type=file]").set_input_files(clip, timeout=SHOW_MS)
            page.get_by_text(text).first.wait_for(timeout=SHOW_MS)
    page.get_by_text(text).first.wait_for(timeout=SHOW_MS)
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=file)
    sys.stdout.write(f"{file}\n")


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Wait until the app answers."""
    for _ in range(2 * START_S):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.5)
    raise SystemExit(f"the app did not start within {START_S} s")


if __name__ == "__main__":
    main()
