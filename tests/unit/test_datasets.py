"""Data sets of the field in small files of their own layout: every loader puts joints and cameras where they belong."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import torch
from scipy.spatial.transform import Rotation

from posenet3d.body.files import load_body
from posenet3d.cli import main
from posenet3d.core.camera import project
from posenet3d.core.jointsets import JOINT_SETS, to_h36m17
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.io import checked_npz
from posenet3d.io.datasets import formats
from posenet3d.io.datasets.aist import read_aist
from posenet3d.io.datasets.data_format import Content, DataFormat
from posenet3d.io.datasets.h36m import JOINTS_OF_32, read_h36m
from posenet3d.io.datasets.mpi_inf_3dhp import FROM_17, RELEVANT, read_3dhp
from posenet3d.io.datasets.read import recognise
from posenet3d.io.datasets.resection import find_camera, find_intrinsics
from posenet3d.io.datasets.three_dpw import read_3dpw
from posenet3d.io.keypoints.coco import read_photographs
from posenet3d.io.keypoints.packed import read_packed
from posenet3d.io.keypoints.read import read_keypoints
from posenet3d.io.mocap.amass import read_amass
from posenet3d.io.mocap.take import Take
from posenet3d.io.mocap.takes_npz import read_takes, write_takes
from posenet3d.synthetic.sequences import MOTIONS, synthetic_sequence
from posenet3d.synthetic.virtual_cameras import project_with_cameras

FRAMES = 40
K = np.array([[1145.0, 0, 512], [0, 1143.0, 515], [0, 0, 1]])


def walker(frames: int = FRAMES) -> np.ndarray:
    """Somebody who walks in the world, y up, metres (frames, 17, 3)."""
    truth = synthetic_sequence("walk", fps=frames / 8 + 0.01).joints_3d
    assert truth is not None
    return (truth[:frames] - [0, 0.9, 4.5]) * [1, -1, -1]


def camera(azimuth_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """(R_cam_world, t_cam) of a camera five metres away, for a world with z up."""
    z_up = Rotation.from_euler("zx", [azimuth_deg, 90], degrees=True).as_matrix().T @ np.eye(3)
    R = Rotation.from_euler("xyz", [8, 0, 3], degrees=True).as_matrix() @ np.diag([1, -1, -1]) @ z_up
    return R, np.array([0.2, 0.1, 5.0])


# --- cameras ---


@pytest.mark.parametrize("bend", [np.zeros(5), np.array([-0.2, 0.24, -0.001, -0.0014, -0.003])])
def test_a_camera_is_found_from_what_it_sees(bend):
    rng = np.random.default_rng(0)
    points = rng.uniform([-1.5, -1.5, 0], [1.5, 1.5, 1.9], (3000, 3))
    R, t = camera(40)
    cam = points @ R.T + t
    x, y = (cam[:, :2] / cam[:, 2:]).T
    r2 = x * x + y * y
    factor = 1 + bend[0] * r2 + bend[1] * r2**2 + bend[4] * r2**3 + bend[2] * x + bend[3] * y
    u, v = x * factor + bend[2] * r2, y * factor + bend[3] * r2
    pixels = np.stack([u, v], 1) * [K[0, 0], K[1, 1]] + K[:2, 2]
    found = find_camera(points, pixels)
    assert np.allclose(found.R_cam_world, R, atol=1e-6)
    assert np.allclose(found.t_cam, t, atol=1e-5)
    assert np.allclose(found.K, K, atol=0.01)
    assert np.allclose(found.to_camera(points), cam, atol=1e-5)
    intrinsics, error_px = find_intrinsics(cam, project(cam, K))
    assert np.allclose(intrinsics, K)
    assert error_px < 1e-9


def test_points_that_tell_no_camera_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="fewer than 12"):
        find_camera(rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))
    flat = np.concatenate([rng.normal(size=(50, 2)), np.zeros((50, 1))], 1)
    with pytest.raises(ValueError, match="one plane"):
        find_camera(flat, project(flat + np.array([0, 0, 5]), K))


# --- Human3.6M ---


def h36m_folder(folder: Path, subjects=("S9", "S11"), **changes) -> dict:
    """Files as VideoPose3D's script writes them; the truth in every camera, metres."""
    world = walker() @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).T  # z up
    positions: dict = {}
    views: dict = {}
    truth = {}
    for number, subject in enumerate(subjects):
        takes = {"Walking": world + np.array([0.1 * number, 0, 0]), "Walking 1": world[::-1].copy()}
        positions[subject], views[subject] = {}, {}
        for action, joints in takes.items():
            all_32 = np.zeros((FRAMES, 32, 3), np.float32)
            all_32[:, JOINTS_OF_32] = joints
            positions[subject][action] = all_32
            views[subject][action] = []
            for index, azimuth in enumerate((20, 110, 200, 290)):
                R, t = camera(azimuth)
                cam = all_32[:, JOINTS_OF_32].astype(float) @ R.T + t
                truth[f"{subject} {action} camera {index}"] = cam
                pixels = project(cam, K)
                views[subject][action].append(np.concatenate([pixels, pixels[-1:]]).astype(np.float32))  # one too many
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=changes.get("positions", positions))
    metadata = {
        "layout_name": "h36m",
        "num_joints": 17,
        "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    }
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=changes.get("views", views), metadata=metadata)
    noisy = {s: {a: [v + 3 for v in vs] for a, vs in actions.items()} for s, actions in views.items()}
    np.savez_compressed(folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz", positions_2d=noisy, metadata=metadata)
    return truth


def test_h36m_is_read_without_pickles_and_its_cameras_are_found(tmp_path):
    truth = h36m_folder(tmp_path)
    sequences = read_h36m(tmp_path)
    assert [s.name for s in sequences] == list(truth)
    for sequence in sequences:
        assert np.abs(sequence.joints_3d - truth[sequence.name]).max() < 1e-3
        assert np.abs(sequence.K - K).max() < 1
        assert (len(sequence), sequence.fps, sequence.action) == (FRAMES, 50, "Walking")
        assert sequence.take == sequence.name.partition(" camera ")[0]  # the four cameras of a take share it
    detected = read_h36m(tmp_path, detections="cpn_ft_h36m_dbb", subjects=["S11"])
    assert {s.subject for s in detected} == {"S11"}
    assert np.allclose(detected[0].keypoints_px, sequences[8].keypoints_px + 3)
    assert np.allclose(detected[0].joints_3d, sequences[8].joints_3d)


def test_h36m_files_that_do_not_fit_are_a_sentence(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_h36m(tmp_path)
    h36m_folder(tmp_path, subjects=("S9",))
    with pytest.raises(InputError, match="no subject S1"):
        read_h36m(tmp_path, subjects=["S1"])
    with pytest.raises(InputError, match="no such file"):
        read_h36m(tmp_path, detections="hrnet")
    np.savez(
        tmp_path / "data_2d_h36m_coco.npz", positions_2d={"S9": {}}, metadata={"layout_name": "coco", "num_joints": 17}
    )
    with pytest.raises(InputError, match="'coco'"):
        read_h36m(tmp_path, detections="coco")
    h36m_folder(tmp_path, subjects=("S9",), views={"S9": {"Walking": [np.zeros((FRAMES, 17, 2))] * 4}})
    with pytest.raises(InputError, match="S9"):
        read_h36m(tmp_path)
    h36m_folder(tmp_path, subjects=("S9",), positions={"S9": {"Walking": np.zeros((FRAMES, 21, 3))}})
    with pytest.raises(InputError, match="21 joints"):
        read_h36m(tmp_path)


def test_h36m_detections_may_have_scores_but_no_camera_more(tmp_path):
    h36m_folder(tmp_path, subjects=("S9",))
    exact = np.load(tmp_path / "data_2d_h36m_gt.npz", allow_pickle=True)  # we wrote it
    views, metadata = exact["positions_2d"].item(), exact["metadata"].item()
    scored = {"S9": {a: [np.concatenate([v, v[..., :1] * 0 + 0.7], -1) for v in vs] for a, vs in views["S9"].items()}}
    np.savez(tmp_path / "data_2d_h36m_scored.npz", positions_2d=scored, metadata=metadata)
    first = read_h36m(tmp_path, detections="scored")[0]
    assert np.allclose(first.confidence, 0.7)
    assert np.allclose(first.keypoints_px, read_h36m(tmp_path)[0].keypoints_px)
    more = {"S9": {action: [*vs, vs[0]] for action, vs in views["S9"].items()}}
    np.savez(tmp_path / "data_2d_h36m_more.npz", positions_2d=more, metadata=metadata)
    with pytest.raises(InputError, match="5 views"):
        read_h36m(tmp_path, detections="more")


class Hostile:
    """Unpickled, it would leave a file."""

    def __reduce__(self):
        return (open, (str(Path("/tmp/posenet3d-was-here")), "w"))


def test_a_hostile_object_array_does_nothing(tmp_path):
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": Hostile()})
    with pytest.raises(InputError, match="which is no array"):
        read_h36m(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"cam_poses": Hostile()}))
    with pytest.raises(InputError, match="which is no array"):
        read_3dpw(tmp_path / "a.pkl")
    assert not Path("/tmp/posenet3d-was-here").exists()


def test_lists_that_hold_one_another_do_not_unfold(tmp_path):
    nest = [1]
    for _ in range(6):
        nest = [nest] * 1000
    (tmp_path / "laughs.pkl").write_bytes(pickle.dumps({"cam_poses": nest}))
    with pytest.raises(InputError, match="missing"):
        read_3dpw(tmp_path / "laughs.pkl")
    (tmp_path / "keypoints3d").mkdir()
    (tmp_path / "cameras").mkdir()
    (tmp_path / "cameras" / "mapping.txt").write_text("take setting1\n")
    (tmp_path / "keypoints3d" / "take.pkl").write_bytes(pickle.dumps({"keypoints3d": nest}))
    with pytest.raises(InputError, match="keypoints3d"):
        read_aist(tmp_path)


# --- MPI-INF-3DHP ---


def in_camera() -> np.ndarray:
    return walker() * [1, -1, -1] + [0.1, 0.9, 5]


def test_the_test_set_of_3dhp(tmp_path):
    cam = in_camera()
    inverse = np.argsort(FROM_17)
    valid = np.ones(FRAMES)
    valid[5:9] = 0
    for name in ("TS1", "TS6"):
        (tmp_path / name).mkdir()
        with h5py.File(tmp_path / name / "annot_data.mat", "w") as file:
            file["annot2"] = project(cam, K)[:, None, inverse]
            file["univ_annot3"] = 1000 * cam[:, None, inverse]
            file["valid_frame"] = valid[:, None]
    with pytest.raises(InputError, match="give the folder"):
        read_3dhp(tmp_path / "TS1" / "annot_data.mat")
    with pytest.raises(InputError, match=f"give {tmp_path}"):
        recognise(tmp_path / "TS1")
    first, second = read_3dhp(tmp_path)
    assert (first.image_size, second.image_size) == ((2048, 2048), (1920, 1080))
    assert np.isnan(first.joints_3d[5:9]).all()
    assert np.isfinite(first.keypoints_px).all()
    assert np.allclose(first.joints_3d[10:], cam[10:], atol=1e-4)
    assert np.allclose(first.K, K, atol=0.1)
    with h5py.File(tmp_path / "TS6" / "annot_data.mat", "r+") as file:
        del file["valid_frame"]
        file["valid_frame"] = np.array([b"yes"] * FRAMES)
    with pytest.raises(InputError, match=r"valid of TS6. has shape"):
        read_3dhp(tmp_path)
    (tmp_path / "TS6" / "annot_data.mat").write_bytes(b"MATLAB 7.3")
    with pytest.raises(InputError, match="TS6"):
        read_3dhp(tmp_path)


def test_the_training_set_of_3dhp_and_the_npz_of_both(tmp_path):
    cam = in_camera()
    of_17 = cam[:, np.argsort(FROM_17)]
    of_28 = np.zeros((FRAMES, 28, 3))
    of_28[:, RELEVANT] = of_17
    of_28[of_28[..., 2] == 0] = [0, 0, 1]
    views = np.empty((14, 2), object)
    for number in range(14):
        views[number, 0] = project(of_28, K).reshape(FRAMES, 56)
        views[number, 1] = (1000 * of_28).reshape(FRAMES, 84)
    folder = tmp_path / "S3" / "Seq1"
    folder.mkdir(parents=True)
    scipy.io.savemat(folder / "annot.mat", {"annot2": views[:, :1], "univ_annot3": views[:, 1:]})
    sequences = read_3dhp(tmp_path)
    assert len(sequences) == 8
    assert all(np.allclose(s.joints_3d, cam, atol=1e-4) and s.subject == "S3" for s in sequences)
    assert {s.take for s in sequences} == {"3DHP S3 Seq1"}

    part = {"data_2d": project(of_17, K), "data_3d": 1000 * of_17}
    valid = np.r_[np.zeros(3), np.ones(FRAMES - 3)]
    np.savez(tmp_path / "data_test_3dhp.npz", data={"TS5": {**part, "valid": valid}})
    np.savez(tmp_path / "data_train_3dhp.npz", data={"S1 Seq2": [{"0": part, "4": part}]})
    (test,) = read_3dhp(tmp_path / "data_test_3dhp.npz")
    assert np.isnan(test.joints_3d[:3]).all()
    assert np.allclose(test.joints_3d[3:], cam[3:], atol=1e-4)
    assert [(s.name, s.take) for s in read_3dhp(tmp_path / "data_train_3dhp.npz")] == [
        ("3DHP S1 Seq2 camera 0", "3DHP S1 Seq2"),
        ("3DHP S1 Seq2 camera 4", "3DHP S1 Seq2"),
    ]
    assert test.take == "3DHP TS5"
    assert recognise(tmp_path / "data_test_3dhp.npz") == "3dhp"


# --- 3DPW and AIST++ ---


def test_3dpw_puts_people_before_the_moving_camera(tmp_path):
    rng = np.random.default_rng(0)
    world = rng.normal(size=(2, FRAMES, 24, 3))
    turns = Rotation.from_rotvec(0.1 * rng.normal(size=(FRAMES, 3))).as_matrix()
    T_cam_world = np.tile(np.eye(4), (FRAMES, 1, 1))
    T_cam_world[:, :3, :3], T_cam_world[:, :3, 3] = turns, [0, 0, 8]
    found = rng.uniform(1, 900, (FRAMES, 3, 18))
    found[:, 2] = 0.8
    content = {
        "sequence": "downtown_walk",
        "jointPositions": [person.reshape(FRAMES, 72) for person in world],
        "poses2d": [found, np.zeros((FRAMES, 3, 18))],
        "cam_poses": T_cam_world,
        "cam_intrinsics": np.array([[1961.0, 0, 540], [0, 1969.0, 960], [0, 0, 1]]),
        "campose_valid": [np.r_[np.zeros(2), np.ones(FRAMES - 2)]] * 2,
        "betas": [np.zeros(10)] * 2,
        "genders": ["m", "f"],
    }
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "downtown_walk.pkl").write_bytes(pickle.dumps(content, protocol=2))
    first, second = read_3dpw(tmp_path, detections="gt")
    cam = np.einsum("fij,fkj->fki", turns, world[0]) + np.array([0, 0, 8])
    knee = JOINT_SETS["smpl24"].joints.index("l_knee")
    assert np.allclose(first.joints_3d[2:, JOINT["l_knee"]], cam[2:, knee], atol=1e-5)
    assert np.isnan(first.joints_3d[:2]).all()
    assert np.allclose(first.keypoints_px[2:], project(first.joints_3d[2:].astype(float), first.K), atol=1e-2)
    assert first.image_size == (1080, 1920)
    own, nobody = read_3dpw(tmp_path / "test" / "downtown_walk.pkl")
    knee = JOINT_SETS["coco18"].joints.index("l_knee")
    assert np.allclose(own.keypoints_px[:, JOINT["l_knee"]], found[:, :2, knee], atol=1e-3)
    assert (nobody.confidence == 0).all()
    assert second.subject == "downtown_walk person 1"
    assert first.take == second.take == "3DPW downtown_walk"
    unused = content | {"genders": np.array(["m", "f"]), "nothing": np.zeros(0)}
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps(unused, protocol=2))
    assert len(read_3dpw(tmp_path / "odd.pkl")) == 2
    intrinsics = content["cam_intrinsics"]
    damages = [
        ("cam_poses", None),
        ("cam_poses", 1e300 * T_cam_world),
        ("cam_intrinsics", np.nan * intrinsics),
        ("cam_intrinsics", 1e300 * intrinsics),
        ("cam_intrinsics", 0 * intrinsics),
    ]
    for field, value in damages:
        damaged = {key: part for key, part in (content | {field: value}).items() if part is not None}
        (tmp_path / "damaged.pkl").write_bytes(pickle.dumps(damaged, protocol=2))
        with pytest.raises(InputError, match=field):
            read_3dpw(tmp_path / "damaged.pkl")


def test_aist_is_seen_by_its_cameras(tmp_path):
    rng = np.random.default_rng(0)
    joints = 100 * rng.normal(size=(FRAMES, 17, 3))
    joints[3, 4] = 1e6  # as the authors' failures look
    rotvec, t = np.array([0.1, -0.2, 3.0]), np.array([10.0, 160, 450])
    (tmp_path / "keypoints3d").mkdir()
    (tmp_path / "cameras").mkdir()
    name = "gBR_sBM_cAll_d04_mBR0_ch01"
    (tmp_path / "keypoints3d" / f"{name}.pkl").write_bytes(
        pickle.dumps({"keypoints3d": joints, "keypoints3d_optim": joints})
    )
    (tmp_path / "cameras" / "mapping.txt").write_text(f"{name} setting1\n")
    cameras = [
        {
            "name": f"c0{n}",
            "size": [1920, 1080],
            "matrix": K.tolist(),
            "rotation": rotvec.tolist(),
            "translation": t.tolist(),
        }
        for n in (1, 2)
    ]
    (tmp_path / "cameras" / "setting1.json").write_text(json.dumps(cameras))
    first, second = read_aist(tmp_path)
    assert first.take == second.take == f"AIST++ {first.name.split()[1]}"
    expected = (joints @ Rotation.from_rotvec(rotvec).as_matrix().T + t) / 100
    knee = JOINT_SETS["coco17"].joints.index("r_knee")
    assert np.allclose(first.joints_3d[:, JOINT["r_knee"]], expected[:, knee], atol=1e-4)
    assert (first.fps, first.subject, first.action) == (60, "d04", "gBR")
    assert recognise(tmp_path) == "aist"
    with pytest.raises(InputError, match=f"give {tmp_path}"):
        recognise(tmp_path / "keypoints3d")
    (tmp_path / "keypoints3d" / "failed.pkl").write_bytes(pickle.dumps({"keypoints3d": joints}))
    (tmp_path / "ignore_list.txt").write_text("other\nfailed\n")
    assert len(read_aist(tmp_path)) == 2
    for size in ([0, 1080], [1e300, 1080], [float("nan"), 1080]):
        (tmp_path / "cameras" / "setting1.json").write_text(json.dumps([cameras[0] | {"size": size}]))
        with pytest.raises(InputError, match="size"):
            read_aist(tmp_path)
    (tmp_path / "cameras" / "mapping.txt").write_bytes(b"\xff\xfe take setting1\n")
    with pytest.raises(InputError, match="does not name"):
        read_aist(tmp_path)


# --- AMASS, takes and virtual cameras ---


def test_amass_stands_upright_at_its_place(tmp_path):
    poses = np.zeros((3, 156))
    poses[:, 0] = np.pi / 2  # SMPL's rest pose has y up, AMASS z up
    trans = np.array([[1.0, 2.0, 1.2]] * 3)
    np.savez(
        tmp_path / "walk_poses.npz", poses=poses, trans=trans, betas=np.ones(16), mocap_framerate=120.0, gender="male"
    )
    take = read_amass(tmp_path / "walk_poses.npz", load_body())
    joints = take.h36m17()[0]
    assert joints[JOINT["head_top"], 1] > joints[JOINT["pelvis"], 1] + 0.4 > joints[JOINT["l_ankle"], 1] + 1
    assert joints[JOINT["l_hip"], 0] > joints[JOINT["r_hip"], 0]
    hips = (
        load_body().rest_joints(torch.zeros(1, 10))[0, 0].numpy()
    )  # SMPL moves the rest pose, whose pelvis is not at 0
    assert np.allclose(joints[JOINT["pelvis"], [0, 2]], [1 + hips[0], -2 - hips[1]], atol=0.1)
    assert (take.fps, len(take)) == (120, 3)
    assert recognise(tmp_path / "walk_poses.npz") == "amass"
    np.savez(tmp_path / "shape.npz", poses=poses[0], trans=trans)
    with pytest.raises(InputError, match="poses"):
        read_amass(tmp_path / "shape.npz", load_body())
    whole = {"poses": poses, "trans": trans, "mocap_framerate": 120.0}
    for field, value in [("poses", np.nan * poses), ("trans", 1e30 * trans), ("mocap_framerate", 1e9)]:
        np.savez(tmp_path / "damaged.npz", **(whole | {field: value}))
        with pytest.raises(InputError, match=field):
            read_amass(tmp_path / "damaged.npz", load_body())


def upside(axis: str) -> np.ndarray:
    """SMPL's rest pose for three frames, whose head points along an axis of the file; axis-angle (3, 72)."""
    poses = np.zeros((3, 72))
    poses[:, 0] = {"y_up": 0, "z_up": np.pi / 2, "y_down": np.pi}[axis]
    return poses


def is_upright(take: Take) -> bool:
    joints = take.h36m17()
    return bool((joints[:, JOINT["head_top"], 1] > joints[:, JOINT["l_ankle"], 1] + 1.2).all())


def test_amass_with_y_up_is_recognised_and_axes_override(tmp_path):
    path = tmp_path / "a.npz"
    trans = np.tile([0.3, 1.1, 0], (3, 1))
    np.savez(path, poses=np.zeros((3, 156)), trans=trans, mocap_framerate=60.0)
    take = read_amass(path, load_body())
    assert is_upright(take)
    assert take.notes == ("the person lies on the side with z up and is read with y up",)
    lying = read_amass(path, load_body(), axes="z_up")
    assert not is_upright(lying)
    assert lying.notes == ()
    assert np.allclose(lying.joints, take.joints @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]).T)


@pytest.mark.parametrize("axis", ["y_up", "z_up", "y_down"])
@pytest.mark.parametrize("layout", ["layers", "flat layers", "matrices", "old names", "romp", "aist"])
def test_bodies_under_other_names_are_posed_as_amass(tmp_path, layout, axis, capsys):
    poses, trans = upside(axis), np.array([[0.1, 0.2, 1], [0.2, 0.2, 1], [0.3, 0.2, 1]])
    file = tmp_path / ("gBR.pkl" if layout == "aist" else "a.npz")
    if layout == "layers":
        np.savez(
            file,
            global_orient=poses[:, None, :3],
            body_pose=poses[:, 3:].reshape(3, 23, 3),
            transl=trans,
            betas=np.zeros(10),
        )
    elif layout == "flat layers":
        np.savez(file, global_orient=poses[:, :3], body_pose=poses[:, 3:66], transl=trans, fps=25.0)
    elif layout == "matrices":
        root = Rotation.from_rotvec(poses[:, :3]).as_matrix()
        np.savez(file, global_orient=root[:, None], body_pose=np.tile(np.eye(3), (3, 23, 1, 1)), transl=trans)
    elif layout == "old names":
        np.savez(file, root_orient=poses[:, :3], pose_body=poses[:, 3:66], trans=trans, mocap_frame_rate=50.0)
    elif layout == "romp":
        images = {
            f"{row}.jpg": {"smpl_thetas": poses[row : row + 1], "cam_trans": trans[row : row + 1]} for row in range(3)
        }
        np.savez(file, results=np.array(images, dtype=object))
    else:
        content = {"smpl_poses": poses, "smpl_trans": trans * 90, "smpl_scaling": np.array([90.0]), "smpl_loss": 1.0}
        file.write_bytes(pickle.dumps(content))
    assert recognise(file) == "amass"
    assert main(["data", "convert", str(file), str(tmp_path / "out.npz")]) == 0
    (take,) = read_takes(tmp_path / "out.npz")
    assert is_upright(take)
    assert take.fps == {"flat layers": 25, "old names": 50, "aist": 60}.get(layout, 30)
    printed = capsys.readouterr().out
    assert ("30 frames per second are assumed" in printed) == (take.fps == 30)
    assert ("and is read with" in printed) == (axis != "y_up")
    np.savez(tmp_path / "amass.npz", poses=np.pad(poses[:, :66], ((0, 0), (0, 90))), trans=trans, mocap_framerate=60.0)
    expected = read_amass(tmp_path / "amass.npz", load_body(), axes="y_up").joints
    turn = {"y_up": np.eye(3), "z_up": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), "y_down": np.diag([1.0, -1, -1])}
    assert np.allclose(take.joints, expected @ turn[axis].T, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"global_orient": np.zeros((3, 3)), "body_pose": np.zeros((3, 60))}, "body_pose"),
        ({"global_orient": np.zeros((2, 3)), "body_pose": np.zeros((3, 63))}, "body_pose"),
        ({"global_orient": np.zeros((3, 3)), "body_pose": np.full((3, 63), np.nan)}, "body_pose"),
        ({"global_orient": np.zeros((3, 3, 3)), "body_pose": np.zeros((3, 63))}, "global_orient"),
        ({"global_orient": np.zeros((3, 3)), "body_pose": np.zeros((3, 63)), "transl": np.zeros((2, 3))}, "trans"),
        ({"global_orient": np.zeros((3, 3)), "body_pose": np.zeros((3, 63)), "transl": np.full((3, 3), 1e20)}, "huge"),
        ({"global_orient": np.zeros((3, 3)), "body_pose": np.zeros((3, 63)), "fps": 1e9}, "frames per second"),
        ({"results": np.array({"a.jpg": {}}, dtype=object)}, "smpl_thetas"),
        ({"results": np.zeros(3)}, "results"),
    ],
)
def test_damaged_bodies_are_a_sentence(tmp_path, fields, says):
    np.savez(tmp_path / "a.npz", **fields)
    with pytest.raises(InputError, match=says):
        read_amass(tmp_path / "a.npz", load_body())


def test_a_folder_of_aist_motions_is_read(tmp_path):
    (tmp_path / "motions").mkdir()
    for name in ("a", "b"):
        content = {"smpl_poses": upside("y_up"), "smpl_trans": np.zeros((3, 3))}
        (tmp_path / "motions" / f"{name}.pkl").write_bytes(pickle.dumps(content))
    assert recognise(tmp_path / "motions") == "amass"
    assert main(["data", "convert", str(tmp_path / "motions"), str(tmp_path / "out.npz")]) == 0
    assert [take.name for take in read_takes(tmp_path / "out.npz")] == ["a", "b"]


MARKERS_ON_SKIN = (
    "PathFileType\t4\t(X/Y/Z)\ta.trc\nDataRate\tNumFrames\tNumMarkers\tUnits\n60\t1\t2\tm\n"
    "Frame#\tTime\tR.ASIS\t\t\tV.Sacral\n\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n1\t0\t0\t1\t0\t0\t1\t0.5\n"
)


def test_a_take_of_unknown_joints_is_refused_by_its_names_and_not_written(tmp_path, capsys):
    (tmp_path / "a.trc").write_text(MARKERS_ON_SKIN)
    assert main(["data", "convert", str(tmp_path / "a.trc"), str(tmp_path / "out.npz")]) == 2
    assert "'R.ASIS', 'V.Sacral'" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_the_command_prints_notes_once(tmp_path, capsys, monkeypatch):
    def noted(name: str, note: str) -> Take:
        return replace(walk_take(), name=name, notes=(note,))

    takes = [noted("a", "is turned"), noted("b", "is turned"), noted("c", "is cut")]
    assert Content(takes=takes).notes == ["a and 1 more: is turned", "c: is cut"]
    toy = DataFormat("toy", lambda source: ".toy" in source.suffixes, lambda path, options: Content(takes=takes))
    monkeypatch.setattr(formats, "FORMATS", (toy,))
    (tmp_path / "a.toy").write_text("toy")
    assert main(["data", "convert", str(tmp_path / "a.toy"), str(tmp_path / "out.npz")]) == 0
    assert "note: a and 1 more: is turned\nnote: c: is cut\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.bvh", b"x", "data convert"),
        ("a.trc", b"x", "data convert"),
        ("a.amc", b"x", "data convert"),
        ("a.asf", b"x", r"\.amc file to 'posenet3d data convert'"),
        ("a.c3d", b"x", "no command reads it"),
        ("motive.csv", b"Format Version,1.23,Take Name,Take 1\n", "Motive.*no command reads it"),
        ("videos/a.mp4", b"x", r"give one of them, for example .*a\.mp4"),
        ("takes/a.bvh", b"x", "data convert"),
    ],
)
def test_what_holds_no_2d_joints_names_the_command_that_reads_it(tmp_path, capsys, name, content, says):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    given = file.parent if "/" in name else file
    with pytest.raises(InputError, match=says):
        read_keypoints(given)


def test_lifted_clips_with_a_body_are_no_motion_capture(tmp_path):
    fields = ("joints_3d", "global_orient", "body_pose", "transl")
    np.savez(tmp_path / "lifted.npz", **dict.fromkeys(fields, np.zeros((3, 3))))
    assert recognise(tmp_path / "lifted.npz") == "2d"
    with pytest.raises(InputError, match="'posenet3d export'"):
        read_keypoints(tmp_path / "lifted.npz")


@pytest.mark.parametrize("fields", [("poses", "trans"), ("global_orient", "body_pose"), ("results",)])
def test_bodies_are_no_2d_joints(tmp_path, fields):
    np.savez(tmp_path / "a.npz", **dict.fromkeys(fields, np.zeros((3, 3))))
    with pytest.raises(InputError, match="'posenet3d data convert' reads it"):
        read_keypoints(tmp_path / "a.npz")


def walk_take(fps: float = 30.0) -> Take:
    return Take("walk", walker() + np.array([0, 0.9, 0]), JOINT_NAMES, JOINT_NAMES, fps, "somebody", "walking")


def test_takes_come_back_from_their_file(tmp_path):
    take = walk_take()
    write_takes(tmp_path / "takes.npz", [take, take.downsample(10.0)])
    first, second = read_takes(tmp_path / "takes.npz")
    assert np.allclose(first.joints, take.joints, atol=1e-6)
    assert (second.fps, len(second), second.subject) == (10, 14, "somebody")
    assert np.allclose(second.joints, take.joints[::3], atol=1e-6)


def test_virtual_cameras_see_everybody_upright_and_agree_with_the_truth():
    take = walk_take()
    sequences = project_with_cameras([take], cameras=3, seed=1)
    assert len(sequences) == 3
    for sequence in sequences:
        assert ((sequence.keypoints_px > 0) & (sequence.keypoints_px < 1000)).all()
        assert np.allclose(sequence.keypoints_px, project(sequence.joints_3d.astype(float), sequence.K), atol=0.05)
        lengths = [
            np.linalg.norm(j[:, JOINT["l_knee"]] - j[:, JOINT["l_hip"]], axis=1)
            for j in (take.joints, sequence.joints_3d)
        ]
        assert np.allclose(*lengths, atol=1e-4)
        assert (sequence.keypoints_px[:, JOINT["head_top"], 1] < sequence.keypoints_px[:, JOINT["l_ankle"], 1]).all()
    ways = [s.joints_3d[0, JOINT["l_shoulder"]] - s.joints_3d[0, JOINT["r_shoulder"]] for s in sequences]
    assert np.linalg.norm(ways[0] - ways[1]) > 0.1  # from different sides
    assert all(s.joints_3d is None for s in project_with_cameras([take], cameras=1, keep_truth=False))


@pytest.mark.parametrize("size", [1e5, 1e30])
def test_a_take_in_a_wrong_unit_is_refused(size):
    take = Take("giant", size * walk_take().joints, JOINT_NAMES, JOINT_NAMES, 30.0)
    with pytest.raises(InputError, match="unit"):
        project_with_cameras([take], cameras=1)


def test_the_command_converts_and_projects(tmp_path, capsys):
    h36m_folder(tmp_path, subjects=("S9", "S11"))
    out = tmp_path / "h36m.npz"
    assert main(["data", "convert", str(tmp_path), str(out), "--subjects", "S9"]) == 0
    assert "8 clips, 320 frames, with 3D" in capsys.readouterr().out
    assert len(read_packed(out)) == 8

    write_takes(tmp_path / "takes.npz", [walk_take()])
    for name in ("film", "project"):  # the old name of the action, and the new one
        assert main(["data", name, str(tmp_path / "takes.npz"), str(out), "--cameras", "2", "--train"]) == 0
    (first, _) = read_packed(out)
    assert first.joints_3d is None
    assert first.K is not None

    for wrong in (
        ["project", str(tmp_path), str(out)],
        ["project", str(tmp_path / "takes.npz"), str(out), "--cameras", "0"],
        ["convert", str(tmp_path / "takes.npz"), str(tmp_path / "out.json")],
        ["convert", str(tmp_path / "nothing.bvh"), str(out)],
        ["convert", str(tmp_path), str(out), "--format", "panoptic"],
        ["convert", str(tmp_path), str(out), "--unit", "furlong"],
        ["convert", str(tmp_path), str(out), "--unit", "cm"],  # is for BVH
        ["project", str(tmp_path / "takes.npz"), str(out), "--source-fps", "60"],
        ["project", str(tmp_path / "takes.npz"), str(out), "--source-fps", "0"],
        ["convert", "a" * 300, str(out)],
    ):
        assert main(["data", *wrong]) == 2, wrong
        assert capsys.readouterr().err.strip().splitlines()[-1].startswith("posenet3d data: ")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a.c3d"], "TRC or BVH"),
        (["a.fbx", "readme.txt"], "BVH"),
        (["01.asf"], "amc"),
        ([], "no file"),
        (["Seq1/annot.mat"], "is not the folder"),
        (["h36m/data_3d_h36m.npz"], "h36m"),
    ],
)
def test_a_folder_of_something_else_says_what_to_give(tmp_path, names, problem):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    with pytest.raises(InputError, match=problem):
        recognise(folder)
    if len(names) == 1 and "/" not in names[0]:
        with pytest.raises(InputError, match=problem):
            recognise(folder / names[0])


def test_one_record_adds_a_data_set(tmp_path, monkeypatch, capsys):
    toy = DataFormat(
        "toy",
        lambda source: ".toy" in source.suffixes,
        lambda path, options: Content(takes=[replace(walk_take(), name=f"unit {options.unit}")]),
        options=("unit",),
        has_cameras=False,
    )
    (tmp_path / "a.toy").write_text("toy")
    order = ["data", "convert", str(tmp_path / "a.toy"), str(tmp_path / "out.npz"), "--unit", "cm"]
    assert recognise(tmp_path / "a.toy") == "2d"
    assert main(order) == 2
    assert "--unit: is for bvh, and" in capsys.readouterr().err
    monkeypatch.setattr(formats, "FORMATS", (toy, *formats.FORMATS))
    assert main(order) == 0
    assert [take.name for take in read_takes(tmp_path / "out.npz")] == ["unit 0.01"]
    assert formats.names_of_motion_formats() == ["toy", "bvh", "amc", "trc", "takes", "amass"]


def test_the_help_names_every_format(capsys):
    with pytest.raises(SystemExit):
        main(["data", "convert", "--help"])
    listed = capsys.readouterr().out.rpartition("--format NAME")[2].partition("--unit")[0]
    assert {name.strip() for name in listed.split(",")} == {known.name for known in formats.FORMATS}


def test_a_damaged_file_does_not_stop_a_folder(tmp_path, capsys):
    poses, trans = np.zeros((3, 156)), np.zeros((3, 3))
    (tmp_path / "all").mkdir()
    for name, rate in (("good", 60.0), ("bad", -1.0)):
        np.savez(tmp_path / "all" / f"{name}.npz", poses=poses, trans=trans, mocap_framerate=rate)
    assert main(["data", "convert", str(tmp_path / "all"), str(tmp_path / "out.npz")]) == 0
    told = capsys.readouterr().out
    assert "left out" in told
    assert "bad.npz" in told
    assert [take.name for take in read_takes(tmp_path / "out.npz")] == ["good"]
    (tmp_path / "all" / "good.npz").unlink()
    assert main(["data", "convert", str(tmp_path / "all"), str(tmp_path / "out.npz")]) == 2


def test_projecting_says_what_is_never_known(tmp_path, capsys):
    take = walk_take()
    joints = take.joints.copy()
    joints[:, JOINT["l_wrist"]] = np.nan
    write_takes(tmp_path / "takes.npz", [Take("walk", joints, JOINT_NAMES, JOINT_NAMES, 30.0)])
    assert main(["data", "project", str(tmp_path / "takes.npz"), str(tmp_path / "out.npz")]) == 0
    assert "not known in any frame: l_wrist\n" in capsys.readouterr().out


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(checked_npz, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(InputError, match="fewer clips"):
        write_takes(tmp_path / "takes.npz", [walk_take()])
    assert not (tmp_path / "takes.npz").exists()


def test_photographs_are_clips_of_one_frame(tmp_path):
    names = list(JOINT_SETS["crowdpose14"].joints)
    people = [
        {"id": n, "image_id": n % 2, "category_id": 1, "bbox": [0, 0, 50, 90], "keypoints": [10 + n, 20, 2] * 14}
        for n in range(3)
    ]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 100 + n, "height": 90} for n in range(2)]
    content = {"images": images, "annotations": people, "categories": [{"id": 1, "name": "person", "keypoints": names}]}
    unhashable = content | {"images": [images[0] | {"id": [0]}, images[1]]}
    (tmp_path / "crowdpose_val.json").write_text(json.dumps(unhashable))
    with pytest.raises(InputError, match=r"images\[0\].id"):
        read_photographs(tmp_path / "crowdpose_val.json")
    (tmp_path / "crowdpose_val.json").write_text(json.dumps(content))
    out = tmp_path / "photos.npz"
    assert main(["data", "convert", str(tmp_path / "crowdpose_val.json"), str(out), "--format", "photographs"]) == 0
    sequences = read_packed(out)
    assert [len(s) for s in sequences] == [1, 1, 1]
    assert sequences[1].image_size == (101, 90)
    assert sequences[0].take == sequences[2].take != sequences[1].take  # the first and the third are in one photograph
    assert np.allclose(sequences[2].keypoints_px[0, JOINT["l_knee"]], [12, 20])


def test_virtual_cameras_see_every_synthetic_motion():
    for motion in MOTIONS:
        truth = synthetic_sequence(motion, fps=3.0).joints_3d
        assert truth is not None
        take = Take(motion, truth * [1, -1, -1], JOINT_NAMES, JOINT_NAMES, 3.0)
        (sequence,) = project_with_cameras([take], cameras=1)
        assert np.isfinite(sequence.keypoints_px).all()


def test_three_d_recipes_are_those_of_two_d():
    rng = np.random.default_rng(0)
    body = rng.normal(size=(4, 24, 3))
    in_3d, _ = to_h36m17(body, np.ones((4, 24)), "smpl24")
    in_2d, _ = to_h36m17(body[..., :2], np.ones((4, 24)), "smpl24")
    assert np.allclose(in_3d[..., :2], in_2d)
