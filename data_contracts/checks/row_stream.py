"""Rows of Arrow files as a DuckDB table, with at most one batch in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import ipc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from data_contracts.arrow import Values


class RowStream:
    """Rows of Arrow files with one schema, in order; every query reads them from the beginning.

    DuckDB accepts it as a table through Arrow's PyCapsule interface. DuckDB would also accept an Arrow dataset, but
    Arrow reads up to a gigabyte of a dataset ahead.
    """

    def __init__(self, paths: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        """Open at least one file; ``columns`` selects columns (default: all)."""
        self._paths = list(paths)
        with pa.OSFile(str(self._paths[0]), "rb") as file:
            whole = ipc.open_file(file).schema
        names = whole.names if columns is None else [name for name in whole.names if name in set(columns)]
        self.schema = pa.schema([whole.field(name) for name in names])
        self._options = ipc.IpcReadOptions(included_fields=[whole.get_field_index(name) for name in names])

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a new stream of all rows."""
        reader: Values = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        stream: object = reader.__arrow_c_stream__(requested_schema)
        return stream

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for path in self._paths:
            with pa.OSFile(str(path), "rb") as file:
                reader = ipc.open_file(file, options=self._options)
                for number in range(reader.num_record_batches):
                    yield reader.get_batch(number).select(self.schema.names)
