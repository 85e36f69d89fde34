"""Spill files: tables written to disk slice by slice and read back in any order.

They live no longer than the run that writes them. Dictionary columns are stored as plain text, because each slice has
a dictionary of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import ipc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType


class SpillFile:
    """Takes slices of one schema (``add``) and numbers them; a context manager, closed before reading."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema = path, schema
        self._plain = without_dictionaries(schema)
        # Opened in Python, so that tests can make every write to disk fail.
        self._file = path.open("wb")
        self._writer = ipc.new_file(self._file, self._plain, options=ipc.IpcWriteOptions(compression="lz4"))
        self._slice_count = 0
        self.rows = 0

    def __enter__(self) -> SpillFile:
        """Return the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file."""
        self.close()

    def close(self) -> None:
        """Finish the file; further calls do nothing."""
        if self._file.closed:
            return
        try:
            self._writer.close()
        finally:
            self._file.close()

    def add(self, table: pa.Table) -> tuple[int, ...]:
        """Store rows; return the numbers of their slices: none for no rows, usually one."""
        first = self._slice_count
        for batch in table.cast(self._plain).combine_chunks().to_batches():
            if batch.num_rows:
                self._writer.write_batch(batch)
                self._slice_count += 1
                self.rows += batch.num_rows
        return tuple(range(first, self._slice_count))


class SpillReader:
    """A closed spill file, read by slice number."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._file = pa.OSFile(str(path), "rb")
        self._reader = ipc.open_file(self._file)

    def __enter__(self) -> SpillReader:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def read(self, numbers: Iterable[int]) -> pa.Table:
        """Return the rows of slices, in the order of the numbers."""
        batches = [self._reader.get_batch(number) for number in numbers]
        return pa.Table.from_batches(batches, without_dictionaries(self._schema)).cast(self._schema)


@dataclass(frozen=True)
class SpilledRows:
    """Rows of a spill file in an order of their own; sent between processes.

    Attributes:
        path: the spill file.
        schema: schema of the rows.
        stretches: the slices of each stretch of rows. A stretch is read at once; its rows are in order of the slices
            or, if ``sorted_by`` names a column, stably sorted by it.
        num_rows: number of rows.
        sorted_by: column, or None.
    """

    path: Path
    schema: pa.Schema
    stretches: Sequence[tuple[int, ...]]
    num_rows: int
    sorted_by: str | None = None

    def chunks(self) -> Iterator[pa.Table]:
        """Yield the rows stretch by stretch, one table each, possibly without rows."""
        with SpillReader(self.path, self.schema) as slices:
            for numbers in self.stretches:
                rows = slices.read(numbers)
                yield rows if self.sorted_by is None or len(numbers) < 2 else rows.sort_by(self.sorted_by)


def without_dictionaries(schema: pa.Schema) -> pa.Schema:
    """Return a schema with plain types in place of dictionaries; all fields are nullable."""
    plain = (entry.type.value_type if pa.types.is_dictionary(entry.type) else entry.type for entry in schema)
    return pa.schema([pa.field(entry.name, kind) for entry, kind in zip(schema, plain, strict=True)])
