"""Pose and shape of a body over time, with the name of the body model they belong to."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from posenet3d.errors import InputError


@dataclass(frozen=True)
class BodyParameters:
    """Parameters of a body in SMPL's format: one shape per clip, one pose per frame.

    Poses mean the same on every body. Betas do not: the same ten numbers are another person on another body model. So
    they carry the name of their body model, and `check_for` refuses any other.

    Attributes:
        body_model: `Body.name` of the body that the betas describe.
        betas: shape, (clips, 10).
        global_orient: rotation of the root, axis-angle in radians, (frames, 3).
        body_pose: rotations of the 23 other joints against their parents, axis-angle in radians, (frames, 69).
        transl: metres, (frames, 3).
    """

    body_model: str
    betas: Float[np.ndarray, "clips 10"]
    global_orient: Float[np.ndarray, "frames 3"]
    body_pose: Float[np.ndarray, "frames 69"]
    transl: Float[np.ndarray, "frames 3"]

    def __post_init__(self) -> None:
        frames = len(self.body_pose)
        shapes = {
            "betas": (len(self.betas), 10),
            "global_orient": (frames, 3),
            "body_pose": (frames, 69),
            "transl": (frames, 3),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")

    def at(self, rows: Int[np.ndarray, " rows"]) -> "BodyParameters":
        """Return the parameters of these frames only."""
        per_frame = {name: getattr(self, name)[rows] for name in ("global_orient", "body_pose", "transl")}
        return replace(self, **per_frame)

    def check_for(self, body_name: str, file: str = "body parameters") -> None:
        """Refuse a body model to which the betas do not belong.

        Args:
            body_name: `Body.name` of the body that is to be posed.
            file: origin of the parameters, for the message.

        Raises:
            InputError: the betas belong to another body model.
        """
        if self.body_model != body_name:
            raise InputError(
                file,
                f"the betas belong to the body '{self.body_model}', not to '{body_name}'",
                "load that body, or keep the pose and set the betas to zero",
            )
