"""The body layer against smplx and slow oracles; the default body's file; official files, and hostile ones."""

import builtins
import hashlib
import operator
import os
import pickle
import pickletools
import subprocess
import sys
import types

import numpy as np
import pytest
import roma
import scipy.sparse as sp
import torch

from posenet3d.bench.body import body_bench
from posenet3d.body.files import (
    DEFAULT_BODY,
    DEFAULT_BODY_SHA256,
    available_bodies,
    bodies_folder,
    load_body,
    read_smpl,
)
from posenet3d.body.landmarks import Landmarks, landmarks_of, regressor_table
from posenet3d.body.layer import BODY_PARENTS, Body, BodyArrays, pose_rotations
from posenet3d.body.smplx_model import to_smplx
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import JOINT, MIRROR, mirror_indices
from posenet3d.errors import InputError
from posenet3d.safe_pickle import UnsafePickle, as_array, read_pickle

NAMES = JOINT_SETS["smpl24"].joints
SWAP = mirror_indices(NAMES)
HARD_ANGLES = [0.0, 1e-8, torch.pi - 1e-6, torch.pi, 2 * torch.pi]


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def exact():
    return load_body(dtype=torch.float64)


def tiny_arrays(correctives: bool, seed: int = 0, count: int = 40) -> BodyArrays:
    """A random 'body' of few vertices: the layer does not care what it looks like."""
    rng = np.random.default_rng(seed)
    regressor, weights = rng.random((24, count)), rng.random((count, 24)) ** 8
    return BodyArrays(
        name="tiny",
        vertices=rng.normal(size=(count, 3)),
        faces=rng.integers(0, count, (70, 3)),
        shapedirs=rng.normal(size=(count, 3, 10)) * 0.1,
        posedirs=rng.normal(size=(count, 3, 207)) * 0.1 if correctives else None,
        joint_regressor=sp.csr_matrix(regressor / regressor.sum(1, keepdims=True)),
        weights=weights / weights.sum(1, keepdims=True),
    )


def random_pose(batch: int, dtype=torch.float32, scale: float = 0.6):
    return (
        pose_rotations(scale * torch.randn(batch, 3, dtype=dtype), scale * torch.randn(batch, 69, dtype=dtype)),
        torch.randn(batch, 10, dtype=dtype),
        torch.randn(batch, 3, dtype=dtype),
    )


# --- the layer


@pytest.mark.parametrize("correctives", [False, True])
def test_equals_smplx_on_a_tiny_body_with_and_without_correctives(correctives):
    ours = Body(tiny_arrays(correctives, count=7000))  # smplx picks vertices up to 6788
    _check_against_smplx(ours, 0.6 * torch.randn(3, 72), torch.randn(3, 10), torch.randn(3, 3))


def test_equals_smplx_on_the_default_body(body):
    _check_against_smplx(body, 0.7 * torch.randn(6, 72), 1.5 * torch.randn(6, 10), 3 * torch.randn(6, 3))


def test_equals_smplx_at_hard_angles(body):
    axes = torch.nn.functional.normalize(torch.randn(len(HARD_ANGLES), 24, 3), dim=-1)
    poses = (torch.tensor(HARD_ANGLES)[:, None, None] * axes).flatten(1)
    _check_against_smplx(body, poses, torch.randn(len(poses), 10), torch.zeros(len(poses), 3))


def _check_against_smplx(ours, pose, betas, transl):
    posed = ours(pose_rotations(pose[:, :3], pose[:, 3:]), betas, transl)
    peer = to_smplx(ours, len(pose))(betas=betas, global_orient=pose[:, :3], body_pose=pose[:, 3:], transl=transl)
    scale = max(1.0, float(peer.vertices.abs().max()) / 4)
    assert (posed.vertices - peer.vertices).abs().max() < 1e-5 * scale
    assert (posed.joints - peer.joints[:, :24]).abs().max() < 1e-5 * scale


def test_kinematics_by_level_equal_joint_after_joint(exact):
    rotations, betas, _ = random_pose(4, torch.float64)
    bones, joints = exact.bone_transforms(rotations, betas)
    rest = exact.rest_joints(betas)
    for b in range(4):
        world, place = [], []
        for j, parent in enumerate(BODY_PARENTS):
            if parent < 0:
                world.append(rotations[b, j])
                place.append(rest[b, j])
            else:
                place.append(place[parent] + world[parent] @ (rest[b, j] - rest[b, parent]))
                world.append(world[parent] @ rotations[b, j])
        torch.testing.assert_close(joints[b], torch.stack(place), rtol=0, atol=1e-12)
        torch.testing.assert_close(bones[b, :, :, :3], torch.stack(world), rtol=0, atol=1e-12)


@pytest.mark.parametrize("correctives", [False, True])
def test_skinning_equals_vertex_by_vertex(correctives):
    ours = Body(tiny_arrays(correctives), torch.float64)
    rotations, betas, transl = random_pose(2, torch.float64)
    posed, (bones, _) = ours(rotations, betas, transl), ours.bone_transforms(rotations, betas)
    feature = (rotations[:, 1:] - torch.eye(3)).reshape(2, -1)
    for b in range(2):
        for v, start in enumerate(torch.as_tensor(ours.arrays.vertices)):
            place = start + torch.as_tensor(ours.arrays.shapedirs[v]) @ betas[b]
            if correctives:
                place = place + torch.as_tensor(ours.arrays.posedirs[v]) @ feature[b]
            moved = sum(ours.arrays.weights[v, j] * (bones[b, j, :, :3] @ place + bones[b, j, :, 3]) for j in range(24))
            torch.testing.assert_close(posed.vertices[b, v], moved + transl[b], rtol=0, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.7, torch.pi - 1e-6])
def test_gradients_are_right(angle):
    ours = Body(tiny_arrays(True, count=6), torch.float64)
    points = Landmarks(ours, regressor_table(ours, np.full((2, 6), 1 / 6)))
    axes = torch.nn.functional.normalize(torch.randn(24, 3, dtype=torch.float64), dim=-1)
    pose = (angle * axes).reshape(1, 72)
    betas, transl = torch.randn(1, 10, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)

    def posed(few, betas, transl):
        rotations = pose_rotations(few, pose[:, 3:])
        return ours(rotations, betas, transl).vertices, points(rotations, betas, transl)

    inputs = [x.clone().requires_grad_() for x in (pose[:, :3], betas, transl)]
    assert torch.autograd.gradcheck(posed, inputs, atol=1e-5, rtol=1e-4)


def test_gradients_are_finite_at_every_hard_angle(body):
    for angle in HARD_ANGLES:
        pose = torch.zeros(1, 24, 3)
        pose[..., 1] = angle
        pose = pose.reshape(1, 72).requires_grad_()
        body.joints(pose_rotations(pose[:, :3], pose[:, 3:]), torch.zeros(1, 10)).sum().backward()
        assert torch.isfinite(pose.grad).all()


def test_a_network_does_not_store_the_body(body):
    assert not body.state_dict()
    assert not list(body.parameters())


# --- landmarks


@pytest.mark.parametrize("joint_set", ["h36m17", "coco17", "crowdpose14"])
def test_landmarks_equal_the_regressor_on_the_skin(exact, body, joint_set):
    regressor = exact.arrays.regressors[joint_set].toarray()
    assert regressor.shape == (len(JOINT_SETS[joint_set]), len(exact.arrays.vertices))
    np.testing.assert_allclose(regressor.sum(1), 1, atol=1e-5)
    rotations, betas, transl = random_pose(5, torch.float64)
    skin = exact(rotations, betas, transl).vertices
    found = landmarks_of(exact, joint_set)(rotations, betas, transl)
    torch.testing.assert_close(found, torch.as_tensor(regressor) @ skin, rtol=0, atol=1e-6)
    single = landmarks_of(body, joint_set)(rotations.float(), betas.float(), transl.float())
    torch.testing.assert_close(single.double(), found, rtol=0, atol=5e-6)


def test_landmarks_are_exact_with_pose_correctives_too():
    ours = Body(tiny_arrays(True), torch.float64)
    regressor = np.random.default_rng(0).random((5, 40))
    rotations, betas, transl = random_pose(3, torch.float64)
    regressor /= regressor.sum(1, keepdims=True)
    expected = torch.as_tensor(regressor) @ ours(rotations, betas, transl).vertices
    found = Landmarks(ours, regressor_table(ours, regressor))(rotations, betas, transl)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)


def test_landmarks_have_the_proportions_of_the_training_data(exact):
    still = torch.eye(3, dtype=torch.float64).expand(1, 24, 3, 3)
    points = landmarks_of(exact)(still, torch.zeros(1, 10, dtype=torch.float64))[0].numpy()

    def place(name):
        return points[JOINT[name]]

    def apart(a, b):
        return np.linalg.norm(place(a) - place(b))

    np.testing.assert_allclose(place("pelvis"), (place("l_hip") + place("r_hip")) / 2, atol=1e-4)
    np.testing.assert_allclose(place("neck_nose"), (place("thorax") + place("head_top")) / 2, atol=1e-4)
    assert 0.40 < apart("l_hip", "r_hip") / apart("l_shoulder", "r_shoulder") < 0.46
    along = (place("spine") - place("pelvis")) @ (place("thorax") - place("pelvis")) / apart("pelvis", "thorax") ** 2
    assert 0.42 < along < 0.46
    assert 0.42 < apart("thorax", "head_top") / apart("pelvis", "thorax") < 0.46
    assert np.linalg.norm(place("thorax") - (place("l_shoulder") + place("r_shoulder")) / 2) < 0.03
    np.testing.assert_allclose(points[list(MIRROR)] * [-1, 1, 1], points, atol=1e-6)
    # The other way to the same places, for bodies whose file brings no regressor.
    bare = BodyArrays(**{**vars(exact.arrays), "regressors": {}})
    other = landmarks_of(Body(bare, torch.float64))(still, torch.zeros(1, 10, dtype=torch.float64))[0].numpy()
    off = np.linalg.norm(other - points, axis=1)
    assert (
        off[JOINT["spine"]] < 0.06
    )  # our spine joints run through the middle of the trunk, further forward than SMPL's
    assert np.delete(off, JOINT["spine"]).max() < 0.03
    with pytest.raises(KeyError, match="nose"):
        landmarks_of(Body(bare), "coco17")


def test_limb_landmarks_stay_on_their_joints_in_any_pose(exact):
    rotations, betas, _ = random_pose(20, torch.float64, scale=0.4)
    points, joints = landmarks_of(exact)(rotations, betas), exact.joints(rotations, betas)
    for name, most in {
        "knee": 0.015,
        "ankle": 0.015,
        "elbow": 0.015,
        "wrist": 0.015,
        "hip": 0.03,
        "shoulder": 0.03,
    }.items():
        off = (points[:, JOINT[f"l_{name}"]] - joints[:, NAMES.index(f"l_{name}")]).norm(dim=-1)
        assert off.mean() < most, name


# --- the default body


def test_default_body_is_the_recorded_file(body):
    assert hashlib.sha256(DEFAULT_BODY.read_bytes()).hexdigest() == DEFAULT_BODY_SHA256
    assert DEFAULT_BODY.stat().st_size < 700_000
    assert body.name.startswith("open-body-")


def test_default_body_is_closed_and_symmetric(body):
    arrays = body.arrays
    edges = np.concatenate([arrays.faces[:, [0, 1]], arrays.faces[:, [1, 2]], arrays.faces[:, [2, 0]]])
    directed = {tuple(edge) for edge in edges.tolist()}
    assert len(directed) == len(edges)
    assert all((b, a) in directed for a, b in directed)
    assert len(arrays.vertices) - len(edges) // 2 + len(arrays.faces) == 2
    a, b, c = arrays.vertices[arrays.faces].swapaxes(0, 1)
    assert 0.05 < (a * np.cross(b, c)).sum() / 6 < 0.08  # m3, positive: faces look outward
    place = {tuple(v): i for i, v in enumerate(arrays.vertices.tolist())}
    partner = [place[-x + 0.0 if x else x, y, z] for x, y, z in arrays.vertices.tolist()]
    flip = np.array([-1, 1, 1])
    np.testing.assert_array_equal(arrays.shapedirs[partner], arrays.shapedirs * flip[:, None])
    np.testing.assert_allclose(arrays.weights[partner][:, SWAP], arrays.weights, atol=1e-12)
    np.testing.assert_array_equal(arrays.colors[partner], arrays.colors)
    joints = arrays.joint_regressor @ arrays.vertices
    np.testing.assert_allclose(joints[SWAP] * flip, joints, atol=1e-6)


def test_a_mirrored_pose_gives_the_mirrored_skin(exact):
    rotations, betas, _ = random_pose(2, torch.float64)
    flip = torch.diag(torch.tensor([-1.0, 1, 1], dtype=torch.float64))
    posed, other = exact(rotations, betas).joints, exact((flip @ rotations @ flip)[:, SWAP], betas).joints
    torch.testing.assert_close(other[:, SWAP] @ flip, posed, rtol=0, atol=1e-6)


def test_default_body_is_an_adult_in_tpose(body):
    vertices = body.rest_vertices(torch.zeros(1, 10))[0]
    stature = float(vertices[:, 1].max() - vertices[:, 1].min())
    assert 1.6 < stature < 1.75
    taller = body.rest_vertices(torch.eye(10)[:1])[0]
    assert 0.06 < float(taller[:, 1].max() - taller[:, 1].min()) - stature < 0.11
    joints = dict(zip(NAMES, body.rest_joints(torch.zeros(1, 10))[0], strict=True))
    assert joints["l_wrist"][0] > joints["l_elbow"][0] > joints["l_shoulder"][0] > 0
    assert vertices[body.arrays.named_vertices["nose"], 2] > joints["head_joint"][2]
    assert body.arrays.colors.dtype == np.uint8


# --- official files


def fake_smpl(count: int = 6890) -> dict:
    arrays = tiny_arrays(True, count=count)
    return {
        "v_template": arrays.vertices,
        "f": arrays.faces.astype(np.uint32),
        "shapedirs": np.concatenate([arrays.shapedirs] * 2, -1),
        "posedirs": arrays.posedirs,
        "J_regressor": sp.csc_matrix(arrays.joint_regressor),
        "weights": arrays.weights,
        "kintree_table": np.stack([np.array((2**32 - 1, *BODY_PARENTS[1:])), np.arange(24)]).astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


@pytest.fixture
def chumpy(monkeypatch):
    """Stand-ins with chumpy's names, so that a file can be written as the official ones were; gone when it is read."""
    modules = {}
    for name, kind in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        module = types.ModuleType(name)
        setattr(module, kind, type(kind, (), {"__module__": name, "__qualname__": kind}))
        modules[name] = module
    with monkeypatch.context() as context:
        for name, module in ({"chumpy": types.ModuleType("chumpy")} | modules).items():
            context.setitem(sys.modules, name, module)
        yield modules["chumpy.ch"].Ch, modules["chumpy.reordering"].Select


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_official_pickle_is_read_without_chumpy(tmp_path, monkeypatch, chumpy, protocol):
    Ch, Select = chumpy
    data = fake_smpl(200)
    wrapped, chosen = Ch(), Select()
    wrapped.x, wrapped._dirty_vars = data["shapedirs"], {}
    chosen.a, chosen.idxs, chosen.preferred_shape = Ch(), np.arange(600)[::-1].copy(), (200, 3)
    chosen.a.x = data["v_template"].ravel()[::-1].copy()
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(data | {"shapedirs": wrapped, "v_template": chosen}, protocol))
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("POSENET3D_BODIES", str(tmp_path))
    assert bodies_folder() == tmp_path
    assert available_bodies() == {"neutral": path}
    ours = load_body("neutral").arrays
    np.testing.assert_array_equal(ours.vertices, data["v_template"])
    np.testing.assert_array_equal(ours.shapedirs, data["shapedirs"][..., :10])
    np.testing.assert_array_equal(ours.posedirs, data["posedirs"])
    np.testing.assert_array_equal(ours.joint_regressor.toarray(), data["J_regressor"].toarray())


def test_python_2_pickle_is_read(tmp_path):
    """Protocol 2 as Python 2 writes it: copy_reg._reconstructor, __builtin__.object, bytes as strings."""
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"
    array += b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'" + b"\\x00" * 6 + b"\\xf0?" + b"\\x00" * 7 + b"@'\ntb"
    stream = b"(dS'x'\nccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR(dS'x'\n" + array + b"sbs."
    path = tmp_path / "two.pkl"
    path.write_bytes(stream)
    np.testing.assert_array_equal(as_array(read_pickle(path)["x"]), [1.0, 2.0])


@pytest.mark.parametrize("kind", [">f8", ">f4", "g", "i2"])
def test_pose_correctives_in_any_number_type_are_read(tmp_path, kind):
    content = {**fake_smpl(), "J_regressor": fake_smpl()["J_regressor"].toarray()}
    content["posedirs"] = (100 * content["posedirs"]).round().astype(kind)
    np.savez(tmp_path / "smpl.npz", **content)
    posed = Body(read_smpl(tmp_path / "smpl.npz"))
    assert np.allclose(posed.posedirs.numpy(), content["posedirs"].reshape(-1, 207).T.astype(float))


def test_official_npz_and_pickle_are_the_same_body(tmp_path):
    data = fake_smpl()
    (tmp_path / "basicmodel_m_lbs_10_207_0_v1.1.0.pkl").write_bytes(pickle.dumps(data, 2))
    np.savez(tmp_path / "SMPL_MALE.npz", **(data | {"J_regressor": data["J_regressor"].toarray()}))
    one, other = (read_smpl(path) for path in sorted(tmp_path.iterdir()))
    assert one.name == other.name
    assert one.name.startswith("smpl-")
    ours = Body(one)
    assert ours.has_correctives
    assert landmarks_of(ours)(*random_pose(2)).shape == (2, 17, 3)


class _Calls:
    """Pickles as a call of any function with any arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile_streams(marker: str) -> dict[str, bytes]:
    command = f"touch {marker}"
    write = f"open({marker!r}, 'w')"
    streams = {
        "os.system": pickle.dumps(_Calls(os.system, command), 2),
        "eval": pickle.dumps(_Calls(builtins.eval, write), 2),
        "exec": pickle.dumps({"v_template": _Calls(builtins.exec, write)}, 4),
        "subprocess": pickle.dumps({"f": _Calls(subprocess.Popen, ["touch", marker])}, 5),
        "getattr chain": pickle.dumps(_Calls(builtins.getattr, _Calls(builtins.__import__, "os"), "system"), 2),
        "attrgetter": pickle.dumps(_Calls(operator.attrgetter("system.__call__"), os.path.join), 0),
        "numpy load": b"cnumpy\nload\n(S'x.npy'\ntR.",
        "numpy's own os": b"cnumpy\nos.system\n(S'" + command.encode() + b"'\ntR.",
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0bcompat.os.x\x93.",
        "chumpy eval": b"cchumpy.ch\nCh.__init__.__globals__\n.",
        "old instance": b"(S'" + command.encode() + b"'\nios\nsystem\n.",
        "codecs": b"c_codecs\ndecode\n(S'x'\nS'rot13'\ntR.",
        "reconstructor": b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
        "persistent id": b"Pevil\n.",
        "not a pickle": b"<html>not found</html>",
        "empty": b"",
        "state on a class": b"cnumpy\nndarray\n(NS'x'\ntb.",
        "a list": pickle.dumps([1, 2]),
        "cut off": pickle.dumps({"v_template": np.zeros((3, 3))}, 2)[:-9],
    }
    return streams


@pytest.mark.parametrize("name", hostile_streams("x"))
def test_hostile_pickles_are_refused_and_nothing_runs(tmp_path, name):
    marker = tmp_path / "ran"
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(hostile_streams(str(marker))[name])
    with pytest.raises(InputError, match=r"SMPL_NEUTRAL\.pkl: is refused, for it .*; give an SMPL file"):
        read_smpl(path)
    assert not marker.exists()


def test_stand_ins_never_call_numpy(tmp_path):
    """Object arrays, lying shapes and foreign types stop at the stand-ins."""
    good = pickle.dumps({"x": np.arange(3.0)}, 2)
    assert any(op.name == "REDUCE" for op, _, _ in pickletools.genops(good))
    lies = {
        "objects": pickle.dumps({"x": np.array([{}, []], dtype=object)}, 2),
        "shape": good.replace(b"K\x03\x85", b"K\x7f\x85"),
        "type": good.replace(b"f8", b"O8"),
        "strings": pickle.dumps({"x": np.array(["a"])}, 2),
    }
    for name, stream in lies.items():
        assert stream != good
        path = tmp_path / f"{name}.pkl"
        path.write_bytes(stream)
        with pytest.raises(UnsafePickle):
            as_array(read_pickle(path)["x"])
    looped = pickle.dumps({"x": sp.csr_matrix(np.eye(3))}, 2)
    (tmp_path / "sparse.pkl").write_bytes(looped.replace(np.arange(3, dtype="<i4").tobytes(), b"\xff" * 12))
    with pytest.raises(UnsafePickle):
        as_array(read_pickle(tmp_path / "sparse.pkl")["x"])


WRONG = {
    "missing": lambda d: d.pop("weights"),
    "template": lambda d: d.update(v_template=d["v_template"][:, :2]),
    "directions": lambda d: d.update(shapedirs=d["shapedirs"][..., :9]),
    "correctives": lambda d: d.update(posedirs=d["posedirs"][..., :9]),
    "joints": lambda d: d.update(J_regressor=d["J_regressor"][:20]),
    "weights": lambda d: d.update(weights=d["weights"] * 2),
    "faces": lambda d: d.update(f=d["f"] + 10**6),
    "tree": lambda d: d.update(kintree_table=d["kintree_table"][:, ::-1]),
    "not finite": lambda d: d.update(v_template=d["v_template"] * np.nan),
    "a scalar": lambda d: d.update(v_template=np.float64(1)),
    "text": lambda d: d.update(weights="none"),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("kind", [".pkl", ".npz"])
def test_wrong_bodies_are_refused_with_a_sentence(tmp_path, fault, kind):
    data = fake_smpl(200)
    WRONG[fault](data)
    path = tmp_path / f"wrong{kind}"
    if kind == ".pkl":
        path.write_bytes(pickle.dumps(data, 2))
    else:
        np.savez(path, **{k: v.toarray() if sp.issparse(v) else v for k, v in data.items()})
    with pytest.raises(InputError, match="wrong"):
        read_smpl(path)


def test_other_files_are_refused(tmp_path, monkeypatch):
    for name, content in {"a.npz": b"x", "b.txt": b"x", "c.npz": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            read_smpl(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        read_smpl(tmp_path / "none.pkl")
    with pytest.raises(InputError, match="no body"):
        load_body("nobody")
    np.savez(tmp_path / "objects.npz", v_template=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="cannot be read"):
        read_smpl(tmp_path / "objects.npz")
    np.savez_compressed(tmp_path / "bomb.npz", v_template=np.zeros(10_000))
    monkeypatch.setattr("posenet3d.body.files.MAX_NPZ", 1000)
    with pytest.raises(InputError, match="more than a gigabyte"):
        read_smpl(tmp_path / "bomb.npz")


# --- parameters, smplx, speed


def test_betas_of_another_body_are_refused(body):
    def zeros(*shape):
        return np.zeros(shape, dtype=np.float32)

    parameters = BodyParameters(body.name, zeros(1, 10), zeros(4, 3), zeros(4, 69), zeros(4, 3))
    parameters.check_for(body.name)
    with pytest.raises(InputError, match=r"out\.npz: the betas belong to the body 'open-body-.*', not to 'tiny'"):
        parameters.check_for("tiny", file="out.npz")
    with pytest.raises((ValueError, TypeError)):
        BodyParameters(body.name, zeros(1, 10), zeros(4, 3), zeros(5, 69), zeros(4, 3))


def test_smplx_gets_our_vertex_numbers(body):
    peer = to_smplx(body)()
    nose = body.arrays.named_vertices["nose"]
    torch.testing.assert_close(peer.joints[0, 24], peer.vertices[0, nose])


def test_rotations_come_in_smpl_order():
    pose = torch.zeros(1, 69)
    pose[0, 3 * (NAMES.index("l_knee") - 1)] = 0.5
    rotations = pose_rotations(torch.zeros(1, 3), pose)
    expected = roma.rotvec_to_rotmat(torch.tensor([0.5, 0, 0]))
    torch.testing.assert_close(rotations[0, NAMES.index("l_knee")], expected)


def test_bench_reports_a_large_ratio():
    lines = body_bench(0.5)
    assert len(lines) == 3
    assert float(lines[-1].split()[1].replace(",", "")) > 20
