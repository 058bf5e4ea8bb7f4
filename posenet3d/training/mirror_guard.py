"""The guard against the depth-mirrored world, in which every person walks inside out and no 2D loss minds."""

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.normalise import unproject
from posenet3d.losses import bones
from posenet3d.models.teacher import Teacher


def handedness(pose: Float[Tensor, "*batch joints 3"]) -> float:
    """Share of clearly bent knees and elbows that bend the way a body does; below one half is the mirror world."""
    bend = bones.bending(pose)
    clear = bend[bend.abs() > 0.1]
    return float((clear > 0).float().mean()) if len(clear) else 0.5


@torch.no_grad()
def repair_mirror_world(teacher: Teacher, rays: Float[Tensor, "frames joints 2"]) -> bool:
    """Turn depth over if the per-frame lifter lives in the depth-mirrored world; True if it had to.

    Both worlds explain the 2D equally well, so training settles in either. Only the body knows: knees bend one way.
    """
    was_training = teacher.training
    teacher.eval()
    rays = rays.to(next(teacher.parameters()).device)
    points = unproject(rays, teacher.lift_frames(rays), teacher.config.unit)
    teacher.train(was_training)
    if handedness(points - points[:, :1]) >= 0.5:
        return False
    teacher.depth_sign.neg_()
    return True
