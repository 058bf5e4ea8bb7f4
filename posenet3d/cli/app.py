"""``posenet3d app``: open the explorer in the browser."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posenet3d.cli import Commands

DEFAULT_PORT = 8501


def add(commands: Commands) -> None:
    """Add the command ``app``."""
    app = commands.add_parser(
        "app",
        help="open the explorer in the browser",
        description="Start the explorer on this computer and open it in the browser; Ctrl+C ends it.",
    )
    app.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="N", help="TCP port (default %(default)s)")
    app.add_argument(
        "--address", default="localhost", metavar="HOST", help="to listen on (default: this computer only)"
    )
    app.add_argument("--headless", action="store_true", help="print the address, open no browser")
    app.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run Streamlit until it ends; without ``--address`` it listens on this computer only.

    Raises:
        InputError: the port is no port or is taken, or the app's files are not installed.
    """
    import subprocess
    import sys

    from explorer.home import START
    from posenet3d.errors import InputError

    if not 0 < options.port < 2**16:
        raise InputError("--port", f"{options.port} is no TCP port", "choose one from 1024 to 65535")
    if is_taken(options.port):
        raise InputError("--port", f"{options.port} is in use", "end the other program or choose another port")
    if not START.is_file():
        raise InputError(START, "the app's start script is missing", "install the package again")
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(START), f"--server.address={options.address}"]
    command += [f"--server.port={options.port}", f"--server.headless={str(options.headless).lower()}"]
    try:
        code = subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:  # Streamlit got it, too, and has said good-bye
        return
    if code > 0:
        raise InputError("app", f"Streamlit ended with exit code {code}", "its message is above")


def is_taken(port: int) -> bool:
    """Return whether a program on this computer answers at a TCP port."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
