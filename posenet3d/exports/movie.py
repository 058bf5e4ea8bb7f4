"""Films of one lifted clip, or of two beside each other, as MP4 or GIF.

The pictures are drawn by VTK in a process of its own (`posenet3d.exports.movie_worker`): where GL libraries are missing, VTK
does not raise an exception but kills the process that it runs in.
"""

import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import IO, NamedTuple

import av
import numpy as np
from av.video.reformatter import Colorspace
from PIL import Image

from posenet3d.core.lifted import Lifted
from posenet3d.errors import InputError
from posenet3d.exports.motion import find_body
from posenet3d.io.atomic import atomic_write
from posenet3d.io.lifted_npz import write_lifted
from posenet3d.io.vtk_process import ROOT, drawn_by, no_opengl

SIZES: dict[str, tuple[int, int]] = {".mp4": (1280, 720), ".gif": (704, 396)}
"""Ending of a film's file to its width and height in pixels, where nothing else is asked for."""

GIF_FPS = 15.0
"""A GIF has at most this many pictures per second: beyond it files grow, and browsers start to slow them down."""

TURN_S = 10.0
"""The camera goes round once in about this time: slow enough to watch the motion meanwhile."""

PROBE_S = 120.0  # a machine under load takes seconds to import VTK, a broken driver takes for ever
WORKER = [sys.executable, "-m", "posenet3d.exports.movie_worker"]


class Panel(NamedTuple):
    """One result to show: `label` is written above it; its body is drawn where it has one, else its skeleton."""

    label: str
    lifted: Lifted


class Cancelled(Exception):  # noqa: N818 - nothing went wrong
    """The user did not want the film any more."""


@functools.cache
def rendering_problem() -> str | None:
    """Why no film can be drawn on this machine, in a sentence with the remedy; None if one can. Asked once per process."""
    try:
        probe = subprocess.run(WORKER, cwd=ROOT, capture_output=True, timeout=PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return str(no_opengl("film"))
    return None if probe.returncode == 0 else str(no_opengl("film"))


def write_movie(
    path: str | Path,
    panels: Sequence[Panel],
    *,
    size: tuple[int, int] | None = None,
    is_turning: bool = False,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> None:
    """Film one result, or two beside each other with the same camera, at the speed of the clip.

    The camera stands to the side of the input camera and follows the person; frames in which nobody was seen show the empty
    floor. A GIF of a fast clip leaves out frames and keeps its speed.

    Args:
        path: where to; the ending decides, ``.mp4`` (H.264) or ``.gif``. Appears whole or not at all.
        panels: one or two, of the same clip.
        size: width and height of the picture in pixels, both even; that of `SIZES` if None.
        is_turning: the camera goes round the person, a whole number of times so that a loop closes.
        progress: is told the share that is done, 0 to 1, after each picture.
        is_cancelled: is asked before each picture whether to stop.

    Raises:
        InputError: another ending, panels that do not fit, a body that is not here, nobody in the clip, a place that
            cannot be written, or a machine without OpenGL.
        Cancelled: `is_cancelled` said so; there is no file.
    """
    film = _planned(Path(path), panels, size, is_turning)
    with atomic_write(path) as file, _pictures(film) as pictures:
        write = _write_gif if film.suffix == ".gif" else _write_mp4
        write(file, film, _watched(pictures, film, progress, is_cancelled))


@dataclass(frozen=True)
class _Film:
    suffix: str
    panels: Sequence[Panel]
    size: tuple[int, int]
    fps: Fraction
    frames: list[int]
    samples: list[int]  # drawn first, for a palette
    turns: int


def _planned(path: Path, panels: Sequence[Panel], size: tuple[int, int] | None, is_turning: bool) -> _Film:
    suffix = path.suffix.lower()
    if suffix not in SIZES:
        raise InputError(path, f"ends in {suffix!r}", f"a film ends in {' or '.join(SIZES)}")
    _check(panels)
    width, height = size or SIZES[suffix]
    if width < 16 or height < 16 or width % 2 or height % 2:
        raise InputError(f"size {width}x{height}", "is not that of a film", "give even numbers from 16")
    lifted = panels[0].lifted
    step = int(np.ceil(lifted.fps / GIF_FPS)) if suffix == ".gif" else 1
    frames = list(range(0, len(lifted), step))
    samples = [frames[i] for i in np.linspace(0, len(frames) - 1, N_SAMPLES).astype(int)] if suffix == ".gif" else []
    turns = max(1, round(len(lifted) / lifted.fps / TURN_S)) if is_turning else 0
    fps = Fraction(lifted.fps).limit_denominator(1001) / step
    return _Film(suffix, panels, (width, height), fps, frames, samples, turns)


def _check(panels: Sequence[Panel]) -> None:
    if not 1 <= len(panels) <= 2:
        raise InputError("film", f"{len(panels)} results are to be shown", "give one or two")
    first = panels[0].lifted
    for label, lifted in panels:
        if len(lifted) != len(first) or lifted.fps != first.fps:
            problem = f"has {len(lifted)} frames at {lifted.fps:g} per second, {panels[0].label!r} {len(first)} at {first.fps:g}"
            raise InputError(label, problem, "show two results of the same clip")
        if not np.isfinite(lifted.joints_3d[:, 0]).all(-1).any():
            raise InputError(label, "has no frame with a person", "choose another clip")
        if lifted.body is not None:
            find_body(lifted.body.body_model)


@contextmanager
def _pictures(film: _Film) -> Iterator[Iterator[np.ndarray]]:
    """The drawn pictures, RGB (height, width, 3), as they come from the worker; it is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="posenet3d-film-") as name:
        folder = Path(name)
        for i, (label, lifted) in enumerate(film.panels):
            write_lifted(folder / f"{i}.npz", [replace(lifted, name=label, packed_at=None)])
        settings = {"size": film.size, "frames": film.samples + film.frames, "turns": film.turns}
        (folder / "film.json").write_text(json.dumps(settings))
        width, height = film.size
        with drawn_by([*WORKER, name], "film") as read:
            yield (
                np.frombuffer(read(height * width * 3), np.uint8).reshape(height, width, 3)
                for _ in range(len(film.samples) + len(film.frames))
            )


def _watched(
    pictures: Iterable[np.ndarray],
    film: _Film,
    progress: Callable[[float], None] | None,
    is_cancelled: Callable[[], bool] | None,
) -> Iterator[np.ndarray]:
    total = len(film.samples) + len(film.frames)
    for done, picture in enumerate(pictures, start=1):
        if is_cancelled is not None and is_cancelled():
            raise Cancelled
        yield picture
        if progress is not None:
            progress(done / total)


def _write_mp4(file: IO[bytes], film: _Film, pictures: Iterator[np.ndarray]) -> None:
    with av.open(file, "w", format="mp4") as container:
        # yuv420p is the one that every player plays, BT.709 what they take for granted in a film of this size.
        stream = container.add_stream("libx264", rate=film.fps, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = *film.size, "yuv420p"
        stream.codec_context.colorspace = Colorspace.ITU709
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
        container.mux(stream.encode())


N_SAMPLES = 6
"""Pictures, evenly over the clip, that the palette of a GIF is made from."""


def _write_gif(file: IO[bytes], film: _Film, pictures: Iterator[np.ndarray]) -> None:
    """One palette for the whole film: the background then stays the same, and only what moves is stored."""
    palette = _palette([next(pictures) for _ in film.samples])
    colours = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
    chosen = np.array(palette.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(chosen), 1:] = chosen
    with av.open(file, "w", format="gif") as container:
        stream = container.add_stream("gif", rate=film.fps)
        stream.width, stream.height, stream.pix_fmt = *film.size, "pal8"
        for picture in pictures:
            indices = np.asarray(Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE))
            frame = av.VideoFrame.from_ndarray((indices, colours), format="pal8")  # type: ignore[arg-type]  # stub is behind
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _palette(samples: Sequence[np.ndarray]) -> Image.Image:
    """256 colours for pictures like these, the background's among them as it is."""
    pixels = np.concatenate(samples).reshape(-1, 3)
    distinct, counts = np.unique(pixels, axis=0, return_counts=True)
    # Each colour once: the wide background must not take the palette from the person.
    others = Image.fromarray(distinct[None]).quantize(255).getpalette("RGB") or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*distinct[counts.argmax()].tolist(), *others[: 3 * 255]])
    return palette
