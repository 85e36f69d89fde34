"""Work on long arrays in pieces of bounded memory: spans of a sorted array, batches, sums of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

# Steps from node to node over a middle one that are held in memory at a time.
_MOST_STEPS: Final = 500_000


def batches(nodes: NDArray[np.int64], work: NDArray[np.int64] | NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Cut nodes into pieces with about as much work each as memory is meant for."""
    piece = np.cumsum(work) // _MOST_STEPS
    for some in np.split(nodes, np.flatnonzero(np.diff(piece)) + 1):
        if len(some):
            yield some


def spans(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of several spans one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(first - before, counts) + np.arange(counts.sum())


def pair_sums(
    left: NDArray[np.int64], right: NDArray[np.int64], usd: NDArray[np.float64]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]:
    """Add up the amounts of each pair, in order of amount, so that the order of rows cannot change the last bit."""
    order = np.lexsort((usd, right, left))
    left, right, usd = left[order], right[order], usd[order]
    first = np.flatnonzero(starts_of(left, right))
    total = np.add.reduceat(usd, first) if len(first) else np.empty(0)
    return (left[first], right[first]), total


def starts_of(*sorted_columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a new combination begins in columns that are sorted together."""
    is_first = np.zeros(len(sorted_columns[0]), dtype=np.bool_)
    is_first[:1] = True
    for column in sorted_columns:
        is_first[1:] |= column[1:] != column[:-1]
    return is_first
