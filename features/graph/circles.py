"""The circles in the network of guarantees in force. Arrays are by node of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components

from features.graph.edges import incidence
from features.graph.pieces import batches, spans, starts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from features.graph.edges import Matrix
    from features.graph.guarantees import Guarantees


def circle_sizes(guarantees: Guarantees) -> NDArray[np.int64]:
    """Return the length of the longest circle of at most four guarantees through each node, 0 without one.

    A circle lies within a strongly connected component, so only guarantees inside one are followed. Each circle is
    found from its member with the most guarantees, over members with fewer: two steps away from it and two steps back
    to it. So the clients of a guarantor are never paired with each other, and the work stays in proportion to the
    guarantees even if thousands guarantee it back (Chiba and Nishizeki 1985).
    """
    size = (guarantees.node_count, guarantees.node_count)
    everything = incidence(guarantees.start, guarantees.end, size)
    component = connected_components(everything, directed=True, connection="strong")[1]
    inside = component[guarantees.start] == component[guarantees.end]
    one = incidence(guarantees.start[inside], guarantees.end[inside], size)
    back = one.T.tocsr()
    rank = np.empty(guarantees.node_count, dtype=np.int64)
    rank[np.argsort(np.diff(one.indptr) + np.diff(back.indptr), kind="stable")] = np.arange(guarantees.node_count)
    longest = np.where(np.asarray((one * back).sum(axis=1)).ravel() > 0, 2, 0)
    for away, returning in _two_steps(one, back, rank):
        _mark_threes(longest, guarantees, away)
        _mark_fours(longest, away, returning)
        _mark_fours(longest, returning, away)
    return longest


@dataclass(frozen=True)
class _Chains:
    """Chains top - middle - far in which the top ranks highest; sorted by ``pair``, then ``middle``.

    Attributes:
        top: node of the highest rank.
        middle: node between.
        far: node two steps from the top.
        pair: one number for each pair of top and far.
    """

    top: NDArray[np.int64]
    middle: NDArray[np.int64]
    far: NDArray[np.int64]
    pair: NDArray[np.int64]


def _two_steps(one: Matrix, back: Matrix, rank: NDArray[np.int64]) -> Iterator[tuple[_Chains, _Chains]]:
    """Return the chains away from each node and those back to it, over lower nodes, for some nodes at a time."""
    tops = np.flatnonzero(np.diff(one.indptr) > 0)
    work = _steps_below(one, rank) + _steps_below(back, rank)
    for some in batches(tops, work[tops]):
        yield _chains(one, rank, some), _chains(back, rank, some)


def _steps_below(ties: Matrix, rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count the steps that go on from the lower neighbours of each node."""
    edges = ties.tocoo()
    down = rank[edges.col] < rank[edges.row]
    onward = np.diff(ties.indptr)[edges.col[down]]
    return np.asarray(np.bincount(edges.row[down], weights=onward, minlength=len(rank)), dtype=np.float64)


def _chains(ties: Matrix, rank: NDArray[np.int64], tops: NDArray[np.int64]) -> _Chains:
    first, counts = ties.indptr[:-1].astype(np.int64), np.diff(ties.indptr).astype(np.int64)
    top, middle = np.repeat(tops, counts[tops]), ties.indices[spans(first[tops], counts[tops])].astype(np.int64)
    down = rank[middle] < rank[top]
    top, middle = top[down], middle[down]
    far = ties.indices[spans(first[middle], counts[middle])].astype(np.int64)
    top, middle = np.repeat(top, counts[middle]), np.repeat(middle, counts[middle])
    down = rank[far] < rank[top]
    top, middle, far = top[down], middle[down], far[down]
    pair = top * np.int64(len(rank)) + far
    order = np.lexsort((middle, pair))
    return _Chains(top[order], middle[order], far[order], pair[order])


def _mark_threes(longest: NDArray[np.int64], guarantees: Guarantees, away: _Chains) -> None:
    """Mark the chains whose far node guarantees the top."""
    closes = guarantees.place_of(away.far, away.top) >= 0
    for nodes in (away.top, away.middle, away.far):
        longest[nodes[closes]] = np.maximum(longest[nodes[closes]], 3)


def _mark_fours(longest: NDArray[np.int64], chains: _Chains, opposite: _Chains) -> None:
    """Mark the chains that some opposite chain over another middle closes to a circle."""
    begins = np.flatnonzero(starts_of(opposite.pair))
    pairs, counts = opposite.pair[begins], np.diff(np.r_[begins, len(opposite.pair)])
    if len(pairs) == 0:
        return
    place = np.minimum(np.searchsorted(pairs, chains.pair), len(pairs) - 1)
    is_met = pairs[place] == chains.pair
    closes = is_met & ((counts[place] > 1) | (opposite.middle[begins[place]] != chains.middle))
    for nodes in (chains.top, chains.middle, chains.far):
        longest[nodes[closes]] = 4
