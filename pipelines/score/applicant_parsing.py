"""Parsing of applicant files in a child process, which leaves the rows on disk in Arrow format."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from data_contracts.errors import InputRefused
from pipelines.runs.sandbox import Call, ChildEnded, run_in_sandbox
from pipelines.score.applicants import Applicants, read_applicants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pipelines.runs.sandbox import Limits
    from pipelines.score.applicants import Chunk

PARSED_ROWS_A_BATCH = 65_536
_Facts = tuple[str, Literal["identifiers", "matrix"], int, tuple[str, ...]]


def parse_applicants(path: Path, feature_names: Sequence[str], as_of: date | None, limits: Limits) -> Applicants:
    """Open an applicant file like ``read_applicants``, but in a child process within limits.

    The rows are in a temporary file without a name, which disappears with the last reference to them.

    Raises:
        InputRefused: as ``read_applicants``, or parsing the file ended the child process.
    """
    with tempfile.TemporaryDirectory(prefix="applicants-") as folder:
        parsed = Path(folder) / "rows.arrow"
        try:
            facts = run_in_sandbox(Call(_write_parsed, (path, tuple(feature_names), as_of, parsed), limits))
        except ChildEnded as ended:
            raise InputRefused(
                file=str(path), rule=ended.reason, remedy="look for abnormal size or form, or give it in parts"
            ) from ended
        sha256, kind, rows, notes = facts
        with pa.memory_map(str(parsed)) as file:
            table = pa.ipc.open_file(file).read_all()

    def chunks(size: int) -> Iterator[Chunk]:
        for start in range(0, rows, size):
            yield table.slice(start, size).combine_chunks()

    return Applicants(str(path), sha256, kind, rows, notes, chunks)


def _write_parsed(path: Path, feature_names: tuple[str, ...], as_of: date | None, parsed: Path) -> _Facts:
    """Write every row of an applicant file in Arrow format; return digest, kind, number of rows and notes."""
    applicants = read_applicants(path, feature_names, as_of)
    chunks = applicants.chunks(PARSED_ROWS_A_BATCH)
    first = next(chunks)
    with pa.ipc.new_file(str(parsed), first.schema) as writer:
        writer.write_table(first)
        for chunk in chunks:
            writer.write_table(chunk.cast(first.schema))
    return applicants.sha256, applicants.kind, applicants.rows, applicants.notes
