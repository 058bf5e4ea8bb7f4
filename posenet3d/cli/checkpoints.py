"""``posenet3d checkpoints``: list the checkpoints of the lifters."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posenet3d.cli import Commands


def add(commands: Commands) -> None:
    """Add the command ``checkpoints``."""
    checkpoints = commands.add_parser("checkpoints", help="list the checkpoints of the lifters")
    checkpoints.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the name and the folder of each checkpoint."""
    from posenet3d.lifting.checkpoint import list_checkpoints

    for name, folder in list_checkpoints().items():
        print(f"{name}\t{folder}")
