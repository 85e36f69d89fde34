from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import ipc

from data_contracts.checks.row_stream import RowStream


def write_batches(path: Path, *batches: pa.RecordBatch) -> Path:
    with pa.OSFile(str(path), "wb") as file, ipc.new_file(file, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


def rows(numbers: list[int], words: list[str | None]) -> pa.RecordBatch:
    encoded = pa.array(words, pa.string()).dictionary_encode()
    return pa.record_batch({"number": pa.array(numbers), "left_out": pa.array(numbers), "word": encoded})


@pytest.fixture
def two_files(tmp_path: Path) -> list[Path]:
    return [
        write_batches(tmp_path / "first.arrow", rows([1, 2], ["a", None])),
        write_batches(tmp_path / "second.arrow", rows([3], ["b"])),
    ]


def test_a_query_that_uses_the_rows_twice_reads_them_twice_in_order(two_files: list[Path]) -> None:
    with duckdb.connect() as connection:
        connection.register("stored", RowStream(two_files))
        query = "SELECT number, word FROM stored WHERE number > (SELECT min(number) FROM stored)"
        assert connection.sql(query).fetchall() == [(2, None), (3, "b")]
        assert connection.sql("SELECT count(*) FROM stored").fetchall() == [(3,)]


def test_only_the_requested_columns_are_returned_in_the_order_of_the_files(two_files: list[Path]) -> None:
    stream = RowStream(two_files, ["word", "number", "unknown"])
    assert stream.schema.names == ["number", "word"]
    found = pa.RecordBatchReader.from_stream(stream).read_all()
    assert found.column_names == ["number", "word"]
    assert found["number"].to_pylist() == [1, 2, 3]


def test_files_deleted_before_their_rows_are_read_are_reported(two_files: list[Path]) -> None:
    stream = RowStream(two_files)
    two_files[1].unlink()
    with pytest.raises(OSError, match=r"second\.arrow"):
        pa.RecordBatchReader.from_stream(stream).read_all()
