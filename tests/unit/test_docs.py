"""The documentation names files that exist, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
FILE = re.compile(r"`((?:posenet3d|explorer|tests|tools|notebooks|docs)/[\w./-]*)`")


def dead(page: Path) -> list[str]:
    """Links and files in a page that do not exist; experiments.md is a diary and may name what is gone."""
    text = page.read_text()
    links = [link for link in LINK.findall(text) if "://" not in link and not (page.parent / link).exists()]
    named = [] if page.name == "experiments.md" else [name for name in FILE.findall(text) if not (ROOT / name).exists()]
    return links + named


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_links_and_named_files_exist(file):
    assert dead(file) == []


def test_the_check_sees_a_dead_link_and_a_file_that_is_gone(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "[a](nowhere.md), `posenet3d/door.py`, [b](https://example.org/x), `posenet3d/errors.py`, [c](page.md#top)"
    )
    assert dead(page) == ["nowhere.md", "posenet3d/door.py"]
