"""Binary glTF 2.0: the body's skin on its 24-joint skeleton, with the clip as its animation.

The file is a JSON text that describes typed slices ("accessors") of one block of bytes. The names below are those of the
Khronos glTF 2.0 specification.
"""

import json
import struct
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from posenet3d import __version__
from posenet3d.body.layer import BODY_PARENTS, N_BODY_JOINTS, Body
from posenet3d.body.motion import JOINT_LABELS, BodyMotion, body_motion, is_licensed
from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported

_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_COMPONENT = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}
_TYPE = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
_BODY_NODE = N_BODY_JOINTS  # nodes 0 to 23 are the joints, node 24 is the skinned mesh
_SKIN_COLOR = (0.6, 0.6, 0.65)  # linear; for bodies without vertex colours


def glb_file(lifted: Lifted, axes: str = "y_up", body: Body | None = None) -> Exported:
    """Return a clip as a skinned, animated mesh; metres, y up as glTF requires.

    The mesh has this person's shape in the rest pose and vertex colours. A key per frame holds each joint's rotation
    (quaternion) and the root's translation. Linear blend skinning only: the pose correctives of an official SMPL body,
    which bulge the skin at bent joints and move no joint, are left out. Frames without a person repeat the last pose
    (an animation has no missing values) and are counted.

    Args:
        lifted: a clip with a body.
        axes: by default y up, which the format requires.
        body: as for `body_motion`.

    Raises:
        InputError: as `body_motion`.
    """
    motion = body_motion(lifted, axes, body)
    blob = _Blob()
    mesh = _mesh(blob, motion)
    bind = blob.add(_inverse_bind_matrices(motion.rest))
    skin = {"name": "skeleton", "joints": list(range(N_BODY_JOINTS)), "skeleton": 0, "inverseBindMatrices": bind}
    animation = _animation(blob, motion, lifted.fps)
    licensed = is_licensed(motion.body)
    extras = {"body_model": motion.body.name, "held_frames": np.flatnonzero(~motion.is_known).tolist()}
    if licensed:
        extras["licence"] = "the mesh is of an SMPL body: its licence applies"
    scene = {
        "asset": {"version": "2.0", "generator": f"posenet3d {__version__}", "extras": extras},
        "scene": 0,
        "scenes": [{"nodes": [0, _BODY_NODE]}],
        "nodes": _nodes(motion.rest),
        "meshes": [mesh],
        "materials": [{"name": "skin", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.8}}],
        "skins": [skin],
        "animations": [{"name": lifted.name, **animation}],
        "accessors": blob.accessors,
        "bufferViews": blob.views,
        "buffers": [{"byteLength": len(blob.content)}],
    }
    return Exported(_container(scene, bytes(blob.content)), n_held=motion.n_held, is_licensed=licensed)


class _Blob:
    """The growing block of bytes with the accessors into it."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: np.ndarray, target: int | None = None, **more: Any) -> int:
        """Append an array (count, ...) and return the number of its accessor."""
        values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        view = {"buffer": 0, "byteOffset": len(self.content), "byteLength": values.nbytes}
        self.views.append(view if target is None else {**view, "target": target})
        self.content += values.tobytes()
        self.content += bytes(-len(self.content) % 4)  # every slice starts at a multiple of four bytes
        self.accessors.append(
            {
                "bufferView": len(self.views) - 1,
                "componentType": _COMPONENT[values.dtype.str[1:]],
                "count": len(values),
                "type": _TYPE[values.shape[1:]],
                **more,
            }
        )
        return len(self.accessors) - 1


def _nodes(rest: np.ndarray) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for joint, parent in enumerate(BODY_PARENTS):
        step = rest[joint] if parent < 0 else rest[joint] - rest[parent]
        nodes.append({"name": JOINT_LABELS[joint], "translation": step.tolist()})
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(joint)
    nodes.append({"name": "body", "mesh": 0, "skin": 0})
    return nodes


def _mesh(blob: _Blob, motion: BodyMotion) -> dict[str, Any]:
    """Add the skin in the rest pose with its weights on the joints."""
    arrays = motion.body.arrays
    betas = torch.from_numpy(motion.betas[None]).to(motion.body.template)
    vertices = motion.body.rest_vertices(betas)[0].numpy().astype(np.float32)
    bounds = {"min": vertices.min(0).tolist(), "max": vertices.max(0).tolist()}
    attributes = {
        "POSITION": blob.add(vertices, _ARRAY_BUFFER, **bounds),
        "NORMAL": blob.add(_normals(vertices, arrays.faces), _ARRAY_BUFFER),
        "COLOR_0": blob.add(_linear_colors(arrays.colors, len(vertices)), _ARRAY_BUFFER, normalized=True),
    }
    for number, (joints, weights) in enumerate(_influences(arrays.weights)):
        attributes[f"JOINTS_{number}"] = blob.add(joints, _ARRAY_BUFFER)
        attributes[f"WEIGHTS_{number}"] = blob.add(weights, _ARRAY_BUFFER)
    indices = blob.add(arrays.faces.astype(np.uint32).reshape(-1), _ELEMENT_ARRAY_BUFFER)
    return {"name": "body", "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}


def _normals(vertices: Float[np.ndarray, "vertices 3"], faces: Int[np.ndarray, "faces 3"]) -> np.ndarray:
    """Return smooth unit normals (vertices, 3); without them viewers shade every triangle flat."""
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    normals = np.zeros(vertices.shape)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], np.cross(b - a, c - a))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-30), [0.0, 1.0, 0.0]).astype(np.float32)


def _linear_colors(colors: np.ndarray | None, count: int) -> np.ndarray:
    """Return RGBA in 16 bits, linear as glTF requires; the colours of the body's file are sRGB."""
    linear = np.tile(_SKIN_COLOR, (count, 1))
    if colors is not None:
        share = colors[:, :3] / 255.0
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.concatenate([linear * 65535, np.full((count, 1), 65535)], axis=1).round().astype(np.uint16)


def _influences(weights: Float[np.ndarray, "vertices 24"]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return joints and weights of each vertex, the largest first, in as many sets of four as the body needs."""
    order = np.argsort(-weights, axis=1, kind="stable")
    values = np.take_along_axis(weights, order, axis=1)
    n_sets = -(-int((weights > 0).sum(1).max()) // 4)
    used = values[:, : 4 * n_sets] / values[:, : 4 * n_sets].sum(1, keepdims=True)
    joints = np.where(used > 0, order[:, : 4 * n_sets], 0)  # the specification requires joint 0 where the weight is 0
    return [
        (joints[:, first : first + 4].astype(np.uint8), used[:, first : first + 4].astype(np.float32))
        for first in range(0, 4 * n_sets, 4)
    ]


def _inverse_bind_matrices(rest: Float[np.ndarray, "24 3"]) -> np.ndarray:
    """Return inverse bind matrices (24, 4, 4) in column-major order as in glTF; the rest pose has no rotations."""
    matrices = np.tile(np.eye(4, dtype=np.float32), (N_BODY_JOINTS, 1, 1))
    matrices[:, 3, :3] = -rest
    return matrices


def _animation(blob: _Blob, motion: BodyMotion, fps: float) -> dict[str, Any]:
    """Add one key per frame for every joint's rotation and the root's translation."""
    frames = len(motion.transl)
    time = (np.arange(frames) / fps).astype(np.float32)
    times = blob.add(time, min=[float(time[0])], max=[float(time[-1])])
    quaternions = motion.rotations.as_quat().reshape(frames, N_BODY_JOINTS, 4)  # x y z w, as in glTF
    # q and -q are one rotation: keep the sign of the frame before, or interpolation takes the long way round.
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(-1) < 0, -1.0, 1.0)
    quaternions[1:] *= np.cumprod(flips, axis=0)[..., None]
    tracks = [("translation", 0, motion.pelvis)]
    tracks += [("rotation", joint, quaternions[:, joint]) for joint in range(N_BODY_JOINTS)]
    outputs = [blob.add(values.astype(np.float32)) for _, _, values in tracks]
    return {
        "samplers": [{"input": times, "output": output, "interpolation": "LINEAR"} for output in outputs],
        "channels": [
            {"sampler": number, "target": {"node": node, "path": path}} for number, (path, node, _) in enumerate(tracks)
        ],
    }


def _container(scene: dict[str, Any], content: bytes) -> bytes:
    """Return the GLB: a header of 12 bytes, then two chunks of length, type and content, padded to four bytes."""
    text = json.dumps(scene, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    size = 12 + 8 + len(text) + 8 + len(content)
    header = struct.pack("<4sII", b"glTF", 2, size)
    return (
        header + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(content), b"BIN\0") + content
    )
