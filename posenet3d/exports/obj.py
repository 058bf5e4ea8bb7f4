"""OBJ: the mesh of one frame, for any 3D program."""

import io

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from posenet3d.body.layer import Body
from posenet3d.body.motion import body_motion, is_licensed
from posenet3d.core.lifted import Lifted
from posenet3d.errors import InputError
from posenet3d.exports.formats import Exported


def obj_file(lifted: Lifted, frame: int | None = None, axes: str = "y_up", body: Body | None = None) -> Exported:
    """Return the posed skin of one frame with vertex colours, metres, by default y up; pose correctives included.

    Args:
        lifted: a clip with a body.
        frame: counted from 0; the first frame with a person if None. Frames without a person are refused.
        axes: a name in `AXES`.
        body: as for `body_motion`.

    Raises:
        InputError: as `body_motion`, or there is no such frame, or it has no person.
    """
    motion = body_motion(lifted, axes, body)
    if frame is None:
        frame = int(motion.is_known.argmax())
    if not 0 <= frame < len(lifted):
        raise InputError(f"--frame {frame}", f"is not in clip {lifted.name!r}", f"give 0 to {len(lifted) - 1}")
    if not motion.is_known[frame]:
        known = np.flatnonzero(motion.is_known)
        near = int(known[np.abs(known - frame).argmin()])
        raise InputError(f"--frame {frame}", "has no person", f"take {near}, the nearest frame with one")
    rotations = Rotation.from_rotvec(motion.rotvecs[frame]).as_matrix()[None]
    rotations, betas, transl = (
        torch.from_numpy(values).to(motion.body.template)
        for values in (rotations, motion.betas[None], motion.transl[frame : frame + 1])
    )
    vertices = motion.body(rotations, betas, transl).vertices[0].double().numpy()
    arrays = motion.body.arrays
    if arrays.colors is not None:
        vertices = np.concatenate([vertices, arrays.colors / 255.0], axis=1)
    text = io.StringIO()
    text.write(f"# body {motion.body.name}, frame {frame}, {axes}, metres\no body\n")
    np.savetxt(text, vertices, fmt="v" + " %.6f" * vertices.shape[1])
    np.savetxt(text, arrays.faces + 1, fmt="f %d %d %d")  # OBJ counts from 1
    return Exported(text.getvalue().encode(), is_licensed=is_licensed(motion.body))
