"""Every format: realistic, empty, truncated and hostile files, and files with NaN; and people becoming tracks."""

import contextlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.people import BODY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.core.tracking import Detection, completeness, link
from posenet3d.errors import InputError
from posenet3d.io.checked_json import last_number
from posenet3d.io.keypoints.csv_table import write_csv
from posenet3d.io.keypoints.packed import read_packed, write_packed
from posenet3d.io.keypoints.read import choose_track, read_keypoints


def body(joint_set: str, x: float = 0.0, sure: float = 0.9) -> list[float]:
    """A person `x` pixels to the right as a detector writes it: x, y, confidence per joint."""
    rows = [(*BODY.get(joint, (100.0, 400.0)), sure) for joint in JOINT_SETS[joint_set].joints]
    return [float(value) for px, py, c in rows for value in (px + x, py, c)]


def save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def frame(*people: list[float]) -> dict[str, object]:
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": person} for person in people]}


def openpose(folder: Path, frames: list[dict[str, object]]) -> Path:
    folder.mkdir()
    for index, content in enumerate(frames):
        save(folder / f"walk_{index}_keypoints.json", content)
    return folder


def alphapose(joint_set: str, shifts: dict[int, list[float]], **more: object) -> list[dict[str, object]]:
    return [
        {"image_id": f"{number}.jpg", "category_id": 1, "keypoints": body(joint_set, x), "score": 2.9,
         "box": [10, 20, 90, 310], **more}
        for number, people in shifts.items() for x in people
    ]  # fmt: skip


def coco(joint_set: str, shifts: list[float], **more: object) -> dict[str, object]:
    images = [{"id": 7 + i, "file_name": f"{i}.jpg", "width": 640, "height": 480} for i in range(len(shifts))]
    annotations = [
        {"id": i, "image_id": 7 + i, "category_id": 1, "keypoints": body(joint_set, x), "bbox": [0, 0, 9, 9], **more}
        for i, x in enumerate(shifts)
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def pelvis_x(sequence: PoseSequence) -> list[float]:
    return sequence.keypoints_px[:, JOINT["pelvis"], 0].tolist()


def refused(path: Path, **arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        read_keypoints(path, **arguments)
    return str(caught.value)


# OpenPose


@pytest.mark.parametrize("joint_set", ["body25", "body25b", "coco18"])
def test_openpose_folder_is_recognised_and_sorted_by_number(tmp_path, joint_set):
    folder = openpose(tmp_path / "walk", [frame(body(joint_set, x=2.0 * i)) for i in range(12)])
    (sequence,) = read_keypoints(folder, fps=25.0)
    assert pelvis_x(sequence) == [100 + 2 * i for i in range(12)]
    assert (sequence.name, sequence.fps, sequence.track_id) == ("walk", 25, 1)
    for joint in ("l_wrist", "r_ankle"):
        np.testing.assert_allclose(sequence.keypoints_px[0, JOINT[joint]], BODY[joint])


def test_openpose_joint_set_can_be_forced(tmp_path):
    folder = openpose(tmp_path / "walk", [frame(body("body25b"))])
    (sequence,) = read_keypoints(folder, joint_set="BODY_25")
    np.testing.assert_allclose(sequence.keypoints_px[0, JOINT["l_shoulder"]], BODY["l_shoulder"])
    np.testing.assert_allclose(sequence.keypoints_px[0, JOINT["r_shoulder"]], BODY["r_eye"])  # as told, not as it is
    assert "joint set 'kinect' is not known" in refused(folder, joint_set="kinect")
    assert "halpe26 has 26" in refused(folder, joint_set="halpe26")


def test_openpose_zero_is_missing_and_an_empty_frame_is_a_row(tmp_path):
    person = body("body25")
    person[12:15] = [0, 0, 0]  # right wrist
    folder = openpose(tmp_path / "walk", [frame(person), frame(), frame([]), frame(body("body25"))])
    (sequence,) = read_keypoints(folder)
    assert sequence.is_observed.sum(1).tolist() == [16, 0, 0, 17]
    assert np.isnan(sequence.keypoints_px[0, JOINT["r_wrist"]]).all()


def test_openpose_old_key_one_file_and_zip_are_read(tmp_path):
    content = {"people": [{"pose_keypoints": body("coco18")}]}
    single = save(tmp_path / "one.json", content)
    with zipfile.ZipFile(tmp_path / "walk.zip", "w") as archive:
        archive.writestr("../../walk/frame10.json", json.dumps(frame(body("body25", x=5))))
        archive.writestr("/walk/frame9.json", json.dumps(frame(body("body25"))))
        archive.writestr("__MACOSX/walk/._frame9.json", b"\x00\x05")
    assert len(read_keypoints(single)[0]) == 1
    assert pelvis_x(read_keypoints(tmp_path / "walk.zip")[0]) == [100, 105]
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []


def test_openpose_tracks_are_kept_if_it_tracked(tmp_path):
    people = [{"person_id": [4], "pose_keypoints_2d": body("body25", x=0)},
              {"person_id": [9], "pose_keypoints_2d": body("body25", x=300, sure=0.5)}]  # fmt: skip
    folder = openpose(tmp_path / "walk", [{"people": people}, {"people": people[::-1]}])
    sequences = read_keypoints(folder)
    assert [s.name for s in sequences] == ["walk.person4", "walk.person9"]
    assert [s.take for s in sequences] == ["walk", "walk"]
    assert choose_track(sequences)[0].track_id == 4
    assert choose_track(sequences, 9)[0].track_id == 9
    with pytest.raises(InputError, match="no track 5; choose one of 4, 9"):
        choose_track(sequences, 5)


@pytest.mark.parametrize(
    ("people", "says"),
    [
        ("nobody", "field 'people' is 'nobody'"),
        ([3], r"people\[0\]"),
        ([{}], "pose_keypoints_2d' is missing"),
        ([{"pose_keypoints_2d": "abc"}], "is 'abc'"),
        ([{"pose_keypoints_2d": None}], "no joint is seen"),
        ([{"pose_keypoints_2d": [[1, 2, 3]]}], "holds 1 joints"),
        ([{"pose_keypoints_2d": [1, 2, True]}], "holds 'True'"),
        ([{"pose_keypoints_2d": [1, 2, 3, 4]}], "holds 4 numbers"),
        ([{"pose_keypoints_2d": [1, 2, 3]}], "holds 1 joints"),
        ([{"pose_keypoints_2d": [1e300, 2, 3] * 25}], "1e\\+300, which is no pixel"),
        ([{"pose_keypoints_2d": [10**400, 2, 3] * 25}], "no pixel"),
        ([{"pose_keypoints_2d": [float("nan")] * 75}], "no joint is seen"),
        ([], "no joint is seen"),
        ([{"pose_keypoints_2d": body("body25")}] * 200, "lists 200 people"),
    ],
)
def test_openpose_says_what_is_wrong(tmp_path, people, says):
    with pytest.raises(InputError, match=says):
        read_keypoints(openpose(tmp_path / "walk", [{"people": people}]))


def test_openpose_frame_numbers_must_tell_frames_apart(tmp_path):
    folder = openpose(tmp_path / "walk", [frame(body("body25"))] * 2)
    save(folder / "run_1.json", frame())
    assert "both frame 1" in refused(folder)
    (folder / "run_1.json").rename(folder / "run.json")
    (sequence,) = read_keypoints(folder)
    assert len(sequence) == 2
    assert any("'run.json' has no frame number" in note for note in sequence.notes)


@pytest.mark.parametrize(
    ("name", "number"),
    [("cam01.0007.json", 7), ("v_000000000012_keypoints.json", 12), ("12.jpg", 12), ("a/b3.png", 3), ("x.json", None)],
)
def test_last_number(name, number):
    assert last_number(name) == number


# AlphaPose and COCO


@pytest.mark.parametrize("joint_set", ["coco17", "halpe26", "halpe136"])
def test_alphapose_sorts_numbers_and_fills_gaps(tmp_path, joint_set):
    entries = alphapose(joint_set, {9: [0.0], 10: [5.0], 12: [15.0]})
    entries.sort(key=lambda entry: str(entry["image_id"]))  # 10, 12, 9: as text
    (sequence,) = read_keypoints(save(tmp_path / "alphapose-results.json", entries))
    np.testing.assert_array_equal(pelvis_x(sequence), [100, 105, np.nan, 115])


def test_alphapose_idx_is_the_track_unless_it_repeats(tmp_path):
    entries = alphapose("coco17", {0: [0.0, 300.0], 1: [0.0, 300.0]})
    for entry, idx in zip(entries, [3, 8, 8, 3], strict=True):  # people change places, ids say so
        entry["idx"] = [idx]
    sequences = read_keypoints(save(tmp_path / "r.json", entries))
    assert {s.track_id: pelvis_x(s) for s in sequences} == {3: [100, 400], 8: [400, 100]}
    for entry in entries:
        entry["idx"] = 0
    sequences = read_keypoints(save(tmp_path / "r.json", entries))
    assert {s.name: pelvis_x(s) for s in sequences} == {"r.person1": [100, 100], "r.person2": [400, 400]}


def test_alphapose_says_what_is_wrong(tmp_path):
    def with_first(**fields: object) -> Path:
        entries = alphapose("coco17", {0: [0.0], 1: [1.0]})
        entries[0].update(fields)
        return save(tmp_path / "r.json", entries)

    assert "holds 14 and 17 joints" in refused(with_first(keypoints=body("crowdpose14")))
    assert "spans" in refused(with_first(image_id="99999999999.jpg"))
    assert "spans 4000 frames, from 1 to 4000, of which 2 are" in refused(with_first(image_id="4000.jpg"))
    assert "both frame 1" in refused(with_first(image_id="b_1.jpg"))
    assert "no joint is seen" in refused(save(tmp_path / "r.json", []))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("keypoints", None, "'[0].keypoints' is null"),
        ("image_id", None, "'[0].image_id' is null"),
        ("image_id", "x.jpg", "'[0].image_id' is 'x.jpg'"),
        ("idx", "me", "'[0].idx' is 'me'"),
    ],
)
def test_one_bad_entry_is_left_out_and_counted(tmp_path, field, value, says):
    entries = alphapose("coco17", {0: [0.0], 1: [1.0], 2: [2.0]})
    entries[0][field] = value
    (sequence,) = read_keypoints(save(tmp_path / "r.json", entries))
    assert len(sequence) == 2
    assert any("1 of 3 entries were left out" in note and says in note for note in sequence.notes)


def test_coco_scores_image_size_and_names(tmp_path):
    content = coco("coco17", [0.0, 10.0, 20.0], track_id=5)
    (sequence,) = read_keypoints(save(tmp_path / "detected.json", content))
    assert pelvis_x(sequence) == [100, 110, 120]
    assert (sequence.image_size, sequence.track_id) == ((640, 480), 5)
    assert sequence.confidence[0, 0] == np.float32(0.9)


def test_coco_frames_order_the_rows(tmp_path):
    content = coco("coco17", [0.0, 10.0, 20.0])
    for image, number in zip(content["images"], [30, 10, 20], strict=True):
        image["frame"] = number
    (sequence,) = read_keypoints(save(tmp_path / "c.json", content))
    assert len(sequence) == 21
    assert pelvis_x(sequence)[::10] == [110, 120, 100]  # frames 10, 20, 30; the frames between are empty rows


def test_coco_visibilities_become_confidence(tmp_path):
    content = coco("crowdpose14", [0.0])
    keypoints = content["annotations"][0]["keypoints"]
    keypoints[2::3] = [2, 1, 0, *[2] * 11]
    (sequence,) = read_keypoints(save(tmp_path / "c.json", content))
    sides = [JOINT[name] for name in ("l_shoulder", "r_shoulder", "l_elbow")]
    assert sequence.confidence[0, sides].tolist() == [1, 0.5, 0]


def test_coco_category_names_win(tmp_path):
    names = list(JOINT_NAMES)  # seventeen, but not COCO's
    content = coco("h36m17", [0.0])
    content["categories"][0]["keypoints"] = names
    (sequence,) = read_keypoints(save(tmp_path / "c.json", content))
    np.testing.assert_allclose(sequence.keypoints_px[0], [BODY[name] for name in names])


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("images", None, "field 'images' is null"),
        ("images", [{"id": []}], r"images\[0\].id' is a list"),
        ("images", [{"id": 7, "width": -1, "height": 5}], "width -1"),
        ("images", [{"id": 7, "frame": 0}, {"id": 8, "frame": 0}], "same frame twice"),
        ("images", [{"id": 7}, {"id": 7}], "same image twice"),
        ("annotations", {}, "'annotations' is an object"),
        ("annotations", [{"image_id": 99}], "image_id' is '99'"),
        ("annotations", [{"image_id": 7}], "keypoints' is null"),
        ("annotations", [], "no joint is seen"),
        ("categories", [{"keypoints": 5}], "categories.keypoints"),
    ],
)
def test_coco_says_what_is_wrong(tmp_path, key, value, says):
    with pytest.raises(InputError, match=says):
        read_keypoints(save(tmp_path / "c.json", coco("coco17", [0.0]) | {key: value}))


# CSV


def test_csv_survives_the_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, (5, 17)) * (rng.random((5, 17)) > 0.3)
    confidence[0] = 0
    sequence = PoseSequence("walk", rng.uniform(0, 900, (5, 17, 2)), confidence)
    write_csv(tmp_path / "walk.csv", [sequence])
    (again,) = read_keypoints(tmp_path / "walk.csv")
    np.testing.assert_allclose(again.keypoints_px, sequence.keypoints_px, atol=1e-3)
    np.testing.assert_allclose(again.confidence, sequence.confidence, atol=1e-4)


def test_csv_takes_other_joint_names_and_only_the_columns_it_needs(tmp_path):
    lines = ["Frame,Joint,X,Y"]
    lines += [f"{t},{side}_{part},{10 * t},5" for t in (3, 4) for part in ("hip", "knee") for side in ("left", "right")]
    (tmp_path / "t.csv").write_text("\ufeff" + "\n".join(lines))
    (sequence,) = read_keypoints(tmp_path / "t.csv")
    assert pelvis_x(sequence) == [30, 40]
    assert sequence.is_observed[0].sum() == 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("frame,x,y\n", "column 'joint' is missing"),
        ("frame,joint,x,y\n", "no joint is seen"),
        ("frame,joint,x,y\n0,pelvis,1\n", "line 2 has 3 cells"),
        ("frame,joint,x,y\n-1,pelvis,1,2\n", "frame is '-1'"),
        ("frame,joint,x,y\n0,tail,1,2\n", "joint 'tail' is not known"),
        ("frame,joint,x,y\n0,pelvis,one,2\n", "x is 'one'"),
        ("frame,joint,x,y\n0,pelvis,1e9,2\n", "no pixel"),
        ("frame,joint,x,y\n0,pelvis,nan,2\n", "no joint is seen"),
        ("frame,joint,x,y\n0,pelvis,1,2\n0,pelvis,1,2\n", "there twice"),
        ("frame,joint,x,y\n0,pelvis,1,2\n99999999,pelvis,1,2\n", "spans"),
        ('frame,joint,x,y\n"0,pelvis', "not a CSV table"),
    ],
)
def test_csv_says_what_is_wrong(tmp_path, text, says):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_keypoints(tmp_path / "t.csv")


# Packed


def packed(**changes: object) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays: dict[str, object] = {
        "keypoints_2d": rng.uniform(0, 900, (9, 17, 2)).astype(np.float32),
        "confidence": rng.uniform(0.1, 1, (9, 17)).astype(np.float16),
        "joints_3d_cam": rng.normal(size=(9, 17, 3)).astype(np.float32),
        "start": np.array([0, 4]),
        "length": np.array([4, 5]),
        "name": np.array(["walk.cam0", "walk.cam1"]),
        "action": np.array(["walk", "run"]),
        "subject": np.array(["S1", "S2"]),
        "K": np.array([[[900.0, 0, 500], [0, 900, 500], [0, 0, 1]]] * 2),
        "image_size": np.array([1000, 800]),
        "fps": np.array(50.0),
    }
    return {k: np.asarray(v) for k, v in (arrays | changes).items() if v is not None}


def test_packed_clips_are_read_and_written(tmp_path):
    np.savez(tmp_path / "a.npz", **packed())
    clips = read_keypoints(tmp_path / "a.npz")
    write_packed(tmp_path / "b.npz", clips)
    for clip, again in zip(clips, read_packed(tmp_path / "b.npz"), strict=True):
        for key in ("name", "fps", "image_size", "action", "subject", "take"):
            assert getattr(clip, key) == getattr(again, key)
        for key in ("keypoints_px", "confidence", "joints_3d", "K"):
            np.testing.assert_array_equal(getattr(clip, key), getattr(again, key))
    assert [(c.name, len(c), c.fps, c.image_size) for c in clips] == [
        ("walk.cam0", 4, 50, (1000, 800)),
        ("walk.cam1", 5, 50, (1000, 800)),
    ]
    assert len(choose_track(clips)) == 2


def test_packed_needs_only_joints_and_nan_is_missing(tmp_path):
    keypoints = packed()["keypoints_2d"]
    keypoints[2, 5] = np.nan
    np.savez(tmp_path / "a.npz", keypoints_2d=keypoints)
    (clip,) = read_keypoints(tmp_path / "a.npz", fps=24.0)
    assert (clip.name, len(clip), clip.fps, clip.K) == ("a", 9, 24, None)
    assert clip.is_observed.sum() == 9 * 17 - 1


def test_packed_joints_of_another_set(tmp_path):
    coco_px = np.array(body("coco17")).reshape(1, 17, 3)[..., :2]
    np.savez(tmp_path / "a.npz", keypoints_2d=coco_px)
    np.savez(tmp_path / "b.npz", keypoints_2d=coco_px, joint_names=np.array(JOINT_SETS["coco17"].joints))
    for clips in (read_keypoints(tmp_path / "a.npz", joint_set="coco17"), read_keypoints(tmp_path / "b.npz")):
        np.testing.assert_allclose(clips[0].keypoints_px[0, JOINT["l_knee"]], BODY["l_knee"])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keypoints_2d": None}, "'keypoints_2d' is missing"),
        ({"keypoints_2d": np.zeros((9, 34))}, "has shape"),
        ({"keypoints_2d": np.zeros((9, 14, 2))}, "holds 14 joints"),
        ({"keypoints_2d": np.zeros((0, 17, 2))}, "field 'confidence' has shape"),
        ({"keypoints_2d": np.full((9, 17, 2), "a")}, "is of type"),
        ({"keypoints_2d": np.full((9, 17, 2), None)}, "plain arrays"),
        ({"keypoints_2d": np.full((9, 17, 2), np.nan)}, "no joint is seen"),
        ({"keypoints_2d": np.full((9, 17, 2), 1e20)}, "no pixel"),
        ({"confidence": np.ones((9, 16))}, "'confidence' has shape"),
        ({"joints_3d_cam": np.ones((8, 17, 3))}, "'joints_3d_cam' has shape"),
        ({"length": np.array([4, 6])}, "must lie inside"),
        ({"length": np.array([4, 2**62])}, "must lie inside"),
        ({"length": np.array([4, -1])}, "must lie inside"),
        ({"length": np.array([0, 5])}, "must lie inside"),
        ({"start": np.array([-1, 4])}, "must lie inside"),
        ({"start": np.array([0, 3])}, "overlap"),
        ({"start": np.array([0.0, 4.0])}, "not a list of whole numbers"),
        ({"start": None}, "'start' is not"),
        ({"length": np.array([4])}, "is for 1 clips"),
        ({"name": np.array(["one"])}, "2 texts"),
        ({"K": np.zeros((2, 3, 3))}, "'K' of clip 0"),
        ({"K": np.full((2, 3, 3), np.nan)}, "'K' of clip 0"),
        ({"K": np.eye(4)}, "'K' has shape"),
        ({"fps": np.array(0)}, "'fps'"),
        ({"fps": np.array(-30.0)}, "'fps'"),
        ({"fps": np.array(np.nan)}, "'fps'"),
        ({"fps": np.array(1e9)}, "'fps'"),
        ({"image_size": np.array([0, 10])}, "'image_size'"),
        ({"image_size": np.array([10])}, "'image_size'"),
    ],
)
def test_packed_says_what_is_wrong(tmp_path, changes, says):
    np.savez(tmp_path / "a.npz", **packed(**changes))
    with pytest.raises(InputError, match=says):
        read_keypoints(tmp_path / "a.npz")


# The door


@pytest.mark.parametrize("suffix", [".json", ".npz", ".csv", ".zip"])
@pytest.mark.parametrize(
    "content", [b"", b"   ", b"\x00\xff\xfe garbage", b"PK\x03\x04 cut", b'{"people": [', b"null", b"3"]
)
def test_damaged_files_are_refused(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    assert f"a{suffix}" in refused(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("name", ["walk", "r.json", "c.json", "t.csv", "a.npz", "z.zip"])
def test_truncated_files_are_refused(tmp_path, name):
    openpose(tmp_path / "walk", [frame(body("body25"))])
    save(tmp_path / "r.json", alphapose("coco17", {0: [0.0]}))
    save(tmp_path / "c.json", coco("coco17", [0.0]))
    write_csv(tmp_path / "t.csv", read_keypoints(tmp_path / "r.json"))
    np.savez(tmp_path / "a.npz", **packed())
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("0.json", json.dumps(frame(body("body25"))))
    assert read_keypoints(tmp_path / name)
    file = tmp_path / name if name != "walk" else tmp_path / "walk" / "walk_0_keypoints.json"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 2 // 3])
    if name == "t.csv":  # a table may end anywhere between two lines: cut within one
        file.write_bytes(whole[: whole.rindex(b",")])
    refused(tmp_path / name)


def test_deep_nesting_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    assert "not usable JSON" in refused(tmp_path / "a.json")


def test_a_zip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("posenet3d.io.keypoints.openpose.MAX_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.json", b" " * 2000)
    assert "unpacks to more" in refused(tmp_path / "a.zip")
    monkeypatch.setattr("posenet3d.io.checked_npz.MAX_UNPACKED_BYTES", 1000)
    np.savez_compressed(tmp_path / "a.npz", keypoints_2d=np.zeros((1000, 17, 2)))
    assert "unpacks to" in refused(tmp_path / "a.npz")


def test_what_is_no_keypoint_file_is_refused(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"ftyp")
    (tmp_path / "n.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "raw.npy", np.zeros(3))
    (tmp_path / "raw.npy").rename(tmp_path / "raw.npz")
    assert "posenet3d detect" in refused(tmp_path / "v.mp4")
    assert "is none of the .txt files" in refused(tmp_path / "n.txt")
    assert "no JSON file" in refused(tmp_path / "empty")
    assert "not a readable npz" in refused(tmp_path / "raw.npz")
    for name in ("gone", "gone.json", "gone.npz", "gone.csv", "gone.zip", "gone.mp4", "\0.json"):
        assert "no such file" in refused(tmp_path / name)
    for suffix in (".json", ".npz", ".csv", ".zip", ""):
        assert "cannot be read" in refused(tmp_path / ("x" * 5000 + suffix))


@pytest.mark.parametrize("fps", [0.0, -1.0, 1e-300, 1e9, float("nan"), float("inf")])
def test_fps_must_be_a_rate(tmp_path, fps):
    assert "frame rate" in refused(save(tmp_path / "r.json", alphapose("coco17", {0: [0.0]})), fps=fps)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(
    scalars, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=4), x, max_size=4)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=anything, form=st.sampled_from(["openpose", "alphapose", "coco", "bare"]), data=st.data())
def test_any_json_is_read_or_refused(tmp_path, value, form, data):
    whole = {
        "openpose": frame(body("body25")),
        "alphapose": alphapose("coco17", {0: [0.0], 3: [0.0]}, idx=1),
        "coco": coco("coco17", [0.0, 1.0]),
        "bare": value,
    }[form]
    path = save(tmp_path / "a.json", whole if form == "bare" else changed(whole, value, data))
    with contextlib.suppress(InputError):
        assert all(isinstance(sequence, PoseSequence) for sequence in read_keypoints(path))


def changed(node: object, value: object, data: st.DataObject) -> object:
    """A copy of a document with the value put in at one place."""
    if not isinstance(node, dict | list) or not node or data.draw(st.integers(0, 4)) == 0:
        return value
    if isinstance(node, dict):
        key = data.draw(st.sampled_from(sorted(node)))
        return node | {key: changed(node[key], value, data)}
    index = data.draw(st.integers(0, len(node) - 1))
    return [changed(item, value, data) if i == index else item for i, item in enumerate(node)]


# Tracks


def detection(x: float, y: float = 0.0, sure: float = 1.0) -> Detection:
    joints = np.array([BODY[name] for name in JOINT_NAMES], float)
    return Detection(joints + np.array([x, y]), np.full(17, float(sure)))


def test_crossing_people_keep_their_tracks_through_a_gap():
    rng = np.random.default_rng(0)
    frames = []
    for t in range(60):  # one walks right, one left and slightly nearer; they meet at t = 30
        right, left = detection(6.0 * t), detection(360 - 6.0 * t, y=15, sure=0.5)
        people = [left] if 26 <= t <= 34 else [right, left]  # the one behind is hidden while they cross
        frames.append([people[i] for i in rng.permutation(len(people))])
    tracks = link(frames)
    assert [len(track.detections) for track in tracks] == [51, 60]  # most complete by confidence, not by frames
    for track, way in zip(tracks, (1, -1), strict=True):
        x = [d.keypoints_px[0, 0] for d in track.detections.values()]
        assert (np.diff(x) * way > 0).all()


def test_a_long_absence_is_somebody_new_and_the_numbers_are_by_appearance():
    frames = [[detection(0)]] * 3 + [[]] * 20 + [[detection(0)]] * 5
    beside = [[*people, detection(2000, sure=0.1)] for people in frames]
    assert [(t.track_id, len(t.detections)) for t in link(beside)] == [(3, 5), (1, 3), (2, 28)]
    assert [(t.track_id, len(t.detections)) for t in link(beside, fps=60.0)] == [(1, 8), (2, 28)]  # a third of a second


def test_where_never_two_are_seen_there_is_one_person():
    frames = [[detection(0)]] * 3 + [[]] * 200 + [[detection(500)]] * 5
    assert [(track.track_id, len(track.detections)) for track in link(frames)] == [(1, 8)]


def test_completeness_is_the_sum_of_confidence():
    (track,) = link([[detection(0, sure=0.5)], [detection(1, sure=1)]])
    assert completeness(track) == pytest.approx(17 * 1.5)


def test_rows_of_every_person_align_with_all_frames(tmp_path):
    shifts = [[0.0], [0.0, 400.0], [], [0.0, 400.0], [400.0]]
    folder = openpose(tmp_path / "walk", [frame(*(body("body25", x) for x in xs)) for xs in shifts])
    first, second = read_keypoints(folder)
    np.testing.assert_array_equal(pelvis_x(first), [100, 100, np.nan, 100, np.nan])
    np.testing.assert_array_equal(pelvis_x(second), [np.nan, 500, np.nan, 500, 500])
