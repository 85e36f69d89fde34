"""Exact path-dependent SHAP values of a booster, leaf by leaf.

The path to a leaf names some columns, and of each column a row either meets all conditions or not. What the leaf adds
to each of these columns depends on nothing but which of them are met, so it can be looked up: with d columns there are
2^d patterns. A leaf with many columns is computed as it is met, by the same steps in the same order; all results are
the same to the last bit, whether looked up or computed, for one row or a million.

The Shapley value of a leaf with value v: let column k let a share r_k of the training rows through, and let P[s] be the
sum, over all sets of s met columns, of the product of r over the columns outside the set. With the weights
W[s] = s! (d - 1 - s)! / d!, a column that is not met receives -v times the sum of W[s] P[s], and a met column j
receives v (1 - r_j) times the sum of W[s] Q[s], where Q is P without column j.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from models.components.byte_ranks import LeafPath, RankedTree, Slots
    from models.components.encoding import BoolArray, FloatArray

MOST_COLUMNS: Final = 24
"""A path through more columns would lose digits when one is taken out again; such a booster is left to LightGBM."""
MOST_COLUMNS_IN_TABLE: Final = 10
_CELLS_AT_A_TIME: Final = 1 << 18


class Leaves(NamedTuple):
    """The leaves of all trees with their conditions and columns in flat arrays.

    Condition c holds where the byte in ``slot[c]`` is from ``low[c]`` to ``high[c]``. ``player[c]`` is the place of its
    column among those of its leaf. ``condition_start`` and ``player_start`` (l + 1,) bound those of a leaf; ``column``
    and ``share`` are those of each player, ``value`` (l,) those of each leaf.
    """

    slot: npt.NDArray[np.int32]
    low: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]
    player: npt.NDArray[np.int32]
    condition_start: npt.NDArray[np.int64]
    column: npt.NDArray[np.int32]
    share: FloatArray
    player_start: npt.NDArray[np.int64]
    value: FloatArray


class LeafTables(NamedTuple):
    """The values of each pattern of met columns, for leaves with at most ten columns.

    Those of player k of a leaf begin at ``start`` of the leaf plus k times the number of patterns. Row d of ``weights``
    (25, 25) holds the weights of sets for a leaf with d columns.
    """

    values: FloatArray
    start: npt.NDArray[np.int64]
    weights: FloatArray


def leaves_of(trees: Sequence[RankedTree], slots: Slots) -> Leaves | None:
    """Return the leaves of trees, tree by tree from left to right; None if a path has more than 24 columns."""
    leaves = [
        (*_conditions(path, slots), value)
        for tree in trees
        for path, value in zip(tree.paths, tree.values, strict=True)
        if path.conditions
    ]
    if any(len(shares) > MOST_COLUMNS for _, shares, _ in leaves):
        return None
    conditions = [one for found, _, _ in leaves for one in found]
    slot, low, high, player = np.asarray(conditions, dtype=np.int64).reshape(-1, 4).T
    return Leaves(
        slot=slot.astype(np.int32),
        low=low.astype(np.uint8),
        high=high.astype(np.uint8),
        player=player.astype(np.int32),
        condition_start=np.cumsum([0, *(len(found) for found, _, _ in leaves)]).astype(np.int64),
        column=np.asarray([column for _, shares, _ in leaves for column in shares], dtype=np.int32),
        share=np.asarray([share for _, shares, _ in leaves for share in shares.values()], dtype=np.float64),
        player_start=np.cumsum([0, *(len(shares) for _, shares, _ in leaves)]).astype(np.int64),
        value=np.asarray([value for _, _, value in leaves], dtype=np.float64),
    )


def _conditions(path: LeafPath, slots: Slots) -> tuple[list[tuple[int, int, int, int]], dict[int, float]]:
    """Return the conditions ``(slot, low, high, player)`` of a path, and the share of each column in column order."""
    bounds: dict[int, tuple[int, int]] = {}
    shares: dict[int, float] = {}
    for slot, rank, goes_right, share in path.conditions:
        low, high = bounds.get(slot, (0, 255))
        bounds[slot] = (max(low, rank + 1), high) if goes_right else (low, min(high, rank))
        column = int(slots.column[slot])
        shares[column] = shares.get(column, 1.0) * share
    shares = dict(sorted(shares.items()))
    place = {column: number for number, column in enumerate(shares)}
    return [(slot, *bounds[slot], place[int(slots.column[slot])]) for slot in sorted(bounds)], shares


def weights_of(count: int) -> FloatArray:
    """Return the weights (count,) of sets of 0 to count - 1 of the other columns."""
    return np.asarray([1.0 / (count * math.comb(count - 1, size)) for size in range(count)])


def shapley_values(share: FloatArray, met: BoolArray, value: FloatArray) -> FloatArray:
    """Return what leaves add to each column of their paths (d, …), for arrays that fit each other.

    ``share`` (d, …) and ``met`` (d, …) belong to the columns, ``value`` (…) to the leaf. The kernel for leaves with
    many columns takes the same steps in the same order.
    """
    count = len(share)
    shape = np.broadcast_shapes(share.shape[1:], met.shape[1:])
    sums = [np.ones(shape), *(np.zeros(shape) for _ in range(count))]
    for column in range(count):
        for size in range(column + 1, 0, -1):
            sums[size] = sums[size] * share[column] + np.where(met[column], sums[size - 1], 0.0)
        sums[0] = sums[0] * share[column]
    weights = weights_of(count)
    unmet = np.zeros(shape)
    for size in range(count - 1, -1, -1):
        unmet += weights[size] * sums[size]
    unmet = -value * unmet
    result = np.empty((count, *shape))
    for column in range(count):
        without, total = sums[count], np.zeros(shape)
        for size in range(count - 1, -1, -1):
            total += weights[size] * without
            without = sums[size] - without * share[column]
        result[column] = np.where(met[column], value * total * (1.0 - share[column]), unmet)
    return result


def leaf_tables(leaves: Leaves) -> LeafTables:
    """Return the values of all patterns of leaves with at most ten columns."""
    counts = np.diff(leaves.player_start)
    sizes = np.where(counts <= MOST_COLUMNS_IN_TABLE, counts << np.minimum(counts, MOST_COLUMNS_IN_TABLE), 0)
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    values = np.empty(int(start[-1]))
    for count in np.unique(counts[counts <= MOST_COLUMNS_IN_TABLE]).tolist():
        patterns = 1 << count
        met = ((np.arange(patterns)[None, :] >> np.arange(count)[:, None]) & 1).astype(np.bool_)[:, None, :]
        for some in _pieces(np.flatnonzero(counts == count), max(1, _CELLS_AT_A_TIME // patterns)):
            share = leaves.share[leaves.player_start[some, None] + np.arange(count)].T[:, :, None]
            found = shapley_values(share, met, leaves.value[some, None])
            cells = start[some, None] + np.arange(count * patterns)
            values[cells] = found.transpose(1, 0, 2).reshape(len(some), -1)
    weights = np.zeros((MOST_COLUMNS + 1, MOST_COLUMNS + 1))
    for count in range(1, MOST_COLUMNS + 1):
        weights[count, :count] = weights_of(count)
    return LeafTables(values, start, weights)


def _pieces(places: npt.NDArray[np.int64], size: int) -> Iterator[npt.NDArray[np.int64]]:
    for first in range(0, len(places), size):
        yield places[first : first + size]


def contributions_of(leaves: Leaves, ranks: npt.NDArray[np.uint8], columns: int) -> FloatArray:
    """Return the SHAP values (n, ``columns``) of rows with these bytes (s, n), without tables and without compiling."""
    result = np.zeros((ranks.shape[1], columns))
    if len(leaves.value) == 0:
        return result
    size = max(1, (_CELLS_AT_A_TIME * 8) // max(1, len(leaves.share)))
    for first in range(0, len(result), size):
        added = _added(leaves, ranks[:, first : first + size])
        for row in range(added.shape[1]):
            # It adds in the order of the leaves, as the kernel does.
            result[first + row] = np.bincount(leaves.column, weights=added[:, row], minlength=columns)
    return result


def _added(leaves: Leaves, ranks: npt.NDArray[np.uint8]) -> FloatArray:
    """Return what each leaf adds to each of its columns (players, n)."""
    byte = ranks[leaves.slot]
    holds = (byte >= leaves.low[:, None]) & (byte <= leaves.high[:, None])
    counts = np.diff(leaves.player_start)
    player = np.repeat(leaves.player_start[:-1], np.diff(leaves.condition_start)) + leaves.player
    # Conditions come in the order of their players, and every player has one.
    met = np.logical_and.reduceat(holds, np.searchsorted(player, np.arange(len(leaves.share))), axis=0)
    added = np.empty(met.shape)
    for count in np.unique(counts).tolist():
        some = np.flatnonzero(counts == count)
        players = leaves.player_start[some, None] + np.arange(count)
        found = shapley_values(
            leaves.share[players].T[:, :, None], met[players].transpose(1, 0, 2), leaves.value[some, None]
        )
        added[players] = found.transpose(1, 0, 2)
    return added
