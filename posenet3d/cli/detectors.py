"""``posenet3d detectors``: list the detectors of 2D joints, or install one."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from posenet3d.errors import InputError

if TYPE_CHECKING:
    from posenet3d.cli import Commands


def add(commands: Commands) -> None:
    """Add the command ``detectors``."""
    detectors = commands.add_parser("detectors", help="list the detectors of 2D joints, or install one")
    detectors.add_argument("--install", metavar="NAME", help="into an environment of its own")
    detectors.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print each detector and whether it is installed; with ``--install`` install one."""
    from posenet3d.detection.detectors import DETECTORS, install

    if options.install is None:
        for detector in DETECTORS.values():
            state = "installed" if detector.python() else "not installed"
            sys.stdout.write(f"{detector.name:10} {state:14} {detector.description}\n")
        sys.stdout.write("install one with: python -m posenet3d detectors --install NAME\n")
        return
    if options.install not in DETECTORS:
        raise InputError("--install", f"'{options.install}' is not known", f"choose one of {', '.join(DETECTORS)}")
    detector = DETECTORS[options.install]
    sys.stdout.write(f"{detector.name} goes into an environment of its own: {detector.folder}\n")
    if detector.download:
        sys.stdout.write(f"On first use it downloads {detector.download}.\n")
    sys.stdout.write("pip may warn of missing packages: they belong to parts of the detector that are not used here.\n")
    sys.stdout.flush()
    install(detector)
    sys.stdout.write(f"{detector.name} is installed\n")
