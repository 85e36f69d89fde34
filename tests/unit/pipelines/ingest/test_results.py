"""Large data goes through the disk and is published with the same bytes as in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts.errors import InputRefused
from pipelines.ingest.batches.partitions import PartitionedRequest
from pipelines.ingest.batches.spilled_result import SpilledResult
from pipelines.ingest.results import write_ingested
from pipelines.ingest.spill import parquet as grouped_parquet
from pipelines.ingest.spill.chunked_rows import ChunkedRows, ChunkKeeper
from pipelines.ingest.spill.spill_file import SpilledRows, SpillFile
from pipelines.ingest.stage import Workspace, deliveries_in, ingest_files, ingest_folder, ingest_to_score
from pipelines.runs.publish import read_parquet
from tests.factories.files.templates import template_csv, template_row
from tests.factories.raw_files import (
    HMAC_KEY,
    RawFile,
    amazon_amount,
    amazon_file,
    amazon_total,
    ingest_settings,
    vat_file,
    vat_row,
    write_raw_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipelines.ingest.batches.batch import BatchRequest, BatchResult
    from pipelines.profiles.ingest_settings import IngestSettings
    from pipelines.runs.sandbox import Call


def invoices(seller: str, count: int) -> bytes:
    good = [vat_row(str(number), seller) for number in range(1, count)]
    return vat_file("sale", [*good, vat_row("2", seller), vat_row("8", seller, amounts="1,1,x"), vat_row("9", "OTHER")])


def events(count: int) -> bytes:
    sales = [template_row("money_event", f"E{number}", event_type="sale", amount="5") for number in range(count)]
    faulty = [sales[3], sales[4] | {"amount": "five"}, sales[5] | {"amount": "7"}]
    return template_csv([*sales, *faulty, sales[0]])


def raw_folder(folder: Path) -> Path:
    settlement = [amazon_total("111", "10.00"), amazon_amount("111", "10.00"), amazon_amount("111", "n/a")]
    files = [
        RawFile("v/b.csv", "vat_invoices", invoices("S000001", 90), "S000001"),
        RawFile("v/c.csv", "vat_invoices", invoices("S000001", 95), "S000001", delivered_at="2023-02-05 00:00:00"),
        RawFile("v/a.csv", "vat_invoices", invoices("S000002", 4), "S000002"),
        RawFile("v/d.csv", "vat_invoices", invoices("S000002", 7), "S000002"),
        RawFile("m/1.csv", "template_money_event", events(60), "S000001", delivered_at="2023-12-31 00:00:00"),
        RawFile("a/1.txt", "amazon_settlement_v2", amazon_file(settlement * 20), "S000001", "STORE"),
    ]
    return write_raw_folder(folder, files)


def published(raw: Path, out: Path, spill: Path | None, **settings: object) -> dict[str, bytes]:
    chosen = ingest_settings(worker_count=1, **settings)
    write_ingested(out, ingest_files(raw, deliveries_in(raw, chosen), chosen, HMAC_KEY, Workspace(spill)))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the sources whose batches were ingested in partitions."""
    from pipelines.ingest.batches import workers as batch_reading

    sources: list[str] = []
    call = batch_reading._call

    def noted(
        request: BatchRequest, settings: IngestSettings, folder: Path | None
    ) -> Call[BatchResult | SpilledResult]:
        made = call(request, settings, folder)
        if isinstance(made.arguments[0], PartitionedRequest):
            sources.append(request.source)
        return made

    monkeypatch.setattr(batch_reading, "_call", noted)
    return sources


@pytest.mark.parametrize("group_rows", [16, 2**17])
def test_a_delivery_taken_in_parts_is_published_with_the_same_bytes(
    tmp_path: Path, parted: list[str], group_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped_parquet, "ROW_GROUP_ROWS", group_rows)
    raw = raw_folder(tmp_path / "raw")
    at_once = published(raw, tmp_path / "once", None)
    (tmp_path / "spill").mkdir()
    monkeypatch.setattr("pipelines.ingest.spill.chunked_rows.MOST_HELD_BYTES", 0)
    in_parts = published(raw, tmp_path / "parts", tmp_path / "spill", batch_bytes=1500)
    assert parted == ["template_money_event", "vat_invoices"]
    assert in_parts == at_once
    assert {name.partition("/")[0] for name in at_once} == {"tables", "quarantine", "duplicates", "row_counts.json"}


@pytest.mark.parametrize("group_bytes", [2**9, 2**26])
def test_results_that_readers_leave_on_disk_are_published_with_the_same_bytes(
    tmp_path: Path, group_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped_parquet, "ROW_GROUP_BYTES", group_bytes)
    raw = raw_folder(tmp_path / "raw")
    at_once = published(raw, tmp_path / "once", None)
    left: list[object] = []

    def called(calls: Sequence[Call[object]], process_count: int) -> Iterator[object]:
        for call in calls:
            left.append(call.function(*call.arguments))
            yield left[-1]

    monkeypatch.setattr("pipelines.ingest.batches.workers.run_each_in_sandbox", called)
    monkeypatch.setattr("pipelines.ingest.batches.workers.MOST_SENT_BYTES", 0)
    monkeypatch.setattr("pipelines.ingest.batches.spilled_result._STRETCH_BYTES", 1000)
    (tmp_path / "spill").mkdir()
    on_disk = published(raw, tmp_path / "disk", tmp_path / "spill")
    assert {type(result) for result in left} == {SpilledResult}
    assert on_disk == at_once


def test_a_row_group_ends_where_its_texts_reach_the_limit_however_the_rows_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouped_parquet, "ROW_GROUP_BYTES", 100)
    table = pa.table({"text": ["x" * size for size in (60, 39, 1, 250, 5, 5)], "n": range(6)})
    for name, size in (("one", 1), ("two", 2), ("all", 6)):
        with grouped_parquet.GroupedParquet(tmp_path / name, table.schema) as file:
            for start in range(0, 6, size):
                file.write(table.slice(start, size))
    groups = pq.read_metadata(tmp_path / "one")
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [3, 1, 2]
    assert read_parquet(tmp_path / "one").to_pylist() == table.to_pylist()
    assert len({(tmp_path / name).read_bytes() for name in ("one", "two", "all")}) == 1


def test_rows_set_aside_may_be_taken_into_memory_without_their_contents(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw")
    whole = ingest_folder(raw, ingest_settings(), HMAC_KEY)
    bare = ingest_to_score(raw, deliveries_in(raw, ingest_settings()), ingest_settings(), HMAC_KEY)
    contents = ["value", "original"]
    assert whole.quarantine["original"].null_count == 0
    assert [bare.quarantine[name].null_count for name in contents] == [whole.quarantine.num_rows] * 2
    assert bare.quarantine.drop_columns(contents).equals(whole.quarantine.drop_columns(contents))


def test_without_a_folder_to_spill_into_nothing_is_taken_in_parts(tmp_path: Path, parted: list[str]) -> None:
    published(raw_folder(tmp_path / "raw"), tmp_path / "out", None, batch_bytes=1500)
    assert parted == []


def test_a_large_file_of_a_source_that_is_read_at_once_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.ingest.batches.workers.LARGEST_FILE_BYTES", 1000)
    raw = raw_folder(tmp_path / "raw")
    with pytest.raises(
        InputRefused, match="more than the 1000 that a file of amazon_settlement_v2 may have because it is read whole"
    ) as refusal:
        published(raw, tmp_path / "out", tmp_path, batch_bytes=1500)
    assert refusal.value.file == "a/1.txt"
    (raw / "a/1.txt").unlink()
    (raw / "deliveries.csv").write_text(
        "".join(line for line in (raw / "deliveries.csv").open(encoding="utf-8") if "amazon" not in line),
        encoding="utf-8",
    )
    assert published(raw, tmp_path / "others", tmp_path, batch_bytes=1500)


def test_rows_beyond_what_memory_holds_are_read_back_from_disk_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [pa.table({"word": pa.array([f"w{n}", "x"]).dictionary_encode(), "n": [n, n]}) for n in range(4)]
    monkeypatch.setattr("pipelines.ingest.spill.chunked_rows.MOST_HELD_BYTES", 2 * tables[0].nbytes)
    keeper = ChunkKeeper(tmp_path)
    parts = tuple(keeper.kept(table) for table in tables)
    assert [isinstance(part, SpilledRows) for part in parts] == [False, False, True, True]
    rows = ChunkedRows(tables[0].schema, parts)
    assert rows.whole().equals(pa.concat_tables(tables).unify_dictionaries().combine_chunks())
    rows.write(tmp_path / "rows.parquet")
    assert read_parquet(tmp_path / "rows.parquet").to_pylist() == rows.whole().to_pylist()
    assert rows.num_rows == 8


def test_slices_are_read_in_the_requested_order(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("n", pa.int64())])
    with SpillFile(tmp_path / "rows.arrow", schema) as store:
        numbers = [store.add(pa.table({"n": pa.array(values, pa.int64())})) for values in ([3, 5], [], [1, 4], [2])]
    assert numbers == [(0,), (), (1,), (2,)]
    rows = SpilledRows(store.path, schema, ((0, 1), (), (2,)), 5)
    assert [chunk["n"].to_pylist() for chunk in rows.chunks()] == [[3, 5, 1, 4], [], [2]]
    in_order = SpilledRows(store.path, schema, ((0, 1), (), (2,)), 5, sorted_by="n")
    assert [chunk["n"].to_pylist() for chunk in in_order.chunks()] == [[1, 3, 4, 5], [], [2]]
