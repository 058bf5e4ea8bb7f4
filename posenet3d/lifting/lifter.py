"""Lifting: 2D sequences in, 3D sequences out. Denoise the 2D, look at the pelvis, predict depth, set the scale, rotate back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.body.files import load_body
from posenet3d.body.landmarks import landmarks_of
from posenet3d.core import camera
from posenet3d.core.body_parameters import BodyParameters
from posenet3d.core.lifted import Lifted
from posenet3d.core.normalise import unproject
from posenet3d.core.progress import OnProgress, no_progress, part
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT
from posenet3d.core.threads import network_threads
from posenet3d.lifting.checkpoint import find_checkpoint, load_student, load_teacher
from posenet3d.lifting.fit_body import fit_body_to_clip
from posenet3d.lifting.refine_bones import refine_bones
from posenet3d.lifting.scale import has_person, is_bridged, pelvis_distance, zoom_to_usual_size
from posenet3d.lifting.sliding_window import predict_body, predict_depth
from posenet3d.models.student import Student
from posenet3d.models.teacher import Teacher

DEFAULT_HEIGHT_M = 1.70
"""Body height assumed when none is given: one view cannot tell it."""


@dataclass(frozen=True)
class _View:
    """Denoised 2D of one clip, as rays of the camera and of the virtual camera that looks at the pelvis."""

    K: Float[np.ndarray, "3 3"]
    rays_cam: Float[np.ndarray, "frames 17 2"]
    R_virtual_cam: Float[np.ndarray, "frames 3 3"]
    rays: Float[Tensor, "frames 17 2"]
    zoom: Float[Tensor, " frames"]

    @property
    def zoomed(self) -> Float[Tensor, "frames 17 2"]:
        """The rays of the virtual camera, enlarged to a size that the networks know."""
        return self.rays * self.zoom[:, None, None]


class Lifter:
    """A loaded checkpoint that lifts sequences: a `SkeletonLifter` or a `BodyLifter`.

    Example:
        >>> lifted = Lifter.load()([sequence])[0]  # doctest: +SKIP
        >>> lifted.joints_3d.shape  # doctest: +SKIP
        (300, 17, 3)
    """

    def __init__(self, teacher: Teacher, name: str, device: str | None = None):
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.teacher, self.name = teacher.to(self.device).eval(), name

    @overload
    @staticmethod
    def load(
        checkpoint: str | Path | None = None, model: Literal["teacher"] = "teacher", device: str | None = None
    ) -> "SkeletonLifter": ...

    @overload
    @staticmethod
    def load(
        checkpoint: str | Path | None = None, *, model: Literal["student"], device: str | None = None
    ) -> "BodyLifter": ...

    @overload
    @staticmethod
    def load(
        checkpoint: str | Path | None = None, *, model: str, device: str | None = None
    ) -> "SkeletonLifter | BodyLifter": ...

    @staticmethod
    def load(
        checkpoint: str | Path | None = None, model: str = "teacher", device: str | None = None
    ) -> "SkeletonLifter | BodyLifter":
        """Load a checkpoint.

        Args:
            checkpoint: name or folder; the bundled one if None.
            model: 'teacher' for a skeleton, 'student' for a body.
            device: 'cpu' or 'cuda'; chosen by itself if None.

        Raises:
            InputError: there is no such checkpoint, it is damaged, or it has no student.
            ValueError: there is no such model.
        """
        if model not in ("teacher", "student"):
            raise ValueError(f"there is no model '{model}': choose 'teacher' or 'student'")
        folder = find_checkpoint(checkpoint, model)
        if model == "student":
            student = load_student(folder)
            return BodyLifter(load_teacher(folder), student, folder.name, device)
        return SkeletonLifter(load_teacher(folder), folder.name, device)

    def _view(self, sequence: PoseSequence) -> _View:
        K = sequence.intrinsics()
        rays_cam = self._denoise(camera.to_rays(sequence.keypoints_px.astype(np.float64), K), sequence.confidence)
        R_virtual_cam = camera.look_at_rays(rays_cam[:, JOINT["pelvis"]])
        rays = torch.from_numpy(camera.turn_rays(R_virtual_cam, rays_cam).astype(np.float32))
        return _View(K, rays_cam, R_virtual_cam, rays, zoom_to_usual_size(rays, sequence.fps, self.teacher.config))

    def _denoise(
        self, rays: Float[np.ndarray, "frames 17 2"], confidence: Float[np.ndarray, "frames 17"]
    ) -> Float[np.ndarray, "frames 17 2"]:
        # Around the clip's own middle: float32 rays far from the axis would lose the last digits of the jitter.
        middle = np.nanmean(rays, axis=(0, 1)) if np.isfinite(rays).any() else np.zeros(2)
        known = torch.from_numpy(np.nan_to_num(rays - middle).astype(np.float32))[None].to(self.device)
        denoised = self.teacher.denoiser(known, torch.from_numpy(confidence)[None].to(self.device))
        return denoised[0].cpu().double().numpy() + middle

    def _result(
        self, sequence: PoseSequence, view: _View, joints: np.ndarray, body: BodyParameters | None = None
    ) -> Lifted:
        """Return the result of one clip, without a person in frames that are too far from a seen one."""
        bridged = is_bridged(sequence)
        is_empty = ~(has_person(sequence) | bridged)
        joints[is_empty] = np.nan
        if body is not None:
            for rows in (body.global_orient, body.body_pose, body.transl):
                rows[is_empty] = np.nan
        return Lifted(
            name=sequence.name,
            joints_3d=joints.astype(np.float32),
            cleaned_px=camera.to_pixels(view.rays_cam, view.K).astype(np.float32),
            fps=sequence.fps,
            model="teacher" if body is None else "student",
            checkpoint=self.name,
            confidence=sequence.confidence,
            packed_at=sequence.packed_at,
            body=body,
            is_bridged=bridged,
        )


class SkeletonLifter(Lifter):
    """The teacher: a 3D skeleton, scaled to a given body height."""

    def __call__(
        self,
        sequences: Sequence[PoseSequence],
        *,
        height_m: float = DEFAULT_HEIGHT_M,
        refine: bool = False,
        progress: OnProgress | None = None,
    ) -> list[Lifted]:
        """Lift every sequence.

        Args:
            sequences: 2D sequences.
            height_m: body height in metres; sets the scale.
            refine: nudge each clip towards bones of constant length (`posenet3d.lifting.refine_bones`).
            progress: told the share done; an exception raised in it stops the work.
        """
        return [
            self._lift(sequence, height_m, refine, of_clip) for sequence, of_clip in _with_progress(sequences, progress)
        ]

    @network_threads()
    @torch.no_grad()
    def _lift(self, sequence: PoseSequence, height_m: float, refine: bool, progress: OnProgress) -> Lifted:
        view, unit = self._view(sequence), self.teacher.config.unit
        depth = torch.from_numpy(predict_depth(self.teacher, view.zoomed, sequence.fps, progress))
        if refine:
            depth = refine_bones(view.zoomed, depth, unit)
        points = unproject(view.rays, depth / view.zoom[:, None], unit).double().numpy()
        points *= pelvis_distance(points, sequence, height_m)[:, None, None]
        joints = np.einsum("fji,fkj->fki", view.R_virtual_cam, points)
        progress(1.0)
        return self._result(sequence, view, joints)


class BodyLifter(Lifter):
    """The student: a body of its own size in SMPL's format, fitted to the 2D."""

    def __init__(self, teacher: Teacher, student: Student, name: str, device: str | None = None):
        super().__init__(teacher, name, device)
        self.student = student.to(self.device).eval()
        self.body = load_body()
        self.landmarks = landmarks_of(self.body)

    def __call__(
        self, sequences: Sequence[PoseSequence], *, fit: bool = True, progress: OnProgress | None = None
    ) -> list[Lifted]:
        """Lift every sequence.

        Args:
            sequences: 2D sequences.
            fit: move the body's joints towards the 2D (`posenet3d.lifting.fit_body`); False is the network alone.
            progress: told the share done; an exception raised in it stops the work.
        """
        return [self._lift(sequence, fit, of_clip) for sequence, of_clip in _with_progress(sequences, progress)]

    @network_threads()
    @torch.no_grad()
    def _lift(self, sequence: PoseSequence, fit: bool, progress: OnProgress) -> Lifted:
        view = self._view(sequence)
        if fit:
            track = fit_body_to_clip(self.student, self.landmarks, view.zoomed, sequence.fps, progress)
        else:
            track = predict_body(self.student, view.zoomed, sequence.fps, progress)
        rotations = track.rotations.clone()
        rotations[:, 0] = torch.from_numpy(view.R_virtual_cam.transpose(0, 2, 1)).float() @ rotations[:, 0]
        betas = track.betas.expand(len(rotations), -1)
        landmarks = self.landmarks(rotations, betas).double().numpy()
        # The pelvis landmark belongs on its ray at the student's distance; the zoomed view made the person seem nearer.
        pelvis = view.R_virtual_cam[:, 2] * (track.distance * view.zoom).double().numpy()[:, None]
        transl = pelvis - landmarks[:, JOINT["pelvis"]]
        rotvecs = roma.rotmat_to_rotvec(rotations).numpy()
        body = BodyParameters(
            body_model=self.body.name,
            betas=track.betas[None].numpy().astype(np.float32),
            global_orient=rotvecs[:, 0].copy(),
            body_pose=rotvecs[:, 1:].reshape(len(rotvecs), -1).copy(),
            transl=transl.astype(np.float32),
        )
        progress(1.0)
        return self._result(sequence, view, landmarks + transl[:, None], body)


def _with_progress(
    sequences: Sequence[PoseSequence], progress: OnProgress | None
) -> list[tuple[PoseSequence, OnProgress]]:
    """Return each sequence with a callback for its share of the frames."""
    if progress is None:
        return [(sequence, no_progress) for sequence in sequences]
    total, done, pairs = sum(len(s) for s in sequences), 0, []
    for sequence in sequences:
        pairs.append((sequence, part(progress, done / total, (done + len(sequence)) / total)))
        done += len(sequence)
    return pairs
