"""Sliding-window inference over a clip, with flip averaging and temporal smoothing."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import roma
import torch
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from posenet3d.body.layer import BODY_PARENTS
from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.core.normalise import mirror
from posenet3d.core.progress import OnProgress, no_progress, part
from posenet3d.core.skeleton import MIRROR, mirror_indices
from posenet3d.models.student import Student
from posenet3d.models.teacher import Teacher

TRAINED_FPS = 30.0
_SMOOTHING_S = 2 / TRAINED_FPS  # depth and rotations change more slowly than their per-frame estimates jitter
_BATCH = 1024

_SMPL_MIRROR = mirror_indices(JOINT_SETS["smpl24"].joints)
assert len(_SMPL_MIRROR) == len(BODY_PARENTS)


class BodyTrack(NamedTuple):
    """A body over a clip, in the virtual camera's frame."""

    rotations: Float[Tensor, "frames 24 3 3"]
    betas: Float[Tensor, " 10"]
    distance: Float[Tensor, " frames"]  # metres


@torch.no_grad()
def predict_depth(
    teacher: Teacher, rays: Float[Tensor, "frames 17 2"], fps: float = TRAINED_FPS, progress: OnProgress = no_progress
) -> Float[np.ndarray, "frames 17"]:
    """Return the teacher's depth offsets, in units."""

    def offsets(seen: Tensor, progress: OnProgress) -> Tensor:
        scaled = teacher.scaled(seen.to(teacher.depth_sign.device))
        raw = teacher.raw_frames(scaled)
        out, done = torch.empty_like(raw), 0
        for index, slots, target, inside in _windows(len(seen), teacher.config.window, teacher.config.stride, fps):
            out[target[inside]] = teacher.refine(scaled[index], raw[index])[:, slots][inside]
            done += int(inside.sum())
            progress(done / len(seen))
        return (teacher.depth_sign * out).cpu()

    straight = offsets(rays, part(progress, 0.0, 0.5))
    flipped = offsets(mirror(rays), part(progress, 0.5, 1.0))[:, list(MIRROR)]
    both = (straight + flipped) / 2
    return gaussian_filter1d(both.numpy(), _SMOOTHING_S * fps, axis=0, mode="nearest")


@torch.no_grad()
def predict_body(
    student: Student, rays: Float[Tensor, "frames 17 2"], fps: float = TRAINED_FPS, progress: OnProgress = no_progress
) -> BodyTrack:
    """Return the student's body: one shape for the clip, pose and distance for every frame."""

    def track(seen: Tensor, progress: OnProgress) -> BodyTrack:
        seen = seen.to(student.rest.device)
        raw = student.raw_frames(seen)
        rotations, distance = raw.new_empty(len(seen), 24, 3, 3), raw.new_empty(len(seen))
        betas, done = [], 0
        for index, slots, target, inside in _windows(len(seen), student.config.window, student.config.stride, fps):
            body = student.refine(seen[index], raw[index])
            rotations[target[inside]] = body.rotations[:, slots][inside]
            distance[target[inside]] = body.distance[:, slots][inside]
            betas.append(body.betas)
            done += int(inside.sum())
            progress(done / len(seen))
        return BodyTrack(rotations.cpu(), torch.cat(betas).mean(0).cpu(), distance.cpu())

    straight, flipped = track(rays, part(progress, 0.0, 0.5)), track(mirror(rays), part(progress, 0.5, 1.0))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    unmirrored = (flip[:, None] * flip * flipped.rotations)[:, _SMPL_MIRROR]
    both = BodyTrack(
        (straight.rotations + unmirrored) / 2,
        (straight.betas + flipped.betas) / 2,
        (straight.distance * flipped.distance).sqrt(),
    )
    return smoothed(both, _SMOOTHING_S * fps)


def smoothed(track: BodyTrack, sigma: float) -> BodyTrack:
    """Smooth a track over time by a Gaussian of `sigma` frames; rotations by their mean in the chordal sense."""
    rotations = gaussian_filter1d(track.rotations.numpy(), sigma, axis=0, mode="nearest")
    distance = gaussian_filter1d(track.distance.log().numpy(), sigma, mode="nearest")
    return BodyTrack(
        roma.special_procrustes(torch.from_numpy(rotations)), track.betas, torch.from_numpy(distance).exp()
    )


def _windows(frames: int, window: int, stride: int, fps: float) -> Iterator[tuple[Tensor, slice, Tensor, Tensor]]:
    """Yield batches of windows that together predict every frame once.

    Each window predicts the three frames in its middle, so a third of the windows is enough. Yields the frames of each window
    (windows, window), the slots in the window that are used, their frames (windows, 3), and which of those exist.
    """
    step = max(1, round(stride * fps / TRAINED_FPS))
    offsets = (torch.arange(window) - window // 2) * step
    slots = slice(window // 2 - 1, window // 2 + 2)
    for centres in _window_centres(frames, step).split(_BATCH):
        target = centres[:, None] + offsets[slots]
        yield (centres[:, None] + offsets).clamp(0, frames - 1), slots, target, target < frames


def _window_centres(frames: int, step: int) -> Int[Tensor, " windows"]:
    """Return centres whose frames at -step, 0 and +step are together every frame once: the middle third of each block."""
    blocks = torch.arange(0, frames, 3 * step)
    return (blocks[:, None] + step + torch.arange(step)).flatten()
