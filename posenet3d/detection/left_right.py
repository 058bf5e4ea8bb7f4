"""Left taken for right: a failure of detectors, often with high confidence, that only the neighbouring frames give away.

Legs and arms are looked at apart. In every frame a group is as it was written or swapped; wanted are the states under which
the joints fly most smoothly. The cost of three frames is the length of their second difference, a change of state costs
`CHANGE`, and the best path is found by dynamic programming over the states of two frames (Viterbi, 1967). Which of the two
sides is left cannot be told from smoothness: the state that most frames have is taken to be right.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT

GROUPS = {
    "legs": (("l_hip", "r_hip"), ("l_knee", "r_knee"), ("l_ankle", "r_ankle")),
    "arms": (("l_shoulder", "r_shoulder"), ("l_elbow", "r_elbow"), ("l_wrist", "r_wrist")),
}

CHANGE = 0.25
"""Cost of a change of state, in sizes of the person: about one limb's jump across and back."""

MAX_S = 1.5
"""A longer run is left alone: who turns round looks like one, if the detector loses them meanwhile."""

MAX_JUMP = 0.5
"""No joint's second difference costs more, in sizes of the person: a wild detection is not a swap."""


def find_swaps(sequence: PoseSequence) -> Bool[np.ndarray, "frames groups"]:
    """Where legs and arms seem to be swapped; columns as `GROUPS`."""
    size = _size(sequence)
    found = np.zeros((len(sequence), len(GROUPS)), bool)
    if len(sequence) < 3 or not size > 0:
        return found
    for column, pairs in enumerate(GROUPS.values()):
        sides = np.stack([sequence.keypoints_px[:, [JOINT[a], JOINT[b]]] for a, b in pairs], 1) / size
        seen = np.isfinite(sides).any((1, 2, 3))
        found[:, column] = seen & _short(_smoothest(_bridged(sides.astype(np.float64))), MAX_S * sequence.fps)
    return found


def without_swaps(sequence: PoseSequence) -> tuple[PoseSequence, int]:
    """The sequence with the swaps that `find_swaps` found put right, and in how many frames there were any."""
    found = find_swaps(sequence)
    keypoints_px, confidence = sequence.keypoints_px.copy(), sequence.confidence.copy()
    for column, pairs in enumerate(GROUPS.values()):
        rows = found[:, column]
        for a, b in pairs:
            for one, other in ((JOINT[a], JOINT[b]), (JOINT[b], JOINT[a])):
                keypoints_px[rows, one] = sequence.keypoints_px[rows, other]
                confidence[rows, one] = sequence.confidence[rows, other]
    return replace(sequence, keypoints_px=keypoints_px, confidence=confidence), int(found.any(1).sum())


def fix_left_right(sequences: Iterable[PoseSequence]) -> tuple[list[PoseSequence], list[str]]:
    """Every sequence `without_swaps`, and a sentence about each that had some."""
    straight, notes = [], []
    for sequence in sequences:
        better, swapped = without_swaps(sequence)
        straight.append(better)
        if swapped:
            of = f"{swapped} of {len(sequence)} frames"
            notes.append(f"{sequence.name}: left and right were swapped in {of}; they have been put right.")
    return straight, notes


def _smoothest(sides: Float[np.ndarray, "frames pairs 2 2"]) -> Bool[np.ndarray, " frames"]:
    """The state of every frame on the smoothest path, swapped where most frames are not."""
    arranged = np.stack([sides, sides[:, :, ::-1]])  # state, frame, pair, side, xy
    frames = len(sides)
    # cost[a, b, c, t]: the frames t-2, t-1, t in the states a, b, c
    second = arranged[:, None, None, :-2] - 2 * arranged[None, :, None, 1:-1] + arranged[None, None, :, 2:]
    jump = np.minimum(np.linalg.norm(second, axis=-1), MAX_JUMP)
    cost = np.nan_to_num(jump).sum((-1, -2))
    changes = CHANGE * (np.arange(2)[:, None] != np.arange(2))
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
    seen = np.isfinite(sides).all((1, 2, 3))
    swapped = states == 1
    return ~swapped if swapped[seen].mean() > 0.5 else swapped


def _bridged(sides: Float[np.ndarray, "frames pairs 2 2"]) -> Float[np.ndarray, "frames pairs 2 2"]:
    """Gaps filled in straight lines, so that the path through one is not free."""
    flat = sides.reshape(len(sides), -1).T
    frames = np.arange(len(sides))
    filled = [
        np.interp(frames, frames[known], line[known]) if (known := np.isfinite(line)).any() else line for line in flat
    ]
    return np.stack(filled, 1).reshape(sides.shape)


def _short(swapped: Bool[np.ndarray, " frames"], longest: float) -> Bool[np.ndarray, " frames"]:
    """Only the runs that are no longer than that."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], swapped, [0]])))
    kept = np.zeros(len(swapped), bool)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        kept[start:stop] = stop - start <= longest
    return kept


def _size(sequence: PoseSequence) -> float:
    """The person's usual extent, pixels: the diagonal of the box of what is seen, a median over frames."""
    seen = sequence.keypoints_px[sequence.is_observed.sum(1) >= 8]
    if len(seen) == 0:
        return 0.0
    extent = np.nanmax(seen, 1) - np.nanmin(seen, 1)
    return float(np.median(np.linalg.norm(extent, axis=-1)))
