"""Lifting: 2D sequences in, 3D sequences out. Clean the 2D, look at the pelvis, predict depth, set the scale, turn back."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from torch import Tensor

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.core import camera
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.lifted import Lifted
from posenet3d.core.normalise import apparent_size, unproject
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.lifting.checkpoint import find_checkpoint, load_student, load_teacher
from posenet3d.lifting.fit_body import fit_body_to_clip
from posenet3d.lifting.refine_bones import refine_bones
from posenet3d.lifting.sliding_window import OnAdvance, no_progress, predict_body, predict_depth
from posenet3d.models.student import Student
from posenet3d.models.teacher import Teacher

DEFAULT_HEIGHT_M = 1.70
"""Body height assumed when none is given: one view cannot tell it."""

_CHAIN_OF_HEIGHT = 0.94  # ankle to head top, of the stature: the foot below the ankle is not in the chain
_MIN_JOINTS = 6  # a frame with fewer joints seen says too little by itself
_BRIDGED_S = 0.4  # gaps up to this long on either side of a seen frame are bridged
_SCALE_SIGMA_S = 0.5  # a person's distance changes within a stride, not within a frame
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

    def __init__(self, teacher: Teacher, name: str, device: str | None = None, student: Student | None = None):
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.teacher, self.name = teacher.to(self.device).eval(), name
        self.student = None if student is None else student.to(self.device).eval()
        if self.student is not None:
            self.body = load_body()
            self.landmarks = landmarks_of(self.body)

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str | None = None, model: str = "teacher") -> "Lifter":
        """From a checkpoint's name or folder (default: the bundled one).

        Args:
            checkpoint: name or folder.
            device: 'cpu' or 'cuda'; chosen by itself if None.
            model: 'teacher' for a skeleton, 'student' for a body.

        Raises:
            InputError: there is no such checkpoint, it is damaged, or it has no student.
        """
        folder = find_checkpoint(checkpoint, model)
        student = load_student(folder) if model == "student" else None
        return cls(load_teacher(folder), folder.name, device, student)

    def __call__(
        self,
        sequences: Sequence[PoseSequence],
        *,
        height_m: float = DEFAULT_HEIGHT_M,
        refine: bool = False,
        fit: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> list[Lifted]:
        """Lift every sequence.

        Args:
            sequences: what to lift.
            height_m: body height in metres; sets the scale.
            refine: teacher: nudge each clip towards bones of constant length (`posenet3d.lifting.refine_bones`).
            fit: student: turn the body's joints onto the 2D (`posenet3d.lifting.fit_body`); False is the network alone.
            progress: told the share that is done, from 0 to 1; what it raises stops the work.
        """
        total, before, results = sum(len(s) for s in sequences), 0, []
        for sequence in sequences:
            advance = no_progress if progress is None else _within(progress, before / total, len(sequence) / total)
            results.append(self._lift(sequence, height_m, refine, fit, advance))
            before += len(sequence)
        if progress is not None:
            progress(1.0)
        return results

    @torch.no_grad()
    def _lift(self, sequence: PoseSequence, height_m: float, refine: bool, fit: bool, advance: OnAdvance) -> Lifted:
        K = sequence.intrinsics()
        cleaned = self._clean(camera.to_rays(sequence.keypoints_px.astype(np.float64), K), sequence.confidence)
        R_virtual_cam = camera.look_at_rays(cleaned[:, JOINT["pelvis"]])
        rays = torch.from_numpy(camera.turn_rays(R_virtual_cam, cleaned).astype(np.float32))
        body = None
        if self.student is None:
            points = self._skeleton(rays, sequence.fps, refine, advance)
            points *= _distance(points, sequence, height_m)[:, None, None]
            joints = np.einsum("fji,fkj->fki", R_virtual_cam, points)
        else:
            joints, body = self._embody(self.student, rays, R_virtual_cam, sequence.fps, fit, advance)
        is_empty = ~_supported(sequence)
        joints[is_empty] = np.nan
        if body is not None:
            for rows in (body.global_orient, body.body_pose, body.transl):
                rows[is_empty] = np.nan
        return Lifted(
            name=sequence.name,
            joints_3d=joints.astype(np.float32),
            cleaned_px=camera.to_pixels(cleaned, K).astype(np.float32),
            fps=sequence.fps,
            model="teacher" if self.student is None else "student",
            checkpoint=self.name,
            confidence=sequence.confidence,
            packed_at=sequence.packed_at,
            body=body,
        )

    def _skeleton(self, rays: Float[Tensor, "frames 17 2"], fps: float, refine: bool, advance: OnAdvance) -> np.ndarray:
        """The teacher's points (frames, 17, 3) in the virtual camera's frame, in root distances."""
        near, unit = self._zoom(rays, fps), self.teacher.config.unit
        seen = rays * near[:, None, None]
        depth = torch.from_numpy(predict_depth(self.teacher, seen, fps, advance))
        if refine:
            depth = refine_bones(seen, depth, unit)
        return unproject(rays, depth / near[:, None], unit).double().numpy()

    def _embody(
        self,
        student: Student,
        rays: Float[Tensor, "frames 17 2"],
        R_virtual_cam: np.ndarray,
        fps: float,
        fit: bool,
        advance: OnAdvance,
    ) -> tuple[np.ndarray, BodyParameters]:
        """The student's landmarks (frames, 17, 3) in metres in the camera's frame, and the parameters that make them."""
        near = self._zoom(rays, fps)
        seen = rays * near[:, None, None]
        if fit:
            track = fit_body_to_clip(student, self.landmarks, seen, fps, advance)
        else:
            track = predict_body(student, seen, fps, advance)
        rotations = track.rotations.clone()
        rotations[:, 0] = torch.from_numpy(R_virtual_cam.transpose(0, 2, 1)).float() @ rotations[:, 0]
        betas = track.betas.expand(len(rays), -1)
        landmarks = self.landmarks(rotations, betas).double().numpy()
        # The pelvis landmark belongs on its ray at the student's distance; the zoomed view made the person seem nearer.
        pelvis = R_virtual_cam[:, 2] * (track.distance * near).double().numpy()[:, None]
        transl = pelvis - landmarks[:, JOINT["pelvis"]]
        turns = roma.rotmat_to_rotvec(rotations).numpy()
        body = BodyParameters(
            body_model=self.body.name,
            betas=track.betas[None].numpy().astype(np.float32),
            global_orient=turns[:, 0].copy(),
            body_pose=turns[:, 1:].reshape(len(turns), -1).copy(),
            transl=transl.astype(np.float32),
        )
        return landmarks + transl[:, None], body

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


def _within(progress: Callable[[float], None], start: float, extent: float) -> OnAdvance:
    """Tells `progress` the share of everything, while one part of it from `start` on goes on."""
    done = 0.0

    def advance(share: float) -> None:
        nonlocal done
        done = min(done + share, 1.0)
        progress(start + done * extent)

    return advance


def _supported(sequence: PoseSequence) -> np.ndarray:
    """(frames,) bool: frames near enough to one in which the person was seen."""
    seen = sequence.is_observed.sum(1) >= _MIN_JOINTS
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
