"""The strict reader of workbooks whose sheets hold different tables, read into one table of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.lineage import Origin, ReadResult, SetAside, quarantine_table
from data_contracts.reading.doubts import sheet_doubts
from data_contracts.reading.headers import HeaderMatch, match_headers, require_headers
from data_contracts.reading.workbooks.reader import PREAMBLE_ROWS, open_workbook, sheet_rows, shown_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.definition.contract import CompiledContract, ReadSpec, SheetSpec

# Rows of the second sheet are numbered from ten million, those of the third from twenty million; no sheet is longer.
ROWS_A_SHEET = 10_000_000


@dataclass(frozen=True)
class _Sheet:
    """A sheet of a workbook: its spec, its place in the workbook from 0, its rows and the location of its table."""

    spec: SheetSpec
    place: int
    rows: list[list[str]]
    first: int
    match: HeaderMatch
    headings: frozenset[tuple[str, ...]]

    def source_row(self, number: int) -> int:
        """Return the source row of the row at index ``number``."""
        return self.place * ROWS_A_SHEET + number + 1


def read_sheets(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the rows of all sheets that the contract names as text columns, each with the name of its sheet.

    A sheet must have the columns that its spec needs; an optional sheet may be absent. ``source_row`` is the row of the
    sheet plus ten million for each sheet before it in the workbook. Otherwise as ``read_workbook``.
    """
    spec = contract.read_spec
    if spec is None or not spec.sheets:
        raise ConfigurationRefused(f"{contract.identity} does not name sheets", "use the reader of a single sheet")
    workbook = open_workbook(data, file_name)
    named = {sheet.name: sheet for sheet in spec.sheets}
    present = [(place, named[name]) for place, name in enumerate(workbook.sheet_names) if name in named]
    absent = [sheet.name for sheet in spec.sheets if not sheet.optional and sheet.name not in workbook.sheet_names]
    if absent or not present:
        raise InputRefused(
            file=file_name,
            rule=f"the workbook has no sheet {absent[0] if absent else spec.sheets[0].name!r}",
            remedy=f"export it with the sheets of {contract.identity}",
        )
    notes: list[str] = []
    sheets = []
    for place, one in present:
        rows = sheet_rows(workbook, one.name, file_name)
        sheet, more = _located(rows, place, one, contract, file_name)
        sheets.append(sheet)
        notes.extend(f"sheet {one.name}: {note}" for note in more)
        notes.extend(
            sheet_doubts(sheet.match.headers, contract, one.name) if any(map(any, rows[sheet.first :])) else ()
        )
    others = [name for name in workbook.sheet_names if name not in named]
    if others:
        notes.append(f"{len(others)} sheets that are not in the contract were ignored: {', '.join(map(repr, others))}")
    return _result(sheets, contract, spec, Origin(contract.identity, file_name, sha256_bytes(data)), tuple(notes))


def _located(
    rows: list[list[str]], place: int, one: SheetSpec, contract: CompiledContract, file_name: str
) -> tuple[_Sheet, tuple[str, ...]]:
    """Return the sheet with its table located by the header of one or two rows that names most of its columns."""
    own = sheet_contract(one, contract)
    best = sheet_heading(rows, one, own)
    if best is None:
        match = HeaderMatch({}, (), (), ())
        return _Sheet(one, place, [], 0, match, frozenset()), ("it is empty",)
    number, height, match = best
    notes = require_headers(match, own, f"{file_name}, sheet {one.name}", number + 1)
    headings = frozenset(tuple(row) for row in rows[number : number + height])
    return _Sheet(one, place, rows, number + height, match, headings), notes


def sheet_heading(
    rows: Sequence[Sequence[str]], one: SheetSpec, own: CompiledContract
) -> tuple[int, int, HeaderMatch] | None:
    """Return first row (from 0), height and match of the header with most columns; None if the sheet is empty."""
    best: tuple[int, int, HeaderMatch] | None = None
    for number in range(min(len(rows), PREAMBLE_ROWS)):
        for height in range(1, one.header_rows + 1):
            match = match_headers(_heading(rows[number : number + height]), own)
            if any(rows[number]) and (best is None or len(match.positions) > len(best[2].positions)):
                best = number, height, match
    return best


def sheet_contract(one: SheetSpec, contract: CompiledContract) -> CompiledContract:
    """Return the contract for one sheet, in which only the columns that the sheet needs are required."""
    columns = tuple(
        replace(column, cell=replace(column.cell, header_optional=column.name not in one.needs))
        for column in contract.columns
    )
    return replace(contract, columns=columns)


def _heading(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lowest filled cell of each header column, because group titles are above the column titles."""
    return [next((cell for cell in reversed(cells) if cell), "") for cells in zip(*rows, strict=True)]


def _result(
    sheets: Sequence[_Sheet], contract: CompiledContract, spec: ReadSpec, origin: Origin, notes: tuple[str, ...]
) -> ReadResult:
    by_place = {sheet.place: sheet for sheet in sheets}

    def originals(source_rows: Sequence[int]) -> list[bytes | None]:
        places = [divmod(row - 1, ROWS_A_SHEET) for row in source_rows]
        return [shown_row(by_place[place].rows[number]) for place, number in places]

    origin = replace(origin, original_of=originals)
    good: list[tuple[_Sheet, int]] = []
    groups = []
    for sheet in sheets:
        chosen, aside = _sorted_rows(sheet)
        good.extend((sheet, number) for number in chosen)
        groups.extend(aside)
    quarantined = quarantine_table(origin, groups)
    columns = {column.name: _cells(good, column.name, spec) for column in contract.columns}
    numbers = pa.array([sheet.source_row(number) for sheet, number in good], pa.int64())
    rows = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()} | {"source_row": numbers})
    present = {name for sheet in sheets for name in sheet.match.headers}
    headers = tuple(column.name for column in contract.columns if column.name in present)
    return ReadResult(rows, quarantined, rows.num_rows + quarantined.num_rows, headers, origin, notes)


def _sorted_rows(sheet: _Sheet) -> tuple[list[int], list[SetAside]]:
    # A sheet is as wide as its widest row, so there may be cells after the last header.
    width = max((place for heading in sheet.headings for place, cell in enumerate(heading) if cell), default=-1) + 1
    good: list[int] = []
    wide: list[int] = []
    repeated: list[int] = []
    for number in range(sheet.first, len(sheet.rows)):
        row = sheet.rows[number]
        if any(row):
            (wide if any(row[width:]) else repeated if tuple(row) in sheet.headings else good).append(number)
    reason = f"values beyond column {width}"
    return good, [
        SetAside("line:width", [sheet.source_row(n) for n in wide], [reason] * len(wide)),
        SetAside("line:repeated_header", [sheet.source_row(n) for n in repeated], [None] * len(repeated)),
    ]


def _cells(good: Sequence[tuple[_Sheet, int]], name: str, spec: ReadSpec) -> list[str]:
    if name == spec.sheet_column:
        return [sheet.spec.name for sheet, _ in good]
    cells = []
    for sheet, number in good:
        position = sheet.match.positions.get(name)
        cells.append("" if position is None else sheet.rows[number][position])
    return cells
