"""What is said in two files is the same in both, and what the program reads at run time is in the wheel."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import posenet3d

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9._-]+")


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def by_name(requirements: list[str]) -> dict[str, str]:
    found = {NAME.match(requirement)[0]: requirement for requirement in requirements}
    assert len(found) == len(requirements), "a package is named twice"
    return found


def test_project_and_requirements_name_the_same_ranges():
    groups = PROJECT["optional-dependencies"]
    for part in ("app", "export", "data"):
        assert set(groups[part]) <= set(PROJECT["dependencies"])
    extras = [
        requirement for name, group in groups.items() if name not in ("app", "export", "data") for requirement in group
    ]
    listed = lines_of((ROOT / "requirements.txt").read_text())
    assert by_name([*PROJECT["dependencies"], *extras]) == by_name(listed)
    assert listed == sorted(listed, key=lambda line: NAME.match(line)[0].lower())


LOCKED_LINE = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\]+)(?: ; ([^\\]+?))? \\$", re.MULTILINE)


@pytest.mark.parametrize("python", ["3.11.7", "3.12.4"])
def test_the_lock_satisfies_every_range(python):
    environment = {
        "python_version": python[:4],
        "python_full_version": python,
        "sys_platform": "linux",
        "os_name": "posix",
    }
    locked = {
        canonicalize_name(name): version
        for name, version, marker in LOCKED_LINE.findall((ROOT / "requirements.lock").read_text())
        if not marker or Marker(marker).evaluate(environment)
    }
    unmet = []
    for line in lines_of((ROOT / "requirements.txt").read_text()):
        wanted = Requirement(line)
        version = locked.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version):
            unmet.append(f"{line}: {version}")
    assert unmet == ["torch>=2.6,<2.14: None"], (
        "run `make lock`; torch alone is left out (its CPU build has other hashes)"
    )


def test_every_locked_package_has_hashes():
    text = "\n".join(lines_of((ROOT / "requirements.lock").read_text()))
    blocks = re.split(r"\n(?=\S)", text)
    assert len(blocks) > 100
    assert [
        b for b in blocks if not re.fullmatch(r"[^\n]+==[^\n]+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n|$))+", b)
    ] == []


def test_nothing_without_a_free_licence_is_a_dependency():
    assert not any(requirement.startswith("smplx") for requirement in PROJECT["dependencies"])


def test_version_is_said_once():
    assert "version" in PROJECT["dynamic"]
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {posenet3d.__version__}\n" in citation
    assert f"## [{posenet3d.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> set[str]:
    """Names of the files in a wheel of the tracked files."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout")
    folder = tmp_path_factory.mktemp("wheel")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("docs/", "tests/", "tools/")):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        folder / "source",
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


def tracked(*patterns: str) -> set[str]:
    command = ["git", "ls-files", *patterns]
    return set(subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout.splitlines())


@pytest.mark.slow
def test_wheel_has_every_file_of_the_packages(wheel):
    not_shipped = ("explorer/viewer/src/", "explorer/viewer/.npmrc")
    wanted = {name for name in tracked("posenet3d", "explorer") if not name.startswith(not_shipped)}
    assert wanted - wheel == set()
    assert not any("node_modules" in name for name in wheel)


@pytest.mark.slow
def test_wheel_has_what_the_app_reads_from_the_repository(wheel):
    for name in ("streamlit_app.py", ".streamlit/config.toml", *tracked("notebooks")):
        assert f"explorer/home_files/{name}" in wheel


@pytest.mark.slow
def test_wheel_has_nothing_else(wheel):
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"posenet3d", "explorer", "posenet3d_explorer"}
