"""Where a row came from, and the record kept of each row that is set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
"""One row for each row set aside: its lineage, the first rule it broke, the value that broke it, its raw bytes."""

OriginalOf = Callable[[Sequence[int]], list[bytes | None]]


def _no_originals(source_rows: Sequence[int]) -> list[bytes | None]:
    return [None] * len(source_rows)


@dataclass(frozen=True)
class Origin:
    """The file some rows were read from. ``original_of`` gives the bytes that stand at each physical row."""

    source: str | None
    source_file: str | None
    source_sha256: str | None
    original_of: OriginalOf = field(default=_no_originals, repr=False, compare=False)


@dataclass(frozen=True)
class ReadResult:
    """What one file gave.

    ``rows``: the contract's columns in contract order (text as delivered after reading, typed after casting), then
    ``source_row`` (int64, 1-based physical line, record or sheet row) and, where records hold items, ``source_item``.
    ``quarantined``: QUARANTINE_SCHEMA. ``rows_in`` = rows + quarantined. ``headers``: contract columns present in the
    file. ``notes``: things worth a warning, in words.
    """

    rows: pa.Table
    quarantined: pa.Table
    rows_in: int
    headers: tuple[str, ...]
    origin: Origin
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetAside:
    """Rows that broke one rule: parallel sequences of physical rows, observed values and (optional) original bytes."""

    rule_id: str
    source_rows: Sequence[int]
    values: Sequence[str | None]
    severity: str = "error"
    column: str | None = None
    originals: Sequence[bytes | None] | None = None


def constant(value: str | None, length: int) -> pa.Array[Any]:
    """Gives a dictionary column that holds ``value`` in every row."""
    indices = pa.array(np.zeros(length, dtype=np.int32), pa.int32(), mask=np.full(length, value is None))
    return pa.DictionaryArray.from_arrays(indices, pa.array([] if value is None else [value], pa.string()))


def quarantine_table(origin: Origin, groups: Sequence[SetAside]) -> pa.Table:
    """Gives the quarantine records of ``groups``, ordered by physical row, as QUARANTINE_SCHEMA."""
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
    """Gives a quarantine table without rows."""
    return QUARANTINE_SCHEMA.empty_table()


def concat_quarantine(tables: Sequence[pa.Table]) -> pa.Table:
    """Gives the quarantine records of several tables as one, its dictionaries unified."""
    kept = [table for table in tables if table.num_rows]
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks() if kept else empty_quarantine()


def emptied(records: pa.Table, chosen: Values) -> pa.Table:
    """Gives quarantine records, the chosen ones (a boolean each) without value and original."""
    for name in ("value", "original"):
        kind = records.schema.field(name)
        kept = pc.if_else(chosen, pa.scalar(None, kind.type), records[name])
        records = records.set_column(records.column_names.index(name), kind, kept)
    return records
