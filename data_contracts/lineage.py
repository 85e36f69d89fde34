"""Lineage of rows, and the quarantine record of each row that is set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column

if TYPE_CHECKING:
    from data_contracts.arrow import Values

StringDictionary = pa.dictionary(pa.int32(), pa.string())

QUARANTINE_SCHEMA = pa.schema(
    [
        pa.field("source", StringDictionary),
        pa.field("source_file", StringDictionary),
        pa.field("source_sha256", StringDictionary),
        pa.field("source_row", pa.int64()),
        pa.field("rule_id", StringDictionary, nullable=False),
        pa.field("severity", StringDictionary, nullable=False),
        pa.field("column", StringDictionary),
        pa.field("value", pa.string()),
        pa.field("original", pa.binary()),
    ]
)
"""One row for each row set aside: its lineage, the first rule it broke, the offending value and the raw bytes."""

OriginalOf = Callable[[Sequence[int]], list[bytes | None]]


def _no_originals(source_rows: Sequence[int]) -> list[bytes | None]:
    return [None] * len(source_rows)


@dataclass(frozen=True)
class Origin:
    """The file that rows were read from. ``original_of`` returns the bytes at given physical rows."""

    source: str | None
    source_file: str | None
    source_sha256: str | None
    original_of: OriginalOf = field(default=_no_originals, repr=False, compare=False)


@dataclass(frozen=True)
class ReadResult:
    """The result of reading one file.

    ``rows``: the contract's columns in contract order (text after reading, typed after casting), then ``source_row``
    (int64, 1-based physical line, record or sheet row) and, if records contain items, ``source_item``. ``quarantined``:
    a QUARANTINE_SCHEMA table. ``rows_in`` = rows + quarantined. ``headers``: contract columns present in the file.
    ``notes``: warnings in words.
    """

    rows: pa.Table
    quarantined: pa.Table
    rows_in: int
    headers: tuple[str, ...]
    origin: Origin
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetAside:
    """Rows that broke one rule: parallel sequences of physical rows, offending values and (optional) original bytes."""

    rule_id: str
    source_rows: Sequence[int]
    values: Sequence[str | None]
    severity: str = "error"
    column: str | None = None
    originals: Sequence[bytes | None] | None = None


def constant(value: str | None, length: int) -> pa.Array[Any]:
    """Return a dictionary column that holds ``value`` in every row."""
    indices = pa.array(np.zeros(length, dtype=np.int32), pa.int32(), mask=np.full(length, value is None))
    return pa.DictionaryArray.from_arrays(indices, pa.array([] if value is None else [value], pa.string()))


def quarantine_table(origin: Origin, groups: Sequence[SetAside]) -> pa.Table:
    """Return the quarantine records of ``groups`` as a QUARANTINE_SCHEMA table, ordered by physical row."""
    tables = [_group_table(origin, group) for group in groups if len(group.source_rows)]
    return concat_quarantine(tables).sort_by("source_row") if tables else empty_quarantine()


def _group_table(origin: Origin, group: SetAside) -> pa.Table:
    length = len(group.source_rows)
    originals = group.originals if group.originals is not None else origin.original_of(group.source_rows)
    columns = [
        constant(origin.source, length),
        constant(origin.source_file, length),
        constant(origin.source_sha256, length),
        pa.array(group.source_rows, pa.int64()),
        constant(group.rule_id, length),
        constant(group.severity, length),
        constant(group.column, length),
        pa.array(group.values, pa.string()),
        pa.array(originals, pa.binary()),
    ]
    return pa.Table.from_arrays(columns, schema=QUARANTINE_SCHEMA)


def empty_quarantine() -> pa.Table:
    """Return a quarantine table without rows."""
    return QUARANTINE_SCHEMA.empty_table()


def concat_quarantine(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenate quarantine tables and unify their dictionaries."""
    kept = [table for table in tables if table.num_rows]
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks() if kept else empty_quarantine()


def redacted(records: pa.Table, chosen: Values) -> pa.Table:
    """Return quarantine records without value and original where ``chosen`` is true."""
    for name in ("value", "original"):
        kept = pc.if_else(chosen, pa.scalar(None, records.schema.field(name).type), records[name])
        records = with_column(records, name, kept)
    return records
