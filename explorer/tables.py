"""Tables for the pages; pure functions, no streamlit."""

import numpy as np
import pandas as pd

from explorer.measures import measures_of
from explorer.scene import joint_label
from posenet3d.lifted import Lifted
from posenet3d.sequence import PoseSequence
from posenet3d.skeleton import JOINT_NAMES


def frame_table(sequence: PoseSequence, lifted: Lifted, frame: int) -> pd.DataFrame:
    """One row per joint: where it was seen, where it was lifted to, and every measure."""
    x, y, z = lifted.joints_3d[frame].astype(float).round(3).T
    u, v = sequence.keypoints_px[frame].astype(float).round(1).T
    columns = {
        "joint": [joint_label(name) for name in JOINT_NAMES],
        "x (m)": x,
        "y (m)": y,
        "z (m)": z,
        "u (px)": u,
        "v (px)": v,
        "confidence": sequence.confidence[frame].astype(float).round(2),
    }
    for measure in measures_of(sequence, lifted):
        columns[f"{measure.short} ({measure.unit})"] = np.round(measure.values[frame], 1)
    return pd.DataFrame(columns)
