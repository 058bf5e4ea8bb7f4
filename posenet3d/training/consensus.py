"""The consensus of teacher and student: the mean of their poses, a target of stage 3."""

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from posenet3d.body.landmarks import Landmarks
from posenet3d.core.normalise import unproject
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.lifting.fit_body import fit_body_to_clip
from posenet3d.lifting.sliding_window import predict_depth
from posenet3d.models.student import Student
from posenet3d.models.teacher import Teacher
from posenet3d.training.clips import Clips


@torch.no_grad()
def consensus_of(
    teacher: Teacher, student: Student, landmarks: Landmarks, clips: Clips
) -> Float[Tensor, "frames 17 3"]:
    """Return the mean of both networks' poses, each as a user would get it; from the pelvis, in root distances.

    `clips` are at the pelvis. Poses are scaled to each other frame by frame before they are averaged.
    """
    out = torch.empty(len(clips.rays), N_JOINTS, 3)
    for start, stop in tqdm(clips.bounds, desc="consensus", leave=False):
        rays = clips.rays[start:stop]
        skeleton = unproject(rays, torch.from_numpy(predict_depth(teacher, rays)), teacher.config.unit)
        skeleton = skeleton - skeleton[:, :1]
        track = fit_body_to_clip(student, landmarks, rays)
        body = landmarks(track.rotations, track.betas.expand(len(rays), -1))
        body = body - body[:, :1]
        scale = (skeleton * body).sum((1, 2)) / body.square().sum((1, 2))
        out[start:stop] = (skeleton + scale[:, None, None] * body) / 2
    return out
