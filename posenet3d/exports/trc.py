"""TRC: marker trajectories as OpenSim reads them."""

import re

import numpy as np

from posenet3d.core.lifted import Lifted
from posenet3d.core.skeleton import JOINT_NAMES, N_JOINTS
from posenet3d.exports.formats import Exported
from posenet3d.exports.joints import n_without_person, rotated_joints


def trc_file(lifted: Lifted, axes: str = "y_up") -> Exported:
    """Return the 17 joints of a clip as markers, in millimetres; y up as OpenSim expects. For skeletons and bodies.

    Frames are numbered from 1 and time starts at 0, as usual in TRC. Unknown joints have empty cells, as
    missing markers do in TRC. If a last cell is empty, a tab follows the last cell of every row. Without it OpenSim 4.6 counts
    one column too few and refuses the file ("Expected = 53. Received = 52."). OpenSim, spreadsheets and our reader accept the
    tab; the text NaN would disturb a spreadsheet.
    """
    # A tab or a line break in the name would break the header.
    name = re.sub(r"[^\w.-]+", "_", lifted.name, flags=re.ASCII) or "clip"
    count, rate = len(lifted), f"{lifted.fps:.10g}"
    labels = "\t".join(f"{joint}\t\t" for joint in JOINT_NAMES)
    header = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}.trc",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{count}\t{N_JOINTS}\tmm\t{rate}\t1\t{count}",
        f"Frame#\tTime\t{labels}",
        "\t\t" + "\t".join(f"{axis}{marker + 1}" for marker in range(N_JOINTS) for axis in "XYZ"),
        "",
    ]
    joints_mm = 1000 * rotated_joints(lifted, axes)
    end = "" if np.isfinite(joints_mm[:, -1]).all() else "\t"
    rows = [
        "\t".join([str(frame + 1), f"{frame / lifted.fps:.6f}", *(_cell(value) for value in values)]) + end
        for frame, values in enumerate(joints_mm.reshape(count, -1))
    ]
    return Exported("\n".join([*header, *rows, ""]).encode(), n_blank=n_without_person(lifted))


def _cell(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""
