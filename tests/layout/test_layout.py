"""The layout is as documented: packages are ours, imports are light, no package index is named."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from setuptools import find_packages

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("data_contracts", "features", "lending", "models", "pipelines", "simulator")
HEAVY = (
    *("pandas", "numpy", "pyarrow", "duckdb", "lightgbm", "sklearn", "shap"),
    *("mlflow", "great_expectations", "networkx", "matplotlib"),
)


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_resolves_inside_this_checkout(name: str) -> None:
    module = importlib.import_module(name)
    assert Path(str(module.__file__)).resolve().is_relative_to(CHECKOUT)


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_marked_as_typed(name: str) -> None:
    assert (CHECKOUT / name / "py.typed").is_file()


def test_the_wheel_finds_every_folder_of_ours_and_no_other() -> None:
    patterns = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"][
        "include"
    ]
    found = find_packages(str(CHECKOUT), include=patterns)
    present = {
        path.parent.relative_to(CHECKOUT).as_posix().replace("/", ".")
        for name in PACKAGES
        for path in (CHECKOUT / name).rglob("*.py")
    }
    assert present == set(found)


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys\nsys.argv = ['passport', '--help']\nfrom pipelines.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert finished.stderr.strip() == "[]"
    assert "score" in finished.stdout


@pytest.mark.parametrize("lock", sorted(path.name for path in CHECKOUT.glob("requirements*.lock")))
def test_locks_pin_every_package_by_hash_and_name_no_index(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    pins = re.findall(
        r"^[A-Za-z0-9_.-]+==[^\n]*\n((?:    --hash=sha256:[0-9a-f]{64}[^\n]*\n)*)", text, flags=re.MULTILINE
    )
    assert len(pins) == len(re.findall(r"^[^\s#].*==", text, flags=re.MULTILINE)) > 5
    assert all(pins)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_product_code_names_no_development_data_folder() -> None:
    offenders = [
        path.relative_to(CHECKOUT).as_posix()
        for name in PACKAGES
        for path in (CHECKOUT / name).rglob("*.py")
        if "../shared" in path.read_text(encoding="utf-8")
    ]
    assert offenders == []
