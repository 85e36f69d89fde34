"""A booster's margins and SHAP values without LightGBM: compiled for many rows, in NumPy for few.

Loading the compiler takes longer than a few rows do. Both ways take the same steps in the same order, so their results
are the same to the last bit.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Final

import numpy as np

from models.components.byte_ranks import bit_mask_trees, ranked_trees
from models.components.leaf_tables import contributions_of, leaf_tables, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from models.components.byte_ranks import BitMaskTrees, RankedTrees
    from models.components.encoding import FloatArray
    from models.components.leaf_tables import LeafTables, Leaves
    from models.components.tree_text import Tree

FEWEST_ROWS_OF_MARGINS: Final = 4096
_FEWEST_STEPS_TO_COMPILE: Final = 1 << 26


@dataclass(frozen=True)
class FastTrees:
    """The trees of a booster over bytes, and their leaves."""

    ranked: RankedTrees
    leaves: Leaves

    @cached_property
    def _masks(self) -> BitMaskTrees:
        return bit_mask_trees(self.ranked.trees)

    @cached_property
    def _tables(self) -> LeafTables:
        return leaf_tables(self.leaves)

    @cached_property
    def _steps_of_row(self) -> int:
        """About how many steps the contributions of a row take without tables."""
        return int((np.diff(self.leaves.player_start) ** 2).sum())

    def margin(self, encoded: FloatArray, threads: int = 1) -> FloatArray:
        """Return the raw log-odds (n,) of encoded rows (n, q)."""
        kernels = compiled_code()
        if kernels is None:
            raise RuntimeError("margins need compiled code, and Numba does not run here")
        masks, result, columns = self._masks, np.empty(len(encoded)), np.ascontiguousarray(encoded.T)

        def some(rows: tuple[int, int]) -> None:
            kernels.margins(columns, rows, self.ranked.slots, masks, result)

        _in_threads(some, len(encoded), threads)
        return result

    def contributions(self, encoded: FloatArray, threads: int = 1) -> FloatArray:
        """Return the path-dependent SHAP values (n, q)."""
        if len(encoded) * self._steps_of_row < _FEWEST_STEPS_TO_COMPILE:
            return self.contributions_of_few(encoded)
        return self.contributions_of_many(encoded, threads)

    def contributions_of_few(self, encoded: FloatArray) -> FloatArray:
        """Return the SHAP values (n, q) without compiled code."""
        return contributions_of(self.leaves, self.ranked.slots.ranks(encoded), encoded.shape[1])

    def contributions_of_many(self, encoded: FloatArray, threads: int = 1) -> FloatArray:
        """Return the SHAP values (n, q) with compiled code and tables."""
        kernels = compiled_code()
        if kernels is None:
            return self.contributions_of_few(encoded)
        columns = np.ascontiguousarray(encoded.T)
        result, trees = np.empty(columns.shape), (self.leaves, self._tables)

        def some(rows: tuple[int, int]) -> None:
            kernels.contributions(columns, rows, self.ranked.slots, trees, result)

        _in_threads(some, len(encoded), threads)
        return result.T


@cache
def compiled_code() -> ModuleType | None:
    """Return the compiled loops; None on a machine where Numba does not run."""
    try:
        return import_module("models.components.tree_kernels")
    except ImportError:
        return None


def fast_trees(trees: Sequence[Tree]) -> FastTrees | None:
    """Return trees in this form; None if they do not fit it."""
    ranked = ranked_trees(trees)
    leaves = None if ranked is None else leaves_of(ranked.trees, ranked.slots)
    if ranked is None or leaves is None:
        return None
    return FastTrees(ranked, leaves)


def _in_threads(work: Callable[[tuple[int, int]], None], rows: int, threads: int) -> None:
    """Do the work for all rows, in as many threads; each row belongs to one of them."""
    size = max(1, -(-rows // threads))
    pieces = [(first, min(first + size, rows)) for first in range(0, rows, size)]
    if len(pieces) <= 1:
        for piece in pieces:
            work(piece)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, pieces))
