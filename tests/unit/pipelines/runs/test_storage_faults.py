"""Faults of the machine are named as what they are, whichever library meets them, and leave no disk full."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.runs.storage_faults import emptied_if_full, machine_fault, report_duckdb_faults

NO_ROOM = (
    "Out of Memory Error: failed to offload data block of size 256.0 KiB (3.3 MiB/3.5 MiB used).\n"
    "This limit was set by the 'max_temp_directory_size' setting."
)
NO_MEMORY = "Out of Memory Error: failed to allocate data of size 16.0 MiB (33.6 MiB/48.0 MiB used)"


@pytest.mark.parametrize(
    ("fault", "number"),
    [
        (duckdb.OutOfMemoryException(NO_ROOM), errno.ENOSPC),
        (duckdb.IOException('IO Error: Could not write file "a": No space left on device'), errno.ENOSPC),
        (duckdb.IOException('IO Error: Could not read from file "a": Input/output error'), errno.EIO),
    ],
)
def test_a_disk_without_room_or_failing_comes_as_the_fault_it_is(
    tmp_path: Path, fault: duckdb.Error, number: int
) -> None:
    with pytest.raises(OSError, match=str(tmp_path)) as stopped, report_duckdb_faults(tmp_path):
        raise fault
    assert stopped.value.errno == number


def test_memory_that_runs_out_beside_a_disk_with_room_stays_a_lack_of_memory(tmp_path: Path) -> None:
    with pytest.raises(duckdb.OutOfMemoryException), report_duckdb_faults(tmp_path):
        raise duckdb.OutOfMemoryException(NO_MEMORY)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "too little memory"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "too little memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "too little memory"),
        (duckdb.OutOfMemoryException(NO_MEMORY), "too little memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "No space left on device (/data/x)"),
        (OSError(errno.ENOSPC, "Error writing bytes to file."), "No space left on device (/full)"),
        (FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/full']"), "No space left"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error (/full)"),
    ],
)
def test_a_fault_of_the_machine_is_told_in_one_line_with_a_remedy(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/full")
    fault = machine_fault(error)
    assert fault is not None
    assert fault.exit_code == 3
    assert said in str(fault)
    assert "what was published before is unchanged; remedy: " in str(fault)


@pytest.mark.parametrize("error", [ValueError("x"), FileNotFoundError(errno.ENOENT, "x"), PermissionError(13, "x")])
def test_no_other_error_is_a_fault_of_the_machine(error: Exception) -> None:
    assert machine_fault(error) is None


@pytest.mark.parametrize(("number", "is_left"), [(errno.ENOSPC, False), (errno.EDQUOT, False), (errno.EIO, True)])
def test_unfinished_work_goes_if_the_disk_is_full(tmp_path: Path, number: int, is_left: bool) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "part").write_bytes(b"x")
    with pytest.raises(OSError, match="as it came"), emptied_if_full(work):
        raise OSError(number, "as it came")
    assert work.exists() is is_left
