"""Learn: the tutorial notebooks, to be read here and run in Jupyter Lab."""

import atexit
import time
from importlib.util import find_spec

import streamlit as st

from explorer.notebooks import FOLDER, Lab, notebooks

WAIT_S = 30.0

MISSING = f"The notebooks are missing: `{FOLDER}` does not exist. Install the program again, or get the repository."

NO_JUPYTER = 'Running the notebooks needs Jupyter Lab: `pip install "posenet3d-explorer[learn]"`'


@st.cache_resource(show_spinner=False)
def lab() -> Lab:
    """One Jupyter Lab for everybody who asks."""
    started = Lab()
    atexit.register(started.close)
    return started


def run_it(name: str) -> None:
    """A button that starts Jupyter Lab, then a link into it."""
    if find_spec("jupyterlab") is None:
        st.caption(NO_JUPYTER)
        return
    if not st.button(
        "Run it in Jupyter Lab", icon=":material/play_circle:", help="On the computer that this program runs on."
    ):
        return
    with st.spinner("Starting Jupyter Lab ..."):
        until = time.monotonic() + WAIT_S
        while not lab().is_up() and time.monotonic() < until:
            time.sleep(0.3)
    if lab().is_up():
        st.link_button(f"Open {name} in a new tab", lab().address(name), type="primary")
    else:
        lab.clear()
        st.error("Jupyter Lab did not start: run `make lab` in a terminal to see why.")


def show(name: str) -> None:
    """A notebook from top to bottom, and the answers to its exercises."""
    notebook = notebooks()[name]
    run_it(name)
    for part in notebook.parts():
        if isinstance(part.content, bytes):
            st.image(part.content)
        elif part.kind == "words":
            st.markdown(part.content)
        else:
            st.code(part.content, language="python" if part.kind == "code" else None, wrap_lines=True)
    if answers := notebook.answers():
        with st.expander("Answers"):
            st.markdown(answers)


found = notebooks()
if not found:
    st.info(MISSING)
else:
    if st.session_state.get("notebook") not in found:
        st.session_state["notebook"] = next(iter(found))
    titles = {name: notebook.title for name, notebook in found.items()}
    st.selectbox("Notebook", list(found), format_func=titles.__getitem__, key="notebook", persist_state="session")
    show(st.session_state["notebook"])
