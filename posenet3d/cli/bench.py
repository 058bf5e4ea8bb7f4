"""``posenet3d bench``: measure speed against named peers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posenet3d.cli import Commands


def add(commands: Commands) -> None:
    """Add the command ``bench``."""
    bench = commands.add_parser("bench", help="speed, as ratios to named peers in the same run")
    bench.add_argument("--seconds", type=float, default=5.0, help="time spent on each measurement")
    bench.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the speed of this library and of its peers, measured in one run."""
    from posenet3d.bench.speed import bench

    bench(options.seconds)
