"""Every script of examples/ runs as its first line says, on small input, and stays as short as it is meant to be."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import JOINT
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.pose2d.data.annotations import ImageStore
from posenet3d.synthetic.sequences import bundled_sequences

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
WALK = bundled_sequences()[0].frames(0, 40)
PICTURE = "000006.jpg"  # a drawn person that the built-in networks find


def run(name: str, *arguments: str | Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def packed(tmp_path):
    write_packed(tmp_path / "walk.npz", [WALK])
    return tmp_path / "walk.npz"


def test_they_are_five_and_short():
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert len(scripts) == 5
    assert all(len(script.read_text().splitlines()) <= 30 for script in scripts)


def test_lift_array(tmp_path):
    names = JOINT_SETS["coco17"].joints
    joints = {name: WALK.keypoints_px[:, index] for name, index in shared(names).items()}
    array = np.stack([joints.get(name, np.full((len(WALK), 2), np.nan)) for name in names], axis=1)
    np.save(tmp_path / "joints.npy", array)
    assert "(40, 17, 3)" in run("lift_array.py", tmp_path / "joints.npy", "60")
    assert np.isfinite(np.load(tmp_path / "joints_3d.npy")).all()


def shared(names: tuple[str, ...]) -> dict[str, int]:
    """The joints of a set that Human3.6M has under the same name."""
    return {name: JOINT[name] for name in names if name in JOINT}


def test_compare_checkpoints(packed):
    out = run("compare_checkpoints.py", packed, "teacher", "joint")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["teacher", "joint"]


def test_export_to_blender(packed, tmp_path):
    run("export_to_blender.py", packed, tmp_path / "walk.glb")
    assert (tmp_path / "walk.glb").read_bytes()[:4] == b"glTF"
    assert (tmp_path / "walk.bvh").read_text().startswith("HIERARCHY")


def test_train_on_your_2d(tmp_path):
    write_packed(tmp_path / "all.npz", bundled_sequences())
    assert "lifted (" in run("train_on_your_2d.py", tmp_path / "all.npz", tmp_path / "mine", "3")
    assert (tmp_path / "mine" / "model.safetensors").is_file()


def test_lift_video(tmp_path):
    """The built-in networks look at drawn people, for they are the detector that is always there."""
    video = tmp_path / "drawn.mp4"
    picture = np.asarray(ImageStore(EXAMPLES.parent / "notebooks" / "people" / "pictures.zip").open(PICTURE))
    with av.open(str(video), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
        for _ in range(4):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    run("lift_video.py", video)
    assert list(tmp_path.glob("*.glb"))
