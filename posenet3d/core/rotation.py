"""Rotations for training code: named turns and random views, on top of roma."""

import math

import roma
import torch
from jaxtyping import Float


def turn_about(axis: str, angle: Float[torch.Tensor, " batch"]) -> Float[torch.Tensor, "batch 3 3"]:
    """Rotation matrices by `angle` radians about 'x', 'y' or 'z' (right-handed)."""
    unit = torch.zeros(len(angle), 3, dtype=angle.dtype, device=angle.device)
    unit[:, "xyz".index(axis)] = 1.0
    return roma.rotvec_to_rotmat(unit * angle[:, None])


def random_views(
    count: int, tilt_mean: float, tilt_sd: float, roll_sd: float, rng: torch.Generator
) -> Float[torch.Tensor, "batch 3 3"]:
    """R_other_cam: turn a person about the true vertical, as seen from another camera of the same kind.

    The camera looks down by some angle, so its y axis is not the vertical. Undo the mean tilt, spin about the vertical by
    any angle, tilt again by an angle drawn from the cameras' distribution, and roll a little (ElePose, CVPR 2022, section
    3.3, with a shared mean in place of a tilt per pose).
    """

    def normal() -> torch.Tensor:
        return torch.randn(count, generator=rng)

    azimuth = (torch.rand(count, generator=rng) * 2 - 1) * math.pi
    untilt = turn_about("x", torch.full((count,), -tilt_mean))
    retilt = turn_about("x", tilt_mean + tilt_sd * normal())
    return turn_about("z", roll_sd * normal()) @ retilt @ turn_about("y", azimuth) @ untilt
