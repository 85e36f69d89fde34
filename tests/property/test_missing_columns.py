"""No column of any source can be left out or renamed so that money, days, kinds or parties change without a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.definition.compiler import table_contract
from data_contracts.errors import InputRefused
from data_contracts.reading.dispatch import read_file
from data_contracts.reading.doubts import doubts_of
from data_contracts.sources.registry import known_source, mapped_sources
from pipelines.ingest.batches.batch import BatchRequest, ingest_batch
from pipelines.ingest.deliveries.manifest import find_deliveries
from tests.factories.files.column_changes import NEW_NAME, columns_of
from tests.factories.files.delimited_samples import delimited_samples
from tests.factories.files.record_samples import record_samples
from tests.factories.raw_files import HMAC_KEY, RawFile, ingest_settings, write_raw_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipelines.runs.file_counts import FileCounts

pytestmark = pytest.mark.slow

# Texts of a source, numbers of documents and goods, and what says where a row is from. Nothing is summed by them. The
# lag of the contract stands for a moment of knowledge that is not stated.
DESCRIPTIVE = {
    *("raw_type", "raw_subtype", "sku", "statement_id", "document_number", "agent_id", "reference"),
    *("sku_group", "known_at", "recorded_at", "superseded_at", "superseded_recorded_at", "row_version"),
    *("source", "source_file", "source_sha256", "source_row"),
}
SAMPLES = {s.source: s.as_delivered(s.as_csv()) for s in delimited_samples() if s.source in mapped_sources()}
SAMPLES |= record_samples()
# Messages of banks have no columns: their fields are read by place.
WITHOUT_COLUMNS = {"mt940_statement", "ofx_statement"}
REGISTERS = {"party", "party_link"}

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Outcome:
    """What one file says, and what is said about it: rows set aside, doubts, and remarks with their rows."""

    rows: Rows
    set_aside: int
    doubts: str | None
    remarks: Mapping[str, int]

    def tells_more_than(self, other: Outcome) -> bool:
        """Return whether a row more is set aside, or something is said that is not said of the other file."""
        more = any(rows > other.remarks.get(remark, 0) for remark, rows in self.remarks.items())
        return self.set_aside > other.set_aside or self.doubts != other.doubts or more


def outcome_of(name: str, tables: Mapping[str, pa.Table], counts: FileCounts) -> Outcome:
    rows: Rows = {}
    for table, values in tables.items():
        contract = table_contract(table)
        left = [n for n in values.column_names if n not in DESCRIPTIVE and n not in contract.primary_key]
        found = values.select([*left, "source_file"]).to_pylist()
        rows[table] = [
            {**row, "seller_id": None if row.get("seller_id") is None else "the seller"}
            for row in found
            if row.pop("source_file") == name
        ]
    remarks: dict[str, int] = {**counts.warnings, **dict.fromkeys(counts.rejected_by, 1)}
    return Outcome(rows, counts.set_aside, doubts_of(counts.notes), remarks)


def outcomes(folder: Path, source: str, files: Mapping[str, bytes]) -> dict[str, Outcome]:
    """Return the outcome of every file that is not refused; files of different sellers do not touch one another."""
    sellers = {name: f"S{number:06}" for number, name in enumerate(files, start=1)}
    raw = [
        RawFile(name, source, data.replace(b"S000001", sellers[name].encode()), sellers[name], "A1")
        for name, data in files.items()
    ]
    settings = ingest_settings()
    write_raw_folder(folder, raw)
    delivered = tuple(find_deliveries(folder, settings).files)
    try:
        result = ingest_batch(BatchRequest(folder, source, delivered, settings.recorded_at, {}, HMAC_KEY))
    except InputRefused:
        return {} if len(files) == 1 else one_by_one(folder, source, files)
    return {counts.file: outcome_of(counts.file, result.tables, counts) for counts in result.file_counts}


def one_by_one(folder: Path, source: str, files: Mapping[str, bytes]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for number, (name, data) in enumerate(files.items()):
        found |= outcomes(folder / f"{number}", source, {name: data})
    return found


def changed_files(source: str, data: bytes) -> dict[str, bytes]:
    """Return the readable files without a column; and those with a renamed one, if they are read in another way."""
    contract = known_source(source).contract
    files: dict[str, bytes] = {}
    for place, column in enumerate(columns_of(data, source)):
        read: list[pa.Table] = []
        for name in (None, NEW_NAME):
            changed = column.file_with(name)
            try:
                result = read_file(changed, contract, "a")
            except InputRefused:
                continue
            if not any(result.rows.equals(rows) for rows in read):
                read.append(result.rows)
                files[f"{place} {column.name.replace('/', ' ')} {name or 'left out'}"] = changed
    return files


def silent_changes(whole: Rows, found: Rows) -> set[str]:
    """Return the columns whose values differ.

    An optional value that is not known any more is no other value, and a register that does not state the first day of
    a party or link means the later day on which it was registered.
    """
    silent = set()
    for table, rows in whole.items():
        if len(rows) != len(found[table]):
            silent.add(f"rows of {table}")
            continue
        required = {column.name for column in table_contract(table).columns if column.required}
        for before, after in zip(rows, found[table], strict=True):
            lost = {name for name, value in after.items() if value is None and name not in required}
            if table in REGISTERS:
                lost |= {name for name in ("event_date", "valid_from") if name in after and after[name] > before[name]}
            silent |= {name for name in before if before[name] != after[name] and name not in lost}
    return silent


def told_or_equal(whole: Outcome, found: Outcome) -> bool:
    return found.tells_more_than(whole) or not silent_changes(whole.rows, found.rows)


def test_every_source_that_has_columns_has_a_sample() -> None:
    assert {*SAMPLES, *WITHOUT_COLUMNS} == set(mapped_sources())


@pytest.mark.parametrize("source", sorted(SAMPLES))
def test_a_column_left_out_or_renamed_is_refused_or_told_or_changes_nothing(source: str, tmp_path: Path) -> None:
    data = SAMPLES[source]
    files = {"whole": data, "again": data, **changed_files(source, data)}
    found = outcomes(tmp_path / "together", source, files)
    if found["again"] != found["whole"] or found["whole"].set_aside:
        found = one_by_one(tmp_path / "alone", source, files)
    whole = found["whole"]
    assert any(whole.rows.values())
    assert not whole.set_aside
    silent = {
        name: sorted(silent_changes(whole.rows, one.rows))
        for name, one in found.items()
        if not told_or_equal(whole, one)
    }
    assert not silent
