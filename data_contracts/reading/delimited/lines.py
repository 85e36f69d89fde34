"""Physical lines of a text file and, for each line, whether a strict reader can locate its fields."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data_contracts.reading.delimited.byte_masks import (
    Positions,
    Words,
    bits_at,
    counts_before,
    mask_of,
    one_earlier,
    one_later,
    positions_in,
    positions_of,
    running_parity,
    with_bits,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Flags = NDArray[np.bool_]

_NEWLINE, _RETURN = 10, 13
# A quoted field over more lines than this counts as a quote that was never closed.
_LONGEST_RECORD_LINES = 1000
_LONGEST_DOUBT_LINES = 100


@dataclass(frozen=True)
class PhysicalLines:
    r"""Lines end at ``\n`` or ``\r\n`` only; line ``i`` is ``data[starts[i]:ends[i]]``, without its line ending.

    ``lines_before``: lines of the file that precede ``data``.
    """

    data: bytes
    starts: Positions
    ends: Positions
    lines_before: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def content(self, first: int, last: int | None = None) -> bytes:
        """Return the bytes of line ``first``, or of lines ``first`` to ``last`` with the line endings between them."""
        return self.data[self.starts[first] : self.ends[first if last is None else last]]

    def stop(self, line: int) -> int:
        """Return the position just after a line and its line ending."""
        return int(self.starts[line + 1]) if line + 1 < len(self) else len(self.data)


def find_lines(data: bytes, lines_before: int = 0) -> PhysicalLines:
    """Return the physical lines of ``data``; a final line ending does not start another line."""
    codes = np.frombuffer(data, dtype=np.uint8)
    newlines = positions_of(codes, _NEWLINE)
    starts = np.concatenate([np.zeros(1, np.int64), newlines + 1])
    ends = np.concatenate([newlines, np.array([len(data)], np.int64)])
    if starts[-1] == len(data):
        starts, ends = starts[:-1], ends[:-1]
    has_return = np.zeros(len(ends), dtype=bool)
    in_line = (ends > starts) & (ends < len(data))
    has_return[in_line] = codes[ends[in_line] - 1] == _RETURN
    return PhysicalLines(data, starts, ends - has_return, lines_before)


@dataclass(frozen=True)
class LineFacts:
    """Facts about each physical line.

    ``widths``: number of fields. ``misquoted``: a quote is in a wrong place. ``unclosed``: the number of quotes is odd.
    ``stray_return``: a carriage return that does not end a line.
    """

    widths: NDArray[np.int64]
    misquoted: Flags
    unclosed: Flags
    stray_return: Flags


def line_facts(lines: PhysicalLines, delimiter: str, quote: str | None) -> LineFacts:
    """Return the facts of every line, each read as if a record began there."""
    codes = np.frombuffer(lines.data, dtype=np.uint8)
    delimiters = mask_of(codes, ord(delimiter))
    stray = _lines_with(lines, _stray_returns(codes) if b"\r" in lines.data else np.zeros(0, np.int64))
    quotes = mask_of(codes, ord(quote)) if quote else np.zeros(0, np.uint64)
    if not quotes.any():
        none = np.zeros(len(lines), dtype=bool)
        return LineFacts(_widths(delimiters, lines), none, none, stray)
    inside, unclosed = _inside_quotes(quotes, lines)
    misplaced = _misplaced_quotes(quotes, inside, delimiters, codes)
    misquoted = _lines_with(lines, positions_in(misplaced))
    return LineFacts(_widths(delimiters & ~inside, lines), misquoted, unclosed, stray)


def lines_with_nul(lines: PhysicalLines) -> Flags:
    """Return a mask of the lines that contain a NUL byte."""
    if b"\0" not in lines.data:
        return np.zeros(len(lines), dtype=bool)
    return _lines_with(lines, positions_of(np.frombuffer(lines.data, dtype=np.uint8), 0))


def _widths(delimiters: Words, lines: PhysicalLines) -> NDArray[np.int64]:
    borders = np.append(lines.starts, len(lines.data))
    return np.diff(counts_before(delimiters, borders)) + 1


def _lines_with(lines: PhysicalLines, positions: Positions) -> Flags:
    found = np.zeros(len(lines), dtype=bool)
    found[np.searchsorted(lines.starts, positions, side="right") - 1] = True
    return found


def _stray_returns(codes: NDArray[np.uint8]) -> Positions:
    returns = positions_of(codes, _RETURN)
    following = np.minimum(returns + 1, len(codes) - 1)
    stray: Positions = returns[(returns + 1 == len(codes)) | (codes[following] != _NEWLINE)]
    return stray


def _inside_quotes(quotes: Words, lines: PhysicalLines) -> tuple[Words, Flags]:
    """Return the bytes with an odd number of quotes up to them in their line, and the lines that end inside quotes."""
    parity = running_parity(quotes)
    last = np.append(lines.starts[1:], len(lines.data)) - 1
    odd_so_far = bits_at(parity, last)
    unclosed = odd_so_far ^ np.concatenate([[False], odd_so_far[:-1]])
    if not unclosed.any():
        return parity, unclosed
    # An extra quote at the end of an odd line makes the next line start even.
    return running_parity(with_bits(quotes, last[:-1][unclosed[:-1]])), unclosed


def _misplaced_quotes(quotes: Words, inside: Words, delimiters: Words, codes: NDArray[np.uint8]) -> Words:
    """Return the quotes that do not open a field, close a field, or form a doubled quote inside one."""
    newlines, returns = mask_of(codes, _NEWLINE), mask_of(codes, _RETURN)
    line_ends = newlines | (returns & one_earlier(newlines))
    may_open = with_bits(one_later(delimiters | quotes | newlines), np.zeros(1, np.int64))
    may_close = with_bits(one_earlier(delimiters | quotes | line_ends), np.array([len(codes) - 1]))
    return quotes & ((inside & ~may_open) | (~inside & ~may_close))


@dataclass(frozen=True)
class JoinedLines:
    """Records over several lines as (first, last) line, and a mask of lines that could be one such record or several.

    ``open_line``: the line with an unclosed quote that a line after the last one could still close, or None.
    """

    spans: Sequence[tuple[int, int]]
    doubtful: Flags
    open_line: int | None = None


def joined_lines(lines: PhysicalLines, unclosed: Flags, complete: Flags, form: re.Pattern[bytes]) -> JoinedLines:
    """Return the records that begin on a line with an unclosed quote.

    Such a record ends on the next line with an odd number of quotes, if the lines together have the ``form`` of exactly
    one record. Otherwise the quote was never closed and reading resumes with the next line, so that a lost quote costs
    only its own line. If a line in between is ``complete`` by itself, both readings are possible and neither is used.
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
    still_open = position < len(odd) and len(lines) - int(odd[position]) <= _LONGEST_RECORD_LINES
    return JoinedLines(spans, doubtful, int(odd[position]) if still_open else None)


@functools.cache
def record_form(delimiter: str, quote: str, width: int) -> re.Pattern[bytes]:
    """Return the pattern of one record with ``width`` fields, each fully quoted or free of quotes and line endings."""
    d, q = re.escape(delimiter), re.escape(quote)
    one = f"(?:{q}(?:[^{q}]++|{q}{q})*+{q}|[^{q}{d}\\r\\n]*+)"
    return re.compile(f"{one}(?:{d}{one}){{{width - 1}}}".encode())


def equal_lines(lines: PhysicalLines, content: bytes) -> Flags:
    """Return a mask of the lines that are exactly ``content``."""
    codes = np.frombuffer(lines.data, dtype=np.uint8)
    candidates = np.flatnonzero(lines.ends - lines.starts == len(content))
    for offset, code in enumerate(content):
        if not len(candidates):
            break
        candidates = candidates[codes[lines.starts[candidates] + offset] == code]
    found = np.zeros(len(lines), dtype=bool)
    found[candidates] = True
    return found
