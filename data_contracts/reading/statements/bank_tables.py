"""The reader of account statements that banks export as a table: a workbook or delimited text.

The first lines name the account, then come the header and the entries. Text is UTF-8 or GB18030, whichever it is valid
in, and separated by commas or tabs.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.definition.contract import ReadSpec
from data_contracts.errors import ConfigurationRefused
from data_contracts.reading.delimited.decoding import utf8_bytes
from data_contracts.reading.delimited.lines import find_lines
from data_contracts.reading.delimited.reader import header_line, read_delimited
from data_contracts.reading.workbooks.reader import heading_row, open_workbook, read_workbook, sheet_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult
    from data_contracts.reading.headers import HeaderMatch

# A zip file (XLSX), and the older Excel format.
_WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_DELIMITERS = (",", "\t")
# Labels and values in one cell or line, such as 账号：6222…
_LABEL_ENDS = ":：  \t"
_BETWEEN_CELLS = re.compile(r"[,\t]")


def read_bank_table(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the entries of a statement as text columns; what its first lines say of the account is in every row.

    Raises InputRefused as the readers of delimited text and workbooks do.
    """
    spec = contract.read_spec
    if spec is None or spec.format != "bank_table":
        raise ConfigurationRefused(f"{contract.identity} is not a bank table", "use the reader for its format")
    if data.startswith(_WORKBOOK_STARTS):
        workbook = replace(contract, read_spec=replace(spec, format="xlsx"))
        read = read_workbook(data, workbook, file_name)
        above = _above_in_sheet(data, workbook, file_name)
    else:
        text = text_contract(data, contract, file_name)
        read = read_delimited(data, text, file_name)
        above = _above_in_text(data, text, file_name)
    return replace(read, rows=_with_account(read.rows, spec, above))


def text_contract(data: bytes, contract: CompiledContract, file_name: str) -> CompiledContract:
    """Return the contract for delimited text, with the encoding and the delimiter of a file."""
    spec = replace(contract.read_spec or ReadSpec("bank_table"), format="delimited", encoding=_encoding(data))
    lines = find_lines(utf8_bytes(data, spec.encoding, file_name, nul_spoils="line"))
    matches = {one: header_line(lines, contract, replace(spec, delimiter=one)) for one in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda one: _matched(matches[one]))
    return replace(contract, read_spec=replace(spec, delimiter=best))


def _encoding(data: bytes) -> str:
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    try:
        # The last character of the beginning of a file may be incomplete.
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def _matched(found: tuple[int, list[str], HeaderMatch] | None) -> int:
    return len(found[2].positions) if found is not None else 0


def _above_in_sheet(data: bytes, contract: CompiledContract, file_name: str) -> list[list[str]]:
    spec = contract.read_spec
    workbook = open_workbook(data, file_name)
    rows = sheet_rows(workbook, workbook.sheet_names[0], file_name)
    found = heading_row(rows, contract, spec) if spec is not None else None
    return rows[: found[0]] if found is not None else []


def _above_in_text(data: bytes, contract: CompiledContract, file_name: str) -> list[list[str]]:
    spec = contract.read_spec
    if spec is None:
        return []
    lines = find_lines(utf8_bytes(data, spec.encoding, file_name, nul_spoils="line"))
    found = header_line(lines, contract, spec)
    above = range(found[0]) if found is not None else range(0)
    return [_BETWEEN_CELLS.split(lines.content(line).decode("utf-8").replace('"', "")) for line in above]


def _with_account(rows: pa.Table, spec: ReadSpec, above: Sequence[Sequence[str]]) -> pa.Table:
    """Return the rows with columns about the account filled from the lines above the header where they are empty."""
    for column, labels in spec.preamble_labels:
        value = next(_values(above, labels), None)
        if value is None:
            continue
        cells: Values = rows[column]
        is_empty: Values = pc.equal(pc.utf8_trim_whitespace(cells), pa.scalar(""))
        filled: Values = pc.if_else(is_empty, pa.scalar(value), cells)
        rows = with_column(rows, column, filled)
    return rows


def _values(above: Sequence[Sequence[str]], labels: Sequence[str]) -> Iterator[str]:
    """Yield the values of a label: in the same cell after a colon, or in the next cell that is not empty."""
    for row in above:
        cells = [cell.strip() for cell in row if cell.strip()]
        for place, cell in enumerate(cells):
            label = next((label for label in labels if cell.startswith(label)), None)
            if label is None:
                continue
            rest = cell[len(label) :]
            if not rest.strip(_LABEL_ENDS):
                yield from cells[place + 1 : place + 2]
            elif rest[0] in _LABEL_ENDS:
                yield rest.strip(_LABEL_ENDS)
