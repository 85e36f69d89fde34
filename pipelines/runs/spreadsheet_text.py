"""Escape text so that a spreadsheet never evaluates it as a formula."""

from __future__ import annotations

import re
from typing import Final

# Spreadsheets evaluate cells that start with = + - @ (also full-width), tab or carriage return, even after spaces or
# quotes.
_FORMULA: Final = re.compile("[\\s\\u00a0\\u200b\\ufeff\"']*[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20|%]")
# A spreadsheet with another separator than ours begins a new cell here.
_NEW_CELL: Final = re.compile("([;\\t\\r\\n])")


def cell_text(text: str) -> str:
    """Return ``text`` with an apostrophe before each part that a spreadsheet might evaluate as a formula.

    A part begins where the text does, and after each semicolon, tab and line break.

    >>> cell_text("=1+1"), cell_text("a;=1+1"), cell_text("S000123")
    ("'=1+1", "a;'=1+1", 'S000123')
    """
    parts = _NEW_CELL.split(text)
    marked = "".join(f"'{part}" if _FORMULA.match(part) else part for part in parts)
    return f"'{marked}" if marked.startswith(("\t", "\r")) else marked
