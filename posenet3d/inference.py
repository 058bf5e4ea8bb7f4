"""Lifting: 2D sequences in, 3D sequences out. Clean the 2D, look at the pelvis, predict depth, set the scale, turn back."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from torch import Tensor

from posenet3d import camera
from posenet3d.checkpoint import find_checkpoint, load_teacher
from posenet3d.data.windows import apparent_size, mirror
from posenet3d.lifted import Lifted
from posenet3d.models.teacher import Teacher, place
from posenet3d.refinement import refine
from posenet3d.sequence import PoseSequence
from posenet3d.skeleton import JOINT, MIRROR

TRAINED_FPS = 30.0
DEFAULT_HEIGHT_M = 1.70
"""Body height assumed when none is given: one view cannot tell it."""

_CHAIN_OF_HEIGHT = (
    0.94  # hip to ankle plus pelvis to head top, of the stature: the foot below the ankle is not in the chain
)
_LEAST_JOINTS = 6  # a frame with fewer joints seen says too little by itself
_BRIDGED_S = 0.4  # gaps up to this long on either side of a seen frame are bridged
_DEPTH_SIGMA_S = 2 / TRAINED_FPS  # depth changes more slowly than its per-frame estimate shakes
_SCALE_SIGMA_S = 0.5  # a person's distance changes within a stride, not within a frame
_BATCH = 4096
_CHAIN = {
    ("pelvis", "spine"): 0.148, ("spine", "thorax"): 0.157, ("thorax", "neck_nose"): 0.074, ("neck_nose", "head_top"): 0.071,
    ("r_hip", "r_knee"): 0.272, ("r_knee", "r_ankle"): 0.278, ("l_hip", "l_knee"): 0.272, ("l_knee", "l_ankle"): 0.278,
}  # fmt: skip
"""Bones that tell the scale, as shares of the chain from ankle to head top in a Human3.6M adult."""


class Lifter:
    """A loaded checkpoint that lifts sequences.

    Example:
        >>> lifted = Lifter.load()([sequence])[0]  # doctest: +SKIP
        >>> lifted.joints_3d.shape  # doctest: +SKIP
        (300, 17, 3)
    """

    def __init__(self, teacher: Teacher, name: str, device: str | None = None):
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.teacher, self.name = teacher.to(self.device).eval(), name

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str | None = None) -> "Lifter":
        """From a checkpoint's name or folder (default: the bundled one).

        Raises:
            InputError: there is no such checkpoint, or it is damaged.
        """
        folder = find_checkpoint(checkpoint)
        return cls(load_teacher(folder), folder.name, device)

    def __call__(
        self,
        sequences: Sequence[PoseSequence],
        *,
        height_m: float = DEFAULT_HEIGHT_M,
        is_refined: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> list[Lifted]:
        """Lift every sequence.

        Args:
            sequences: what to lift.
            height_m: body height in metres; sets the scale.
            is_refined: nudge each clip towards bones of constant length (`posenet3d.refinement`).
            progress: told the share that is done, from 0 to 1.
        """
        total, done, results = sum(len(s) for s in sequences), 0, []
        for sequence in sequences:
            results.append(self._lift(sequence, height_m, is_refined))
            done += len(sequence)
            if progress is not None:
                progress(done / total)
        return results

    @torch.no_grad()
    def _lift(self, sequence: PoseSequence, height_m: float, is_refined: bool) -> Lifted:
        K = sequence.intrinsics()
        cleaned = self._clean(camera.to_rays(sequence.keypoints_px.astype(np.float64), K), sequence.confidence)
        R_virtual_cam = camera.look_at_rays(cleaned[:, JOINT["pelvis"]])
        rays = torch.from_numpy(camera.turn_rays(R_virtual_cam, cleaned).astype(np.float32))
        near, unit = self._zoom(rays, sequence.fps), self.teacher.config.unit
        depth = torch.from_numpy(self._depth(rays * near[:, None, None], sequence.fps))
        if is_refined:
            depth = refine(rays * near[:, None, None], depth, unit)
        points = place(rays, depth / near[:, None], unit).double().numpy()
        points *= _distance(points, sequence, height_m)[:, None, None]
        joints = np.einsum("fji,fkj->fki", R_virtual_cam, points)
        joints[~_supported(sequence)] = np.nan
        focal, centre = np.array([K[0, 0], K[1, 1]]), K[:2, 2]
        return Lifted(
            name=sequence.name,
            joints_3d=joints.astype(np.float32),
            cleaned_px=(cleaned * focal + centre).astype(np.float32),
            fps=sequence.fps,
            model="teacher",
            checkpoint=self.name,
            confidence=sequence.confidence,
            packed_at=sequence.packed_at,
        )

    def _clean(
        self, rays: Float[np.ndarray, "frames 17 2"], confidence: Float[np.ndarray, "frames 17"]
    ) -> Float[np.ndarray, "frames 17 2"]:
        # Around the clip's own middle: float32 rays far from the axis would lose the last digits of the jitter.
        middle = np.nanmean(rays, axis=(0, 1)) if np.isfinite(rays).any() else np.zeros(2)
        known = torch.from_numpy(np.nan_to_num(rays - middle).astype(np.float32))[None].to(self.device)
        cleaned = self.teacher.cleaner(known, torch.from_numpy(confidence)[None].to(self.device))
        return cleaned[0].cpu().double().numpy() + middle

    def _zoom(self, rays: Float[Tensor, "frames 17 2"], fps: float) -> Float[Tensor, " frames"]:
        """How much to enlarge the person so that the networks see a size they were trained on; 1 for usual sizes.

        As seen through a longer lens: relative to the distance, depth is smaller by the same factor.
        """
        size = np.exp(gaussian_filter1d(np.log(apparent_size(rays).numpy()), _SCALE_SIGMA_S * fps, mode="nearest"))
        low, high = (self.teacher.config.unit * s for s in self.teacher.config.sizes)
        return torch.from_numpy((size.clip(low, high) / size).astype(np.float32))

    def _depth(self, rays: Float[Tensor, "frames 17 2"], fps: float) -> Float[np.ndarray, "frames 17"]:
        """Depth offsets, averaged with those of the mirrored person and smoothed over time."""
        offsets = self._offsets(rays, fps)
        mirrored = self._offsets(mirror(rays), fps)[:, list(MIRROR)]
        return gaussian_filter1d((offsets + mirrored) / 2, _DEPTH_SIGMA_S * fps, axis=0, mode="nearest")

    def _offsets(self, rays: Float[Tensor, "frames 17 2"], fps: float) -> Float[np.ndarray, "frames 17"]:
        """Depth offsets of every frame; each window answers for three of its frames, so a third of the windows will do."""
        teacher, frames = self.teacher, len(rays)
        scaled = teacher.scaled(rays.to(self.device))
        raw = teacher.raw_frames(scaled)
        stride = max(1, round(teacher.config.stride * fps / TRAINED_FPS))
        steps = (torch.arange(teacher.config.window) - teacher.config.window // 2) * stride
        answered = torch.arange(-1, 2) + teacher.config.window // 2
        out = torch.empty_like(raw)
        for centres in _window_centres(frames, stride).split(_BATCH):
            index = (centres[:, None] + steps).clamp(0, frames - 1).to(self.device)
            refined = teacher.refine(scaled[index], raw[index])[:, answered]
            target = centres[:, None] + steps[answered]
            inside = target < frames
            out[target[inside].to(self.device)] = refined[inside.to(self.device)]
        return (teacher.depth_sign * out).cpu().numpy()


def _window_centres(frames: int, stride: int) -> Int[Tensor, " windows"]:
    """Centres whose frames at -stride, 0 and +stride together are every frame once: the middle third of each block."""
    blocks = torch.arange(0, frames, 3 * stride)
    return (blocks[:, None] + stride + torch.arange(stride)).flatten()


def _supported(sequence: PoseSequence) -> np.ndarray:
    """(frames,) bool: frames near enough to one in which the person was seen."""
    seen = sequence.is_observed.sum(1) >= _LEAST_JOINTS
    return maximum_filter1d(seen, 2 * round(_BRIDGED_S * sequence.fps) + 1)


def _distance(
    points: Float[np.ndarray, "frames 17 3"], sequence: PoseSequence, height_m: float
) -> Float[np.ndarray, " frames"]:
    """Metres per root distance, frame by frame: the distance at which the figure is `height_m` tall.

    Only bones seen about then count: a leg that the network filled in for a person behind a desk has no size.
    """
    near = maximum_filter1d(sequence.is_observed, 2 * round(_BRIDGED_S * sequence.fps) + 1, axis=0)
    parents, children = (np.array([JOINT[bone[end]] for bone in _CHAIN]) for end in (0, 1))
    weight = np.array([0.5 if parent[1] == "_" else 1.0 for parent, _ in _CHAIN])  # two legs carry one trunk
    seen = near[:, parents] & near[:, children]
    seen[~seen.any(1)] = True
    length = np.linalg.norm(points[:, children] - points[:, parents], axis=-1)
    share = (seen * weight * np.array(list(_CHAIN.values()))).sum(1)
    chain = np.maximum((seen * weight * length).sum(1), 1e-6)
    distance = np.log(_CHAIN_OF_HEIGHT * height_m * share / chain)
    return np.exp(gaussian_filter1d(distance, _SCALE_SIGMA_S * sequence.fps, mode="nearest"))
