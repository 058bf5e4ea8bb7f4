"""Files as other programs write them, made by the tests: every one is the same walk, and is read as such or refused."""

import json
import pickle

import h5py
import numpy as np
import pytest
from helpers.painted import COCO, WALK

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.io.keypoints.frame_numbers import frame_numbers
from posenet3d.io.keypoints.joint_geometry import joint_set_by_geometry
from posenet3d.io.keypoints.people import Person
from posenet3d.io.keypoints.read import read_keypoints

FRAMES, SIZE = 20, (1000, 1000)
NAMES = JOINT_SETS["coco17"].joints
COCO17 = np.concatenate(
    [
        WALK.keypoints_px[:FRAMES][:, [JOINT[name] for name in COCO]] + [[[3 * i if i < 5 else 0, 0] for i in range(17)]],
        np.full((FRAMES, 17, 1), 0.9),
    ],
    axis=2,
).astype(float)  # fmt: skip
OPENPOSE_ORDER = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]  # of COCO-18, in COCO-17


def coco18(frame: int) -> np.ndarray:
    """The frame in OpenPose's 18 joints; the neck is the middle of the shoulders."""
    neck = COCO17[frame, 5:7].mean(0)
    return np.array([neck if i is None else COCO17[frame, i] for i in OPENPOSE_ORDER])


def listed(joints: np.ndarray) -> list:
    return joints.ravel().tolist()


def written(path, content) -> object:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def reference(tmp_path):
    """What is read from a results list, which was always read."""
    content = [{"image_id": i, "keypoints": listed(COCO17[i]), "score": 1} for i in range(FRAMES)]
    (sequence,) = read_keypoints(written(tmp_path / "reference.json", content))
    return sequence


def assert_is_the_walk(sequences, reference, rows=FRAMES, atol=1e-2):
    (sequence,) = sequences
    assert len(sequence) == rows
    np.testing.assert_allclose(sequence.keypoints_px[:FRAMES], reference.keypoints_px, atol=atol)


def instance(frame: int) -> dict:
    return {
        "keypoints": COCO17[frame, :, :2].tolist(),
        "keypoint_scores": COCO17[frame, :, 2].tolist(),
        "bbox": [[1, 2, 3, 4]],
    }


def mmpose_inferencer():
    return [{"frame_id": i, "instances": [instance(i)]} for i in range(FRAMES)]


def mmpose_topdown():
    short = "nose leye reye lear rear lsho rsho lelb relb lwri rwri lhip rhip lkne rkne lank rank"
    names = {str(i): name for i, name in enumerate(short.split())}
    frames = [{"frame_id": i + 1, "instances": [instance(i)]} for i in range(FRAMES)]
    return {"meta_info": {"dataset_name": "coco", "keypoint_id2name": names}, "instance_info": frames}


def ultralytics_frames():
    def person(i):
        x, y, sure = COCO17[i].T.tolist()
        return {
            "name": "person",
            "class": 0,
            "box": {"x1": 1},
            "keypoints": {"x": x, "y": y, "visible": sure},
            "track_id": 1,
        }

    return [[person(i)] for i in range(FRAMES)]


def alphapose_open():
    return {
        f"{i}.jpg": {"version": "AlphaPose v0.3", "people": [{"pose_keypoints_2d": listed(coco18(i))}]}
        for i in range(FRAMES)
    }


def alphapose_cmu():
    return {f"{i}.jpg": {"version": 0.1, "bodies": [{"joints": listed(coco18(i))}]} for i in range(FRAMES)}


def controlnet():
    return [{"people": [{"pose_keypoints_2d": listed(coco18(i)), "face_keypoints_2d": None}], "canvas_width": 1000,
             "canvas_height": 1000} for i in range(FRAMES)]  # fmt: skip


def controlnet_shares():
    share = np.array([1000, 1000, 1.0])
    return [{"people": [{"pose_keypoints_2d": listed(coco18(i) / share)}], "canvas_width": 1000, "canvas_height": 1000}
            for i in range(FRAMES)]  # fmt: skip


def kinetics():
    def skeleton(i):
        return {"pose": COCO17[i, :, :2].ravel().tolist(), "score": COCO17[i, :, 2].tolist()}

    return {"label": "x", "data": [{"frame_index": i + 1, "skeleton": [skeleton(i)]} for i in range(FRAMES)]}


def easy_vitpose():
    skeleton = {str(i): name for i, name in enumerate(NAMES)}
    return {"keypoints": [{"1": COCO17[i][:, [1, 0, 2]].tolist()} for i in range(FRAMES)], "skeleton": skeleton}


JSON = [
    mmpose_inferencer, mmpose_topdown, ultralytics_frames, alphapose_open, alphapose_cmu,
    controlnet, controlnet_shares, kinetics, easy_vitpose,
]  # fmt: skip


@pytest.mark.parametrize("make", JSON, ids=lambda make: make.__name__)
def test_json_of_other_programs(make, tmp_path, reference):
    assert_is_the_walk(read_keypoints(written(tmp_path / "file.json", make())), reference)


def test_openpifpaf_video_is_json_lines(tmp_path, reference):
    lines = [json.dumps({"frame": i + 1, "predictions": [{"keypoints": listed(COCO17[i])}]}) for i in range(FRAMES)]
    assert_is_the_walk(read_keypoints(written(tmp_path / "video.openpifpaf.json", "\n".join(lines))), reference)


def test_one_image_is_one_row(tmp_path, reference):
    people = [{"keypoints": listed(COCO17[0]), "bbox": [1, 2, 3, 4], "score": 0.9, "category_id": 1}]
    (pifpaf,) = read_keypoints(written(tmp_path / "a.predictions.json", people))
    (mmpose,) = read_keypoints(written(tmp_path / "b.json", [instance(0)]))
    for sequence in (pifpaf, mmpose):
        np.testing.assert_allclose(sequence.keypoints_px, reference.keypoints_px[:1], atol=1e-2)


def test_yolo_labels_need_the_size_and_sort_by_number(tmp_path, reference):
    folder = tmp_path / "labels"
    folder.mkdir()
    for i in range(FRAMES):
        values = (COCO17[i] / [*SIZE, 1]).ravel()
        (folder / f"clip_{i}.txt").write_text("0 0.5 0.5 0.1 0.1 " + " ".join(f"{v:.7f}" for v in values) + "\n")
    with pytest.raises(InputError, match="image size"):
        read_keypoints(folder)
    assert_is_the_walk(read_keypoints(folder, image_size=SIZE), reference)


def test_videopose3ds_custom_file(tmp_path, reference):
    metadata = {"layout_name": "coco", "num_joints": 17, "video_metadata": {"walk.mp4": {"w": 1000, "h": 1000}}}
    positions = {"walk.mp4": {"custom": [COCO17[..., :2].astype(np.float32)]}}
    np.savez(tmp_path / "data_2d_custom_mine.npz", positions_2d=positions, metadata=metadata)
    (sequence,) = read_keypoints(tmp_path / "data_2d_custom_mine.npz")
    assert sequence.image_size == SIZE
    seen = reference.is_observed
    np.testing.assert_allclose(sequence.keypoints_px[seen], reference.keypoints_px[seen], atol=1e-2)


def test_detectron2s_file(tmp_path, reference):
    people = [
        [[], np.stack([COCO17[i, :, 0], COCO17[i, :, 1], np.ones(17), COCO17[i, :, 2]])[None]] for i in range(FRAMES)
    ]
    boxes = np.empty(FRAMES, object)
    keypoints = np.empty(FRAMES, object)
    keypoints[:] = people
    np.savez(
        tmp_path / "walk.mp4.npz", boxes=boxes, segments=boxes, keypoints=keypoints, metadata={"w": 1000, "h": 1000}
    )
    assert_is_the_walk(read_keypoints(tmp_path / "walk.mp4.npz"), reference)


@pytest.mark.parametrize("shape", ["frames joints 3", "frames joints 2", "frames people joints 3", "flat"])
def test_numpy_arrays(shape, tmp_path, reference):
    array = {"frames joints 3": COCO17, "frames joints 2": COCO17[..., :2], "frames people joints 3": COCO17[:, None],
             "flat": COCO17.reshape(FRAMES, -1)}[shape]  # fmt: skip
    np.save(tmp_path / "walk.npy", array)
    assert_is_the_walk(read_keypoints(tmp_path / "walk.npy"), reference)


def test_movenet_is_y_x_in_shares(tmp_path, reference):
    np.save(tmp_path / "movenet.npy", (COCO17 / [*SIZE, 1])[:, None][..., [1, 0, 2]])
    assert_is_the_walk(read_keypoints(tmp_path / "movenet.npy", image_size=SIZE), reference)


def test_an_array_of_3d_points_is_refused(tmp_path):
    np.save(tmp_path / "xyz.npy", np.random.default_rng(0).normal(size=(20, 17, 3)))
    with pytest.raises(InputError, match="3D points"):
        read_keypoints(tmp_path / "xyz.npy")


def test_a_wide_table(tmp_path, reference):
    header = ["frame", *(f"{name}_{axis}" for name in NAMES for axis in ("x", "y", "confidence"))]
    rows = [[str(i), *(f"{v:.3f}" for v in COCO17[i].ravel())] for i in range(FRAMES)]
    text = "\n".join(",".join(row) for row in [header, *rows])
    assert_is_the_walk(read_keypoints(written(tmp_path / "wide.csv", text)), reference)


def test_a_table_of_3d_points_is_refused(tmp_path):
    header = ["frame", *(f"{name}_{axis}" for name in NAMES for axis in "xyz")]
    rows = [[str(i), *("1.0" for _ in range(51))] for i in range(3)]
    text = "\n".join(",".join(row) for row in [header, *rows])
    with pytest.raises(InputError, match="3D points"):
        read_keypoints(written(tmp_path / "xyz.csv", text))


def deeplabcut_header() -> list[list[str]]:
    return [["scorer", *["DLC"] * 51], ["bodyparts", *(n for n in NAMES for _ in range(3))],
            ["coords", *["x", "y", "likelihood"] * 17]]  # fmt: skip


def test_deeplabcuts_csv(tmp_path, reference):
    rows = [[str(i), *(f"{v:.3f}" for v in COCO17[i].ravel())] for i in range(FRAMES)]
    text = "\n".join(",".join(row) for row in [*deeplabcut_header(), *rows])
    assert_is_the_walk(read_keypoints(written(tmp_path / "walkDLC.csv", text)), reference)


def test_deeplabcuts_hdf5(tmp_path, reference):
    columns = [("DLC", name, axis) for name in NAMES for axis in ("x", "y", "likelihood")]
    rows = np.zeros(FRAMES, dtype=[("index", "<i8"), ("values_block_0", "<f8", (51,))])
    rows["index"], rows["values_block_0"] = np.arange(FRAMES), COCO17.reshape(FRAMES, -1)
    with h5py.File(tmp_path / "walkDLC.h5", "w") as file:
        table = file.create_dataset("df_with_missing/table", data=rows)
        table.attrs["values_block_0_kind"] = np.void(pickle.dumps(columns, protocol=0))
    assert_is_the_walk(read_keypoints(tmp_path / "walkDLC.h5"), reference)


def test_sleaps_analysis_file(tmp_path, reference):
    with h5py.File(tmp_path / "walk.analysis.h5", "w") as file:
        file["tracks"] = COCO17[..., :2].transpose(2, 1, 0)[None]
        file["node_names"] = [name.encode() for name in NAMES]
        file["point_scores"] = COCO17[..., 2].T[None]
    assert_is_the_walk(read_keypoints(tmp_path / "walk.analysis.h5"), reference)


def test_label_studio_is_in_per_cent(tmp_path, reference):
    def result(i, j):
        value = {"x": COCO17[i, j, 0] / 10, "y": COCO17[i, j, 1] / 10, "keypointlabels": [NAMES[j]]}
        return {"original_width": 1000, "original_height": 1000, "value": value, "type": "keypointlabels"}

    tasks = [{"id": i, "data": {"img": f"/data/upload/1/frame_{i:04d}.jpg"},
              "annotations": [{"result": [result(i, j) for j in range(17)]}]} for i in range(FRAMES)]  # fmt: skip
    assert_is_the_walk(read_keypoints(written(tmp_path / "studio.json", tasks)), reference)


@pytest.mark.parametrize("units", ["share", "percent", "centred"])
def test_coordinates_that_are_no_pixels_are_asked_about_or_scaled(units, tmp_path, reference):
    scaled = {"share": COCO17[..., :2] / 1000, "percent": COCO17[..., :2] / 10, "centred": COCO17[..., :2] / 500 - 1}[
        units
    ]
    joints = np.concatenate([scaled, COCO17[..., 2:]], axis=2)
    content = [{"image_id": i, "keypoints": listed(joints[i])} for i in range(FRAMES)]
    file = written(tmp_path / "clip.json", content)
    if units != "percent":
        with pytest.raises(InputError, match="image size"):
            read_keypoints(file)
        (found,) = read_keypoints(file, image_size=SIZE)
        assert any("were read as" in note for note in found.notes)
    else:
        with pytest.raises(InputError, match="--units percent or --units px"):
            read_keypoints(file, image_size=SIZE)
    assert_is_the_walk(read_keypoints(file, image_size=SIZE, units=units), reference, atol=0.05)


def people_of(joints: np.ndarray) -> list[Person]:
    return [Person(i, np.concatenate([joint, np.ones((len(joint), 1))], 1)) for i, joint in enumerate(joints)]


def test_seventeen_joints_are_told_apart_by_geometry(tmp_path):
    h36m = WALK.keypoints_px[:FRAMES].astype(float)
    assert joint_set_by_geometry(people_of(h36m), tmp_path, "x").joints == JOINT_NAMES
    assert joint_set_by_geometry(people_of(COCO17[..., :2]), tmp_path, "x").name == "coco17"
    upside_down = np.stack([h36m[..., 0], 1000 - h36m[..., 1]], -1)
    assert joint_set_by_geometry(people_of(upside_down), tmp_path, "x").joints == JOINT_NAMES


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["9.jpg", "10.jpg"], [9, 10]),
        (["00000_cam1.jpg", "00001_cam1.jpg"], [0, 1]),
        (["frame_00000_1920x1080.jpg", "frame_00001_1920x1080.jpg"], [0, 1]),
        (["a/b12/c_000003_keypoints.json", "a/b12/c_000004_keypoints.json"], [3, 4]),
        (["photo.png", "photo.png"], [0, 0]),
        ([4, 7.0], [4, 7]),
    ],
)
def test_the_number_that_varies_is_the_frame(names, numbers):
    assert frame_numbers(names, "file", "image_id") == numbers


@pytest.mark.parametrize(
    "names", [["cam1_3.jpg", "cam2_3.jpg", "cam1_4.jpg", "cam2_4.jpg"], ["a.jpg", "b1.jpg"], ["a", 3]]
)
def test_names_that_do_not_number_frames_are_refused(names):
    with pytest.raises(InputError):
        frame_numbers(names, "file", "image_id")
