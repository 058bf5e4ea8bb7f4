"""``posenet3d report``: measure what each training stage adds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posenet3d.cli import Commands


def add(commands: Commands) -> None:
    """Add the command ``report``."""
    report = commands.add_parser("report", help="table of what each training stage adds; trains the missing runs")
    report.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="holds train_2d.npz, dev.npz, dev_detected.npz"
    )
    report.add_argument("--runs", type=Path, default=Path("runs/report"), help="run folders (default %(default)s)")
    report.add_argument("--out", type=Path, default=Path("docs/results.md"), help="table (default %(default)s)")
    report.add_argument("--seeds", type=int, default=3, help="seeds of the main rows (default %(default)s)")
    report.add_argument("--no-train", action="store_true", help="evaluate finished runs, train nothing")
    report.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the table of ablations and print it."""
    from posenet3d.evaluation.ablation import report

    print(report(options.data, options.runs, options.out, seeds=options.seeds, train=not options.no_train))
