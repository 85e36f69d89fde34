"""Escape text so that a spreadsheet never evaluates it as a formula."""

from __future__ import annotations

import re
from typing import Final

# What spreadsheets evaluate at the start of a cell: = + - @ (and their full-width forms), tab, carriage return; also
# after blanks of any kind, quotes, or a line break inside the cell, where some programs start reading anew.
_DANGEROUS: Final = re.compile(
    "(?:^|[\\r\\n])[\\s\\u00a0\\u200b\\ufeff\"']*[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20\\t\\r|%]"
)


def cell_text(text: str) -> str:
    """Return ``text``, prefixed with an apostrophe if a spreadsheet might evaluate it as a formula.

    >>> cell_text("=1+1"), cell_text("S000123")
    ("'=1+1", 'S000123')
    """
    return f"'{text}" if _DANGEROUS.search(text) else text
