"""Training data: 2D clips as rays, random windows of them, and the size and camera tilt measured on them."""

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from posenet3d.core import camera
from posenet3d.core.normalise import apparent_size
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import BONE_CHILDREN, BONE_PARENTS, JOINT
from posenet3d.errors import InputError

_PELVIS, _HEAD = JOINT["pelvis"], JOINT["head_top"]


@dataclass(frozen=True)
class Clips:
    """Concatenated clips. `rays` are on the plane z = 1 of the real camera; `first` and `last` bound each frame's clip."""

    rays: Float[Tensor, "frames 17 2"]
    first: Int[Tensor, " frames"]
    last: Int[Tensor, " frames"]

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """Start and stop of every clip."""
        starts = torch.unique(self.first)
        return [(int(a), int(self.last[a]) + 1) for a in starts]


def clips_from(sequences: list[PoseSequence]) -> Clips:
    """Return real-camera rays of all fully observed stretches of the sequences, each stretch a clip.

    Raises:
        InputError: no stretch of at least two frames with all 17 joints seen.
    """
    rays, lengths = [], []
    for sequence in sequences:
        all_rays = camera.to_rays(sequence.keypoints_px.astype(np.float64), sequence.intrinsics())
        complete = np.concatenate([[False], sequence.is_observed.all(1), [False]])
        edges = np.flatnonzero(np.diff(complete.astype(int)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if stop - start > 1:
                rays.append(all_rays[start:stop])
                lengths.append(stop - start)
    if not rays:
        names = ", ".join(s.name for s in sequences[:3])
        raise InputError(names, "no two frames in a row have all 17 joints", "train on more complete 2D joints")
    length = torch.tensor(lengths)
    start = torch.cumsum(length, 0) - length
    return Clips(
        torch.from_numpy(np.concatenate(rays).astype(np.float32)),
        start.repeat_interleave(length),
        (start + length - 1).repeat_interleave(length),
    )


def split_by_take(
    sequences: list[PoseSequence], held_out_percent: int = 5
) -> tuple[list[PoseSequence], list[PoseSequence]]:
    """Return training and held-out sequences; people and cameras of one `PoseSequence.recording` stay on one side."""

    def is_held_out(sequence: PoseSequence) -> bool:
        return zlib.crc32(sequence.recording.encode()) % 100 < held_out_percent

    training = [s for s in sequences if not is_held_out(s)]
    held_out = [s for s in sequences if is_held_out(s)]
    return (training, held_out) if training else (sequences, held_out)


def training_clips(sequences: list[PoseSequence]) -> tuple[Clips, Clips]:
    """Return clips to train on and clips to validate on: one take in twenty, or the training clips where that leaves none.

    Raises:
        InputError: as `clips_from`.
    """
    training, held_out = split_by_take(sequences)
    is_usable = any(s.is_observed.all(1).sum() > 1 for s in held_out)
    clips = clips_from(training)
    return clips, clips_from(held_out) if is_usable else clips


def window_indices(
    centres: Int[Tensor, " windows"], clips: Clips, offsets: Int[Tensor, " steps"]
) -> Int[Tensor, "windows steps"]:
    """Return the frame numbers of the windows; beyond its clip a window repeats the clip's first or last frame."""
    wanted = centres[:, None] + offsets
    return torch.minimum(torch.maximum(wanted, clips.first[centres][:, None]), clips.last[centres][:, None])


def random_windows(
    clips: Clips, count: int, offsets: Int[Tensor, " steps"], rng: torch.Generator
) -> Int[Tensor, "windows steps"]:
    """Return the frame numbers of `count` windows around random frames."""
    return window_indices(torch.randint(len(clips.rays), (count,), generator=rng), clips, offsets)


def any_frame(windows: Float[Tensor, "batch steps joints 2"], rng: torch.Generator) -> Float[Tensor, "batch joints 2"]:
    """Return one randomly chosen frame, the same of every window."""
    return windows[:, int(torch.randint(windows.shape[1], (), generator=rng))]


def usual_sizes(clips: Clips, unit: float) -> tuple[float, float]:
    """Return the apparent sizes, in units, between which nine in ten clips lie (by their medians); `clips` at the pelvis."""
    size = apparent_size(clips.rays) / unit
    medians = torch.stack([size[start:stop].median() for start, stop in clips.bounds])
    low, high = torch.quantile(medians, torch.tensor([0.05, 0.95])).tolist()
    return low, high


@dataclass(frozen=True)
class Tilt:
    """How far the cameras of a data set look down, in radians, and on how many clips that was measured."""

    mean: float
    sd: float
    clips: int


STATED_TILT = Tilt(mean=float(np.radians(8)), sd=float(np.radians(6)), clips=0)
"""A hand-held or tripod camera at chest to head height some metres away; used where too few clips can be measured."""


def measure_tilt(clips: Clips, min_clips: int = 20) -> Tilt:
    """Measure camera tilt from 2D alone: `camera.horizon_tilt` on every clip in which the person's distance changes enough.

    A clip counts if the apparent size varies by more than 8 % and explains the height in the image (|r| > 0.5). Cameras
    in which no person approaches are left out; with fewer than `min_clips` clips the stated tilt is returned.
    """
    tilts = []
    for start, stop in clips.bounds:
        rays = clips.rays[start:stop].double().numpy()
        span = max(
            1, min(45, (stop - start) // 4)
        )  # 1.5 s at 30 fps: a stride or two, so that limbs come into full view
        firsts = range(0, stop - start - span + 1, max(1, span // 3))
        bone = np.linalg.norm(rays[:, BONE_CHILDREN] - rays[:, BONE_PARENTS], axis=-1)
        size = np.array([np.percentile(bone[a : a + span], 90, axis=0).sum() for a in firsts])
        height = np.array([np.median(rays[a : a + span, _PELVIS, 1]) for a in firsts])
        if len(size) > 3 and size.std() > 0.08 * size.mean():
            tilt, correlation = camera.horizon_tilt(height, size)
            if correlation > 0.5:
                tilts.append(tilt)
    if len(tilts) < min_clips:
        return STATED_TILT
    return Tilt(float(np.mean(tilts)), float(np.std(tilts)), len(tilts))
