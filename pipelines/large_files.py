"""A delimited file of any size sorted by its contract into three Parquet files, in memory that does not grow."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import ipc

from data_contracts.casting import cast_columns
from data_contracts.delimited_pieces import PIECE_BYTES, DelimitedPieces
from data_contracts.errors import InternalFault
from data_contracts.lineage import QUARANTINE_SCHEMA, Origin, concat_quarantine, constant
from data_contracts.piece_checking import PieceChecker
from pipelines.grouped_parquet import GroupedParquet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data_contracts.contract import CompiledContract


@dataclass(frozen=True)
class SortedFile:
    """What became of a file: rows_in = accepted + quarantined + duplicates.

    ``counts_by_rule``: as in a ``CheckResult``, over the rows that could be read and typed. ``rejected_by``: the
    critical rules broken; then nothing is accepted.
    """

    sha256: str
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    counts_by_rule: Mapping[str, int]
    rejected_by: tuple[str, ...]
    notes: tuple[str, ...]


def sort_file(path: Path, contract: CompiledContract, folder: Path, piece_bytes: int = PIECE_BYTES) -> SortedFile:
    """Read, type and check a delimited file; write ``accepted``, ``quarantined`` and ``duplicates`` to ``folder``.

    The Parquet files hold typed rows, and records of QUARANTINE_SCHEMA in order of physical row; their bytes do not
    depend on ``piece_bytes``. Needs about twice the file's size on disk while it works.

    Raises:
        InputRefused: the file cannot be its source's at all.
        InternalFault: rows do not add up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        path.open("rb") as file,
        tempfile.TemporaryDirectory(dir=folder, prefix=".pieces.") as name,
        PieceChecker(contract, spill := Path(name)) as checker,
    ):
        reader = DelimitedPieces(file, contract, path.name, piece_bytes)
        schema = _take_pieces(reader, contract, checker, spill)
        verdict = checker.verdict()
        origin = Origin(contract.identity, path.name, reader.sha256, reader.original_of)
        with (
            GroupedParquet(folder / "accepted.parquet", schema) as accepted,
            GroupedParquet(folder / "quarantined.parquet", QUARANTINE_SCHEMA) as quarantined,
            GroupedParquet(folder / "duplicates.parquet", QUARANTINE_SCHEMA) as duplicates,
        ):
            for number, piece in enumerate(checker.sorted_pieces(verdict, origin)):
                accepted.write(piece.accepted)
                duplicates.write(piece.duplicates)
                unusable = _with_digest(_stored_records(spill, number), reader.sha256)
                quarantined.write(concat_quarantine([unusable, piece.quarantined]).sort_by("source_row"))
    if reader.rows_in != accepted.rows + quarantined.rows + duplicates.rows:
        raise InternalFault(f"rows of {path.name} do not add up: {reader.rows_in} in, {accepted.rows} accepted")
    return SortedFile(
        sha256=reader.sha256,
        rows_in=reader.rows_in,
        accepted=accepted.rows,
        quarantined=quarantined.rows,
        duplicates=duplicates.rows,
        counts_by_rule=verdict.counts_by_rule,
        rejected_by=verdict.rejected_by,
        notes=reader.notes,
    )


def _take_pieces(reader: DelimitedPieces, contract: CompiledContract, checker: PieceChecker, spill: Path) -> pa.Schema:
    """Read and type all pieces, store them for checking, and give the schema of the accepted rows."""
    schema = contract.arrow_schema
    for number, piece in enumerate(reader):
        typed = cast_columns(piece, contract)
        _store_records(spill, number, typed.quarantined)
        checker.add(typed.rows, piece.origin.original_of)
        schema = pa.schema([*contract.arrow_schema, typed.rows.schema.field("source_row")])
    return schema


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
