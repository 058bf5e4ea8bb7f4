"""Videos: what is known before decoding, frames upright and in order, sentences for what is no video."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from posenet3d.errors import InputError
from posenet3d.io.video import Video, is_video, open_video, read_frames

LEVELS = list(range(20, 220, 10))


def write_video(path, stamps=None, size=(64, 48), fps=30, codec="libx264", levels=LEVELS, container=None):
    """One grey per picture, each picture shown from its stamp (in 1/fps) on."""
    target = io.BytesIO()
    with av.open(target, "w", format=container or path.suffix[1:]) as out:
        stream = out.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for number, level in enumerate(levels):
            pixels = np.full((size[1], size[0], 3), level, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = (number if stamps is None else stamps[number]), Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    path.write_bytes(target.getvalue())
    return path


def greys(path):
    return [float(picture.mean()) for picture in read_frames(path)]


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("a.mp4", "libx264", "mp4"),
        ("a.mov", "libx264", "mov"),
        ("a.avi", "mpeg4", "avi"),
        ("a.webm", "libvpx-vp9", "webm"),
        ("a.mkv", "libx264", "matroska"),
    ],
)
def test_every_container_gives_every_picture(tmp_path, name, codec, container):
    path = write_video(tmp_path / name, codec=codec, container=container)
    video = open_video(path)
    assert is_video(path)
    assert (len(video), video.size, video.has_constant_rate) == (len(LEVELS), (64, 48), True)
    assert video.fps == pytest.approx(30, rel=0.01)
    assert greys(path) == pytest.approx(LEVELS, abs=4)


def test_gif(tmp_path):
    path = tmp_path / "a.gif"
    first, *others = [Image.new("RGB", (64, 48), (level, level, level)) for level in LEVELS]
    first.save(path, save_all=True, append_images=others, duration=100)
    video = open_video(path)
    assert (len(video), video.size) == (len(LEVELS), (64, 48))
    assert video.fps == pytest.approx(10, rel=0.01)
    assert greys(path) == pytest.approx(LEVELS, abs=8)


def test_variable_rate_has_an_index_at_constant_rate(tmp_path):
    stamps = [0, 1, 2, 3, 6, 7, 8, 9, 10, 14, *range(15, 25)]
    video = open_video(write_video(tmp_path / "a.mp4", stamps))
    assert video.fps == pytest.approx(30, rel=0.02)
    assert video.frame_index.tolist() == stamps
    assert not video.has_constant_rate


def test_indices_never_coincide():
    video = Video(Path("a.mp4"), np.array([0, 0.001, 0.002, 0.1]), (8, 8), 30.0)
    assert video.frame_index.tolist() == [0, 1, 2, 3]


def test_odd_sizes_and_small_copies(tmp_path):
    path = write_video(tmp_path / "a.avi", size=(642, 484), codec="mpeg4", levels=LEVELS[:2])
    assert next(read_frames(path)).shape == (484, 642, 3)
    assert next(read_frames(path, 100)).shape == (100, 132, 3)
    assert next(read_frames(path, 4000)).shape == (484, 642, 3)


def test_one_frame(tmp_path):
    video = open_video(write_video(tmp_path / "a.mp4", levels=LEVELS[:1]))
    assert (len(video), video.frame_index.tolist()) == (1, [0])


def test_own_rate_overrides(tmp_path):
    video = open_video(write_video(tmp_path / "a.mp4"), fps=120.0)
    assert video.fps == 120
    assert video.times_s[1] == pytest.approx(1 / 120)
    assert video.has_constant_rate


def test_folder_of_pictures_goes_by_number(tmp_path):
    for number in (10, 9, 1):
        Image.new("RGB", (30, 20), (10 * number,) * 3).save(tmp_path / f"img{number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    video = open_video(tmp_path)
    assert is_video(tmp_path)
    assert (len(video), video.size, video.fps) == (3, (30, 20), 30.0)
    assert greys(tmp_path) == [10, 90, 100]


def test_picture_from_a_phone_is_turned_upright_and_tells_its_lens(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to show it
    exif.get_ifd(0x8769)[0xA405] = 26  # focal length in terms of 36 mm film
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    video = open_video(tmp_path)
    assert video.size == (20, 40)
    assert video.image_file(0) == ("a.jpg", (20, 40))
    assert video.fov_deg == pytest.approx(69.4, abs=0.1)


def test_an_image_is_a_video_of_one_frame(tmp_path):
    Image.new("RGB", (30, 20), (90,) * 3).save(tmp_path / "img.png")
    video = open_video(tmp_path / "img.png")
    assert is_video(tmp_path / "img.png")
    assert (len(video), video.size) == (1, (30, 20))
    assert greys(tmp_path / "img.png") == [90]


def test_video_tells_its_lens(tmp_path):
    file = tmp_path / "a.mov"
    with av.open(file, "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["com.apple.quicktime.camera.focal_length.35mm_equivalent"] = "26"
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode())
    assert open_video(file).fov_deg == pytest.approx(69.4, abs=0.1)


def test_openpose_folder_with_images_is_no_video(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text("{}")
    assert not is_video(tmp_path)


def test_video_recorded_sideways_is_turned_upright(tmp_path):
    path = write_video(tmp_path / "a.mp4", size=(64, 48))
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # version 0: flags, times, ids, duration, layer, volume come before
    for place, value in zip(range(9), (0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30), strict=True):
        content[matrix + 4 * place : matrix + 4 * place + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    video = open_video(path)
    assert video.size == (48, 64)
    assert next(read_frames(path)).shape == (64, 48, 3)


@pytest.mark.parametrize("content", [b"hello" * 1000, b""], ids=["text", "empty"])
def test_no_video_is_a_sentence(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.mp4: cannot be read as a video"):
        open_video(path)


def test_truncated_video_gives_what_is_left(tmp_path):
    path = write_video(tmp_path / "a.avi", size=(640, 480), codec="mpeg4", levels=LEVELS * 5)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    video = open_video(path)
    assert 10 < len(video) < len(LEVELS) * 5
    assert abs(len(list(read_frames(path))) - len(video)) <= 2


def test_sound_alone_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with pytest.raises(InputError, match="has no video stream"):
        open_video(path)


def test_missing_file_and_damaged_picture(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        open_video(tmp_path / "nothing.mp4")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="is not a readable image"):
        open_video(tmp_path)
