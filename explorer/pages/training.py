"""Training: how a run went or goes, term by term and phase by phase, alone or over another one."""

import html
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from explorer.charts.errors import COLOURS
from explorer.charts.training import TERMS, phase_table, settings_of, settings_table, term_chart, term_names
from explorer.notebooks import notebook_of
from explorer.runs import Run, find_runs, read_run, standing, status
from posenet3d.errors import InputError
from posenet3d.paths import runs_folder

LEARN = Path(__file__).with_name("learn.py")
REFRESH_S = 5.0
COLUMNS = 3
NO_OTHER = "nothing"
ALL_PHASES = "all phases"

NO_RUNS = """
No run was found below `{folder}`, so only those behind the bundled checkpoints can be shown. Train one, even for a minute, and
watch it here:

    python -m posenet3d train teacher --data FILE --out runs/first
"""

READING = """
Every chart is one **raw** loss term, before its weight, over training steps. **Lines** are training, **dots** the same term on
held-out 2D, always the same windows. Training looks at no 3D, so none of these is an error in millimetres. Most terms should
fall; *pose*, *motion* and *discriminator* are a game between lifter and discriminators and settle where neither wins.
"""


def choose(found: dict[str, Path]) -> list[str]:
    """Names of the run to look at and, if wanted, the one to lay over it."""
    left, right, again = st.columns([4, 4, 1.5], vertical_alignment="bottom")
    words = "The run that was written last comes first."
    first = _choose_one(left.selectbox, "Run", list(found), "run", help=words)
    others = [NO_OTHER, *(name for name in found if name != first)]
    second = _choose_one(right.selectbox, "Laid over it", others, "other run", help="A second run, in orange.")
    again.button("Look again", icon=":material/refresh:", help=f"Looks for new runs in {runs_folder().resolve()}")
    return [first] if second == NO_OTHER else [first, second]


def _choose_one(widget: Callable[..., str], label: str, options: list[str], key: str, **how: Any) -> str:
    """A selectbox or radio; a choice that is not on offer any more (a deleted run, a phase of another stage) is forgotten."""
    if st.session_state.get(key, options[0]) not in options:
        del st.session_state[key]
    return widget(label, options, key=key, persist_state="session", **how)  # it outlives a change of pages


def read(places: Mapping[str, Path], before: Mapping[str, Run]) -> dict[str, Run]:
    """The runs that can be read, by name; of a damaged one the sentence is shown instead."""
    runs = {}
    for name, folder in places.items():
        try:
            runs[name] = read_run(name, folder, before.get(name))
        except InputError as error:
            st.error(str(error))
    return runs


def is_any_running(runs: Mapping[str, Run]) -> bool:
    """Whether one of them is being written."""
    return any(status(run, time.time()) == "running" for run in runs.values())


def follow(runs: dict[str, Run], *, has_clock: bool) -> None:
    """Read on and show; when the clock is to be started or stopped, the whole page runs again.

    As a fragment it is given the same `runs` each time, so that only a log's new lines are read.
    """
    runs |= read({name: run.folder for name, run in runs.items()}, runs)
    show(list(runs.values()))
    if is_any_running(runs) != has_clock:
        st.rerun()


def show(runs: Sequence[Run]) -> None:
    """Standing, curves and settings of one or two runs."""
    for place, run, colour in zip(st.columns(len(runs), gap="large"), runs, COLOURS, strict=False):
        with place:
            stand(run, colour)
            teach(run)
    if any(len(run.log.steps) for run in runs):
        curves(runs)
    st.subheader("Settings")
    if len(runs) > 1:
        st.caption("What differs between the two runs comes first and is marked ≠.")
    st.dataframe(marked(settings_table(runs)), hide_index=True, width="stretch", height=460)


def stand(run: Run, colour: str) -> None:
    """Which stage it is, how far it got, and what its phases took."""
    st.html(f'<span style="color:{colour}">⬤</span>&ensp;<b>{html.escape(run.name)}</b> · {run.title}')
    st.progress(min(run.done / run.planned, 1.0), standing(run, time.time()))
    st.dataframe(phase_table(run), hide_index=True, width="stretch")


def teach(run: Run) -> None:
    """A button to the notebook about the run's stage."""
    name = notebook_of(str(run.config["stage"]))
    words = "What is this stage about? Its notebook explains and trains one in two minutes."
    if name is not None and st.button("Its notebook", icon=":material/school:", key=f"teach {run.name}", help=words):
        st.session_state["notebook"] = name
        st.switch_page(LEARN)


def curves(runs: Sequence[Run]) -> None:
    """A chart per term, of all phases or of one."""
    st.subheader("Loss terms")
    left, right = st.columns([3, 1])
    named = dict.fromkeys(phase.name for run in runs for phase in run.phases)
    phases = [ALL_PHASES, *(named if len(named) > 1 else ())]
    chosen = _choose_one(left.radio, "Steps of", phases, "phase", horizontal=True)
    scale = _choose_one(right.radio, "Scale", ["linear", "log"], "scale", horizontal=True)
    phase = None if chosen == ALL_PHASES else chosen
    st.caption(READING)
    names = term_names(runs, phase)
    if not names:
        st.info(f"No step of '{chosen}' is logged yet.")
    for start in range(0, len(names), COLUMNS):
        for place, name in zip(st.columns(COLUMNS), names[start : start + COLUMNS], strict=False):
            with place:
                words = f"  \n:gray[:small[{TERMS[name]}]]" if name in TERMS else ""
                st.markdown(f"**{name}**{weights_of(name, runs)}{words}")
                chart = term_chart(runs, name, phase, is_log=scale == "log")
                st.plotly_chart(chart, key=f"term {name}", config={"displayModeBar": False})


def weights_of(term: str, runs: Sequence[Run]) -> str:
    """The term's weight in the loss, where the settings have one; both if they differ."""
    weights = [settings_of(run).get(f"training.weights.{term}") for run in runs]
    said = dict.fromkeys(weight for weight in weights if weight is not None)
    return f" · weight {' and '.join(said)}" if said else ""


def marked(table: pd.DataFrame) -> pd.DataFrame | Styler:
    """The settings with a tint on the rows that differ."""
    if "differs" not in table:
        return table
    tint = "background-color: rgba(230, 159, 0, 0.22)"
    return table.style.apply(lambda row: [tint if row["differs"] else ""] * len(row), axis=1)


found = find_runs()
if not any(folder.is_relative_to(runs_folder()) for folder in found.values()):
    st.info(NO_RUNS.format(folder=runs_folder().resolve()))
runs = read({name: found[name] for name in choose(found)}, before={})
has_clock = is_any_running(runs)
if runs:
    st.fragment(follow, run_every=REFRESH_S if has_clock else None)(runs, has_clock=has_clock)
