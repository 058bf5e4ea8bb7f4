"""Stage 2: the image-guided progressive graph network (IGP-GCN) that refines the pose that stage 1 starts from.

Joints are nodes, bones are edges. Block by block the pose moves; before each block every joint looks at the frozen student's
feature map, coarse maps first, at the place where it is thought to be. The layout is that of OPEC-Net (Qiu et al., ECCV 2020),
whose module's name the paper (Ji et al., 2025) uses; `opec_compat` restores what we changed.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from posenet3d.core.jointsets import JOINT_SETS
from posenet3d.pose2d.pose_network import PYRAMID, Maps

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
"""Edges of the joint sets that data sets have."""


@dataclass(frozen=True)
class RefinerConfig:
    """Shape of the refiner."""

    joint_set: str = "crowdpose14"
    width: int = 16  # of the student that is refined
    hidden: int = 64
    sees_image: bool = True
    is_graph: bool = True  # False: every joint listens to every other through one dense layer, of about the same size
    opec_compat: bool = False

    def __post_init__(self) -> None:
        if self.joint_set not in BONES:
            raise ValueError(f"there are no bones for joint set '{self.joint_set}'")
        if self.hidden < 4 or self.hidden % 4:
            raise ValueError("hidden must be a multiple of 4")


class Start(NamedTuple):
    """What the refiner is given: the student's pose (-1 to 1 across the crop), its confidence and feature maps."""

    pose: Float[Tensor, "batch joints 2"]
    confidence: Float[Tensor, "batch joints"]
    maps: Maps


class Refiner(nn.Module):
    """Moves a pose in three steps, each guided by a finer map."""

    def __init__(self, config: RefinerConfig):
        super().__init__()
        self.config = config
        edges = adjacency(config.joint_set) if config.is_graph else None
        joints = len(JOINT_SETS[config.joint_set])
        h, seen = (128, (256, 128, 128)) if config.opec_compat else (config.hidden, (config.hidden,) * 3)
        seen = seen if config.sees_image else (0, 0, 0)
        self.inlet = _Graph(3, h, joints, edges)
        self.norm = _Norm(h)
        self.first = _ResidualBlock(h, joints, edges)
        given = (PYRAMID, PYRAMID, config.width)
        self.adapt = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(given, seen, strict=True) if b)
        widths = [h + sum(seen[: level + 1]) for level in range(3)]
        self.blocks = nn.ModuleList(_ResidualBlock(width, joints, edges) for width in widths)
        self.heads = nn.ModuleList(_Graph(width, 2, joints, edges) for width in widths)
        if not config.opec_compat:  # start as the identity: with other heads the refiner was seen to do harm
            for head in self.heads:
                assert isinstance(head, _Graph)
                head.silence()

    def forward(self, start: Start) -> list[Float[Tensor, "batch joints 2"]]:
        """The pose after each of the three blocks; the last one is the result."""
        hidden = F.relu(self.norm(self.inlet(torch.cat([start.pose, start.confidence[..., None]], -1))))
        hidden = self.first(hidden)
        pose, poses = start.pose, []
        for level, (block, head) in enumerate(zip(self.blocks, self.heads, strict=True)):
            if self.config.sees_image:
                place = start.pose if self.config.opec_compat else pose
                hidden = torch.cat([_sampled(self.adapt[level](start.maps[level]), place.detach()), hidden], -1)
            hidden = block(hidden)
            pose = head(hidden) if self.config.opec_compat else pose + head(hidden)
            poses.append(pose)
        return poses


def adjacency(joint_set: str) -> Bool[Tensor, "joints joints"]:
    """Which joints share a bone; every joint is its own neighbour."""
    names = JOINT_SETS[joint_set].joints
    edges = torch.eye(len(names), dtype=torch.bool)
    for bone in BONES[joint_set].split():
        a, b = (names.index(name) for name in bone.split("-"))
        edges[a, b] = edges[b, a] = True
    return edges


def _sampled(maps: Tensor, places: Float[Tensor, "batch joints 2"]) -> Float[Tensor, "batch joints channels"]:
    found = F.grid_sample(maps, places[:, :, None], align_corners=False, padding_mode="border")
    return found[..., 0].mT


class _Graph(nn.Module):
    """Semantic graph convolution (Zhao et al., CVPR 2019): own weights for a joint and for its neighbours, learnt edges.

    Without edges a plain layer over all joints and numbers together, bottlenecked to about as many weights.
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

    def silence(self) -> None:
        """Let the layer's output be 0 until it has learnt something."""
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
    """Two graph layers beside a shortcut, then attention over joints (OPEC-Net's)."""

    def __init__(self, width: int, joints: int, edges: Tensor | None):
        super().__init__()
        self.down, self.up = _Graph(width, width // 2, joints, edges), _Graph(width // 2, width, joints, edges)
        self.norms = nn.ModuleList([_Norm(width // 2), _Norm(width)])
        self.gate = nn.Sequential(nn.Linear(width, width // 4), nn.ReLU(), nn.Linear(width // 4, joints), nn.Sigmoid())

    def forward(self, hidden: Tensor) -> Tensor:
        inner = F.relu(self.norms[0](self.down(hidden)))
        hidden = F.relu(self.norms[1](hidden + self.up(inner)))
        return hidden * (1 + self.gate(hidden.mean(1))[..., None])
