"""The one way to set rows of a batch aside: the rows leave the batch, and a quarantine entry of each remains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.lineage import Origin, SetAside, concat_quarantine, quarantine_table, redacted, row_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from data_contracts.arrow import Values

_FALSE: Final[Values] = pa.scalar(value=False)
_DUPLICATE_FIELDS: list[pa.Field[Any]] = [pa.field("row_order", pa.int64()), pa.field("reason", pa.string())]
_DUPLICATES: Final = pa.schema(_DUPLICATE_FIELDS)


@dataclass(frozen=True)
class Reason:
    """Why rows are set aside.

    Attributes:
        rule_id: the rule that they break.
        words: the value that their records show, for all rows or by row number; None for their value of ``column``.
        column: the column at fault, or None.
        severity: of the rule.
        keep_contents: whether the records keep values and original bytes, or only file and row.
    """

    rule_id: str
    words: str | Mapping[int, str] | None = None
    column: str | None = None
    severity: str = "error"
    keep_contents: bool = True

    def values_of(self, rows: pa.Table) -> list[str | None]:
        """Return the values that the quarantine entries of rows show."""
        if self.words is None and self.column is not None:
            cells: Values = rows[self.column]
            return [None if cell is None else str(cell) for cell in cells.to_pylist()]
        if self.words is None or isinstance(self.words, str):
            return [self.words] * rows.num_rows
        return [self.words[number] for number in row_numbers(rows).to_pylist()]


class RowsLeft:
    """The rows of a batch that are not set aside, and the quarantine entries of the others.

    Attributes:
        rows: the rows left, each with a row number that its origin knows.
    """

    def __init__(self, rows: pa.Table, origin: Origin, entries: pa.Table | None = None) -> None:
        self.rows, self.origin = rows, origin
        self._entries = [] if entries is None else [entries]
        self._duplicates: list[pa.Table] = []

    def set_aside(self, chosen: Values, reason: Reason) -> None:
        """Set the chosen rows aside for a reason; ``chosen`` is a boolean for each row left."""
        leaves: Values = pc.fill_null(chosen, _FALSE)
        out: Values = self.rows.filter(leaves)
        if not out.num_rows:
            return
        numbers: list[int] = row_numbers(out).to_pylist()
        originals = None if reason.keep_contents else [None] * len(numbers)
        group = SetAside(
            reason.rule_id, numbers, reason.values_of(out), reason.severity, reason.column, originals=originals
        )
        self.add_entries(quarantine_table(self.origin, [group]))
        stays: Values = pc.invert(leaves)
        self.rows = self.rows.filter(stays)

    def add_entries(self, entries: pa.Table) -> None:
        """Add the quarantine entries (QUARANTINE_SCHEMA) of rows that something else took out of the rows left."""
        self._entries.append(entries)

    def add_duplicates(self, row_order: Values, reasons: Sequence[str]) -> None:
        """Add rows that something else took out of the rows left because they repeat another."""
        columns: list[Values] = [row_order, pa.array(reasons, pa.string())]
        self._duplicates.append(pa.Table.from_arrays(columns, schema=_DUPLICATES))

    def erase(self, numbers: Values) -> None:
        """Erase the contents of the quarantine entries of some rows, by row number."""
        entries = self.quarantined
        self._entries = [redacted(entries, pc.is_in(row_numbers(entries), value_set=numbers))]

    @property
    def quarantined(self) -> pa.Table:
        """The records of all rows set aside (QUARANTINE_SCHEMA)."""
        return concat_quarantine(self._entries)

    @property
    def duplicates(self) -> pa.Table:
        """The rows set aside because they repeat another: ``row_order``, ``reason``."""
        return pa.concat_tables([_DUPLICATES.empty_table(), *self._duplicates])
