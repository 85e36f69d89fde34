"""Compare the sum of a column with the total that a workbook states for it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_TOLERANCE = Decimal("0.01")


def labelled_total(rows: Iterable[Sequence[str]], label: str) -> Decimal | None:
    """Return the first number to the right of a label, or None if there is none.

    >>> labelled_total([["", "Total settlement amount:", "", "12.50"]], "Total settlement amount")
    Decimal('12.50')
    """
    for row in rows:
        for place, cell in enumerate(row):
            if _folded(cell) == _folded(label):
                return next((number for value in row[place + 1 :] if (number := _number(value)) is not None), None)
    return None


def total_above(rows: Sequence[Sequence[str]], place: int) -> Decimal | None:
    """Return the last number in a column of the rows above the header, or None if there is none."""
    return next((number for row in reversed(rows) if (number := _number(row[place])) is not None), None)


def total_doubts(cells: Iterable[str], stated: Decimal | None, column: str) -> tuple[str, ...]:
    """Return a doubt if the numbers among the cells of a column do not sum to the stated total."""
    if stated is None:
        return ()
    total = sum((_number(cell) or Decimal(0) for cell in cells), Decimal(0))
    if abs(total - stated) <= _TOLERANCE:
        return ()
    return (doubt(f"the rows of column {column!r} sum to {total}, but the workbook states {stated}"),)


def _folded(cell: str) -> str:
    return " ".join(cell.split()).casefold().rstrip(" :：")


def _number(cell: str) -> Decimal | None:
    text = cell.strip().replace(",", "")
    return Decimal(text) if _NUMBER.fullmatch(text) else None
