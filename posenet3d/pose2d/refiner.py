"""Stage 2: the image-guided progressive graph network (IGP-GCN), which refines the student's pose.

Joints are nodes, bones are edges. The pose moves in three blocks. Before each block every joint samples a feature map of the
frozen student at its current position, coarse maps first. The layout is that of OPEC-Net (Qiu et al., ECCV 2020), whose
module's name the paper (Ji et al., 2025) uses; `opec_compat` restores what we changed.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.pose2d.pose_network import PYRAMID_CHANNELS, EstimatorConfig, Maps, PoseOutput, decode

BONES = {
    "coco17": (
        "l_ankle-l_knee l_knee-l_hip r_ankle-r_knee r_knee-r_hip l_hip-r_hip l_shoulder-l_hip r_shoulder-r_hip "
        "l_shoulder-r_shoulder l_shoulder-l_elbow r_shoulder-r_elbow l_elbow-l_wrist r_elbow-r_wrist l_eye-r_eye nose-l_eye "
        "nose-r_eye l_eye-l_ear r_eye-r_ear l_ear-l_shoulder r_ear-r_shoulder"
    ),
    # Not the file's own `skeleton`, which is COCO's and means nothing for 14 joints.
    "crowdpose14": (
        "l_ankle-l_knee l_knee-l_hip r_ankle-r_knee r_knee-r_hip l_hip-r_hip l_shoulder-l_hip r_shoulder-r_hip "
        "l_shoulder-r_shoulder l_shoulder-l_elbow r_shoulder-r_elbow l_elbow-l_wrist r_elbow-r_wrist head_top-neck "
        "neck-l_shoulder neck-r_shoulder"
    ),
}
"""Edges of the graph by joint set."""


@dataclass(frozen=True)
class RefinerConfig:
    """Shape of the refiner."""

    RENAMED: ClassVar[dict[str, str]] = {"sees_image": "uses_image"}

    joint_set: str = "crowdpose14"
    width: int = 16  # of the student's backbone
    hidden: int = 64
    uses_image: bool = True
    is_graph: bool = True  # False: dense layers over all joints, of about the same size
    opec_compat: bool = False

    def __post_init__(self) -> None:
        if self.joint_set not in BONES:
            raise ValueError(f"there are no bones for joint set '{self.joint_set}'")
        if self.hidden < 4 or self.hidden % 4:
            raise ValueError("hidden must be a multiple of 4")


class RefinerInput(NamedTuple):
    """The student's pose (-1 to 1 across the crop), its confidence and feature maps."""

    pose: Float[Tensor, "batch joints 2"]
    confidence: Float[Tensor, "batch joints"]
    maps: Maps


class Refiner(nn.Module):
    """Refines a pose in three blocks, each guided by a finer map."""

    def __init__(self, config: RefinerConfig):
        super().__init__()
        self.config = config
        edges = adjacency(config.joint_set) if config.is_graph else None
        joints = len(JOINT_SETS[config.joint_set])
        h, sampled = (128, (256, 128, 128)) if config.opec_compat else (config.hidden, (config.hidden,) * 3)
        sampled = sampled if config.uses_image else (0, 0, 0)
        self.inlet = _Graph(3, h, joints, edges)
        self.norm = _Norm(h)
        self.first = _ResidualBlock(h, joints, edges)
        given = (PYRAMID_CHANNELS, PYRAMID_CHANNELS, config.width)
        self.adapt = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(given, sampled, strict=True) if b)
        widths = [h + sum(sampled[: level + 1]) for level in range(3)]
        self.blocks = nn.ModuleList(_ResidualBlock(width, joints, edges) for width in widths)
        self.heads = nn.ModuleList(_Graph(width, 2, joints, edges) for width in widths)
        if not config.opec_compat:  # start as the identity: with other heads the refiner was seen to do harm
            for head in self.heads:
                assert isinstance(head, _Graph)
                head.zero_init()

    def forward(self, start: RefinerInput) -> list[Float[Tensor, "batch joints 2"]]:
        """Return the pose after each of the three blocks; the last one is the result."""
        hidden = F.relu(self.norm(self.inlet(torch.cat([start.pose, start.confidence[..., None]], -1))))
        hidden = self.first(hidden)
        pose, poses = start.pose, []
        for level, (block, head) in enumerate(zip(self.blocks, self.heads, strict=True)):
            if self.config.uses_image:
                at = start.pose if self.config.opec_compat else pose
                hidden = torch.cat([_sample(self.adapt[level](start.maps[level]), at.detach()), hidden], -1)
            hidden = block(hidden)
            pose = head(hidden) if self.config.opec_compat else pose + head(hidden)
            poses.append(pose)
        return poses


def adjacency(joint_set: str) -> Bool[Tensor, "joints joints"]:
    """Return which joints share a bone; every joint is its own neighbour."""
    names = JOINT_SETS[joint_set].joints
    edges = torch.eye(len(names), dtype=torch.bool)
    for bone in BONES[joint_set].split():
        a, b = (names.index(name) for name in bone.split("-"))
        edges[a, b] = edges[b, a] = True
    return edges


def initial_pose(output: PoseOutput, config: EstimatorConfig) -> RefinerInput:
    """Decode the student's output to the refiner's input."""
    joints, confidence = decode(output)
    return RefinerInput(to_unit(joints, config), confidence, output.maps)


def to_unit(joints: Float[Tensor, "batch joints 2"], config: EstimatorConfig) -> Float[Tensor, "batch joints 2"]:
    """Convert pixels of the crop to -1 to 1 across it, edge to edge."""
    return (2 * joints + 1) / torch.tensor([config.crop_width, config.crop_height], device=joints.device) - 1


def from_unit(pose: Float[Tensor, "batch joints 2"], config: EstimatorConfig) -> Float[Tensor, "batch joints 2"]:
    """Convert -1 to 1 across the crop to its pixels; the inverse of `to_unit`."""
    return ((pose + 1) * torch.tensor([config.crop_width, config.crop_height], device=pose.device) - 1) / 2


def _sample(maps: Tensor, pose: Float[Tensor, "batch joints 2"]) -> Float[Tensor, "batch joints channels"]:
    features = F.grid_sample(maps, pose[:, :, None], align_corners=False, padding_mode="border")
    return features[..., 0].mT


class _Graph(nn.Module):
    """Semantic graph convolution (Zhao et al., CVPR 2019): own weights for a joint and for its neighbours, learnt edges.

    Without edges a dense layer over all joints and channels, with a bottleneck that gives about as many weights.
    """

    edges: Tensor | None

    def __init__(self, inputs: int, outputs: int, joints: int, edges: Bool[Tensor, "joints joints"] | None):
        super().__init__()
        self.register_buffer("edges", edges, persistent=False)
        self.joints, self.outputs = joints, outputs
        if edges is None:
            inner = max(4, round(2 * inputs * outputs / (joints * (inputs + outputs))))
            self.dense = nn.Sequential(nn.Linear(joints * inputs, inner), nn.Linear(inner, joints * outputs))
            return
        self.own = nn.Linear(inputs, outputs)
        self.others = nn.Linear(inputs, outputs, bias=False)
        self.strength = nn.Parameter(torch.ones(joints, joints))
        for layer in (self.own, self.others):
            nn.init.xavier_uniform_(layer.weight, gain=1.414)

    def zero_init(self) -> None:
        """Set the weights so that the layer's output is 0."""
        for layer in (self.dense[1],) if self.edges is None else (self.own, self.others):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, hidden: Float[Tensor, "batch joints inputs"]) -> Float[Tensor, "batch joints outputs"]:
        if self.edges is None:
            return self.dense(hidden.flatten(1)).unflatten(1, (self.joints, self.outputs))
        share = self.strength.masked_fill(~self.edges, -torch.inf).softmax(-1)
        to_self = share.diagonal()[:, None]
        between = share - torch.diag_embed(share.diagonal())
        return to_self * self.own(hidden) + between @ self.others(hidden)


class _Norm(nn.Module):
    """Batch normalisation over batch and joints."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.norm(hidden.mT).mT


class _ResidualBlock(nn.Module):
    """Two graph layers with a shortcut, then a gate per joint (OPEC-Net's)."""

    def __init__(self, width: int, joints: int, edges: Tensor | None):
        super().__init__()
        self.down, self.up = _Graph(width, width // 2, joints, edges), _Graph(width // 2, width, joints, edges)
        self.norms = nn.ModuleList([_Norm(width // 2), _Norm(width)])
        self.gate = nn.Sequential(nn.Linear(width, width // 4), nn.ReLU(), nn.Linear(width // 4, joints), nn.Sigmoid())

    def forward(self, hidden: Tensor) -> Tensor:
        inner = F.relu(self.norms[0](self.down(hidden)))
        hidden = F.relu(self.norms[1](hidden + self.up(inner)))
        return hidden * (1 + self.gate(hidden.mean(1))[..., None])
