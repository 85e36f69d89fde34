"""Executed notebooks as pages of the site, with the pictures they drew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
from nbconvert import MarkdownExporter

if TYPE_CHECKING:
    from pathlib import Path


class NotExecuted(Exception):
    """A notebook has no executed copy to render."""


def render_notebooks(sources: Path, executed: Path, target: Path) -> None:
    """Write a page for each notebook of the sources folder, from its executed copy.

    Raises:
        NotExecuted: There is no executed copy, or one of its cells was not executed.
    """
    target.mkdir(parents=True, exist_ok=True)
    for source in sorted(sources.glob("*.py")):
        copy = executed / f"{source.stem}.ipynb"
        if not copy.is_file():
            message = f"{copy} is missing; remedy: make notebooks"
            raise NotExecuted(message)
        text, pictures = page_of(copy)
        (target / f"{source.stem}.md").write_text(text, encoding="utf-8")
        for name, picture in pictures.items():
            (target / name).write_bytes(picture)


def page_of(executed: Path) -> tuple[str, dict[str, bytes]]:
    """Return the text of an executed notebook's page, and the pictures it shows by file name.

    Raises:
        NotExecuted: A cell with code was not executed.
    """
    notebook = nbformat.read(executed, as_version=4)
    if any(cell.cell_type == "code" and cell.source and cell.execution_count is None for cell in notebook.cells):
        message = f"{executed} has a cell that was not executed; remedy: make notebooks"
        raise NotExecuted(message)
    resources = {"unique_key": executed.stem, "output_files_dir": "."}
    text, made = MarkdownExporter().from_notebook_node(notebook, resources)
    where_from = f"<!-- Made from notebooks/{executed.stem}.py by make site. -->"
    return f"{text.rstrip()}\n\n{where_from}\n", made["outputs"]
