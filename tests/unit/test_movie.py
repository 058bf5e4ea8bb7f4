"""Rendered videos are read back: frames, speed, size, and the positions and colours of the people in them."""

import signal
import sys
from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import pose_rotations
from posenet3d.cli import main
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT
from posenet3d.errors import InputError
from posenet3d.exports import movie, movie_worker
from posenet3d.exports.movie import Cancelled, Panel, rendering_problem, write_movie
from posenet3d.io.lifted_npz import write_lifted

FRAMES, FPS, SIZE = 12, 25.0, (320, 180)
BACKGROUND = (244, 246, 248)
DIES = [sys.executable, "-c", f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"]


def waving(n_frames: int = FRAMES) -> Lifted:
    """A clip with a body: a person 4 m away faces the camera, swings the arms and walks to its right."""
    body, time = load_body(dtype=torch.float64), np.arange(n_frames) / FPS
    pose = np.zeros((n_frames, 23, 3))
    pose[:, 15, 2], pose[:, 16, 2] = -1.0 + np.sin(6 * time), 1.0 + np.sin(6 * time)
    parameters = BodyParameters(
        body_model=body.name,
        betas=np.zeros((1, 10), np.float32),
        global_orient=np.tile(Rotation.from_euler("x", np.pi).as_rotvec(), (n_frames, 1)).astype(np.float32),
        body_pose=pose.reshape(n_frames, 69).astype(np.float32),
        transl=np.stack([time, 0 * time, 4 + 0 * time], 1).astype(np.float32),
    )
    turn, limbs, transl = (
        torch.from_numpy(x).double() for x in (parameters.global_orient, parameters.body_pose, parameters.transl)
    )
    betas = torch.zeros(n_frames, 10, dtype=torch.float64)
    joints = landmarks_of(body)(pose_rotations(turn, limbs), betas, transl).numpy().astype(np.float32)
    return Lifted("waving", joints, fps=FPS, model="student", body=parameters)


def skeleton_of(lifted: Lifted) -> Lifted:
    return replace(lifted, body=None)


def read(path):
    """Return images (frames, height, width, 3), their times in seconds and the frame rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        rate = container.streams.video[0].average_rate
    images = np.stack([frame.to_ndarray(format="rgb24") for frame in frames]).astype(int)
    return images, np.array([frame.time for frame in frames]), rate


def figure_part(images):
    """Return the part of the images between the texts above and below."""
    return images[:, images.shape[1] // 8 : -images.shape[1] // 8]


def is_drawn(images):
    return np.abs(images - BACKGROUND).max(-1) > 60


@pytest.fixture(scope="module")
def clip():
    return waving()


@pytest.fixture(scope="module")
def can_draw():
    if problem := rendering_problem():
        pytest.skip(problem)


@pytest.fixture(scope="module")
def video(clip, can_draw, tmp_path_factory):
    """A video of the skeleton beside the body, and the progress that was reported."""
    path, shares = tmp_path_factory.mktemp("video") / "both.mp4", []
    panels = [Panel("skeleton", skeleton_of(clip)), Panel("body", clip)]
    write_movie(path, panels, size=SIZE, progress=shares.append)
    return path, shares


def test_mp4_has_every_frame_at_the_speed_of_the_clip(video):
    path, shares = video
    images, times, rate = read(path)
    assert images.shape == (FRAMES, SIZE[1], SIZE[0], 3)
    assert rate == FPS
    np.testing.assert_allclose(times, np.arange(FRAMES) / FPS, atol=1e-6)
    np.testing.assert_allclose(shares, np.arange(1, FRAMES + 1) / FRAMES)
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")


def test_both_panels_show_a_person_who_moves(video):
    images = read(video[0])[0]
    np.testing.assert_allclose(images[:, 40, 5], np.tile(BACKGROUND, (FRAMES, 1)), atol=4)
    half = SIZE[0] // 2
    for panel in (figure_part(images)[:, :, : half - 4], figure_part(images)[:, :, half + 4 :]):
        assert (is_drawn(panel).mean((1, 2)) > 0.01).all()
        changed = np.abs(np.diff(panel, axis=0)).max(-1) > 40
        assert (changed.mean((1, 2)) > 0.001).all(), "every image differs from the one before"


def test_the_left_is_blue_and_on_the_right_of_a_person_who_faces_the_camera(video):
    assert_left_is_blue(read(video[0])[0][:, :, : SIZE[0] // 2])


def assert_left_is_blue(images):
    part = figure_part(images)
    warm = part[..., 0] - part[..., 2]  # red minus blue
    for blue, orange in zip(warm < -70, warm > 70, strict=True):
        assert min(blue.sum(), orange.sum()) > 20
        assert np.nonzero(blue)[1].mean() > np.nonzero(orange)[1].mean() + 5


def test_turning_shows_the_back_half_way(clip, can_draw, tmp_path):
    still = replace(clip, joints_3d=np.repeat(clip.joints_3d[:1], FRAMES, axis=0), body=None)
    write_movie(tmp_path / "turn.mp4", [Panel("skeleton", still)], size=SIZE, orbit=True)
    images = read(tmp_path / "turn.mp4")[0]
    assert_left_is_blue(images[:1])
    assert_left_is_blue(images[FRAMES // 2 :][:1, :, ::-1])


def test_frames_without_a_person_show_the_empty_floor(clip, can_draw, tmp_path):
    joints, body = clip.joints_3d.copy(), clip.body
    joints[:4] = np.nan
    joints[6, JOINT["l_wrist"]] = np.nan
    transl = body.transl.copy()
    transl[:4] = np.nan
    gone = replace(clip, joints_3d=joints, body=replace(body, transl=transl))
    write_movie(tmp_path / "gone.mp4", [Panel("skeleton", skeleton_of(gone)), Panel("body", gone)], size=SIZE)
    part = figure_part(read(tmp_path / "gone.mp4")[0])
    for panel in np.split(part, 2, axis=2):
        drawn = is_drawn(panel[:, :, 4:-4]).mean((1, 2))
        assert (drawn[4:] > 0.01).all()
        assert (drawn[:4] < 0.2 * drawn[4:].min()).all()


def test_one_frame(clip, can_draw, tmp_path):
    one = replace(clip, joints_3d=clip.joints_3d[:1], body=None)
    write_movie(tmp_path / "one.gif", [Panel("one", one)], size=(64, 48))
    assert len(read(tmp_path / "one.gif")[0]) == 1


def test_cancelling_a_long_video_leaves_nothing(clip, can_draw, tmp_path, monkeypatch):
    long = replace(clip, joints_3d=np.tile(clip.joints_3d, (900, 1, 1))[:10_000], body=None)
    started = []
    monkeypatch.setattr(movie.subprocess, "Popen", recording(movie.subprocess.Popen, started))
    shares = []
    report = {"progress": shares.append, "is_cancelled": lambda: len(shares) == 2}
    with pytest.raises(Cancelled):
        write_movie(tmp_path / "long.mp4", [Panel("long", long)], size=SIZE, **report)
    assert shares == [1e-4, 2e-4]
    assert list(tmp_path.iterdir()) == []
    assert [process.poll() for process in started] == [-signal.SIGKILL]


def recording(start, started):
    def popen(*arguments, **more):
        started.append(start(*arguments, **more))
        return started[-1]

    return popen


# --- videos that are refused


@pytest.fixture
def no_worker(monkeypatch):
    """Make starting the worker fail: refusals must come before it."""
    monkeypatch.setattr(movie, "WORKER", ["/nowhere/no-such-program"])


@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize(
    ("name", "change", "size", "words"),
    [
        ("video.avi", {}, None, "a video ends in .mp4 or .gif"),
        ("video", {}, None, "a video ends in .mp4 or .gif"),
        ("missing/video.mp4", {}, None, "make its folder"),
        ("video.mp4", {}, (321, 180), "even numbers"),
        ("video.mp4", {"joints_3d": np.full((FRAMES, 17, 3), np.nan, np.float32)}, None, "no frame with a person"),
        ("video.mp4", {"joints_3d": np.zeros((5, 17, 3), np.float32)}, None, "two results of the same clip"),
        ("video.mp4", {"fps": 30.0}, None, "two results of the same clip"),
    ],
)
def test_refused_before_anything_is_drawn(clip, tmp_path, name, change, size, words):
    bare = skeleton_of(clip)
    with pytest.raises(InputError, match=words):
        write_movie(tmp_path / name, [Panel("good", bare), Panel("bad", replace(bare, **change))], size=size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_worker")
def test_one_or_two_panels_and_known_bodies(clip, tmp_path):
    for panels in ([], [Panel("a", clip)] * 3):
        with pytest.raises(InputError, match="one or two"):
            write_movie(tmp_path / "video.mp4", panels)
    stranger = replace(clip, body=replace(clip.body, body_model="nobody's"))
    with pytest.raises(InputError, match="nobody's"):
        write_movie(tmp_path / "video.mp4", [Panel("a", stranger)])


def test_missing_gl_is_a_sentence(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(movie, "WORKER", DIES)
    rendering_problem.cache_clear()
    try:
        assert "apt-get install libegl1 libgl1-mesa-dri" in rendering_problem()
    finally:
        rendering_problem.cache_clear()
    with pytest.raises(InputError, match="apt-get install libegl1 libgl1-mesa-dri"):
        write_movie(tmp_path / "video.mp4", [Panel("a", skeleton_of(clip))])
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_the_worker_is_not_blamed_on_the_machine(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(movie, "WORKER", [sys.executable, "-c", "raise ValueError('oh dear')"])
    with pytest.raises(RuntimeError, match="oh dear"):
        write_movie(tmp_path / "video.mp4", [Panel("a", skeleton_of(clip))])


def test_gif_by_command_drops_frames_keeps_its_speed_and_its_colours(clip, can_draw, tmp_path, capsys):
    for name, lifted in {"bone": skeleton_of(clip), "skin": clip}.items():
        write_lifted(tmp_path / f"{name}.npz", [lifted])
    bone, skin, out = (str(tmp_path / name) for name in ("bone.npz", "skin.npz", "video.GIF"))
    assert main(["export", bone, "--beside", skin, "-o", out]) == 0
    assert "gif of 'waving'" in capsys.readouterr().out
    images, times, _ = read(out)
    assert images.shape == (FRAMES // 2, *reversed(movie.SIZES[".gif"]), 3), "25 a second are more than a GIF's 15"
    np.testing.assert_allclose(times, np.arange(FRAMES // 2) * 2 / FPS, atol=0.011)
    np.testing.assert_allclose(images[:, 60, 5], np.tile(BACKGROUND, (len(images), 1)), atol=4)
    assert_left_is_blue(images[:, :, : images.shape[2] // 2])


@pytest.mark.usefixtures("no_worker")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "video.avi"], "give --to or end OUT in"),
        ([], "give --to or end OUT in"),
        (["--to", "mp4", "-o", "video.gif"], "end the name in .mp4"),
        (["--to", "mp4", "--frame", "3"], "--frame"),
        (["--to", "csv", "--beside", "clip.npz"], "--beside"),
    ],
)
def test_command_refuses(clip, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    write_lifted(tmp_path / "clip.npz", [clip])
    assert main(["export", "clip.npz", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.npz"]


# --- geometry of the scene


def test_skeleton_is_at_its_joints(clip):
    joints = clip.joints_3d.copy()
    joints[3], joints[4, JOINT["l_knee"]] = np.nan, np.nan
    figure = movie_worker.skeleton_figure(replace(clip, joints_3d=joints), unit=1.0)
    assert figure.vertices(3) is None
    apart = np.linalg.norm(figure.vertices(0)[:, None] - joints[0], axis=-1)
    assert (np.isclose(apart, movie_worker.BALL_M, atol=1e-4).sum(axis=0) > 100).all(), "a ball around every joint"
    hidden = ~np.isfinite(figure.vertices(4)).all(1)
    assert 0 < hidden.mean() < 0.2
    assert len(figure.vertices(0)) == len(figure.colours) == figure.faces.max() + 1


def test_body_is_the_posed_body(clip):
    p = clip.body
    turn, pose, transl = (torch.from_numpy(x[5:6]) for x in (p.global_orient, p.body_pose, p.transl))
    expected = load_body()(pose_rotations(turn, pose), torch.zeros(1, 10), transl).vertices[0].numpy()
    np.testing.assert_allclose(movie_worker.body_figure(clip).vertices(5), expected, atol=1e-4)


@pytest.mark.parametrize("turns", [0, 1])
def test_everybody_is_in_the_image(turns):
    scene = np.random.default_rng(0).uniform([-0.8, 0, -0.8], [0.8, 1.8, 0.8], (40, 17, 3))
    azimuth, aspect = 0.3 + 2 * np.pi * turns * np.arange(40) / 40, 0.9
    height = movie_worker.height_of(scene)
    distance = movie_worker.distance_to(scene, azimuth, height, aspect)
    tan = np.tan(np.radians(movie_worker.FIELD_OF_VIEW_DEG) / 2)
    for points, angle in zip(scene, azimuth, strict=True):
        # The direct way: rotate the world so that the camera is on the z axis, and divide by depth.
        R = (Rotation.from_euler("x", movie_worker.ELEVATION) * Rotation.from_euler("y", -angle)).as_matrix()
        x, y, near = R @ (points - [0, height / 2, 0]).T
        inside = (abs(x) / (distance - near) < tan * aspect) & (abs(y) / (distance - near) < tan)
        assert inside.mean() > 0.9
