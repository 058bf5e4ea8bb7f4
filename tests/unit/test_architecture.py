"""The repository as a whole: imports point one way, the library stays free of the app, the command line answers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from posenet3d.cli import COMMANDS

ROOT = Path(__file__).parents[2]

# Lower folders first (docs/architecture.md); a module may import its own folder and those before it.
ORDER = [
    ["errors", "paths", "renamed", "config", "pickle_scan", "safe_pickle"],
    ["core"],
    ["body"],
    ["io"],
    ["synthetic"],
    ["models"],
    ["losses"],
    ["lifting"],
    ["training"],
    ["pose2d"],
    ["detection"],
    ["evaluation"],
    ["exports"],
    ["api"],
    ["__init__"],
    ["bench"],
    ["cli"],
    ["__main__"],
]


def place_of(module: str) -> int:
    """Index in `ORDER` of the folder (or root file) that holds ``posenet3d.<module>``."""
    folder = module.split(".")[0]
    places = [index for index, names in enumerate(ORDER) if folder in names]
    assert places, f"posenet3d/{folder} has no place in the order of imports: add it to ORDER"
    return places[0]


def imported_modules(text: str) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {
                f"{node.module}.{alias.name}" for alias in node.names if (ROOT / node.module.replace(".", "/")).is_dir()
            }
    return found


STARTS_THE_APP = "cli.app"
"""The one module of the library that may know the app; test_app_command.py sees to it that it does so only when run."""

LIBRARY = sorted((ROOT / "posenet3d").rglob("*.py"))


def wrong_imports(own: str, text: str) -> list[str]:
    """Modules that `own` imports from a higher layer or from the app."""
    wrong = []
    for name in imported_modules(text):
        is_module = (ROOT / (name.replace(".", "/") + ".py")).exists()
        is_higher = name.startswith("posenet3d.") and is_module and place_of(name[len("posenet3d.") :]) > place_of(own)
        is_app = name.startswith(("streamlit", "plotly", "explorer")) and own != STARTS_THE_APP
        if is_app or is_higher:
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    own = ".".join(path.relative_to(ROOT / "posenet3d").with_suffix("").parts).removesuffix(".__init__")
    assert wrong_imports(own, path.read_text()) == []


def test_the_check_sees_a_wrong_import():
    text = "import plotly.express\nfrom posenet3d.core import camera\nfrom posenet3d.training.lifter import Networks\n"
    assert set(wrong_imports("models.teacher", text)) == {"plotly.express", "posenet3d.training.lifter"}


def test_files_stay_short():
    for path in [*LIBRARY, *(ROOT / "explorer").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 330, f"{path.name} is long: split it by ideas"


HEAVY = ("torch", "numpy", "scipy", "PIL", "av", "tqdm", "jaxtyping", "streamlit", "plotly", "vtk")


@pytest.mark.parametrize("code", ["import posenet3d", "import posenet3d.cli as c; c.main(['--help'])"])
def test_nothing_heavy_is_imported_before_a_command_runs(code):
    code = f"import sys\ntry: exec({code!r})\nexcept SystemExit: pass\nprint([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert out.returncode == 0, out.stderr
    assert out.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command():
    out = subprocess.run([sys.executable, "-m", "posenet3d", "--help"], capture_output=True, text=True, cwd=ROOT)
    names = [command.__name__.rpartition(".")[2] for command in COMMANDS]
    assert [name for name in names if not re.search(rf"^    {name}\b", out.stdout, re.MULTILINE)] == []


def test_every_command_has_a_file_with_a_parser_and_a_run():
    assert all(callable(command.add) and callable(command.run) for command in COMMANDS)
    files = {path.stem for path in (ROOT / "posenet3d" / "cli").glob("*.py")} - {"__init__"}
    listed = {command.__name__.rpartition(".")[2] for command in COMMANDS}
    assert {file for file in files if not file.startswith(tuple(f"{name}_" for name in listed))} == listed


def test_no_workplace_path_is_named():
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout")
    forbidden = ["/work/" + "shared", "/work/" + ".library", "../" + "shared"]
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".txt", ".js", ".yml", ""} and path.is_file():
            text = path.read_text(errors="ignore")
            assert not any(word in text for word in forbidden), name
