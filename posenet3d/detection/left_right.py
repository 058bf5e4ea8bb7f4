"""Fix left and right sides that a detector has swapped.

Detectors swap sides often with high confidence; only the neighbouring frames show it. Legs and arms are treated separately. In
every frame a group of joints is either as detected or swapped. Wanted are the states under which the joints move most smoothly.
The cost of three consecutive frames is the length of their second difference, and a change of state costs `CHANGE_COST`. Dynamic
programming over the states of two frames finds the best path (Viterbi, 1967). Smoothness cannot tell which side is left: the
state of most frames is taken to be right.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT

GROUPS = {
    "legs": (("l_hip", "r_hip"), ("l_knee", "r_knee"), ("l_ankle", "r_ankle")),
    "arms": (("l_shoulder", "r_shoulder"), ("l_elbow", "r_elbow"), ("l_wrist", "r_wrist")),
}

CHANGE_COST = 0.25
"""Cost of a change of state, in sizes of the person: about one limb's jump across and back."""

MAX_SWAP_S = 1.5
"""Longer swaps are left alone: a person who turns round while the detector loses them looks like one."""

MAX_JUMP = 0.5
"""Maximum cost of a joint's second difference, in sizes of the person: a wild detection is not a swap."""


def find_swaps(sequence: PoseSequence) -> Bool[np.ndarray, "frames groups"]:
    """Mark the frames in which legs or arms seem to be swapped; columns as in `GROUPS`."""
    size = _person_size(sequence)
    swapped = np.zeros((len(sequence), len(GROUPS)), bool)
    if len(sequence) < 3 or not size > 0:
        return swapped
    for column, pairs in enumerate(GROUPS.values()):
        sides = np.stack([sequence.keypoints_px[:, [JOINT[a], JOINT[b]]] for a, b in pairs], 1) / size
        is_seen = np.isfinite(sides).any((1, 2, 3))
        states = _smoothest_states(_interpolate_gaps(sides.astype(np.float64)))
        swapped[:, column] = is_seen & _keep_short_runs(states, MAX_SWAP_S * sequence.fps)
    return swapped


def fix_left_right(sequence: PoseSequence) -> tuple[PoseSequence, int]:
    """Return the sequence with the swaps of `find_swaps` undone, and the number of frames that had one."""
    swapped = find_swaps(sequence)
    keypoints_px, confidence = sequence.keypoints_px.copy(), sequence.confidence.copy()
    for column, pairs in enumerate(GROUPS.values()):
        rows = swapped[:, column]
        for a, b in pairs:
            for one, other in ((JOINT[a], JOINT[b]), (JOINT[b], JOINT[a])):
                keypoints_px[rows, one] = sequence.keypoints_px[rows, other]
                confidence[rows, one] = sequence.confidence[rows, other]
    return replace(sequence, keypoints_px=keypoints_px, confidence=confidence), int(swapped.any(1).sum())


def _smoothest_states(sides: Float[np.ndarray, "frames pairs 2 2"]) -> Bool[np.ndarray, " frames"]:
    """Return True for the frames that the smoothest path swaps; most frames count as not swapped."""
    arranged = np.stack([sides, sides[:, :, ::-1]])  # state, frame, pair, side, xy
    frames = len(sides)
    # cost[a, b, c, t]: the frames t-2, t-1, t in the states a, b, c
    second = arranged[:, None, None, :-2] - 2 * arranged[None, :, None, 1:-1] + arranged[None, None, :, 2:]
    jump = np.minimum(np.linalg.norm(second, axis=-1), MAX_JUMP)
    cost = np.nan_to_num(jump).sum((-1, -2))
    changes = CHANGE_COST * (np.arange(2)[:, None] != np.arange(2))
    best = changes + 0.0  # of the states of the first two frames
    came_from = np.zeros((frames, 2, 2), int)
    for t in range(frames - 2):
        through = best[:, :, None] + cost[:, :, :, t] + changes[None]
        came_from[t + 2] = through.argmin(0)
        best = through.min(0)
    states = np.zeros(frames, int)
    states[-2:] = np.unravel_index(best.argmin(), (2, 2))
    for t in range(frames - 1, 1, -1):
        states[t - 2] = came_from[t, states[t - 1], states[t]]
    is_seen = np.isfinite(sides).all((1, 2, 3))
    swapped = states == 1
    return ~swapped if swapped[is_seen].mean() > 0.5 else swapped


def _interpolate_gaps(sides: Float[np.ndarray, "frames pairs 2 2"]) -> Float[np.ndarray, "frames pairs 2 2"]:
    """Interpolate gaps linearly, so that the path cannot change state for free inside a gap."""
    flat = sides.reshape(len(sides), -1).T
    frames = np.arange(len(sides))
    filled = [
        np.interp(frames, frames[known], line[known]) if (known := np.isfinite(line)).any() else line for line in flat
    ]
    return np.stack(filled, 1).reshape(sides.shape)


def _keep_short_runs(swapped: Bool[np.ndarray, " frames"], max_frames: float) -> Bool[np.ndarray, " frames"]:
    """Keep runs of up to `max_frames` frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], swapped, [0]])))
    kept = np.zeros(len(swapped), bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        kept[start:stop] = stop - start <= max_frames
    return kept


def _person_size(sequence: PoseSequence) -> float:
    """Return the person's size in pixels: the median diagonal of the joints' bounding box, over frames with 8 joints or more."""
    seen = sequence.keypoints_px[sequence.is_observed.sum(1) >= 8]
    if len(seen) == 0:
        return 0.0
    extent = np.nanmax(seen, 1) - np.nanmin(seen, 1)
    return float(np.median(np.linalg.norm(extent, axis=-1)))
