"""Bodies in SMPL's format: 24 joints, 10 shape values (betas), a skinned mesh; posed in PyTorch, with gradients.

- `layer`: shape, kinematics and skinning. `landmarks`: the 17 joints on the skin, without computing the skin.
- `files`: the open default body that is included, and official SMPL files of the user: by path, or as
  ``SMPL_NEUTRAL.pkl`` (``.npz``; ``MALE``, ``FEMALE``) in the folder ``$POSENET3D_BODIES``, by default ``bodies`` in the
  user's data folder (`files.bodies_folder`). `posenet3d.safe_pickle` reads them without executing anything in them.
- `smplx_model`: the same body as an ``smplx.SMPL``. Poses and betas are in `posenet3d.core.body_parameters`.

Body frame: metres, y up, facing +z, the body's left at +x. The default body is not SMPL. Poses mean the same on both, betas
do not: betas carry the name of their body, and another body refuses them.
"""
