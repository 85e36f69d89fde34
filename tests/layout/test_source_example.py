"""The worked example of a source is read: its rows arrive, and its mistakes are set aside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "docs" / "examples" / "overseas_stock"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages with the example in its place."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("data_contracts", "features", "lending", "models", "pipelines", "simulator"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(EXAMPLE, copy / "data_contracts" / "sources" / "overseas_stock")
    return copy


def ingested(extended: Path, file: str, out: Path) -> tuple[int, dict[str, int]]:
    """Ingest a file of the example; return the exit code, and rows read, accepted and quarantined."""
    code = "from pipelines.cli import main; main()"
    period = ["--from", "2024-11-01", "--to", "2025-01-31", "--delivered-at", "2025-02-03"]
    command = [
        sys.executable,
        "-c",
        code,
        "ingest",
        str(EXAMPLE / file),
        "--seller",
        "S-1042",
        *period,
        "--out",
        str(out),
    ]
    done = subprocess.run(
        command, check=False, cwd=extended, env={**os.environ, "KEYS_DIR": str(out / "keys")}, capture_output=True
    )
    (counts,) = (json.loads(path.read_text()) for path in out.glob("adhoc/ingest/*/row_counts.json"))
    (entry,) = counts["files"]
    quarantined = sum(entry["quarantined"].values())
    return done.returncode, {"read": entry["rows_in"], "accepted": entry["accepted"], "quarantined": quarantined}


@pytest.mark.slow
def test_every_row_of_the_example_is_accepted(extended: Path, tmp_path: Path) -> None:
    assert ingested(extended, "stock.csv", tmp_path) == (0, {"read": 4, "accepted": 4, "quarantined": 0})


@pytest.mark.slow
def test_the_mistakes_of_the_example_are_set_aside(extended: Path, tmp_path: Path) -> None:
    assert ingested(extended, "stock_with_mistakes.csv", tmp_path) == (1, {"read": 3, "accepted": 1, "quarantined": 2})
