"""The video behind the joints: one picture per frame of the clip, whatever the video's own clock says."""

import io

import av
import numpy as np
import pytest
from helpers.videos import LEVELS, grey_video

from explorer.browser_video import KEY_FRAME_INTERVAL, MAX_HEIGHT_PX, transcode
from posenet3d.errors import InputError


def greys(content: bytes) -> list[float]:
    with av.open(io.BytesIO(content)) as container:
        return [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]


@pytest.fixture
def file(tmp_path):
    """Write a video to a file."""

    def write(content: bytes):
        path = tmp_path / "holiday.mp4"
        path.write_bytes(content)
        return path

    return write


def test_same_number_of_frames_goes_frame_by_frame(file):
    made = transcode(file(grey_video(LEVELS)), len(LEVELS), fps=60)  # the rates differ; a detector saw every frame
    assert greys(made.content) == pytest.approx(LEVELS, abs=3)
    assert made.original.size == (64, 48)


def test_other_number_of_frames_goes_by_time(file):
    made = transcode(file(grey_video(LEVELS, fps=30)), 20, fps=15)
    assert greys(made.content) == pytest.approx(LEVELS[1::2], abs=3)
    twice = transcode(file(grey_video(LEVELS, fps=30)), 80, fps=60)
    assert greys(twice.content) == pytest.approx(np.repeat(LEVELS, 2), abs=3)


@pytest.mark.slow
def test_copy_is_small_and_has_key_frames_to_jump_to(file):
    made = transcode(file(grey_video(LEVELS, size=(1280, 964))), len(LEVELS), fps=30)
    with av.open(io.BytesIO(made.content)) as container:
        frames = list(container.decode(video=0))
    assert frames[0].height == MAX_HEIGHT_PX
    assert [number for number, frame in enumerate(frames) if frame.key_frame] == list(
        range(0, len(frames), KEY_FRAME_INTERVAL)
    )
    assert made.original.size == (1280, 964)


def test_progress_reaches_the_end(file):
    told = []
    transcode(file(grey_video(LEVELS)), len(LEVELS), 30, told.append)
    assert told == sorted(told)
    assert told[-1] == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"hello" * 500, "cannot be read"), (b"", "cannot be read"), (grey_video(LEVELS)[:400], "cannot be read")],
    ids=["text", "empty", "truncated"],
)
def test_a_file_that_is_not_a_video_is_refused(file, content, problem):
    with pytest.raises(InputError, match=rf"holiday\.mp4: {problem}"):
        transcode(file(content), 40, 30)


def test_video_of_another_clip_is_refused(file):
    with pytest.raises(InputError, match=r"has 40 frames in 1\.3 s, and the clip 300 in 10\.0 s"):
        transcode(file(grey_video(LEVELS)), 300, 30)
