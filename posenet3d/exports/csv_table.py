"""CSV: one row per frame and joint, for spreadsheets and statistics programs."""

import csv
import io

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.exports.formats import Exported
from posenet3d.exports.joints import n_without_person, rotated_joints

HEADER = ("frame", "time_s", "joint", "x", "y", "z")


def csv_table(lifted: Lifted, axes: str = "camera") -> Exported:
    """Return the 17 joints of a clip, metres, by default in the camera's frame as in the lifted file.

    Frames are numbered from 0, as the rows of `joints_3d`. The x, y and z of unknown joints are empty.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for frame, joints in enumerate(rotated_joints(lifted, axes)):
        time = f"{frame / lifted.fps:.6f}"
        for name, position in zip(JOINT_NAMES, joints, strict=True):
            table.writerow([frame, time, name, *(f"{v:.6f}" if np.isfinite(v) else "" for v in position)])
    return Exported(text.getvalue().encode(), n_blank=n_without_person(lifted))
