"""Circles, cores and losses in the network of guarantees in force. Arrays are by node of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.sparse.csgraph import connected_components

from features.graph.edges import incidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from features.graph.edges import Matrix, PartyGraph

# Pairs of parties two guarantees apart that are held in memory at a time. The clients of a guarantor who all guarantee
# it back reach each other in two steps: all such pairs at once would take memory that grows with their square.
_MOST_PAIRS: Final = 500_000


@dataclass(frozen=True)
class Guarantees:
    """Guarantees in force, those between the same two parties added up, none of a party for itself.

    Attributes:
        start: node of each guarantor; sorted, then by ``end``.
        end: node of whom it guarantees.
        usd: amount; 0 if no guarantee of the pair states one.
        node_count: number of nodes of the graph.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    usd: NDArray[np.float64]
    node_count: int

    @classmethod
    def of(cls, graph: PartyGraph) -> Guarantees:
        """Return the guarantees of a graph."""
        apart = graph.guarantees[:, 0] != graph.guarantees[:, 1]
        pairs, usd = graph.guarantees[apart], graph.guaranteed_usd[apart]
        (start, end), total = _sums(pairs[:, 0], pairs[:, 1], usd)
        return cls(start, end, total, graph.node_count)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """For each node, the place of its first guarantee; one more at the end."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.start, minlength=self.node_count))])

    def within(self, kept: NDArray[np.bool_]) -> Matrix:
        """Return the chosen guarantees as a matrix, 1 where one node guarantees another."""
        return incidence(self.start[kept], self.end[kept], (self.node_count, self.node_count))


def received_usd(guarantees: Guarantees) -> NDArray[np.float64]:
    """Return the sum for which each node is guaranteed."""
    received = np.zeros(guarantees.node_count)
    np.add.at(received, guarantees.end, guarantees.usd)
    return received


def circle_sizes(guarantees: Guarantees) -> NDArray[np.int64]:
    """Return the length of the longest circle of at most four guarantees through each node, 0 without one.

    A circle lies within a strongly connected component, so only guarantees inside one are multiplied: a guarantor of
    thousands costs nothing unless they guarantee it back. Of the closed walks of four steps those that pass a node
    twice are taken away; what remains are circles.
    """
    size = (guarantees.node_count, guarantees.node_count)
    everything = guarantees.within(np.ones(len(guarantees.start), dtype=np.bool_))
    component = connected_components(everything, directed=True, connection="strong")[1]
    one = guarantees.within(component[guarantees.start] == component[guarantees.end])
    back = one.T.tocsr()
    mutual = one * back
    partners = np.asarray(mutual.sum(axis=1)).ravel()
    longest = np.where(partners > 0, 2, 0)
    # Who is tied to a single other party is on no longer circle.
    tied = one.tocoo()
    neighbours = incidence(np.r_[tied.row, tied.col].astype(np.int64), np.r_[tied.col, tied.row].astype(np.int64), size)
    waiting = np.flatnonzero(np.diff(neighbours.indptr) > 1)
    work = one @ np.diff(one.indptr) + back @ np.diff(back.indptr)
    for some in _batches(waiting, work[waiting]):
        ahead, behind = one[some] @ one, back[some] @ back
        three = np.asarray((ahead * back[some]).sum(axis=1)).ravel()
        walks = np.asarray((ahead * behind).sum(axis=1)).ravel()
        twice = partners[some] ** 2 + mutual[some] @ partners - partners[some]
        longest[some] = np.where(walks > twice, 4, np.where(three > 0, 3, longest[some]))
    return longest


def core_numbers(guarantees: Guarantees) -> NDArray[np.int64]:
    """Return, for each node, the largest k so that it is among parties each tied to k others of them by guarantees."""
    import networkx as nx  # noqa: PLC0415 - takes long, and scoring a matrix does without

    network: nx.Graph[int] = nx.Graph(zip(guarantees.start.tolist(), guarantees.end.tolist(), strict=True))
    found = np.zeros(guarantees.node_count, dtype=np.int64)
    for node, core in nx.core_number(network).items():
        found[node] = core
    return found


@dataclass(frozen=True)
class Losses:
    """What each guarantor would pay if one party defaulted: pairs, sorted by guarantor, then by who defaults."""

    guarantor: NDArray[np.int64]
    defaulter: NDArray[np.int64]
    usd: NDArray[np.float64]


def losses_in_two_steps(guarantees: Guarantees, nodes: NDArray[np.int64]) -> Iterator[Losses]:
    """Return what guarantors would pay if one party defaulted and its other guarantors then failed too.

    A guarantor pays what it guarantees for the party itself. For each other guarantor of the party that it guarantees,
    it pays what that one would have to pay, at most the amount of its guarantee. The losses come in pieces, all of one
    guarantor together.
    """
    counts = np.diff(guarantees.first)
    work = np.bincount(guarantees.start, counts[guarantees.end], guarantees.node_count)
    for some in _batches(nodes, (work + counts)[nodes]):
        direct = _spans(guarantees.first[some], counts[some])
        middle = guarantees.end[direct]
        then = _spans(guarantees.first[middle], counts[middle])
        over = np.repeat(direct, counts[middle])
        start, end = guarantees.start[over], guarantees.end[then]
        passed_on = np.minimum(guarantees.usd[over], guarantees.usd[then])
        other = start != end
        (guarantor, defaulter), usd = _sums(
            np.r_[guarantees.start[direct], start[other]],
            np.r_[middle, end[other]],
            np.r_[guarantees.usd[direct], passed_on[other]],
        )
        yield Losses(guarantor, defaulter, usd)


def worst_loss_one_step(guarantees: Guarantees) -> NDArray[np.float64]:
    """Return what each node would pay at most if one party that it guarantees defaulted."""
    worst = np.zeros(guarantees.node_count)
    np.maximum.at(worst, guarantees.start, guarantees.usd)
    return worst


def worst_loss_two_steps(guarantees: Guarantees) -> NDArray[np.float64]:
    """Return what each node would pay at most if one party defaulted, and its other guarantors after it."""
    worst = np.zeros(guarantees.node_count)
    for losses in losses_in_two_steps(guarantees, np.unique(guarantees.start)):
        np.maximum.at(worst, losses.guarantor, losses.usd)
    return worst


def _batches(nodes: NDArray[np.int64], work: NDArray[np.int64] | NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Cut nodes into pieces with about as much work each as memory is meant for."""
    piece = np.cumsum(work) // _MOST_PAIRS
    for some in np.split(nodes, np.flatnonzero(np.diff(piece)) + 1):
        if len(some):
            yield some


def _spans(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of several spans one after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(first - before, counts) + np.arange(counts.sum())


def _sums(
    left: NDArray[np.int64], right: NDArray[np.int64], usd: NDArray[np.float64]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]:
    """Add up the amounts of each pair, in order of amount, so that the order of rows cannot change the last bit."""
    order = np.lexsort((usd, right, left))
    left, right, usd = left[order], right[order], usd[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    first = np.flatnonzero(is_first)
    total = np.add.reduceat(usd, first) if len(first) else np.empty(0)
    return (left[first], right[first]), total
