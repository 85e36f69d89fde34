"""A small archive that unpacks to hundreds of mebibytes costs the program little more memory than a modest file."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.factories.raw_files import RawFile, vat_file, vat_row, write_raw_folder
from tests.factories.small_run import CHECKOUT, environment
from tests.faults.conftest import FIRST_DELIVERY

UNPACKED_MIB = 160
MEMORY_MIB = 4096
HEADER = vat_file("sale", [])
ROW = vat_file("sale", [vat_row("1")])[len(HEADER) :].rstrip(b"\n")
LINES = {
    "one line": b"x" * (UNPACKED_MIB * 2**20),
    "long lines": (b"x" * 2**16 + b"\n") * (UNPACKED_MIB * 16),
    "long cells": (ROW + b"y" * 2**19 + b"\n") * (UNPACKED_MIB * 2),
}


def hostile_archive(folder: Path, lines: bytes) -> Path:
    """Return a raw folder with a zip of one invoice file."""
    raw = write_raw_folder(folder, [RawFile("v/a.csv.zip", "vat_invoices", b"", "S000001")])
    packed = raw / "v/a.csv.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("a.csv", HEADER + lines)
    listed = (raw / "deliveries.csv").read_text(encoding="utf-8")
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    (raw / "deliveries.csv").write_text(listed.replace(hashlib.sha256(b"").hexdigest(), digest), encoding="utf-8")
    return raw


@pytest.mark.slow
@pytest.mark.parametrize("kind", LINES)
def test_an_archive_of_a_few_hundred_kilobytes_takes_no_more_memory_than_stated(tmp_path: Path, kind: str) -> None:
    modest = write_raw_folder(tmp_path / "modest", FIRST_DELIVERY)
    hostile = hostile_archive(tmp_path / "hostile", LINES[kind])
    assert (hostile / "v/a.csv.zip").stat().st_size < 2**20
    program = CHECKOUT / "tests" / "faults" / "hostile_memory.py"
    done = subprocess.run(
        [sys.executable, program, modest, hostile, tmp_path / "out", str(MEMORY_MIB)],
        env=environment(tmp_path / "keys", PYTHONPATH=str(CHECKOUT), TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["said"] == ""
    # The rows set aside are written group by group, each of which takes some times 64 MiB.
    assert found["after"] - found["before"] < 2 * UNPACKED_MIB
    assert found["child"] > 0
    assert found["after"] + found["child"] < MEMORY_MIB
    kept = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert kept < 2**24
