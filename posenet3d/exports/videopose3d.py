"""Npz in the layout of VideoPose3D and its successors: a dictionary of subjects and actions in ``positions_3d``."""

import io
import zipfile
from collections.abc import Sequence

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported
from posenet3d.exports.joints import n_without_person, rotated_joints
from posenet3d.exports.old_pickle import pickle_for_numpy_1
from posenet3d.io.datasets.h36m import JOINTS_OF_32

SUBJECTS = tuple(f"S{number}" for number in range(1, 12))
"""Human3.6M's subjects: VideoPose3D's loader knows cameras of these alone, and fails at any other name."""

ONE_SUBJECT = "S1"
"""Subject of the clips whose names begin with none of `SUBJECTS`."""

N_STORED = 32
"""Joints of Human3.6M's skeleton: the loader removes 15 of them, and fails on an array of 17."""

_SOURCES = np.searchsorted(JOINTS_OF_32, np.arange(N_STORED), side="right") - 1
"""For each of the 32 joints the one of the 17 that is stored there: its own, or the last before it."""


def videopose3d_npz(clips: Sequence[Lifted], axes: str = "camera") -> Exported:
    """Return all clips, (frames, 32, 3) each, metres, NaN in frames without a person.

    ``positions_3d[subject][action]``: if the first word of a clip's name is a subject of Human3.6M, the rest is the action, as
    in 'S9 Walking 1 camera 0'. Any other name is an action of `ONE_SUBJECT`. VideoPose3D's ``Human36mDataset(file)`` loads it
    with its defaults, which keep the 17 joints in VideoPose3D's order; so does ``positions[:, JOINTS_OF_32]``
    (`posenet3d.io.datasets.h36m`). The 15 joints that the loader removes repeat the joint before them.

    Args:
        clips: lifted clips; a number is added to a name that occurs twice.
        axes: by default the camera's, as VideoPose3D's networks give their poses.
    """
    positions: dict[str, dict[str, np.ndarray]] = {}
    for clip in clips:
        first, _, rest = clip.name.partition(" ")
        subject, action = (first, rest) if rest and first in SUBJECTS else (ONE_SUBJECT, clip.name)
        actions = positions.setdefault(subject, {})
        name, count = action, 1
        while name in actions:
            count += 1
            name = f"{action} ({count})"
        actions[name] = rotated_joints(clip, axes)[:, _SOURCES].astype(np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("positions_3d.npy", "w") as file:
        content = np.array(positions, dtype=object)
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(content))
        file.write(pickle_for_numpy_1(content))
    return Exported(buffer.getvalue(), n_blank=sum(n_without_person(clip) for clip in clips))
