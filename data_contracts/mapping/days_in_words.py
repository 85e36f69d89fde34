"""Rewrite days with the name of the month, such as ``Jan 5, 2025`` or ``18-Dez-25``, to ISO form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from data_contracts.arrow import with_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values

# Months from 0 by their first three letters, English and German.
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez")
    )
    for name in names.split()
}
_WORD = r"(?P<month>[^\W\d_]{3,9})\.?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_FORMS = (
    re.compile(rf"{_WORD} (?P<day>\d{{1,2}}), ?(?P<year>\d{{4}})"),
    re.compile(rf"(?P<day>\d{{1,2}})\.? {_WORD},? (?P<year>\d{{4}})"),
    re.compile(rf"(?P<day>\d{{1,2}})-{_WORD}-{_YEAR}"),
)


def iso_day(text: str) -> str:
    """Return a day with the name of its month in ISO form; any other text as it is.

    >>> iso_day("Jan 5, 2025"), iso_day("18-Dez-25"), iso_day("5 Sept. 2025"), iso_day("5/1/2025")
    ('2025-01-05', '2025-12-18', '2025-09-05', '5/1/2025')
    """
    plain = " ".join(text.split())
    found = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    month = _MONTHS.get(found["month"].casefold()[:3]) if found else None
    if found is None or month is None:
        return text
    year = found["year"] if len(found["year"]) == 4 else f"20{found['year']}"
    return f"{year}-{month + 1:02}-{int(found['day']):02}"


def with_days_in_words(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return text rows in which the days of some columns are in ISO form if the month is a word."""
    for name in columns:
        encoded: Values = rows[name].combine_chunks().dictionary_encode()
        days = pa.array([iso_day(text) for text in encoded.dictionary.to_pylist()], pa.string())
        rows = with_column(rows, name, days.take(encoded.indices))
    return rows
