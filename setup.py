"""Put what the app needs from outside its packages into the wheel; everything else is said in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
SHIPPED = ("streamlit_app.py", ".streamlit", "notebooks")
"""The app's start script, its settings, and the notebooks of the page *Learn*; `explorer.home` finds them again."""

NEVER = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "runs", "secrets.toml")


class BuildWithHome(build_py):
    """Copy the files of `SHIPPED` into ``explorer/home_files``."""

    def run(self) -> None:
        """Build the packages, then copy; an editable install finds the files where they are."""
        super().run()
        if self.editable_mode:
            return
        home = Path(self.build_lib) / "explorer" / "home_files"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in SHIPPED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, home / name, ignore=NEVER)
            else:
                shutil.copy2(source, home / name)


setup(cmdclass={"build_py": BuildWithHome})
