"""Read many raw files of one source into text rows, each with its file and physical line.

For a small file, set-up costs more than reading, and a delivery may hold tens of thousands of them. Plain delimited
files with the same header are therefore joined and read at once. A file is plain if joining cannot change how its lines
are read: no quotes, no blank line, a complete last line, and valid text. All other files are read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data_contracts.digest import sha256_bytes
from data_contracts.errors import InternalFault
from data_contracts.reading.dispatch import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import OriginalOf, ReadResult

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class RawFile:
    """A file's number in the batch, its name and its bytes."""

    number: int
    name: str
    data: bytes


@dataclass(frozen=True)
class FileFacts:
    """What reading found out about one file as a whole."""

    number: int
    name: str
    sha256: str
    rows_in: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ReadGroup:
    """Rows of one or more files that were read together.

    Attributes:
        rows: the contract's columns as text, ``source_row`` and, if records contain items, ``source_item``.
        quarantined: quarantine entries of lines that are not rows (QUARANTINE_SCHEMA), with file and physical line.
        file_of: number of each row's file.
        physical_row: physical line or record number of each row in its file.
        original_of: returns the original bytes of rows, by ``source_row``.
        facts: the facts of the files, in order.
    """

    rows: pa.Table
    quarantined: pa.Table
    file_of: Values
    physical_row: Values
    original_of: OriginalOf
    facts: tuple[FileFacts, ...]


def read_groups(files: Iterable[RawFile], contract: CompiledContract) -> list[ReadGroup]:
    """Read files, and join them where that is safe.

    Raises:
        InputRefused: a file does not have the form of its source; names the file.
        InternalFault: joined files returned a different number of rows than they have lines.
    """
    joined: dict[bytes, list[RawFile]] = {}
    groups = []
    for file in files:
        header = _plain_header(file.data, contract)
        if header is None:
            groups.append(_alone(file, contract))
        else:
            joined.setdefault(header, []).append(file)
    groups.extend(_together(header, members, contract) for header, members in joined.items())
    return groups


def _plain_header(data: bytes, contract: CompiledContract) -> bytes | None:
    """Return the header line of a file that can be joined with others, or None."""
    spec = contract.read_spec
    if spec is None or spec.format not in {"delimited", "tabular"} or spec.encoding != "utf-8" or spec.preamble:
        return None
    text = data.removeprefix(_MARK)
    header, line_end, _ = text.partition(b"\n")
    awkward = (b'"', b"\0", b"\r", b"\n\n", (spec.quote or '"').encode())
    if not header.strip() or not line_end or not text.endswith(b"\n") or any(part in text for part in awkward):
        return None
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return header


def _alone(file: RawFile, contract: CompiledContract) -> ReadGroup:
    read = read_file(file.data, contract, file.name)
    return ReadGroup(
        rows=read.rows,
        quarantined=read.quarantined,
        file_of=np.full(read.rows.num_rows, file.number, dtype=np.int64),
        physical_row=read.rows["source_row"].to_numpy(),
        original_of=read.origin.original_of,
        facts=(FileFacts(file.number, file.name, str(read.origin.source_sha256), read.rows_in, read.notes),),
    )


def _together(header: bytes, files: Sequence[RawFile], contract: CompiledContract) -> ReadGroup:
    bodies = [file.data.removeprefix(_MARK)[len(header) + 1 :] for file in files]
    read = read_file(b"".join((header, b"\n", *bodies)), contract, files[0].name)
    lines = np.array([body.count(b"\n") for body in bodies], dtype=np.int64)
    # Line 1 of the joined text is the header, like line 1 of each file.
    lines_before = np.concatenate([[0], np.cumsum(lines)[:-1]])
    place = _Places(np.array([file.number for file in files]), lines_before)
    member, physical_row = place.of(read.rows["source_row"].to_numpy())
    quarantined = _located(read, files, place)
    aside, _ = place.of(read.quarantined["source_row"].to_numpy())
    rows_in = np.bincount(member, minlength=len(files)) + np.bincount(aside, minlength=len(files))
    if (rows_in != lines).any():
        raise InternalFault(f"{int(lines.sum())} lines of {contract.identity} were read as {int(rows_in.sum())} rows")
    return ReadGroup(
        rows=read.rows,
        quarantined=quarantined,
        file_of=place.numbers[member],
        physical_row=physical_row,
        original_of=read.origin.original_of,
        facts=tuple(_facts(files, rows_in, read.notes)),
    )


@dataclass(frozen=True)
class _Places:
    """Maps a line of the joined text to a file and a line in that file."""

    numbers: Values
    lines_before: Values

    def of(self, joined_lines: Values) -> tuple[Values, Values]:
        """Return, for each line, the position of its file among the joined files and its physical line there."""
        member = np.searchsorted(self.lines_before, joined_lines - 2, side="right") - 1
        return member, joined_lines - self.lines_before[member]


def _located(read: ReadResult, files: Sequence[RawFile], place: _Places) -> pa.Table:
    """Return the quarantine entries of joined files, each with its own file and physical line."""
    records = read.quarantined
    if not records.num_rows:
        return records
    member, physical_row = place.of(records["source_row"].to_numpy())
    involved, position = np.unique(member, return_inverse=True)
    names = pa.array([files[number].name for number in involved])
    digests = pa.array([sha256_bytes(files[number].data) for number in involved])
    indices: Values = pa.array(position.astype(np.int32))
    located: dict[str, Values] = {
        "source_file": pa.DictionaryArray.from_arrays(indices, names),
        "source_sha256": pa.DictionaryArray.from_arrays(indices, digests),
        "source_row": pa.array(physical_row, pa.int64()),
    }
    for name, values in located.items():
        records = records.set_column(records.column_names.index(name), name, values)
    return records


def _facts(files: Sequence[RawFile], rows_in: Values, notes: tuple[str, ...]) -> Iterator[FileFacts]:
    for file, rows in zip(files, rows_in, strict=True):
        yield FileFacts(file.number, file.name, sha256_bytes(file.data), int(rows), notes)
