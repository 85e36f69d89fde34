"""Folders, files and functions stay small enough to read."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("data_contracts", "features", "lending", "models", "pipelines", "simulator")
FOLDERS = (*PACKAGES, "benchmarks", "notebooks", "tests", "tools")
MOST_MODULES = 20
MOST_FILE_LINES = 459
MOST_FUNCTION_LINES = 54
# One folder or file per source and per table, however many there are.
UNLIMITED = {"data_contracts/sources", "data_contracts/tables", "tests/unit/data_contracts/sources"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def functions(path: Path) -> Iterator[Function]:
    for node in nodes(path):
        if isinstance(node, Function):
            yield node


def lines_of(function: Function) -> int:
    """Return the lines of a function without its decorators and its docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def docstrings(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            yield ast.get_docstring(node) or ""


def test_no_folder_holds_more_than_twenty_modules() -> None:
    counts = Counter(name_of(path.parent) for path in modules(*FOLDERS) if path.name != "__init__.py")
    assert len(counts) > 50
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES and folder not in UNLIMITED} == {}


def test_no_file_is_longer_than_459_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules(*FOLDERS)}
    assert {name: length for name, length in lengths.items() if length > MOST_FILE_LINES} == {}


def test_no_function_is_longer_than_54_lines() -> None:
    long = {
        f"{name_of(path)}: {function.name}": lines_of(function)
        for path in modules(*PACKAGES, "benchmarks", "tools")
        for function in functions(path)
        if lines_of(function) > MOST_FUNCTION_LINES
    }
    assert long == {}


def test_no_docstring_begins_with_give() -> None:
    begins = [name_of(path) for path in modules(*FOLDERS) for text in docstrings(path) if re.match(r"Gives?\b", text)]
    assert begins == []


@pytest.mark.parametrize(("lines", "expected"), [(['    """One', '    two."""', "    return 1"], 2), (["    pass"], 2)])
def test_the_length_of_a_function_leaves_out_its_docstring(lines: list[str], expected: int) -> None:
    (function,) = ast.parse("\n".join(["def f():", *lines])).body
    assert isinstance(function, ast.FunctionDef)
    assert lines_of(function) == expected
