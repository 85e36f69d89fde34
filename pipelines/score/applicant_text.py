"""Text of an applicant file as UTF-8, in which whatever is no character is marked."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data_contracts.reading.delimited.encodings import guessed_encoding, other_encoding
from data_contracts.reading.headers import match_headers

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract

# NUL, and how Python marks a byte that is not UTF-8.
_NO_CHARACTER: Final = re.compile("[\0\udc80-\udcff]")
# Unicode promises that these will never be characters.
_MARKS: Final = tuple(map(chr, range(0xFDD0, 0xFDF0)))
_BETWEEN_CELLS: Final = re.compile("[,;\t]")


@dataclass(frozen=True)
class ReadableText:
    """A file in UTF-8, the mark that replaces whatever is no character, and the notes on how it was read."""

    data: bytes
    mark: str = _MARKS[0]
    notes: tuple[str, ...] = ()


def readable_text(data: bytes, contract: CompiledContract) -> ReadableText:
    """Return a text file as UTF-8; a byte that is no character, and NUL, spoil only their cell.

    Spreadsheets also save UTF-16 with its mark, and in China GB18030, read if it is the likely encoding and makes
    the header one of the contract. Any other text whose header has such bytes is left as it is; its refusal names the
    encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ReadableText(data.decode("utf-16", "replace").encode("utf-8", "replace"))
    text = data.decode("utf-8", "surrogateescape")
    header, _, _ = text.partition("\n")
    mark = next((mark for mark in _MARKS if mark not in text), None)
    if not _NO_CHARACTER.search(text) or mark is None:
        return ReadableText(data)
    if _NO_CHARACTER.search(header):
        chinese = _in_gb18030(data, contract)
        return ReadableText(data) if chinese is None else chinese
    words = other_encoding(data)
    note = f"some cells are not UTF-8 and were not read{f': {words}' if words else ''}"
    return ReadableText(_NO_CHARACTER.sub(mark, text).encode(), mark, (note,))


def _in_gb18030(data: bytes, contract: CompiledContract) -> ReadableText | None:
    """Return a text in GB18030 as UTF-8, or None if it is no such text or its header is not of the contract."""
    _, codec = guessed_encoding(data) or ("", "")
    if codec != "gb18030":
        return None
    text = data.decode("gb18030", "replace")
    header, _, _ = text.partition("\n")
    cells = [cell.strip('" \r') for cell in _BETWEEN_CELLS.split(header)]
    if not match_headers(cells, contract).positions:
        return None
    return ReadableText(text.encode(), notes=("its text was read as GB18030",))
