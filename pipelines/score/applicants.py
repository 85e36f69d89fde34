"""Applicant files: one row per applicant, either an identifier and a date, or a ready feature matrix.

CSV, XLSX and Parquet yield the same chunks. Columns are found by name, in any order. Every row of the file comes out
exactly once: a row that cannot be used carries refusal codes; it neither vanishes nor stops the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts.checks.spreadsheet_damage import damaged_cells
from data_contracts.definition.contract import CellSpec, Column, CompiledContract, ReadSpec
from data_contracts.digest import sha256_file
from data_contracts.errors import InputRefused, listed
from data_contracts.reading.dispatch import read_file
from data_contracts.reading.headers import match_headers
from data_contracts.reading.parquet_files import PARQUET_START
from data_contracts.values.casting import cast_text
from pipelines.score.applicant_text import ReadableText, readable_text
from pipelines.score.applicant_values import DAY_FORMATS, typed_cells
from pipelines.score_rows import APPLICANT_SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from data_contracts.arrow import Values

Result = TypeVar("Result")

IDENTITY_COLUMNS: Final = ("applicant_id", "seller_id", "as_of")
_TYPES: Final[dict[str, Values]] = {"applicant_id": pa.string(), "seller_id": pa.string(), "as_of": pa.date32()}
_SUFFIXES: Final = (".csv", ".xlsx", ".parquet")
# Read column by column as needed, so that memory does not grow with the file.
_READ_AHEAD: Final = 1 << 20
_NO_TEXT: Final[Values] = pa.scalar(None, pa.string())
_FALSE: Final[Values] = pa.scalar(value=False)

Chunk = pa.Table
"""source_row i64, applicant_id str, seller_id str, as_of date32, refusals str (";"-joined codes), features f64."""


@dataclass(frozen=True)
class Applicants:
    """An open applicant file whose columns have been checked.

    ``kind`` is ``matrix`` if the file holds every feature of the model, ``identifiers`` if it holds none.
    ``chunks(n)`` yields all rows in file order, at most ``n`` at a time. ``notes`` are warnings in words.
    """

    file_name: str
    sha256: str
    kind: Literal["identifiers", "matrix"]
    rows: int
    notes: tuple[str, ...]
    chunks: Callable[[int], Iterator[Chunk]] = field(repr=False)


def read_applicants(path: Path, feature_names: Sequence[str], as_of: date | None) -> Applicants:
    """Open an applicant file for a model with these features; rows without a date get ``as_of``.

    Raises:
        InputRefused: missing file, unknown format, unreadable, empty, a missing column, or a column of the wrong type.
    """
    require_applicant_file(path)
    suffix = path.suffix.lower()
    opened = _open_parquet(path, feature_names) if suffix == ".parquet" else _open_text(path, suffix[1:], feature_names)
    if opened.rows == 0:
        raise InputRefused(
            file=str(path), rule="it holds no applicants", remedy="give at least one row below the header"
        )
    repeated = _repeated(opened.identities(), as_of)

    def chunks(size: int) -> Iterator[Chunk]:
        for table in opened.chunks(size):
            yield _finished(table, as_of, repeated)

    kind: Literal["identifiers", "matrix"] = "matrix" if opened.has_features else "identifiers"
    return Applicants(str(path), sha256_file(path), kind, opened.rows, opened.notes, chunks)


def require_applicant_file(path: Path) -> None:
    """Raise InputRefused if the file is missing or of an unknown format, without opening it."""
    if not path.is_file():
        raise InputRefused(file=str(path), rule="there is no such file", remedy="give an existing CSV, XLSX or Parquet")
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputRefused(
            file=str(path),
            rule=f"format {suffix or 'without a suffix'!r} is not read",
            remedy="give CSV, XLSX or Parquet",
        )


@dataclass(frozen=True)
class _Opened:
    """A file as read: ``identities`` returns its identity columns whole, ``chunks`` yields all columns in pieces."""

    rows: int
    has_features: bool
    notes: tuple[str, ...]
    identities: Callable[[], pa.Table]
    chunks: Callable[[int], Iterator[pa.Table]]


def _finished(table: pa.Table, as_of: date | None, repeated: Values) -> Chunk:
    """Fill in what a row may leave out, and add a refusal code for what it may not."""
    table = _with_defaults(table, as_of)
    # A row that could not be read has no identity to miss.
    read = pc.not_equal(table["refusals"], pa.scalar("unreadable_row"))
    refusals = join_codes(
        table["refusals"],
        _code(pc.and_(read, _is_blank(table, "seller_id")), "missing_seller_id"),
        _code(pc.and_(read, _is_blank(table, "as_of")), "missing_as_of"),
        _code(pc.is_in(_keys(table), value_set=repeated), "duplicate_applicant"),
    )
    return _with_column(table, "refusals", refusals)


def _with_defaults(table: pa.Table, as_of: date | None) -> pa.Table:
    applicant: Values = pc.coalesce(table["applicant_id"], table["seller_id"])
    table = _with_column(table, "applicant_id", applicant)
    if as_of is None:
        return table
    given = pa.scalar(as_of, pa.date32())
    return _with_column(table, "as_of", pc.if_else(_is_blank(table, "as_of"), given, table["as_of"]))


def _with_column(table: pa.Table, name: str, values: Values) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _keys(table: pa.Table) -> Values:
    join: Values = pc.binary_join_element_wise
    return join(table["applicant_id"], pc.cast(table["as_of"], pa.string()), "\x1f")


def _repeated(identities: pa.Table, as_of: date | None) -> Values:
    """Return keys (applicant and date) of more than one row; none can be preferred, so none of them is scored."""
    counts: Values = pc.value_counts(pc.drop_null(_keys(_with_defaults(identities, as_of))))
    return counts.field("values").filter(pc.greater(counts.field("counts"), pa.scalar(1)))


def _code(flags: Values, code: str) -> Values:
    known: Values = pc.fill_null(flags, _FALSE)
    return pc.if_else(known, pa.scalar(code), pa.scalar(""))


def _is_blank(table: pa.Table, name: str) -> Values:
    """Return whether a cell is empty; one that could not be read is not."""
    unreadable: Values = pc.match_substring(table["refusals"], f"unreadable_value:{name}")
    return pc.and_(pc.is_null(table[name]), pc.invert(unreadable))


def join_codes(*columns: Values) -> Values:
    """Join the codes of several columns (";"-joined texts, "" for none) row by row."""
    join: Values = pc.binary_join_element_wise
    # Skipping nulls would be shorter, but Arrow then loses rows in which every part is null.
    ended = [pc.if_else(pc.equal(column, pa.scalar("")), column, join(column, ";", "")) for column in columns]
    return pc.utf8_rtrim(join(*ended, ""), characters=";")


# ---- CSV and XLSX ---------------------------------------------------------------------------------------------------


def _open_text(path: Path, suffix: str, feature_names: Sequence[str]) -> _Opened:
    contract = _contract(suffix, feature_names)
    data = path.read_bytes()
    _refuse_other_form(path, suffix, data)
    text = readable_text(data, contract) if suffix == "csv" else ReadableText(data)
    result = read_file(text.data, contract, str(path))
    has_features = _require_columns(str(path), result.headers, feature_names)
    names = (*IDENTITY_COLUMNS, *(feature_names if has_features else ()))
    table = _typed(result.rows, contract, names, text.mark)
    unread = result.quarantined.select(["source_row"])
    unread = unread.append_column("refusals", pa.repeat("unreadable_row", unread.num_rows))
    whole = pa.concat_tables([table, unread], promote_options="default").sort_by("source_row").combine_chunks()

    def chunks(size: int) -> Iterator[pa.Table]:
        for start in range(0, whole.num_rows, size):
            yield whole.slice(start, size)

    return _Opened(whole.num_rows, has_features, (*result.notes, *text.notes), lambda: whole, chunks)


def _refuse_other_form(path: Path, suffix: str, data: bytes) -> None:
    """Refuse a file whose first bytes show another form than its name says."""
    if suffix == "csv" and data.startswith((b"PK\x03\x04", PARQUET_START)):
        form = "Parquet" if data.startswith(PARQUET_START) else "a workbook or another ZIP archive"
        raise InputRefused(
            file=str(path),
            rule=f"its content is {form}, not CSV",
            remedy="give it the suffix of its form, or unpack it",
        )


def _contract(suffix: str, feature_names: Sequence[str]) -> CompiledContract:
    """Build the contract of an applicant file; all features are optional here and checked later."""

    def column(name: str) -> Column:
        cell = CellSpec(header_optional=name != "seller_id", formats=DAY_FORMATS if name == "as_of" else ())
        kind = _TYPES.get(name, pa.float64())
        return Column(
            name, name, kind, name, name, "confidential", synonyms=APPLICANT_SPELLINGS.get(name, ()), cell=cell
        )

    form: Literal["delimited", "xlsx"] = "xlsx" if suffix == "xlsx" else "delimited"
    return CompiledContract(
        contract_id="applicant_file",
        version="1.0.0",
        table="applicant_file",
        title="Applicant file",
        purpose="Whom to score, and as of when",
        columns=tuple(column(name) for name in (*IDENTITY_COLUMNS, *feature_names)),
        rules=(),
        primary_key=(),
        read_spec=ReadSpec(format=form, quote='"', quoted_newlines=True, other_delimiters=(";", "\t")),
        known_lag_days=0,
        digest="",
    )


def _require_columns(file: str, present: Sequence[str], feature_names: Sequence[str]) -> bool:
    """Return whether the file is a feature matrix; refuse one that holds only some of the features."""
    if "seller_id" not in present:
        raise InputRefused(
            file=file,
            column="seller_id",
            rule="the column is missing",
            remedy="name the column of sellers 'seller_id'; passport template applicants writes a file to fill in",
        )
    missing = [name for name in feature_names if name not in present]
    if missing and len(missing) < len(feature_names):
        named = ", ".join(repr(name) for name in missing[:10]) + (" …" if len(missing) > 10 else "")
        raise InputRefused(
            file=file,
            column=missing[0],
            rule=f"{len(missing)} of the model's {len(feature_names)} features are missing: {named}",
            remedy="give every feature of the model, or none to have them built from the tables",
        )
    return not missing and bool(feature_names)


def _typed(rows: pa.Table, contract: CompiledContract, names: Sequence[str], mark: str) -> pa.Table:
    """Parse text columns; a cell that is not a text, date or number becomes null and adds a refusal code.

    ``mark`` is in the place of what is no character.
    """
    spec = contract.read_spec or ReadSpec(format="delimited")
    columns: dict[str, Values] = {"source_row": rows["source_row"]}
    codes: list[Values] = []
    for name in names:
        text = rows[name].combine_chunks()
        marked: Values = pc.match_substring(text, mark)
        columns[name], bad = cast_text(pc.if_else(marked, _NO_TEXT, text), contract.column(name), spec)
        codes.append(_code(marked if bad is None else pc.or_(marked, pa.array(bad)), f"unreadable_value:{name}"))
    return _with_lost_digits(pa.table(_ordered(columns, codes, rows.num_rows)))


def _with_lost_digits(table: pa.Table) -> pa.Table:
    """Add a refusal code to rows with an identifier that lost digits in a spreadsheet."""
    for name, positions in damaged_cells(table, ("applicant_id", "seller_id")):
        damaged = np.zeros(table.num_rows, dtype=np.bool_)
        damaged[positions] = True
        refusals = join_codes(table["refusals"], _code(pa.array(damaged), f"digits_lost:{name}"))
        table = _with_column(table, "refusals", refusals)
    return table


def _ordered(columns: dict[str, Values], codes: Sequence[Values], count: int) -> dict[str, Values]:
    """Order the columns as in a chunk, and add the codes of unreadable values."""
    refusals = join_codes(*codes) if codes else pa.repeat("", count)
    identity = {name: columns.pop(name) for name in ("source_row", *IDENTITY_COLUMNS)}
    return {**identity, "refusals": refusals, **columns}


# ---- Parquet --------------------------------------------------------------------------------------------------------


def _open_parquet(path: Path, feature_names: Sequence[str]) -> _Opened:
    file = _reading(
        path, lambda: pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, buffer_size=_READ_AHEAD)
    )
    headers = file.schema_arrow.names
    _refuse_repeated(path, headers, (*IDENTITY_COLUMNS, *feature_names))
    positions = match_headers(headers, _contract("parquet", feature_names)).positions
    present = {name: headers[position] for name, position in positions.items()}
    names = [name for name in (*IDENTITY_COLUMNS, *feature_names) if name in present]
    has_features = _require_columns(str(path), names, feature_names)
    if not has_features:
        names = [name for name in names if name in IDENTITY_COLUMNS]
    stored = {name: present[name] for name in names}
    extra = sorted({*headers} - {*stored.values()})
    notes = (f"{len(extra)} columns were left out: {listed(extra)}",) if extra else ()

    def chunks(size: int) -> Iterator[pa.Table]:
        batches = file.iter_batches(batch_size=size, columns=list(stored.values()), use_threads=False)
        first_row = 1
        while (batch := _reading(path, lambda: next(batches, None))) is not None:
            rows = pa.Table.from_batches([batch])
            yield _reading(path, partial(_from_arrow, path, rows, stored, first_row))
            first_row += batch.num_rows

    def identities() -> pa.Table:
        wanted = {name: header for name, header in stored.items() if name in IDENTITY_COLUMNS}
        return _reading(path, lambda: _from_arrow(path, file.read(columns=list(wanted.values())), wanted, 1))

    return _Opened(file.metadata.num_rows, has_features, notes, identities, chunks)


def _refuse_repeated(path: Path, headers: Sequence[str], wanted: Collection[str]) -> None:
    counts = Counter(header.casefold() for header in headers)
    repeated = next((name for name in wanted if counts[name] > 1), None)
    if repeated is not None:
        raise InputRefused(
            file=str(path),
            column=repeated,
            rule="the header occurs twice",
            remedy="remove or rename one of the two columns",
        )


def _reading(path: Path, read: Callable[[], Result]) -> Result:
    try:
        return read()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputRefused(
            file=str(path), rule=f"not readable as Parquet: {type(error).__name__}", remedy="write the file again"
        ) from error


def _from_arrow(path: Path, table: pa.Table, stored: dict[str, str], first_row: int) -> pa.Table:
    """Build an applicant chunk from the columns of a Parquet file; types are checked, never guessed."""
    count = table.num_rows
    columns: dict[str, Values] = {"source_row": pa.array(np.arange(first_row, first_row + count))}
    codes: list[Values] = []
    for name in IDENTITY_COLUMNS:
        columns[name] = pa.nulls(count, _TYPES[name])
    for name, header in stored.items():
        columns[name], wrong = typed_cells(path, name, table[header].combine_chunks())
        if pc.any(wrong).as_py():
            codes.append(_code(wrong, f"unreadable_value:{name}"))
    return _with_lost_digits(pa.table(_ordered(columns, codes, count)))
