"""A small copy of a video for the viewer, in which a browser can seek to any frame of the clip."""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from posenet3d.core.sequence import PoseSequence
from posenet3d.errors import InputError
from posenet3d.io.video import Picture, Video, open_video, read_frames

MAX_HEIGHT_PX = 480
"""The panel in which the copy is shown is no larger."""

KEY_FRAME_INTERVAL = 10
"""A browser decodes from the last key frame to the one it wants; ten pictures take it a few milliseconds."""

QUALITY = {"crf": "26", "preset": "veryfast"}
MAX_LOST_SHARE = 0.01
"""Up to this share of frames that a detector lost at the video's end, clip and video are matched frame by frame."""

THUMBNAIL_PX = 96


@dataclass(frozen=True)
class BrowserVideo:
    """The copy (MP4, H.264) with one picture per frame of the clip, and the video it was made from."""

    content: bytes
    original: Video
    fps: float  # of the copy: the clip's


def transcode(file: Path, frames: int, fps: float, progress: Callable[[float], None] | None = None) -> BrowserVideo:
    """Copy a video for a clip of `frames` frames.

    Clip and video are matched frame by frame where both have equally many frames (within 1 %), else by time.

    Args:
        file: the video, in any format that FFmpeg reads.
        frames: of the clip.
        fps: of the clip.
        progress: is given the share done, 0 to 1.

    Raises:
        InputError: the file is not a video, or the video ends long before the clip.
    """
    video = open_video(file)
    seconds = float(video.times_s[-1])
    if len(video) < frames and seconds < 0.5 * frames / fps:
        problem = f"has {len(video)} frames in {seconds:.1f} s, and the clip {frames} in {frames / fps:.1f} s"
        raise InputError(file.name, problem, "give the video in which the joints were detected")
    rate = Fraction(fps).limit_denominator(1001)
    target, stream = io.BytesIO(), None
    with av.open(target, "w", format="mp4") as out:
        for number, picture in _select(_source_frames(video, frames, fps), read_frames(file, MAX_HEIGHT_PX)):
            if stream is None:
                stream = out.add_stream("libx264", rate=rate, options=QUALITY)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.gop_size, stream.max_b_frames = KEY_FRAME_INTERVAL, 0
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
            if progress is not None:
                progress((number + 1) / frames)
        if stream is not None:
            out.mux(stream.encode())
    return BrowserVideo(target.getvalue(), video, float(rate))


def thumbnails(video: BrowserVideo, tracks: Sequence[PoseSequence]) -> list[str]:
    """Return a JPEG of each person as a data URL, cut out of the frame in which most joints were detected."""
    best = [int(track.confidence.sum(1).argmax()) for track in tracks]
    pictures = _read_pictures(video, set(best))
    return [_crop(pictures[frame], track, frame, video) for track, frame in zip(tracks, best, strict=True)]


def _source_frames(video: Video, frames: int, fps: float) -> np.ndarray:
    """Return the number of the video's picture for each frame of the clip."""
    if abs(len(video) - frames) <= max(2, MAX_LOST_SHARE * frames):
        return np.minimum(np.arange(frames), len(video) - 1)
    middle_s = (np.arange(frames) + 0.5) / fps  # of the time for which the clip's frame is shown
    return np.maximum(np.searchsorted(video.times_s, middle_s, side="right") - 1, 0)


def _select(wanted: np.ndarray, pictures: Iterator[Picture | None]) -> Iterator[tuple[int, Picture]]:
    """Yield each frame's number and picture; for a picture that cannot be decoded the one before it, or the first one."""
    known: Picture | None = None
    n_read, n_waiting = 0, 0  # pictures read; frames before the first picture
    for number, source in enumerate(wanted):
        while n_read <= source:
            picture = next(pictures, None)
            known = known if picture is None else picture
            n_read += 1
        if known is None:
            n_waiting += 1
            continue
        yield from ((earlier, known) for earlier in range(number - n_waiting, number))
        n_waiting = 0
        yield number, known


def _read_pictures(video: BrowserVideo, frames: set[int]) -> dict[int, Image.Image]:
    found: dict[int, Image.Image] = {}
    with av.open(io.BytesIO(video.content), "r") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in frames:
                found[number] = frame.to_image()
            if len(found) == len(frames):
                break
    return found


def _crop(picture: Image.Image, track: PoseSequence, frame: int, video: BrowserVideo) -> str:
    points = track.keypoints_px[frame][track.is_observed[frame]] * (picture.height / video.original.size[1])
    low, high = points.min(0), points.max(0)
    middle, half = (low + high) / 2, 0.65 * float(np.max(high - low)) + 4
    left, top, right, bottom = (int(value) for value in (*(middle - half), *(middle + half)))
    small = picture.crop((left, top, right, bottom)).resize((THUMBNAIL_PX, THUMBNAIL_PX))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()
