"""The tutorial notebooks: read their cells and outputs for the Learn page, and run them in Jupyter Lab."""

import base64
import json
import os
import re
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from explorer.home import HOME

FOLDER = HOME / "notebooks"

SERVER = Path(__file__).with_name("lab_server.py")

STAGE_NOTEBOOKS = {"teacher": "02_teacher", "student": "04_student", "joint": "05_joint", "pose2d": "06_pose2d"}
"""The notebook that explains each training stage, by the first word of the stage's name."""


class Part(NamedTuple):
    """One piece of a notebook, in the order of the notebook."""

    kind: Literal["markdown", "code", "text", "picture"]
    content: str | bytes


@dataclass(frozen=True)
class Notebook:
    """A built notebook: its file, and its cells with their sources joined."""

    file: Path
    cells: list[dict[str, Any]]

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.cells[0]["source"].splitlines()[0].lstrip("# ").strip()

    def parts(self) -> list[Part]:
        """Return its cells and their outputs, without those that only Jupyter can show."""
        found: list[Part] = []
        for cell in self.cells:
            if cell["cell_type"] == "code":
                found.append(Part("code", cell["source"]))
            else:
                found.append(Part("markdown", without_file_links(cell["source"])))
            for output in cell.get("outputs", []):
                found += _parts_of_output(output)
        return found

    def answers(self) -> str:
        """Return the answers to its exercises; empty if there are none."""
        file = self.file.parent / "answers" / f"{self.file.stem[:2]}.md"
        return file.read_text() if file.is_file() else ""


def read_notebook(file: Path) -> Notebook:
    """Read a built notebook."""
    cells = json.loads(file.read_text())["cells"]
    return Notebook(file, [{**cell, "source": "".join(cell["source"])} for cell in cells])


def find_notebooks(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the notebooks' files by name, in order; none where the program was installed without them."""
    return {file.stem: file for file in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}


def notebook_of(stage: str) -> str | None:
    """Return the name of the notebook that explains a training stage; None if there is none."""
    name = STAGE_NOTEBOOKS.get(stage.split()[0]) if stage else None
    return name if name in find_notebooks() else None


def without_file_links(text: str) -> str:
    """Replace links to files, which lead nowhere in the app, by their text."""
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text)


def _parts_of_output(output: dict[str, Any]) -> list[Part]:
    data = output.get("data", {})
    if "image/png" in data:
        return [Part("picture", base64.b64decode("".join(data["image/png"])))]
    if "text/markdown" in data:
        return [Part("markdown", without_file_links("".join(data["text/markdown"])))]
    if output["output_type"] == "stream":
        return [Part("text", "".join(output["text"]))]
    return []


class Lab:
    """A Jupyter Lab server for the notebooks, reachable from this computer only."""

    def __init__(self, folder: Path = FOLDER) -> None:
        with socket.socket() as probe:  # a free port
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.token = secrets.token_urlsafe(16)
        options = [f"--port={self.port}", f"--ServerApp.root_dir={folder}"]
        is_root = getattr(os, "geteuid", lambda: -1)() == 0
        if is_root:  # as in a container; Jupyter refuses to run as root without this option
            options.append("--allow-root")
        command = [sys.executable, "-P", str(SERVER), "--no-browser", *options]
        quiet = subprocess.DEVNULL
        # Streamlit makes matplotlib draw to files only (MPLBACKEND); notebooks would show no pictures.
        environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
        environment["JUPYTER_TOKEN"] = self.token  # every user of this computer may read the command line
        # The pipe closes when this process ends, and the server with it.
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=quiet, stderr=quiet)

    def address(self, name: str) -> str:
        """Return the address of a notebook."""
        return f"http://localhost:{self.port}/lab/tree/{name}.ipynb?token={self.token}"

    def is_up(self) -> bool:
        """Return whether the server answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """Stop the server."""
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdin is not None:
            self.process.stdin.close()
