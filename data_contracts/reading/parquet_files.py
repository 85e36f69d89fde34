"""Open Parquet files of unknown origin: recognise them, and refuse damaged or oversized ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

PARQUET_START = b"PAR1"
# A few bytes of Parquet can encode billions of equal cells.
_MOST_UNPACKED_BYTES = 2**30
_MOST_CELLS = 50_000_000


@contextlib.contextmanager
def open_parquet(data: bytes, file_name: str) -> Iterator[pq.ParquetFile]:
    """Open the Parquet file in ``data``; raise InputRefused if opening or reading it fails."""
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputRefused(
            file=file_name, rule=f"not a readable Parquet file: {error}", remedy="export the file again"
        ) from error


def require_modest_size(metadata: pq.FileMetaData, file_name: str) -> None:
    """Raise InputRefused if a Parquet file would unpack to more data than memory should hold."""
    unpacked_bytes = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    cell_count = metadata.num_rows * metadata.num_columns
    if unpacked_bytes > _MOST_UNPACKED_BYTES or cell_count > _MOST_CELLS:
        raise InputRefused(
            file=file_name,
            rule=f"it unpacks to {unpacked_bytes} bytes in {cell_count} cells; the limits are {_MOST_UNPACKED_BYTES} "
            f"bytes and {_MOST_CELLS} cells",
            remedy="split the file and deliver the parts",
        )
