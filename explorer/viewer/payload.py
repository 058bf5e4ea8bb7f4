"""The viewer's data: one clip and the 3D results of it as flat arrays, described by a dictionary that goes with them.

`payload_schema.json` names everything in it. Streamlit sends one-dimensional arrays inside a dictionary as Arrow columns,
without a copy on the other side; bytes inside a dictionary would silently become text.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
import torch
from jaxtyping import Float

from explorer.browser_video import BrowserVideo
from explorer.compare.candidates import Candidate
from explorer.compare.joint_errors import NO_TRUTH, Measure, colour_top, measures_of, smoothness, worst_moments
from explorer.compare.labels import JOINT_LABELS
from explorer.viewer import skinning
from explorer.viewer.payload_schema import PREFIXES, check_payload
from posenet3d.core.ground import ground_y
from posenet3d.core.lifted import Lifted
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONES, SIDES
from posenet3d.evaluation import metrics

HEAD_ROOM_M = 0.12
"""From the head joint to the edge of what the first view must show."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class ViewerPayload:
    """Everything that the viewer shows of a clip; checked against the schema when it is made.

    Attributes:
        meta: can be written as JSON.
        arrays: flat, by the names that `payload_schema` makes.
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        check_payload(self.meta, self.arrays)

    @property
    def id(self) -> str:
        """Equal for equal content."""
        return self.meta["id"]

    @property
    def is_licensed(self) -> bool:
        """Whether it holds the mesh of a body model with a licence of its own (an official SMPL body)."""
        return any(body["is_licensed"] for body in self.meta["bodies"])

    def with_video(self, video: BrowserVideo) -> "ViewerPayload":
        """Return the payload with a video to be shown behind the joints."""
        meta = {
            **self.meta,
            "id": f"{self.id} {hash(video.content)}",
            "video": {"size": list(video.original.size), "fps": video.fps},
        }
        return ViewerPayload(meta, {**self.arrays, "video": np.frombuffer(video.content, np.uint8)})

    def to_component(self) -> dict[str, Any]:
        """Return the dictionary that Streamlit sends to the viewer."""
        return {"meta": self.meta, **self.arrays}


def make_payload(sequence: PoseSequence, candidates: Sequence[Candidate]) -> ViewerPayload:
    """Make the viewer's data of one clip and one or two candidates.

    Raises:
        InputError: the body model of a candidate is missing.
    """
    results = [candidate.lifted for candidate in candidates]
    others = [results[1 - i] if len(results) == 2 else None for i in range(len(results))]
    measures = [measures_of(sequence, ours, theirs) for ours, theirs in zip(results, others, strict=True)]
    tops = {m.key: colour_top(np.concatenate([own[i].values for own in measures])) for i, m in enumerate(measures[0])}
    arrays: Arrays = {"input_px": sequence.keypoints_px, "confidence": sequence.confidence}
    if sequence.joints_3d is not None:
        arrays["truth"] = sequence.joints_3d
    described, bodies = [], _Bodies()
    for prefix, candidate, own_measures in zip(PREFIXES, candidates, measures, strict=False):
        fields, own_arrays = _describe_candidate(sequence, candidate, own_measures, tops, bodies)
        described.append({"prefix": prefix, **fields})
        arrays |= {f"{prefix}_{name}": values for name, values in own_arrays.items()}
    if len(results) == 2:
        aligned = metrics.procrustes_aligned(results[1].joints_3d, results[0].joints_3d)
        arrays["b_onto_a"] = similarities(results[1].joints_3d, aligned)
    curve = smoothness(sequence, results[0])
    arrays["curve_reference"] = curve.reference
    arrays |= bodies.arrays
    flat = {name: np.ascontiguousarray(_as_float32(values)).ravel() for name, values in arrays.items()}
    meta = {
        "id": _digest(sequence.name, flat),
        "name": sequence.name,
        "subtitle": f"{len(sequence)} frames · {sequence.fps:g} fps",
        "frames": len(sequence),
        "fps": float(sequence.fps),
        "joints": JOINT_LABELS,
        "sides": list(SIDES),
        "bones": [list(bone) for bone in BONES],
        "sentence": "" if sequence.joints_3d is not None else NO_TRUTH,
        "candidates": described,
        "bodies": bodies.meta,
        "curve": {"title": curve.title, "unit": curve.unit, "reference": curve.reference_label},
        **_describe_camera(sequence),
    }
    return ViewerPayload(meta, flat)


def similarities(points: Float[np.ndarray, "frames 17 3"], placed: Float[np.ndarray, "frames 17 3"]) -> np.ndarray:
    """Return the similarity that moves each frame's `points` onto `placed`; NaN where a joint is unknown.

    Returns:
        (frames, 8): scale, quaternion (x y z w) and shift, with ``placed = scale * R @ point + shift``.
    """
    known = np.isfinite(points + placed).all((1, 2))
    result = np.full((len(points), 8), np.nan)
    if known.any():
        x, y = (torch.from_numpy(p[known].astype(np.float64)) for p in (points, placed))
        R, shift, scale = roma.rigid_points_registration(x, y, compute_scaling=True)
        result[known] = torch.cat([scale[:, None], roma.rotmat_to_unitquat(R), shift], 1).numpy()
    return result


class _Bodies:
    """The body models in use; each is sent once, even if both candidates use it."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.meta: list[dict[str, Any]] = []
        self.arrays: Arrays = {}

    def add(self, lifted: Lifted) -> tuple[int | None, Arrays]:
        """Return the number of the body model (None for a skeleton), and the arrays of this person."""
        if lifted.body is None or not np.isfinite(lifted.body.transl).any():
            return None, {}
        body, own = skinning.motion_arrays(lifted)
        if body.name not in self.names:
            skin = skinning.skin_arrays(body)
            self.arrays |= {f"body{len(self.names)}_{name}": values for name, values in skin.arrays.items()}
            self.names.append(body.name)
            self.meta.append(skin.meta)
        return self.names.index(body.name), own


def _describe_candidate(
    sequence: PoseSequence,
    candidate: Candidate,
    measures: Sequence[Measure],
    tops: Mapping[str, float],
    bodies: _Bodies,
) -> tuple[dict[str, Any], Arrays]:
    """Return the candidate's fields of `meta` and its arrays."""
    lifted = candidate.lifted
    ground = ground_y(lifted.joints_3d, sequence.fps)
    number, body = bodies.add(lifted)
    arrays = {
        "pose": lifted.joints_3d,
        "ground": ground,
        "curve": smoothness(sequence, lifted).lifted,
        **{f"heat_{m.key}": m.values for m in measures},
        **body,
    }
    if lifted.is_bridged is not None and lifted.is_bridged.any():  # drawn pale
        arrays["bridged"] = lifted.is_bridged.astype(np.uint8)
    if sequence.joints_3d is not None:
        placed = {m.key: m.truth for m in measures if m.truth is not None}
        arrays |= {f"truth_{key}": similarities(sequence.joints_3d, points) for key, points in placed.items()}
    fields = {
        "label": candidate.label,
        "body": number,
        "measures": [_describe_measure(m, sequence.fps, tops[m.key]) for m in measures],
        **_describe_extent(lifted.joints_3d, ground),
    }
    return fields, arrays


def _as_float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _describe_measure(measure: Measure, fps: float, top: float) -> dict[str, Any]:
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


def _describe_camera(sequence: PoseSequence) -> dict[str, Any]:
    """Return the camera, the image, and the part of it in which the person moves (left, top, right, bottom), in pixels."""
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


def _describe_extent(joints_3d: np.ndarray, ground: np.ndarray) -> dict[str, Any]:
    """Return the room that the first view needs (metres) and the middle of the path."""
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


def _digest(name: str, arrays: Arrays) -> str:
    digest = hashlib.sha256(name.encode())
    for values in arrays.values():
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]
