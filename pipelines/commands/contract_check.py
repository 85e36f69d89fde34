"""Command ``passport contract check``: sort the rows of one file by its contract into three Parquet files."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from data_contracts.errors import InputRefused, InternalFault
from data_contracts.lineage import QUARANTINE_SCHEMA, Origin, redacted
from data_contracts.reading.delimited.pieces import PIECE_BYTES, DelimitedPieces
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns
from data_contracts.values.number_format import cast_in_one_format, written_plainly
from pipelines.commands.file_check import FileCheck, SortedPiece
from pipelines.ingest.spill.parquet import GroupedParquet
from pipelines.runs.sandbox import DEFAULT_LIMITS, Call, ChildEnded, run_in_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import ReadResult

FEWEST_CPU_SECONDS = 60
# A tenth of the speed measured on a slow machine.
BYTES_A_CPU_SECOND = 4_000_000


@dataclass(frozen=True)
class SortedFile:
    """Where the rows of a file went: rows_in = accepted + quarantined + duplicates.

    Attributes:
        unusable_by_rule: lines that are not rows, and rows with a cell that is not a value of its type.
        counts_by_rule: as in a ``CheckResult``, over the other rows.
        rejected_by: the critical rules that are broken; if any is, no row is accepted.
    """

    sha256: str
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    unusable_by_rule: Mapping[str, int]
    counts_by_rule: Mapping[str, int]
    rejected_by: tuple[str, ...]
    notes: tuple[str, ...]


def check_file(path: Path, contract: CompiledContract, folder: Path) -> SortedFile:
    """Call ``sort_file`` in a sandbox, with a time limit that grows with the file.

    Raises:
        InputRefused: the file does not match the contract at all, or reading it exceeded the limits.
        ConfigurationRefused: the contract does not describe a raw file.
    """
    if not path.is_file():
        raise InputRefused(file=str(path), rule="no such file", remedy="name a file")
    seconds = FEWEST_CPU_SECONDS + path.stat().st_size // BYTES_A_CPU_SECOND
    limits = replace(DEFAULT_LIMITS, cpu_seconds=seconds)
    try:
        return run_in_sandbox(Call(sort_file, (path, contract, folder), limits))
    except ChildEnded as ended:
        raise InputRefused(
            file=str(path), rule=ended.reason, remedy="check the file for abnormal size or form"
        ) from ended


def described(outcome: SortedFile) -> list[str]:
    """Return lines that say where the rows went, how often each rule is broken, and what else was noticed."""
    rows = f"{outcome.rows_in:,} rows: {outcome.accepted:,} accepted"
    aside = f"{outcome.quarantined:,} quarantined, {outcome.duplicates:,} duplicates"
    broken = [f"  {rule_id}: broken by {count:,}" for rule_id, count in outcome.counts_by_rule.items() if count]
    unusable = [f"  {rule_id}: {count:,} lines or cells" for rule_id, count in outcome.unusable_by_rule.items()]
    rejected = [f"  the whole file is rejected by {', '.join(outcome.rejected_by)}"] if outcome.rejected_by else []
    return [f"{rows}, {aside}", *unusable, *broken, *rejected, *(f"  note: {note}" for note in outcome.notes)]


def sort_file(path: Path, contract: CompiledContract, folder: Path, piece_bytes: int = PIECE_BYTES) -> SortedFile:
    """Read, type and check a file; write ``accepted``, ``quarantined`` and ``duplicates`` as Parquet to ``folder``.

    Only their owner can read the files. If the contract has personal columns, they are left out, and so are the
    contents of rows set aside.

    ``accepted`` holds typed rows, the others records of QUARANTINE_SCHEMA in order of physical row. Delimited UTF-8 is
    read in pieces; the bytes written do not depend on ``piece_bytes``. The folder needs room for about twice the file
    while it is checked.

    Raises:
        InputRefused: the file does not match the contract at all.
        ConfigurationRefused: the contract does not describe a raw file.
        InternalFault: the rows do not add up.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    personal = [column.name for column in contract.columns if column.classification == "personal"]
    with contextlib.ExitStack() as opened, tempfile.TemporaryDirectory(dir=folder, prefix=".spill.") as spill:
        reader, check = _checked(path, contract, _Reading(opened, Path(spill), piece_bytes))
        verdict = check.verdict()
        origin = Origin(contract.identity, path.name, reader.sha256, reader.original_of)
        with _Outputs(folder, _without(check.schema, personal)) as outputs:
            for sorted_piece in check.sorted_pieces(verdict, origin):
                outputs.write(_without_personal_data(sorted_piece, personal))
    written = {name: file.rows for name, file in outputs.files.items()}
    if reader.rows_in != sum(written.values()):
        raise InternalFault(f"rows of {path.name} do not add up: {reader.rows_in} in, {written}")
    return SortedFile(
        sha256=reader.sha256,
        rows_in=reader.rows_in,
        accepted=written["accepted"],
        quarantined=written["quarantined"],
        duplicates=written["duplicates"],
        unusable_by_rule=dict(sorted(check.unusable.items())),
        counts_by_rule=verdict.counts_by_rule,
        rejected_by=verdict.rejected_by,
        notes=(*reader.notes, *_privacy_note(personal)),
    )


@dataclass(frozen=True)
class _Reading:
    """What stays open while a file is checked, where its rows are kept, and the size of a piece."""

    opened: contextlib.ExitStack
    spill: Path
    piece_bytes: int


def _checked(
    path: Path, contract: CompiledContract, reading: _Reading
) -> tuple[DelimitedPieces | _WholeFile, FileCheck]:
    """Return the file read, and the check of its typed rows.

    Only all cells of a file together tell its decimal mark. Nearly every file writes numbers as its contract says, so
    it is read once with that mark; if a piece may be written otherwise, all pieces are looked at and read again.
    """
    reader, check = _begun(path, contract, reading, "first")
    for piece in reader:
        if not written_plainly(piece.rows, contract):
            break
        check.add(cast_columns(piece, contract), piece.origin.original_of)
    else:
        return reader, check
    decider, _ = _begun(path, contract, reading, "decider")
    cast = cast_in_one_format(decider, contract)
    reader, check = _begun(path, contract, reading, "second")
    for piece in reader:
        check.add(cast(piece), piece.origin.original_of)
    return reader, check


def _begun(
    path: Path, contract: CompiledContract, reading: _Reading, name: str
) -> tuple[DelimitedPieces | _WholeFile, FileCheck]:
    """Return the opened file, and a check without rows yet."""
    reader = reading.opened.enter_context(_opened(path, contract, reading.piece_bytes))
    folder = reading.spill / name
    folder.mkdir()
    return reader, FileCheck(contract, folder)


def _without(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in names])


def _without_personal_data(piece: SortedPiece, personal: Sequence[str]) -> SortedPiece:
    """Return rows without personal columns, and rows set aside without contents: there is no key to seal them with."""
    if not personal:
        return piece
    aside = (_without_contents(records) for records in (piece.quarantined, piece.duplicates))
    return SortedPiece(piece.accepted.drop_columns(list(personal)), *aside)


def _without_contents(records: pa.Table) -> pa.Table:
    """Return entries without original bytes, and with the value only where it counts fields.

    A name or telephone number may be in any column of a malformed row.
    """
    counts_fields: Values = pc.equal(records["rule_id"].cast(pa.string()), pa.scalar("line:width"))
    values: Values = pc.if_else(counts_fields, records["value"], pa.scalar(None, pa.string()))
    return with_column(redacted(records, pa.scalar(value=True)), "value", values)


def _privacy_note(personal: Sequence[str]) -> tuple[str, ...]:
    if not personal:
        return ()
    return (f"personal columns were left out: {', '.join(personal)}; rows set aside have no contents",)


@contextlib.contextmanager
def _opened(path: Path, contract: CompiledContract, piece_bytes: int) -> Iterator[DelimitedPieces | _WholeFile]:
    spec = contract.read_spec
    if spec is None or spec.format != "delimited" or spec.encoding != "utf-8":
        yield _WholeFile(read_file(path.read_bytes(), contract, path.name))
    else:
        with path.open("rb") as file:
            yield DelimitedPieces(file, contract, path.name, piece_bytes)


class _WholeFile:
    """A file that is read whole: one piece, with what ``DelimitedPieces`` tells about a file."""

    def __init__(self, read: ReadResult) -> None:
        self._read = read
        self.sha256, self.rows_in, self.notes = str(read.origin.source_sha256), read.rows_in, read.notes

    def __iter__(self) -> Iterator[ReadResult]:
        yield self._read

    def original_of(self, source_rows: Sequence[int]) -> list[bytes | None]:
        """Return the bytes of records by physical row."""
        return self._read.origin.original_of(source_rows)


class _Outputs:
    """The three files; they appear together."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._open = contextlib.ExitStack()
        schemas = {"accepted": schema, "quarantined": QUARANTINE_SCHEMA, "duplicates": QUARANTINE_SCHEMA}
        self.files = {
            name: self._open.enter_context(GroupedParquet(folder / f"{name}.parquet", one, private=True))
            for name, one in schemas.items()
        }

    def __enter__(self) -> _Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, piece: SortedPiece) -> None:
        """Add the rows of a sorted piece."""
        self.files["accepted"].write(piece.accepted)
        self.files["quarantined"].write(piece.quarantined)
        self.files["duplicates"].write(piece.duplicates)
