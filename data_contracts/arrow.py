"""Shared Arrow helpers: a type alias for dynamically typed values, and access to the bytes of a string array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

Values: TypeAlias = Any
"""An Arrow array, chunked array or scalar. The published type stubs cannot follow types decided at run time."""


def with_column(table: pa.Table, name: str, values: Values) -> pa.Table:
    """Return a table with other values in one of its columns."""
    return table.set_column(table.column_names.index(name), name, values)


def string_bytes(text: pa.StringArray) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the bytes of a string array and the borders of its values: value ``i`` is ``bytes[b[i]:b[i + 1]]``."""
    buffers: Values = text.buffers()
    if not len(text):
        return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int32)
    borders = np.frombuffer(buffers[1], dtype=np.int32)[text.offset : text.offset + len(text) + 1]
    codes = np.zeros(0, dtype=np.uint8) if buffers[2] is None else np.frombuffer(buffers[2], dtype=np.uint8)
    return codes, borders
