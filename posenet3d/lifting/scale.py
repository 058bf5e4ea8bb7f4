"""The size of a person in the image and in space, and the frames in which there is one."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from torch import Tensor

from posenet3d.core.normalise import apparent_size
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.models.teacher import TeacherConfig

_CHAIN_OF_HEIGHT = 0.94  # ankle to head top, of the stature: the foot below the ankle is not in the chain
_MIN_JOINTS = 6  # a frame with fewer joints seen says too little by itself
_NEAR_S = 0.4  # a bone seen within this time counts for the scale
_BRIDGED_S = 0.8  # longest gap between two seen frames that is bridged
_SMOOTHING_S = 0.5  # a person's distance changes within a stride, not within a frame
_CHAIN = {
    ("pelvis", "spine"): 0.148, ("spine", "thorax"): 0.157, ("thorax", "neck_nose"): 0.074, ("neck_nose", "head_top"): 0.071,
    ("r_hip", "r_knee"): 0.272, ("r_knee", "r_ankle"): 0.278, ("l_hip", "l_knee"): 0.272, ("l_knee", "l_ankle"): 0.278,
}  # fmt: skip
"""Bones that determine the scale, as shares of the chain from ankle to head top in a Human3.6M adult."""


def has_person(sequence: PoseSequence) -> Bool[np.ndarray, " frames"]:
    """Return the frames in which the person was seen, with at least six joints."""
    return sequence.is_observed.sum(1) >= _MIN_JOINTS


def is_bridged(sequence: PoseSequence) -> Bool[np.ndarray, " frames"]:
    """Return the frames in gaps of at most 0.8 s between two seen frames; nothing before the first and after the last."""
    seen = has_person(sequence)
    rows = np.flatnonzero(seen)
    bridged = np.zeros(len(seen), bool)
    for gap in np.flatnonzero(np.diff(rows) > 1):
        before, after = rows[gap], rows[gap + 1]
        bridged[before + 1 : after] = after - before - 1 <= _BRIDGED_S * sequence.fps
    return bridged


def zoom_to_usual_size(
    rays: Float[Tensor, "frames 17 2"], fps: float, config: TeacherConfig
) -> Float[Tensor, " frames"]:
    """Return the factor that enlarges the person to an apparent size known from training; 1 for usual sizes.

    As seen through a longer lens: relative to the distance, depth is smaller by the same factor.
    """
    size = np.exp(gaussian_filter1d(np.log(apparent_size(rays).numpy()), _SMOOTHING_S * fps, mode="nearest"))
    low, high = (config.unit * s for s in config.sizes)
    return torch.from_numpy((size.clip(low, high) / size).astype(np.float32))


def pelvis_distance(
    points: Float[np.ndarray, "frames 17 3"], sequence: PoseSequence, height_m: float
) -> Float[np.ndarray, " frames"]:
    """Return the metres per root distance of each frame: the distance at which the person is `height_m` tall.

    Only bones seen at about that time count: a leg that the network filled in for a person behind a desk has no size.
    """
    near = maximum_filter1d(sequence.is_observed, 2 * round(_NEAR_S * sequence.fps) + 1, axis=0)
    parents, children = (np.array([JOINT[bone[end]] for bone in _CHAIN]) for end in (0, 1))
    weight = np.array([0.5 if parent[1] == "_" else 1.0 for parent, _ in _CHAIN])  # two legs carry one trunk
    seen = near[:, parents] & near[:, children]
    seen[~seen.any(1)] = True
    length = np.linalg.norm(points[:, children] - points[:, parents], axis=-1)
    share = (seen * weight * np.array(list(_CHAIN.values()))).sum(1)
    chain = np.maximum((seen * weight * length).sum(1), 1e-6)
    distance = np.log(_CHAIN_OF_HEIGHT * height_m * share / chain)
    return np.exp(gaussian_filter1d(distance, _SMOOTHING_S * sequence.fps, mode="nearest"))
