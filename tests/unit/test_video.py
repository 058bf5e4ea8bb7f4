"""Videos: what is known before decoding, frames upright and in order, sentences for what is no video."""

import io
import os
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from posenet3d.errors import InputError
from posenet3d.io import images
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.io.video import VIDEO_SUFFIXES, Video, is_video, open_video, read_frames

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


def set_display_matrix(path, a, b, c, d):
    """Store how an mp4 is shown: x' = a x + c y, y' = b x + d y."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40  # version 0: flags, times, ids, duration, layer, volume come before
    values = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    for place, value in enumerate(values):
        content[matrix + 4 * place : matrix + 4 * place + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)


def damage(path, numbers):
    """Overwrite the packets with these numbers."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        start, size = places[number]
        content[start : start + size] = b"\xff" * size
    path.write_bytes(content)


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


@pytest.mark.parametrize(("aspect", "width"), [(Fraction(2), 128), (Fraction(1, 2), 32), (Fraction(100), 64)])
def test_pixels_are_shown_square(tmp_path, aspect, width):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode())
    assert open_video(path).size == (width, 48)  # no camera has pixels of 100:1
    assert next(read_frames(path)).shape == (48, width, 3)
    assert next(read_frames(path, 24)).shape == (24, width // 2, 3)


CORNERS = np.zeros((48, 64, 3), np.uint8)
CORNERS[:24, :32], CORNERS[:24, 32:], CORNERS[24:, :32] = 220, 150, 80  # the corner below right stays 0


@pytest.mark.parametrize(
    ("matrix", "corners"),  # above left, above right, below left, below right
    [
        ((1, 0, 0, 1), (220, 150, 80, 0)),
        ((-1, 0, 0, 1), (150, 220, 0, 80)),  # mirrored
        ((1, 0, 0, -1), (80, 0, 220, 150)),  # upside down in a mirror
        ((-1, 0, 0, -1), (0, 80, 150, 220)),
        ((0, 1, -1, 0), (80, 220, 0, 150)),  # turned clockwise
        ((0, -1, 1, 0), (150, 0, 220, 80)),
        ((0, 1, 1, 0), (220, 80, 150, 0)),  # turned and mirrored
        ((0, -1, -1, 0), (0, 150, 80, 220)),
    ],
)
def test_the_whole_display_matrix_is_applied(tmp_path, matrix, corners):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(CORNERS, format="rgb24")))
        out.mux(stream.encode())
    set_display_matrix(path, *matrix)
    picture = next(read_frames(path))
    assert picture.shape == ((64, 48, 3) if matrix[0] == 0 else (48, 64, 3))
    assert open_video(path).size == picture.shape[1::-1]
    seen = [int(picture[row, column].mean()) for row in (5, -5) for column in (5, -5)]
    assert seen == pytest.approx(corners, abs=6)


@pytest.mark.parametrize(
    ("name", "codec", "lost"),
    [("a.avi", "mjpeg", [0, 7, 8, 19]), ("b.avi", "mjpeg", [5]), ("a.mov", "mjpeg", [3]), ("a.mp4", "mjpeg", [7, 19])],
)
def test_damage_leaves_its_own_rows_empty(tmp_path, name, codec, lost):
    path = tmp_path / name
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for level in LEVELS:
            pixels = np.full((48, 64, 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    damage(path, lost)
    frames = list(read_frames(path))
    assert len(open_video(path)) == len(frames) == len(LEVELS)
    assert [number for number, frame in enumerate(frames) if frame is None] == lost
    seen = {number: frame.mean() for number, frame in enumerate(frames) if frame is not None}
    assert list(seen.values()) == pytest.approx([LEVELS[number] for number in seen], abs=4)


def test_damage_in_the_middle_of_h264_ends_at_the_next_key_frame(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 5
        for level in LEVELS:
            pixels = np.full((48, 64, 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())
    with av.open(str(path)) as container:  # in order of decoding: a key frame, then the others of its group
        stored = [(p.pts, p.is_keyframe) for p in container.demux(video=0) if p.size]
        times = sorted(pts for pts, _ in stored)
    keys = [number for number, (_, is_key) in enumerate(stored) if is_key]
    assert len(keys) >= 4
    damage(path, [keys[2]])
    frames = list(read_frames(path))
    lost = [number for number, frame in enumerate(frames) if frame is None]
    assert len(frames) == len(open_video(path)) == len(LEVELS)
    assert times.index(stored[keys[2]][0]) in lost
    assert len(lost) <= 5
    good = [
        n for n in range(len(LEVELS)) if n < times.index(stored[keys[1]][0]) or n >= times.index(stored[keys[3]][0])
    ]
    assert len(good) >= 8
    assert [frames[n].mean() for n in good] == pytest.approx([LEVELS[n] for n in good], abs=5)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_stored_out_of_order_in_avi_are_all_there(tmp_path, codec):
    path = write_video(tmp_path / "a.avi", codec=codec)
    assert greys(path) == pytest.approx(LEVELS, abs=4)


def animate(path, levels=LEVELS, **options):
    first, *others = [Image.new("RGB", (64, 48), (level,) * 3) for level in levels]
    first.save(path, save_all=True, append_images=others, **options)
    return path


@pytest.mark.parametrize("name", ["a.webp", "a.png", "photo.jpg"])
def test_animated_images_are_videos_with_their_own_times(tmp_path, name):
    kind = "WEBP" if name.endswith("webp") else "PNG"
    path = animate(tmp_path / name, LEVELS[:5], duration=[100, 100, 300, 100, 100], format=kind)
    video = open_video(path)
    assert is_video(path)
    assert video.times_s == pytest.approx([0, 0.1, 0.2, 0.5, 0.6])
    assert (video.size, video.fps) == ((64, 48), pytest.approx(10))
    assert video.frame_index.tolist() == [0, 1, 2, 5, 6]
    assert greys(path) == pytest.approx(LEVELS[:5], abs=3)


def test_animation_that_is_cut_off_has_empty_rows(tmp_path):
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), np.uint8)
    first, *others = [Image.fromarray(pixels) for pixels in noise]
    first.save(path, save_all=True, append_images=others, duration=40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = list(read_frames(path))
    assert len(open_video(path)) == len(frames) == 6
    assert frames[0] is not None
    assert frames[-1] is None


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mpegts", "libx264"), ("flv", "flv"), ("webm", "libvpx"), ("asf", "wmv2"), ("mp4", "mpeg4")],
)
@pytest.mark.parametrize("name", ["a.json", "a", "a.dat", "a.jpg", "a.avi"])
def test_a_video_is_known_by_its_content(tmp_path, container, codec, name):
    path = write_video(tmp_path / name, codec=codec, container=container, levels=LEVELS[:4])
    assert is_video(path)
    assert len(open_video(path)) == 4
    with pytest.raises(InputError, match=f"{name}: "):
        read_keypoints(path)


def test_read_keypoints_names_what_reads_a_video(tmp_path):
    for name in ("a", "a.mts"):
        with pytest.raises(InputError, match="is a video, not 2D joints; give it to 'posenet3d detect'"):
            read_keypoints(write_video(tmp_path / name, container="mpegts"))


def test_an_image_is_known_by_its_content(tmp_path):
    Image.new("RGB", (30, 20), (90,) * 3).save(tmp_path / "img.dat", "JPEG")
    assert is_video(tmp_path / "img.dat")
    assert open_video(tmp_path / "img.dat").size == (30, 20)


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.csv", "a", "a.nfo", "a.ans"])
@pytest.mark.parametrize(
    "content",
    [
        b"frame,joint,x,y\n" * 400,
        "größe\n".encode("latin-1") * 400,
        "frame".encode("utf-16"),
        b"\x1b[31mred\x1b[0m\n" * 400,
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.ts\n",
        b"ffconcat version 1.0\nfile a.mp4\n",
    ],
    ids=["csv", "latin-1", "utf-16", "ansi", "playlist", "concat"],
)
def test_text_is_no_video(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert not is_video(path)
    with pytest.raises(InputError, match="cannot be read as a video"):
        open_video(path)


def test_numbers_are_no_video(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((50, 17, 2)))
    np.savez(tmp_path / "a.npz", x=np.zeros(1000))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.json", "{}")
    assert not any(is_video(path) for path in tmp_path.iterdir())


def test_a_folder_of_videos_names_what_to_do(tmp_path):
    write_video(tmp_path / "walk.mp4")
    for read in (open_video, read_keypoints):
        with pytest.raises(
            InputError, match=r"is a folder with 1 video\(s\); give one of them, for example .*walk\.mp4"
        ):
            read(tmp_path)


def test_metadata_need_not_be_utf8(tmp_path):
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "Grosse"
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"Grosse", "Größen".encode("latin-1")))
    assert len(open_video(path)) == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.png", "a"])
def test_a_pipe_is_a_sentence(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is not a regular file"):
        open_video(tmp_path / name)
    if name == "a.png":
        with pytest.raises(InputError, match="is not a regular file"):
            open_video(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (8, 8)).save(path)
    content = path.read_bytes()
    header = b"IHDR" + (11000).to_bytes(4, "big") * 2 + content[24:29]
    path.write_bytes(content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:])
    with pytest.raises(InputError, match=r"is 11000 x 11000 pixels, more than 100 megapixels; scale it down"):
        open_video(path)


def test_a_huge_video_is_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4")
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(InputError, match="is 64 x 48 pixels"):
        open_video(path)


@pytest.mark.parametrize("focal_mm", ["abc", (1, 2)])
def test_a_damaged_focal_length_leaves_the_lens_unknown(tmp_path, focal_mm):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = focal_mm
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert open_video(tmp_path / "a.jpg").fov_deg is None


@pytest.mark.parametrize("error", [SyntaxError("not a TIFF file"), MemoryError(), KeyError(1), TypeError("tuple")])
def test_every_error_of_pillow_is_a_sentence(tmp_path, monkeypatch, error):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 20)).save(path)

    def fail(image):
        raise error

    monkeypatch.setattr(Image.Image, "getexif", fail)
    with pytest.raises(InputError, match="is not a readable image"):
        open_video(path)


def test_a_damaged_image_of_a_folder_is_an_empty_row(tmp_path):
    for number in range(3):
        Image.new("RGB", (30, 20), (90,) * 3).save(tmp_path / f"img{number}.png")
    (tmp_path / "img0.png").write_bytes(b"no picture")
    video = open_video(tmp_path)
    assert (len(video), video.size) == (3, (30, 20))
    assert [frame is None for frame in read_frames(tmp_path)] == [True, False, False]


def test_common_endings_are_videos_even_if_damaged(tmp_path):
    for suffix in VIDEO_SUFFIXES:
        assert is_video(tmp_path / f"missing{suffix}")
