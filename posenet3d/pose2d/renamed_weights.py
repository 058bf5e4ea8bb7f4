"""Old names of layers, so that checkpoints and unfinished runs of earlier versions load."""

from typing import Any

from torch import nn

RENAMED_WEIGHTS = {"look": "heatmaps", "look_closer": "fine_heatmaps", "rarity": "prior"}
"""Old name of a layer to its name today."""


def accept_old_names(module: nn.Module) -> None:
    """Let `module.load_state_dict` accept the names in `RENAMED_WEIGHTS` for the module's own layers."""
    module.register_load_state_dict_pre_hook(_rename)


def _rename(module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    for key in [key for key in weights if key.startswith(prefix)]:
        layer, dot, rest = key[len(prefix) :].partition(".")
        if layer in RENAMED_WEIGHTS:
            weights[prefix + RENAMED_WEIGHTS[layer] + dot + rest] = weights.pop(key)
