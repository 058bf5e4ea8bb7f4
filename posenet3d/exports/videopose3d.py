"""Npz in the layout of VideoPose3D and its successors: a dictionary of subjects and actions in ``positions_3d``."""

import io
import zipfile
from collections.abc import Sequence

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported
from posenet3d.exports.joints import n_without_person, rotated_joints
from posenet3d.exports.old_pickle import pickle_for_numpy_1

ONE_SUBJECT = "subject"


def videopose3d_npz(clips: Sequence[Lifted], axes: str = "camera") -> Exported:
    """Return all clips, (frames, 17, 3) each, metres, NaN in frames without a person.

    ``positions_3d[subject][action]``: the first word of a clip's name is the subject, the rest is the action, as in 'S9
    Walking 1 camera 0' of Human3.6M. A name of one word is an action of `ONE_SUBJECT`. Load it as VideoPose3D's own files:
    ``np.load(file, allow_pickle=True)['positions_3d'].item()``. The joints are Human3.6M's 17 in VideoPose3D's order.

    Args:
        clips: lifted clips; a number is added to a name that occurs twice.
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
        actions[name] = rotated_joints(clip, axes).astype(np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("positions_3d.npy", "w") as file:
        content = np.array(positions, dtype=object)
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(content))
        file.write(pickle_for_numpy_1(content))
    return Exported(buffer.getvalue(), n_blank=sum(n_without_person(clip) for clip in clips))
