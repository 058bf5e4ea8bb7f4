"""Npz in the style of AMASS (Mahmood et al., AMASS, ICCV 2019), for programs that play its files."""

import io

import numpy as np

from posenet3d import __version__
from posenet3d.body.layer import Body
from posenet3d.body.motion import body_motion
from posenet3d.core.axes import AXES
from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported

N_POSES, N_BODY_POSES = 156, 66
"""Values of SMPL-H's pose, and those of its root and 21 body joints, which are SMPL's, too."""

N_BETAS, N_DMPLS = 16, 8
"""Numbers of shape and of soft tissue in AMASS's files."""


def amass_npz(lifted: Lifted, axes: str = "z_up", body: Body | None = None) -> Exported:
    """Return the parameters of a clip's body in AMASS's fields.

    Fields, as human_body_prior, aitviewer and the SMPL-X add-on of Blender slice them: ``poses`` (frames, 156), SMPL-H's
    axis-angle in radians: the root, 21 body joints, 30 finger joints that are zero; ``betas`` (16,), of which 10 are known
    and 6 zero; ``dmpls`` (frames, 8), zero; ``trans`` (frames, 3), metres; ``mocap_framerate``; ``gender`` 'neutral'.

    Fields that AMASS lacks: ``poses_smpl`` (frames, 72), the same pose with SMPL's two hand joints, which SMPL-H replaces by
    fingers; ``body_model``, the body that the betas belong to; ``R_file_camera``, the rotation from the camera's frame into
    the file's; ``is_held``, the frames without a person, which repeat the last pose because the format has no missing values.

    Args:
        lifted: a clip with a body.
        axes: by default AMASS's, z up; `trans` is adapted so that the whole body rotates about the camera.
        body: as for `body_motion`.

    Raises:
        InputError: as `body_motion`.
    """
    motion = body_motion(lifted, axes, body)
    frames = len(lifted)
    poses_smpl = motion.rotvecs.reshape(frames, -1)
    poses, betas = np.zeros((frames, N_POSES)), np.zeros(N_BETAS)
    poses[:, :N_BODY_POSES] = poses_smpl[:, :N_BODY_POSES]
    betas[: len(motion.betas)] = motion.betas
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        poses=poses,
        poses_smpl=poses_smpl,
        betas=betas,
        dmpls=np.zeros((frames, N_DMPLS)),
        trans=motion.transl,
        mocap_framerate=np.array(lifted.fps, np.float64),
        gender=np.array("neutral"),
        body_model=np.array(motion.body.name),
        axes=np.array(axes),
        R_file_camera=AXES[axes],
        is_held=~motion.is_known,
        generator=np.array(f"posenet3d {__version__}"),
    )
    return Exported(buffer.getvalue(), n_held=motion.n_held)
