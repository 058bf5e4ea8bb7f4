"""The student: from a window of 2D joints to the pose, shape and distance of a body in SMPL's format.

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
from posenet3d.models.blocks import ResidualMLP, check_sizes

_ROTATIONS = 6 * N_BODY_JOINTS


@dataclass(frozen=True)
class StudentConfig:
    """Settings of `Student`."""

    width: int = 384
    blocks: int = 3
    window: int = 9  # as the teacher's: both see the same 0.8 s
    stride: int = 3
    temporal_blocks: int = 2
    unit: float = 0.127  # the teacher's
    spread_m: float = 0.37  # apparent size times distance of an adult at rest: only the starting point of the distance

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0 or self.stride < 1 or self.width < 1:
            raise ValueError("model.window must be odd and at least 3, model.stride and model.width at least 1")
        check_sizes(self.width, self.window, self.stride, self.blocks, self.temporal_blocks)
        if min(self.unit, self.spread_m) <= 0 or min(self.blocks, self.temporal_blocks) < 0:
            raise ValueError("model.unit and model.spread_m must be greater than 0, numbers of blocks at least 0")


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
        inputs = config.window * (2 * N_JOINTS + outputs)
        self.temporal = ResidualMLP(inputs, config.window * outputs, config.width, config.temporal_blocks)
        nn.init.zeros_(self.temporal.outlet.weight)  # the refinement starts from the per-frame answer
        # The per-frame answer starts from a mean person at rest: training from random shapes of four sigma took long.
        with torch.no_grad():
            self.frame.outlet.weight.mul_(0.1)
            self.frame.outlet.weight[_ROTATIONS:] = 0
        # The body stands y up. Half a turn about x puts it upright before a camera with y down, facing the camera.
        rest = torch.eye(3).repeat(N_BODY_JOINTS, 1, 1)
        rest[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        self.register_buffer("rest", rest[..., :2].flatten(), persistent=False)

    @property
    def offsets(self) -> Tensor:
        """Frames of a window relative to its middle."""
        return (torch.arange(self.config.window) - self.config.window // 2) * self.config.stride

    def forward(self, rays: Float[Tensor, "batch steps joints 2"]) -> BodyWindow:
        """Return the body in every frame of the window."""
        return self.refine(rays, self.raw_frames(rays.flatten(0, 1)).unflatten(0, rays.shape[:2]))

    def raw_frames(self, rays: Float[Tensor, "frames joints 2"]) -> Float[Tensor, "frames outputs"]:
        """Return the per-frame outputs, before temporal refinement."""
        return self.frame(self._scaled(rays).flatten(1))

    def refine(
        self, rays: Float[Tensor, "batch steps joints 2"], raw: Float[Tensor, "batch steps outputs"]
    ) -> BodyWindow:
        """Refine per-frame outputs over the window and return the body."""
        return self.decode(
            rays, raw + self.temporal(torch.cat([self._scaled(rays).flatten(1), raw.flatten(1)], -1)).view_as(raw)
        )

    def decode(
        self, rays: Float[Tensor, "batch steps joints 2"], out: Float[Tensor, "batch steps outputs"]
    ) -> BodyWindow:
        """Convert the networks' outputs to a body."""
        turns, betas, log_ratio = out.split([_ROTATIONS, N_BETAS, 1], dim=-1)
        rotations = roma.special_gramschmidt((turns + self.rest).unflatten(-1, (N_BODY_JOINTS, 3, 2)))
        distance = self.config.spread_m / apparent_size(rays).clamp(min=1e-4) * log_ratio[..., 0].clamp(-1, 1).exp()
        return BodyWindow(rotations, 3 * torch.tanh(betas.mean(1) / 3), distance)  # no shape beyond 3 sigma was sampled

    def start_from(self, teacher: ResidualMLP) -> None:
        """Copy the weights of the teacher's per-frame lifter, all but the last layer; do nothing where the sizes differ."""
        own = self.frame.state_dict()
        copied = {name: value for name, value in teacher.state_dict().items() if not name.startswith("outlet.")}
        if all(name in own and own[name].shape == value.shape for name, value in copied.items()):
            self.frame.load_state_dict(own | copied)

    def _scaled(self, rays: Tensor) -> Tensor:
        return rays * (1.6 / self.config.unit)  # about unit variance, as for the teacher


def landmarks_in_root_distances(body: BodyWindow, landmarks: Landmarks) -> Float[Tensor, "batch steps joints 3"]:
    """Return the body's 17 landmarks relative to the pelvis, in root distances (the pelvis is at distance 1)."""
    batch, steps = body.rotations.shape[:2]
    betas = body.betas[:, None].expand(batch, steps, -1)
    points = landmarks(body.rotations.flatten(0, 1), betas.flatten(0, 1)).unflatten(0, (batch, steps))
    return (points - points[:, :, :1]) / body.distance[..., None, None]
