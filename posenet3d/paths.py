"""Places on disk: bundled weights, and the folder of training runs."""

import os
from pathlib import Path

import platformdirs

BUNDLED = Path(__file__).parent / "checkpoints"
"""Checkpoints that come with the library."""

BUNDLED_POSE2D = BUNDLED / "pose2d"
"""The built-in 2D networks."""

PROJECT = Path(__file__).parents[1]
"""The checkout of the repository; where the library is installed without one, the folder of packages."""


def runs_folder() -> Path:
    """Return the folder in which training runs are looked for; it need not exist.

    The first of: ``POSENET3D_RUNS``; ``runs`` in the working directory, if it exists; ``runs`` in the checkout of the repository,
    if this is one; ``runs`` in the user's data folder.
    """
    if chosen := os.environ.get("POSENET3D_RUNS"):
        return Path(chosen)
    here = Path("runs")
    if here.is_dir():
        return here
    if (PROJECT / "pyproject.toml").is_file():
        return PROJECT / "runs"
    return platformdirs.user_data_path("posenet3d") / "runs"
