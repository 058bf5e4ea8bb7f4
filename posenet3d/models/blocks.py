"""Residual multi-layer perceptron, the building block of lifters and discriminators."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

MAX_WIDTH, MAX_BLOCKS, MAX_WINDOW = 2**16, 256, 10_000
"""Far beyond any network that could be trained here; a config.json with more is damaged or hostile."""


def check_sizes(width: int, window: int, stride: int, *blocks: int) -> None:
    """Check the upper limits of a lifter's settings.

    Raises:
        ValueError: one is exceeded.
    """
    if width > MAX_WIDTH or max(window, stride) > MAX_WINDOW or max(blocks) > MAX_BLOCKS:
        limits = f"{MAX_WIDTH} channels, a window and stride of {MAX_WINDOW} frames, {MAX_BLOCKS} blocks"
        raise ValueError(f"the model is larger than {limits}")


class ResidualBlock(nn.Module):
    """Two layers and a linear shortcut that also gets the network's input (Yu et al., ICCV 2021, their code)."""

    def __init__(self, width: int, inputs: int, dropout: float, has_norm: bool):
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers.append(nn.Linear(width, width))
            if has_norm:
                layers.append(nn.BatchNorm1d(width))
            layers.append(nn.ReLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.main = nn.Sequential(*layers)
        self.shortcut = nn.Linear(width + inputs, width)

    def forward(self, hidden: Float[Tensor, "batch width"], raw: Float[Tensor, "batch inputs"]) -> Tensor:
        """Return the output of the block; `raw` is the network's input."""
        return self.main(hidden) + self.shortcut(torch.cat([hidden, raw], -1))


class ResidualMLP(nn.Module):
    """Inputs to outputs through `blocks` residual blocks; the last layer starts small, so that outputs start near 0."""

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int, dropout: float = 0.0, has_norm: bool = True):
        super().__init__()
        norm = [nn.BatchNorm1d(width)] if has_norm else []
        self.inlet = nn.Sequential(nn.Linear(inputs, width), *norm, nn.ReLU())
        self.blocks = nn.ModuleList(ResidualBlock(width, inputs, dropout, has_norm) for _ in range(blocks))
        self.outlet = nn.Linear(width, outputs)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.outlet.weight.mul_(0.1)

    def forward(self, raw: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return the outputs of every row."""
        hidden = self.inlet(raw)
        for block in self.blocks:
            hidden = block(hidden, raw)
        return self.outlet(hidden)
