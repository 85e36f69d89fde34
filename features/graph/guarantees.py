"""The network of guarantees in force, and what guarantors would pay. Arrays are by node of the graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from features.graph.pieces import batches, pair_sums, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from features.graph.edges import PartyGraph

PARTS_OF_USD: Final = 10_000
"""Amounts are added up in whole numbers of this part of a dollar, as contracts state them, so that sums are exact."""


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
        (start, end), total = pair_sums(pairs[:, 0], pairs[:, 1], usd)
        return cls(start, end, total, graph.node_count)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """For each node, the place of its first guarantee; one more at the end."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.start, minlength=self.node_count))])

    @cached_property
    def _pairs(self) -> NDArray[np.int64]:
        return self.start * np.int64(self.node_count) + self.end

    def place_of(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of the guarantees of some parties for others; -1 where there is none."""
        if len(self._pairs) == 0:
            return np.full(len(start), -1, dtype=np.int64)
        asked = start * np.int64(self.node_count) + end
        place = np.minimum(np.searchsorted(self._pairs, asked), len(self._pairs) - 1)
        return np.where(self._pairs[place] == asked, place, -1)

    def usd_between(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the amounts of the guarantees of some parties for others; 0 where there is none."""
        return np.asarray(np.r_[self.usd, 0.0][self.place_of(start, end)])


def received_usd(guarantees: Guarantees) -> NDArray[np.float64]:
    """Return the sum for which each node is guaranteed."""
    received = np.zeros(guarantees.node_count)
    np.add.at(received, guarantees.end, guarantees.usd)
    return received


@dataclass(frozen=True)
class Losses:
    """What each guarantor would pay if one party defaulted: pairs, sorted by guarantor, then by who defaults."""

    guarantor: NDArray[np.int64]
    defaulter: NDArray[np.int64]
    usd: NDArray[np.float64]


def losses_in_two_steps(
    guarantees: Guarantees, nodes: NDArray[np.int64], left_out: NDArray[np.bool_] | None = None
) -> Iterator[Losses]:
    """Return what guarantors would pay if one party defaulted and its other guarantors then failed too.

    A guarantor pays what it guarantees for the party itself. For each other guarantor of the party that it guarantees,
    it pays what that one would have to pay, at most the amount of its guarantee. The losses come in pieces, all of one
    guarantor together.

    Args:
        guarantees: guarantees in force.
        nodes: the guarantors.
        left_out: guarantees that are not followed to a second step; none if not given.
    """
    counts = np.diff(guarantees.first)
    onward = counts[guarantees.end] if left_out is None else np.where(left_out, 0, counts[guarantees.end])
    work = np.bincount(guarantees.start, onward, guarantees.node_count)
    for some in batches(nodes, (work + counts)[nodes]):
        direct = spans(guarantees.first[some], counts[some])
        then = spans(guarantees.first[guarantees.end[direct]], onward[direct])
        over = np.repeat(direct, onward[direct])
        start, end = guarantees.start[over], guarantees.end[then]
        passed_on = np.minimum(guarantees.usd[over], guarantees.usd[then])
        other = start != end
        (guarantor, defaulter), usd = pair_sums(
            np.r_[guarantees.start[direct], start[other]],
            np.r_[guarantees.end[direct], end[other]],
            np.r_[guarantees.usd[direct], passed_on[other]],
        )
        yield Losses(guarantor, defaulter, usd)


def worst_loss_one_step(guarantees: Guarantees) -> NDArray[np.float64]:
    """Return what each node would pay at most if one party that it guarantees defaulted."""
    worst = np.zeros(guarantees.node_count)
    np.maximum.at(worst, guarantees.start, guarantees.usd)
    return worst


def worst_loss_two_steps(guarantees: Guarantees) -> NDArray[np.float64]:
    """Return what each node would pay at most if one party defaulted, and its other guarantors after it.

    The party with the most guarantees of its own, among those that a node guarantees, is not followed client by client:
    for those reached over it alone, its largest guarantee decides. So clients of one guarantor that guarantee it back
    are never paired with each other.
    """
    worst, hub = np.zeros(guarantees.node_count), _widest(guarantees)
    is_hub = np.zeros(len(guarantees.start), dtype=np.bool_)
    is_hub[hub[hub >= 0]] = True
    for losses in losses_in_two_steps(guarantees, np.unique(guarantees.start), is_hub):
        over = hub[losses.guarantor]
        passed_on = np.minimum(guarantees.usd[over], guarantees.usd_between(guarantees.end[over], losses.defaulter))
        np.maximum.at(worst, losses.guarantor, losses.usd + passed_on)
    over = hub[hub >= 0]
    largest = _largest_for_others(guarantees, over)
    np.maximum.at(worst, guarantees.start[over], np.minimum(guarantees.usd[over], largest))
    return worst


def _widest(guarantees: Guarantees) -> NDArray[np.int64]:
    """Return the place of each node's guarantee for the party that gives the most guarantees; -1 without any."""
    widest = np.full(guarantees.node_count, -1, dtype=np.int64)
    order = np.argsort(np.diff(guarantees.first)[guarantees.end], kind="stable")
    widest[guarantees.start[order]] = order
    return widest


def _largest_for_others(guarantees: Guarantees, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return, for some guarantees, the largest that the guaranteed party gives to anybody but its guarantor."""
    order = np.lexsort((guarantees.usd, guarantees.start))
    end, usd = np.r_[guarantees.end[order], -1], np.r_[guarantees.usd[order], 0.0]
    last, count = guarantees.first[guarantees.end[places] + 1] - 1, np.diff(guarantees.first)[guarantees.end[places]]
    # Places before the first belong to another party: the one added at the end, of amount 0, stands for none.
    best, second = np.where(count > 0, last, -1), np.where(count > 1, last - 1, -1)
    return np.asarray(np.where(end[best] == guarantees.start[places], usd[second], usd[best]))


def expected_loss(
    guarantees: Guarantees, is_known: NDArray[np.bool_], usual: NDArray[np.float64], *, steps: int
) -> NDArray[np.float64]:
    """Return what each node has to expect to pay for others, by the chance that each of them defaults.

    A default that is known is certain; any other party defaults with the usual rate. In one step a guarantor pays
    what it guarantees for the party; in two steps also what the other guarantors that it guarantees would have to pay
    for the party, as in :func:`losses_in_two_steps`.

    Args:
        guarantees: guarantees in force.
        is_known: whether the default of each node is known.
        usual: for each node, the rate of default among others than itself.
        steps: 1 or 2.
    """
    parts = np.rint(guarantees.usd * PARTS_OF_USD).astype(np.int64)
    known, every = np.zeros(guarantees.node_count, np.int64), np.zeros(guarantees.node_count, np.int64)
    np.add.at(known, guarantees.start, parts * is_known[guarantees.end])
    np.add.at(every, guarantees.start, parts)
    if steps > 1:
        np.add.at(known, guarantees.start, _passed_on(guarantees, parts, is_known.astype(np.int64)))
        np.add.at(every, guarantees.start, _passed_on(guarantees, parts, np.ones(guarantees.node_count, np.int64)))
    return np.asarray((known + usual * (every - known)) / PARTS_OF_USD)


def _passed_on(guarantees: Guarantees, parts: NDArray[np.int64], weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what each guarantee passes on of those its party gives: the sum of the smaller amount of the two.

    The guarantees of one party are sorted by amount once; all that ask for a limit between them are sorted in. What is
    below counts with its amount, what is above with the limit.
    """
    count = len(parts)
    asks = np.r_[np.zeros(count, np.int64), np.ones(count, np.int64)]
    party, amount = np.r_[guarantees.start, guarantees.end], np.r_[parts, parts]
    order = np.lexsort((asks, amount, party))
    given = order < count
    own = np.where(given, weight[guarantees.end[np.where(given, order, 0)]], 0)
    below = np.r_[0, np.cumsum(own * amount[order])]
    number = np.r_[0, np.cumsum(own)]
    begins = np.searchsorted(party[order], np.arange(guarantees.node_count + 1))
    at = np.flatnonzero(~given)
    asked, limit, of = order[at] - count, amount[order[at]], party[order[at]]
    smaller = below[at] - below[begins[of]] + limit * (number[begins[of + 1]] - number[at])
    found = np.zeros(count, np.int64)
    found[asked] = smaller
    back = np.rint(guarantees.usd_between(guarantees.end, guarantees.start) * PARTS_OF_USD).astype(np.int64)
    return found - weight[guarantees.start] * np.minimum(parts, back)
