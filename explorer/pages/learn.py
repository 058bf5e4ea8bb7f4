"""Learn: read the tutorial notebooks, and run them in Jupyter Lab."""

import time
from importlib.util import find_spec

import streamlit as st

from explorer import cache, session, visitors
from explorer.notebooks import FOLDER, Notebook, find_notebooks

MAX_WAIT_S = 30.0

MISSING = f"The notebooks are missing: `{FOLDER}` does not exist. Install the program again, or get the repository."

ELSEWHERE = (
    "The notebooks can be run on the computer that this app runs on: open the app there under http://localhost, or start "
    "`make lab` in a terminal there."
)

NO_JUPYTER = 'Running the notebooks needs Jupyter Lab: `pip install "posenet3d-explorer[learn]"`'


def lab_link(name: str) -> None:
    """Draw a button that starts Jupyter Lab, then a link to the notebook in it."""
    if find_spec("jupyterlab") is None:
        st.caption(NO_JUPYTER)
        return
    if not visitors.is_local():  # Jupyter Lab gives its visitors a terminal
        st.caption(ELSEWHERE)
        return
    if not st.button(
        "Run in Jupyter Lab", icon=":material/play_circle:", help="On the computer that this app runs on."
    ):
        return
    with st.spinner("Starting Jupyter Lab ..."):
        until = time.monotonic() + MAX_WAIT_S
        while not cache.jupyter_lab().is_up() and time.monotonic() < until:
            time.sleep(0.3)
    if cache.jupyter_lab().is_up():
        st.link_button(f"Open {name} in a new tab", cache.jupyter_lab().address(name), type="primary")
    else:
        cache.forget_jupyter_lab()
        st.error("Jupyter Lab did not start: run `make lab` in a terminal to see why.")


def show(name: str, notebook: Notebook) -> None:
    """Draw a notebook, and the answers to its exercises."""
    lab_link(name)
    for part in notebook.parts():
        if isinstance(part.content, bytes):
            st.image(part.content)
        elif part.kind == "markdown":
            st.markdown(part.content)
        else:
            st.code(part.content, language="python" if part.kind == "code" else None, wrap_lines=True)
    if answers := notebook.answers():
        with st.expander("Answers"):
            st.markdown(answers)


notebooks = {name: cache.read_notebook(file) for name, file in find_notebooks().items()}
if not notebooks:
    st.info(MISSING)
else:
    session.NOTEBOOK.forget_unless(notebooks)
    chosen = st.selectbox(
        "Notebook",
        list(notebooks),
        format_func=lambda name: notebooks[name].title,
        key=session.NOTEBOOK.key,
        persist_state="session",
    )
    show(chosen, notebooks[chosen])
