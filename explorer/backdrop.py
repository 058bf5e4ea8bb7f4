"""The video behind the joints: a small copy of it in which a browser can jump to any frame of the clip."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from posenet3d.errors import InputError

HEIGHT_PX = 480
"""The copy is at most this high: the panel in which it is shown is no larger."""

KEY_FRAME_EVERY = 10
"""A browser decodes from the last key frame to the one it wants; ten pictures take it a few milliseconds."""

QUALITY = {"crf": "26", "preset": "veryfast"}
SPARE = 0.01
"""A detector may have lost so many of the video's frames at its end and still have looked at every one."""


@dataclass(frozen=True)
class Backdrop:
    """The copy (MP4, H.264), one picture per frame of the clip, and the size in pixels of the video it was made from."""

    content: bytes
    size: tuple[int, int]
    fps: float


def backdrop(
    name: str, video: bytes, frames: int, fps: float, progress: Callable[[float], None] | None = None
) -> Backdrop:
    """Copy a video for a clip of `frames` frames.

    Where both have as many frames (within 1 %), frame by frame; else by time, with `fps` as the clip's.

    Args:
        name: of the file, for messages.
        video: the file, in any format that FFmpeg reads.
        frames: of the clip.
        fps: of the clip.
        progress: is told the share done.

    Raises:
        InputError: it is no video, or ends long before the clip does.
    """
    try:
        return _backdrop(name, video, frames, fps, progress or (lambda share: None))
    except av.error.FFmpegError as error:
        raise InputError(
            name, f"cannot be read as a video ({error.strerror})", "give an MP4, MOV, AVI, WebM or GIF"
        ) from error


def _backdrop(name: str, video: bytes, frames: int, fps: float, progress: Callable[[float], None]) -> Backdrop:
    times = _times(name, video)
    wanted = _wanted(times, frames, fps)
    if len(times) < frames and times[-1] < 0.5 * frames / fps:
        problem = f"has {len(times)} frames in {times[-1]:.1f} s, and the clip {frames} in {frames / fps:.1f} s"
        raise InputError(name, problem, "give the video that the joints were found in")
    rate = Fraction(fps).limit_denominator(1001)
    target, stream, size = io.BytesIO(), None, (0, 0)
    with av.open(target, "w", format="mp4") as out:
        for number, picture in _at(wanted, _pictures(video)):
            if stream is None:
                size = picture.full_size
                height, width = picture.pixels.shape[:2]
                stream = out.add_stream("libx264", rate=rate, options=QUALITY)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.gop_size, stream.max_b_frames = KEY_FRAME_EVERY, 0
            frame = av.VideoFrame.from_ndarray(picture.pixels, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
            progress((number + 1) / frames)
        if stream is not None:
            out.mux(stream.encode())
    return Backdrop(target.getvalue(), size, float(rate))


@dataclass(frozen=True)
class _Picture:
    pixels: np.ndarray  # height, width, 3; upright, small, both even
    full_size: tuple[int, int]


def _times(name: str, video: bytes) -> np.ndarray:
    """When each frame is shown, in seconds from the first, without decoding any."""
    with av.open(io.BytesIO(video), "r") as container:
        if not container.streams.video:
            raise InputError(name, "has no picture", "give a video")
        stream = container.streams.video[0]
        stamps = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
        base = float(stream.time_base or 1)
    if not stamps:
        raise InputError(name, "has no picture", "give a video")
    times = np.sort(np.array(stamps, dtype=float)) * base
    return times - times[0]


def _wanted(times: np.ndarray, frames: int, fps: float) -> np.ndarray:
    """The video's frame for each of the clip's."""
    if abs(len(times) - frames) <= max(2, SPARE * frames):
        return np.minimum(np.arange(frames), len(times) - 1)
    middle = (np.arange(frames) + 0.5) / fps  # of the time for which the clip's frame is shown
    return np.maximum(np.searchsorted(times, middle, side="right") - 1, 0)


def _pictures(video: bytes) -> Iterator[_Picture]:
    """Every frame in turn, upright."""
    with av.open(io.BytesIO(video), "r") as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            turns = round(frame.rotation / 90)  # phones film sideways and note it; counter-clockwise
            across = turns % 2 == 1
            height = frame.width if across else frame.height
            scale = min(1.0, HEIGHT_PX / height)
            small = frame.reformat(_even(frame.width * scale), _even(frame.height * scale), "rgb24")
            pixels = np.ascontiguousarray(np.rot90(small.to_ndarray(), turns))
            yield _Picture(pixels, (frame.height, frame.width) if across else (frame.width, frame.height))


def _at(wanted: np.ndarray, pictures: Iterator[_Picture]) -> Iterator[tuple[int, _Picture]]:
    """(frame of the clip, its picture); the last picture stands in where decoding ends early."""
    picture, index = next(pictures), 0
    for number, place in enumerate(wanted):
        while index < place:
            following = next(pictures, None)
            if following is None:
                break
            picture, index = following, index + 1
        yield number, picture


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))
