"""Every export, read back by something that is not ours, puts the joints (or the skin) where the body has them."""

import argparse
import csv
import importlib
import inspect
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import torch
import trimesh
from helpers.bodies import FPS, FRAMES, MM, made_up, tensors, with_nobody
from scipy.spatial.transform import Rotation

from posenet3d.body.files import default_arrays, load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.body.layer import BODY_PARENTS, Body
from posenet3d.body.motion import JOINT_LABELS
from posenet3d.body.smplx_model import to_smplx
from posenet3d.cli import main
from posenet3d.cli.export import run as export
from posenet3d.core.axes import AXES
from posenet3d.core.ground import ANKLE_HEIGHT_M
from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT, JOINT_NAMES
from posenet3d.errors import InputError
from posenet3d.exports import formats
from posenet3d.exports.amass import amass_npz
from posenet3d.exports.bvh import bvh_file
from posenet3d.exports.csv_table import csv_table
from posenet3d.exports.formats import AXIS_SYSTEMS, EXPORT_FORMATS, Exported, ExportFormat, export_clip, write_export
from posenet3d.exports.gltf import glb_file
from posenet3d.exports.obj import obj_file
from posenet3d.exports.placing import placed
from posenet3d.exports.trc import trc_file
from posenet3d.io.lifted_npz import BODY_FIELDS, read_lifted, write_lifted
from posenet3d.io.mocap.amass import read_amass
from posenet3d.io.mocap.trc import read_trc

Y_UP = np.diag([1.0, -1, -1])
CLIP_FORMATS = [one.name for one in EXPORT_FORMATS if not one.is_movie and not one.holds_all_clips]


@pytest.fixture(scope="module")
def clip():
    return made_up()


@pytest.fixture(scope="module")
def posed(clip):
    """Vertices (frames, vertices, 3) and 24 joints in the camera's frame."""
    result = load_body(dtype=torch.float64)(*tensors(clip.body))
    return result.vertices.numpy(), result.joints.numpy()


def test_the_made_up_person_is_upright(clip):
    head, feet = clip.joints_3d[:, JOINT["head_top"], 1], clip.joints_3d[:, JOINT["r_ankle"], 1]
    assert (head < feet).all(), "y points down in the camera's frame"


# --- AMASS


@pytest.mark.parametrize("axes", AXES)
def test_amass_through_smplx(clip, posed, axes):
    stored = np.load(io.BytesIO(amass_npz(clip, axes).content), allow_pickle=False)
    assert stored["poses_smpl"].shape == (FRAMES, 72)
    assert (float(stored["mocap_framerate"]), str(stored["gender"])) == (FPS, "neutral")
    poses, trans, betas = (torch.from_numpy(stored[name]).float() for name in ("poses_smpl", "trans", "betas"))
    betas = betas[:10]
    model = to_smplx(load_body(), FRAMES)
    out = model(betas=betas[None], global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=trans)
    found = out.joints[:, :24].numpy()
    np.testing.assert_allclose(found, posed[1] @ AXES[axes].T, atol=MM)
    np.testing.assert_allclose(found @ stored["R_file_camera"], posed[1], atol=MM)


def test_amass_has_the_widths_that_its_readers_slice(clip):
    """human_body_prior's and aitviewer's slices: root 3, body 63, hands 90; 16 betas; 8 numbers of soft tissue."""
    stored = np.load(io.BytesIO(amass_npz(clip).content), allow_pickle=False)
    poses = stored["poses"]
    assert (poses.shape, stored["betas"].shape, stored["dmpls"].shape) == ((FRAMES, 156), (16,), (FRAMES, 8))
    root, body, hands = poses[:, :3], poses[:, 3:66], poses[:, 66:156]
    assert hands.shape == (FRAMES, 90)
    assert not hands.any()
    np.testing.assert_array_equal(np.concatenate([root, body], 1), stored["poses_smpl"][:, :66])
    np.testing.assert_array_equal(stored["betas"], np.r_[clip.body.betas[0], np.zeros(6)])
    assert not stored["dmpls"].any()


def test_amass_comes_back_in_both_widths(clip, tmp_path):
    (tmp_path / "clip_amass.npz").write_bytes(amass_npz(clip).content)
    stored = dict(np.load(tmp_path / "clip_amass.npz"))
    take = read_amass(tmp_path / "clip_amass.npz", load_body())
    np.testing.assert_allclose(take.h36m17(), clip.joints_3d @ Y_UP, atol=5 * MM)
    of_smpl_h = {name: values for name, values in stored.items() if name != "poses_smpl"}
    older = of_smpl_h | {"poses": stored["poses_smpl"], "betas": stored["betas"][:10]}
    for name, content in {"smplh": of_smpl_h, "older": older}.items():
        np.savez(tmp_path / f"{name}.npz", **content)
        again = read_amass(tmp_path / f"{name}.npz", load_body())
        known = np.isin(
            JOINT_NAMES, ["l_wrist", "r_wrist"], invert=True
        )  # the wrists' skin turns with SMPL's hand joints
        np.testing.assert_allclose(again.h36m17()[:, known], take.h36m17()[:, known], atol=MM)
    np.savez(tmp_path / "damaged.npz", **(stored | {"poses_smpl": stored["poses_smpl"][:, :69]}))
    with pytest.raises(InputError, match="poses_smpl"):
        read_amass(tmp_path / "damaged.npz", load_body())


def test_axes_are_rotations_that_put_up_up():
    for name, up in {"camera": [0, -1, 0], "y_up": [0, 1, 0], "z_up": [0, 0, 1]}.items():
        assert np.linalg.det(AXES[name]) == pytest.approx(1)
        np.testing.assert_array_equal(AXES[name] @ [0, -1, 0], up)


# --- BVH


def read_bvh(text: str):
    """Names, parents, offsets, channels and motion of a BVH: word by word, no more than the format's grammar."""
    words = iter(text.split())
    names, parents, offsets, channels, stack = [], [], [], [], []
    for word in words:
        if word in {"ROOT", "JOINT"}:
            names.append(next(words))
            parents.append(stack[-1] if stack else -1)
            own = len(names) - 1
        elif word == "End":
            next(words)
            own = None
        elif word == "{":
            stack.append(own)
        elif word == "}":
            stack.pop()
        elif word == "OFFSET":
            offset = [float(next(words)) for _ in range(3)]
            if stack[-1] is not None:
                offsets.append(offset)
        elif word == "CHANNELS":
            channels.append([next(words) for _ in range(int(next(words)))])
        elif word == "MOTION":
            break
    assert next(words) == "Frames:"
    count = int(next(words))
    assert [next(words), next(words)] == ["Frame", "Time:"]
    frame_time = float(next(words))
    motion = np.array([float(word) for word in words]).reshape(count, -1)
    return names, parents, np.array(offsets), channels, frame_time, motion


def walk_bvh(text: str) -> dict[str, np.ndarray]:
    """Name to places (frames, 3), by multiplying the channels out one after the other."""
    names, parents, offsets, channels, _, motion = read_bvh(text)
    turn, place, column = [], [], 0
    for joint, parent in enumerate(parents):
        own, moved = np.tile(np.eye(3), (len(motion), 1, 1)), np.tile(offsets[joint], (len(motion), 1))
        for channel in channels[joint]:
            values = motion[:, column]
            column += 1
            if channel.endswith("position"):
                moved[:, "XYZ".index(channel[0])] += values
            else:
                own = own @ Rotation.from_euler(channel[0].lower(), values[:, None], degrees=True).as_matrix()
        place.append(moved if parent < 0 else place[parent] + (turn[parent] @ moved[..., None])[..., 0])
        turn.append(own if parent < 0 else turn[parent] @ own)
    assert column == motion.shape[1]
    return dict(zip(names, place, strict=True))


def test_bvh_by_naive_kinematics(clip, posed):
    text = bvh_file(clip).content.decode()
    assert read_bvh(text)[4] == pytest.approx(1 / FPS)
    found = walk_bvh(text)
    assert len(found) == 24
    for joint, name in enumerate(JOINT_LABELS):
        np.testing.assert_allclose(found[name], posed[1][:, joint] @ Y_UP, atol=MM)
    assert (found["head"][:, 1] > found["left_foot"][:, 1]).all(), "upright"


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # PyGLM's new name
def test_bvh_by_bvhio(clip, posed, tmp_path):
    import bvhio

    (tmp_path / "clip.bvh").write_bytes(bvh_file(clip).content)
    root = bvhio.readAsHierarchy(str(tmp_path / "clip.bvh"))
    for frame in (0, FRAMES - 1):
        root.loadPose(frame)
        for joint, _, _ in root.layout():
            found = np.array(joint.PositionWorld)
            np.testing.assert_allclose(found, posed[1][frame, JOINT_LABELS.index(joint.Name)] @ Y_UP, atol=MM)


def test_bvh_in_gimbal_lock_and_without_jumps(clip):
    pose = np.zeros((FRAMES, 69), np.float32)
    pose[:, 0] = np.pi / 2
    pose[:, 4] = np.linspace(0, 7, FRAMES)
    locked = replace(clip, body=replace(clip.body, body_pose=pose))
    text = bvh_file(locked).content.decode()
    joints = load_body(dtype=torch.float64)(*tensors(locked.body)).joints.numpy()
    found = walk_bvh(text)
    for joint, name in enumerate(JOINT_LABELS):
        np.testing.assert_allclose(found[name], joints[:, joint] @ Y_UP, atol=MM)
    assert np.abs(np.diff(read_bvh(text)[5][:, 3:], axis=0)).max() < 180


# --- glTF


class Glb:
    """Evaluates skin and animation of a GLB from the specification's words, on top of pygltflib's parser."""

    _KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}  # noqa: RUF012
    _WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}  # noqa: RUF012

    def __init__(self, content: bytes):
        self.file = pygltflib.GLTF2.load_from_bytes(content)
        self.nodes = self.file.nodes
        self.parents = {child: n for n, node in enumerate(self.nodes) for child in node.children or []}

    def array(self, accessor: int) -> np.ndarray:
        a = self.file.accessors[accessor]
        view, width = self.file.bufferViews[a.bufferView], self._WIDTHS[a.type]
        kind = np.dtype(self._KINDS[a.componentType])
        assert view.byteOffset % 4 == 0
        values = np.frombuffer(self.file.binary_blob(), kind, a.count * width, view.byteOffset)
        return values.reshape(a.count, width)

    def world(self, frame: int) -> np.ndarray:
        """(nodes, 4, 4) at a key frame."""
        local = [
            {"translation": n.translation or [0, 0, 0], "rotation": n.rotation or [0, 0, 0, 1]} for n in self.nodes
        ]
        (animation,) = self.file.animations
        for channel in animation.channels:
            values = self.array(animation.samplers[channel.sampler].output)
            local[channel.target.node][channel.target.path] = values[frame]
        matrices = np.tile(np.eye(4), (len(local), 1, 1))
        for matrix, node in zip(matrices, local, strict=True):
            matrix[:3, :3] = Rotation.from_quat(node["rotation"]).as_matrix()
            matrix[:3, 3] = node["translation"]

        def up(node: int) -> np.ndarray:
            return up(self.parents[node]) @ matrices[node] if node in self.parents else matrices[node]

        return np.stack([up(node) for node in range(len(local))])

    def skinned(self, frame: int) -> np.ndarray:
        """(vertices, 3) at a key frame."""
        (skin,), (mesh,), world = self.file.skins, self.file.meshes, self.world(frame)
        inverse = self.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)  # stored column by column
        bones = world[skin.joints] @ inverse
        attributes = mesh.primitives[0].attributes
        start = np.concatenate([self.array(attributes.POSITION), np.ones((7412, 1))], 1)
        moved = np.zeros_like(start)
        for n in range(2):
            joints, weights = (self.array(getattr(attributes, f"{kind}_{n}")) for kind in ("JOINTS", "WEIGHTS"))
            for k in range(4):
                moved += weights[:, k, None] * (bones[joints[:, k]] @ start[..., None])[..., 0]
        np.testing.assert_allclose(moved[:, 3], 1, atol=1e-5)
        return moved[:, :3]


def test_glb_skeleton_and_skin_by_pygltflib(clip, posed):
    glb = Glb(glb_file(clip).content)
    (skin,) = glb.file.skins
    assert [glb.nodes[n].name for n in skin.joints] == list(JOINT_LABELS)
    times = glb.array(glb.file.animations[0].samplers[0].input)[:, 0]
    np.testing.assert_allclose(times, np.arange(FRAMES) / FPS, atol=1e-6)
    for frame in range(FRAMES):
        np.testing.assert_allclose(glb.world(frame)[skin.joints, :3, 3], posed[1][frame] @ Y_UP, atol=MM)
    for frame in (0, FRAMES - 1):
        np.testing.assert_allclose(glb.skinned(frame), posed[0][frame] @ Y_UP, atol=MM)


def test_glb_turns_the_short_way(clip):
    glb = Glb(glb_file(clip).content)
    for channel in glb.file.animations[0].channels:
        if channel.target.path == "rotation":
            q = glb.array(glb.file.animations[0].samplers[channel.sampler].output)
            np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1, atol=1e-5)
            assert ((q[1:] * q[:-1]).sum(1) > 0).all()


def test_glb_by_trimesh(clip, tmp_path):
    (tmp_path / "clip.glb").write_bytes(glb_file(clip).content)
    scene = trimesh.load_scene(tmp_path / "clip.glb", process=False)
    (mesh,) = scene.geometry.values()
    rest = load_body().rest_vertices(torch.from_numpy(clip.body.betas))[0].numpy()
    np.testing.assert_allclose(mesh.vertices, rest, atol=MM)
    np.testing.assert_array_equal(mesh.faces, default_arrays().faces)
    light = default_arrays().colors.astype(float).sum(1)
    found = mesh.visual.vertex_attributes["color"][:, :3].astype(float).sum(1)
    assert np.corrcoef(light, found)[0, 1] > 0.95
    normals = Glb(glb_file(clip).content).array(1)
    away = (normals * mesh.vertex_normals).sum(1)
    assert np.median(away) > 0.95, "normals point outwards"


# --- TRC, CSV, OBJ


@pytest.mark.parametrize("model", ["teacher", "student"])
def test_trc_line_by_line(clip, model):
    clip = replace(with_nobody(clip, 3), name="two\twords\n")
    result = trc_file(clip if model == "student" else replace(clip, body=None, model="teacher"))
    lines = result.content.decode().split("\n")
    keys, values = (lines[n].split("\t") for n in (1, 2))
    header = dict(zip(keys, values, strict=True))
    assert (header["Units"], header["NumFrames"], header["NumMarkers"]) == ("mm", str(FRAMES), "17")
    assert float(header["DataRate"]) == FPS
    assert len(lines[0].split("\t")) == 4
    assert lines[3].split("\t")[2::3][:17] == list(JOINT_NAMES)
    assert lines[5] == ""
    rows = [line.split("\t") for line in lines[6:] if line]
    assert [int(row[0]) for row in rows] == list(range(1, FRAMES + 1))
    np.testing.assert_allclose([float(row[1]) for row in rows], np.arange(FRAMES) / FPS, atol=1e-5)
    assert rows[3][2:53] == [""] * 51
    assert {(len(row), row[53]) for row in rows} == {(54, "")}, "a tab after every last cell: OpenSim needs it"
    found = np.array([[float(x) if x else np.nan for x in row[2:53]] for row in rows]).reshape(FRAMES, 17, 3)
    np.testing.assert_allclose(found / 1000, clip.joints_3d @ Y_UP, atol=MM)
    assert result.n_blank == 1


@pytest.mark.parametrize("rows", [[], [3]])
def test_trc_with_an_empty_last_cell_comes_back(clip, tmp_path, rows):
    joints = clip.joints_3d.copy()
    joints[rows, JOINT["r_wrist"]] = np.nan
    (tmp_path / "clip.trc").write_bytes(trc_file(replace(clip, joints_3d=joints, body=None)).content)
    assert {line.count("\t") for line in (tmp_path / "clip.trc").read_text().split("\n")[6:-1]} == {52 + bool(rows)}
    take = read_trc(tmp_path / "clip.trc")
    np.testing.assert_allclose(take.joints, joints @ Y_UP, atol=MM)


def test_csv_by_the_csv_module(clip):
    clip = with_nobody(clip, 0)
    result = csv_table(clip)
    rows = list(csv.DictReader(io.StringIO(result.content.decode())))
    assert list(rows[0]) == ["frame", "time_s", "joint", "x", "y", "z"]
    found = np.full((FRAMES, 17, 3), np.nan)
    for row in rows:
        if row["x"]:
            found[int(row["frame"]), JOINT[row["joint"]]] = [float(row[axis]) for axis in "xyz"]
        assert float(row["time_s"]) == pytest.approx(int(row["frame"]) / FPS)
    np.testing.assert_allclose(found, clip.joints_3d, atol=MM)
    assert result.n_blank == 1
    assert np.isnan(found[0]).all()


def test_obj_by_trimesh(clip, posed, tmp_path):
    (tmp_path / "one.obj").write_bytes(obj_file(clip, 5).content)
    mesh = trimesh.load_mesh(tmp_path / "one.obj", process=False)
    np.testing.assert_allclose(mesh.vertices, posed[0][5] @ Y_UP, atol=MM)
    np.testing.assert_array_equal(mesh.faces, default_arrays().faces)
    np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3], default_arrays().colors, atol=1)
    for frame, says in {-1: "give 0 to 13", FRAMES: "give 0 to 13", 2: "take 3"}.items():
        with pytest.raises(InputError, match=says):
            obj_file(with_nobody(clip, 0, 1, 2), frame)
    first = obj_file(with_nobody(clip, 0)).content
    assert first.split(b"\n", 2)[2] == obj_file(clip, 1).content.split(b"\n", 2)[2]


# --- frames without a person, skeletons without rotations, other people's bodies


def test_frames_without_a_person_hold_the_last_pose(clip, posed):
    gaps = with_nobody(clip, 0, 1, 6, 7, FRAMES - 1)
    shown = [2, 2, 2, 3, 4, 5, 5, 5, 8, 9, 10, 11, 12, 12]
    bvh = bvh_file(gaps)
    assert bvh.n_held == 5
    np.testing.assert_allclose(walk_bvh(bvh.content.decode())["head"], posed[1][shown, 15] @ Y_UP, atol=MM)
    glb = glb_file(gaps)
    assert glb.n_held == 5
    for frame, source in enumerate(shown):
        np.testing.assert_allclose(Glb(glb.content).world(frame)[:24, :3, 3], posed[1][source] @ Y_UP, atol=MM)
    amass = amass_npz(gaps)
    stored = np.load(io.BytesIO(amass.content))
    assert amass.n_held == 5
    assert np.flatnonzero(stored["is_held"]).tolist() == [0, 1, 6, 7, 13]
    assert np.isfinite(stored["poses"]).all()
    with pytest.raises(InputError, match="no frame with a person"):
        bvh_file(with_nobody(clip, *range(FRAMES)))


@pytest.mark.parametrize("name", ["amass", "bvh", "gltf", "obj"])
def test_skeletons_have_no_rotations(clip, name):
    with pytest.raises(InputError, match="--model student"):
        export_clip(replace(clip, body=None), name)


def test_one_frame_is_enough(clip):
    body = replace(clip.body, **{f: getattr(clip.body, f)[:1] for f in ("global_orient", "body_pose", "transl")})
    single = replace(clip, joints_3d=clip.joints_3d[:1], body=body)
    for name in CLIP_FORMATS:
        assert export_clip(single, name).content


def test_official_bodies_are_found_and_their_meshes_flagged(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("POSENET3D_BODIES", str(tmp_path))
    stranger = replace(clip, body=replace(clip.body, body_model="smpl-00000000"))
    with pytest.raises(InputError, match="smpl-00000000"):
        bvh_file(stranger)
    arrays = default_arrays()
    np.savez(
        tmp_path / "SMPL_NEUTRAL.npz",
        v_template=arrays.vertices * 1.1,
        f=arrays.faces,
        shapedirs=arrays.shapedirs,
        J_regressor=arrays.joint_regressor.toarray(),
        weights=arrays.weights,
        kintree_table=np.stack([BODY_PARENTS, np.arange(24)]),
    )
    official = load_body("neutral", torch.float64)
    theirs = replace(clip, body=replace(clip.body, body_model=official.name))
    assert glb_file(theirs).is_licensed
    assert obj_file(theirs).is_licensed
    assert not bvh_file(theirs).is_licensed
    assert not glb_file(clip).is_licensed
    joints = official(*tensors(theirs.body)).joints.numpy()
    found = walk_bvh(bvh_file(theirs).content.decode())
    np.testing.assert_allclose(found["right_hand"], joints[:, 23] @ Y_UP, atol=MM)
    with pytest.raises(InputError, match="belong to the body"):
        bvh_file(clip, body=official)


def test_correctives_are_in_the_obj(clip):
    rng, arrays = np.random.default_rng(0), default_arrays()
    bulging = Body(replace(arrays, posedirs=0.01 * rng.normal(size=(*arrays.vertices.shape, 207))), torch.float64)
    expected = bulging(*tensors(clip.body)).vertices[2].numpy() @ Y_UP
    mesh = trimesh.load_mesh(io.BytesIO(obj_file(clip, 2, body=bulging).content), file_type="obj", process=False)
    np.testing.assert_allclose(mesh.vertices, expected, atol=MM)


# --- placing in a scene


def standing(clip: Lifted) -> Lifted:
    """The person of the clip, who stands still."""
    body = replace(clip.body, body_pose=0 * clip.body.body_pose, global_orient=np.tile([[np.pi, 0, 0]], (FRAMES, 1)))
    rotations, betas, transl = tensors(body)
    joints = landmarks_of(load_body(dtype=torch.float64))(rotations, betas, transl).numpy()
    walk = np.linspace(0, 1, FRAMES)[:, None] * [0.5, 0, 1.0] + [0.3, 0.4, 4]
    joints += walk[:, None] - transl.numpy()[:, None]
    return replace(clip, joints_3d=joints.astype(np.float32), body=replace(body, transl=walk.astype(np.float32)))


@pytest.mark.parametrize("name", ["bvh", pytest.param("gltf", marks=pytest.mark.slow)])
def test_floor_and_origin_put_the_person_on_the_grid(clip, name):
    clip = standing(clip)
    plain, on_floor, at_origin, both = (
        export_clip(clip, name, floor=floor, origin=origin).content
        for floor, origin in [(None, None), (True, None), (None, True), (True, True)]
    )
    assert plain == export_clip(clip, name, floor=False, origin=False).content, "the default is unchanged"

    def places(content: bytes) -> np.ndarray:
        if name == "bvh":
            found = walk_bvh(content.decode())
            return np.stack([found[label] for label in JOINT_LABELS], 1)
        return np.stack([Glb(content).world(frame)[:24, :3, 3] for frame in range(FRAMES)])

    before = places(plain)
    for content, floor, origin in [(on_floor, True, False), (at_origin, False, True), (both, True, True)]:
        after = places(content)
        shift = after - before
        np.testing.assert_allclose(shift, np.broadcast_to(shift[0, 0], shift.shape), atol=MM)
        moved = np.abs(shift[0, 0]) > 0.01
        assert moved.tolist() == [origin, floor, origin]
        if floor:
            feet = after[..., JOINT_LABELS.index("left_foot"), 1]
            assert ((feet > 0) & (feet < 0.12)).all()
        if origin:
            np.testing.assert_allclose(after[0, 0, [0, 2]], 0, atol=0.05)
    if name == "gltf":
        assert abs(Glb(both).skinned(0)[:, 1].min()) < 0.03


def test_floor_and_origin_move_joints_as_they_move_the_body(clip):
    clip = with_nobody(standing(clip), 0)
    after = placed(clip, floor=True, origin=True)
    np.testing.assert_allclose(
        after.joints_3d[1:] - clip.joints_3d[1:],
        after.body.transl[1:, None] - clip.body.transl[1:, None] + np.zeros((1, 17, 1)),
        atol=1e-5,
    )
    assert np.isnan(after.joints_3d[0]).all()
    np.testing.assert_allclose(after.joints_3d[1, JOINT["pelvis"], [0, 2]], 0, atol=1e-5)
    ankles = after.joints_3d[1:, [JOINT["l_ankle"], JOINT["r_ankle"]], 1].max(1)
    np.testing.assert_allclose(ankles, -ANKLE_HEIGHT_M, atol=0.01)  # y is down
    nobody = with_nobody(clip, *range(FRAMES))
    assert placed(nobody, floor=True, origin=True) is nobody


def test_the_command_takes_floor_and_origin(clip, tmp_path):
    write_lifted(tmp_path / "out.npz", [clip])
    assert main(["export", str(tmp_path / "out.npz"), "--to", "trc", "--floor", "--origin"]) == 0
    again = read_lifted(tmp_path / "out.npz")[0]
    expected = placed(again, floor=True, origin=True)
    assert (tmp_path / "out.trc").read_bytes() == trc_file(expected).content
    assert main(["export", str(tmp_path / "out.npz"), "--to", "3dpw", "--floor"]) == 2


# --- the registry


def test_axis_systems_are_those_of_the_axes():
    assert tuple(AXES) == AXIS_SYSTEMS


def test_the_documentation_has_every_format():
    page = Path(__file__).parents[2] / "docs" / "exports.md"
    assert formats.formats_as_markdown() in page.read_text(), "paste the output of formats_as_markdown() into the page"


def test_every_writer_takes_the_options_of_its_record():
    for one in EXPORT_FORMATS:
        module, _, function = one.writer.partition(":")
        taken = inspect.signature(getattr(importlib.import_module(f"posenet3d.exports.{module}"), function)).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
            assert set(one.options) - set(formats.PLACING) == set(list(taken)[1:]), one.name


def test_format_is_chosen_by_suffix(clip, tmp_path):
    result = write_export([clip], tmp_path / "walk.GLB")
    assert (tmp_path / "walk.GLB").read_bytes() == result.content == export_clip(clip, "gltf").content
    for one in EXPORT_FORMATS:
        assert formats.format_of_suffix(f"walk{one.suffix}") is one


@pytest.mark.parametrize(
    ("count", "name", "more", "says"),
    [
        (1, "walk.csv", {"frame": 3}, "--frame: is for obj, not for csv; leave it out"),
        (1, "walk.trc", {"beside": "other"}, "--beside: is for mp4, gif, not for trc"),
        (1, "walk.csv", {"speed": 2}, "--speed: is not an option of exports"),
        (1, "walk.csv", {"axes": "up"}, "choose one of camera"),
        (1, "walk.fbx", {}, "end OUT in _amass.npz, .bvh"),
        (1, "walk.gif", {"format": "mp4"}, "is not the name of a .mp4"),
        (2, "walk.csv", {}, "cannot hold 2 clips as csv"),
        (0, "walk.csv", {}, "cannot hold 0 clips"),
    ],
)
def test_write_export_refuses_and_leaves_nothing(clip, tmp_path, count, name, more, says):
    with pytest.raises(InputError, match=says):
        write_export([clip] * count, tmp_path / name, **more)
    assert list(tmp_path.iterdir()) == []


def test_one_record_adds_a_format_to_the_command(clip, tmp_path, monkeypatch, capsys):
    toy = ExportFormat("toy", ".toy", lambda lifted: Exported(lifted.name.encode()), "Toy: the name", options=())
    monkeypatch.setattr(formats, "EXPORT_FORMATS", (*EXPORT_FORMATS, toy))
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    told = capsys.readouterr().out
    assert "gif,toy}" in told
    assert re.search(r"toy +Toy: the name", told)
    assert "| `toy` | .toy | Toy: the name |" in formats.formats_as_markdown()
    write_lifted(tmp_path / "out.npz", [clip])
    assert main(["export", str(tmp_path / "out.npz"), "--to", "toy"]) == 0
    assert (tmp_path / "out.toy").read_text() == clip.name


# --- the command and the file it reads


def options(path, to, **more):
    return argparse.Namespace(
        **(
            {"lifted": path, "to": to, "out": None, "clip": None, "frame": None, "axes": None, "beside": None}
            | dict.fromkeys(formats.PLACING)
            | more
        )
    )


@pytest.mark.parametrize("name", CLIP_FORMATS)
def test_command_writes_each_format(clip, tmp_path, capsys, name):
    write_lifted(tmp_path / "out.npz", [made_up(1), with_nobody(clip, 0)])
    export(options(tmp_path / "out.npz", name, clip=1))
    written = tmp_path / f"out{formats.export_format(name).suffix}"
    again = read_lifted(tmp_path / "out.npz")[1]
    if name != "amass":  # a zip file holds the time of its making
        assert written.read_bytes() == export_clip(again, name).content
    told = capsys.readouterr().out
    assert str(written) in told
    assert ("frames without a person" in told) == (name != "obj")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "holds 2 clips; choose one with --clip 0 to 1"),
        ({"clip": 2}, "--clip 2: is not in"),
        ({"clip": -1}, "give 0 to 1"),
        ({"clip": 0, "frame": 3}, "leave it out"),
        ({"clip": 0, "axes": "up"}, "choose one of camera"),
        ({"clip": 0, "to": "fbx"}, "choose one of amass"),
    ],
)
def test_command_refuses(clip, tmp_path, more, says):
    write_lifted(tmp_path / "out.npz", [clip, clip])
    with pytest.raises(InputError, match=says):
        export(options(tmp_path / "out.npz", **({"to": "csv"} | more)))


def test_command_never_overwrites_its_input(clip, tmp_path):
    write_lifted(tmp_path / "out.npz", [clip])
    with pytest.raises(InputError, match="the input itself"):
        export(options(tmp_path / "out.npz", "amass", out=tmp_path / "out.npz"))


def test_bodies_survive_the_file(clip, tmp_path):
    other = with_nobody(made_up(1), 4)
    write_lifted(tmp_path / "out.npz", [clip, other])
    for before, after in zip([clip, other], read_lifted(tmp_path / "out.npz"), strict=True):
        assert after.body.body_model == before.body.body_model
        for field in BODY_FIELDS[1:]:
            np.testing.assert_array_equal(getattr(after.body, field), getattr(before.body, field))
            assert getattr(after.body, field).dtype == np.float32
    write_lifted(tmp_path / "teacher.npz", [replace(clip, body=None)])
    assert read_lifted(tmp_path / "teacher.npz")[0].body is None


HOSTILE = {
    "betas of one clip": ("betas", np.zeros((1, 10)), "must be \\(2, 10\\)"),
    "flat betas": ("betas", np.zeros(20), "betas"),
    "unknown betas": ("betas", np.full((2, 10), np.nan), "must be finite"),
    "short pose": ("body_pose", np.zeros((2 * FRAMES, 66)), "body_pose"),
    "texts": ("transl", np.full((2 * FRAMES, 3), "x"), "plain numbers"),
    "complex": ("global_orient", np.zeros((2 * FRAMES, 3), complex), "plain numbers"),
    "infinite": ("transl", np.full((2 * FRAMES, 3), np.inf), "beyond"),
    "huge": ("global_orient", np.full((2 * FRAMES, 3), 1e300), "beyond"),
    "a number as name": ("body_model", np.array(7), "must hold 1 texts"),
    "missing": ("transl", None, "'transl' is missing beside"),
    "missing name": ("body_model", None, "'body_model' is missing beside"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_bodies_are_refused(clip, tmp_path, fault):
    field, value, says = HOSTILE[fault]
    write_lifted(tmp_path / "out.npz", [clip, clip])
    stored = dict(np.load(tmp_path / "out.npz"))
    stored.pop(field)
    np.savez(tmp_path / "out.npz", **stored, **({} if value is None else {field: value}))
    with pytest.raises(InputError, match=says):
        read_lifted(tmp_path / "out.npz")


def test_gaps_within_a_pose_are_gaps(clip):
    """Half a pose is none: a NaN in one angle must not reach a file."""
    pose = clip.body.body_pose.copy()
    pose[4, 7] = np.nan
    assert glb_file(replace(clip, body=replace(clip.body, body_pose=pose))).n_held == 1
