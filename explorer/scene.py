"""A clip and its lifted joints as the viewer wants them: flat float32 arrays beside a dictionary of words.

The keys are read by `viewer/src/clip.js`. Streamlit sends one-dimensional arrays inside a dictionary as Arrow columns,
without a copy on the other side; bytes inside a dictionary would silently become text.
"""

import hashlib
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from explorer.measures import NO_TRUTH, Measure, colour_top, measures_of, smoothness, worst_moments
from posenet3d.camera import project
from posenet3d.lifted import Lifted
from posenet3d.sequence import PoseSequence
from posenet3d.skeleton import BONES, JOINT, JOINT_NAMES, SIDES

ANKLE_HEIGHT_M = 0.08
"""From the floor to the ankle joint of a standing adult."""

GROUND_WINDOW_S = 2.0
"""The floor is where the lower foot was within this time: longer than a jump, shorter than a walk into the distance."""

HEAD_ROOM_M = 0.12
"""From the head joint to the edge of what the first view must show."""


def payload(sequence: PoseSequence, lifted: Lifted) -> dict[str, Any]:
    """Everything that the viewer shows of one clip: `meta` (JSON) and flat float32 arrays."""
    measures = measures_of(sequence, lifted)
    curve = smoothness(sequence, lifted)
    ground = ground_y(lifted.joints_3d, sequence.fps)
    arrays = {
        "pose": lifted.joints_3d,
        "input_px": sequence.keypoints_px,
        "confidence": sequence.confidence,
        "reprojected_px": project(lifted.joints_3d.astype(np.float64), sequence.intrinsics()),
        "ground": ground,
        "curve_lifted": curve.lifted,
        "curve_reference": curve.reference,
        **{f"heat_{m.key}": m.values for m in measures},
        **{f"truth_{m.key}": m.truth for m in measures if m.truth is not None},
    }
    flat = {name: np.ascontiguousarray(values, np.float32).ravel() for name, values in arrays.items()}
    meta = {
        "id": _digest(sequence.name, flat),
        "name": sequence.name,
        "subtitle": f"{len(sequence)} frames · {sequence.fps:g} fps",
        "frames": len(sequence),
        "fps": float(sequence.fps),
        "joints": [joint_label(name) for name in JOINT_NAMES],
        "sides": list(SIDES),
        "bones": [list(bone) for bone in BONES],
        "has_truth": sequence.joints_3d is not None,
        "sentence": "" if sequence.joints_3d is not None else NO_TRUTH,
        "measures": [_described(m, sequence.fps) for m in measures],
        "curve": {"title": curve.title, "unit": curve.unit, "lifted": "lifted", "reference": curve.reference_label},
        **_image_frame(sequence),
        **_extent(lifted.joints_3d, ground),
    }
    return {"meta": meta, **flat}


def joint_label(name: str) -> str:
    """A joint's name for people: 'r_hip' is 'right hip'."""
    side = {"r": "right ", "l": "left "}[name[0]] if name[1] == "_" else ""
    return side + name[2 * bool(side) :].replace("neck_nose", "neck/nose").replace("_", " ")


def ground_y(joints_3d: np.ndarray, fps: float) -> np.ndarray:
    """Height of the floor (y down, metres) in each frame, from the lower foot around it.

    A camera that looks down sees the floor rise with distance, so one height for the whole clip would let a person who
    walks away float or sink.
    """
    lowest = joints_3d[:, [JOINT["l_ankle"], JOINT["r_ankle"]], 1].max(1).astype(np.float64)
    known = np.flatnonzero(np.isfinite(lowest))
    if known.size == 0:
        return np.zeros(len(lowest))
    filled = np.interp(np.arange(len(lowest)), known, lowest[known])
    window = max(1, round(GROUND_WINDOW_S * fps))
    return gaussian_filter1d(maximum_filter1d(filled, window), window / 4, mode="nearest") + ANKLE_HEIGHT_M


def _described(measure: Measure, fps: float) -> dict[str, Any]:
    return {
        "key": measure.key,
        "label": measure.label,
        "unit": measure.unit,
        "digits": measure.digits,
        "note": measure.note,
        "top": colour_top(measure.values),
        "worst": worst_moments(measure.values, fps),
        "truth": f"truth_{measure.key}" if measure.truth is not None else "",
    }


def _image_frame(sequence: PoseSequence) -> dict[str, Any]:
    """The image and the part of it where the person moves, as left, top, right, bottom in pixels."""
    seen = sequence.keypoints_px[sequence.is_observed].astype(float)
    if len(seen) == 0:
        seen = np.array([[0.0, 0.0], [100.0, 100.0]])
    low, high = np.percentile(seen, [0.3, 99.7], axis=0)  # a few wild detections must not shrink the person
    crop = [*low, *np.maximum(high, low + 1)]
    known = sequence.image_size is not None
    return {
        "has_image_size": known,
        "image": [0.0, 0.0, *map(float, sequence.image_size)] if sequence.image_size else crop,
        "crop": [float(value) for value in crop],
    }


def _extent(joints_3d: np.ndarray, ground: np.ndarray) -> dict[str, Any]:
    """How much room the first view needs (metres) and the middle of the path."""
    known = np.isfinite(joints_3d).all((1, 2))
    if not known.any():
        return {"size": {"height": 1.8, "width": 1.0, "travel": 0.0}, "centre": [0.0, 0.0, 0.0]}
    joints, floor = joints_3d[known].astype(np.float64), ground[known]
    pelvis = joints[:, 0]
    reach = np.abs(joints - pelvis[:, None])[..., [0, 2]].max((1, 2))
    size = {
        "height": float(np.percentile(floor - joints[..., 1].min(1), 98)) + HEAD_ROOM_M,
        "width": 2 * float(np.percentile(reach, 98)),
        "travel": float(np.ptp(pelvis[:, [0, 2]], axis=0).max()),
    }
    middle = (pelvis.min(0) + pelvis.max(0)) / 2
    return {"size": size, "centre": [float(middle[0]), float(np.median(floor)), float(middle[2])]}


def _digest(name: str, arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(name.encode())
    for values in arrays.values():
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]
