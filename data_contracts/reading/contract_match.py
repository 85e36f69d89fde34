"""Contract matching: compare the headers, keys, tags or sheets of a file with source contracts.

Only the beginning of a text and the first rows of each workbook sheet are read. No row is typed or checked, so a file
that matches a contract here can still contain rows, or a later line, that the contract refuses.
"""

from __future__ import annotations

import codecs
import csv
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from data_contracts.definition.contract import Column, CompiledContract, ReadSpec
from data_contracts.errors import InputRefused
from data_contracts.reading.delimited.decoding import utf8_bytes
from data_contracts.reading.delimited.encodings import guessed_encoding
from data_contracts.reading.delimited.lines import find_lines
from data_contracts.reading.delimited.reader import header_line, is_in_unknown_language, with_delimiter_of
from data_contracts.reading.file_forms import single_forms
from data_contracts.reading.headers import HeaderMatch, match_headers, refused_heading, require_headers
from data_contracts.reading.parquet_files import PARQUET_START, open_parquet
from data_contracts.reading.records.json_paths import JsonText
from data_contracts.reading.records.xml_reader import record_paths
from data_contracts.reading.records.xml_text import XmlRecords, xml_encoding
from data_contracts.reading.statements.bank_tables import text_contract
from data_contracts.reading.statements.mt940 import is_mt940, read_mt940
from data_contracts.reading.statements.ofx import is_ofx, read_ofx
from data_contracts.reading.workbooks.reader import PREAMBLE_ROWS, heading_row, open_workbook, sheet_rows
from data_contracts.reading.workbooks.sheets import sheet_contract, sheet_heading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from data_contracts.lineage import ReadResult
    from data_contracts.reading.delimited.lines import PhysicalLines

# A zip file (XLSX and other office formats), and the older Excel format.
WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_HEADER_BYTES = 2**18
_MOST_SHEETS = 50
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class FileStart:
    """The first bytes of a file, and whether they are the whole file."""

    data: bytes
    is_whole: bool


@dataclass(frozen=True)
class ContractMatch:
    """The match of a file with one contract.

    Attributes:
        contract: the source contract.
        found: contract columns that are present.
        missing: required contract columns that are absent.
        foreign: headers of the file, or dotted paths of JSON fields, that the contract does not know.
        problem: any other obstacle, or None.
        is_known_form: whether the rows have the form of the source, although its header is in an unknown language.
        is_refused_kind: whether a heading shows that the file is of a kind the contract names and does not read.
    """

    contract: CompiledContract
    found: tuple[str, ...]
    missing: tuple[Column, ...]
    foreign: tuple[str, ...]
    problem: str | None = None
    is_known_form: bool = False
    is_refused_kind: bool = False

    @property
    def is_match(self) -> bool:
        """Whether a reader would accept the header."""
        return bool(self.found) and not self.missing and self.problem is None

    @property
    def similarity(self) -> float:
        """Jaccard index of the columns in the file and the columns the contract needs, from 0 to 1."""
        return len(self.found) / max(len(self.found) + len(self.missing) + len(self.foreign), 1)

    @property
    def own_share(self) -> float:
        """Share of the columns the contract needs, and of those it offers and the file has, that the file has."""
        return len(self.found) / max(len(self.found) + len(self.missing), 1)

    @property
    def nearness(self) -> tuple[bool, float, float]:
        """How near the file is to the contract, by the contract's own columns; foreign columns only break ties.

        A found column counts more in a contract with many found columns: 10 of 15 is nearer than 2 of 3. The contract
        that names the kind of the file goes first.
        """
        return self.is_refused_kind, len(self.found) * self.own_share, self.similarity


def match_contracts(
    start: FileStart, contracts: Iterable[CompiledContract], file_name: str
) -> tuple[ContractMatch, ...]:
    """Return the match of a file with each contract whose format its bytes could have.

    A workbook or Parquet file must be given whole. Nothing is opened; ``file_name`` is only used in messages.

    Raises:
        InputRefused: the file is empty, has no records, is not text, or is a damaged workbook or Parquet file.
    """
    by_format: dict[str, list[CompiledContract]] = {}
    for contract in itertools.chain.from_iterable(map(single_forms, contracts)):
        by_format.setdefault(contract.read_spec.format if contract.read_spec else "", []).append(contract)
    tabular = by_format.get("tabular", [])
    if start.data.startswith(PARQUET_START):
        names = _parquet_names(start.data, file_name)
        return tuple(_of_match(contract, match_headers(names, contract)) for contract in tabular)
    if start.data.startswith(WORKBOOK_STARTS):
        sheets = _sheets(start.data, file_name)
        with_sheets = (*by_format.get("xlsx", []), *tabular, *by_format.get("bank_table", []))
        return tuple(_of_workbook(contract, sheets) for contract in with_sheets)
    text = start.data.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.is_whole and text.split() in ([b"[]"], [b"[", b"]"]):
        raise InputRefused(
            file=file_name,
            rule="the file has no records, so its JSON source cannot be recognised",
            remedy="name the source of the file",
        )
    for message, is_form, read in (("ofx", is_ofx, read_ofx), ("mt940", is_mt940, read_mt940)):
        if is_form(start.data):
            return tuple(_of_message(contract, start, file_name, read) for contract in by_format.get(message, []))
    bank_tables = [_of_bank_text(contract, start, file_name) for contract in by_format.get("bank_table", [])]
    if text.startswith((b"[", b"{")):
        records = [*by_format.get("json", []), *by_format.get("jsonl", [])]
        # A bank's table may begin with a title in brackets.
        return (*_of_json(records, start, file_name), *(fit for fit in bank_tables if fit.found))
    if text.startswith(b"<"):
        with_elements = (*by_format.get("xml", []), *by_format.get("camt053", []))
        return tuple(_of_xml(contract, start, file_name) for contract in with_elements)
    delimited = [*by_format.get("delimited", []), *tabular]
    messages = (*by_format.get("ofx", []), *by_format.get("mt940", []))
    others = (_no_match(contract, "its first lines are not those of the format") for contract in messages)
    return (*_of_lines(delimited, by_format.get("tagged", []), start, file_name), *bank_tables, *others)


def _of_match(contract: CompiledContract, match: HeaderMatch, problem: str | None = None) -> ContractMatch:
    kind = refused_heading(match, contract.read_spec) if contract.read_spec and match.positions else None
    if kind is not None:
        problem = f"{kind[1].rule} (column {kind[0]!r}); {kind[1].remedy}"
    elif problem is None and not match.missing:
        try:
            require_headers(match, contract, "", 1)
        except InputRefused as refused:
            problem = refused.rule
    foreign = tuple(cell for cell in (*match.extra, *match.passed_over) if cell.strip())
    return ContractMatch(contract, match.headers, match.missing, foreign, problem, is_refused_kind=kind is not None)


def _of_message(
    contract: CompiledContract,
    start: FileStart,
    file_name: str,
    read: Callable[[bytes, CompiledContract, str], ReadResult],
) -> ContractMatch:
    """Return the match of a message format, which has no header: its reader says whether it accepts the file."""
    if not start.is_whole:
        needed = tuple(column.name for column in contract.columns if not column.cell.header_optional)
        return ContractMatch(contract, needed, (), ())
    try:
        return ContractMatch(contract, read(start.data, contract, file_name).headers, (), ())
    except InputRefused as refused:
        return _no_match(contract, refused.rule)


def _no_match(contract: CompiledContract, problem: str) -> ContractMatch:
    return _of_match(contract, match_headers([], contract), problem)


def _parquet_names(data: bytes, file_name: str) -> list[str]:
    with open_parquet(data, file_name) as file:
        names: list[str] = file.schema_arrow.names
    return names


def _text(start: FileStart, encoding: str, file_name: str) -> tuple[bytes, str | None]:
    """Return the beginning of a text as UTF-8, and the encoding problem if only another encoding can decode it."""
    data = start.data
    if not start.is_whole:
        try:
            # The last character may be incomplete.
            data = codecs.getincrementaldecoder(encoding)().decode(data).encode(encoding)
        except UnicodeDecodeError:
            data = start.data
    try:
        return utf8_bytes(data, encoding, file_name), None
    except InputRefused as refused:
        if not data.removeprefix(codecs.BOM_UTF8).strip():
            raise
        guessed = guessed_encoding(data)
        if guessed is None and b"\0" in data:
            raise
        # If no encoding is likely, the ASCII headers survive in any of them, enough for a comparison.
        codec = "gb18030" if guessed is None else guessed[1]
        problem = f"{refused.rule}; {refused.remedy}"
        return data.decode(codec, "replace").removeprefix("\ufeff").encode(), problem


def _of_lines(
    delimited: Sequence[CompiledContract], tagged: Sequence[CompiledContract], start: FileStart, file_name: str
) -> tuple[ContractMatch, ...]:
    heads = {
        encoding: _text(start, encoding, file_name)
        for encoding in {c.read_spec.encoding for c in (*delimited, *tagged) if c.read_spec}
    }
    lines = {encoding: (_first_lines(text), problem) for encoding, (text, problem) in heads.items()}
    fits = [_of_delimited(contract, lines, None) for contract in delimited]
    if not any(fit.is_match for fit in fits):
        for other in _DELIMITERS:
            others = [_of_delimited(contract, lines, other) for contract in delimited]
            fits = [max(pair, key=lambda fit: len(fit.found)) for pair in zip(fits, others, strict=True)]
    return (*fits, *(_of_tagged(contract, lines) for contract in tagged))


def _first_lines(text: bytes) -> PhysicalLines:
    return find_lines(text[:_HEADER_BYTES].decode("utf-8", "ignore").encode())


def _of_delimited(
    contract: CompiledContract, lines: Mapping[str, tuple[PhysicalLines, str | None]], delimiter: str | None
) -> ContractMatch:
    """Return the match of a delimited text; ``delimiter`` replaces the delimiter of the contract."""
    spec = contract.read_spec or ReadSpec(format="delimited")
    head, problem = lines[spec.encoding]
    if delimiter is None and spec.other_delimiters:
        spec = with_delimiter_of(head, contract).read_spec or spec
    elif delimiter is not None and delimiter not in (spec.delimiter, *spec.other_delimiters):
        problem = f"its fields are separated by {delimiter!r}, but the contract says {spec.delimiter!r}"
        spec = replace(spec, delimiter=delimiter)
    found = header_line(head, contract, spec)
    if found is None:
        return _no_match(contract, "it has no header line")
    if found[2].missing and spec.recognised_by and is_in_unknown_language(head, found[2], spec):
        words = f"{spec.recognised_by.words}; {spec.recognised_by.remedy}"
        return replace(_of_match(contract, found[2], words), is_known_form=True)
    return _of_match(contract, found[2], problem)


def _of_bank_text(contract: CompiledContract, start: FileStart, file_name: str) -> ContractMatch:
    """Return the match of a bank's table in text; the reader finds out encoding and delimiter."""
    try:
        text_form = text_contract(start.data, contract, file_name)
    except InputRefused as refused:
        return _no_match(contract, f"{refused.rule}; {refused.remedy}")
    spec = text_form.read_spec or ReadSpec(format="delimited")
    text, problem = _text(start, spec.encoding, file_name)
    found = header_line(_first_lines(text), text_form, spec)
    return _no_match(contract, "it has no header line") if found is None else _of_match(contract, found[2], problem)


def _of_tagged(contract: CompiledContract, lines: Mapping[str, tuple[PhysicalLines, str | None]]) -> ContractMatch:
    spec = contract.read_spec
    if spec is None or spec.tags is None:
        return _no_match(contract, "the contract defines no tags")
    head, problem = lines[spec.encoding]
    text = (head.content(line).decode("utf-8") for line in range(len(head)))
    try:
        for cells in csv.reader(text, delimiter=spec.delimiter, quotechar=spec.quote or '"'):
            if cells and cells[0] == spec.tags.header:
                return _of_match(contract, match_headers(cells[1:], contract), problem)
    except csv.Error as error:
        return _no_match(contract, str(error))
    return _no_match(contract, f"it has no header line with the tag {spec.tags.header!r}")


def _of_json(contracts: Sequence[CompiledContract], start: FileStart, file_name: str) -> tuple[ContractMatch, ...]:
    fits = []
    texts: dict[str, tuple[JsonText, str | None]] = {}
    for contract in contracts:
        spec = contract.read_spec or ReadSpec(format="json")
        if spec.encoding not in texts:
            text, problem = _text(start, spec.encoding, file_name)
            texts[spec.encoding] = JsonText(text.decode("utf-8")), problem
        json_text, problem = texts[spec.encoding]
        places = (spec.record_path, *spec.other_record_paths)
        found = (json_text.paths(replace(spec, record_path=place)) for place in places)
        paths = next((paths for paths in found if paths is not None), None)
        if paths is None:
            place = "one JSON object per line" if spec.format == "jsonl" else "an array of JSON records"
            where = f" at {'.'.join(spec.record_path)}" if spec.record_path else ""
            problem = f"its records are not {place}{where}"
        fits.append(_of_paths(contract, spec, json_text.any_paths() if paths is None else paths, problem))
    return tuple(fits)


def _of_xml(contract: CompiledContract, start: FileStart, file_name: str) -> ContractMatch:
    spec = contract.read_spec or ReadSpec(format="xml")
    paths: set[str] = set()
    try:
        encoding = xml_encoding(start.data, spec, file_name)
    except InputRefused as refused:
        return _no_match(contract, refused.rule)
    text, problem = _text(start, encoding, file_name)
    parsed = XmlRecords(spec, file_name, lambda record: paths.update(record_paths(record.value, spec)))
    parsed.read(text, is_whole=start.is_whole)
    if not paths:
        problem = f"it has no record at {'.'.join(spec.record_path)}; its root element is {parsed.root!r}"
    return _of_paths(contract, spec, frozenset(paths), problem)


def _of_paths(contract: CompiledContract, spec: ReadSpec, paths: frozenset[str], problem: str | None) -> ContractMatch:
    """Return the match of the dotted field paths that occur in the records of a file."""
    places = {column.name: {column.header, *column.synonyms} for column in contract.columns}
    found = tuple(name for name, spelled in places.items() if not paths.isdisjoint(spelled))
    missing = tuple(c for c in contract.columns if c.name not in found and not c.cell.header_optional)
    parts = [place.split(".") for spelled in places.values() for place in spelled]
    known = {".".join(part[:depth]) for part in parts for depth in range(len(part) + 1)}
    # Fields below an unknown field, or in a value that is kept as a whole, are not listed.
    whole = {column.header for column in contract.columns if column.cell.json_text}
    parents = known - whole
    foreign = tuple(sorted(path for path in paths - known if path.rpartition(".")[0] in parents))
    if foreign and spec.extra_columns == "refuse" and problem is None:
        problem = "the contract refuses unknown fields"
    return ContractMatch(contract, found, missing, foreign, problem)


def _sheets(data: bytes, file_name: str) -> dict[str, list[list[str]]]:
    workbook = open_workbook(data, file_name)
    return {name: sheet_rows(workbook, name, file_name, PREAMBLE_ROWS) for name in workbook.sheet_names[:_MOST_SHEETS]}


def _of_workbook(contract: CompiledContract, sheets: Mapping[str, Sequence[Sequence[str]]]) -> ContractMatch:
    spec = contract.read_spec or ReadSpec(format="xlsx")
    if spec.sheets:
        return _of_named_sheets(contract, spec, sheets)
    wanted = next(iter(sheets)) if spec.sheet is None else spec.sheet
    by_sheet = {}
    for name, rows in sheets.items():
        found = heading_row(rows, contract, spec)
        if found is not None:
            by_sheet[name] = _of_match(contract, found[1])
    if wanted in by_sheet and (by_sheet[wanted].is_match or not any(fit.is_match for fit in by_sheet.values())):
        return by_sheet[wanted]
    if not by_sheet:
        return _no_match(contract, "its sheets are empty")
    best = max(by_sheet, key=lambda name: by_sheet[name].similarity)
    problem = f"the contract reads sheet {wanted!r}, but the columns are in sheet {best!r}"
    return replace(by_sheet[best], problem=problem)


def _of_named_sheets(
    contract: CompiledContract, spec: ReadSpec, sheets: Mapping[str, Sequence[Sequence[str]]]
) -> ContractMatch:
    found: set[str] = set()
    missing: set[str] = set()
    foreign: list[str] = []
    for one in spec.sheets:
        own = sheet_contract(one, contract)
        heading = sheet_heading(sheets.get(one.name, ()), one, own)
        if heading is not None:
            found.update(heading[2].headers)
            foreign.extend(cell for cell in heading[2].extra if cell.strip())
            missing.update(column.name for column in heading[2].missing)
        elif one.name not in sheets and not one.optional:
            missing.update(one.needs)
    absent = [one.name for one in spec.sheets if one.name not in sheets and not one.optional]
    problem = f"the workbook has no sheet {absent[0]!r}" if absent else None
    lacking = tuple(column for column in contract.columns if column.name in missing)
    present = tuple(column.name for column in contract.columns if column.name in found)
    return ContractMatch(contract, present, lacking, tuple(dict.fromkeys(foreign)), problem)
