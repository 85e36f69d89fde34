"""Rows on disk for rules: found by position; a full disk is reported as such."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest import mock

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipelines.ingest.spill.rule_rows import RuleRows


def rows_of(folder: Path, numbers: list[int | None]) -> RuleRows:
    table = pa.table({"word": pa.array(["w"] * len(numbers)).dictionary_encode(), "n": pa.array(numbers, pa.int64())})
    rows = RuleRows(folder / "rows.arrow", table.schema)
    for start in range(0, len(numbers), 2):
        rows.add(table.slice(start, 2), np.arange(10 + start, 10 + min(start + 2, len(numbers))))
    return rows


def test_rows_that_share_a_key_are_found_and_the_later_of_some_of_them(tmp_path: Path) -> None:
    with rows_of(tmp_path, [1, 2, 1, None, None, 1, 2]).asked() as database:
        assert database.shared_key_positions(["word", "n"]).tolist() == [10, 11, 12, 15, 16]
        assert database.later_positions(["word", "n"], np.array([11, 12, 15, 16])).tolist() == [15, 16]


@pytest.mark.parametrize("fault", [duckdb.IOException, duckdb.OutOfMemoryException])
def test_a_disk_without_room_is_no_fault_of_the_rule(tmp_path: Path, fault: type[duckdb.Error]) -> None:
    no_room = fault("max_temp_directory_size: No space left on device")
    with (
        pytest.raises(OSError, match=str(tmp_path)) as stopped,
        rows_of(tmp_path, [1]).asked() as database,
        mock.patch.object(database, "_connection", sql=mock.Mock(side_effect=no_room)),
    ):
        database.shared_key_positions(["n"])
    assert stopped.value.errno == errno.ENOSPC
