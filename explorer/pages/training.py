"""Training: status, loss terms and settings of one or two runs, also while they are being written."""

import html
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from explorer import session
from explorer.charts.style import PALETTE
from explorer.charts.training import TERMS, phase_table, settings_of, settings_table, term_chart, term_names
from explorer.markdown import as_text
from explorer.notebooks import notebook_of
from explorer.run_status import status, summary
from explorer.runs import TrainingRun, find_runs, read_run
from explorer.session import Widget
from posenet3d.errors import InputError
from posenet3d.paths import runs_folder

LEARN = Path(__file__).with_name("learn.py")
REFRESH_S = 5.0
COLUMNS = 3
NO_OTHER = "nothing"
ALL_PHASES = "all phases"

NO_RUNS = """
No run was found in `{folder}`; only the runs of the bundled checkpoints are listed. Start one, even for a minute, and
watch it here:

    python -m posenet3d train teacher --data FILE --out runs/first
"""

READING = """
Each chart shows one **unweighted** loss term over training steps. **Lines** are training, **dots** the same term on
held-out 2D, always on the same windows. Training uses no 3D, so no term is an error in millimetres. Most terms should
fall; *pose*, *motion* and *discriminator* belong to the adversarial training of lifter and discriminators and level off where
neither wins.
"""


def choose(found: dict[str, Path]) -> list[str]:
    """Choose a run and, if wanted, a second one to compare with; return their names."""
    left, right, last = st.columns([4, 4, 1.5], vertical_alignment="bottom")
    help_text = "The run that was written last comes first."
    first = _choose_one(left.selectbox, "Run", list(found), session.RUN, help=help_text)
    others = [NO_OTHER, *(name for name in found if name != first)]
    second = _choose_one(right.selectbox, "Compare with", others, session.OTHER_RUN, help="A second run, in orange.")
    last.button("Refresh", icon=":material/refresh:", help=f"Search for new runs in {runs_folder().resolve()}")
    return [first] if second == NO_OTHER else [first, second]


def _choose_one(
    draw: Callable[..., str], label: str, options: list[str], widget: Widget[str], **options_of_input: Any
) -> str:
    """Draw a selectbox or radio; a choice that is no longer offered (a deleted run) is forgotten."""
    widget.forget_unless(options)
    # The state outlives a change of pages.
    return draw(label, options, key=widget.key, persist_state="session", **options_of_input)


def read(folders: Mapping[str, Path], before: Mapping[str, TrainingRun]) -> dict[str, TrainingRun]:
    """Read runs; of a damaged one the error is shown instead."""
    runs = {}
    for name, folder in folders.items():
        try:
            runs[name] = read_run(name, folder, before.get(name))
        except (InputError, OSError) as error:  # OSError: a folder that may not be entered
            st.error(as_text(error))
    return runs


def is_any_running(runs: Mapping[str, TrainingRun]) -> bool:
    """Return whether one of the runs is being written."""
    return any(status(run, time.time()) == "running" for run in runs.values())


def refresh(runs: dict[str, TrainingRun], *, is_live: bool) -> None:
    """Read the logs' new lines and draw the runs; rerun the page when the automatic refresh has to start or stop.

    As a fragment it is given the same `runs` each time, so that only a log's new lines are read.
    """
    runs |= read({name: run.folder for name, run in runs.items()}, runs)
    show(list(runs.values()))
    if is_any_running(runs) != is_live:
        st.rerun()


def show(runs: Sequence[TrainingRun]) -> None:
    """Draw status, loss curves and settings of one or two runs."""
    for place, run, colour in zip(st.columns(len(runs), gap="large"), runs, PALETTE, strict=False):
        with place:
            run_header(run, colour)
            notebook_link(run)
    if any(len(run.log.steps) for run in runs):
        curves(runs)
    st.subheader("Settings")
    if len(runs) > 1:
        st.caption("Settings that differ between the two runs come first and are marked ≠.")
    st.dataframe(marked(settings_table(runs)), hide_index=True, width="stretch", height=460)


def run_header(run: TrainingRun, colour: str) -> None:
    """Draw the run's stage, its progress, and a table of its phases."""
    st.html(f'<span style="color:{colour}">⬤</span>&ensp;<b>{html.escape(run.name)}</b> · {run.title}')
    st.progress(min(run.done / run.planned, 1.0), as_text(summary(run, time.time())))
    st.dataframe(phase_table(run), hide_index=True, width="stretch")


def notebook_link(run: TrainingRun) -> None:
    """Draw a button to the notebook about the run's stage."""
    name = notebook_of(str(run.config["stage"]))
    help_text = "This notebook explains the stage and trains it in two minutes."
    if name is not None and st.button(
        "Notebook about this stage", icon=":material/school:", key=f"notebook {run.name}", help=help_text
    ):
        session.NOTEBOOK.set(name)
        st.switch_page(LEARN)


def curves(runs: Sequence[TrainingRun]) -> None:
    """Draw a chart per term, of all phases or of one."""
    st.subheader("Loss terms")
    left, right = st.columns([3, 1])
    named = dict.fromkeys(phase.name for run in runs for phase in run.phases)
    phases = [ALL_PHASES, *(named if len(named) > 1 else ())]
    chosen = _choose_one(left.radio, "Phase", phases, session.PHASE, horizontal=True)
    scale = _choose_one(right.radio, "Scale", ["linear", "log"], session.SCALE, horizontal=True)
    phase = None if chosen == ALL_PHASES else chosen
    st.caption(READING)
    names = term_names(runs, phase)
    if not names:
        st.info(f"No step of '{as_text(chosen)}' is logged yet.")
    for start in range(0, len(names), COLUMNS):
        for place, name in zip(st.columns(COLUMNS), names[start : start + COLUMNS], strict=False):
            with place:
                description = f"  \n:gray[:small[{TERMS[name]}]]" if name in TERMS else ""
                st.markdown(f"**{as_text(name)}**{weights_of(name, runs)}{description}")
                chart = term_chart(runs, name, phase, is_log=scale == "log")
                st.plotly_chart(chart, key=f"term {name}", config={"displayModeBar": False})


def weights_of(term: str, runs: Sequence[TrainingRun]) -> str:
    """Return the term's weight in the loss, where the settings have one; both weights if they differ."""
    weights = [settings_of(run).get(f"training.weights.{term}") for run in runs]
    known = dict.fromkeys(weight for weight in weights if weight is not None)
    return f" · weight {as_text(' and '.join(known))}" if known else ""


def marked(table: pd.DataFrame) -> pd.DataFrame | Styler:
    """Return the settings with a tint on the rows that differ."""
    if "differs" not in table:
        return table
    tint = "background-color: rgba(230, 159, 0, 0.22)"
    return table.style.apply(lambda row: [tint if row["differs"] else ""] * len(row), axis=1)


found = find_runs()
if not any(folder.is_relative_to(runs_folder()) for folder in found.values()):
    st.info(NO_RUNS.format(folder=runs_folder().resolve()))
runs = read({name: found[name] for name in choose(found)}, before={})
is_live = is_any_running(runs)
if runs:
    st.fragment(refresh, run_every=REFRESH_S if is_live else None)(runs, is_live=is_live)
