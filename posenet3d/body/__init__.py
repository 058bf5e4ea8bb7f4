"""Bodies in SMPL's format: 24 joints, 10 shape values (betas), a skinned mesh; posed in PyTorch, with gradients.

- `layer`: shape, kinematics and skinning. `landmarks`: 17 joints of the skin without computing the skin.
- `files`: the open default body that ships, and official SMPL files where the user has them: by path, or dropped as
  ``SMPL_NEUTRAL.pkl`` (``.npz``; ``MALE``, ``FEMALE``) in the folder ``$POSENET3D_BODIES``, by default ``bodies`` in the
  user's data folder (`files.bodies_folder`). `posenet3d.safe_pickle` reads those without running anything in them.
- `parameters`: poses and betas with the name of the body they belong to. `smplx_model`: the same body as an ``smplx.SMPL``.

Body frame: metres, y up, facing +z, the body's left at +x. The default body is not SMPL: poses mean the same on both, betas
do not, so betas carry their body's name and another body refuses them.
"""
