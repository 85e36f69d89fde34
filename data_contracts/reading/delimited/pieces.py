"""Read a delimited file of any size in pieces of whole records, with the same result as reading it at once."""

from __future__ import annotations

import codecs
import hashlib
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from data_contracts.errors import ConfigurationRefused, InputRefused, IntegrityRefused
from data_contracts.lineage import Origin, ReadResult, quarantine_table
from data_contracts.reading.delimited.decoding import Before, require_utf8, utf8_bytes
from data_contracts.reading.delimited.lines import LineFacts, PhysicalLines, find_lines
from data_contracts.reading.delimited.reader import (
    HEADER_LINES,
    ClassifiedLines,
    Header,
    Originals,
    classify_lines,
    delimited_spec,
    find_header,
    line_notes,
    read_rows,
    unusable_lines,
    with_delimiter_of,
)
from data_contracts.reading.doubts import absence_doubts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from data_contracts.definition.contract import CompiledContract

PIECE_BYTES = 16 * 2**20
# Records may span several lines and lines may be long, but a piece must have a limit.
LONGEST_PIECE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class _Piece:
    """Whole records: their lines and what was found in them."""

    lines: PhysicalLines
    facts: LineFacts
    found: ClassifiedLines
    header: Header


@dataclass(frozen=True)
class _Place:
    """The position of a piece in its file, and the digest state of the file before and after it."""

    start: int
    length: int
    lines_before: int
    digest_before: hashlib._Hash
    digest_behind: bytes


class DelimitedPieces:
    """Reads a delimited UTF-8 file piece by piece; rows, records and notes equal those of ``read_file``.

    ``sha256``, ``rows_in`` and ``notes`` cover what has been read so far, so after the last piece they cover the whole
    file. The file must stay open and unchanged as long as originals may be requested.
    """

    def __init__(
        self, file: BinaryIO, contract: CompiledContract, file_name: str, piece_bytes: int = PIECE_BYTES
    ) -> None:
        spec = delimited_spec(contract)
        if spec.encoding != "utf-8":
            # Only the whole file shows whether it is in another encoding than declared.
            raise ConfigurationRefused(
                f"{contract.identity} is in {spec.encoding}, which is not read in pieces", "read the whole file"
            )
        self._file, self._contract, self._file_name = file, contract, file_name
        self._spec, self._piece_bytes = spec, piece_bytes
        self._header: Header | None = None
        self._places: list[_Place] = []
        self._digest = hashlib.sha256()
        self._read_bytes = self._read_lines = self._blank_count = 0
        self._ends_well = True
        self.rows_in = 0
        self._last_asked: tuple[int, Originals] | None = None

    @property
    def sha256(self) -> str:
        """Digest of what was read."""
        return self._digest.hexdigest()

    @property
    def headers(self) -> tuple[str, ...]:
        """The contract columns that are present; known after the first piece."""
        return self._header.match.headers if self._header else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings in words."""
        header_notes = self._header.notes if self._header else ()
        notes = (*header_notes, *line_notes(self._blank_count, ends_well=self._ends_well))
        return (*notes, *absence_doubts(self.headers, self._contract)) if self._header else notes

    def __iter__(self) -> Iterator[ReadResult]:
        """Yield the pieces in order; ``source_row`` counts from the start of the file and ``source_sha256`` is null.

        Raises InputRefused as ``read_delimited`` does, at the piece that contains the fault.
        """
        waiting, is_last = self._without_mark(), False
        while not is_last:
            self._file.seek(self._read_bytes + len(waiting))
            block = self._file.read(self._piece_bytes)
            waiting, is_last = waiting + block, not block
            piece = self._next_piece(waiting, is_last=is_last)
            if piece is not None:
                waiting = waiting[len(piece.lines.data) :]
                yield self._taken(piece)
            elif len(waiting) > LONGEST_PIECE_BYTES:
                raise InputRefused(
                    file=self._file_name,
                    row=self._read_lines + 1,
                    rule=f"a line or record is longer than {LONGEST_PIECE_BYTES} bytes",
                    remedy="deliver the file again with one record per line",
                )

    def original_of(self, source_rows: Sequence[int]) -> list[bytes | None]:
        """Return the bytes of records by physical row, read again from the file.

        Raises:
            IntegrityRefused: the file has changed since it was read.
        """
        lines_before = [place.lines_before for place in self._places]
        rows_of: dict[int, list[int]] = {}
        for row in source_rows:
            rows_of.setdefault(bisect_left(lines_before, row) - 1, []).append(row)
        found: dict[int, bytes | None] = {}
        for number, rows in rows_of.items():
            found.update(zip(rows, self._originals(number)(rows), strict=True))
        return [found[row] for row in source_rows]

    def _without_mark(self) -> bytes:
        """Skip the byte-order mark at the beginning of the file."""
        self._file.seek(0)
        beginning = self._file.read(len(codecs.BOM_UTF8))
        if beginning != codecs.BOM_UTF8:
            return beginning
        self._digest.update(codecs.BOM_UTF8)
        self._read_bytes = len(codecs.BOM_UTF8)
        return b""

    def _next_piece(self, waiting: bytes, *, is_last: bool) -> _Piece | None:
        """Return the whole records at the beginning of the waiting bytes, or None if they are not complete yet."""
        length = len(waiting) if is_last else waiting.rfind(b"\n") + 1
        if self._header is None:
            if not is_last and waiting.count(b"\n") < HEADER_LINES:
                return None
            self._header = self._found_header(waiting[:length], is_last=is_last)
        while length:
            piece = self._sorted(waiting[:length], self._header)
            opens = None if is_last else piece.found.open_line
            if opens is None:
                return piece
            length = int(piece.lines.starts[opens])
        return None

    def _found_header(self, data: bytes, *, is_last: bool) -> Header:
        if is_last or data.strip():
            utf8_bytes(data, "utf-8", self._file_name, nul_spoils="line")
        lines = find_lines(data)
        self._contract = with_delimiter_of(lines, self._contract)
        self._spec = delimited_spec(self._contract)
        return find_header(lines, self._contract, self._file_name)

    def _sorted(self, data: bytes, header: Header) -> _Piece:
        require_utf8(data, self._file_name, Before(self._read_lines, self._read_bytes))
        lines = find_lines(data, self._read_lines)
        header = replace(header, line=-1) if self._places else header
        facts, found = classify_lines(lines, header, self._spec)
        return _Piece(lines, facts, found, header)

    def _taken(self, piece: _Piece) -> ReadResult:
        """Read a piece into a result, and count it as read."""
        lines, found, header = piece.lines, piece.found, piece.header
        before = self._digest.copy()
        self._digest.update(lines.data)
        place = _Place(self._read_bytes, len(lines.data), self._read_lines, before, self._digest.digest())
        self._places.append(place)
        self._read_bytes += place.length
        self._read_lines += len(lines)
        self._blank_count += found.blank_count
        self._ends_well = lines.data.endswith(b"\n")
        origin = Origin(self._contract.identity, self._file_name, None, Originals(lines, found.first, found.last))
        records = read_rows(lines, found, header, self._contract)
        quarantined = quarantine_table(origin, unusable_lines(lines, piece.facts, found, header))
        rows_in = records.num_rows + quarantined.num_rows
        self.rows_in += rows_in
        return ReadResult(records, quarantined, rows_in, header.match.headers, origin)

    def _originals(self, number: int) -> Originals:
        # Rows are requested by reason, and within a reason piece by piece.
        if self._last_asked is not None and self._last_asked[0] == number:
            return self._last_asked[1]
        place, header = self._places[number], self._header
        self._file.seek(place.start)
        data = self._file.read(place.length)
        digest = place.digest_before.copy()
        digest.update(data)
        if digest.digest() != place.digest_behind or header is None:
            raise IntegrityRefused(f"file {self._file_name} changed while it was read; deliver it again")
        lines = find_lines(data, place.lines_before)
        _, found = classify_lines(lines, replace(header, line=-1) if number else header, self._spec)
        self._last_asked = number, Originals(lines, found.first, found.last)
        return self._last_asked[1]
