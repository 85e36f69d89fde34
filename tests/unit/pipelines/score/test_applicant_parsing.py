from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import InputRefused
from pipelines.runs.sandbox import Limits
from pipelines.score.applicant_parsing import parse_applicants
from pipelines.score.applicants import read_applicants
from tests.factories.files.workbooks import workbook_with

FEATURES = ("payout_sum", "refund_share")
LIMITS = Limits(memory_mib=1024, cpu_seconds=30)
DAY = date(2025, 6, 30)


def matrix(count: int) -> pa.Table:
    values = np.random.default_rng(7).normal(size=(2, count))
    sellers = [f"S{number:06}" for number in range(count)]
    return pa.table({"seller_id": sellers, "payout_sum": values[0], "refund_share": values[1]})


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_rows_parsed_in_a_child_are_those_read_directly(suffix: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        path.write_text("seller_id,payout_sum,refund_share\nS1,1,2\nS2,x,\nS3\nS1,3,4\n")
    else:
        pq.write_table(matrix(20), path)
    direct, parsed = read_applicants(path, FEATURES, DAY), parse_applicants(path, FEATURES, DAY, LIMITS)
    for name in ("file_name", "sha256", "kind", "rows", "notes"):
        assert getattr(parsed, name) == getattr(direct, name)
    for _ in range(2):  # a second reader starts from the first row again
        chunks = list(parsed.chunks(size))
        assert max(chunk.num_rows for chunk in chunks) <= size
        assert pa.concat_tables(chunks).to_pylist() == pa.concat_tables(direct.chunks(10**6)).to_pylist()


def test_more_rows_than_one_batch_come_out_once_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    given = matrix(150_000)
    pq.write_table(given, path, row_group_size=40_000)
    chunks = list(parse_applicants(path, FEATURES, DAY, LIMITS).chunks(50_000))
    assert [chunk.num_rows for chunk in chunks] == [50_000] * 3
    whole = pa.concat_tables(chunks)
    assert whole["payout_sum"].combine_chunks().equals(given["payout_sum"].combine_chunks())
    assert whole["source_row"].to_pylist() == list(range(1, 150_001))


def test_a_workbook_that_takes_all_memory_is_refused_in_one_line(tmp_path: Path) -> None:
    far_cell = b'<row r="3000"><c r="XFD3000"><v>1</v></c></row>'
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook_with({"applicants": [["seller_id"], ["S1"]]}, far_cell))
    with pytest.raises(InputRefused, match="the process that read it") as refusal:
        parse_applicants(path, FEATURES, DAY, LIMITS)
    assert refusal.value.file == str(path)
    assert "\n" not in str(refusal.value)


def test_a_refused_file_is_refused_as_if_it_were_read_directly(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("seller_id,payout_sum\nS1,1\n")
    with pytest.raises(InputRefused) as direct:
        read_applicants(path, FEATURES, DAY)
    with pytest.raises(InputRefused) as parsed:
        parse_applicants(path, FEATURES, DAY, LIMITS)
    assert str(parsed.value) == str(direct.value)


def test_no_temporary_file_keeps_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("seller_id\nS1\n")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    parsed = parse_applicants(path, FEATURES, DAY, LIMITS)
    assert not list((tmp_path / "temporary").iterdir())
    assert [chunk["seller_id"].to_pylist() for chunk in parsed.chunks(10)] == [["S1"]]
