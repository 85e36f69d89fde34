"""How near sellers are to known defaults: personalised PageRank over relations. Arrays are by seller."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.graph.edges import Matrix

LARGEST_GROUP: Final = 500
"""Sellers of a group up to which a seller's own default is taken out of its value."""
_ERROR: Final = 1e-14
_NOTHING: Final = 1e-9  # less is the rounding of the solution


def default_walks(
    related: Matrix, has_defaulted: NDArray[np.bool_], walk_on: float, largest_group: int = LARGEST_GROUP
) -> NDArray[np.float64]:
    """Return how near each seller is to the sellers in default other than itself: personalised PageRank, by degree.

    A walk starts at a seller in default, goes on to a random relation with probability ``walk_on``, and otherwise
    starts again. The share of its time at a seller, divided by the number of that seller's relations, is added up over
    the other sellers in default. It equals the chance that a walk from the seller ends at one of them, those with many
    relations counted less: several defaults nearby raise it, many relations without one lower it.

    All walks together take one solution. What a seller in default contributes to itself is its own outcome and is taken
    away; it takes one more solution for the first such seller of every group, one for the second, and so on.

    Args:
        related: sellers x sellers, 1 where directly related; symmetric.
        has_defaulted: whether the default of each seller was known.
        walk_on: probability to go on.
        largest_group: in a larger group of related sellers, one in default has no value (NaN).
    """
    degree = np.diff(related.indptr)
    value = np.zeros(len(degree))
    count, group = connected_components(related, directed=False)
    seeds_of = np.bincount(group, weights=has_defaulted, minlength=count)
    inside = np.flatnonzero((seeds_of[group] > 0) & (degree > 0))
    if len(inside) == 0:
        return value
    value[inside] = _times(related[inside][:, inside], has_defaulted[inside], walk_on)
    is_large = np.bincount(group, minlength=count) > largest_group
    seeds = inside[has_defaulted[inside]]
    value[seeds[is_large[group[seeds]]]] = np.nan
    seeds = seeds[~is_large[group[seeds]]]
    seeds = seeds[np.argsort(group[seeds], kind="stable")]
    first = np.searchsorted(group[seeds], group[seeds])
    turn = np.arange(len(seeds)) - first
    for number in range(int(turn.max(initial=-1)) + 1):
        some = seeds[turn == number]
        nodes = inside[np.isin(group[inside], group[some])]
        starts = np.isin(nodes, some)
        value[nodes[starts]] -= _times(related[nodes][:, nodes], starts, walk_on)[starts]
    value[value < _NOTHING] = 0.0
    return value


def _times(related: Matrix, starts: NDArray[np.bool_], walk_on: float) -> NDArray[np.float64]:
    """Return the time that walks from the marked sellers spend at each, divided by its number of relations.

    It solves ``(1 - walk_on S) y = b`` for the relations S, scaled to have eigenvalues between -1 and 1, by the
    Chebyshev iteration. Its number of steps follows from ``walk_on`` alone and it needs no sum over all sellers, so a
    group has the same value whatever other groups there are.
    """
    scale = 1.0 / np.sqrt(np.diff(related.indptr))
    scaled: Any = sparse.diags_array(walk_on * scale) @ related.astype(np.float64) @ sparse.diags_array(scale)
    rest = (1.0 - walk_on) * scale * starts
    found, towards, step = np.zeros_like(rest), np.zeros_like(rest), 0.0
    for number in range(_steps(walk_on)):
        turn = (walk_on * step / 2) ** 2 * (2 if number == 1 else 1)
        towards = rest + turn * towards
        step = 1.0 if number == 0 else 1.0 / (1.0 - turn / step)
        found = found + step * towards
        rest = rest - step * (towards - scaled @ towards)
    return np.asarray(scale * found)


def _steps(walk_on: float) -> int:
    shrinks = (1.0 - math.sqrt(1.0 - walk_on**2)) / walk_on
    return math.ceil(math.log(_ERROR / 2) / math.log(shrinks))
