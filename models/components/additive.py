"""What all additive components share: a check of the column count, and a sum that no batch size can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.components.encoding import FloatArray


def require_columns(encoded: FloatArray, column_count: int, kind: str) -> None:
    """Raise ValueError unless ``encoded`` is a matrix with ``column_count`` columns."""
    if encoded.ndim != 2 or encoded.shape[1] != column_count:
        raise ValueError(f"matrix of shape {encoded.shape} does not have the {column_count} columns of the {kind}")


def sum_of_contributions(base: float, values: FloatArray) -> FloatArray:
    """Return the base plus the contributions (n, q) of each row, added column by column.

    The sum of a row then does not depend on the number of rows, to the last bit.
    """
    total = np.full(len(values), base)
    for column in range(values.shape[1]):
        total += values[:, column]
    return total
