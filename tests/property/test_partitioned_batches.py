"""A batch ingested in partitions has the same rows as one ingested at once, wherever partitions and pieces end."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import ipc

from data_contracts.definition.compiler import source_contract
from data_contracts.definition.contract import Kind, Severity
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import InputRefused
from data_contracts.sources.registry import mapped_sources, source_mapping
from pipelines.ingest.batches.batch import UNCLEAR_NUMBERS, BatchRequest, ingest_batch
from pipelines.ingest.batches.partitions import (
    PartitionedRequest,
    ingest_in_partitions,
    partitions_of,
)
from pipelines.ingest.batches.spilled_result import SpilledResult
from pipelines.ingest.consents import SourceConsents
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.runs.file_counts import CONSENT_WITHDRAWN
from tests.factories.files.delimited_samples import DelimitedSample, delimited_samples
from tests.factories.raw_files import HMAC_KEY, RawFile, ingest_settings, write_raw_folder

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.batches.batch import BatchResult
    from pipelines.ingest.spill.spill_file import SpilledRows

SAMPLES = {sample.source: sample for sample in delimited_samples()}
PARTED = [source for source in mapped_sources() if source_mapping(source).partition_by is not None]
OF_GROUPS = ["template_money_event", "template_inventory_snapshot"]
# Cells put in place of a sample's own: missing, blanks around, of no type, and of another row.
STRANGE = ("", " ", "?", "1O", "-1", "2019-02-30", '"', "a,b")
lines = st.tuples(
    st.sampled_from(["row", "row", "row", "row", "changed", "blanks", "short", "empty", "header", "quote"]),
    st.integers(0, 7),
    st.integers(0, 40),
    st.integers(0, len(STRANGE) + 3),
)
files = st.lists(st.lists(lines, max_size=14), min_size=1, max_size=3)


def _line(sample: DelimitedSample, kind: str, row: int, column: int, change: int) -> str:
    own = sample.rows[row % len(sample.rows)]
    column %= len(own)
    if kind == "changed":
        others = [other[column] for other in sample.rows]
        choice = [*STRANGE, *others]
        own = (*own[:column], choice[change % len(choice)], *own[column + 1 :])
    if kind == "blanks":
        own = (*own[:column], f" {own[column]} ", *own[column + 1 :])
    if kind == "short":
        own = own[:-1]
    if kind == "header":
        own = sample.header
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=sample.delimiter, lineterminator="").writerow(own)
    return {"empty": "", "quote": f'{text.getvalue()}"'}.get(kind, text.getvalue())


def _file(sample: DelimitedSample, chosen: list[tuple[str, int, int, int]]) -> bytes:
    header = _line(sample, "header", 0, 0, 0)
    return "\n".join([header, *(_line(sample, *one) for one in chosen), ""]).encode()


def _request(folder: Path, source: str, contents: list[bytes]) -> BatchRequest:
    raw = [
        RawFile(f"f/{number}.csv", source, data, "S000001", "SHOP1", delivered_at=f"2024-01-{20 - number} 00:00:00")
        for number, data in enumerate(contents)
    ]
    write_raw_folder(folder, raw)
    found = find_deliveries(folder, ingest_settings()).files
    return BatchRequest(folder, source, found, ingest_settings().recorded_at, {}, HMAC_KEY)


def _rows(stored: SpilledRows) -> list[dict[str, Any]]:
    rows = [row for chunk in stored.chunks() for row in chunk.to_pylist()]
    assert len(rows) == stored.num_rows
    return rows


def _of_parts(result: SpilledResult) -> dict[str, object]:
    return {
        "tables": {name: _rows(table) for name, table in result.tables.items()},
        "quarantine": [row for file in sorted(result.quarantine) for row in _rows(result.quarantine[file])],
        "duplicates": [row for file in sorted(result.duplicates) for row in _rows(result.duplicates[file])],
        "accounts": result.file_counts,
        "sellers": result.sellers_named,
    }


def _at_once(request: BatchRequest) -> dict[str, object]:
    result: BatchResult = ingest_batch(request)
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in source_mapping(request.source).covered_tables}
    return {
        "tables": tables | {name: table.to_pylist() for name, table in result.tables.items()},
        "quarantine": _in_order(result.quarantine),
        "duplicates": _in_order(result.duplicates),
        "accounts": result.file_counts,
        "sellers": result.sellers_named,
    }


def _in_order(records: pa.Table) -> list[dict[str, Any]]:
    return sorted(records.to_pylist(), key=lambda row: (row["source_file"], row["source_row"]))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # Mappings of their own, and of the templates, which have one in common, those with warnings about groups.
    source=st.sampled_from([*(name for name in PARTED if not name.startswith(PREFIX)), *(OF_GROUPS * 2), *PARTED]),
    chosen=files,
    partition_count=st.integers(1, 5),
    piece_bytes=st.integers(40, 2000),
)
def test_partitioned_batches_equal_one_batch(
    source: str,
    chosen: list[list[tuple[str, int, int, int]]],
    partition_count: int,
    piece_bytes: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    request = _request(folder / "raw", source, [_file(SAMPLES[source], one) for one in chosen])
    (folder / "spill").mkdir()
    partition_bytes = sum(file.size_bytes for file in request.files) // partition_count
    parted = ingest_in_partitions(PartitionedRequest(request, folder / "spill", partition_bytes, piece_bytes))
    assert _of_parts(parted) == _at_once(request)


@pytest.mark.parametrize("source", PARTED)
def test_a_partition_column_is_text_and_in_every_rule_over_several_rows(source: str) -> None:
    contract, mapping = source_contract(source), source_mapping(source)
    (column,) = [column for column in contract.columns if column.name == mapping.partition_by]
    assert pa.types.is_string(column.arrow_type)
    assert contract.file_rules() == ()
    assert mapping.named_sellers is None or (mapping.named_sellers.party, mapping.named_sellers.linked) == (None, ())
    for rule in contract.row_rules():
        on_groups = "${table}" in (rule.arguments.sql or "")
        if rule.kind is Kind.UNIQUE:
            assert column.name in rule.arguments.columns
        if on_groups and rule.severity is not Severity.WARNING:
            assert f"GROUP BY {column.name} " in str(rule.arguments.sql)
        assert not (on_groups and rule.severity is Severity.WARNING and contract.retention_days)


def test_texts_that_differ_only_in_spaces_and_missing_texts_share_a_partition() -> None:
    texts = pa.array(["a", " a", "a\u3000", "", "-", " ", "long" * 99, "long" * 100], pa.string())
    parts = partitions_of(texts, ("-",), 1000).tolist()
    assert parts[0] == parts[1] == parts[2]
    assert parts[3] == parts[4] == parts[5]
    assert parts[0] != parts[3]
    assert len(set(partitions_of(pa.array([str(number) for number in range(1000)]), (), 10).tolist())) == 10


def test_rows_of_sellers_without_consent_are_withheld_in_partitions_and_never_stored(tmp_path: Path) -> None:
    sample = SAMPLES["template_money_event"]
    place = sample.header.index("seller_id")
    sellers = ["S1", "S2", "S1", "", "S2"]
    rows = [
        (*row[:place], seller, *row[place + 1 :]) for seller, row in zip(sellers * 2, sample.rows * 2, strict=False)
    ]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([sample.header, *rows, ["SECRET", "LINE"]])
    write_raw_folder(tmp_path / "raw", [RawFile("f/1.csv", sample.source, text.getvalue().encode())])
    files = find_deliveries(tmp_path / "raw", ingest_settings()).files
    said = SourceConsents({"S2": CONSENT_WITHDRAWN})
    request = BatchRequest(
        tmp_path / "raw", sample.source, files, ingest_settings().recorded_at, {}, HMAC_KEY, consents=said
    )
    (tmp_path / "spill").mkdir()
    parted = ingest_in_partitions(PartitionedRequest(request, tmp_path / "spill", 400, 300))
    assert _of_parts(parted) == _at_once(request)
    assert parted.file_counts[0].quarantined["consent:withdrawn"] > 0
    with pa.OSFile(str(tmp_path / "spill" / "text.arrow"), "rb") as file:
        stored = ipc.open_file(file).read_all().to_pylist()
    withheld = [row for row in stored if row["seller_id"] == "S2"]
    assert withheld
    assert all(set(row.values()) == {"", "S2", row["source_row"], row["file_of"]} for row in withheld)
    with pa.OSFile(str(tmp_path / "spill" / "lines.arrow"), "rb") as file:
        assert "SECRET" not in str(ipc.open_file(file).read_all().to_pylist())


def test_a_file_that_differs_from_the_manifest_is_refused_in_partitions_too(tmp_path: Path) -> None:
    request = _request(tmp_path / "raw", "vat_invoices", [_file(SAMPLES["vat_invoices"], [("row", 1, 0, 0)])])
    (tmp_path / "spill").mkdir()
    with (tmp_path / "raw" / request.files[0].name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(InputRefused, match="SHA-256 differs from the one in row"):
        ingest_in_partitions(PartitionedRequest(request, tmp_path / "spill", 100, 100))
    absent = replace(request, files=(replace(request.files[0], name="f/absent.csv"),))
    with pytest.raises(InputRefused, match="is not in the folder"):
        ingest_in_partitions(PartitionedRequest(absent, tmp_path / "spill", 100, 100))


def _events(amounts: list[str]) -> bytes:
    own = SAMPLES["template_money_event"]
    key, amount = own.header.index("event_id"), own.header.index("amount")
    text = io.StringIO(newline="")
    rows = [list(own.rows[0]) for _ in amounts]
    for number, row in enumerate(rows):
        row[key], row[amount] = f"E{number}", amounts[number]
    csv.writer(text, lineterminator="\n").writerows([own.header, *rows])
    return text.getvalue().encode()


@pytest.mark.parametrize(
    ("last", "read"),
    [("2,50", Decimal(1250)), ("2.50", Decimal("1.25")), ("3.250", None)],
    ids=["comma", "point", "nothing tells"],
)
@pytest.mark.parametrize("is_first", [False, True], ids=["told last", "told first"])
def test_how_a_file_writes_numbers_is_decided_once_for_all_its_partitions(
    last: str, read: Decimal | None, is_first: bool, tmp_path: Path
) -> None:
    amounts = ["1.250"] * 12
    amounts.insert(0 if is_first else 12, last)
    request = _request(tmp_path / "raw", "template_money_event", [_events(amounts)])
    (tmp_path / "spill").mkdir()
    parted = ingest_in_partitions(PartitionedRequest(request, tmp_path / "spill", 100, 80))
    assert _of_parts(parted) == _at_once(request)
    found = [row["amount"] for row in _rows(parted.tables["money_event"])]
    assert found.count(read) == (0 if read is None else 12)
    assert parted.file_counts[0].quarantined == ({"type:amount": 13} if read is None else {})
    assert (UNCLEAR_NUMBERS in parted.file_counts[0].notes) == (read is None)


def test_a_source_whose_files_tell_the_order_of_day_and_month_is_read_whole() -> None:
    assert [source for source in PARTED if source_mapping(source).days is not None] == []
