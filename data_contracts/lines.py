"""The physical lines of a text file and, per line, whether its fields are where a strict reader may find them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]

_NEWLINE, _RETURN = 10, 13
# A quoted field running over more lines than this is taken for a quote that was never closed.
_LONGEST_RECORD_LINES = 1000
_LONGEST_DOUBT_LINES = 100


@dataclass(frozen=True)
class PhysicalLines:
    r"""Lines end at ``\n`` or ``\r\n`` only; line ``i`` is ``data[starts[i]:ends[i]]``, without its end mark."""

    data: bytes
    starts: Positions
    ends: Positions

    def __len__(self) -> int:
        return len(self.starts)

    def content(self, first: int, last: int | None = None) -> bytes:
        """Gives the bytes of line ``first``, or of ``first`` to ``last`` with the line ends between them."""
        return self.data[self.starts[first] : self.ends[first if last is None else last]]

    def stop(self, line: int) -> int:
        """Gives the position just behind a line and its end mark."""
        return int(self.starts[line + 1]) if line + 1 < len(self) else len(self.data)


def find_lines(data: bytes) -> PhysicalLines:
    """Gives the physical lines of ``data``; a final end mark opens no further line."""
    codes = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(codes == _NEWLINE)
    starts = np.concatenate([np.zeros(1, np.int64), newlines + 1])
    ends = np.concatenate([newlines, np.array([len(data)], np.int64)])
    if starts[-1] == len(data):
        starts, ends = starts[:-1], ends[:-1]
    has_return = np.zeros(len(ends), dtype=bool)
    in_line = (ends > starts) & (ends < len(data))
    has_return[in_line] = codes[ends[in_line] - 1] == _RETURN
    return PhysicalLines(data, starts, ends - has_return)


@dataclass(frozen=True)
class LineFacts:
    """One entry a physical line.

    ``widths``: number of fields. ``misquoted``: a quote stands where none may. ``unclosed``: an odd number of quotes.
    ``stray_return``: a carriage return that ends no line.
    """

    widths: NDArray[np.int64]
    misquoted: Flags
    unclosed: Flags
    stray_return: Flags


def line_facts(lines: PhysicalLines, delimiter: str, quote: str | None) -> LineFacts:
    """Gives the facts of every line, each judged as if a record began with it."""
    codes = np.frombuffer(lines.data, dtype=np.uint8)
    delimiters = np.flatnonzero(codes == ord(delimiter))
    quotes = np.flatnonzero(codes == ord(quote)) if quote else np.zeros(0, np.int64)
    stray = _lines_with(lines, _stray_returns(codes))
    none = np.zeros(len(lines), dtype=bool)
    if not len(quotes):
        return LineFacts(_count_between(delimiters, lines) + 1, none, none, stray)
    counts = _count_between(quotes, lines)
    structural = delimiters[~_inside_quotes(codes, delimiters, lines, counts, ord(quote or ""))]
    misquoted = _lines_with(lines, _misplaced_quotes(codes, quotes, lines, counts, ord(delimiter)))
    return LineFacts(_count_between(structural, lines) + 1, misquoted, counts % 2 == 1, stray)


def _count_between(positions: Positions, lines: PhysicalLines) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.searchsorted(positions, lines.ends) - np.searchsorted(positions, lines.starts)
    return counts


def _lines_with(lines: PhysicalLines, positions: Positions) -> Flags:
    found = np.zeros(len(lines), dtype=bool)
    found[np.searchsorted(lines.starts, positions, side="right") - 1] = True
    return found


def _stray_returns(codes: NDArray[np.uint8]) -> Positions:
    returns = np.flatnonzero(codes == _RETURN)
    following = np.minimum(returns + 1, len(codes) - 1)
    stray: Positions = returns[(returns + 1 == len(codes)) | (codes[following] != _NEWLINE)]
    return stray


def _inside_quotes(
    codes: NDArray[np.uint8], positions: Positions, lines: PhysicalLines, counts: NDArray[np.int64], quote: int
) -> Flags:
    """Tells which positions have an odd number of quotes before them in their own line."""
    # Parity survives the overflow of a one-byte running count.
    parity = np.cumsum(codes == quote, dtype=np.uint8) & 1
    inside = parity[positions].astype(bool)
    before = (np.cumsum(counts) - counts) % 2 == 1
    if before.any():
        line_of = np.searchsorted(lines.starts, positions, side="right") - 1
        inside ^= before[line_of]
    return inside


def _misplaced_quotes(
    codes: NDArray[np.uint8], quotes: Positions, lines: PhysicalLines, counts: NDArray[np.int64], delimiter: int
) -> Positions:
    """Gives the quotes that neither open a field, nor close one, nor stand doubled inside one."""
    order = np.arange(len(quotes)) - np.repeat(np.cumsum(counts) - counts, counts)
    opening = order % 2 == 0
    line_start, line_end = np.repeat(lines.starts, counts), np.repeat(lines.ends, counts)
    previous = codes[np.maximum(quotes - 1, 0)]
    following = codes[np.minimum(quotes + 1, len(codes) - 1)]
    own = codes[quotes[0]]
    may_open = (quotes == line_start) | (previous == delimiter) | ((previous == own) & (order > 0))
    may_close = (quotes + 1 == line_end) | (following == delimiter) | (following == own)
    misplaced: Positions = quotes[np.where(opening, ~may_open, ~may_close)]
    return misplaced


@dataclass(frozen=True)
class JoinedLines:
    """Records over several lines, as (first, last) line; and lines that might be one such record or several."""

    spans: Sequence[tuple[int, int]]
    doubtful: Flags


def joined_lines(lines: PhysicalLines, unclosed: Flags, complete: Flags, form: re.Pattern[bytes]) -> JoinedLines:
    """Gives the records that begin on a line with an unclosed quote.

    Such a record ends on the next line with an odd number of quotes, if the lines together have the ``form`` of exactly
    one record. Otherwise the quote was never closed, and reading resumes with the line after it: a lost quote costs its
    own line and no other. Where a line between is ``complete`` by itself both readings are possible; neither is taken.
    """
    odd = np.flatnonzero(unclosed)
    complete_before = np.concatenate([[0], np.cumsum(complete)])
    doubtful = np.zeros(len(lines), dtype=bool)
    spans: list[tuple[int, int]] = []
    position = 0
    while position + 1 < len(odd):
        first, last = int(odd[position]), int(odd[position + 1])
        lonely = complete_before[last] == complete_before[first + 1]
        near = last - first <= (_LONGEST_RECORD_LINES if lonely else _LONGEST_DOUBT_LINES)
        if near and form.fullmatch(lines.content(first, last)):
            if lonely:
                spans.append((first, last))
            else:
                doubtful[first : last + 1] = True
            position += 1
        position += 1
    return JoinedLines(spans, doubtful)


@functools.cache
def record_form(delimiter: str, quote: str, width: int) -> re.Pattern[bytes]:
    """Gives the form of one record of ``width`` fields, each wholly quoted or free of quotes and line ends."""
    d, q = re.escape(delimiter), re.escape(quote)
    one = f"(?:{q}(?:[^{q}]++|{q}{q})*+{q}|[^{q}{d}\\r\\n]*+)"
    return re.compile(f"{one}(?:{d}{one}){{{width - 1}}}".encode())


def equal_lines(lines: PhysicalLines, content: bytes) -> Flags:
    """Tells which lines are byte for byte ``content``."""
    codes = np.frombuffer(lines.data, dtype=np.uint8)
    candidates = np.flatnonzero(lines.ends - lines.starts == len(content))
    for offset, code in enumerate(content):
        if not len(candidates):
            break
        candidates = candidates[codes[lines.starts[candidates] + offset] == code]
    found = np.zeros(len(lines), dtype=bool)
    found[candidates] = True
    return found
