"""Where the app's files outside its packages are: its start script, its settings, the notebooks."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CARRIED = _PACKAGE / "home_files"  # setup.py fills it in the wheel

HOME = _CARRIED if _CARRIED.is_dir() else _PACKAGE.parent
"""The folder that the wheel carries, or the checkout."""

START = HOME / "streamlit_app.py"
"""The script that Streamlit runs; ``.streamlit/config.toml`` beside it holds the app's settings."""
