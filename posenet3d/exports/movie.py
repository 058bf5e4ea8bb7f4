"""Rendered videos of one lifted clip, or of two results beside each other, as MP4 or GIF.

VTK renders the images in a separate process (`posenet3d.exports.movie_worker`), because VTK aborts its process where OpenGL
libraries are missing.
"""

import functools
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import Colorspace
from PIL import Image

from posenet3d.body.motion import find_body
from posenet3d.core.lifted import Lifted
from posenet3d.errors import InputError
from posenet3d.exports.formats import Exported
from posenet3d.io.atomic import atomic_write
from posenet3d.io.lifted_npz import write_lifted
from posenet3d.io.vtk_process import ROOT, drawn_by, no_opengl

SIZES: dict[str, tuple[int, int]] = {".mp4": (1280, 720), ".gif": (704, 396)}
"""Suffix of a video to its default width and height in pixels."""

GIF_FPS = 15.0
"""Maximum frame rate of a GIF: beyond it files grow, and browsers start to slow them down."""

ORBIT_S = 10.0
"""Approximate seconds per round of the orbiting camera: slow enough to watch the motion meanwhile."""

N_PALETTE_IMAGES = 6
"""Images, evenly spaced over the clip, that the palette of a GIF is made from."""

PROBE_S = 120.0  # a machine under load takes seconds to import VTK; a broken driver hangs
WORKER = [sys.executable, "-m", "posenet3d.exports.movie_worker"]


class Panel(NamedTuple):
    """One result to show, with `label` written above it; its body is drawn if it has one, else its skeleton."""

    label: str
    lifted: Lifted


class Cancelled(Exception):  # noqa: N818 - not an error
    """The user cancelled the rendering."""


@functools.cache
def rendering_problem() -> str | None:
    """Return why this machine cannot render videos, with the remedy; None if it can. Tested once per process."""
    try:
        probe = subprocess.run(WORKER, cwd=ROOT, capture_output=True, timeout=PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return str(no_opengl("video"))
    return None if probe.returncode == 0 else str(no_opengl("video"))


def write_movie(
    path: str | Path,
    panels: Sequence[Panel],
    *,
    size: tuple[int, int] | None = None,
    orbit: bool = False,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> None:
    """Render one result, or two beside each other with the same camera, at the speed of the clip.

    The camera stands to the side of the input camera and follows the person. Frames without a person show the empty floor.
    A GIF of a clip with a high frame rate leaves out frames and keeps its speed.

    Args:
        path: of the video; its suffix chooses ``.mp4`` (H.264) or ``.gif``. The file appears whole or not at all.
        panels: one or two, of the same clip.
        size: width and height of the video in pixels, both even; that of `SIZES` if None.
        orbit: move the camera around the person, a whole number of rounds so that a loop closes.
        progress: is called after each image with the share done, 0 to 1.
        is_cancelled: is asked before each image whether to stop.

    Raises:
        InputError: another suffix, panels that do not fit, a body that is not installed, a clip without a person, a path
            that cannot be written, or a machine without OpenGL.
        Cancelled: `is_cancelled` returned true; there is no file.
    """
    plan = _plan(Path(path), panels, size, orbit)
    with atomic_write(path) as file:
        _render(plan, file, progress, is_cancelled)


def mp4_file(
    lifted: Lifted, beside: Lifted | None = None, labels: Sequence[str] | None = None, **options: Any
) -> Exported:
    """Return a rendered video as MP4.

    Args:
        lifted: the clip.
        beside: another result of the clip, shown beside it.
        labels: text above each result; by default the name of the clip, and the model if there are two results.
        options: `size`, `orbit`, `progress` and `is_cancelled` as for `write_movie`.

    Raises:
        InputError, Cancelled: as `write_movie`.
    """
    return _movie_file(".mp4", lifted, beside, labels, **options)


def gif_file(
    lifted: Lifted, beside: Lifted | None = None, labels: Sequence[str] | None = None, **options: Any
) -> Exported:
    """Return a rendered video as GIF; arguments and exceptions as for `mp4_file`."""
    return _movie_file(".gif", lifted, beside, labels, **options)


def _movie_file(
    suffix: str,
    lifted: Lifted,
    beside: Lifted | None,
    labels: Sequence[str] | None,
    *,
    size: tuple[int, int] | None = None,
    orbit: bool = False,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Exported:
    clips = [lifted] if beside is None else [lifted, beside]
    if labels is None:
        labels = [clip.name if beside is None else f"{clip.name} ({clip.model})" for clip in clips]
    if len(labels) != len(clips):
        raise InputError("--labels", f"{len(labels)} are given for {len(clips)} results", "give one for each result")
    panels = [Panel(label, clip) for label, clip in zip(labels, clips, strict=True)]
    content = io.BytesIO()
    _render(_plan(Path(f"video{suffix}"), panels, size, orbit), content, progress, is_cancelled)
    return Exported(content.getvalue())


@dataclass(frozen=True)
class _MoviePlan:
    """What to render.

    Attributes:
        suffix: of the file.
        panels: one or two results.
        size: width and height in pixels.
        fps: frame rate of the video.
        frames: frames of the clip that it shows.
        palette_frames: frames that are rendered before them for the palette of a GIF.
        orbits: rounds of the camera about the person.
    """

    suffix: str
    panels: Sequence[Panel]
    size: tuple[int, int]
    fps: Fraction
    frames: list[int]
    palette_frames: list[int]
    orbits: int


def _plan(path: Path, panels: Sequence[Panel], size: tuple[int, int] | None, orbit: bool) -> _MoviePlan:
    suffix = path.suffix.lower()
    if suffix not in SIZES:
        raise InputError(path, f"ends in {suffix!r}", f"a video ends in {' or '.join(SIZES)}")
    _check(panels)
    width, height = size or SIZES[suffix]
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise InputError(f"size {width}x{height}", "is not usable for a video", "give even numbers from 16")
    lifted, is_gif = panels[0].lifted, suffix == ".gif"
    step = int(np.ceil(lifted.fps / GIF_FPS)) if is_gif else 1
    frames = list(range(0, len(lifted), step))
    palette_frames = (
        [frames[i] for i in np.linspace(0, len(frames) - 1, N_PALETTE_IMAGES).astype(int)] if is_gif else []
    )
    orbits = max(1, round(len(lifted) / lifted.fps / ORBIT_S)) if orbit else 0
    fps = Fraction(lifted.fps).limit_denominator(1001) / step
    return _MoviePlan(suffix, panels, (width, height), fps, frames, palette_frames, orbits)


def _check(panels: Sequence[Panel]) -> None:
    if not 1 <= len(panels) <= 2:
        raise InputError("video", f"{len(panels)} results are to be shown", "give one or two")
    first = panels[0].lifted
    for label, lifted in panels:
        if len(lifted) != len(first) or lifted.fps != first.fps:
            problem = f"has {len(lifted)} frames at {lifted.fps:g} per second, {panels[0].label!r} {len(first)} at {first.fps:g}"
            raise InputError(label, problem, "show two results of the same clip")
        if not np.isfinite(lifted.joints_3d[:, 0]).all(-1).any():
            raise InputError(label, "has no frame with a person", "choose another clip")
        if lifted.body is not None:
            find_body(lifted.body.body_model)


def _render(
    plan: _MoviePlan,
    file: IO[bytes] | io.BytesIO,
    progress: Callable[[float], None] | None,
    is_cancelled: Callable[[], bool] | None,
) -> None:
    with _images(plan) as images:
        write = _write_gif if plan.suffix == ".gif" else _write_mp4
        write(file, plan, _watched(images, plan, progress, is_cancelled))


@contextmanager
def _images(plan: _MoviePlan) -> Iterator[Iterator[np.ndarray]]:
    """Yield the images of the worker, RGB (height, width, 3), as they are rendered; the worker ends with the block."""
    with tempfile.TemporaryDirectory(prefix="posenet3d-movie-") as name:
        folder = Path(name)
        for i, (label, lifted) in enumerate(plan.panels):
            write_lifted(folder / f"{i}.npz", [replace(lifted, name=label, packed_at=None)])
        settings = {"size": plan.size, "frames": plan.palette_frames + plan.frames, "orbits": plan.orbits}
        (folder / "movie.json").write_text(json.dumps(settings))
        width, height = plan.size
        with drawn_by([*WORKER, name], "video") as read:
            yield (
                np.frombuffer(read(height * width * 3), np.uint8).reshape(height, width, 3)
                for _ in range(len(plan.palette_frames) + len(plan.frames))
            )


def _watched(
    images: Iterable[np.ndarray],
    plan: _MoviePlan,
    progress: Callable[[float], None] | None,
    is_cancelled: Callable[[], bool] | None,
) -> Iterator[np.ndarray]:
    """Pass the images on, report the progress and stop when cancelled."""
    total = len(plan.palette_frames) + len(plan.frames)
    for done, image in enumerate(images, start=1):
        if is_cancelled is not None and is_cancelled():
            raise Cancelled
        yield image
        if progress is not None:
            progress(done / total)


def _write_mp4(file: IO[bytes] | io.BytesIO, plan: _MoviePlan, images: Iterator[np.ndarray]) -> None:
    with av.open(file, "w", format="mp4") as container:
        # Every player plays yuv420p, and players assume BT.709 for a video of this size.
        stream = container.add_stream("libx264", rate=plan.fps, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *plan.size, "yuv420p"
        stream.codec_context.colorspace = Colorspace.ITU709
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
        container.mux(stream.encode())


def _write_gif(file: IO[bytes] | io.BytesIO, plan: _MoviePlan, images: Iterator[np.ndarray]) -> None:
    """Write a GIF with one palette for all frames: the background stays the same, and only changes are stored."""
    palette = _palette([next(images) for _ in plan.palette_frames])
    colours = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
    chosen = np.array(palette.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(chosen), 1:] = chosen
    with av.open(file, "w", format="gif") as container:
        stream = container.add_stream("gif", rate=plan.fps)
        stream.width, stream.height, stream.pix_fmt = *plan.size, "pal8"
        for image in images:
            indices = np.asarray(Image.fromarray(image).quantize(palette=palette, dither=Image.Dither.NONE))
            frame = av.VideoFrame.from_ndarray((indices, colours), format="pal8")  # type: ignore[arg-type]  # stub is behind
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _palette(images: Sequence[np.ndarray]) -> Image.Image:
    """Return 256 colours for these images, with the exact colour of the background among them."""
    pixels = np.concatenate(images).reshape(-1, 3)
    distinct, counts = np.unique(pixels, axis=0, return_counts=True)
    # Each colour once: the large background must not take the palette from the person.
    others = Image.fromarray(distinct[None]).quantize(255).getpalette("RGB") or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*distinct[counts.argmax()].tolist(), *others[: 3 * 255]])
    return palette
