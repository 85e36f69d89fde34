"""Every example in a docstring shows what really comes out."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("data_contracts", "features", "lending", "models", "pipelines", "simulator", "tools")
_EXAMPLE = re.compile(r"^ +>>> ", flags=re.MULTILINE)


def modules_with_examples() -> list[str]:
    paths = (path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py"))
    found = [path for path in paths if _EXAMPLE.search(path.read_text(encoding="utf-8"))]
    return sorted(".".join(path.relative_to(CHECKOUT).with_suffix("").parts) for path in found)


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module_show_what_comes_out(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > 0
    assert results.failed == 0


def test_modules_with_examples_are_found() -> None:
    assert {"models.explanation.reasons", "pipelines.score_codes"} <= set(modules_with_examples())
