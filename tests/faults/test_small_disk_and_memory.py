"""A disk that is really full, and memory that really runs out, in the middle of a delivery."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.runs.stages import Place, current_output, read_manifest
from pipelines.signing.keys import trust_file_for
from tests.factories.faults.disk_faults import in_a_child, typed
from tests.factories.files.workbooks import workbook_with
from tests.factories.invoice_world import AS_OF, invoice_matrix, write_invoice_bundle
from tests.factories.raw_files import RawFile, ingest_settings, vat_file, vat_row, write_raw_folder
from tests.factories.scoring import KEYS
from tests.factories.small_run import CHECKOUT, environment
from tests.faults.conftest import FIRST_DELIVERY, PROFILE, profile_of
from tests.faults.small_disk import CANNOT_MOUNT

PASSPORT = Path(sys.executable).with_name("passport")
PURCHASES = ["订单编号", "买家会员名", "卖家会员名", "实付款(元)", "订单状态", "订单创建时间", "订单付款时间", "数量"]
PURCHASE = ["1234567890123456789", "a", "b", 5, "交易成功", "2023-03-05 09:00:00", "2023-03-05 09:00:00", 1]
# A lone cell in the last column spans a sheet of 49 million cells; each takes memory once it is read.
FAR_CELL = b'<row r="3000"><c r="XFD3000"><v>1</v></c></row>'


def many_invoices(count: int) -> RawFile:
    """Return invoices with amounts that hardly compress."""
    net = np.random.default_rng(1).integers(1, 10**9, count)
    rows = [vat_row(str(number), amounts=f"{n}.00,0.00,{n}.00") for number, n in enumerate(net.tolist(), start=1)]
    return RawFile("v/many.csv", "vat_invoices", vat_file("sale", rows), "S000001")


@pytest.mark.parametrize("batch_bytes", [2**24, 2**17], ids=["at_once", "in_parts"])
def test_a_really_full_disk_stops_ingest_in_one_line_and_with_room_it_goes_through(
    tmp_path: Path, batch_bytes: int
) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare here, which makes a mount namespace")
    first = write_raw_folder(tmp_path / "first", FIRST_DELIVERY)
    second = write_raw_folder(tmp_path / "second", [*FIRST_DELIVERY, many_invoices(30_000)])
    (tmp_path / "disk").mkdir()
    program = CHECKOUT / "tests" / "faults" / "small_disk.py"
    arguments: list[str | Path] = [program, first, second, tmp_path / "disk", str(batch_bytes)]
    done = subprocess.run(
        [unshare, "--mount", "--map-root-user", sys.executable, *arguments],
        env=environment(tmp_path / "keys", PYTHONPATH=str(CHECKOUT)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == CANNOT_MOUNT or "unshare" in done.stderr:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["first"][0] == "0", found
    code, *said = found["second"]
    assert (code, len(said)) == ("3", 1), found
    assert "No space left on device" in said[0]
    assert "what was published before is unchanged; remedy: make room there" in said[0]
    assert (found["is_kept"], found["left_over"]) == (True, [])
    assert found["again"][0] == "0", found
    assert {"tables/trade_invoice.parquet", "row_counts.json"} <= set(found["outputs"])


def ingest(folder: Path, files: list[RawFile], **settings: object) -> tuple[int, list[str]]:
    """Run ``passport ingest`` over these files within 1 GiB of memory; return exit code and lines."""
    shutil.rmtree(folder / "raw", ignore_errors=True)
    raw = write_raw_folder(folder / "raw", files)
    profile = profile_of(raw)
    profile.ingest = ingest_settings(raw_dir=raw, worker_memory_mib=1024, **settings)

    def work() -> str:
        keys = mock.patch.dict("os.environ", {"KEYS_DIR": str(folder / "keys")})
        with keys, mock.patch("pipelines.profiles.load_profile", return_value=profile):
            return typed("ingest", "--out", folder / "out")

    code, *said = in_a_child(work).said.splitlines()
    return int(code), said


def test_memory_that_runs_out_within_a_delivery_names_the_file_and_leaves_what_was_published(tmp_path: Path) -> None:
    place = Place(PROFILE, tmp_path / "out")
    assert ingest(tmp_path, list(FIRST_DELIVERY))[0] == 0
    before = read_manifest(current_output(place, "ingest"))
    greedy = RawFile("p/2.xlsx", "alibaba_1688_orders", workbook_with({"订单": [PURCHASES, PURCHASE]}, FAR_CELL), "S1")
    modest = RawFile("p/2.xlsx", "alibaba_1688_orders", workbook_with({"订单": [PURCHASES, PURCHASE]}, b""), "S1")
    code, said = ingest(tmp_path, [*FIRST_DELIVERY, greedy])
    assert (code, len(said)) == (2, 1), said
    assert all(words in said[0] for words in ("file p/2.xlsx", "1024 MiB", "remedy: "))
    assert read_manifest(current_output(place, "ingest")) == before
    assert list(place.stage_dir("ingest").glob(".run-*")) == []
    assert ingest(tmp_path, [*FIRST_DELIVERY, modest])[0] == 0
    assert len(list((current_output(place, "ingest") / "tables").glob("*.parquet"))) == 3


def scored(folder: Path, mounted: Path, size: str, *more: object) -> tuple[int, str]:
    """Score forty applicants with a small disk mounted; return the exit code and what was said."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare here, which makes a mount namespace")
    write_invoice_bundle(folder / "bundle")
    (folder / "trust.json").write_bytes(trust_file_for(KEYS, "test", AS_OF))
    pq.write_table(invoice_matrix(), folder / "applicants.parquet")
    mounted.mkdir()
    given = (
        "--bundle",
        folder / "bundle",
        "--trust",
        folder / "trust.json",
        "--issued-on",
        "2024-07-15",
        "--unpromoted",
        *more,
    )
    command = shlex.join(map(str, (PASSPORT, "score", folder / "applicants.parquet", *given)))
    look = f"find {shlex.quote(str(mounted))} -type f"
    mount = f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(mounted))} || exit {CANNOT_MOUNT}"
    script = f"{mount}; {command}; code=$?; {look}; exit $code"
    done = subprocess.run(
        [unshare, "--mount", "--map-root-user", "sh", "-c", script],
        env=environment(folder / "keys", TMPDIR=str(mounted)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == CANNOT_MOUNT or "unshare" in done.stderr:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    return done.returncode, done.stdout + done.stderr


def test_a_full_temporary_folder_is_told_in_one_line(tmp_path: Path) -> None:
    code, said = scored(tmp_path, tmp_path / "small", "8k", "--out", tmp_path / "out")
    assert (code, len(said.splitlines())) == (3, 1), said
    assert all(words in said for words in ("No space left on device", str(tmp_path / "small"), "remedy: make room"))
    assert not (tmp_path / "out").exists()


def test_scores_that_do_not_fit_on_the_disk_leave_it_as_empty_as_it_was(tmp_path: Path) -> None:
    small = tmp_path / "small"
    code, said = scored(tmp_path, small, "160k", "--out", small / "out", "--passports", "40")
    first, *left = said.splitlines()
    names = [Path(line).name for line in (first, *left) if line.startswith(str(small))]
    assert code == 3, said
    assert "No space left on device" in said
    assert set(names) <= {".out.lock"}, said


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))])
def test_a_machine_without_memory_is_named_by_every_command(error: Exception) -> None:
    def work() -> str:
        with mock.patch("pipelines.profiles.load_profile", side_effect=error):
            return typed("ingest")

    code, *said = in_a_child(work).said.splitlines()
    assert (code, len(said)) == ("3", 1), said
    assert "the machine has too little memory" in said[0]
    assert "internal fault" not in said[0]


def test_rows_of_one_key_that_memory_does_not_hold_name_the_file_and_leave_what_was_published(tmp_path: Path) -> None:
    place = Place(PROFILE, tmp_path / "out")
    assert ingest(tmp_path, list(FIRST_DELIVERY))[0] == 0
    before = read_manifest(current_output(place, "ingest"))
    one_key = RawFile("v/many.csv", "vat_invoices", vat_file("sale", [vat_row("1")] * 600_000), "S000001")
    code, said = ingest(tmp_path, [*FIRST_DELIVERY, one_key], batch_bytes=2**20)
    assert (code, len(said)) == (2, 1), said
    assert all(words in said[0] for words in ("file v/many.csv", "1024 MiB", "remedy: "))
    assert read_manifest(current_output(place, "ingest")) == before
    assert list(place.stage_dir("ingest").glob(".run-*")) == []
    assert ingest(tmp_path, [*FIRST_DELIVERY, many_invoices(3_000)], batch_bytes=2**14)[0] == 0
    assert len(list((current_output(place, "ingest") / "tables").glob("*.parquet"))) == 2
