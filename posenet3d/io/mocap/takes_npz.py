"""Read and write takes as the project's own npz, the input of the virtual cameras.

Arrays: `joints_3d_world` (N, 17, 3), metres, y up; per clip `start`, `length`, `name`, `subject`, `action`, `fps`. Where all
clips have the same joints, `joints_source` (N, J, 3) and `joint_names_source` (J,) hold all joints of the source, too.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posenet3d.core.skeleton import JOINT_NAMES, N_JOINTS
from posenet3d.io.checked_npz import (
    Arrays,
    clip_rows,
    clip_table,
    expect,
    load_arrays,
    numeric,
    rates,
    save_arrays,
    texts,
    wrong,
)
from posenet3d.io.mocap.take import Take

FIELDS = ("joints_3d_world", "start", "length", "name", "subject", "action", "fps")


def write_takes(path: Path, takes: Sequence[Take]) -> None:
    """Write takes end to end in one atomic step.

    Raises:
        InputError: the file cannot be written.
        ValueError: there is no take.
    """
    if not takes:
        raise ValueError("no take to write")
    arrays: Arrays = {
        "joints_3d_world": np.concatenate([take.h36m17() for take in takes]).astype(np.float32),
        "joint_names": np.array(JOINT_NAMES),
        **clip_table(takes),
    }
    if len({take.joint_names for take in takes}) == 1:
        arrays["joints_source"] = np.concatenate([take.joints for take in takes]).astype(np.float32)
        arrays["joint_names_source"] = np.array(takes[0].joint_names)
    save_arrays(path, arrays)


def read_takes(path: Path) -> list[Take]:
    """Read a file of `write_takes`; each take has the 17 joints.

    Raises:
        InputError: another file, or a field that does not fit.
    """
    data = load_arrays(path, FIELDS)
    joints = numeric(data, "joints_3d_world", path)
    if joints is None:
        raise wrong(
            path, "joints_3d_world", "is missing", "give a file that 'posenet3d data convert' made of 3D motion"
        )
    expect(joints, (len(joints), N_JOINTS, 3), "joints_3d_world", path)
    clips = clip_rows(data, len(joints), path)
    count = len(clips)
    names = texts(data, "name", count, path) or [path.stem] * count
    subjects = texts(data, "subject", count, path) or [""] * count
    actions = texts(data, "action", count, path) or [""] * count
    return [
        Take(name, joints[rows].astype(np.float64), JOINT_NAMES, JOINT_NAMES, float(fps), subject, action)
        for rows, name, subject, action, fps in zip(
            clips, names, subjects, actions, rates(data, count, path), strict=True
        )
    ]
