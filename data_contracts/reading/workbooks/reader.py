"""The strict reader of XLSX spreadsheets, based on calamine."""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import python_calamine

from data_contracts.arrow import with_column
from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.lineage import Origin, ReadResult, SetAside, quarantine_table
from data_contracts.reading.headers import HeaderMatch, header_locale, match_headers, require_headers
from data_contracts.reading.workbooks.stated_totals import labelled_total, total_above, total_doubts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.definition.contract import CompiledContract, ReadSpec

PREAMBLE_ROWS = 50
# A workbook is a zip file: a small one may unpack to more than memory holds, and one remote cell makes a huge sheet.
_MOST_UNPACKED_BYTES = 2**30
_MOST_CELLS = 50_000_000
# Spreadsheets keep 15 digits of a number. A longer one is shown as a power of ten, as spreadsheets show it, so that
# an identifier that lost digits is recognised as such.
_FIRST_INEXACT = 1e15


def read_workbook(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the rows of a worksheet as text columns; ``source_row`` is the row number of the sheet.

    Numbers have the shortest exact digits, whole numbers have no decimal point, and dates are in ISO form. A row with a
    value after the header's last column is set aside (``line:width``), as is a repeated header
    (``line:repeated_header``). Empty rows are skipped. The original of a row is its cells as a JSON array, because a
    sheet has no lines of bytes.

    Raises:
        InputRefused: the file is not a workbook, or lacks the sheet or a column.
    """
    spec = contract.read_spec
    if spec is None or spec.format != "xlsx":
        raise ConfigurationRefused(f"{contract.identity} is not an xlsx source", "use the reader for its format")
    workbook = open_workbook(data, file_name)
    rows = sheet_rows(workbook, spec.sheet if spec.sheet is not None else workbook.sheet_names[0], file_name)
    header, match, notes = _header(rows, contract, spec, file_name)
    # A sheet is as wide as its widest row, so there may be cells after the last header.
    width = max(place for place, cell in enumerate(rows[header]) if cell) + 1
    good: list[int] = []
    wide: list[int] = []
    repeated: list[int] = []
    for number in range(header + 1, len(rows)):
        row = rows[number]
        if not any(row):
            continue
        place = wide if any(row[width:]) else repeated if row == rows[header] else good
        place.append(number)
    origin = Origin(
        contract.identity, file_name, sha256_bytes(data), lambda numbers: [shown_row(rows[n - 1]) for n in numbers]
    )
    groups = [
        SetAside("line:width", [n + 1 for n in wide], [f"values beyond column {width}"] * len(wide)),
        SetAside("line:repeated_header", [n + 1 for n in repeated], [None] * len(repeated)),
    ]
    quarantined = quarantine_table(origin, groups)
    table = _table([rows[n] for n in good], [n + 1 for n in good], contract, match)
    if spec.locale_column is not None:
        locales = pa.array([header_locale(rows[header], contract) or ""] * table.num_rows, pa.string())
        table = with_column(table, spec.locale_column, locales)
    notes += _total_notes(workbook, rows[:header], table, _Named(contract, match, file_name))
    return ReadResult(table, quarantined, table.num_rows + quarantined.num_rows, match.headers, origin, notes)


@dataclass(frozen=True)
class _Named:
    """A contract, the header row that matches it, and the name of the file."""

    contract: CompiledContract
    match: HeaderMatch
    file_name: str


def _total_notes(
    workbook: python_calamine.CalamineWorkbook, above: Sequence[Sequence[str]], table: pa.Table, named: _Named
) -> tuple[str, ...]:
    """Return a doubt if the rows do not add up to the total that the workbook states; the contract says where."""
    where = named.contract.read_spec.stated_total if named.contract.read_spec else None
    if where is None or where.column not in named.match.positions:
        return ()
    stated = None
    if where.label is None:
        stated = total_above(above, named.match.positions[where.column])
    elif where.sheet in workbook.sheet_names:
        stated = labelled_total(sheet_rows(workbook, where.sheet, named.file_name, PREAMBLE_ROWS), where.label)
    header = named.contract.column(where.column).header
    cells: list[Any] = table[where.column].to_pylist()
    return total_doubts(cells, stated, header)


def open_workbook(data: bytes, file_name: str) -> python_calamine.CalamineWorkbook:
    """Open the workbook in the bytes of a file; raise InputRefused if it is not one or unpacks to too much data."""
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                _require_at_most(sum(part.file_size for part in archive.infolist()), _MOST_UNPACKED_BYTES, file_name)
        workbook = python_calamine.load_workbook(io.BytesIO(data))
    except (python_calamine.CalamineError, zipfile.BadZipFile) as error:
        raise _unreadable(error, file_name) from error
    if not workbook.sheet_names:
        raise _unreadable("it has no sheets", file_name)
    return workbook


def sheet_rows(
    workbook: python_calamine.CalamineWorkbook, name: str, file_name: str, most_rows: int | None = None
) -> list[list[str]]:
    """Return the (first) rows of a sheet as text, all of one width; raise InputRefused if it is absent or too large."""
    try:
        sheet = workbook.get_sheet_by_name(name)
        last_row, last_column = sheet.end or (-1, -1)
        cell_count = (last_row + 1) * (last_column + 1)
        if cell_count > _MOST_CELLS:
            raise InputRefused(
                file=file_name,
                rule=f"sheet {name!r} has {cell_count} cells; the limit is {_MOST_CELLS}",
                remedy="remove cells far from the table, or split the file",
            )
        return [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False, nrows=most_rows)]
    except python_calamine.WorksheetNotFound as error:
        raise InputRefused(
            file=file_name, rule=f"the workbook has no sheet {name!r}", remedy="export it with that sheet"
        ) from error
    except python_calamine.CalamineError as error:
        raise _unreadable(error, file_name) from error


def _require_at_most(unpacked_bytes: int, most: int, file_name: str) -> None:
    if unpacked_bytes > most:
        raise InputRefused(
            file=file_name,
            rule=f"the workbook unpacks to {unpacked_bytes} bytes; the limit is {most}",
            remedy="split the file and deliver the parts",
        )


def _unreadable(why: object, file_name: str) -> InputRefused:
    return InputRefused(file=file_name, rule=f"not a readable workbook: {why}", remedy="save the file again as XLSX")


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, (int, float)) and abs(cell) >= _FIRST_INEXACT:
        return f"{cell:.15G}"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(sep=" ")
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    return str(cell)


def heading_row(
    rows: Sequence[Sequence[str]], contract: CompiledContract, spec: ReadSpec
) -> tuple[int, HeaderMatch] | None:
    """Return number (from 0) and match of the header: the first row or, with a preamble, the best; None if empty."""
    candidates = [number for number, row in enumerate(rows[:PREAMBLE_ROWS]) if any(row)]
    if not candidates:
        return None
    if not spec.preamble:
        candidates = candidates[:1]
    matches = {number: match_headers(rows[number], contract) for number in candidates}
    best = max(candidates, key=lambda number: (len(matches[number].positions), -number))
    return best, matches[best]


def _header(
    rows: Sequence[Sequence[str]], contract: CompiledContract, spec: ReadSpec, file_name: str
) -> tuple[int, HeaderMatch, tuple[str, ...]]:
    found = heading_row(rows, contract, spec)
    if found is None:
        raise InputRefused(file=file_name, rule="the sheet is empty", remedy="export it again with its header")
    return *found, require_headers(found[1], contract, file_name, found[0] + 1)


def shown_row(row: Sequence[str]) -> bytes:
    """Return the cells of a row as a JSON array, which serves as its original bytes."""
    return json.dumps(list(row), ensure_ascii=False).encode("utf-8")


def _table(
    rows: Sequence[Sequence[str]], numbers: Sequence[int], contract: CompiledContract, match: HeaderMatch
) -> pa.Table:
    arrays = [
        pa.array([row[match.positions[c.name]] if c.name in match.positions else "" for row in rows], pa.string())
        for c in contract.columns
    ]
    names = [column.name for column in contract.columns]
    return pa.table([*arrays, pa.array(numbers, pa.int64())], names=[*names, "source_row"])
