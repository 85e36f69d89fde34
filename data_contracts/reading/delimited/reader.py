"""The strict reader of delimited text: every physical line is read, set aside with a reason, or blank."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from data_contracts.digest import sha256_bytes
from data_contracts.errors import ConfigurationRefused, InputRefused, InternalFault
from data_contracts.lineage import Origin, ReadResult, SetAside, quarantine_table
from data_contracts.reading.delimited.decoding import utf8_bytes
from data_contracts.reading.delimited.lines import (
    Flags,
    JoinedLines,
    LineFacts,
    PhysicalLines,
    equal_lines,
    find_lines,
    joined_lines,
    line_facts,
    lines_with_nul,
    record_form,
)
from data_contracts.reading.headers import HeaderMatch, header_locale, match_headers, require_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract, ReadSpec
    from data_contracts.reading.delimited.byte_masks import Positions

HEADER_LINES = 50
_SMALL_FILE_BYTES = 1 << 20


@dataclass(frozen=True)
class Header:
    """The header of a file: its line (-1 if it precedes the lines at hand), its bytes and its match.

    ``locale`` is its language, and ``stated`` the value that the lines above it state, if the contract asks for them.
    """

    line: int
    content: bytes
    width: int
    match: HeaderMatch
    notes: tuple[str, ...]
    locale: str | None
    stated: str | None = None


@dataclass(frozen=True)
class ClassifiedLines:
    """Data lines sorted into records (first and last line of each) and lines set aside by rule.

    ``open_line``: the line with an unclosed quote that a line not read yet could still close, or None.
    """

    first: Positions
    last: Positions
    aside: dict[str, Positions]
    blank_count: int
    has_newlines: bool
    open_line: int | None


def read_delimited(data: bytes, contract: CompiledContract, file_name: str) -> ReadResult:
    """Read the records of a delimited file as text columns, and set its unusable lines aside with their bytes.

    A line is set aside if its number of fields differs from the header's (``line:width``), a quote is in a wrong place
    or never closed (``line:quote``), it contains a stray carriage return (``line:carriage_return``) or a NUL byte
    (``line:nul``), or it repeats the header (``line:repeated_header``). Blank lines are not rows; the notes count them.

    Raises:
        InputRefused: the file cannot be from this source: empty, wrongly encoded, or without a column the contract
            needs.
    """
    spec = delimited_spec(contract)
    text = utf8_bytes(data, spec.encoding, file_name, nul_spoils="line")
    lines = find_lines(text)
    contract = with_delimiter_of(lines, contract)
    spec = delimited_spec(contract)
    header = find_header(lines, contract, file_name)
    facts, found = classify_lines(lines, header, spec)
    same_bytes = spec.encoding in {"utf-8", "ascii"}
    originals = Originals(lines if same_bytes else find_lines(data), found.first, found.last)
    origin = Origin(contract.identity, file_name, sha256_bytes(data), originals)
    records = read_rows(lines, found, header, contract)
    quarantined = quarantine_table(origin, unusable_lines(lines, facts, found, header))
    notes = (*header.notes, *line_notes(found.blank_count, ends_well=text.endswith(b"\n")))
    return ReadResult(
        records, quarantined, records.num_rows + quarantined.num_rows, header.match.headers, origin, notes
    )


def delimited_spec(contract: CompiledContract) -> ReadSpec:
    """Return the read settings of a delimited source; raise ConfigurationRefused if the format is another."""
    spec = contract.read_spec
    if spec is None or spec.format != "delimited":
        raise ConfigurationRefused(f"{contract.identity} is not a delimited source", "use the reader for its format")
    return spec


def with_delimiter_of(lines: PhysicalLines, contract: CompiledContract) -> CompiledContract:
    """Return the contract with the one of its delimiters with which the header has most columns."""
    spec = contract.read_spec
    if spec is None or not spec.other_delimiters:
        return contract
    specs = [replace(spec, delimiter=one) for one in (spec.delimiter, *spec.other_delimiters)]
    return replace(contract, read_spec=max(specs, key=lambda one: _columns_found(lines, contract, one)))


def _columns_found(lines: PhysicalLines, contract: CompiledContract, spec: ReadSpec) -> int:
    found = header_line(lines, contract, spec)
    return 0 if found is None else len(found[2].positions)


@dataclass(frozen=True)
class Originals:
    """Finds the bytes of a record by its physical row, in the bytes of the file as delivered."""

    lines: PhysicalLines
    first: Positions
    last: Positions

    def __call__(self, source_rows: Sequence[int]) -> list[bytes | None]:
        """Return the bytes of the records that begin on the given physical rows of the file."""
        wanted = np.asarray(source_rows, dtype=np.int64) - 1 - self.lines.lines_before
        if not len(self.first):
            return [self.lines.content(line) for line in wanted]
        place = np.minimum(np.searchsorted(self.first, wanted), len(self.first) - 1)
        last = np.where(self.first[place] == wanted, self.last[place], wanted)
        return [self.lines.content(int(a), int(b)) for a, b in zip(wanted, last, strict=True)]


def _cells(line: bytes, spec: ReadSpec) -> list[str]:
    text = line.decode("utf-8")
    if spec.quote is None:
        return text.split(spec.delimiter)
    try:
        return next(csv.reader(io.StringIO(text), delimiter=spec.delimiter, quotechar=spec.quote, strict=True), [""])
    except csv.Error:
        return text.split(spec.delimiter)


def header_line(
    lines: PhysicalLines, contract: CompiledContract, spec: ReadSpec
) -> tuple[int, list[str], HeaderMatch] | None:
    """Return number (from 0), cells and match of the header line, or None if every line is blank.

    It is the first line. With a preamble, it is the first line with every column needed, else the one with most
    columns.
    """
    candidates = [line for line in range(min(len(lines), HEADER_LINES)) if lines.content(line).strip()]
    best: tuple[int, list[str], HeaderMatch] | None = None
    for line in candidates if spec.preamble else candidates[:1]:
        cells = _cells(lines.content(line), spec)
        match = match_headers(cells, contract)
        if best is None or len(match.positions) > len(best[2].positions):
            best = line, cells, match
        if not match.missing:
            break
    return best


def find_header(lines: PhysicalLines, contract: CompiledContract, file_name: str) -> Header:
    """Return the header of a file from its first lines; raise InputRefused if none serves the contract."""
    spec = delimited_spec(contract)
    best = header_line(lines, contract, spec)
    if best is None:
        raise InputRefused(file=file_name, rule="no header line was found", remedy="export the file with its header")
    line, cells, match = best
    locale = header_locale(cells, contract) if spec.locale_column else None
    if match.missing and spec.recognised_by and is_in_unknown_language(lines, match, spec):
        form = spec.recognised_by
        raise InputRefused(file=file_name, row=line + 1, rule=form.words, remedy=form.remedy)
    notes = require_headers(match, contract, file_name, line + 1)
    return Header(line, lines.content(line), len(cells), match, notes, locale, _stated_above(lines, line, spec))


def is_in_unknown_language(lines: PhysicalLines, match: HeaderMatch, spec: ReadSpec) -> bool:
    """Return whether the rows have the form of the source, while most of the header is in no language it knows."""
    if spec.recognised_by is None or len(match.positions) > len(match.extra):
        return False
    start = b"\n".join(lines.content(line) for line in range(min(len(lines), HEADER_LINES)))
    return re.search(spec.recognised_by.pattern, start.decode("utf-8", "replace")) is not None


def _stated_above(lines: PhysicalLines, header: int, spec: ReadSpec) -> str | None:
    if spec.preamble_column is None:
        return None
    above = b"\n".join(lines.content(line) for line in range(header)).decode("utf-8", "replace")
    found = re.search(spec.preamble_column.pattern, above)
    return None if found is None else found[1]


def classify_lines(lines: PhysicalLines, header: Header, spec: ReadSpec) -> tuple[LineFacts, ClassifiedLines]:
    """Return the facts of the lines after the header, and the records and unusable lines among them."""
    facts = line_facts(lines, spec.delimiter, spec.quote)
    data_line = np.arange(len(lines)) > header.line
    blank = data_line & (lines.ends == lines.starts)
    repeated = data_line & equal_lines(lines, header.content)
    right_width = facts.widths == header.width
    nul = data_line & lines_with_nul(lines)
    sound = data_line & ~blank & ~repeated & ~nul & ~facts.unclosed & ~facts.misquoted & right_width
    good = sound & ~facts.stray_return
    joined = JoinedLines((), np.zeros(len(lines), dtype=bool))
    if spec.quote and spec.quoted_newlines:
        form = record_form(spec.delimiter, spec.quote, header.width)
        for line in np.flatnonzero(sound & facts.stray_return):
            good[line] = form.fullmatch(lines.content(int(line))) is not None
        joined = joined_lines(lines, facts.unclosed & data_line, good, form)
        good &= ~joined.doubtful
    first, last, inside = _records(good, _spans_without(nul, joined.spans))
    rest = data_line & ~(blank & ~joined.doubtful) & ~good & ~inside
    aside: dict[str, Positions] = {}
    for rule, broken in (
        ("line:nul", nul),
        ("line:quote", joined.doubtful),
        ("line:repeated_header", repeated),
        ("line:carriage_return", facts.stray_return),
        ("line:quote", facts.unclosed | facts.misquoted),
        ("line:width", ~right_width),
    ):
        aside[rule] = np.concatenate([aside.get(rule, np.zeros(0, np.int64)), np.flatnonzero(rest & broken)])
        rest &= ~broken
    if rest.any():
        raise InternalFault(f"{int(rest.sum())} lines were neither read nor set aside")
    has_newlines = bool(inside.any() or (good & facts.stray_return).any())
    blank_count = int((blank & ~inside & ~joined.doubtful).sum())
    return facts, ClassifiedLines(first, last, aside, blank_count, has_newlines, joined.open_line)


def _spans_without(nul: Flags, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the multi-line records without NUL byte, and mark every line of the other ones as containing one."""
    whole = []
    for begin, finish in spans:
        if nul[begin : finish + 1].any():
            nul[begin : finish + 1] = True
        else:
            whole.append((begin, finish))
    return whole


def _records(good: Flags, spans: Sequence[tuple[int, int]]) -> tuple[Positions, Positions, Flags]:
    single = np.flatnonzero(good)
    inside = np.zeros(len(good), dtype=bool)
    if not spans:
        return single, single, inside
    begins, finishes = (np.array(ends, dtype=np.int64) for ends in zip(*spans, strict=True))
    for begin, finish in spans:
        inside[begin : finish + 1] = True
    first, last = np.concatenate([single, begins]), np.concatenate([single, finishes])
    order = np.argsort(first, kind="stable")
    return first[order], last[order], inside


def read_rows(lines: PhysicalLines, found: ClassifiedLines, header: Header, contract: CompiledContract) -> pa.Table:
    """Return the records as text: all contract columns in contract order, then ``source_row``.

    An optional column that is absent is empty text. A locale column contains the locale of the header, a preamble
    column the value stated above it.
    """
    spec = delimited_spec(contract)
    rows = _parse(lines, found, header, spec)
    of_file = {spec.locale_column: header.locale}
    if spec.preamble_column is not None:
        of_file[spec.preamble_column.column] = header.stated
    columns: list[Values] = []
    for name in (column.name for column in contract.columns):
        if name in of_file:
            columns.append(pa.repeat(of_file[name] or "", rows.num_rows))
        else:
            columns.append(rows[name] if name in header.match.positions else pa.repeat("", rows.num_rows))
    source_rows = pa.array(found.first + 1 + lines.lines_before, pa.int64())
    names = [column.name for column in contract.columns]
    return pa.table([*columns, source_rows], names=[*names, "source_row"])


def _parse(lines: PhysicalLines, found: ClassifiedLines, header: Header, spec: ReadSpec) -> pa.Table:
    """Return the contract fields of every record as text, named by contract column."""
    names = {str(position): name for name, position in header.match.positions.items()}
    if not len(found.first):
        return pa.table({name: pa.array([], pa.string()) for name in names.values()})
    text = _record_text(lines, found)
    longest = int((lines.ends[found.last] - lines.starts[found.first]).max())
    source: Values = pa.BufferReader(text)
    quoted = spec.quote is not None and spec.quote.encode() in text
    try:
        table = pacsv.read_csv(
            source,
            read_options=pacsv.ReadOptions(
                column_names=[str(position) for position in range(header.width)],
                use_threads=len(text) > _SMALL_FILE_BYTES,
                block_size=max(_SMALL_FILE_BYTES, 2 * longest),
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=spec.delimiter,
                quote_char=(spec.quote or False) if quoted else False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=found.has_newlines,
                ignore_empty_lines=False,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=list(names),
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise InternalFault(f"valid lines could not be parsed: {error}") from error
    if table.num_rows != len(found.first):
        raise InternalFault(f"{len(found.first)} records were found but {table.num_rows} were parsed")
    return table.rename_columns([names[name] for name in table.column_names])


def _record_text(lines: PhysicalLines, found: ClassifiedLines) -> bytes:
    """Return the bytes of all records one after another, copied in contiguous runs."""
    breaks = np.flatnonzero(found.first[1:] != found.last[:-1] + 1) + 1
    run_first = found.first[np.concatenate([[0], breaks])]
    run_last = found.last[np.concatenate([breaks - 1, [len(found.last) - 1]])]
    view = memoryview(lines.data)
    text = b"".join(view[lines.starts[a] : lines.stop(int(b))] for a, b in zip(run_first, run_last, strict=True))
    # The parser would remove a byte-order mark at the start, so a mark that belongs to the data is doubled.
    return codecs.BOM_UTF8 + text if text.startswith(codecs.BOM_UTF8) else text


def unusable_lines(lines: PhysicalLines, facts: LineFacts, found: ClassifiedLines, header: Header) -> list[SetAside]:
    """Return the lines that are not records, by the rule each one breaks."""
    groups = []
    for rule, aside in found.aside.items():
        values: list[str | None] = [None] * len(aside)
        if rule == "line:width":
            values = [f"{width} fields instead of {header.width}" for width in facts.widths[aside]]
        groups.append(SetAside(rule, (aside + 1 + lines.lines_before).tolist(), values))
    return groups


def line_notes(blank_count: int, *, ends_well: bool) -> tuple[str, ...]:
    """Return the warnings about the lines of a whole file."""
    notes = [f"{blank_count} blank lines were skipped"] if blank_count else []
    if not ends_well:
        notes.append("the last line has no line ending; the file may be truncated")
    return tuple(notes)
