"""The strict reader of delimited text whose first field is the type of the line: header, row, count or frame."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.lineage import Origin, ReadResult, SetAside, quarantine_table
from data_contracts.reading.delimited.decoding import utf8_bytes
from data_contracts.reading.delimited.lines import find_lines
from data_contracts.reading.headers import HeaderMatch, match_headers, require_headers

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract, ReadSpec, Tags
    from data_contracts.reading.delimited.lines import PhysicalLines


@dataclass
class _Gathered:
    """The rows read so far from one file; ``since_header`` counts those of the current section."""

    match: HeaderMatch | None = None
    width: int = 0
    notes: tuple[str, ...] = ()
    since_header: int = 0
    numbers: list[int] = field(default_factory=list)
    cells: list[dict[str, str]] = field(default_factory=list)
    aside: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)

    def set_aside(self, rule: str, number: int, value: str | None) -> None:
        """Record a line that is not a row."""
        self.aside.setdefault(rule, []).append((number, value))


def read_tagged(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read a file of tagged lines as text columns; ``source_row`` is the physical line.

    A row is set aside if its number of fields differs from its header's (``line:width``), its quotes do not close
    (``line:quote``), it contains a NUL byte (``line:nul``) or its tag is not in the contract (``line:tag``).

    Raises:
        InputRefused: a section does not have as many rows as its count line says, a row precedes every header, there is
            no header, or a line that is not a row contains a NUL byte.
    """
    spec = contract.read_spec
    if spec is None or spec.tags is None:
        raise ConfigurationRefused(f"{contract.identity} is not a tagged source", "use the reader for its format")
    lines = find_lines(utf8_bytes(data, spec.encoding, file_name, nul_spoils="line"))
    gathered = _Gathered()
    for number in range(1, len(lines) + 1):
        _take(lines, number, (contract, spec, spec.tags), gathered, file_name)
    if gathered.match is None:
        raise InputRefused(
            file=file_name,
            rule=f"no header line with the tag {spec.tags.header!r}",
            remedy="deliver the complete report",
        )
    origin = Origin(
        contract.identity, file_name, sha256_bytes(data), lambda rows: [lines.content(row - 1) for row in rows]
    )
    groups = [
        SetAside(rule, [number for number, _ in found], [value for _, value in found])
        for rule, found in gathered.aside.items()
    ]
    quarantined = quarantine_table(origin, groups)
    arrays = [
        pa.array([row.get(column.name, "") for row in gathered.cells], pa.string()) for column in contract.columns
    ]
    names = [column.name for column in contract.columns]
    rows = pa.table([*arrays, pa.array(gathered.numbers, pa.int64())], names=[*names, "source_row"])
    rows_in = rows.num_rows + quarantined.num_rows
    return ReadResult(rows, quarantined, rows_in, gathered.match.headers, origin, gathered.notes)


def _take(
    lines: PhysicalLines,
    number: int,
    contract: tuple[CompiledContract, ReadSpec, Tags],
    gathered: _Gathered,
    file_name: str,
) -> None:
    """Read one line into the gathered rows."""
    whole, spec, tags = contract
    content = lines.content(number - 1).decode("utf-8")
    if not content.strip():
        return
    has_nul = "\0" in content
    cells = None if has_nul else _cells(content, spec)
    if cells is None:
        is_row = content.lstrip('"').startswith(tags.row)
        if has_nul and not is_row:
            rule = "NUL byte in a line that is not a row"
            raise InputRefused(file=file_name, row=number, rule=rule, remedy="export the file as plain text")
        gathered.set_aside("line:nul" if has_nul else "line:quote", number, None)
        gathered.since_header += is_row
    elif cells[0] == tags.header:
        gathered.match = match_headers(cells[1:], whole)
        gathered.notes = require_headers(gathered.match, whole, file_name, number)
        gathered.width, gathered.since_header = len(cells), 0
    elif cells[0] == tags.row:
        _take_row(cells, number, gathered, file_name)
    elif cells[0] == tags.count:
        _require_count(cells, number, gathered, file_name)
    elif cells[0] not in tags.frame:
        gathered.set_aside("line:tag", number, cells[0][:200])


def _cells(content: str, spec: ReadSpec) -> list[str] | None:
    try:
        return next(
            csv.reader(io.StringIO(content), delimiter=spec.delimiter, quotechar=spec.quote or '"', strict=True)
        )
    except (csv.Error, StopIteration):
        return None


def _take_row(cells: list[str], number: int, gathered: _Gathered, file_name: str) -> None:
    gathered.since_header += 1
    if gathered.match is None:
        raise InputRefused(
            file=file_name, row=number, rule="a row precedes the header line", remedy="deliver the complete report"
        )
    if len(cells) != gathered.width:
        gathered.set_aside("line:width", number, f"{len(cells)} fields instead of {gathered.width}")
        return
    gathered.numbers.append(number)
    gathered.cells.append({name: cells[1 + place] for name, place in gathered.match.positions.items()})


def _require_count(cells: list[str], number: int, gathered: _Gathered, file_name: str) -> None:
    stated = cells[1].strip() if len(cells) > 1 else ""
    if stated != str(gathered.since_header):
        raise InputRefused(
            file=file_name,
            row=number,
            rule=f"the section states {stated or 'no'} rows but contains {gathered.since_header}",
            remedy="deliver the complete report again",
        )
