"""Escape text so that a spreadsheet never evaluates it as a formula."""

from __future__ import annotations

import re
from typing import Final

# Spreadsheets evaluate cells that start with = + - @ (also full-width), tab or carriage return, even after spaces or
# quotes, or after a line break inside the cell.
_DANGEROUS: Final = re.compile(
    "(?:^|[\\r\\n])[\\s\\u00a0\\u200b\\ufeff\"']*[=+\\-@\\uff1d\\uff0b\\uff0d\\uff20\\t\\r|%]"
)


def cell_text(text: str) -> str:
    """Return ``text``, prefixed with an apostrophe if a spreadsheet might evaluate it as a formula.

    >>> cell_text("=1+1"), cell_text("S000123")
    ("'=1+1", 'S000123')
    """
    return f"'{text}" if _DANGEROUS.search(text) else text
