"""Write Parquet table by table, with bytes that depend only on the rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from data_contracts.arrow import Values

ROW_GROUP_ROWS = 2**17
# Texts and bytes of the rows of a group; a group is held in memory, and a hostile file may have rows of any size.
ROW_GROUP_BYTES = 64 * 2**20


class GroupedParquet:
    """A Parquet file (zstd, page checksums) that appears under its name only once it is complete.

    Each row group has ``ROW_GROUP_ROWS`` rows, or as many as it takes to reach ``ROW_GROUP_BYTES`` (the last one the
    remainder), and its own dictionaries. Other columns are
    dictionary-encoded only if ``dictionaries`` is true, which takes time and pays off where values repeat often. A
    ``private`` file is readable by its owner alone.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, dictionaries: bool = False, private: bool = False) -> None:
        self._path, self._schema = path, schema
        self._partial = path.with_name(f".{path.name}.partial")
        self._file = _opened_privately(self._partial) if private else self._partial.open("wb")
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
        while length := self._rows_of_full_group():
            self._write_group(length)

    def _rows_of_full_group(self) -> int:
        """Return the number of rows of the next group, or 0 if further rows may belong to it."""
        most = ROW_GROUP_ROWS if self._waiting_rows >= ROW_GROUP_ROWS else 0
        if sum(table.nbytes for table in self._waiting) < ROW_GROUP_BYTES:
            return most
        self._waiting = [pa.concat_tables(self._waiting)]
        sizes = np.cumsum(_text_bytes(self._waiting[0].slice(0, ROW_GROUP_ROWS)))
        length = int(np.searchsorted(sizes, ROW_GROUP_BYTES)) + 1
        return length if length <= len(sizes) else most

    def _write_group(self, length: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        group = waiting.slice(0, length)
        columns: list[Values] = [_encoded(group[entry.name], entry.type) for entry in self._schema]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=length)
        self._waiting, self._waiting_rows = [waiting.slice(length)], waiting.num_rows - length


def _opened_privately(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)  # what a killed run left may be readable by others
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _text_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Return the bytes of the texts of each row."""
    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            lengths: Values = pc.fill_null(pc.binary_length(column), 0)
            total += lengths.to_numpy()
    return total


def _encoded(values: Values, wanted: pa.DataType) -> Values:
    """Return a column in one chunk; a dictionary holds only its own values, in order of first use."""
    if not pa.types.is_dictionary(wanted):
        return values.combine_chunks()
    return values.cast(wanted.value_type).combine_chunks().dictionary_encode()
