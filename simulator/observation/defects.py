"""Defects that arise between a seller's books and the delivered files; each case has a kind and is counted.

Pure functions on bytes and row numbers; ``simulator.files.mishaps`` draws which rows and files they hit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MALFORMED_ROW = "malformed row"
IMPOSSIBLE_DATE = "impossible date"
SWAPPED_DATE = "swapped date"
UNIT_SLIP = "unit slip"
CUT_ROW = "cut row"
ROWS_CUT_OFF = "rows cut off"
LATE_ROWS = "late rows"
REPEATED_RECORD = "repeated record"
REPEATED_ROW = "repeated row"
RED_LETTER = "red-letter invoice"
DUPLICATE_DELIVERY = "duplicate delivery"
CORRECTED_DELIVERY = "corrected delivery"
# Defects that no contract accepts, and rows that are already in another file or twice in this one.
PLANTED = frozenset({MALFORMED_ROW, IMPOSSIBLE_DATE, CUT_ROW})
REPEATED = frozenset({REPEATED_RECORD, REPEATED_ROW, DUPLICATE_DELIVERY, CORRECTED_DELIVERY})


@dataclass(frozen=True)
class Defect:
    """Number of rows of one file with one kind of defect."""

    kind: str
    rows: int


@dataclass(frozen=True)
class Edit:
    """Rows from ``first`` to ``end`` (exclusive) replaced by one row, or removed where the content is empty."""

    first: int
    end: int
    content: bytes
    kind: str

    @property
    def added(self) -> int:
        """Number of rows that replace them."""
        return 1 if self.content else 0

    def defects(self) -> tuple[Defect, ...]:
        """Return the edit's defects of the file it is made in; late rows are no defect of the file they miss."""
        if self.kind == LATE_ROWS:
            return ()
        lost = self.end - self.first - 1
        return (Defect(self.kind, 1), *([Defect(ROWS_CUT_OFF, lost)] if self.kind == CUT_ROW and lost else ()))


def merged(defects: list[Defect]) -> tuple[Defect, ...]:
    """Return one entry per kind, in order of first occurrence, without kinds that have no rows."""
    rows: dict[str, int] = {}
    for defect in defects:
        rows[defect.kind] = rows.get(defect.kind, 0) + defect.rows
    return tuple(Defect(kind, count) for kind, count in rows.items() if count)


def clear_of(edits: list[Edit], removals: list[Edit]) -> list[Edit]:
    """Return the removals and the edits outside removed rows, in order."""
    kept = [edit for edit in edits if not any(gone.first <= edit.first < gone.end for gone in removals)]
    return sorted([*kept, *removals], key=lambda edit: (edit.first, edit.end))


def cut_off(line: bytes) -> bytes:
    """Return the start of a delimited row, cut after an unquoted delimiter near its middle, or nothing without one."""
    ends = [place + 1 for place, sign in enumerate(line) if sign in b",\t" and line[:place].count(b'"') % 2 == 0]
    return line[: ends[len(ends) // 2]] if ends else b""


def _times(cells: list[str], places: tuple[int, ...], factor: int) -> bool:
    """Multiply amounts with two decimals by a factor; return whether any changed."""
    before = [cells[place] for place in places]
    for place in places:
        sign, digits = ("-", cells[place][1:]) if cells[place].startswith("-") else ("", cells[place])
        cents = int(digits.replace(".", "")) * factor
        cells[place] = f"{sign}{cents // 100}.{cents % 100:02d}"
    return before != [cells[place] for place in places]


def _units_in_thousands(line: str) -> str | None:
    """Write a quantity a thousand times too large, as if the unit were thousands of pieces."""
    cells = line.split("\t")
    if not cells[22]:
        return None
    cells[22] += "000"
    return "\t".join(cells)


def _spend_in_cents(line: str) -> str | None:
    cells = line.rstrip("\n").split(",")
    return ",".join(cells) + "\n" if _times(cells, (5,), 100) else None


def _invoice_in_cents(line: str) -> str | None:
    cells = line.split(",")
    return ",".join(cells) if _times(cells, (5, 6, 7), 100) else None


def _grams(line: str) -> str | None:
    """Write the net weight of an item in grams instead of kilograms."""
    slipped, count = re.subn(r'("qty1":"\d+)"', r'\g<1>000"', line, count=1)
    return slipped if count else None


_UNIT_SLIPS: Mapping[str, Callable[[str], str | None]] = {
    "amazon_settlement_v2": _units_in_thousands,
    "shop_traffic": _spend_in_cents,
    "customs_declaration": _grams,
    "vat_invoices": _invoice_in_cents,
}
# A date as the source writes it; only sheets typed by hand have slips.
_DAYS = {
    "shop_traffic": re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?=,)"),
    "vat_invoices": re.compile(r"(?<=,)(20\d{2})/(\d{1,2})/(\d{1,2})(?=,)"),
}


def unit_slip(source: str, line: bytes) -> tuple[bytes, str] | None:
    """Return the row with a wrong unit, and the kind of defect; None where no unit can be mistaken.

    The row still looks valid: only a comparison with the seller's other figures reveals it.
    """
    slip = _UNIT_SLIPS.get(source)
    found = slip(line.decode()) if slip else None
    return None if found is None else (found.encode(), UNIT_SLIP)


def date_slip(source: str, line: bytes) -> tuple[bytes, str] | None:
    """Return the row with day and month swapped and the kind of defect (impossible or plausible date), or None."""
    text, pattern = line.decode(), _DAYS.get(source)
    found = pattern.search(text) if pattern else None
    if found is None:
        return None
    year, month, day = found.groups()
    is_possible = int(day) <= 12
    if is_possible and (source != "vat_invoices" or int(day) == int(month)):
        return None  # a plausible day in a daily sheet would duplicate another row's
    mark = text[found.start() + 4]
    swapped = text[: found.start()] + mark.join((year, day, month)) + text[found.end() :]
    return swapped.encode(), SWAPPED_DATE if is_possible else IMPOSSIBLE_DATE
