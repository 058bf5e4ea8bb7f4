"""The teacher on single frames, for comparison: its jitter is what temporal refinement removes."""

import numpy as np
import torch
from jaxtyping import Float

from posenet3d.core import camera
from posenet3d.core.normalise import apparent_size, mirror, unproject
from posenet3d.core.sequence import PoseSequence
from posenet3d.core.skeleton import JOINT, MIRROR
from posenet3d.models.teacher import Teacher

_PELVIS = JOINT["pelvis"]


@torch.no_grad()
def lift_single_frames(
    teacher: Teacher, sequence: PoseSequence, joints_3d: Float[np.ndarray, "frames 17 3"]
) -> Float[np.ndarray, "frames 17 3"]:
    """Lift every frame by itself with the teacher's per-frame network, from the raw 2D; joints in metres, camera frame.

    Args:
        teacher: in evaluation mode.
        sequence: the 2D.
        joints_3d: the same frames, lifted with temporal refinement. Its pelvis gives the distance, which one frame hardly
            determines. Its projection replaces unseen joints, because the network needs all 17.

    Returns:
        NaN where a joint was not seen and in frames without `joints_3d`.
    """
    K = sequence.intrinsics()
    joints_3d = joints_3d.astype(np.float64)
    seen = sequence.is_observed[..., None]
    rays_cam = camera.to_rays(np.where(seen, sequence.keypoints_px, camera.project(joints_3d, K)), K)
    known = np.flatnonzero(np.isfinite(rays_cam).all((1, 2)) & np.isfinite(joints_3d[:, _PELVIS]).all(-1))
    R_virtual_cam = camera.look_at_rays(rays_cam[known, _PELVIS])
    rays = torch.from_numpy(camera.turn_rays(R_virtual_cam, rays_cam[known]).astype(np.float32))
    size = apparent_size(rays)
    low, high = (teacher.config.unit * s for s in teacher.config.sizes)
    near = (size.clamp(low, high) / size)[
        :, None
    ]  # as through a longer lens: see `posenet3d.lifting.scale.zoom_to_usual_size`
    zoomed = rays * near[..., None]
    offsets = (teacher.lift_frames(zoomed) + teacher.lift_frames(mirror(zoomed))[:, list(MIRROR)]) / 2
    points = unproject(rays, offsets / near, teacher.config.unit).double().numpy()
    points *= np.linalg.norm(joints_3d[known, _PELVIS], axis=-1)[:, None, None]
    alone = np.full_like(joints_3d, np.nan)
    alone[known] = np.einsum("fji,fkj->fki", R_virtual_cam, points)
    return np.where(seen, alone, np.nan)
