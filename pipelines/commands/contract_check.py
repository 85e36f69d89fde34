"""A file sorted by its contract into three Parquet files; a delimited one of any size, in memory that does not grow."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import ipc

from data_contracts.checks.pieces import PieceChecker
from data_contracts.checks.rows import check_rows
from data_contracts.errors import InputRefused, InternalFault
from data_contracts.lineage import QUARANTINE_SCHEMA, Origin, concat_quarantine, constant
from data_contracts.reading.delimited.pieces import PIECE_BYTES, DelimitedPieces
from data_contracts.reading.dispatch import read_file
from data_contracts.values.casting import cast_columns
from pipelines.ingest.spill.parquet import GroupedParquet
from pipelines.runs.sandbox import DEFAULT_LIMITS, Call, ChildEnded, run_in_sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from data_contracts.arrow import Values
    from data_contracts.checks.pieces import PiecesVerdict, SortedPiece
    from data_contracts.checks.rows import CheckResult
    from data_contracts.definition.contract import CompiledContract

FEWEST_CPU_SECONDS = 60
# A tenth of what was measured on a slow machine.
BYTES_A_CPU_SECOND = 4_000_000


@dataclass(frozen=True)
class SortedFile:
    """What became of a file: rows_in = accepted + quarantined + duplicates.

    ``unusable_by_rule``: lines that are no rows, and rows with a cell that is no value. ``counts_by_rule``: as in a
    ``CheckResult``, over the other rows. ``rejected_by``: the critical rules broken; then nothing is accepted.
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
    """Sort a file by ``sort_file`` in a child process, with time for its size.

    Raises:
        InputRefused: the file cannot be the contract's at all, or reading it broke the limits.
        ConfigurationRefused: the contract describes no raw file.
    """
    if not path.is_file():
        raise InputRefused(file=str(path), rule="no such file", remedy="name a file")
    seconds = FEWEST_CPU_SECONDS + path.stat().st_size // BYTES_A_CPU_SECOND
    limits = replace(DEFAULT_LIMITS, cpu_seconds=seconds)
    try:
        return run_in_sandbox(Call(sort_file, (path, contract, folder), limits))
    except ChildEnded as ended:
        raise InputRefused(file=str(path), rule=ended.reason, remedy="look for abnormal size or form") from ended


def described(outcome: SortedFile) -> list[str]:
    """Give in lines what became of a file: rows first, then each rule broken, then remarks."""
    rows = f"{outcome.rows_in:,} rows: {outcome.accepted:,} accepted"
    aside = f"{outcome.quarantined:,} quarantined, {outcome.duplicates:,} duplicates"
    broken = [f"  {rule_id}: broken by {count:,}" for rule_id, count in outcome.counts_by_rule.items() if count]
    unusable = [f"  {rule_id}: {count:,} lines or cells" for rule_id, count in outcome.unusable_by_rule.items()]
    rejected = [f"  the whole file is rejected by {', '.join(outcome.rejected_by)}"] if outcome.rejected_by else []
    return [f"{rows}, {aside}", *unusable, *broken, *rejected, *(f"  note: {note}" for note in outcome.notes)]


def sort_file(path: Path, contract: CompiledContract, folder: Path, piece_bytes: int = PIECE_BYTES) -> SortedFile:
    """Read, type and check a file; write ``accepted``, ``quarantined`` and ``duplicates`` as Parquet to ``folder``.

    They hold typed rows, and records of QUARANTINE_SCHEMA in order of physical row. Delimited UTF-8 is read in pieces,
    which takes about twice the file's size on disk; the bytes written do not depend on ``piece_bytes``.

    Raises:
        InputRefused: the file cannot be the contract's at all.
        ConfigurationRefused: the contract describes no raw file.
        InternalFault: rows do not add up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spec = contract.read_spec
    if spec is None or spec.format != "delimited" or spec.encoding != "utf-8":
        return _sort_at_once(path, contract, folder)
    with (
        path.open("rb") as file,
        tempfile.TemporaryDirectory(dir=folder, prefix=".pieces.") as name,
        PieceChecker(contract, spill := Path(name)) as checker,
    ):
        reader = DelimitedPieces(file, contract, path.name, piece_bytes)
        schema, unusable = _take_pieces(reader, contract, checker, spill)
        verdict = checker.verdict()
        origin = Origin(contract.identity, path.name, reader.sha256, reader.original_of)
        with _Outputs(folder, schema) as outputs:
            for number, piece in enumerate(checker.sorted_pieces(verdict, origin)):
                records = _with_digest(_stored_records(spill, number), reader.sha256)
                outputs.write(piece, records)
    facts = _Facts(reader.sha256, reader.rows_in, reader.notes, unusable)
    return _sorted_file(path, facts, verdict, outputs)


def _sort_at_once(path: Path, contract: CompiledContract, folder: Path) -> SortedFile:
    typed = cast_columns(read_file(path.read_bytes(), contract, path.name), contract)
    checked = check_rows(typed.rows, contract, typed.origin)
    others = [
        typed.rows.schema.field(name) for name in typed.rows.column_names if name not in contract.arrow_schema.names
    ]
    with _Outputs(folder, pa.schema([*contract.arrow_schema, *others])) as outputs:
        outputs.write(checked, typed.quarantined)
    unusable = _by_rule(typed.quarantined)
    facts = _Facts(str(typed.origin.source_sha256), typed.rows_in, typed.notes, unusable)
    return _sorted_file(path, facts, checked, outputs)


@dataclass(frozen=True)
class _Facts:
    sha256: str
    rows_in: int
    notes: tuple[str, ...]
    unusable: Counter[str]


class _Outputs:
    """The three files, which appear together."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._open = contextlib.ExitStack()
        schemas = {"accepted": schema, "quarantined": QUARANTINE_SCHEMA, "duplicates": QUARANTINE_SCHEMA}
        self.files = {
            name: self._open.enter_context(GroupedParquet(folder / f"{name}.parquet", one))
            for name, one in schemas.items()
        }

    def __enter__(self) -> _Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def write(self, piece: SortedPiece | CheckResult, unusable: pa.Table) -> None:
        """Add sorted rows, and the records of lines and cells that could not be used."""
        self.files["accepted"].write(piece.accepted)
        self.files["quarantined"].write(concat_quarantine([unusable, piece.quarantined]).sort_by("source_row"))
        self.files["duplicates"].write(piece.duplicates)


def _sorted_file(path: Path, facts: _Facts, verdict: PiecesVerdict | CheckResult, outputs: _Outputs) -> SortedFile:
    written = {name: file.rows for name, file in outputs.files.items()}
    if facts.rows_in != sum(written.values()):
        raise InternalFault(f"rows of {path.name} do not add up: {facts.rows_in} in, {written}")
    return SortedFile(
        sha256=facts.sha256,
        rows_in=facts.rows_in,
        accepted=written["accepted"],
        quarantined=written["quarantined"],
        duplicates=written["duplicates"],
        unusable_by_rule=dict(sorted(facts.unusable.items())),
        counts_by_rule=verdict.counts_by_rule,
        rejected_by=verdict.rejected_by,
        notes=facts.notes,
    )


def _take_pieces(
    reader: DelimitedPieces, contract: CompiledContract, checker: PieceChecker, spill: Path
) -> tuple[pa.Schema, Counter[str]]:
    """Read and type all pieces and store them for checking; give the schema of the rows, and what could not be used."""
    unusable: Counter[str] = Counter()
    for number, piece in enumerate(reader):
        typed = cast_columns(piece, contract)
        unusable.update(_by_rule(typed.quarantined))
        _store_records(spill, number, typed.quarantined)
        checker.add(typed.rows, piece.origin.original_of)
    return pa.schema([*contract.arrow_schema, pa.field("source_row", pa.int64())]), unusable


def _by_rule(records: pa.Table) -> Counter[str]:
    rule_ids: Values = records["rule_id"]
    return Counter(rule_ids.to_pylist())


def _store_records(spill: Path, number: int, records: pa.Table) -> None:
    """Put records aside until the file's digest is known."""
    path = spill / f"records-{number:06}.arrow"
    with pa.OSFile(str(path), "wb") as file, ipc.new_file(file, records.schema) as writer:
        writer.write_table(records)


def _stored_records(spill: Path, number: int) -> pa.Table:
    with pa.OSFile(str(spill / f"records-{number:06}.arrow"), "rb") as file:
        return ipc.open_file(file).read_all()


def _with_digest(records: pa.Table, sha256: str) -> pa.Table:
    place = records.column_names.index("source_sha256")
    return records.set_column(place, records.schema.field(place), constant(sha256, records.num_rows))
