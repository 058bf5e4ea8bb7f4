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


def is_plain_file(path: Path) -> bool:
    """Return whether a path is a file that can be opened without waiting: no folder, pipe or device.

    False also where the system does not tell: a folder that may not be entered, a name that is too long.
    """
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder; False also where the system does not tell, see `is_plain_file`."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
