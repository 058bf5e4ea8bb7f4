"""Npz as VideoPose3D and its successors read 3D poses: a dictionary of subjects and actions in ``positions_3d``."""

import io
import pickle
import zipfile
from collections.abc import Sequence

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.exports.motion import AXES, Exported, for_old_numpy, n_without_person

ONE_SUBJECT = "subject"


def videopose3d_npz(clips: Sequence[Lifted], axes: str = "camera") -> Exported:
    """All clips of a file, (frames, 17, 3) each, metres, NaN where nobody was seen.

    ``positions_3d[subject][action]``: the first word of a clip's name is the subject and the rest the action, so that 'S9
    Walking 1 camera 0' of Human3.6M finds its place; a name of one word is an action of one subject. Load it as theirs:
    ``np.load(file, allow_pickle=True)['positions_3d'].item()``. The joints are Human3.6M's 17 in VideoPose3D's order.

    Args:
        clips: what was lifted; two clips of one name are told apart by a number.
        axes: by default the camera's, as VideoPose3D's networks give their poses.
    """
    positions: dict[str, dict[str, np.ndarray]] = {}
    for clip in clips:
        first, _, rest = clip.name.partition(" ")
        subject, action = (first, rest) if rest else (ONE_SUBJECT, first)
        actions = positions.setdefault(subject, {})
        name, count = action, 1
        while name in actions:
            count += 1
            name = f"{action} ({count})"
        actions[name] = (clip.joints_3d.astype(np.float64) @ AXES[axes].T).astype(np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("positions_3d.npy", "w") as file:
        content = np.array(positions, dtype=object)
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(content))
        file.write(for_old_numpy(pickle.dumps(content, protocol=2)))
    return Exported(buffer.getvalue(), n_blank=sum(n_without_person(clip) for clip in clips))
