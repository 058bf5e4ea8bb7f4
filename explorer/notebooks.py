"""The tutorial notebooks, read from their files: what the app shows of them, and the Jupyter Lab that runs them."""

import base64
import json
import os
import re
import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from explorer.home import HOME

FOLDER = HOME / "notebooks"

OF_STAGE = {"teacher": "02_teacher", "student": "04_student", "joint": "05_joint", "pose2d": "06_pose2d"}
"""Training stage to the notebook that teaches it; a stage's first word counts."""


class Part(NamedTuple):
    """One thing to show, in the order of the notebook."""

    kind: Literal["words", "code", "text", "picture"]
    content: str | bytes


@dataclass(frozen=True)
class Notebook:
    """A built notebook."""

    file: Path

    @property
    def title(self) -> str:
        """Its first heading."""
        return self._cells()[0]["source"].splitlines()[0].lstrip("# ").strip()

    def parts(self) -> list[Part]:
        """Its cells and their outputs, without what only Jupyter can show."""
        found: list[Part] = []
        for cell in self._cells():
            is_code = cell["cell_type"] == "code"
            found.append(Part("code" if is_code else "words", cell["source"] if is_code else unlinked(cell["source"])))
            for output in cell.get("outputs", []):
                found += _of_output(output)
        return found

    def answers(self) -> str:
        """The answers to its exercises; empty if there are none."""
        file = self.file.parent / "answers" / f"{self.file.stem[:2]}.md"
        return file.read_text() if file.is_file() else ""

    def _cells(self) -> list[dict[str, Any]]:
        return _cells_of(self.file, self.file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _cells_of(file: Path, changed_ns: int) -> list[dict[str, Any]]:
    """A built notebook's cells; with its pictures it is a megabyte of JSON, and the page shows every title at each rerun."""
    cells = json.loads(file.read_text())["cells"]
    return [{**cell, "source": "".join(cell["source"])} for cell in cells]


def notebooks(folder: Path = FOLDER) -> dict[str, Notebook]:
    """By name, in order; none where the program was installed without them."""
    return {file.stem: Notebook(file) for file in sorted(folder.glob("[0-9][0-9]_*.ipynb"))}


def notebook_of(stage: str) -> str | None:
    """The name of the notebook that teaches a run's stage."""
    name = OF_STAGE.get(stage.split()[0]) if stage else None
    return name if name in notebooks() else None


def unlinked(words: str) -> str:
    """Markdown without links to files, which lead nowhere in the app."""
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", words)


def _of_output(output: dict[str, Any]) -> list[Part]:
    data = output.get("data", {})
    if "image/png" in data:
        return [Part("picture", base64.b64decode("".join(data["image/png"])))]
    if "text/markdown" in data:
        return [Part("words", unlinked("".join(data["text/markdown"])))]
    if output["output_type"] == "stream":
        return [Part("text", "".join(output["text"]))]
    return []


class Lab:
    """A Jupyter Lab on the notebooks, on this computer only; it ends with the app."""

    def __init__(self, folder: Path = FOLDER):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.token = secrets.token_urlsafe(16)
        options = [f"--port={self.port}", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={folder}"]
        is_root = getattr(os, "geteuid", lambda: -1)() == 0
        if is_root:  # in a container everybody is; Jupyter asks to be told that it is meant
            options.append("--allow-root")
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", *options]
        quiet = subprocess.DEVNULL
        # Streamlit tells matplotlib to draw for files only; a notebook would show no pictures.
        environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)

    def address(self, name: str) -> str:
        """Where a notebook opens."""
        return f"http://localhost:{self.port}/lab/tree/{name}.ipynb?token={self.token}"

    def is_up(self) -> bool:
        """Whether it answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)
