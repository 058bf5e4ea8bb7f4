"""The notebooks run from top to bottom, with every check of a claim in them, and what is shown is what the sources say."""

import json
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from build_notebooks import executed, is_in_step, parsed, sources  # noqa: E402

MAX_BYTES = 2_500_000
"""A code-hosting page refuses to show notebooks that are much larger."""


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_it_runs_and_its_claims_hold(source, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Streamlit's tests leave it behind
    notebook = executed(parsed(source))
    pictures = [out for cell in notebook.cells for out in cell.get("outputs", []) if "image/png" in out.get("data", {})]
    assert len(pictures) >= 3


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_what_is_shown_is_what_the_source_says(source):
    assert is_in_step(source), "run make notebooks"
    built = source.with_suffix(".ipynb")
    assert built.stat().st_size < MAX_BYTES
    notebook = nbformat.read(built, as_version=4)
    nbformat.validate(notebook)
    assert "image/png" in json.dumps(notebook), "pictures can be seen without running it"
    assert not any(out["output_type"] == "error" for cell in notebook.cells for out in cell.get("outputs", []))
    assert str(ROOT) not in json.dumps(notebook), "nothing of the machine that built it"


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.stem)
def test_it_teaches_as_the_others_do(source):
    text = source.read_text()
    for part in ("**Question.**", "**Predict:**", "## Exercises", "\nassert "):
        assert part in text, part
    number = source.stem[:2]
    exercises = [
        line for line in text.split("## Exercises")[1].splitlines() if line.startswith(("# 1.", "# 2.", "# 3."))
    ]
    assert len(exercises) == 3
    answers = (ROOT / "notebooks" / "answers" / f"{number}.md").read_text()
    assert all(f"\n{n}. " in answers for n in (1, 2, 3))
