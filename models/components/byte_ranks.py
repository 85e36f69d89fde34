"""The trees of a booster in a form that is fast to walk: every value is a byte, every tree a list of leaf masks.

A booster splits a column at no more than some hundred thresholds, so what matters of a value is only how many of them
lie below it. This rank fits one byte. A split then is one comparison of bytes, and it strikes out the leaves that can
no longer be reached; the first leaf that is left is the leaf of the row. Nothing is rounded: the leaves are those of
LightGBM, and their values are added in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from models.components.encoding import FloatArray
    from models.components.tree_text import Tree

MOST_LEAVES: Final = 64
MOST_EDGES: Final = 254
MISSING_IS_ZERO, MISSING_GOES_LEFT, MISSING_GOES_RIGHT = 0, 1, 2
LARGEST_ZERO: Final = float(np.float32(1e-35))
"""LightGBM takes values up to this size for 0."""
RANK_OF_MISSING: Final = 255
_DEFAULT_LEFT: Final = 2
_NO_MISSING, _MISSING_IS_NAN = 0, 2


class Slots(NamedTuple):
    """The columns of bytes that the trees compare; a column of numbers has one for each way a missing value goes.

    ``column`` (s,) is the encoded column, ``missing`` (s,) where its missing values go, ``edges`` (s, 256) its rising
    thresholds, filled up with infinity.
    """

    column: npt.NDArray[np.int32]
    missing: npt.NDArray[np.int8]
    edges: FloatArray

    def ranks(self, encoded: FloatArray) -> npt.NDArray[np.uint8]:
        """Return the bytes (s, n) of encoded rows (n, q)."""
        ranks = np.empty((len(self.column), len(encoded)), dtype=np.uint8)
        for slot, (column, missing) in enumerate(zip(self.column.tolist(), self.missing.tolist(), strict=True)):
            values = encoded[:, column]
            gaps = np.isnan(values)
            with np.errstate(invalid="ignore"):
                values = np.where(gaps | (np.abs(values) <= LARGEST_ZERO), 0.0, values)
            ranks[slot] = np.searchsorted(self.edges[slot, :MOST_EDGES], values, side="left")
            if missing != MISSING_IS_ZERO:
                ranks[slot, gaps] = 0 if missing == MISSING_GOES_LEFT else RANK_OF_MISSING
        return ranks


class Split(NamedTuple):
    """A node of a tree: rows with a byte in ``slot`` above ``rank`` go right, past the leaves ``first`` to ``last``."""

    slot: int
    rank: int
    first: int
    last: int


class LeafPath(NamedTuple):
    """A leaf and its conditions ``(slot, rank, goes_right, share)``; ``share`` of the rows of a node go that way."""

    leaf: int
    conditions: tuple[tuple[int, int, bool, float], ...]


class RankedTree(NamedTuple):
    """One tree: its splits, its leaves with their conditions from left to right, and the values of these leaves."""

    splits: tuple[Split, ...]
    paths: tuple[LeafPath, ...]
    values: tuple[float, ...]


class RankedTrees(NamedTuple):
    """The trees of a booster over shared slots."""

    slots: Slots
    trees: tuple[RankedTree, ...]


class BitMaskTrees(NamedTuple):
    """All splits of all trees in flat arrays, as the kernel for margins takes them.

    ``start`` (t + 1,) bounds the splits of a tree; ``mask`` keeps the leaves that a row may still reach after it went
    right, ``everything`` (1,) is the mask of all leaves; ``leaf_value`` is (t, 32) or (t, 64).
    """

    slot: npt.NDArray[np.int32]
    rank: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.unsignedinteger]
    everything: npt.NDArray[np.unsignedinteger]
    start: npt.NDArray[np.int64]
    leaf_value: FloatArray


def ranked_trees(trees: Sequence[Tree]) -> RankedTrees | None:
    """Return trees over bytes; None if one has more than 64 leaves, a column too many thresholds, or 0 is missing."""
    if any(len(tree.leaf_value) > MOST_LEAVES for tree in trees):
        return None
    kinds = {kind >> 2 for tree in trees for kind in tree.decision}
    if not kinds <= {_NO_MISSING, _MISSING_IS_NAN}:
        return None
    edges: dict[int, set[float]] = {}
    for tree in trees:
        for column, threshold in zip(tree.feature, tree.threshold, strict=True):
            edges.setdefault(column, set()).add(threshold)
    if any(len(found) > MOST_EDGES for found in edges.values()):
        return None
    rank_of = {column: {edge: rank for rank, edge in enumerate(sorted(found))} for column, found in edges.items()}
    keys = sorted({key for tree in trees for key in _slot_keys(tree)})
    place_of = {key: place for place, key in enumerate(keys)}
    ranked = tuple(_ranked(tree, place_of, rank_of) for tree in trees)
    return RankedTrees(_slots(keys, edges), ranked)


def _slot_keys(tree: Tree) -> Iterator[tuple[int, int]]:
    """Yield the column of each split, and where its missing values go."""
    for column, kind in zip(tree.feature, tree.decision, strict=True):
        side = MISSING_GOES_LEFT if kind & _DEFAULT_LEFT else MISSING_GOES_RIGHT
        yield column, MISSING_IS_ZERO if kind >> 2 == _NO_MISSING else side


def _slots(keys: Sequence[tuple[int, int]], edges: dict[int, set[float]]) -> Slots:
    table = np.full((len(keys), 256), np.inf)
    for place, (column, _) in enumerate(keys):
        table[place, : len(edges[column])] = sorted(edges[column])
    columns, missing = np.asarray(keys, dtype=np.int64).reshape(-1, 2).T
    return Slots(columns.astype(np.int32), missing.astype(np.int8), table)


def _ranked(tree: Tree, place_of: dict[tuple[int, int], int], rank_of: dict[int, dict[float, int]]) -> RankedTree:
    slots = [place_of[key] for key in _slot_keys(tree)]
    ranks = [rank_of[column][edge] for column, edge in zip(tree.feature, tree.threshold, strict=True)]
    paths: list[LeafPath] = []
    splits: list[Split] = []

    def walk(node: int, conditions: tuple[tuple[int, int, bool, float], ...]) -> None:
        if node < 0:
            paths.append(LeafPath(~node, conditions))
            return
        first = len(paths)
        for child, goes_right in ((tree.left[node], False), (tree.right[node], True)):
            if goes_right:
                splits.append(Split(slots[node], ranks[node], first, len(paths)))
            rows = tree.leaf_rows[~child] if child < 0 else tree.node_rows[child]
            walk(child, (*conditions, (slots[node], ranks[node], goes_right, rows / tree.node_rows[node])))

    walk(0 if tree.feature else ~0, ())
    return RankedTree(tuple(splits), tuple(paths), tuple(tree.leaf_value[path.leaf] for path in paths))


def bit_mask_trees(trees: Sequence[RankedTree]) -> BitMaskTrees:
    """Return the splits of all trees as flat arrays, those of a tree sorted by slot."""
    width = 32 if all(len(tree.values) <= 32 for tree in trees) else 64
    word = np.uint32 if width == 32 else np.uint64
    splits = [split for tree in trees for split in sorted(tree.splits)]
    everything = (1 << width) - 1
    masks = [everything & ~(((1 << (split.last - split.first)) - 1) << split.first) for split in splits]
    values = np.zeros((len(trees), width))
    for number, tree in enumerate(trees):
        values[number, : len(tree.values)] = tree.values
    return BitMaskTrees(
        slot=np.asarray([split.slot for split in splits], dtype=np.int32),
        rank=np.asarray([split.rank for split in splits], dtype=np.uint8),
        mask=np.asarray(masks, dtype=word),
        everything=np.asarray([everything], dtype=word),
        start=np.cumsum([0, *(len(tree.splits) for tree in trees)]).astype(np.int64),
        leaf_value=values,
    )
