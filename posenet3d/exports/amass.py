"""Npz in the style of AMASS (Mahmood et al., AMASS, ICCV 2019), for programs that play its files."""

import io

import numpy as np

from posenet3d import __version__
from posenet3d.body.layer import Body
from posenet3d.core.lifted import Lifted
from posenet3d.exports.motion import AXES, Exported, motion_of


def amass_npz(lifted: Lifted, axes: str = "z_up", body: Body | None = None) -> Exported:
    """Parameters of a clip's body.

    Fields: ``poses`` (frames, 72), SMPL's axis-angle in radians, the root first; ``betas`` (10,); ``trans`` (frames, 3),
    metres; ``mocap_framerate``; ``gender`` 'neutral'. AMASS itself has SMPL-H's 156 values, of which the first 66 are
    these first 66; SMPL's two hand joints follow. Beyond AMASS: ``body_model`` names the body that the betas belong to,
    ``R_file_camera`` the turn from the camera's frame into the file's, and ``is_held`` the frames in which nobody was
    seen: they hold the last pose, for the format has no missing values.

    Args:
        lifted: a clip with a body.
        axes: by default AMASS's, z up; `trans` is chosen so that the body is turned as a whole about the camera.
        body: as for `motion_of`.

    Raises:
        InputError: as `motion_of`.
    """
    motion = motion_of(lifted, axes, body)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        poses=motion.rotvecs.reshape(len(lifted), -1),
        betas=motion.betas,
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
