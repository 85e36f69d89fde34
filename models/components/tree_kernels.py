"""Compiled loops over blocks of rows: bytes, margins, contributions. Only large inputs import this module.

Every row is computed on its own, so blocks and threads change no bit. Nothing is reordered: ``fastmath`` stays off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from models.components.byte_ranks import BitMaskTrees, Slots
    from models.components.encoding import FloatArray
    from models.components.leaf_tables import LeafTables, Leaves

F = TypeVar("F", bound="Callable[..., Any]")

_BLOCK: Final = 256
_LARGEST_ZERO: Final = float(np.float32(1e-35))
# A word with one bit, multiplied by this number, has another pattern in its top six bits for each place of the bit.
_DE_BRUIJN: Final = 0x03F79D71B4CB0A89
_PLACE_OF_BIT: Final = np.zeros(64, np.int64)
for _place in range(64):
    _PLACE_OF_BIT[(((1 << _place) * _DE_BRUIJN) & 0xFFFFFFFFFFFFFFFF) >> 58] = _place


def _compiled(function: F) -> F:
    """Compile a function and keep the result on disk, where a folder can be written."""
    try:
        return cast("F", numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # neither the package nor the home folder can be written
        return cast("F", numba.njit(nogil=True)(function))


@_compiled
def _rank_block(columns: FloatArray, first: int, count: int, slots: Slots, ranks: npt.NDArray[np.uint8]) -> None:
    """Write the bytes of ``count`` rows from ``first`` on into ``ranks`` (s, 256)."""
    values = np.zeros(_BLOCK)
    place = np.empty(_BLOCK, np.int64)
    for slot in range(slots.column.size):
        source, edge, missing = slots.column[slot], slots.edges[slot], slots.missing[slot]
        column = columns[source]
        for row in range(count):
            value = column[first + row]
            values[row] = 0.0 if abs(value) <= _LARGEST_ZERO or np.isnan(value) else value
        place[:] = 0
        half = 128
        while half > 1 and np.isinf(edge[half - 1]):
            half >>= 1
        while half > 0:
            for row in range(_BLOCK):
                here = place[row]
                place[row] = here + half if edge[here + half - 1] < values[row] else here
            half >>= 1
        for row in range(_BLOCK):
            ranks[slot, row] = np.uint8(place[row])
        if missing != 0:
            for row in range(count):
                if np.isnan(column[first + row]):
                    ranks[slot, row] = np.uint8(0) if missing == 1 else np.uint8(255)


@_compiled
def margins(columns: FloatArray, rows: tuple[int, int], slots: Slots, trees: BitMaskTrees, result: FloatArray) -> None:
    """Write the sum of the reached leaves into ``result`` (n,), for these rows of encoded ``columns`` (q, n)."""
    ranks = np.empty((slots.column.size, _BLOCK), np.uint8)
    everything = trees.everything[0]
    left = np.empty(_BLOCK, trees.mask.dtype)
    total = np.empty(_BLOCK)
    for first in range(rows[0], rows[1], _BLOCK):
        count = min(_BLOCK, rows[1] - first)
        _rank_block(columns, first, count, slots, ranks)
        total[:] = 0.0
        for tree in range(trees.start.size - 1):
            left[:] = everything
            for split in range(trees.start[tree], trees.start[tree + 1]):
                byte, limit, kept = ranks[trees.slot[split]], trees.rank[split], trees.mask[split]
                for row in range(_BLOCK):
                    left[row] &= kept if byte[row] > limit else everything
            values = trees.leaf_value[tree]
            for row in range(count):
                word = np.uint64(left[row])
                lowest = word & (~word + np.uint64(1))
                total[row] += values[_PLACE_OF_BIT[(lowest * np.uint64(_DE_BRUIJN)) >> np.uint64(58)]]
        for row in range(count):
            result[first + row] = total[row]


@_compiled
def _met_columns(leaf: int, leaves: Leaves, ranks: npt.NDArray[np.uint8], met: npt.NDArray[np.int32]) -> None:
    """Write the pattern of met columns of a leaf for each row of a block into ``met`` (256,)."""
    met[:] = (np.int32(1) << (leaves.player_start[leaf + 1] - leaves.player_start[leaf])) - 1
    for one in range(leaves.condition_start[leaf], leaves.condition_start[leaf + 1]):
        byte, lowest, highest = ranks[leaves.slot[one]], leaves.low[one], leaves.high[one]
        struck = ~(np.int32(1) << leaves.player[one])
        for row in range(_BLOCK):
            met[row] &= np.int32(-1) if (byte[row] >= lowest) & (byte[row] <= highest) else struck


@_compiled
def _add_computed(
    leaf: int, leaves: Leaves, met: npt.NDArray[np.int32], weights: FloatArray, total: FloatArray
) -> None:
    """Add what a leaf gives to its columns in each row, by the steps of ``leaf_tables.shapley_values``."""
    begin = leaves.player_start[leaf]
    share, value = leaves.share[begin : leaves.player_start[leaf + 1]], leaves.value[leaf]
    count = share.size
    weight = weights[count]
    sums = np.empty(count + 1)
    for row in range(met.size):
        sums[:] = 0.0
        sums[0] = 1.0
        for column in range(count):
            is_met = (met[row] >> column) & 1
            for size in range(column + 1, 0, -1):
                sums[size] = sums[size] * share[column] + (sums[size - 1] if is_met else 0.0)
            sums[0] = sums[0] * share[column]
        unmet = 0.0
        for size in range(count - 1, -1, -1):
            unmet += weight[size] * sums[size]
        unmet = -value * unmet
        for column in range(count):
            if (met[row] >> column) & 1:
                without, found = sums[count], 0.0
                for size in range(count - 1, -1, -1):
                    found += weight[size] * without
                    without = sums[size] - without * share[column]
                total[leaves.column[begin + column], row] += value * found * (1.0 - share[column])
            else:
                total[leaves.column[begin + column], row] += unmet


@_compiled
def _add_looked_up(
    leaf: int, leaves: Leaves, tables: LeafTables, met: npt.NDArray[np.int32], total: FloatArray
) -> None:
    """Add what a leaf gives to its columns in each row, from its table."""
    begin = leaves.player_start[leaf]
    players = leaves.player_start[leaf + 1] - begin
    for place in range(players):
        first = tables.start[leaf] + (place << players)
        table = tables.values[first : first + (1 << players)]
        sums = total[leaves.column[begin + place]]
        for row in range(met.size):
            sums[row] += table[met[row]]


@_compiled
def contributions(
    columns: FloatArray, rows: tuple[int, int], slots: Slots, trees: tuple[Leaves, LeafTables], result: FloatArray
) -> None:
    """Write SHAP values into ``result`` (q, n), for these rows of encoded ``columns`` (q, n)."""
    leaves, tables = trees
    ranks = np.empty((slots.column.size, _BLOCK), np.uint8)
    met = np.empty(_BLOCK, np.int32)
    total = np.empty((result.shape[0], _BLOCK))
    for first in range(rows[0], rows[1], _BLOCK):
        count = min(_BLOCK, rows[1] - first)
        _rank_block(columns, first, count, slots, ranks)
        total[:] = 0.0
        for leaf in range(leaves.value.size):
            _met_columns(leaf, leaves, ranks, met)
            if tables.start[leaf + 1] > tables.start[leaf]:
                _add_looked_up(leaf, leaves, tables, met, total)
            else:
                _add_computed(leaf, leaves, met[:count], tables.weights, total)
        result[:, first : first + count] = total[:, :count]
