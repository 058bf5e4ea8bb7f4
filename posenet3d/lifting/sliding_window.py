"""Networks that see windows, run over whole clips: both mirror views averaged, then calmed over time."""

from collections.abc import Callable, Iterator
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
from posenet3d.core.skeleton import MIRROR, mirror_indices
from posenet3d.models.student import Student
from posenet3d.models.teacher import Teacher

TRAINED_FPS = 30.0
_SMOOTHING_S = 2 / TRAINED_FPS  # depth and rotations change more slowly than their per-frame estimates shake
_BATCH = 1024

_SMPL_MIRROR = mirror_indices(JOINT_SETS["smpl24"].joints)
assert len(_SMPL_MIRROR) == len(BODY_PARENTS)


OnAdvance = Callable[[float], None]
"""Told the share of the work that was done since it was last told; whoever raises in it stops the work."""


def no_progress(share: float) -> None:
    """An `OnAdvance` for those who do not watch."""


class BodyTrack(NamedTuple):
    """A body over a clip, in the virtual camera's frame."""

    rotations: Float[Tensor, "frames 24 3 3"]
    betas: Float[Tensor, " 10"]
    distance: Float[Tensor, " frames"]  # metres


@torch.no_grad()
def predict_depth(
    teacher: Teacher, rays: Float[Tensor, "frames 17 2"], fps: float = TRAINED_FPS, advance: OnAdvance = no_progress
) -> Float[np.ndarray, "frames 17"]:
    """The teacher's depth offsets, in units."""

    def offsets(seen: Tensor) -> Tensor:
        scaled = teacher.scaled(seen.to(teacher.depth_sign.device))
        raw = teacher.raw_frames(scaled)
        out = torch.empty_like(raw)
        for index, answered, target, inside in _windows(len(seen), teacher.config.window, teacher.config.stride, fps):
            out[target[inside]] = teacher.refine(scaled[index], raw[index])[:, answered][inside]
            advance(int(inside.sum()) / len(seen) / 2)
        return (teacher.depth_sign * out).cpu()

    both = (offsets(rays) + offsets(mirror(rays))[:, list(MIRROR)]) / 2
    return gaussian_filter1d(both.numpy(), _SMOOTHING_S * fps, axis=0, mode="nearest")


@torch.no_grad()
def predict_body(
    student: Student, rays: Float[Tensor, "frames 17 2"], fps: float = TRAINED_FPS, advance: OnAdvance = no_progress
) -> BodyTrack:
    """The student's body: one shape for the clip, pose and distance for every frame."""

    def track(seen: Tensor) -> BodyTrack:
        seen = seen.to(student.rest.device)
        raw = student.raw_frames(seen)
        rotations, distance = raw.new_empty(len(seen), 24, 3, 3), raw.new_empty(len(seen))
        betas = []
        for index, answered, target, inside in _windows(len(seen), student.config.window, student.config.stride, fps):
            embodied = student.refine(seen[index], raw[index])
            rotations[target[inside]] = embodied.rotations[:, answered][inside]
            distance[target[inside]] = embodied.distance[:, answered][inside]
            betas.append(embodied.betas)
            advance(int(inside.sum()) / len(seen) / 2)
        return BodyTrack(rotations.cpu(), torch.cat(betas).mean(0).cpu(), distance.cpu())

    one, other = track(rays), track(mirror(rays))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    unmirrored = (flip[:, None] * flip * other.rotations)[:, _SMPL_MIRROR]
    both = BodyTrack(
        (one.rotations + unmirrored) / 2, (one.betas + other.betas) / 2, (one.distance * other.distance).sqrt()
    )
    return smoothed(both, _SMOOTHING_S * fps)


def smoothed(track: BodyTrack, sigma: float) -> BodyTrack:
    """The track smoothed over time by a Gaussian of `sigma` frames; rotations by their mean in the chordal sense."""
    rotations = gaussian_filter1d(track.rotations.numpy(), sigma, axis=0, mode="nearest")
    distance = gaussian_filter1d(track.distance.log().numpy(), sigma, mode="nearest")
    return BodyTrack(
        roma.special_procrustes(torch.from_numpy(rotations)), track.betas, torch.from_numpy(distance).exp()
    )


def _windows(frames: int, window: int, stride: int, fps: float) -> Iterator[tuple[Tensor, slice, Tensor, Tensor]]:
    """Batches of windows that answer for every frame once.

    Each window answers for the three frames in its middle, so a third of the windows will do. Yields the frames of each
    window (windows, window), the slots that answer, the frames they answer for (windows, 3), and which of those exist.
    """
    step = max(1, round(stride * fps / TRAINED_FPS))
    offsets = (torch.arange(window) - window // 2) * step
    answered = slice(window // 2 - 1, window // 2 + 2)
    for centres in _window_centres(frames, step).split(_BATCH):
        target = centres[:, None] + offsets[answered]
        yield (centres[:, None] + offsets).clamp(0, frames - 1), answered, target, target < frames


def _window_centres(frames: int, step: int) -> Int[Tensor, " windows"]:
    """Centres whose frames at -step, 0 and +step together are every frame once: the middle third of each block."""
    blocks = torch.arange(0, frames, 3 * step)
    return (blocks[:, None] + step + torch.arange(step)).flatten()
