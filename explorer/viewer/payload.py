"""A clip and the 3D answers to it as the viewer wants them: flat arrays beside a dictionary of words.

The keys are read by `viewer/src/clip.js`. Streamlit sends one-dimensional arrays inside a dictionary as Arrow columns,
without a copy on the other side; bytes inside a dictionary would silently become text.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float

from explorer.compare.candidates import Actor
from explorer.compare.joint_errors import NO_TRUTH, Measure, colour_top, measures_of, smoothness, worst_moments
from explorer.viewer import skinning
from posenet3d.core.ground import ground_y
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONES, JOINT_NAMES, SIDES
from posenet3d.evaluation import metrics

HEAD_ROOM_M = 0.12
"""From the head joint to the edge of what the first view must show."""

PREFIXES = ("a", "b")
"""Of the arrays of the first and the second actor."""

Arrays = dict[str, np.ndarray]


def payload(sequence: PoseSequence, actors: Sequence[Actor]) -> dict[str, Any]:
    """Everything that the viewer shows of one clip and one or two actors: `meta` (JSON) and flat arrays.

    Raises:
        InputError: an actor's body is not here.
    """
    liftings = [actor.lifted for actor in actors]
    others = [liftings[1 - i] if len(liftings) == 2 else None for i in range(len(liftings))]
    measures = [measures_of(sequence, ours, theirs) for ours, theirs in zip(liftings, others, strict=True)]
    tops = {m.key: colour_top(np.concatenate([mine[i].values for mine in measures])) for i, m in enumerate(measures[0])}
    arrays: Arrays = {"input_px": sequence.keypoints_px, "confidence": sequence.confidence}
    if sequence.joints_3d is not None:
        arrays["truth"] = sequence.joints_3d
    described, bodies = [], _Bodies()
    for prefix, actor, mine in zip(PREFIXES, actors, measures, strict=False):
        words, own = _actor(sequence, actor, mine, tops, bodies)
        described.append({"prefix": prefix, **words})
        arrays |= {f"{prefix}_{name}": values for name, values in own.items()}
    if len(liftings) == 2:
        arrays["b_onto_a"] = similarities(liftings[1].joints_3d, _onto(liftings[1], liftings[0]))
    curve = smoothness(sequence, liftings[0])
    arrays["curve_reference"] = curve.reference
    arrays |= bodies.arrays
    flat = {name: np.ascontiguousarray(_lean(values)).ravel() for name, values in arrays.items()}
    meta = {
        "id": _digest(sequence.name, flat),
        "name": sequence.name,
        "subtitle": f"{len(sequence)} frames · {sequence.fps:g} fps",
        "frames": len(sequence),
        "fps": float(sequence.fps),
        "joints": [joint_label(name) for name in JOINT_NAMES],
        "sides": list(SIDES),
        "bones": [list(bone) for bone in BONES],
        "sentence": "" if sequence.joints_3d is not None else NO_TRUTH,
        "actors": described,
        "bodies": bodies.meta,
        "curve": {"title": curve.title, "unit": curve.unit, "reference": curve.reference_label},
        **_camera(sequence),
    }
    return {"meta": meta, **flat}


def joint_label(name: str) -> str:
    """A joint's name for people: 'r_hip' is 'right hip'."""
    side = {"r": "right ", "l": "left "}[name[0]] if name[1] == "_" else ""
    return side + name[2 * bool(side) :].replace("neck_nose", "neck/nose").replace("_", " ")


def similarities(points: Float[np.ndarray, "frames 17 3"], placed: Float[np.ndarray, "frames 17 3"]) -> np.ndarray:
    """The similarity that turns each frame's `points` into `placed`: scale, quaternion (x y z w), shift; NaN where unknown.

    Returns:
        (frames, 8) with ``placed = scale * R @ point + shift``.
    """
    known = np.isfinite(points + placed).all((1, 2))
    result = np.full((len(points), 8), np.nan)
    if known.any():
        x, y = (torch.from_numpy(p[known].astype(np.float64)) for p in (points, placed))
        R, shift, scale = roma.rigid_points_registration(x, y, compute_scaling=True)
        result[known] = torch.cat([scale[:, None], roma.rotmat_to_unitquat(R), shift], 1).numpy()
    return result


class _Bodies:
    """The body models in use, each sent once, whoever wears them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.meta: list[dict[str, Any]] = []
        self.arrays: Arrays = {}

    def add(self, lifted: Lifted) -> tuple[int | None, Arrays]:
        """Number of the body model (None for a skeleton), and the person's own arrays."""
        if lifted.body is None or not np.isfinite(lifted.body.transl).any():
            return None, {}
        body, own = skinning.motion_arrays(lifted)
        if body.name not in self.names:
            shared = skinning.shared_skin(body)
            self.arrays |= {f"body{len(self.names)}_{name}": values for name, values in shared.arrays.items()}
            self.names.append(body.name)
            self.meta.append(shared.meta)
        return self.names.index(body.name), own


def _actor(
    sequence: PoseSequence, actor: Actor, measures: Sequence[Measure], tops: dict[str, float], bodies: _Bodies
) -> tuple[dict[str, Any], Arrays]:
    lifted = actor.lifted
    ground = ground_y(lifted.joints_3d, sequence.fps)
    number, body = bodies.add(lifted)
    arrays = {
        "pose": lifted.joints_3d,
        "ground": ground,
        "curve": smoothness(sequence, lifted).lifted,
        **{f"heat_{m.key}": m.values for m in measures},
        **body,
    }
    if sequence.joints_3d is not None:
        placed = {m.key: m.truth for m in measures if m.truth is not None}
        arrays |= {f"truth_{key}": similarities(sequence.joints_3d, points) for key, points in placed.items()}
    words = {
        "label": actor.label,
        "body": number,
        "measures": [_described(m, sequence.fps, tops[m.key]) for m in measures],
        **_extent(lifted.joints_3d, ground),
    }
    return words, arrays


def _onto(lifted: Lifted, other: Lifted) -> np.ndarray:
    return metrics.procrustes_aligned(lifted.joints_3d, other.joints_3d)


def _lean(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _described(measure: Measure, fps: float, top: float) -> dict[str, Any]:
    return {
        "key": measure.key,
        "label": measure.label,
        "unit": measure.unit,
        "digits": measure.digits,
        "note": measure.note,
        "top": top,
        "worst": worst_moments(measure.values, fps),
        "has_truth": measure.truth is not None,
    }


def _camera(sequence: PoseSequence) -> dict[str, Any]:
    """The camera, the image, and the part of it where the person moves (left, top, right, bottom), in pixels."""
    K = sequence.intrinsics()
    seen = sequence.keypoints_px[sequence.is_observed].astype(float)
    if len(seen) == 0:
        seen = np.array([[0.0, 0.0], [100.0, 100.0]])
    low, high = np.percentile(seen, [0.3, 99.7], axis=0)  # a few wild detections must not shrink the person
    crop = [float(value) for value in (*low, *np.maximum(high, low + 1))]
    known = sequence.image_size is not None
    return {
        "camera": {"fx": float(K[0, 0]), "fy": float(K[1, 1]), "cx": float(K[0, 2]), "cy": float(K[1, 2])},
        "has_image_size": known,
        "image": [0.0, 0.0, *map(float, sequence.image_size)] if sequence.image_size else crop,
        "crop": crop,
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
