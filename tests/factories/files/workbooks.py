"""Workbooks as bytes, like the exports of platforms."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import xlsxwriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """Return a workbook with these sheets, each a list of rows; None leaves a cell empty."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"default_date_format": "yyyy-mm-dd hh:mm:ss"})
    for name, rows in sheets.items():
        page = book.add_worksheet(name)
        for number, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                if cell is not None:
                    page.write(number, place, cell)
    book.close()
    return file.getvalue()


def workbook_with(sheets: Mapping[str, Sequence[Sequence[object]]], rows: bytes) -> bytes:
    """Return a workbook with these sheets, each with further rows given as XML."""
    given, spoilt = io.BytesIO(workbook(sheets)), io.BytesIO()
    with zipfile.ZipFile(given) as source, zipfile.ZipFile(spoilt, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            data = source.read(part)
            if part.filename.startswith("xl/worksheets/"):
                data = data.replace(b"</sheetData>", rows + b"</sheetData>")
            target.writestr(part.filename, data)
    return spoilt.getvalue()
