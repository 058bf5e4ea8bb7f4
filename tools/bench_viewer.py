"""How fast the explorer's 3D viewer is, beside the web viewers of rerun and viser, on one clip in one run.

rerun and viser are optional (`pip install rerun-sdk viser`); without them ours is measured alone. How it is measured:

- Each viewer is served on localhost by a process of its own and opened in headless Chromium, which draws in software.
  Clip: a person who turns, repeated to 300 frames at 30 fps; bodies of 7.4 thousand vertices from the bundled checkpoint,
  the second without the fit. The 3D views have one size in CSS pixels. Ours draws more: 2D input, error map, curves, a
  skeleton in its translucent skin, ground truth. rerun gets vertices and normals of every frame (without normals, half of its
  data, it draws a flat outline) and is told to take WebGL; viser gets a skinned mesh and, per frame, its bones.
- Bytes of a first visit, counted by a proxy. Program: by HTTP (ours: also the viewer's script, which comes with the data).
  Data: by WebSocket, or from rerun's gRPC server.
- First view: from the start of the navigation until the outline of the figures stands in the lower half of the 3D view as it does
  at rest; median of three visits after two others, so that server and HTTP cache are warm.
- Scrub step: from the key press (arrow right; viser: on its slider) until a picture in which the lower half of the 3D view has
  changed has come out of the browser (screencast, JPEG); 20 steps. The screencast itself costs time. Inside the page: to the
  animation frame after the one in which the viewer asked for its drawing, which software finishes later; the others do not
  tell that frame.
- Playing: animation frames in which WebGL drew, over five seconds without screencast (ours: and the clip's frame was another).
  Ours and rerun play in the browser, viser by a loop on its server. Where drawing is slow, as here, ours plays with fewer
  pixels, a third of the triangles and without the depth pass of translucent bodies, and moves numbers and cursors at every
  eighth frame.
- In brackets: how many times ours. Fewer is better, except in frames per second.
"""

import argparse
import base64
import io
import os
import platform
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from scipy.spatial.transform import Rotation

from explorer import cache
from explorer.compare.candidates import Actor
from explorer.viewer import BUNDLE, viewer
from posenet3d.body.motion import BodyMotion, body_motion
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONES
from posenet3d.io.atomic import atomic_write
from posenet3d.lifting.lifter import Lifter
from posenet3d.synthetic.sequences import bundled_sequences

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
FLAGS += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]  # nobody waits for servers elsewhere
WINDOW = (1300, 950)  # for ours; the others get one in which their 3D view is as large as ours
MOTION, FRAMES = "synthetic turn", 300  # on the spot, and no frame looks like the one before
SCENES = {"skeleton": "A body beside a skeleton", "meshes": "Two bodies side by side"}
APART_M, GREY, LENS_DEG, RERUN_LENS_DEG = 1.0, (169, 173, 181), 32.0, 55.0
VISITS, STEPS, PLAY_S, REST_S, QUIET_S, PATIENCE_S = 3, 20, 5.0, 2.0, 0.4, 120
LEVELS = 24  # of 255 that make another colour: more than the noise of a JPEG
SAME, MOVED, SOMEBODY = 0.005, 0.0005, 0.03  # shares of pixels

# Package, canvas, what takes the arrow keys, what takes space to play, and pixels above and in all around the 3D view.
VIEWERS = {
    "ours": ("streamlit", "canvas.stage", ".viewer", ".viewer", 0, (0, 0)),
    "rerun": ("rerun-sdk", "canvas", "canvas", "canvas", 28, (0, 58)),
    "viser": ("viser", "canvas", "[role=slider]", "[type=checkbox]", 0, (324, 0)),
}

LOGBOOK = """
const bench = window.bench = { pressed: 0, drawn: new Set(), changes: 0, shown: [] };
for (const name of ["log", "debug", "info"]) console[name] = () => {}; // each of rerun's 10,000 lines would travel to us
addEventListener("keydown", (event) => { bench.pressed = event.timeStamp; }, true);
for (const { prototype } of [WebGLRenderingContext, WebGL2RenderingContext])
  for (const name of Object.getOwnPropertyNames(prototype).filter((name) => /^draw(Arrays|Elements|Range)/.test(name))) {
    const draw = prototype[name];
    prototype[name] = function (...args) { bench.drawn.add(document.timeline.currentTime); return draw.apply(this, args); };
  }"""
WATCH_OURS = """(root) => new MutationObserver(() => {
  const { pressed } = bench;
  bench.changes += 1;
  requestAnimationFrame(() => requestAnimationFrame(() => bench.shown.push(performance.now() - pressed)));
}).observe(root, { attributes: true, attributeFilter: ["data-frame"] })"""


def main() -> None:
    """Measure, print the tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a Markdown file for the tables")
    parser.add_argument("--scenes", nargs="+", choices=list(SCENES), default=list(SCENES), help="usually both")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)  # how the servers are started
    args = parser.parse_args()
    if args.serve:
        name, scene, web, data = args.serve
        return {"ours": serve_ours, "rerun": serve_rerun, "viser": serve_viser}[name](scene, int(web), int(data))
    names = [name for name in VIEWERS if name == "ours" or find_spec(name)]
    if len(names) < len(VIEWERS):
        sys.stderr.write(f"Only {' and '.join(names)}: `pip install rerun-sdk viser` to compare.\n")
    with sync_playwright() as playwright:
        text = report(playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS), args.scenes, names)
    sys.stdout.write(text)
    if args.out:
        with atomic_write(args.out) as file:
            file.write(text.encode())


def report(browser: Browser, scenes: list[str], names: list[str]) -> str:
    """Conditions, a table for each scene (a column for each viewer, with its ratio to ours), footnotes."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    lines = [
        "# Speed of the viewer\n",
        f"Measured on {date.today()} by `make bench-viewer`: {os.cpu_count()} cores ({cpu.partition(': ')[2]}), load",
        f"{os.getloadavg()[0]:.1f} at the start, {platform.system()}, Python {platform.python_version()}, Streamlit",
        f"{version('streamlit')}, headless Chromium {browser.version}, drawing in software (SwiftShader).",
    ]
    stage = (0.0, 0.0)
    for scene in scenes:
        columns: dict[str, dict[str, float]] = {}
        for name in names:
            stage, columns[name] = measure(browser, name, scene, stage)
        heads = ["ours", *(f"{name} {version(VIEWERS[name][0])}" for name in names[1:])]
        lines += [f"\n## {SCENES[scene]}\n", f"| | {' | '.join(heads)} |", f"|---{'|---:' * len(heads)}|"]
        for row, ours in columns["ours"].items():
            others = [columns[name].get(row) for name in names[1:]]
            cells = ["-" if other is None else f"{digits(other)} ({digits(other / ours)})" for other in others]
            lines.append(f"| {' | '.join([row, digits(ours), *cells])} |")
    return "\n".join([*lines, "\n## Notes\n", (__doc__ or "").partition("measured:\n\n")[2]])


def digits(value: float) -> str:
    """Two of them, or all before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def measure(browser: Browser, name: str, scene: str, stage: tuple[float, float]) -> tuple[tuple[float, float], dict]:
    """The size of the 3D view (found for ours; the others get `stage`), and the viewer's column of the table."""
    sys.stderr.write(f"{scene}, {name}: bytes\n")
    _, canvas, _, _, top, around = VIEWERS[name]
    window = WINDOW if name == "ours" else (round(stage[0]) + around[0], round(stage[1]) + around[1])
    context = browser.new_context(viewport={"width": window[0], "height": window[1]})
    context.add_init_script(LOGBOOK)
    with served(name, scene) as (web, data):
        received: Counter[str] = Counter()
        film = Video(context.new_page(), (0, 0, *window))
        film.page.goto(address(name, tap(web, received, "program"), tap(data, received, "data")))
        film.wait_for_rest()
        if name == "ours":  # its script comes with the data
            received.update({"program": BUNDLE.stat().st_size, "data": -BUNDLE.stat().st_size})
        numbers = {"program, MB": received["program"] / 1e6, "the clip's data, MB": received["data"] / 1e6}
        box = film.page.locator(canvas).bounding_box() if name == "ours" else None
        x, y, width, height = box.values() if box else (0, top, *stage)
        times = []
        for visit in range(1 + VISITS):
            sys.stderr.write(f"{scene}, {name}: timing\n" * (visit == 1))
            film.page.close()
            film = Video(context.new_page(), (round(x), round(y + height / 2), round(x + width), round(y + height)))
            film.page.goto(address(name, web, data), wait_until="commit")
            if visit == 0:  # fills the browser's cache
                final = film.wait_for_rest()
            else:
                seen = film.find(0, lambda picture, final=final: (outline(picture) != final).mean() <= SAME)
                times.append(seen - film.page.evaluate("performance.timeOrigin / 1000"))
        film.wait_for_rest()
        numbers |= {"first view, s": float(np.median(times)), **scrub(film, name), **play(film, name)}
    context.close()
    sys.stderr.write(f"{scene}, {name}: done\n")
    return (width, height), numbers


def scrub(film: "Video", name: str) -> dict[str, float]:
    """Times from the key to the picture."""
    page, times = film.page, []
    if name == "ours":
        page.locator(".viewer").evaluate(WATCH_OURS)
    page.locator(VIEWERS[name][2]).last.focus()
    for _ in range(STEPS):
        while time.time() - film.shots[-1][0] < QUIET_S:
            page.wait_for_timeout(50)
        count, before = len(film.shots), film.picture(-1)
        page.keyboard.press("ArrowRight")
        seen = film.find(count, lambda picture, before=before: different(picture, before).mean() > MOVED)
        times.append(1000 * seen - page.evaluate("performance.timeOrigin + bench.pressed"))
    rows = {"scrub step, ms": times, "scrub step inside the page, ms": page.evaluate("bench.shown")}
    percents = (("median", 50), ("95 %", 95))
    return {f"{row}, {what}": float(np.percentile(rows[row], p)) for row in rows if rows[row] for what, p in percents}


def play(film: "Video", name: str) -> dict[str, float]:
    """What is drawn while the clip runs."""
    film.session.send("Page.stopScreencast")
    film.page.locator(VIEWERS[name][3]).last.focus()
    film.page.keyboard.press("Space")
    film.page.wait_for_timeout(1500)  # by then ours has found out how many pixels it can draw
    began = film.page.evaluate("bench.drawn.clear(), bench.changes = 0, performance.now()")
    film.page.wait_for_timeout(1000 * PLAY_S)
    drawn, changes, ended = film.page.evaluate("[bench.drawn.size, bench.changes, performance.now()]")
    rate = 1000 * (min(drawn, changes) if name == "ours" else drawn) / (ended - began)
    pixels = film.page.locator(VIEWERS[name][1]).last.evaluate("(canvas) => canvas.width * canvas.height")
    return {"playing, frames drawn per second": rate, "playing, thousand pixels per frame": pixels / 1000}


class Video:
    """The pictures that come out of the browser and when they came; only what is inside `area` is looked at."""

    def __init__(self, page: Page, area: tuple[int, int, int, int]):
        self.page, self.session, self._area = page, page.context.new_cdp_session(page), area
        self.shots: list[tuple[float, str]] = []  # seconds since 1970, JPEG
        self.session.on("Page.screencastFrame", self._keep)
        self.session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})

    def _keep(self, shot: dict) -> None:
        self.shots.append((time.time(), shot["data"]))
        with suppress(Exception):  # the page may be closing
            self.session.send("Page.screencastFrameAck", {"sessionId": shot["sessionId"]})

    def picture(self, index: int) -> np.ndarray:
        """(height, width, 3), 0 to 255."""
        with Image.open(io.BytesIO(base64.b64decode(self.shots[index][1]))) as image:
            return np.asarray(image.convert("RGB").crop(self._area)).astype(np.int16)

    def find(self, start: int, is_it: Callable[[np.ndarray], bool]) -> float:
        """When the first picture from number `start` on came that is it; waits for it."""
        deadline, index = time.monotonic() + PATIENCE_S, start
        while time.monotonic() < deadline:
            if index == len(self.shots):
                self.page.wait_for_timeout(10)
            elif is_it(self.picture(index)):
                return self.shots[index][0]
            else:
                index += 1
        raise SystemExit(f"{self.page.url} did not show what it should within {PATIENCE_S} s")

    def wait_for_rest(self) -> np.ndarray:
        """Until somebody is there and does not change any more; returns the outline."""
        now = np.zeros(1)
        for _ in range(int(PATIENCE_S / REST_S)):
            self.page.wait_for_timeout(1000 * REST_S)
            self.page.evaluate("new Promise(requestAnimationFrame)")  # software may lag behind by seconds
            before, now = now, outline(self.picture(-1))
            if now.mean() > SOMEBODY and (now != before).mean() <= SAME:
                return now
        raise SystemExit(f"{self.page.url} did not come to rest within {PATIENCE_S} s")


def different(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which pixels have another colour."""
    return np.abs(picture - other).max(-1) > LEVELS


def outline(picture: np.ndarray) -> np.ndarray:
    """Which pixels are not background."""
    return different(picture, np.median(picture, (0, 1)))


def tap(to: int, received: Counter[str], kind: str) -> int:
    """A port that passes connections on to another one and counts what comes back, a WebSocket always as data."""
    server = socket.create_server(("127.0.0.1", 0))

    def relay(source: socket.socket, sink: socket.socket, kinds: list[str], is_answer: bool) -> None:
        with suppress(OSError):  # either side may hang up
            while block := source.recv(1 << 16):
                if is_answer:
                    received[kinds[-1]] += len(block)
                elif b"upgrade: websocket" in block.lower():
                    kinds.append("data")
                sink.sendall(block)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):  # the viewer's server has gone
            while True:
                ends, kinds = (server.accept()[0], socket.create_connection(("127.0.0.1", to))), [kind]
                threading.Thread(target=relay, args=(*ends, kinds, False), daemon=True).start()
                threading.Thread(target=relay, args=(*reversed(ends), kinds, True), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]


def address(name: str, web: int, data: int) -> str:
    """What the browser opens."""
    query = f"?renderer=webgl&url=rerun%2Bhttp://127.0.0.1:{data}/proxy" if name == "rerun" else ""
    return f"http://127.0.0.1:{web}/{query}"


@contextmanager
def served(name: str, scene: str) -> Iterator[tuple[int, int]]:
    """A viewer's server in a process of its own; its ports for the page and (rerun) for the data."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        web, data = first.getsockname()[1], second.getsockname()[1]
    run = ["-m", "streamlit", "run", f"--server.port={web}", "--server.headless=true"] if name == "ours" else []
    command = [sys.executable, *run, __file__, *(["--"] if run else []), "--serve", name, scene, str(web), str(data)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while socket.socket().connect_ex(("127.0.0.1", web)) != 0:
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} did not start within {PATIENCE_S} s")
            time.sleep(0.5)
        yield web, data
    finally:
        server.terminate()
        server.wait(20)


def actors(scene: str) -> tuple[PoseSequence, list[Actor]]:
    """The clip and the two who are shown: a body, and a skeleton or a second body."""
    clip = next(sequence for sequence in bundled_sequences() if sequence.name == MOTION)
    rows = {field: getattr(clip, field) for field in ("keypoints_px", "confidence", "joints_3d")}
    clip = replace(clip, **{field: np.resize(values, (FRAMES, *values.shape[1:])) for field, values in rows.items()})
    student = Lifter.load(model="student")
    second = Lifter.load()([clip]) if scene == "skeleton" else student([clip], fit=False)
    return clip, [Actor("student", "first", student([clip])[0]), Actor("beside it", "second", second[0])]


def placed(scene: str, lens_deg: float) -> tuple[list[tuple[str, Actor, np.ndarray]], np.ndarray, np.ndarray]:
    """Names, actors and shifts; and from where to which point to look, about as ours does, so that they fill the height."""
    people = [(f"/{i}", actor, np.array([APART_M * i, 0, 0])) for i, actor in enumerate(actors(scene)[1])]
    target = np.mean([actor.lifted.joints_3d.mean((0, 1)) + shift for _, actor, shift in people], 0)
    return people, target + np.array([0.43, -0.16, -0.89]) / np.tan(np.radians(lens_deg / 2)), target


def moving(actor: Actor) -> tuple[BodyMotion, torch.Tensor, torch.Tensor]:
    """The body's motion, rotations (frames, 24, 3, 3) and betas of every frame."""
    motion = body_motion(actor.lifted, "camera")
    turns = torch.from_numpy(motion.rotations.as_matrix()).unflatten(0, (-1, 24))
    return motion, turns, torch.from_numpy(motion.betas).expand(FRAMES, -1)


def serve_ours(scene: str, *_: int) -> None:
    """A page with the viewer and nothing else; Streamlit has the port."""
    import streamlit as st

    st.set_page_config(layout="wide")
    viewer(cache.payload(*st.cache_resource(actors)(scene)))


def serve_rerun(scene: str, web: int, data: int) -> None:
    """Vertices and normals of every frame; what does not change is logged once."""
    import rerun as rr
    import rerun.blueprint as rrb

    people, eye, target = placed(scene, RERUN_LENS_DEG)
    view = rrb.Spatial3DView(eye_controls=rrb.EyeControls3D(position=eye, look_target=target, eye_up=(0, -1, 0)))
    clock = rrb.TimePanel(state="collapsed", timeline="frame", fps=30, play_state="paused", loop_mode="all")
    hidden = [panel(state="hidden") for panel in (rrb.TopPanel, rrb.BlueprintPanel, rrb.SelectionPanel)]
    rr.init("bench_viewer")
    rr.serve_grpc(grpc_port=data, default_blueprint=rrb.Blueprint(view, clock, *hidden), server_memory_limit="2GB")
    rr.log("/", rr.ViewCoordinates.RDF, static=True)
    for name, actor, shift in people:
        rows = [rr.LineStrips3D(lines, radii=0.0165) for lines in (actor.lifted.joints_3d + shift)[:, np.array(BONES)]]
        if actor.lifted.body is not None:
            motion, turns, betas = moving(actor)
            faces = motion.body.arrays.faces
            rr.log(name, rr.Mesh3D.from_fields(triangle_indices=faces, albedo_factor=GREY), static=True)
            skins = motion.body(turns, betas, torch.from_numpy(motion.transl + shift)).vertices.numpy()
            meshes = [trimesh.Trimesh(skin, faces, process=False) for skin in skins]
            rows = [rr.Mesh3D.from_fields(vertex_positions=m.vertices, vertex_normals=m.vertex_normals) for m in meshes]
        for frame, row in enumerate(rows):
            rr.set_time("frame", sequence=frame)
            rr.log(name, row)
    rr.serve_web_viewer(web_port=web, open_browser=False)
    threading.Event().wait()


def serve_viser(scene: str, web: int, _: int) -> None:
    """Skinned meshes, the way that sends least: 24 bones per frame."""
    import viser

    people, eye, target = placed(scene, LENS_DEG)
    server = viser.ViserServer("127.0.0.1", web, verbose=False)
    server.gui.main_panel.dock_right()
    server.scene.set_up_direction("-y")
    camera, moves = server.initial_camera, []
    camera.fov, camera.position, camera.look_at = float(np.radians(LENS_DEG)), eye, target
    for name, actor, shift in people:
        if actor.lifted.body is None:
            lines = (actor.lifted.joints_3d + shift)[:, np.array(BONES)]
            moves.append((server.scene.add_line_segments(name, lines[0], GREY, thickness=0.033), "points", lines))
            continue
        motion, turns, betas = moving(actor)
        arrays, skin = motion.body.arrays, motion.body.rest_vertices(betas[:1])[0].numpy()
        rest = {"bone_wxyzs": np.tile([1.0, 0, 0, 0], (24, 1)), "bone_positions": motion.rest}
        mesh = server.scene.add_mesh_skinned(name, skin, arrays.faces, skin_weights=arrays.weights, color=GREY, **rest)
        bones = motion.body.kinematics(turns, betas).numpy()
        wxyzs = Rotation.from_matrix(bones[..., :3].reshape(-1, 3, 3)).as_quat(scalar_first=True).reshape(-1, 24, 4)
        moves += [(bone, "wxyz", wxyzs[:, joint]) for joint, bone in enumerate(mesh.bones)]
        places = bones[..., 3] + (motion.transl + shift)[:, None]
        moves += [(bone, "position", places[:, joint]) for joint, bone in enumerate(mesh.bones)]

    def show(frame: int) -> None:
        with server.atomic():
            for node, what, values in moves:
                setattr(node, what, values[frame])
        server.flush()

    playing = server.gui.add_checkbox("Playing", False)
    slider = server.gui.add_slider("Frame", 0, FRAMES - 1, 1, 0)
    slider.on_update(lambda _: show(slider.value))
    show(0)
    while True:
        began = time.monotonic()
        if playing.value:
            slider.value = (slider.value + 1) % FRAMES
        time.sleep(max(0.0, 1 / 30 - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
