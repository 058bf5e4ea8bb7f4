"""Pages of the documentation that are made from other files: a hook of MkDocs (mkdocs.yml names it).

- README.md is the first page, the model cards and the contributor's guide are pages of the guide.
- The notebooks become pages with their outputs.
- The API reference has one page per folder of `posenet3d`, made from the docstrings of its modules.

Links between these files work in the repository as they are written; here they are turned to the pages.
"""

import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from explorer.notebooks import Part, find_notebooks, read_notebook  # noqa: E402

CARDS = {
    f"posenet3d/checkpoints/{name}/README.md": f"models/{name}.md" for name in ("teacher", "student", "joint", "pose2d")
}
GENERATED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", **CARDS}
"""File of the repository to page of the site."""

GUIDE = [
    ("Data sets, protocols, formats", "datasets.md"),
    ("Results", "results.md"),
    ("The 2D estimator", "pose2d.md"),
    ("Real footage", "footage.md"),
    ("Experiments", "experiments.md"),
    ("Speed of the viewer", "viewer_speed.md"),
]

LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
NOWHERE = "no-page"
DEAD = re.compile(rf"!?\[([^\[\]]*)\]\({NOWHERE}\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write the navigation: what is generated is known only here."""
    config.nav = [
        {"Home": "index.md"},
        {"Guide": [{title: page} for title, page in GUIDE]},
        {
            "Notebooks": [
                {"Gallery": "notebooks.md"},
                *({read_notebook(file).title: f"lessons/{name}.md"} for name, file in find_notebooks().items()),
            ]
        },
        {"Models": [{Path(page).stem: page} for page in CARDS.values()]},
        {"API": [{folder or "posenet3d": page} for folder, page, _ in reference()]},
        {"Contributing": ["contributing.md", {"Architecture": "architecture.md"}, {"Changelog": "changelog.md"}]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for source, page in GENERATED.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=with_site_links(text, source, page)))
    for name, path in find_notebooks().items():
        notebook = read_notebook(path)
        parts = notebook.parts()
        title, *rest = str(parts[0].content).split("\n", 1)
        lines = [title, "", f"`make lab` opens it in Jupyter Lab: `notebooks/{name}.ipynb`.", "", *rest]
        for number, part in enumerate(parts[1:]):
            if isinstance(part.content, bytes):
                picture = f"lessons/{name}-{number}.png"
                files.append(File.generated(config, picture, content=part.content))
                lines += ["", f"![Output of the cell above]({Path(picture).name})", ""]
            else:
                lines += ["", as_markdown(part), ""]
        files.append(File.generated(config, f"lessons/{name}.md", content="\n".join(lines)))
    for folder, page, modules in reference():
        lines = [f"# {folder or 'posenet3d'}", "", *(f"::: {module}\n" for module in modules)]
        files.append(File.generated(config, page, content="\n".join(lines)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of the pages in docs/ that lead out of docs/ to the pages made of those files."""
    source = page.file.src_uri
    if page.file.generated_by:
        return markdown
    return with_site_links(markdown, f"docs/{source}", source)


def with_site_links(text: str, source: str, page: str) -> str:
    """Return the text of a file of the repository with its relative links as they are from its page in the site.

    A link to a file of the repository that has no page becomes plain words; a dead link stays, for MkDocs to report.
    """

    def turned(match: re.Match[str]) -> str:
        target, anchor = match.group(1), match.group(2) or ""
        if "://" in target or target.startswith("mailto:"):
            return match.group()
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        there = page_of(file)
        if there is None and (ROOT / file).exists():
            return f"]({NOWHERE})"
        if there is None:
            return match.group()  # MkDocs will complain
        return f"]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{anchor})"

    return DEAD.sub(r"\1", LINK.sub(turned, text))


def page_of(file: str) -> str | None:
    """Return the page or picture of the site that a file of the repository is; None if it is not in the site."""
    if file in GENERATED:
        return GENERATED[file]
    if file.startswith("notebooks/") and file.endswith(".ipynb"):
        return f"lessons/{Path(file).stem}.md"
    if file.startswith("docs/") and (ROOT / file).is_file():
        return file.removeprefix("docs/")
    return None


def as_markdown(part: Part) -> str:
    """Return words as they are, code and printed output as blocks."""
    if part.kind == "words":
        return str(part.content)
    fence = "````"
    return f"{fence}{'python' if part.kind == 'code' else 'text'}\n{str(part.content).rstrip()}\n{fence}"


def reference() -> Iterator[tuple[str, str, list[str]]]:
    """Yield folder of `posenet3d`, page and modules, in the order of their names; the folder '' holds the root's modules.

    Workers, which run in processes of their own, are left out.
    """
    library = ROOT / "posenet3d"
    groups: dict[str, list[str]] = {}
    for file in sorted(library.rglob("*.py")):
        *folders, name = file.relative_to(library).with_suffix("").parts
        if (
            (name.startswith("__") and (folders or name != "__init__"))
            or name.endswith("_worker")
            or "workers" in folders
        ):
            continue
        module = ["posenet3d", *folders, *([] if name == "__init__" else [name])]
        groups.setdefault(folders[0] if folders else "", []).append(".".join(module))
    for folder, modules in sorted(groups.items()):
        yield folder, f"reference/{folder or 'posenet3d'}.md", modules
