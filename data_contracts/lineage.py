"""Lineage of rows, and the quarantine entry of each row that is set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.digest import sha256_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
"""One row for each row set aside: its lineage, the first rule it broke, the offending value and the raw bytes.

A long row or value is shortened (``kept_originals``, ``kept_values``).
"""

ROW_ORDER = "row_order"
"""Column that numbers the rows of a batch of files, in which physical rows are not unique."""

MOST_ORIGINAL_BYTES = 64 * 2**10
"""Bytes of a row that its quarantine entry keeps; of a longer row, also its length and SHA-256."""
_MOST_VALUE_CHARACTERS = 4096

OriginalOf = Callable[[Sequence[int]], list[bytes | None]]
PlaceOf = Callable[[Sequence[int]], "tuple[Values, Values, Values]"]


def _no_originals(rows: Sequence[int]) -> list[bytes | None]:
    return [None] * len(rows)


@dataclass(frozen=True)
class Origin:
    """The file that rows were read from, or the files of a batch.

    Rows are known by number: the physical row in a single file, ``row_order`` in a batch. ``original_of`` returns the
    original bytes of rows. ``place_of`` is only set for a batch: it returns file, digest and physical row of rows.
    """

    source: str | None
    source_file: str | None
    source_sha256: str | None
    original_of: OriginalOf = field(default=_no_originals, repr=False, compare=False)
    place_of: PlaceOf | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class NumberForms:
    """How files write numbers, one entry for each file.

    Attributes:
        has_comma, has_spaces: files with a decimal comma and no point, and those that group with spaces.
        is_doubtful: files in which ``1.250`` may be 1250 or 1.25.
    """

    has_comma: NDArray[np.bool_]
    has_spaces: NDArray[np.bool_]
    is_doubtful: NDArray[np.bool_]

    @property
    def kinds(self) -> NDArray[np.int64]:
        """For each file: 0 with a decimal point, 1 with a comma, 2 with a comma and blanks between thousands."""
        return np.where(self.has_comma, 1 + self.has_spaces, 0)


@dataclass(frozen=True)
class ReadResult:
    """The result of reading one file.

    ``rows``: the contract's columns in contract order (text after reading, typed after casting), then ``source_row``
    (int64, 1-based physical line, record or sheet row) and, if records contain items, ``source_item``. ``quarantined``:
    a QUARANTINE_SCHEMA table. ``rows_in`` = rows + quarantined. ``headers``: contract columns present in the file.
    ``notes``: warnings in words. ``number_forms``: how the files of the batch write numbers, if these rows are only
    some of theirs and cannot tell; one entry for each ``file_order``.
    """

    rows: pa.Table
    quarantined: pa.Table
    rows_in: int
    headers: tuple[str, ...]
    origin: Origin
    notes: tuple[str, ...] = ()
    number_forms: NumberForms | None = None


@dataclass(frozen=True)
class SetAside:
    """Rows that broke one rule: parallel sequences of row numbers, offending values and (optional) original bytes."""

    rule_id: str
    rows: Sequence[int]
    values: Sequence[str | None]
    severity: str = "error"
    column: str | None = None
    originals: Sequence[bytes | None] | None = None


def constant(value: str | None, length: int) -> pa.Array[Any]:
    """Return a dictionary column that holds ``value`` in every row."""
    indices = pa.array(np.zeros(length, dtype=np.int32), pa.int32(), mask=np.full(length, value is None))
    return pa.DictionaryArray.from_arrays(indices, pa.array([] if value is None else [value], pa.string()))


def quarantine_table(origin: Origin, groups: Sequence[SetAside]) -> pa.Table:
    """Return the quarantine entries of ``groups`` as a QUARANTINE_SCHEMA table, ordered by row.

    In a batch of files, the table also has the column ``row_order``.
    """
    tables = [_group_table(origin, group) for group in groups if len(group.rows)]
    if not tables:
        return empty_quarantine()
    return concat_quarantine(tables).sort_by("source_row" if origin.place_of is None else ROW_ORDER)


def row_numbers(rows: pa.Table) -> Values:
    """Return the numbers that the origin uses for these rows or quarantine entries, as one array."""
    return rows[ROW_ORDER if ROW_ORDER in rows.column_names else "source_row"].combine_chunks()


def kept_originals(originals: Sequence[bytes | None]) -> Values:
    """Return the bytes of rows as quarantine entries keep them.

    >>> kept_originals([b"short", None]).to_pylist()
    [b'short', None]
    """
    return pa.array([None if one is None else _kept_original(one) for one in originals], pa.binary())


def _kept_original(original: bytes) -> bytes:
    if len(original) <= MOST_ORIGINAL_BYTES:
        return original
    # Only a shortened row is longer than the limit, so no row can pretend to be one.
    rest = f"\n[shortened: {len(original)} bytes in all, SHA-256 {sha256_bytes(original)}]"
    return original[:MOST_ORIGINAL_BYTES] + rest.encode()


def kept_values(values: Sequence[str | None]) -> Values:
    """Return values as quarantine entries show them: the first 4096 characters of a longer one."""
    shown = [
        value if value is None or len(value) <= _MOST_VALUE_CHARACTERS else f"{value[:_MOST_VALUE_CHARACTERS]}…"
        for value in values
    ]
    return pa.array(shown, pa.string())


def _group_table(origin: Origin, group: SetAside) -> pa.Table:
    length = len(group.rows)
    originals = group.originals if group.originals is not None else origin.original_of(group.rows)
    numbers: Values = pa.array(group.rows, pa.int64())
    place: tuple[Values, ...] = (constant(origin.source_file, length), constant(origin.source_sha256, length), numbers)
    if origin.place_of is not None:
        place = origin.place_of(group.rows)
    columns: list[Values] = [
        constant(origin.source, length),
        *place,
        constant(group.rule_id, length),
        constant(group.severity, length),
        constant(group.column, length),
        kept_values(group.values),
        kept_originals(originals),
    ]
    table = pa.Table.from_arrays(columns, schema=QUARANTINE_SCHEMA)
    return table if origin.place_of is None else table.append_column(ROW_ORDER, numbers)


def empty_quarantine() -> pa.Table:
    """Return a quarantine table without rows."""
    return QUARANTINE_SCHEMA.empty_table()


def concat_quarantine(tables: Sequence[pa.Table]) -> pa.Table:
    """Concatenate quarantine tables and unify their dictionaries."""
    kept = [table for table in tables if table.num_rows]
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks() if kept else empty_quarantine()


def redacted(records: pa.Table, chosen: Values) -> pa.Table:
    """Return quarantine entries without value and original where ``chosen`` is true."""
    for name in ("value", "original"):
        kept = pc.if_else(chosen, pa.scalar(None, records.schema.field(name).type), records[name])
        records = with_column(records, name, kept)
    return records
