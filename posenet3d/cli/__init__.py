"""The command line, one file per command; a command imports what it needs when it runs, so that ``--help`` is quick."""

import argparse
import sys
from typing import TYPE_CHECKING

from posenet3d import __version__
from posenet3d.cli import (
    bench,
    checkpoints,
    data,
    detect,
    detectors,
    evaluate,
    export,
    lift,
    pose2d,
    report,
    train,
)
from posenet3d.errors import InputError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

COMMANDS = (lift, detect, detectors, evaluate, export, train, pose2d, data, bench, report, checkpoints)
"""Modules of the commands in the order of ``--help``; each has ``add(commands)`` and ``run(options)``."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: of the command line, without the program's name; by default those of this process.

    Returns:
        The exit code: 0, 2 after one sentence on stderr for input that cannot be used, 130 after an interrupt.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"posenet3d {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = "; add --resume to go on" if options.command == "train" else ""
        print(f"posenet3d {options.command}: interrupted, nothing was left half-written{hint}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader (head, less) has closed the pipe
        sys.stdout = None  # type: ignore[assignment]  # or the interpreter complains when it flushes at exit
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="posenet3d", description="2D joints in, a smooth 3D skeleton out, learnt from 2D alone."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
