"""Exports read by the programs that they are for: OpenSim and Blender, each in a Python of its own.

`make test-interop` makes the two environments. `POSENET3D_INTEROP_opensim` and `POSENET3D_INTEROP_bpy` name other
Pythons that have `opensim` and `bpy`. Tests of a program that is not there are skipped with the reason.
"""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.bodies import FPS, FRAMES, MM, made_up, tensors, with_nobody
from scipy.spatial.transform import Rotation

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.motion import JOINT_LABELS
from posenet3d.core.axes import AXES
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.exports.formats import write_export

pytestmark = [pytest.mark.interop, pytest.mark.slow]

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
TIMEOUT_S = 600


def python_with(package: str) -> str:
    """Return the Python that has this package, or skip the test with the reason."""
    variable = f"POSENET3D_INTEROP_{package}"
    python = os.environ.get(variable, str(ROOT / ".venv-interop" / package / "bin" / "python"))
    if not Path(python).exists():
        pytest.skip(f"there is no {python}: run `make test-interop`, or let {variable} name a Python with {package}")
    probe = run(python, "-c", f"import {package}")
    if probe.returncode:
        pytest.skip(f"{python} cannot import {package}: {(probe.stderr.strip().splitlines() or ['it crashed'])[-1]}")
    return python


def run(*words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(words, env=clean, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def read_by(python: str, script: str, *words: str, into: Path) -> dict:
    """Return what the reader found."""
    done = run(python, str(HERE / "readers" / script), *words, str(into))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(into.read_text())


@pytest.fixture(scope="module")
def opensim() -> str:
    return python_with("opensim")


@pytest.fixture(scope="module")
def blender() -> str:
    return python_with("bpy")


@pytest.fixture(scope="module")
def clip() -> Lifted:
    return made_up()


def walker() -> Lifted:
    """A person who stands upright and slides over a floor 0.9 m below the camera."""
    clip = made_up()
    turn = Rotation.from_euler("x", 180, degrees=True).as_rotvec()
    body = replace(
        clip.body,
        body_pose=0 * clip.body.body_pose,
        global_orient=np.tile(turn, (FRAMES, 1)),
        transl=np.linspace([0.3, 0.0, 4.0], [0.8, 0.0, 5.0], FRAMES),
    )
    joints = landmarks_of(load_body(dtype=torch.float64))(*tensors(body)).numpy()
    return replace(clip, joints_3d=joints.astype(np.float32), body=body)


UNSEEN = {
    "nothing unseen": [],
    "one wrist": [(3, JOINT["r_wrist"])],
    "the first and the last frame": [(n, slice(None)) for n in (0, FRAMES - 1)],
}


@pytest.mark.parametrize("unseen", UNSEEN)
def test_opensim_reads_trc(opensim, clip, tmp_path, unseen):
    joints = clip.joints_3d.copy()
    for frame, which in UNSEEN[unseen]:
        joints[frame, which] = np.nan
    write_export([replace(clip, joints_3d=joints, body=None)], tmp_path / "clip.trc")
    found = read_by(opensim, "opensim_table.py", str(tmp_path / "clip.trc"), into=tmp_path / "found.json")
    assert (found["units"], found["rate"]) == ("mm", FPS)
    assert (found["frames"], found["markers"]) == (FRAMES, 17)
    for name in ("table", "sto"):
        table = found[name]
        assert table["labels"] == list(JOINT_NAMES)
        np.testing.assert_allclose(table["time"], np.arange(FRAMES) / FPS, atol=1e-5)
        np.testing.assert_allclose(np.array(table["joints"]) / 1000, joints @ AXES["y_up"].T, atol=MM)


def in_blender(blender: str, clip: Lifted, folder: Path, suffix: str, **options: bool) -> dict:
    write_export([clip], folder / f"clip{suffix}", **options)
    return read_by(blender, "blender_scene.py", str(folder / f"clip{suffix}"), str(FPS), into=folder / "found.json")


def bones(found: dict) -> np.ndarray:
    """Return the joints in Blender's world (frames, 24, 3)."""
    return np.array([[frame["bones"][label] for label in JOINT_LABELS] for frame in found["frames"]])


@pytest.mark.parametrize("suffix", [".glb", ".bvh"])
def test_blender_puts_every_joint_where_the_body_has_it(blender, clip, tmp_path, suffix):
    found = in_blender(blender, clip, tmp_path, suffix)
    posed = load_body(dtype=torch.float64)(*tensors(clip.body)).joints.numpy()
    assert (found["fps"], found["metres_per_unit"]) == (pytest.approx(FPS), 1)
    assert found["seconds"] == pytest.approx((FRAMES - 1) / FPS)
    np.testing.assert_allclose(bones(found), posed @ AXES["z_up"].T, atol=2 * MM)


@pytest.mark.parametrize("suffix", [".glb", ".bvh"])
def test_frames_without_a_person_hold_in_blender(blender, clip, tmp_path, suffix):
    found = bones(in_blender(blender, with_nobody(clip, 5, 6), tmp_path, suffix))
    np.testing.assert_allclose(found[5:7], np.broadcast_to(found[4], (2, 24, 3)), atol=MM)


@pytest.mark.parametrize("suffix", [".glb", ".bvh"])
def test_the_person_stands_on_blenders_grid_by_option(blender, tmp_path, suffix):
    person = walker()
    as_seen = bones(in_blender(blender, person, tmp_path, suffix))
    found = in_blender(blender, person, tmp_path, suffix, floor=True, origin=True)
    placed = bones(found)
    pelvis, feet, head = (JOINT_LABELS.index(name) for name in ("pelvis", "left_foot", "head"))
    assert as_seen[0, feet, 2] < -0.5, "without the options the camera is the origin"
    assert as_seen[0, pelvis, 1] == pytest.approx(4, abs=0.1)
    assert np.abs(placed[0, pelvis, :2]).max() < 0.05
    assert ((placed[:, feet, 2] > 0) & (placed[:, feet, 2] < 0.12)).all()
    assert (placed[:, head, 2] > 1.2).all()
    if suffix == ".glb":
        assert max(abs(frame["lowest"]) for frame in found["frames"]) < 0.03
    np.testing.assert_allclose(np.diff(placed, axis=0), np.diff(as_seen, axis=0), atol=MM)
