"""The same input produces the same bytes with any threads, processes, hash seed, language, time zone and file order."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_contracts.digest import sha256_file
from tests.factories.invoice_world import SELLERS, write_invoice_bundle, write_raw_invoices
from tests.factories.small_run import CHECKOUT, environment

PLAIN = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with raw invoices of six firms and a bundle."""
    folder = tmp_path_factory.mktemp("same")
    write_raw_invoices(folder / "raw", SELLERS[:6])
    write_invoice_bundle(folder / "bundle")
    return folder


def digests(
    start: Path, out: Path, threads: int = 1, workers: int = 1, raw: str = "raw", **variables: str
) -> dict[str, str]:
    """Return the digest of every file that the tiny pipeline writes in such an environment."""
    program = CHECKOUT / "tests" / "faults" / "tiny_pipeline.py"
    command = [sys.executable, *map(str, (program, start / raw, start / "bundle", out, threads, workers))]
    found = environment(start / "keys", PYTHONPATH=str(CHECKOUT), **{**PLAIN, **variables})
    done = subprocess.run(command, env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(out).as_posix(): sha256_file(path) for path in files}


@pytest.fixture(scope="module")
def wanted(start: Path) -> dict[str, str]:
    """Return the digests in the plain environment."""
    return digests(start, start / "plain")


def test_every_step_left_something_to_compare(wanted: dict[str, str]) -> None:
    assert {"ingest/tables/trade_invoice.parquet", "features/matrix.parquet", "score/passports.parquet"} <= set(wanted)
    assert sum(name.startswith("score/passports/") and name.endswith(".json") for name in wanted) == 2


def test_threads_processes_and_the_size_of_batches_change_no_byte(
    start: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    assert digests(start, tmp_path / "out", threads=2, workers=2, OMP_NUM_THREADS="2") == wanted


def test_hash_seed_time_zone_and_language_change_no_byte(start: Path, wanted: dict[str, str], tmp_path: Path) -> None:
    assert digests(start, tmp_path / "out", PYTHONHASHSEED="1", TZ="Asia/Kathmandu", LC_ALL="C") == wanted


def test_the_order_in_which_files_came_to_be_changes_no_byte(
    start: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    files = sorted((path for path in (start / "raw").rglob("*") if path.is_file()), reverse=True)
    for path in files:
        copy = start / "shuffled" / path.relative_to(start / "raw")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    assert digests(start, tmp_path / "out", raw="shuffled") == wanted
