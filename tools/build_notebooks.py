"""Notebooks with outputs from their sources: ``notebooks/*.py`` (percent format) to ``notebooks/*.ipynb``, executed.

``make notebooks`` builds those whose source has changed; a name or several build these alone.
"""

import argparse
import base64
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
GALLERY = NOTEBOOKS.parent / "docs" / "notebooks"
SHOWN = {"01": 1, "02": 2, "03": 2, "04": 0, "05": 1, "06": 1, "07": 2}
"""Number of a notebook to which of its pictures docs/notebooks.md shows, counted from 0."""

MAX_S = 600


def sources() -> list[Path]:
    """The notebooks' sources, in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))


def parsed(source: Path) -> NotebookNode:
    """A source as a notebook without outputs."""
    notebook = jupytext.read(source)
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # not at random: the file changes only where the notebook does
        cell.metadata = {}
    return notebook


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook after it has run from top to bottom, in the notebooks' folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; a failed check of a claim, too.
    """
    return NotebookClient(notebook, timeout=MAX_S, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()


def is_in_step(source: Path) -> bool:
    """Whether the built notebook holds the source's cells."""
    built = source.with_suffix(".ipynb")
    if not built.is_file():
        return False

    def cells(notebook: NotebookNode) -> list[tuple[str, str]]:
        return [(cell.cell_type, cell.source) for cell in notebook.cells]

    return cells(nbformat.read(built, as_version=4)) == cells(parsed(source))


def tidied(notebook: NotebookNode) -> NotebookNode:
    """Without what changes from run to run and what only a terminal shows: times, progress bars, widgets' state."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            for out in cell.outputs:
                out.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


def read_frames(notebook: NotebookNode) -> list[bytes]:
    """Its pictures as PNG, in order."""
    found = [
        out.data["image/png"]
        for cell in notebook.cells
        for out in cell.get("outputs", [])
        if "data" in out and "image/png" in out.data
    ]
    return [base64.b64decode(picture) for picture in found]


def main() -> None:
    """Build what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="such as 02_teacher; all that have changed if left out")
    names = parser.parse_args().names
    chosen = [s for s in sources() if (s.stem in names if names else not is_in_step(s))]
    for source in chosen:
        started = time.monotonic()
        notebook = tidied(executed(parsed(source)))
        nbformat.write(notebook, source.with_suffix(".ipynb"))
        number = source.stem[:2]
        (GALLERY / f"{number}.png").write_bytes(read_frames(notebook)[SHOWN[number]])
        sys.stdout.write(f"{source.stem}: {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    main()
