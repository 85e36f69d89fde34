"""The pages of the documentation site are gathered with working links, and notebooks with their pictures."""
# ruff: noqa: E402 - nothing of these tools is imported where they are not installed

from __future__ import annotations

import base64
from pathlib import Path

import pytest

for needed in ("mkdocs", "nbconvert"):
    pytest.importorskip(needed, reason="the documentation tools are not installed; make site installs them")

import nbformat

from tools.site.building import filled_navigation
from tools.site.notebooks import NotExecuted, page_of, render_notebooks
from tools.site.pages import gather_pages, page_places, with_site_links

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a small checkout with a guide, a picture, the documents at the root and a notebook."""
    written = {
        "README.md": "The front door.\n",
        "GLOSSARY.md": "See [the guide](docs/guides/lenders.md#score).\n",
        "CHANGELOG.md": "New: [a decision](docs/decisions/README.md).\n",
        "CONTRIBUTING.md": "Run make.\n",
        "SECURITY.md": "Write to us.\n",
        "docs/index.md": "Start.\n",
        "docs/guides/lenders.md": "Lenders.\n",
        "docs/decisions/README.md": "Decisions.\n",
        "docs/picture.png": "",
        "notebooks/why.py": "# %%\n1 + 1\n",
        "pipelines/cli.py": "",
    }
    for name, text in written.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "checkout"


@pytest.mark.parametrize(
    ("source", "link", "on_site"),
    [
        ("docs/guides/lenders.md", "[words](../../GLOSSARY.md#as-of)", "[words](../glossary.md#as-of)"),
        ("docs/guides/lenders.md", "[start](../../README.md)", "[start](../index.md)"),
        ("docs/guides/lenders.md", "[why](../../notebooks/why.py)", "[why](../notebooks/why.md)"),
        ("docs/guides/lenders.md", "![seen](../picture.png)", "![seen](../picture.png)"),
        ("GLOSSARY.md", "[guide](docs/guides/lenders.md#score)", "[guide](guides/lenders.md#score)"),
        ("GLOSSARY.md", "[code](pipelines/cli.py)", "code"),
        ("GLOSSARY.md", "[nothing](docs/missing.md)", "[nothing](docs/missing.md)"),
        ("GLOSSARY.md", "[elsewhere](https://example.org/a.md)", "[elsewhere](https://example.org/a.md)"),
        ("GLOSSARY.md", "`[code](README.md)`", "`[code](README.md)`"),
    ],
)
def test_a_link_between_files_becomes_a_link_between_pages(
    checkout: Path, source: str, link: str, on_site: str
) -> None:
    assert with_site_links(f"See {link}.", source, page_places(checkout), checkout) == f"See {on_site}."


def test_the_documents_at_the_root_become_pages_and_what_was_there_before_goes(checkout: Path, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "old.md").write_text("Old.\n", encoding="utf-8")
    gather_pages(checkout, pages)
    assert {path.relative_to(pages).as_posix() for path in pages.rglob("*.*")} == {
        *("index.md", "glossary.md", "changelog.md", "contributing.md", "security.md"),
        *("guides/lenders.md", "decisions/README.md", "picture.png"),
    }
    assert (pages / "index.md").read_text(encoding="utf-8") == "Start.\n"
    assert (pages / "glossary.md").read_text(encoding="utf-8") == "See [the guide](guides/lenders.md#score).\n"


def executed_notebook(folder: Path, *, count: int | None = 1) -> Path:
    """Write an executed notebook that drew a picture."""
    cell = nbformat.v4.new_code_cell("draw()", execution_count=count)
    png = base64.b64encode(PIXEL).decode()
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": png, "text/plain": "<a figure>"})]
    title = nbformat.v4.new_markdown_cell("# Why this score?")
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"language_info": {"name": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[title, cell], metadata=metadata), folder / "why.ipynb")
    return folder / "why.ipynb"


def test_a_notebook_becomes_a_page_with_its_code_and_its_pictures(checkout: Path, tmp_path: Path) -> None:
    executed_notebook(tmp_path / "executed")
    render_notebooks(checkout / "notebooks", tmp_path / "executed", tmp_path / "pages")
    page = (tmp_path / "pages" / "why.md").read_text(encoding="utf-8")
    (picture,) = (tmp_path / "pages").glob("*.png")
    assert page.startswith("# Why this score?")
    assert "```python\ndraw()\n```" in page
    assert f"/{picture.name})" in page
    assert picture.read_bytes() == PIXEL


def test_a_notebook_that_was_not_executed_is_refused(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(NotExecuted, match=r"why\.ipynb is missing; remedy: make notebooks"):
        render_notebooks(checkout / "notebooks", tmp_path / "executed", tmp_path / "pages")
    with pytest.raises(NotExecuted, match="has a cell that was not executed"):
        page_of(executed_notebook(tmp_path / "half", count=None))


def test_a_folder_in_the_navigation_means_its_english_pages_in_order(tmp_path: Path) -> None:
    for name in ("b.md", "a.md", "a.zh.md", "README.md", "picture.png"):
        (tmp_path / "sources").mkdir(exist_ok=True)
        (tmp_path / "sources" / name).touch()
    entries = ["index.md", {"Sources": "sources/"}, {"Reference": ["sources/README.md", "sources/"]}]
    assert filled_navigation(entries, tmp_path) == [
        "index.md",
        {"Sources": ["sources/a.md", "sources/b.md"]},
        {"Reference": ["sources/README.md", "sources/a.md", "sources/b.md"]},
    ]
