"""Decode the video stream of a file with FFmpeg: time stamps, upright frames with square pixels, damage passed over."""

import heapq
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.video.stream import VideoStream

from posenet3d.errors import InputError
from posenet3d.io.images import MAX_PIXELS, Picture, check_size, round_to_even

ACCEPTED_INPUT = "give a video (mp4, mov, avi, webm, gif), an image or a folder of images"

NOT_VIDEO = ("tty", "hls", "concat", "dash", "sdp", "image2", "imf", "lavfi", "rtsp", "webm_dash_manifest")
"""FFmpeg's demuxers that draw text as pictures, or open other files than the one that is given."""

HEAD_BYTES = 4096

NOT_TEXT = frozenset(range(32)) - {7, 8, 9, 10, 12, 13, 27}

DATA_STARTS = (
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"\x89HDF\r\n",
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"MATLAB",
)
"""Zip and npz, npy, HDF5, pickle, MATLAB: files of numbers, which FFmpeg might take for a raw stream."""

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")
"""FFmpeg would read one tile of such a photograph."""

MAX_READ_ERRORS = 20
"""After this many errors in a row, without a packet between them, a damaged file is at its end."""

MAX_PIXEL_ASPECT = 8.0
"""A larger ratio, or its inverse, is a mistake in the file: the pixels are shown square."""


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, by which its kind is recognised.

    Raises:
        InputError: it is no regular file, or cannot be read.
    """
    try:
        if not path.exists():
            raise InputError(path, "there is no such file", "check the path")
        if not path.is_file():  # opening a FIFO would wait for ever
            raise InputError(path, "is not a regular file", ACCEPTED_INPUT)
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(path, "cannot be read", "check the path and its permissions") from error


def is_text(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is text (or empty), not a video."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    return not head.startswith(b"YUV4MPEG2 ") and NOT_TEXT.isdisjoint(head)


def has_video_stream(path: Path, head: bytes) -> bool:
    """Return whether FFmpeg finds a video stream in a file that starts with `head`."""
    if is_text(head) or head.startswith(DATA_STARTS):
        return False
    try:
        with open_stream(path, head):
            return True
    except InputError:
        return False


@contextmanager
def open_stream(path: Path, head: bytes) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file that starts with `head`; yield its container and its first video stream that is no cover picture.

    Raises:
        InputError: FFmpeg cannot read the file, or it has no video stream.
    """
    if is_text(head):
        raise InputError(path, f"cannot be read as a video (it is {'text' if head else 'empty'})", ACCEPTED_INPUT)
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS:
        raise InputError(path, "is a HEIC photograph, which cannot be read", "save it as JPEG")
    try:
        container = av.open(  # "file:" and the list keep FFmpeg from opening anything on the network
            f"file:{path}", "r", metadata_errors="replace", container_options={"protocol_whitelist": "file"}
        )
        with container:
            streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
            if not streams or container.format.name in NOT_VIDEO:
                raise InputError(path, "has no video stream", ACCEPTED_INPUT)
            check_size(path, math.ceil(streams[0].width * max(1.0, _pixel_aspect(streams[0]))), streams[0].height)
            yield container, streams[0]
    except av.error.FFmpegError as error:
        raise InputError(path, f"cannot be read as a video ({error.strerror})", ACCEPTED_INPUT) from error


def packets(container: InputContainer, stream: VideoStream) -> Iterator["av.Packet[VideoStream]"]:
    """Yield the stream's packets, going on behind damaged places; the last one is empty and makes the decoder finish."""
    errors = 0
    while errors < MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                errors = 0
                yield packet
            return
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            errors += 1


def is_shown(packet: "av.Packet[VideoStream]") -> bool:
    """Return whether a packet holds a frame that is shown; the last packet is empty."""
    return packet.size > 0 and not packet.is_discard


def time_stamp(packet: "av.Packet[VideoStream]") -> int | None:
    """Return when a packet's frame is shown, in units of the stream's time base; AVI stores the time of decoding only."""
    return packet.dts if packet.pts is None else packet.pts


def decode(path: Path, head: bytes, height_px: int | None) -> Iterator[Picture | None]:
    """Yield a picture for every packet with a frame, in the order of their time stamps; None if it cannot be decoded.

    A frame is matched with its packet by time stamp. Where stamps cannot be trusted (none at all, or AVI with B-frames,
    which stores the order of decoding), frames are taken in order, and an error stands for one lost frame.

    Raises:
        InputError: the video cannot be opened.
    """
    with open_stream(path, head) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # the size may change in the middle
        is_avi_reordered = container.format.name == "avi" and bool(stream.codec_context.has_b_frames)
        aspect = _pixel_aspect(stream)
        waiting: list[int] = []  # stamps of packets whose frames are still to come, a heap
        early = 0  # frames that came before their packet: old AVI files keep two in one
        counted, latest = 0, -math.inf
        for packet in packets(container, stream):
            stamp = time_stamp(packet)
            has_stamps = stamp is not None and not is_avi_reordered
            if is_shown(packet):
                counted += 1
                if early:
                    early -= 1
                else:
                    heapq.heappush(waiting, stamp if has_stamps and stamp is not None else counted)
            try:
                frames = packet.decode()
            except av.error.FFmpegError:  # damage: go on with the next packet
                frames = []
                if not has_stamps and waiting and packet.size:
                    heapq.heappop(waiting)
                    yield None
            for frame in frames:
                stamp = frame.pts if (has_stamps or not packet.size) and not is_avi_reordered else None
                if stamp is not None and stamp < latest and stamp not in waiting:
                    continue  # behind damage a frame may come too late: its row is given already
                yield from [None] * _skip_before(waiting, stamp)
                latest = latest if stamp is None else stamp
                if waiting:
                    heapq.heappop(waiting)
                else:
                    early += 1
                yield _upright(frame, aspect, height_px)
        yield from [None] * len(waiting)


def _skip_before(waiting: list[int], stamp: int | None) -> int:
    """Drop the stamps before that of a decoded frame, whose frames are lost, and return how many they are."""
    if stamp is None or stamp not in waiting:
        return 0
    skipped = 0
    while waiting[0] < stamp:
        heapq.heappop(waiting)
        skipped += 1
    return skipped


def _pixel_aspect(stream: VideoStream) -> float:
    """Return the width of a pixel as it is shown, in units of its height."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT else 1.0


def _upright(frame: av.VideoFrame, pixel_aspect: float, height_px: int | None) -> Picture:
    """Return a decoded frame as it is shown: upright, not mirrored, RGB with square pixels, at most `height_px` high."""
    is_sideways, flip_rows, flip_columns = _orientation(frame)
    width, height = max(1, round(frame.width * pixel_aspect)), frame.height
    if height_px is not None:
        scale = min(1.0, height_px / (width if is_sideways else height))
        width, height = round_to_even(width * scale), round_to_even(height * scale)
    if (width, height) != (frame.width, frame.height):
        frame = frame.reformat(width, height, "rgb24")
    picture = frame.to_ndarray(format="rgb24")
    if is_sideways:
        picture = picture.transpose(1, 0, 2)
    return np.ascontiguousarray(picture[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])


def _orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """Return whether to exchange rows and columns, and then to reverse the rows and the columns, to show a frame.

    Phones record sideways, and front cameras mirrored. The file stores how to show it as a matrix (a b u, c d v, x y w)
    with x' = a x + c y and y' = b x + d y. Other angles than quarter turns are rounded to the nearest one.
    """
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(side_data, SideData):
        return False, False, False
    a, b, _, c, d, *_ = (int(value) for value in np.frombuffer(bytes(side_data), np.int32))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0
