"""The features of rows to score, as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from data_contracts.arrow import Values
    from models.components.encoding import FloatArray


def feature_matrix(chunk: pa.Table, names: Sequence[str]) -> FloatArray:
    """Return the features of a chunk as float64 (n, p) in the order of ``names``, NaN where missing."""
    if not names:
        return np.empty((chunk.num_rows, 0))
    columns: list[Values] = [chunk[name].to_numpy() for name in names]
    return np.ascontiguousarray(np.column_stack(columns), dtype=np.float64)


def feature_columns(chunk: pa.Table, names: Sequence[str]) -> FloatArray:
    """Return the features of a chunk as ``feature_matrix`` does, stored column by column, as scoring reads them."""
    X = np.empty((chunk.num_rows, len(names)), order="F")
    for place, name in enumerate(names):
        X[:, place] = chunk[name].to_numpy()
    return X
