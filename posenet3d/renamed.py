"""Old names of settings, weights and logged numbers: files of earlier versions are read under today's names."""

from typing import Any

RENAMED = {
    "cleaner": "denoiser",
    "cleaner_steps": "denoiser_steps",
    "cleaner_batch": "denoiser_batch",
    "cleaner_frames": "denoiser_frames",
    "lr_cleaner": "lr_denoiser",
    "telling": "discriminator",
}
"""Old name to today's name, in config.json, metrics.jsonl, safetensors files, training states and ``--set``."""


def current_name(name: str) -> str:
    """Return today's form of a name with dots or slashes (``teacher.cleaner.inlet.weight``, ``val/telling``)."""
    for separator in ("/", "."):
        if separator in name:
            return separator.join(current_name(part) for part in name.split(separator))
    return RENAMED.get(name, name)


def with_current_names(content: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of nested dictionaries with today's keys."""
    return {
        current_name(key): with_current_names(value) if isinstance(value, dict) else value
        for key, value in content.items()
    }
