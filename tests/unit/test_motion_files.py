"""BVH, ASF/AMC and TRC: each against something that is not ours, on people whose joints are known, and damaged."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.bodies import made_up, tensors, with_nobody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posenet3d.body.files import load_body
from posenet3d.body.motion import JOINT_LABELS
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.skeleton import JOINT
from posenet3d.errors import InputError
from posenet3d.exports.bvh import bvh_file
from posenet3d.exports.trc import trc_file
from posenet3d.io import checked_text
from posenet3d.io.mocap.amc import read_amc
from posenet3d.io.mocap.bone_names import canonical_marker_names
from posenet3d.io.mocap.bvh import UNITS_M, read_bvh
from posenet3d.io.mocap.take import Take, canonical_skeleton_names
from posenet3d.io.mocap.trc import read_trc
from posenet3d.io.mocap.upright import up_axis

MM = 1e-3
Y_UP = np.diag([1.0, -1, -1])
INCHES_OVER_045 = 0.0254 / 0.45


def save(path: Path, text: str) -> Path:
    path.write_text(text, newline="")
    return path


def is_somebody_upright(take: Take) -> None:
    """Facing along z, so that left is where x is larger."""
    joints = take.h36m17()
    assert np.isfinite(joints).all()
    x, y = joints[..., 0], joints[..., 1]
    for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
        assert (x[:, JOINT[f"l_{part}"]] > x[:, JOINT[f"r_{part}"]]).all(), part
    column = ["l_ankle", "l_knee", "l_hip", "spine", "thorax", "neck_nose", "head_top"]
    assert (np.diff(y[:, [JOINT[name] for name in column]]) > 0).all()
    np.testing.assert_allclose(np.ptp(y, axis=1), 1.55, atol=0.2)  # ankles to head top


# --- BVH

PERSON = {  # name: parent and offset in metres, in a T-pose
    "Hips": ("", (0, 0, 0)),
    "Spine": ("Hips", (0, 0.1, 0)), "Spine1": ("Spine", (0, 0.2, 0)), "Neck": ("Spine1", (0, 0.25, 0)),
    "Head": ("Neck", (0, 0.1, 0)),
    **{
        f"{side}{name}": (f"{side}{parent}" if parent[0].isupper() else parent.capitalize(), (sign * dx, dy, dz))
        for side, sign in (("Left", 1), ("Right", -1))
        for name, parent, dx, dy, dz in (
            ("UpLeg", "hips", 0.1, -0.05, 0), ("Leg", "UpLeg", 0, -0.42, 0.01), ("Foot", "Leg", 0, -0.43, -0.02),
            ("ToeBase", "Foot", 0, -0.05, 0.13), ("Shoulder", "spine1", 0.05, 0.2, 0), ("Arm", "Shoulder", 0.13, 0, 0),
            ("ForeArm", "Arm", 0.28, 0, 0.01), ("Hand", "ForeArm", 0.25, 0, 0),
        )
    },
}  # fmt: skip
TIPS = {"Head": (0, 0.2, 0), "LeftHand": (0.1, 0, 0), "RightHand": (-0.1, 0, 0)}
POSITIONS = "Xposition Yposition Zposition"


def bvh(
    order: str = "ZXY", *, moving: tuple[str, ...] = (), scale: float = 1.0, turns: float = 40.0, seed: int = 0
) -> str:
    """Six frames of the person; joints in `moving` have position channels beside the root's."""
    rng = np.random.default_rng(seed)
    rotations = " ".join(f"{axis}rotation" for axis in order)
    motion: list[np.ndarray] = []

    def lines(name: str) -> list[str]:
        parent, offset = PERSON[name]
        moves = not parent or name in moving
        if moves:
            motion.append(scale * (np.add(offset, [0, 0 if parent else 0.95, 0]) + rng.normal(0, 0.02, (6, 3))))
        motion.append(rng.normal(0, turns, (6, len(order))))
        inside = [f"OFFSET {' '.join(f'{scale * value:.7f}' for value in offset)}"]
        inside += [f"CHANNELS {len(order) + 3 * moves} {POSITIONS + ' ' if moves else ''}{rotations}"]
        children = [child for child, (above, _) in PERSON.items() if above == name]
        for child in children:
            inside += lines(child)
        if not children:
            tip = TIPS.get(name, (0, 0, 0.05))
            inside += ["End Site", "{", f"\tOFFSET {' '.join(f'{scale * value:.7f}' for value in tip)}", "}"]
        return [f"{'JOINT' if parent else 'ROOT'} {name}", "{", *("\t" + line for line in inside), "}"]

    hierarchy = "\n".join(["HIERARCHY", *lines("Hips")])
    rows = "\n".join(" ".join(f"{value:.7f}" for value in row) for row in np.concatenate(motion, axis=1))
    return f"{hierarchy}\nMOTION\nFrames:\t6\nFrame Time: 0.0333333\n{rows}\n"


def with_crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def by_bvhio(path: Path) -> dict[str, np.ndarray]:
    """Name to places (frames, 3)."""
    import bvhio

    root = bvhio.readAsHierarchy(str(path))
    places: dict[str, list] = {}
    for frame in range(root.getKeyframeRange()[1] + 1):
        root.loadPose(frame)
        for joint, _, _ in root.layout():
            places.setdefault(joint.Name, []).append(tuple(joint.PositionWorld))
    return {name: np.array(rows) for name, rows in places.items()}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # PyGLM's new name
@pytest.mark.parametrize(
    "text",
    [
        *(bvh(order) for order in ("ZXY", "ZYX", "XYZ", "YXZ", "YZX", "XZY")),
        bvh("ZY"),
        bvh(moving=("LeftArm", "RightLeg", "Head")),
        with_crlf(bvh(moving=tuple(PERSON))),
        bvh().replace("\t", "  ").rstrip("\n"),
        bvh().replace("Hips\n{\n\tOFFSET 0.0", "Hips\n{\n\tOFFSET 0.3"),
    ],
)
def test_bvh_as_bvhio_reads_it(tmp_path, text):
    path = save(tmp_path / "walk.bvh", text)
    take = read_bvh(path, metres_per_unit=1.0)
    expected = by_bvhio(path)
    assert set(take.joint_names) == set(expected) | {
        f"{name}_end" for name in ("Head", "LeftHand", "RightHand", "LeftToeBase", "RightToeBase")
    }
    for name, places in expected.items():
        np.testing.assert_allclose(take.joints[:, take.joint_names.index(name)], places, atol=MM)


def test_bvh_end_sites_turn_with_their_parent(tmp_path):
    take = read_bvh(save(tmp_path / "a.bvh", bvh("X", turns=0)), metres_per_unit=1.0)
    head = take.joints[:, take.joint_names.index("Head")]
    np.testing.assert_allclose(take.joints[:, take.joint_names.index("Head_end")] - head, [[0, 0.2, 0]] * 6, atol=1e-6)
    text = (
        "HIERARCHY\nROOT a b {\nCHANNELS 2 Xrotation xPosition\nOFFSET 0 1 0\nEnd Site { OFFSET 0 0.5 0 } }\n"
        "MOTION\nFrames: 1\nFrame Time: 0.1\n90 7\n"
    )
    take = read_bvh(save(tmp_path / "b.bvh", text), metres_per_unit=2.0)
    assert take.joint_names == ("a b", "a b_end")
    np.testing.assert_allclose(take.joints, 2 * np.array([[[7, 1, 0], [7, 1, 0.5]]]), atol=1e-9)


def test_bvh_of_our_own(tmp_path):
    clip = made_up()
    (tmp_path / "clip.bvh").write_bytes(bvh_file(clip).content)
    take = read_bvh(tmp_path / "clip.bvh")
    expected = load_body(dtype=torch.float64)(*tensors(clip.body)).joints.numpy() @ Y_UP
    assert take.fps == pytest.approx(clip.fps)
    for joint, name in enumerate(JOINT_LABELS):
        np.testing.assert_allclose(take.joints[:, take.joint_names.index(name)], expected[:, joint], atol=MM)
    np.testing.assert_allclose(take.h36m17()[:, JOINT["l_knee"]], expected[:, JOINT_LABELS.index("left_knee")], atol=MM)


@pytest.mark.parametrize("unit", UNITS_M)
def test_bvh_unit_is_guessed_by_height(tmp_path, unit):
    take = read_bvh(save(tmp_path / "a.bvh", bvh(turns=5, scale=1 / unit)))
    is_somebody_upright(take)
    assert take.fps == pytest.approx(30, abs=1e-3)
    assert take.canonical_names[:2] == ("pelvis_joint", "spine1")


def test_bvh_unit_where_the_rest_pose_is_folded_up(tmp_path):
    """As in LaFAN1, where all bones lie along x at rest and the first frame unfolds them."""
    text = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n"
    text += "JOINT leg\n{\nOFFSET 90 0 0\nCHANNELS 0\nEnd Site\n{\nOFFSET 1 0 0\n}\n}\n"
    text += "JOINT back\n{\nOFFSET 1 0 0\nCHANNELS 1 Zrotation\nEnd Site\n{\nOFFSET 80 0 0\n}\n}\n}\n"
    take = read_bvh(save(tmp_path / "a.bvh", text + "MOTION\nFrames: 1\nFrame Time: 0.01\n-90 180\n"))
    assert np.ptp(take.joints[0, :, 1]) == pytest.approx(1.7)
    with pytest.raises(InputError, match=r"91 units tall.* --unit"):
        read_bvh(save(tmp_path / "a.bvh", text + "MOTION\nFrames: 1\nFrame Time: 0.01\n0 0\n"))


def test_bvh_unit_fits_the_tallest_moment_too(tmp_path):
    """A rest pose folded to 50 cm would be a child of 50 inches, who then stands up to 4.3 m."""
    text = "HIERARCHY\nROOT r{\nOFFSET 0 0 0\nCHANNELS 1 Zrotation\n"
    text += "JOINT leg{\nOFFSET 0 -50 0\nCHANNELS 1 Zrotation\nJOINT shin{\nOFFSET 0 48 0\nCHANNELS 1 Zrotation\n"
    text += "JOINT trunk{\nOFFSET 0 -46 0\nCHANNELS 1 Zrotation\nEnd Site{\nOFFSET 0 44 0\n}}}}}\n"
    text += "MOTION\nFrames: 1\nFrame Time: 0.01\n0 180 180 180\n"
    take = read_bvh(save(tmp_path / "a.bvh", text))
    assert np.ptp(take.joints[0, :, 1]) == pytest.approx(1.88)


def test_bvh_with_z_up(tmp_path):
    path = save(tmp_path / "a.bvh", bvh(turns=5))
    upright, lying = read_bvh(path), read_bvh(path, axes="z_up")
    np.testing.assert_allclose(lying.joints, upright.joints[..., [0, 2, 1]] * [1, 1, -1])


def test_bvh_with_more_frames_than_it_says_is_read_whole(tmp_path):
    assert len(read_bvh(save(tmp_path / "a.bvh", bvh().replace("Frames:\t6", "Frames: 4")))) == 6
    assert len(read_bvh(save(tmp_path / "a.bvh", "\ufeff" + bvh()))) == 6


def test_bvh_with_fewer_rows_than_it_says_is_read_with_a_note(tmp_path):
    expected = read_bvh(save(tmp_path / "whole.bvh", bvh()))
    assert expected.notes == ()
    take = read_bvh(save(tmp_path / "a.bvh", bvh().replace("Frames:\t6", "Frames: 30")))
    np.testing.assert_array_equal(take.joints, expected.joints)
    assert take.notes == ("announces 30 frames and holds 6; all 6 are read",)


def test_bvh_that_broke_off_in_a_row_is_read_without_it(tmp_path):
    text = bvh().rstrip("\n")
    take = read_bvh(save(tmp_path / "a.bvh", text[: text.rindex(" ")]))
    np.testing.assert_array_equal(take.joints, read_bvh(save(tmp_path / "b.bvh", text)).joints[:5])
    assert take.notes == (
        "line 135, the last, has 65 of 66 values and is left out",
        "announces 6 frames and holds 5; all 5 are read",
    )


def lying(text: str) -> str:
    """The same motion with z up: all offsets and positions turned, and the rotations about the turned axes."""
    words = {"Xrotation": "Xrotation", "Yrotation": "Zrotation", "Zrotation": "Yrotation"}
    text = re.sub("[XYZ]rotation", lambda word: words[word[0]], text)
    text = re.sub(r"OFFSET (\S+) (\S+) (\S+)", lambda m: f"OFFSET {m[1]} {-float(m[3]):.7f} {m[2]}", text)
    head, _, rows = text.rpartition("Frame Time: 0.0333333\n")
    turned = []
    for row in rows.splitlines():
        x, y, z, *angles = row.split()
        # a turn about the old z is one about the new -y
        angles = [f"{-float(a):.7f}" if index % 3 == 0 else a for index, a in enumerate(angles)]
        turned.append(" ".join([x, f"{-float(z):.7f}", y, *angles]))
    return head + "Frame Time: 0.0333333\n" + "\n".join(turned) + "\n"


def test_bvh_that_lies_on_its_side_is_turned_with_a_note(tmp_path):
    upright = read_bvh(save(tmp_path / "a.bvh", bvh("ZXY", turns=5)))
    turned = read_bvh(save(tmp_path / "b.bvh", lying(bvh("ZXY", turns=5))))
    assert upright.notes == ()
    assert turned.notes == ("the person lies on the side with y up and is read with z up",)
    np.testing.assert_allclose(turned.joints, upright.joints, atol=1e-5)
    kept = read_bvh(tmp_path / "b.bvh", axes="y_up")
    assert kept.notes == ()
    np.testing.assert_allclose(kept.joints, upright.joints[..., [0, 2, 1]] * [1, -1, 1], atol=1e-5)


def test_bvh_unit_of_a_small_person_who_crouches(tmp_path):
    """1.15 m in inches: too small for the usual range, and in no other unit's."""
    unit = 0.0254 * 1.65 / 1.15
    take = read_bvh(save(tmp_path / "a.bvh", bvh(turns=5, scale=1 / unit)))
    upright = read_bvh(save(tmp_path / "b.bvh", bvh(turns=5)))
    np.testing.assert_allclose(take.joints, upright.joints * 0.0254 / unit, atol=1e-5)


SPELLINGS = {  # of the left knee, the right shoulder, the left wrist and the right ankle
    "mixamorig:": ("mixamorig:LeftLeg", "mixamorig:RightArm", "mixamorig:LeftHand", "mixamorig:RightFoot"),
    "mixamorig_": ("mixamorig_LeftLeg", "mixamorig_RightArm", "mixamorig_LeftHand", "mixamorig_RightFoot"),
    "character": ("Character1_LeftLeg", "Character1_RightArm", "Character1_LeftHand", "Character1_RightFoot"),
    "robot": ("Robot_LeftLeg", "Robot_RightArm", "Robot_LeftHand", "Robot_RightFoot"),
    "biped": ("Bip01 L Calf", "Bip01 R UpperArm", "Bip01 L Hand", "Bip01 R Foot"),
    "character creator": ("CC_Base_L_Calf", "CC_Base_R_Upperarm", "CC_Base_L_Hand", "CC_Base_R_Foot"),
    "vrm": ("J_Bip_L_LowerLeg", "J_Bip_R_UpperArm", "J_Bip_L_Hand", "J_Bip_R_Foot"),
    "source": ("ValveBiped.Bip01_L_Calf", "ValveBiped.Bip01_R_UpperArm", "ValveBiped.Bip01_L_Hand",
               "ValveBiped.Bip01_R_Foot"),
    "rigify": ("DEF-shin.L", "DEF-upper_arm.R", "DEF-hand.L", "DEF-foot.R"),
    "unreal": ("calf_l", "upperarm_r", "hand_l", "foot_r"),
    "unknown": ("Hero_Of_Us_LeftLeg", "Hero_Of_Us_RightArm", "Hero_Of_Us_LeftHand", "Hero_Of_Us_RightFoot"),
    "unknown suffix": ("LeftLeg_hero", "RightArm_hero", "LeftHand_hero", "RightFoot_hero"),
    "daz": ("lShin", "rUpperArm", "lHand", "rFoot"),
    "side last": ("ShinL", "UpperArmR", "HandLeft", "FootRight"),
    "lower case": ("lshin", "rupperarm", "left hand", "foot-right"),
}  # fmt: skip


@pytest.mark.parametrize("names", SPELLINGS.values(), ids=SPELLINGS)
def test_bones_are_known_by_any_of_the_usual_names(names):
    assert canonical_skeleton_names(names) == ("l_knee", "r_shoulder", "l_wrist", "r_ankle")


def test_prefixes_are_not_guessed_from_names_that_mean_something():
    assert canonical_skeleton_names(("LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToeBase")) == (
        "l_hip", "l_knee", "l_ankle", "l_foot",
    )  # fmt: skip
    twist = canonical_skeleton_names(
        ("CC_Base_L_Calf", "CC_Base_L_CalfTwist01", "J_Sec_L_Hair", "LHipJoint", "LeftHip")
    )
    assert twist == ("l_knee", "cc_base_l_calf_twist01", "j_sec_l_hair", "l_hip_joint", "l_hip")


def test_markers_are_known_by_any_of_the_usual_names():
    names = ("Subject1:RHip", "R.Knee", "Left Ankle", "r_shoulder_study", "LHJC_study", "CHip", "Head", "r.ASIS_study")
    assert canonical_marker_names(names) == (
        "r_hip", "r_knee", "l_ankle", "r_shoulder", "l_hip", "mid_hip", "head_top", "r.asis_study",
    )  # fmt: skip
    assert canonical_marker_names(("r_knee_study", "RKnee")) == ("r_knee.0", "r_knee")


def test_mixamo_says_where_the_head_ends():
    assert canonical_skeleton_names(("mixamorig:Head", "mixamorig:HeadTop_End", "Head_end")) == (
        "head_joint",
        "head_top",
        "head_end",
    )


# --- ASF and AMC

BONES = [  # name, parent, direction, length in inches * 0.45, axis, dof
    ("lhipjoint", "root", (0.69, -0.65, 0.3), 2.6, (0, 0, 0), ""),
    ("lfemur", "lhipjoint", (0.34, -0.94, 0), 7.2, (0, 0, 20), "rx ry rz"),
    ("ltibia", "lfemur", (0.34, -0.94, 0), 7.3, (0, 0, 20), "rx"),
    ("lfoot", "ltibia", (0.06, -0.17, 0.98), 2.2, (-90, 7, 20), "rx rz"),
    ("rhipjoint", "root", (-0.69, -0.65, 0.3), 2.6, (0, 0, 0), ""),
    ("rfemur", "rhipjoint", (-0.34, -0.94, 0), 7.2, (0, 0, -20), "rx ry rz"),
    ("rtibia", "rfemur", (-0.34, -0.94, 0), 7.3, (0, 0, -20), "rx"),
    ("rfoot", "rtibia", (-0.06, -0.17, 0.98), 2.2, (-90, -7, -20), "rx rz"),
    ("lowerback", "root", (0.02, 1, -0.03), 2.1, (0, 0, 0), "rx ry rz"),
    ("upperback", "lowerback", (0, 1, -0.01), 2.1, (0, 0, 0), "rx ry rz"),
    ("thorax", "upperback", (0, 1, 0.01), 2.1, (0, 0, 0), "rx ry rz"),
    ("lowerneck", "thorax", (0, 1, 0.05), 1.7, (0, 0, 0), "rx ry rz"),
    ("upperneck", "lowerneck", (0, 1, -0.1), 1.7, (0, 0, 0), "rz rx ry"),
    ("head", "upperneck", (0, 1, -0.05), 1.7, (0, 0, 0), "rx ry rz"),
    ("lclavicle", "thorax", (0.95, 0.3, 0), 3.6, (0, 0, 0), "ry rz"),
    ("lhumerus", "lclavicle", (1, 0, 0), 4.9, (180, 30, 90), "rz ry rx"),
    ("lradius", "lhumerus", (1, 0, 0), 3.3, (180, 30, 90), "rx"),
    ("rclavicle", "thorax", (-0.95, 0.3, 0), 3.6, (0, 0, 0), "ry rz"),
    ("rhumerus", "rclavicle", (-1, 0, 0), 4.9, (180, -30, -90), "rx ry rz"),
    ("rradius", "rhumerus", (-1, 0, 0), 3.3, (180, -30, -90), "rx"),
]
Poses = list[dict[str, list[float]]]


def asf(
    bones=BONES, *, angle: str = "deg", root: str = "position 0 0 0\norientation 0 0 0", length: float = 0.45
) -> str:
    data = "".join(
        f"  begin\n     id {index}\n     name {name}\n     direction {' '.join(map(str, direction))}\n"
        f"     length {size}\n     axis {' '.join(map(str, axis))}  XYZ\n"
        + (f"    dof {dof}\n    limits (-160.0 20.0)\n           (-70.0 70.0)\n" if dof else "")
        + "  end\n"
        for index, (name, _, direction, size, axis, dof) in enumerate(bones, 1)
    )
    parents = dict.fromkeys(parent for _, parent, *_ in bones)
    tree = "".join(f"    {p} {' '.join(name for name, parent, *_ in bones if parent == p)}\n" for p in parents)
    return (
        f"# skeleton\n:version 1.10\n:name somebody\n:units\n  mass 1.0\n  length {length}\n  angle {angle}\n"
        f":documentation\n   anything\n:root\n   order TX TY TZ RX RY RZ\n   axis XYZ\n   {root}\n"
        f":bonedata\n{data}:hierarchy\n  begin\n{tree}  end\n"
    )


def amc(poses: Poses, keyword: str = ":DEGREES") -> str:
    frames = "".join(
        f"{number}\n" + "".join(f"{name} {' '.join(f'{v:.6f}' for v in values)}\n" for name, values in pose.items())
        for number, pose in enumerate(poses, 1)
    )
    return f"#!OML:ASF somebody\n:FULLY-SPECIFIED\n{keyword}\n{frames}"


def made_up_poses(turns: float = 30.0, frames: int = 4) -> Poses:
    rng = np.random.default_rng(1)
    freedoms = {name: len(dof.split()) for name, *_, dof in BONES if dof}
    return [
        {"root": [1.0, 17.0, -3.0 + frame, *rng.normal(0, turns, 3)]}
        | {name: list(rng.normal(0, turns, count)) for name, count in freedoms.items()}
        for frame in range(frames)
    ]


def turn(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array({
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]], "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis])  # fmt: skip


def by_definition(pose: dict[str, list[float]]) -> dict[str, np.ndarray]:
    """Acclaim's words bone by bone: go to the bone's own axes, turn, come back, then what the parents did."""
    ends = {}

    def walk(name: str, start: np.ndarray, R_world_parent: np.ndarray) -> None:
        ends[name] = start
        for bone, parent, direction, size, (x, y, z), dof in BONES:
            if parent == name:
                C = turn("z", z) @ turn("y", y) @ turn("x", x)
                M = np.eye(3)
                for freedom, value in zip(dof.split(), pose.get(bone, []), strict=True):
                    M = turn(freedom[1], value) @ M
                R = R_world_parent @ C @ M @ np.linalg.inv(C)
                walk(bone, start + R @ np.array(direction) * size, R)

    *place, x, y, z = pose["root"]
    walk("root", np.array(place), turn("z", z) @ turn("y", y) @ turn("x", x))
    return {name: INCHES_OVER_045 * end for name, end in ends.items()}


def test_amc_as_defined(tmp_path):
    save(tmp_path / "01.asf", asf())
    poses = made_up_poses()
    take = read_amc(save(tmp_path / "01_02.amc", amc(poses)))
    assert (take.name, take.subject, take.fps, len(take)) == ("01_02", "01", 120, 4)
    assert set(take.joint_names) == {"root", *(name for name, *_ in BONES)}
    for frame, pose in enumerate(poses):
        for name, end in by_definition(pose).items():
            np.testing.assert_allclose(take.joints[frame, take.joint_names.index(name)], end, atol=1e-6)


def test_amc_in_radians_is_the_same(tmp_path):
    poses = [
        {name: [*v[:-3], *np.radians(v[-3:])] if name == "root" else list(np.radians(v)) for name, v in pose.items()}
        for pose in made_up_poses()
    ]
    degrees, radians = (save(tmp_path / f"{name}.asf", asf()) for name in ("deg", "unused"))
    bones = [(*bone[:4], tuple(np.radians(bone[4])), bone[5]) for bone in BONES]
    save(radians, asf(bones, angle="rad"))
    expected = read_amc(save(tmp_path / "a.amc", amc(made_up_poses())), asf=degrees)
    for skeleton, keyword in ((radians, ""), (radians, ":RADIANS"), (degrees, ":radians")):
        found = read_amc(save(tmp_path / "b.amc", amc(poses, keyword)), asf=skeleton)
        np.testing.assert_allclose(found.joints, expected.joints, atol=1e-4)


def test_amc_knee_by_hand(tmp_path):
    """A knee bent by 90 degrees puts the ankle behind it, whatever way the leg stands; bones of forty inches."""
    bones = [
        ("lfemur", "root", (0, -1, 0), 40 * 0.45, (0, 0, 20), "rx"),
        ("ltibia", "lfemur", (0, -1, 0), 40 * 0.45, (0, 0, 0), "rx"),
    ]
    skeleton = save(tmp_path / "a.asf", asf(bones))
    poses = [{"root": [0, 0, 0, 0, turned, 0], "lfemur": [0], "ltibia": [90]} for turned in (0, 90)]
    take = read_amc(save(tmp_path / "b.amc", amc(poses)), asf=skeleton, fps=60.0)
    bone = 40 * 0.0254
    np.testing.assert_allclose(take.joints[0], bone * np.array([[0, 0, 0], [0, -1, 0], [0, -1, -1]]), atol=1e-9)
    np.testing.assert_allclose(take.joints[1], bone * np.array([[0, 0, 0], [0, -1, 0], [-1, -1, 0]]), atol=1e-9)
    assert take.canonical_names == ("pelvis_joint", "l_knee", "l_ankle")


def test_amc_root_at_rest_is_moved_and_turned(tmp_path):
    bones = [("lfemur", "root", (0, -1, 0), 40 * 0.45, (0, 0, 0), "")]
    skeleton = save(tmp_path / "a.asf", asf(bones, root="position 0 0.9 0\norientation 0 0 90"))
    take = read_amc(save(tmp_path / "b.amc", amc([{"root": [0.45, 0, 0, 0, 90, 0]}])), asf=skeleton)
    np.testing.assert_allclose(take.joints[0], 0.0254 * np.array([[1, 2, 0], [1, 2, -40]]), atol=1e-9)


def test_amc_gives_a_person(tmp_path):
    save(tmp_path / "HDM_bd.asf", asf())
    take = read_amc(save(tmp_path / "HDM_bd_01-01_01_120.amc", with_crlf(amc(made_up_poses(turns=4)))))
    is_somebody_upright(take)
    joints = take.h36m17()
    ends = {name: take.joints[:, index] for index, name in enumerate(take.joint_names)}
    for joint, bone in {"l_hip": "lhipjoint", "r_ankle": "rtibia", "l_wrist": "lradius", "head_top": "head"}.items():
        np.testing.assert_array_equal(joints[:, JOINT[joint]], ends[bone])


def test_amc_finds_its_skeleton(tmp_path):
    motion = save(tmp_path / "10_01.amc", amc(made_up_poses(frames=1)))
    with pytest.raises(InputError, match=r"0 \.asf files"):
        read_amc(motion)
    save(tmp_path / "somebody.asf", asf())
    assert read_amc(motion).subject == "somebody"
    save(tmp_path / "1.asf", "not his")
    with pytest.raises(InputError, match=r"2 \.asf files.*--asf FILE"):
        read_amc(motion)
    (tmp_path / "skeletons").mkdir()
    save(tmp_path / "skeletons" / "10.ASF", asf())
    assert read_amc(motion, folder=tmp_path).subject == "10"
    save(tmp_path / "10.asf", asf())
    assert read_amc(motion).subject == "10"


# --- TRC


def test_trc_of_our_own(tmp_path):
    clip = with_nobody(made_up(), 3)
    for axes in ("y_up", "z_up"):
        (tmp_path / "clip.trc").write_bytes(trc_file(clip, axes).content)
        take = read_trc(tmp_path / "clip.trc", axes=axes)
        np.testing.assert_allclose(take.h36m17(), clip.joints_3d @ Y_UP, atol=MM)
        assert (take.fps, len(take)) == (clip.fps, len(clip))
        assert np.isnan(take.joints[3]).all()


def markers() -> dict[str, tuple[float, float, float]]:
    """Pose2Sim's Halpe 26 markers of somebody upright, in metres."""
    one_side = {"Hip": (0.1, 0.9), "Knee": (0.11, 0.5), "Ankle": (0.12, 0.1), "BigToe": (0.13, 0.02),
                "SmallToe": (0.16, 0.02), "Heel": (0.11, 0.03), "Shoulder": (0.18, 1.4), "Elbow": (0.25, 1.1),
                "Wrist": (0.27, 0.85), "Eye": (0.03, 1.6), "Ear": (0.07, 1.58)}  # fmt: skip
    sides = {f"{side}{name}": (s * x, y, 0.0) for side, s in (("R", -1), ("L", 1)) for name, (x, y) in one_side.items()}
    return {
        "CHip": (0.0, 0.9, 0.0),
        **sides,
        "Neck": (0.0, 1.42, 0.0),
        "Head": (0.0, 1.7, 0.0),
        "Nose": (0.0, 1.55, 0.1),
    }


def trc(*, units: str = "m", per_metre: float = 1.0, padding: str = "\t\t\t", trailing: str = "\t\t") -> str:
    """As Pose2Sim writes it: no blank line after the header."""
    body = markers()
    columns = "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(body) + 1))
    cells = [f"{per_metre * value:.6f}" for place in body.values() for value in place]
    rows = [[str(frame), f"{frame / 60:.4f}", *cells] for frame in range(3)]
    rows[1][2:5], rows[2][5:8] = ["", "", ""], ["nan", "NaN", "nan"]  # CHip, RHip
    return "\n".join([
        "PathFileType\t4\t(X/Y/Z)\twalk_0-3.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"60.0\t60.0\t3\t{len(body)}\t{units}\t60.0\t0\t3",
        f"Frame#\tTime\t{padding.join(body)}{trailing}",
        f"\t\t{columns}",
        *("\t".join(row) for row in rows), "",
    ])  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        trc(),
        trc(units="mm", per_metre=1000.0),
        trc(units="cm", per_metre=100.0),
        trc(padding="\t", trailing=""),
        with_crlf(trc(trailing="\t\t\t")).replace("\r\n0\t", "\r\n\r\n0\t"),
        re.sub(r"(?m)$", "\t", trc()),
    ],
)
def test_trc_of_pose2sim(tmp_path, text):
    take = read_trc(save(tmp_path / "walk.trc", text))
    assert take.joint_names == tuple(markers())
    assert set(take.canonical_names) == set(JOINT_SETS["halpe26"].joints)
    np.testing.assert_allclose(take.joints[0], list(markers().values()), atol=1e-5)
    assert np.argwhere(np.isnan(take.joints).all(-1)).tolist() == [[1, 0], [2, take.joint_names.index("RHip")]]
    is_somebody_upright(replace(take, joints=take.joints[:2]))
    assert take.fps == 60


@pytest.mark.parametrize("spelling", ["tabs doubled", "header doubled", "commas", "semicolons", "spaces"])
def test_trc_with_other_separators(tmp_path, spelling):
    text = (
        trc(padding="\t", trailing="")
        .replace("\t\t\t", "\tnan\tnan\tnan")
        .replace("\tnan\tnan\tnan\t", "\tnan\tnan\tnan\t")
    )
    rows = text.split("\n")
    rows[6] = rows[6].replace("\t\t", "\tnan\t").replace("\t\t", "\tnan\t")
    text = "\n".join(rows)
    expected = read_trc(save(tmp_path / "a.trc", text)).joints
    if spelling == "header doubled":
        rows[2] = rows[2].replace("\t", "  \t\t ")
        text = "\n".join(rows)
    marks = {"tabs doubled": "\t\t", "commas": ",", "semicolons": ";", "spaces": " ", "header doubled": "\t"}
    take = read_trc(save(tmp_path / "b.trc", text.replace("\t", marks[spelling])))
    np.testing.assert_array_equal(take.joints, expected)
    assert take.notes == ()


@pytest.mark.parametrize(
    ("unit", "per_metre"),
    [("millimeters", 1000), ("MM", 1000), ("meters", 1), ("Metres", 1), ("inches", 39.37008), ("centimetres", 100)],
)
def test_trc_units_are_known_by_their_long_names(tmp_path, unit, per_metre):
    take = read_trc(save(tmp_path / "a.trc", trc(units=unit, per_metre=per_metre)))
    np.testing.assert_allclose(take.joints[0], list(markers().values()), atol=1e-5)


def test_trc_without_a_unit_is_measured(tmp_path):
    take = read_trc(save(tmp_path / "a.trc", trc(units="", per_metre=1000)))
    np.testing.assert_allclose(take.joints[0], list(markers().values()), atol=1e-5)
    assert take.notes == ("does not say its Units; by the size of the person they are mm",)
    with pytest.raises(InputError, match="'Units' is missing"):
        read_trc(save(tmp_path / "a.trc", trc(units="", per_metre=30)))


def test_trc_rows_and_names_that_are_there_count(tmp_path):
    expected = read_trc(save(tmp_path / "a.trc", trc())).joints
    take = read_trc(save(tmp_path / "b.trc", trc().replace("\t3\t26", "\t900\t27")))
    np.testing.assert_array_equal(take.joints, expected)
    assert take.notes == (
        "announces 900 frames and holds 3; all 3 are read",
        "announces 27 markers and names 26; all 26 are read",
    )
    take = read_trc(save(tmp_path / "c.trc", re.sub(r"\t\S+\n*$", "", trc())))
    np.testing.assert_array_equal(take.joints, expected[:2])
    assert take.notes[0] == "line 8, the last, has 79 of 80 cells and is left out"


def test_trc_last_row_may_end_in_markers_that_are_not_seen(tmp_path):
    take = read_trc(save(tmp_path / "a.trc", re.sub(r"\t\S+\t\S+\t\S+\n*$", "\t\t\t", trc())))
    assert len(take) == 3
    assert np.isnan(take.joints[2, -1]).all()
    assert take.notes == ()


def test_trc_that_lies_on_its_side_is_turned_with_a_note(tmp_path):
    clip = made_up()
    (tmp_path / "z.trc").write_bytes(trc_file(clip, "z_up").content)
    take = read_trc(tmp_path / "z.trc")
    np.testing.assert_allclose(take.h36m17(), clip.joints_3d @ Y_UP, atol=MM)
    assert take.notes == ("the person lies on the side with y up and is read with z up",)


def standing(frames: int = 4) -> np.ndarray:
    """A stick figure on a floor at height zero, y up (frames, 5, 3): head top, hips, ankles."""
    return np.tile([[0, 1.7, 0], [0.1, 0.9, 0], [-0.1, 0.9, 0], [0.1, 0.05, 0], [-0.1, 0.05, 0]], (frames, 1, 1))


FIGURE = ("head_top", "l_hip", "r_hip", "l_ankle", "r_ankle")
Z_UP, IN_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), np.diag([1.0, -1, -1])


def test_the_axis_that_points_up():
    assert up_axis(standing(), FIGURE, "y_up") == ("y_up", ())
    assert up_axis(standing() @ Z_UP.T + [0, 3, 0], FIGURE, "y_up")[0] == "z_up"
    assert up_axis(standing() @ Z_UP.T - [0, 0, 0.9], FIGURE, "y_up")[0] == "z_up"  # hips at the origin
    assert up_axis(standing(), FIGURE, "z_up")[0] == "y_up"
    assert up_axis(standing() @ IN_CAMERA, FIGURE, "y_up", others=("y_down",))[0] == "y_down"
    assert up_axis(standing(), ("a", "b", "c", "d", "e"), "z_up") == ("z_up", ())


def test_people_who_lie_on_the_floor_are_left_lying():
    lying = standing() @ Z_UP.T + [0, 0.12, 2.5]
    axis, notes = up_axis(lying, FIGURE, "y_up")
    assert axis == "y_up"
    assert notes == ("head and feet are at one height in most frames, read with y up",)
    sometimes = np.concatenate([standing(2), standing(3) @ Z_UP.T + [0, 0.12, 0]])
    assert up_axis(sometimes, FIGURE, "y_up") == ("y_up", ())


def test_the_rest_pose_tells_what_is_up_where_the_motion_does_not():
    tumbling = np.concatenate([standing(2) @ Z_UP.T, standing(2) @ np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]).T])
    assert up_axis(tumbling, FIGURE, "y_up")[0] == "y_up"
    assert up_axis(tumbling, FIGURE, "y_up", rest=standing(1)[0] @ Z_UP.T)[0] == "z_up"
    assert up_axis(tumbling, FIGURE, "y_up", rest=standing(1)[0])[0] == "y_up"


# --- Damage

READERS = {"bvh": read_bvh, "amc": read_amc, "asf": read_amc, "trc": read_trc}


def whole(kind: str) -> str:
    return {"bvh": bvh(turns=5), "amc": amc(made_up_poses()), "asf": asf(), "trc": trc()}[kind]


def read_damaged(folder: Path, kind: str, content: bytes) -> Take:
    """Read a file of that kind, beside the other one of ASF and AMC, which is whole."""
    for other in ("amc", "asf"):
        save(folder / f"a.{other}", whole(other))
    (folder / f"a.{kind}").write_bytes(content)
    return READERS[kind](folder / ("a.amc" if kind == "asf" else f"a.{kind}"))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("content", [b"", b" \n", b"\x00\xff\xfe\x80" * 50, b"hello", b"{" * 9, b"MOTION", b":root"])
def test_what_is_no_motion_is_refused(tmp_path, kind, content):
    with pytest.raises(InputError, match=rf"a\.{kind}: "):
        read_damaged(tmp_path, kind, content)


@pytest.mark.parametrize("kind", ["bvh", "amc", "trc"])
def test_no_file_and_folders_are_refused(tmp_path, kind):
    (tmp_path / f"a.{kind}").mkdir()
    with pytest.raises(InputError, match="is not a plain file"):
        READERS[kind](tmp_path / f"a.{kind}")
    with pytest.raises(InputError, match="no such file"):
        READERS[kind](tmp_path / "gone" / f"b.{kind}")


@pytest.mark.parametrize(
    ("kind", "before", "after", "says"),
    [
        ("bvh", "Frames:\t6", "Frames: many", "Frames holds 'many'"),
        ("bvh", "Frames:\t6", "Frames: 1e300", r"Frames holds '1e300'"),
        ("bvh", "0.0333333", "0", "gives 0 frames per second"),
        ("bvh", "0.0333333", "1e-300", r"gives 1e\+300 frames per second"),
        ("bvh", "0.0333333", "nan", "Frame Time holds 'nan'"),
        ("bvh", "Frame Time: 0.0333333", "", "no MOTION section"),
        ("bvh", "MOTION", "", "no MOTION section"),
        ("bvh", r"(?s)(Time: \S+\n).*", r"\1", "holds no frame"),
        ("bvh", r"(Time: \S+\n\S+)", r"\1 1", "line 130 has 67 values instead of 66"),
        ("bvh", r"(Time: \S+\n)\S+", r"\1nan", "line 130 holds 'nan'"),
        ("bvh", r"(Time: \S+\n)\S+", r"\1inf", "line 130 holds 'inf'"),
        ("bvh", r"(Time: \S+\n)\S+", r"\g<1>1e9", "line 130 holds '1e9'"),
        ("bvh", r"(Time: \S+\n)\S+", r"\g<1>0,5", "line 130 holds '0,5'"),
        ("bvh", "Zrotation", "Wrotation", "CHANNELS of joint 'Hips' has 'wrotation'"),
        ("bvh", "CHANNELS 6", "CHANNELS 99999", "announces 99999 channels"),
        ("bvh", "CHANNELS 6", "CHANNELS -1", "announces -1 channels"),
        ("bvh", "CHANNELS 6", "CHANNELS x", "CHANNELS of joint 'Hips' holds 'x'"),
        ("bvh", "OFFSET 0", "OFFSET zero", "OFFSET of joint 'Hips' holds 'zero"),
        ("bvh", "OFFSET .*", "", "joint 'Hips' has no OFFSET"),
        ("bvh", "ROOT", "BODY", "has 'BODY' in its hierarchy"),
        ("bvh", "JOINT", "ROOT", "has 'ROOT' in its hierarchy"),
        ("bvh", "}\nMOTION", "MOTION", "hierarchy is incomplete"),
        ("bvh", "}\nMOTION", "}}\nMOTION", "'}' in its hierarchy"),
        ("bvh", "MOTION", "ROOT b { OFFSET 0 0 0 }\nMOTION", "has 'ROOT' in its hierarchy"),
        ("bvh", "HIERARCHY(?s:.*)MOTION", "MOTION", "hierarchy is incomplete"),
        ("asf", ":units", ":unit", "no section ':units'"),
        ("asf", ":hierarchy", "", "no section ':hierarchy'"),
        ("asf", "length 0.45", "length 0", "length of :units is 0"),
        ("asf", "length 0.45", "length 1", "m tall.*length in :units"),
        ("asf", "length 0.45", "length", "length of :units holds ''"),
        ("asf", "length 7.2", "length nan", "length of bone 'lfemur' holds 'nan'"),
        ("asf", "direction 0.34", "direction", "bone 'lfemur' has no direction of three"),
        ("asf", "axis 0 0 20  XYZ", "axis 0 0 20  XYW", "bone 'lfemur' has an axis other than XYZ"),
        ("asf", "dof rx ry rz", "dof rx rx rz", "bone 'lfemur' has an axis other than XYZ or a dof"),
        ("asf", "dof rx ry rz", "dof rx rw rz", "bone 'lfemur' has an axis other than XYZ or a dof"),
        ("asf", "name rfemur", "name lfemur", "bone 'lfemur' of :bonedata has no name of its own"),
        ("asf", "name rfemur", "", "bone '' of :bonedata has no name"),
        ("asf", "lfemur ltibia", "lfemur", "bone 'ltibia' is not connected to the root"),
        ("asf", "lfemur ltibia", "lfemur ltibia lhipjoint", "has bone 'lhipjoint' twice"),
        ("asf", "lfemur ltibia", "ltibia ltibia", "bone 'ltibia' is not connected to the root"),
        ("asf", "lfemur ltibia", "lfemur tail", "has bone 'tail' twice, or :bonedata does not"),
        ("asf", "position 0 0 0", "", "bone 'root' has no position"),
        ("asf", "(?s)end.*:hierarchy", ":hierarchy", "has no name of its own or no end"),
        ("amc", "\nlfemur", "\nlthigh", "frame 1 has 0 values for bone 'lfemur'"),
        ("amc", "\nlfemur", "\nrfemur", "frame 1 has 0 values for bone 'lfemur'"),
        ("amc", "\nlfemur", "\ntail 1\nlfemur", "frame 1 has 1 values for bone 'tail', the skeleton 0"),
        ("amc", "\nltibia", "\nltibia 1", "frame 1 has 2 values for bone 'ltibia', the skeleton 1"),
        ("amc", r"\nltibia \S+", r"\nltibia inf", "frame 1 holds 'inf'"),
        ("amc", "\n2\n", "\n3\n", "frame 3 comes after frame 1"),
        ("amc", "\n2\n", "\ntwo\n", "holds 'two'"),
        ("amc", "\n1\n", "\n", "line 4 comes before the first frame"),
        ("amc", r"(?s)\n1\n.*", "\n", "holds no frame"),
        ("trc", "PathFileType", "File", "has no TRC header"),
        ("trc", "NumFrames", "Frames", "field 'NumFrames' is missing"),
        ("trc", "DataRate", "Rate", "field 'DataRate' is missing"),
        ("trc", "60.0\t60.0", "0\t0", "DataRate gives 0 frames per second"),
        ("trc", "\t26\tm", "\t26\tfurlong", "Units is 'furlong'"),
        ("trc", "\t26\tm\t", "\t26\tmm\t", "m apart, by its Units, 'mm'"),
        ("trc", "\n1\t", "\none\t", "the frame's number in line 7 holds 'one'"),
        ("trc", "0.900000", "zero", "line 6 holds 'zero'"),
        ("trc", "0.900000", "inf", "line 6 holds 'inf'"),
        ("trc", "\n2\t", "\t1\n2\t", "line 7 has 81 cells, 26 markers take 80"),
        ("trc", r"\t\S+\n(?=2\t)", "\n", "line 7 has 79 cells"),
    ],
)
def test_damage_is_named(tmp_path, kind, before, after, says):
    text = re.sub(before, after, whole(kind), count=1)
    assert text != whole(kind)
    with pytest.raises(InputError, match=says):
        read_damaged(tmp_path, kind, text.encode())


def test_nesting_without_end_and_crowds_are_refused(tmp_path, monkeypatch):
    motion = "\nMOTION\nFrames: 1\nFrame Time: 0.1\n0\n"
    for depth, says in ((999, "no height"), (100_000, "has 1001 joints")):
        joints = "ROOT a { OFFSET 0 1 0 CHANNELS 1 Xrotation " + "JOINT b { OFFSET 0 1 0 " * depth + "} " * (depth + 1)
        with pytest.raises(InputError, match=says):
            read_bvh(save(tmp_path / "a.bvh", f"HIERARCHY {joints}{motion}"))
    monkeypatch.setattr(checked_text, "MAX_POINTS", 10)
    for kind in READERS:
        with pytest.raises(InputError, match="split it into shorter takes"):
            read_damaged(tmp_path, kind, whole(kind).encode())


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_any_bytes_are_read_or_refused(tmp_path, kind, data):
    content = whole(kind).encode()
    tokens = st.sampled_from([b"", b"nan", b"1e999", b"-1e7", b"{", b"}", b"\n", b"\t", b"\x00", b" 0 ", b"9" * 5000])
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.sampled_from([0, 1, 7, 60, len(content)]))
        content = content[:start] + data.draw(tokens | st.binary(max_size=6)) + content[start + length :]
    try:
        take = read_damaged(tmp_path, kind, content)
    except InputError as error:
        assert str(error).startswith(str(tmp_path))  # noqa: PT017
    else:
        assert not np.isinf(take.joints).any()
        assert take.h36m17().shape == (len(take), 17, 3)
