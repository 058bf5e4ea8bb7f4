"""Convert a body to an ``smplx.SMPL``, to check ours against it and for programs that expect smplx.

smplx is under a non-commercial research licence, so nothing else in the library depends on it. It is imported on use.
"""

import contextlib
import io
from typing import TYPE_CHECKING

import numpy as np

from posenet3d.body.layer import BODY_PARENTS, N_BODY_JOINTS, Body
from posenet3d.errors import InputError

if TYPE_CHECKING:
    from smplx import SMPL


def to_smplx(body: Body, batch_size: int = 1) -> "SMPL":
    """Return an ``smplx.SMPL`` with this body's arrays, in float32.

    smplx appends some vertices as joints 24 to 44, by default with SMPL's vertex numbers, which are wrong on any other mesh.
    For a body with `named_vertices` these are used instead.

    Raises:
        InputError: smplx is not installed.
    """
    try:
        from smplx import SMPL
        from smplx.utils import Struct
    except ImportError as error:
        raise InputError("smplx", "is not installed", "pip install smplx") from error
    arrays = body.arrays
    posedirs = arrays.posedirs
    if posedirs is None:
        posedirs = np.zeros((*arrays.vertices.shape, 9 * (N_BODY_JOINTS - 1)), dtype=np.float32)
    data = Struct(
        v_template=arrays.vertices,
        f=arrays.faces,
        shapedirs=arrays.shapedirs,
        posedirs=posedirs,
        J_regressor=arrays.joint_regressor.toarray(),
        weights=arrays.weights,
        kintree_table=np.stack([BODY_PARENTS, np.arange(N_BODY_JOINTS)]),
    )
    with contextlib.redirect_stdout(io.StringIO()):  # smplx prints a warning about ten betas
        return SMPL("", data_struct=data, vertex_ids=arrays.named_vertices or None, batch_size=batch_size)
