"""The student: a window of 2D joints to the pose, shape and distance of a body in SMPL's format.

Coordinates as for the teacher: a virtual camera looks at the pelvis. The body is in metres, so its distance is predicted too.
"""

from dataclasses import dataclass
from typing import NamedTuple

import roma
import torch
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.body.landmarks import Landmarks
from posenet3d.body.layer import N_BETAS, N_BODY_JOINTS
from posenet3d.core.normalise import apparent_size
from posenet3d.core.skeleton import N_JOINTS
from posenet3d.models.blocks import ResidualMLP

_ROTATIONS = 6 * N_BODY_JOINTS


@dataclass(frozen=True)
class StudentConfig:
    """Settings of `Student`."""

    width: int = 384
    blocks: int = 3
    window: int = 9  # as the teacher's, so that both see the same 0.8 s
    stride: int = 3
    temporal_blocks: int = 2
    unit: float = 0.127  # the teacher's
    spread_m: float = 0.37  # apparent size times distance of an adult at rest: only the starting point of the distance

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0 or self.stride < 1 or self.width < 1:
            raise ValueError("model.window must be odd and at least 3, model.stride and model.width at least 1")


class BodyWindow(NamedTuple):
    """A window of one person's body; rotations are relative to the parent joint, the root's to the virtual camera."""

    rotations: Float[Tensor, "batch steps 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    distance: Float[Tensor, "batch steps"]  # metres from the camera to the pelvis landmark


class Student(nn.Module):
    """Joint rotations in 6D (Zhou et al., CVPR 2019), one shape per window, and the distance of every frame."""

    rest: Tensor

    def __init__(self, config: StudentConfig):
        super().__init__()
        self.config = config
        outputs = _ROTATIONS + N_BETAS + 1
        self.frame = ResidualMLP(2 * N_JOINTS, outputs, config.width, config.blocks)
        seen = config.window * (2 * N_JOINTS + outputs)
        self.temporal = ResidualMLP(seen, config.window * outputs, config.width, config.temporal_blocks)
        nn.init.zeros_(self.temporal.outlet.weight)  # the refinement starts from the per-frame answer
        # And that from a mean person at rest: random shapes of four sigma took long to come back from.
        with torch.no_grad():
            self.frame.outlet.weight.mul_(0.1)
            self.frame.outlet.weight[_ROTATIONS:] = 0
        # The body stands y up; upright before a camera with y down is half a turn about x, which also makes it face us.
        rest = torch.eye(3).repeat(N_BODY_JOINTS, 1, 1)
        rest[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        self.register_buffer("rest", rest[..., :2].flatten(), persistent=False)

    @property
    def offsets(self) -> Tensor:
        """Frame offsets of a window, in frames, the middle one 0."""
        return (torch.arange(self.config.window) - self.config.window // 2) * self.config.stride

    def forward(self, rays: Float[Tensor, "batch steps joints 2"]) -> BodyWindow:
        """The body in every frame of the window."""
        return self.refine(rays, self.raw_frames(rays.flatten(0, 1)).unflatten(0, rays.shape[:2]))

    def raw_frames(self, rays: Float[Tensor, "frames joints 2"]) -> Float[Tensor, "frames outputs"]:
        """The per-frame answers, before the window has its say."""
        return self.frame(self._scaled(rays).flatten(1))

    def refine(
        self, rays: Float[Tensor, "batch steps joints 2"], raw: Float[Tensor, "batch steps outputs"]
    ) -> BodyWindow:
        """Per-frame answers corrected by the whole window."""
        return self.decode(
            rays, raw + self.temporal(torch.cat([self._scaled(rays).flatten(1), raw.flatten(1)], -1)).view_as(raw)
        )

    def decode(
        self, rays: Float[Tensor, "batch steps joints 2"], out: Float[Tensor, "batch steps outputs"]
    ) -> BodyWindow:
        """The body that the networks' answers describe."""
        turns, betas, log_ratio = out.split([_ROTATIONS, N_BETAS, 1], dim=-1)
        rotations = roma.special_gramschmidt((turns + self.rest).unflatten(-1, (N_BODY_JOINTS, 3, 2)))
        distance = self.config.spread_m / apparent_size(rays).clamp(min=1e-4) * log_ratio[..., 0].clamp(-1, 1).exp()
        return BodyWindow(rotations, 3 * torch.tanh(betas.mean(1) / 3), distance)  # beyond 3 sigma nobody was sampled

    def start_from(self, teacher: ResidualMLP) -> None:
        """Begin with what the teacher's per-frame lifter sees in a pose, where both have the same shape; all but the outlet."""
        mine, theirs = self.frame.state_dict(), teacher.state_dict()
        seen = {name: value for name, value in theirs.items() if not name.startswith("outlet.")}
        if all(name in mine and mine[name].shape == value.shape for name, value in seen.items()):
            self.frame.load_state_dict(mine | seen)

    def _scaled(self, rays: Tensor) -> Tensor:
        return rays * (1.6 / self.config.unit)  # about unit variance, as for the teacher


def landmarks_in_root_distances(embodied: BodyWindow, landmarks: Landmarks) -> Float[Tensor, "batch steps joints 3"]:
    """The body's 17 landmarks relative to the pelvis, in the teacher's unit (its distance from the camera is 1)."""
    batch, steps = embodied.rotations.shape[:2]
    betas = embodied.betas[:, None].expand(batch, steps, -1)
    points = landmarks(embodied.rotations.flatten(0, 1), betas.flatten(0, 1)).unflatten(0, (batch, steps))
    return (points - points[:, :, :1]) / embodied.distance[..., None, None]
