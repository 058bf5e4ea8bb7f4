"""Where things lie on disk: bundled weights, the user's runs and data, caches."""

from pathlib import Path

BUNDLED = Path(__file__).parent / "checkpoints"
"""Checkpoints that come with the library."""

BUNDLED_POSE2D = BUNDLED / "pose2d"
"""The built-in 2D networks."""
