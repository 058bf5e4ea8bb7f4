"""The app: a sidebar that chooses and lifts a sequence, and the pages that show the result."""

from pathlib import Path

# Imported before any page runs: plotly looks for pandas among the loaded modules and fails on one that another visitor's page
# is still loading.
import pandas  # noqa: F401
import streamlit as st

from explorer import sidebar, visitors

FOLDER = Path(__file__).parent / "pages"
ICON = Path(__file__).parent / "viewer" / "icon.svg"  # a material icon would be fetched from the network

# Streamlit's own margins around a page are so wide that the viewer would not fit on a laptop's screen.
STYLE = "<style>.stMainBlockContainer { padding: 4.25rem clamp(1rem, 2.5vw, 2.5rem) 2rem; }</style>"


UNEXPECTED = (
    "This page failed, which is a fault of the app. The terminal in which the app runs shows the details; please report "
    "them. Another page or another clip may still work."
)


def main() -> None:
    """Draw the sidebar and the chosen page; a new page is a file in `pages` and a line here."""
    st.set_page_config(page_title="PoseNet3D Explorer", page_icon=str(ICON), layout="wide")
    st.html(STYLE)
    if not visitors.is_welcome():
        st.error(visitors.FOREIGN_NAME)
        st.stop()
    page = st.navigation(
        [
            st.Page(FOLDER / "explore.py", title="Explore", icon=":material/3d_rotation:", default=True),
            st.Page(FOLDER / "errors.py", title="Errors", icon=":material/target:"),
            st.Page(FOLDER / "smoothness.py", title="Smoothness", icon=":material/monitoring:"),
            st.Page(FOLDER / "training.py", title="Training", icon=":material/show_chart:"),
            st.Page(FOLDER / "import_clip.py", title="Import", icon=":material/upload_file:", url_path="import"),
            st.Page(FOLDER / "export.py", title="Export", icon=":material/download:"),
            st.Page(FOLDER / "learn.py", title="Learn", icon=":material/school:"),
            st.Page(FOLDER / "about.py", title="About", icon=":material/info:"),
        ],
        position="top",
    )
    try:
        sidebar.choose()
        page.run()
    except Exception:
        st.error(UNEXPECTED)
        raise  # Streamlit logs it
