"""Compare the sum of a column with the total that a workbook states for it."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING

from data_contracts.reading.doubts import doubt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SIGN = r"(?:[A-Z]{0,3}[$¥£€₫₱฿]?|RM|Rp)"
_SHOWN = re.compile(rf"(?P<open>\()?(?P<minus>-)?{_SIGN} ?(?P<sign>[+-])?(?P<digits>\d[\d.,]*) ?{_SIGN}(?P<close>\))?")
_COMMA_DECIMALS = re.compile(r"\d{1,3}(\.?\d{3})*,\d{1,2}")
_NUMBER = re.compile(r"\d+(\.\d+)?")
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
    """Return the number of a cell that may have a currency, grouped digits, a decimal comma, or brackets for a minus.

    >>> _number("(15.00)"), _number("BRL 1.089,80"), _number("1,234.50"), _number("2023/08/01")
    (Decimal('-15.00'), Decimal('1089.80'), Decimal('1234.50'), None)
    """
    shown = _SHOWN.fullmatch(unicodedata.normalize("NFKC", cell).replace("−", "-").strip())
    if shown is None or (shown["open"] is None) != (shown["close"] is None):
        return None
    digits = shown["digits"]
    if _COMMA_DECIMALS.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    digits = digits.replace(",", "")
    is_negative = "-" in {shown["minus"], shown["sign"]} or shown["open"] is not None
    return Decimal(f"{'-' if is_negative else ''}{digits}") if _NUMBER.fullmatch(digits) else None
