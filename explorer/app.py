"""The explorer: one sidebar that chooses what is looked at, and the pages that look at it."""

from pathlib import Path

# Here, before any page runs: plotly looks for pandas among the loaded modules and stumbles over one that another
# visitor's page is still loading.
import pandas  # noqa: F401
import streamlit as st

from explorer import sidebar

PAGES = Path(__file__).parent / "pages"
ICON = Path(__file__).parent / "viewer" / "icon.svg"  # a material icon would be fetched from the network

# Streamlit leaves a hand's breadth around every page; the viewer should be seen whole on a laptop.
STYLE = "<style>.stMainBlockContainer { padding: 4.25rem clamp(1rem, 2.5vw, 2.5rem) 2rem; }</style>"


def main() -> None:
    """Run the app: choose, lift, show the page."""
    st.set_page_config(page_title="PoseNet3D Explorer", page_icon=str(ICON), layout="wide")
    st.html(STYLE)
    page = st.navigation(
        [
            st.Page(PAGES / "explore.py", title="Explore", icon=":material/3d_rotation:", default=True),
            st.Page(PAGES / "errors.py", title="Errors", icon=":material/target:"),
            st.Page(PAGES / "smoothness.py", title="Smoothness", icon=":material/monitoring:"),
            st.Page(PAGES / "training.py", title="Training", icon=":material/show_chart:"),
            st.Page(PAGES / "import_clip.py", title="Import", icon=":material/upload_file:", url_path="import"),
            st.Page(PAGES / "export.py", title="Export", icon=":material/download:"),
            st.Page(PAGES / "learn.py", title="Learn", icon=":material/school:"),
            st.Page(PAGES / "about.py", title="About", icon=":material/info:"),
        ],
        position="top",
    )
    sidebar.choose()
    page.run()
