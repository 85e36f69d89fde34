"""DuckDB reports a full disk as a lack of memory; we report it as a disk fault."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pytest

from pipelines.runs.storage_faults import report_duckdb_faults

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
