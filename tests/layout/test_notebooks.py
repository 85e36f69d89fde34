"""Notebooks are plain Python, survive jupytext byte by byte, and start with a question."""

from __future__ import annotations

import subprocess
from pathlib import Path

import jupytext
import pytest
from jupytext.config import load_jupytext_config

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.py"))
OUR_PACKAGES = ("data_contracts", "features", "lending", "models", "pipelines", "simulator")


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS


def test_only_python_files_of_notebooks_are_kept() -> None:
    command = ["git", "ls-files", "--", "notebooks", "*.ipynb"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing says which files are kept")
    assert {Path(name).suffix for name in listed.stdout.split()} <= {".py", ".mplstyle"}
    assert "*.ipynb" in (CHECKOUT / ".gitignore").read_text(encoding="utf-8").split()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_comes_back_from_jupytext_to_the_byte(path: Path, tmp_path: Path) -> None:
    config = load_jupytext_config(str(path))
    assert config is not None
    assert config.cell_metadata_filter == config.notebook_metadata_filter == "-all"
    notebook = jupytext.read(path, config=config)
    there = tmp_path / f"{path.stem}.ipynb"
    jupytext.write(notebook, there, config=config)
    back = jupytext.writes(jupytext.read(there, config=config), fmt="py:percent", config=config)
    assert back.encode() == path.read_bytes()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_begins_with_its_question(path: Path) -> None:
    first = jupytext.read(path).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.rstrip().endswith("?")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_uses_the_packages_and_keeps_its_cells_short(path: Path) -> None:
    code = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    assert any(line.startswith(f"from {name}") for name in OUR_PACKAGES for line in code[0].splitlines())
    assert all(len(source.splitlines()) <= 25 for source in code[1:])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_calls_the_simulated_world_synthetic(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "**synthetic**" in text
    assert text.count('print("synthetic') + text.count('print(f"synthetic') >= 5
