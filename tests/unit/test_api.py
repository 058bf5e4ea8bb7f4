"""The Python front door: what the README shows runs, options that do not apply are errors, importing it costs nothing."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.painted import PAINTED, filmed

import posenet3d as p3
from posenet3d.core.skeleton import JOINT
from posenet3d.detection.detectors import DETECTORS
from posenet3d.io.keypoints.packed import write_packed
from posenet3d.synthetic.sequences import bundled_sequences

ROOT = Path(__file__).parents[2]
WALK = bundled_sequences()[0].frames(0, 40)


def openpose_folder(folder: Path) -> Path:
    """The walk as OpenPose would write it, one BODY_25 file per frame (the joints that both sets have)."""
    trunk_and_arms = "neck_nose thorax r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist"
    names = f"{trunk_and_arms} pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle"
    joints = {index: JOINT[name] for index, name in enumerate(names.split())}
    folder.mkdir()
    for frame in range(len(WALK)):
        person = np.zeros((25, 3))
        for index, joint in joints.items():
            person[index] = [*WALK.keypoints_px[frame, joint], WALK.confidence[frame, joint]]
        content = {"people": [{"pose_keypoints_2d": person.ravel().tolist()}]}
        (folder / f"walk_{frame:06d}_keypoints.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def video(tmp_path, monkeypatch):
    """A video in which the tests' own detector finds one person."""
    monkeypatch.setenv("POSENET3D_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(DETECTORS, "painted", PAINTED)
    return filmed(tmp_path / "walk.avi", 12)


def test_the_readmes_block_runs(tmp_path, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(block.strip().splitlines()) <= 11
    openpose_folder(tmp_path / "walk_openpose")
    write_packed(tmp_path / "walk.npz", [WALK])
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["result"].joints_3d.shape == (40, 17, 3)
    assert (tmp_path / "walk.glb").stat().st_size > 100_000
    assert 0 < names["scores"].overall["pa_mpjpe"] < 120


def test_a_sequence_gives_a_result_and_a_list_gives_a_list():
    one = p3.lift(WALK)
    many = p3.lift([WALK, WALK.frames(0, 20)])
    assert [len(result) for result in many] == [40, 20]
    np.testing.assert_allclose(one.joints_3d, many[0].joints_3d, atol=1e-6)


def test_a_path_is_lifted_as_what_is_read_from_it(tmp_path):
    folder = openpose_folder(tmp_path / "walk")
    np.testing.assert_array_equal(p3.lift(folder).joints_3d, p3.lift(p3.read(folder)[0]).joints_3d)


@pytest.mark.slow
def test_a_video_is_detected_and_lifted(video):
    (person,) = p3.read(video, detector="painted")
    detections = p3.detect(video, detector="painted")
    assert len(person) == 12
    assert len(detections.to_coco()["images"]) == 12
    assert np.isfinite(p3.lift(person).joints_3d).all()


def test_a_file_of_several_clips_is_lifted_as_a_list_only(tmp_path):
    write_packed(tmp_path / "two.npz", [WALK, replace(WALK, name="again")])
    with pytest.raises(p3.InputError, match="holds 2 clips"):
        p3.lift(tmp_path / "two.npz")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "student", "height_m": 1.8}, "for the teacher"),
        ({"model": "student", "refine": True}, "for the teacher"),
        ({"fit": False}, "for the student"),
        ({"height_m": 18.0}, "not a body height"),
        ({"track": 1}, "is for paths"),
    ],
)
def test_options_that_do_not_apply_are_errors(options, says):
    with pytest.raises(p3.InputError, match=says):
        p3.lift(WALK, **options)


def test_reading_options_that_do_not_apply_are_errors(tmp_path, video):
    folder = openpose_folder(tmp_path / "openpose")
    with pytest.raises(p3.InputError, match="is for videos"):
        p3.read(folder, detector="painted")
    with pytest.raises(p3.InputError, match="files of 2D joints"):
        p3.read(video, joint_set="coco17", detector="painted")


def test_exports_by_suffix_and_refuses_what_does_not_fit(tmp_path):
    skeleton = p3.lift(WALK)
    p3.export(skeleton, tmp_path / "walk.trc")
    assert (tmp_path / "walk.trc").read_text().startswith("PathFileType")
    with pytest.raises(p3.InputError, match="without rotations"):
        p3.export(skeleton, tmp_path / "walk.glb")
    with pytest.raises(p3.InputError, match="frame"):
        p3.export(skeleton, tmp_path / "walk.csv", frame=3)


def test_evaluates_objects_and_files_alike(tmp_path):
    from posenet3d.io.lifted_npz import write_lifted

    results = p3.lift([WALK])
    write_lifted(tmp_path / "lifted.npz", results)
    write_packed(tmp_path / "walk.npz", [WALK])
    scores = p3.evaluate(results, [WALK])
    assert p3.evaluate(tmp_path / "lifted.npz", tmp_path / "walk.npz").to_dict() == scores.to_dict()


def test_importing_loads_nothing_heavy():
    code = "import posenet3d, sys; print([m for m in ('torch', 'numpy', 'scipy', 'streamlit') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert set(p3.__all__) <= set(dir(p3))
    assert all(getattr(p3, name) is not None for name in p3.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lifft'"):
        _ = p3.lifft
