"""Typed rows in a spill file, for rules that judge a row by other rows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.checks.row_stream import RowStream
from data_contracts.checks.rule_sql import POSITION, RuleDatabase, plain_rows
from pipelines.ingest.spill.spill_file import SpillFile, SpillReader
from pipelines.runs.storage_faults import report_duckdb_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from data_contracts.arrow import Values


class RuleRows:
    """Rows on disk with a position each, which DuckDB reads as a stream and judges within a memory limit."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        """Create the file for rows of a schema."""
        self._schema, self._folder = schema, path.parent
        self._plain = plain_rows(schema.empty_table()).schema
        self._file = SpillFile(path, pa.schema([*self._plain, pa.field(POSITION, pa.int64())]))

    def add(self, rows: pa.Table, positions: NDArray[np.int64]) -> tuple[int, ...]:
        """Store rows with their positions; return the numbers of their slices."""
        plain = plain_rows(rows.select(self._schema.names))
        return self._file.add(plain.append_column(POSITION, pa.array(positions, pa.int64())))

    @contextmanager
    def asked(self, columns: Sequence[str] | None = None) -> Iterator[RuleDatabase]:
        """Finish the file and yield a database of its rows, limited to ``columns`` if given.

        Raises:
            OSError: the disk has no room for what DuckDB spills, or fails.
        """
        self._file.close()
        wanted = None if columns is None else [*columns, POSITION]
        with report_duckdb_faults(self._folder), RuleDatabase(self._folder) as database:
            database.load_stored(RowStream([self._file.path], wanted), self._file.rows)
            yield database

    def slices(self, numbers: Sequence[Sequence[int]]) -> Iterator[pa.Table]:
        """Finish the file and yield the rows of each group of slices, in the types they were added with."""
        self._file.close()
        with SpillReader(self._file.path, self._file.schema) as reader:
            for group in numbers:
                rows: Values = reader.read(group).select(self._schema.names)
                yield rows.cast(self._schema)
