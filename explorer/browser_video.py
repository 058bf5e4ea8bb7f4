"""The video behind the joints: a small copy of it in which a browser can jump to any frame of the clip."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from posenet3d.errors import InputError
from posenet3d.io.video import Picture, Video, open_video, read_frames

HEIGHT_PX = 480
"""The copy is at most this high: the panel in which it is shown is no larger."""

KEY_FRAME_EVERY = 10
"""A browser decodes from the last key frame to the one it wants; ten pictures take it a few milliseconds."""

QUALITY = {"crf": "26", "preset": "veryfast"}
SPARE = 0.01
"""A detector may have lost so many of the video's frames at its end and still have looked at every one."""


@dataclass(frozen=True)
class Backdrop:
    """The copy (MP4, H.264), one picture per frame of the clip, and the film that it was made from."""

    content: bytes
    film: Video
    fps: float  # of the copy: the clip's


def backdrop(file: Path, frames: int, fps: float, progress: Callable[[float], None] | None = None) -> Backdrop:
    """Copy a video for a clip of `frames` frames.

    Where both have as many frames (within 1 %), frame by frame; else by time, with `fps` as the clip's.

    Args:
        file: the video, in any format that FFmpeg reads.
        frames: of the clip.
        fps: of the clip.
        progress: is told the share done.

    Raises:
        InputError: it is no video, or ends long before the clip does.
    """
    film = open_video(file)
    seconds = float(film.times_s[-1])
    if len(film) < frames and seconds < 0.5 * frames / fps:
        problem = f"has {len(film)} frames in {seconds:.1f} s, and the clip {frames} in {frames / fps:.1f} s"
        raise InputError(file.name, problem, "give the video that the joints were found in")
    rate = Fraction(fps).limit_denominator(1001)
    target, stream = io.BytesIO(), None
    with av.open(target, "w", format="mp4") as out:
        for number, picture in _at(_wanted(film, frames, fps), read_frames(file, HEIGHT_PX)):
            if stream is None:
                stream = out.add_stream("libx264", rate=rate, options=QUALITY)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size, stream.max_b_frames = KEY_FRAME_EVERY, 0
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
            if progress is not None:
                progress((number + 1) / frames)
        if stream is not None:
            out.mux(stream.encode())
    return Backdrop(target.getvalue(), film, float(rate))


def _wanted(film: Video, frames: int, fps: float) -> np.ndarray:
    """The film's picture for each frame of the clip."""
    if abs(len(film) - frames) <= max(2, SPARE * frames):
        return np.minimum(np.arange(frames), len(film) - 1)
    middle = (np.arange(frames) + 0.5) / fps  # of the time for which the clip's frame is shown
    return np.maximum(np.searchsorted(film.times_s, middle, side="right") - 1, 0)


def _at(wanted: np.ndarray, pictures: Iterator[Picture]) -> Iterator[tuple[int, Picture]]:
    """(frame of the clip, its picture); the last picture stands in where decoding ends early."""
    picture, index = next(pictures), 0
    for number, place in enumerate(wanted):
        while index < place:
            following = next(pictures, None)
            if following is None:
                break
            picture, index = following, index + 1
        yield number, picture
