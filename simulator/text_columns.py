"""Columns of numbers and dates as text, and tables of text as the bytes of many files.

Millions of rows are written without a Python loop over rows: columns become Arrow strings, Arrow joins them into rows,
and a file is a slice of the joined buffer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Text = pa.StringArray


def text(values: Sequence[str]) -> Text:
    """Return an Arrow string column."""
    return pa.array(list(values), type=pa.string())


def taken(column: Text, index: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Text:
    """Return the rows of a column at each index; a boolean counts as index 0 or 1."""
    return column.take(pa.array(np.asarray(index, dtype=np.int64), type=pa.int64()))


def chosen(choices: Sequence[str], index: NDArray[np.integer[Any]] | NDArray[np.bool_]) -> Text:
    """Return the choice at each index as a string column."""
    return taken(text(choices), index)


def either(is_first: NDArray[np.bool_], first: Text | str, second: Text | str = "") -> Text:
    """Choose between two columns (or constants) row by row."""
    return cast("Text", pc.if_else(pa.array(is_first, type=pa.bool_()), first, second))


def joined(*parts: Text | str) -> Text:
    """Concatenate string columns and constants row by row."""
    columns: list[Any] = [*parts, ""]  # Arrow accepts constants here, its type hints do not
    return cast("Text", pc.binary_join_element_wise(*columns))


def whole_text(numbers: NDArray[np.integer[Any]], width: int = 0) -> Text:
    """Format whole numbers, padded with zeros to ``width``."""
    plain = pc.cast(pa.array(np.asarray(numbers, dtype=np.int64), type=pa.int64()), pa.string())
    return cast("Text", pc.utf8_lpad(plain, width, "0") if width else plain)


@lru_cache(maxsize=4)
def _two_digits(mark: str) -> Text:
    return text([f"{mark}{number:02d}" for number in range(100)])


def cents_text(cents: NDArray[np.int64], mark: str = ".") -> Text:
    """Format money held in cents with two decimals after ``mark``: ``-1234.50``."""
    size = np.abs(cents)
    return joined(chosen(["", "-"], cents < 0), whole_text(size // 100), taken(_two_digits(mark), size % 100))


def to_cents(amount: NDArray[np.float64]) -> NDArray[np.int64]:
    """Convert amounts to whole cents."""
    return np.rint(np.asarray(amount) * 100).astype(np.int64)


@lru_cache(maxsize=32)
def _days(first_day: np.datetime64, count: int, style: str) -> Text:
    days = first_day + np.arange(count)
    return text([day.strftime(style) for day in days.astype(object)])


def day_text(first_day: np.datetime64, day: NDArray[np.int64], style: str = "%Y-%m-%d") -> Text:
    """Format day numbers counted from ``first_day`` as dates in a ``strftime`` style; negative days are before it."""
    low = min(int(day.min(initial=0)), 0)
    count = int(day.max(initial=0)) - low + 1
    start = first_day + low
    return taken(_days(start, max(count, 1), style), day - low)


def unpadded_day_text(first_day: np.datetime64, day: NDArray[np.int64]) -> Text:
    """Format dates as tax software writes them: ``2021/3/5``."""
    days = (first_day + np.arange(int(day.max(initial=0)) + 1)).astype(object)
    return chosen([f"{d.year}/{d.month}/{d.day}" for d in days], day)


@lru_cache(maxsize=1)
def _clock() -> Text:
    return text([f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)])


def clock_text(second: NDArray[np.int64]) -> Text:
    """Format seconds of the day as ``HH:MM:SS``."""
    return taken(_clock(), second)


def line_offsets(lines: Text) -> tuple[NDArray[np.int64], memoryview]:
    """Return the byte offset of each line in the joined buffer (one more offset than lines), and the buffer."""
    _, offsets, data = lines.buffers()
    if offsets is None or data is None:
        return np.zeros(len(lines) + 1, dtype=np.int64), memoryview(b"")
    positions = np.frombuffer(memoryview(offsets), dtype=np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return positions.astype(np.int64), memoryview(data)
