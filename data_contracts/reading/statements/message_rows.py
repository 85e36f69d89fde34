"""Rows of bank statements in message formats: a heading for each statement, then its entries, all as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.digest import sha256_bytes
from data_contracts.errors import InputRefused
from data_contracts.lineage import Origin, ReadResult, empty_quarantine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_contracts.definition.contract import CompiledContract

HEADING, ENTRY = "statement", "entry"


@dataclass
class MessageRows:
    """Gathers the rows of a file; ``source_row`` is the number of the heading or entry in the file.

    The original of a row is its cells as JSON, because parts of a message have no lines of their own.
    """

    contract: CompiledContract
    cells: list[dict[str, str]] = field(default_factory=list)
    statements: int = 0

    def open(self, heading: Mapping[str, str]) -> None:
        """Begin a statement with its heading; its entries repeat the cells of the heading."""
        self.statements += 1
        self._heading = {**heading, "statement_number": str(self.statements)}
        self.cells.append({**self._heading, "row_kind": HEADING})

    def add(self, entry: Mapping[str, str]) -> None:
        """Add an entry of the statement that was opened last."""
        self.cells.append({**self._heading, **entry, "row_kind": ENTRY})

    def result(self, data: bytes, file_name: str) -> ReadResult:
        """Return the rows as text columns; raise InputRefused if the file has no statement."""
        if not self.statements:
            raise InputRefused(
                file=file_name,
                rule="the file has no account statement",
                remedy="export the statement with its opening and closing balance",
            )
        self._require_headers(file_name)
        self._require_entries(file_name)
        names = [column.name for column in self.contract.columns]
        columns = [pa.array([row.get(name, "").strip() for row in self.cells], pa.string()) for name in names]
        numbers = pa.array(range(1, len(self.cells) + 1), pa.int64())
        rows = pa.table([*columns, numbers], names=[*names, "source_row"])
        present = tuple(name for name in names if any(row.get(name) for row in self.cells))
        origin = Origin(
            self.contract.identity,
            file_name,
            sha256_bytes(data),
            lambda wanted: [json.dumps(self.cells[row - 1], ensure_ascii=False).encode() for row in wanted],
        )
        return ReadResult(rows, empty_quarantine(), rows.num_rows, present, origin)

    def _require_headers(self, file_name: str) -> None:
        for column in self.contract.columns:
            if not column.cell.header_optional and not any(row.get(column.name, "").strip() for row in self.cells):
                raise InputRefused(
                    file=file_name,
                    column=column.header,
                    rule=f"no statement states {column.header!r} ({column.description})",
                    remedy="export the complete statement",
                )

    def _require_entries(self, file_name: str) -> None:
        """Check that each statement without entries has the same balance before and after."""
        with_entries = {row["statement_number"] for row in self.cells if row["row_kind"] == ENTRY}
        for row in self.cells:
            opening, closing = row.get("opening"), row.get("closing")
            if row["statement_number"] not in with_entries and opening and closing and not _equal(opening, closing):
                raise InputRefused(
                    file=file_name,
                    rule=f"a statement has no entries, but its balance changes from {opening} to {closing}",
                    remedy="export the complete statement",
                )


def _equal(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return one == other
