"""CSV: one row per frame and joint, for spreadsheets and statistics programs."""

import csv
import io

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT_NAMES
from posenet3d.exports.motion import Exported, n_without_person, turned_joints

HEADER = ("frame", "time_s", "joint", "x", "y", "z")


def csv_table(lifted: Lifted, axes: str = "camera") -> Exported:
    """The 17 joints of a clip, metres, by default in the camera's frame as in the lifted file.

    Frames are numbered from 0: the row of `joints_3d`. x, y and z of a joint that is not known are empty.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for frame, joints in enumerate(turned_joints(lifted, axes)):
        time = f"{frame / lifted.fps:.6f}"
        for name, place in zip(JOINT_NAMES, joints, strict=True):
            table.writerow([frame, time, name, *(f"{v:.6f}" if np.isfinite(v) else "" for v in place)])
    return Exported(text.getvalue().encode(), n_blank=n_without_person(lifted))
