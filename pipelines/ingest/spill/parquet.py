"""Write Parquet table by table, with bytes that depend only on the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from data_contracts.arrow import Values

ROW_GROUP_ROWS = 2**17


class GroupedParquet:
    """A Parquet file (zstd, page checksums) that appears under its name only once it is complete.

    Each row group has ``ROW_GROUP_ROWS`` rows (the last one the remainder) and its own dictionaries. Other columns are
    dictionary-encoded only if ``dictionaries`` is true, which takes time and pays off where values repeat often.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, dictionaries: bool = False) -> None:
        self._path, self._schema = path, schema
        self._partial = path.with_name(f".{path.name}.partial")
        self._file = self._partial.open("wb")
        own: Values = [entry.name for entry in schema if pa.types.is_dictionary(entry.type)]
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            compression="zstd",
            use_dictionary=True if dictionaries else own,
            write_page_checksum=True,
        )
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self.rows = 0

    def __enter__(self) -> GroupedParquet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and self._waiting_rows:
                self._write_group(self._waiting_rows)
            self._writer.close()
        except BaseException:
            self._partial.unlink(missing_ok=True)
            raise
        finally:
            self._file.close()
        if error is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        self.rows += table.num_rows
        self._waiting_rows += table.num_rows
        self._waiting.append(table)
        while self._waiting_rows >= ROW_GROUP_ROWS:
            self._write_group(ROW_GROUP_ROWS)

    def _write_group(self, length: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        group = waiting.slice(0, length)
        columns: list[Values] = [_encoded(group[entry.name], entry.type) for entry in self._schema]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=length)
        self._waiting, self._waiting_rows = [waiting.slice(length)], waiting.num_rows - length


def _encoded(values: Values, wanted: pa.DataType) -> Values:
    """Return a column in one chunk; a dictionary holds only its own values, in order of first use."""
    if not pa.types.is_dictionary(wanted):
        return values.combine_chunks()
    return values.cast(wanted.value_type).combine_chunks().dictionary_encode()
