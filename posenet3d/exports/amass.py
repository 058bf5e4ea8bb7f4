"""Npz in the style of AMASS (Mahmood et al., AMASS, ICCV 2019), for programs that play its files."""

import io

import numpy as np

from posenet3d import __version__
from posenet3d.body.layer import Body
from posenet3d.body.motion import body_motion
from posenet3d.core.axes import AXES
from posenet3d.core.lifted import Lifted
from posenet3d.exports.formats import Exported


def amass_npz(lifted: Lifted, axes: str = "z_up", body: Body | None = None) -> Exported:
    """Return the parameters of a clip's body in AMASS's fields.

    Fields: ``poses`` (frames, 72), SMPL's axis-angle in radians, the root first; ``betas`` (10,); ``trans`` (frames, 3),
    metres; ``mocap_framerate``; ``gender`` 'neutral'. AMASS itself has SMPL-H's 156 values, of which the first 66 are
    these first 66; SMPL's two hand joints follow. Fields that AMASS lacks: ``body_model``, the body that the betas belong
    to; ``R_file_camera``, the rotation from the camera's frame into the file's; ``is_held``, the frames without a person,
    which repeat the last pose because the format has no missing values.

    Args:
        lifted: a clip with a body.
        axes: by default AMASS's, z up; `trans` is adapted so that the whole body rotates about the camera.
        body: as for `body_motion`.

    Raises:
        InputError: as `body_motion`.
    """
    motion = body_motion(lifted, axes, body)
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
