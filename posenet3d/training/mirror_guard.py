"""The guard against depth-mirrored poses: the 2D losses accept them as well, so a trained lifter may settle on them."""

import torch
from jaxtyping import Float
from torch import Tensor

from posenet3d.core.normalise import unproject
from posenet3d.losses import bones
from posenet3d.models.teacher import Teacher


def handedness(pose: Float[Tensor, "*batch joints 3"]) -> float:
    """Return the share of clearly bent knees and elbows that bend in the anatomical direction; mirrored poses are below 0.5."""
    bend = bones.bending(pose)
    clear = bend[bend.abs() > 0.1]
    return float((clear > 0).float().mean()) if len(clear) else 0.5


@torch.no_grad()
def repair_mirrored_depth(teacher: Teacher, rays: Float[Tensor, "frames joints 2"]) -> bool:
    """Negate the teacher's depth if its per-frame poses are depth-mirrored; return whether they were.

    Mirrored poses explain the 2D equally well, so training settles on either sign. Only anatomy decides: knees bend one way.
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
