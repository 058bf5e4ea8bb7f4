"""Rotations for training: about a coordinate axis, and to random camera views; built on roma."""

import math

import roma
import torch
from jaxtyping import Float


def turn_about(axis: str, angle: Float[torch.Tensor, " batch"]) -> Float[torch.Tensor, "batch 3 3"]:
    """Return rotation matrices by `angle` radians about 'x', 'y' or 'z' (right-handed)."""
    unit = torch.zeros(len(angle), 3, dtype=angle.dtype, device=angle.device)
    unit[:, "xyz".index(axis)] = 1.0
    return roma.rotvec_to_rotmat(unit * angle[:, None])


def random_views(
    count: int, tilt_mean: float, tilt_sd: float, roll_sd: float, rng: torch.Generator
) -> Float[torch.Tensor, "batch 3 3"]:
    """Draw R_other_cam: rotations of a person about the true vertical, as another camera of the same kind sees them.

    The camera looks down by some angle, so its y axis is not the vertical. The rotation undoes the mean tilt, turns about
    the vertical by any angle, tilts again by an angle from the distribution of the cameras, and rolls a little.
    Source: ElePose (CVPR 2022), section 3.3, with one mean tilt instead of a tilt per pose.

    Args:
        count: number of rotations.
        tilt_mean: mean angle by which the cameras look down (rad).
        tilt_sd: its standard deviation (rad).
        roll_sd: standard deviation of the roll (rad).
        rng: random numbers.
    """

    def normal() -> torch.Tensor:
        return torch.randn(count, generator=rng)

    azimuth = (torch.rand(count, generator=rng) * 2 - 1) * math.pi
    untilt = turn_about("x", torch.full((count,), -tilt_mean))
    retilt = turn_about("x", tilt_mean + tilt_sd * normal())
    return turn_about("z", roll_sd * normal()) @ retilt @ turn_about("y", azimuth) @ untilt
