"""The links in force around a seller as a networkx graph of their rows, for the paths behind a signal.

The signals are computed for all sellers at once, on matrices. Here one seller's neighbourhood is walked with networkx,
on the same nodes and the same rows in force, so that a path never uses a row that the signal did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from data_contracts.entities.party_matches import PARTY_MATCH
from features.graph.edges import HOLDER_LINKS, links_by_row
from features.graph.paths import SAME_FIRM, Hub, Path, Tie

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from features.graph.edges import LinkRows
    from features.graph.snapshot import Snapshot


@dataclass(frozen=True)
class Network:
    """The links in force, as a graph of their rows.

    Attributes:
        snapshot: tables and date.
        names: name of each node: the seller's id, or the pseudonym of a party.
        ties: the graph of links that make a relation; each edge has its ``tie``.
        guarantees: the directed graph of guarantees, with the ``tie`` of each.
        started: by seller node, the ties that began, hubs included.
        hubs: by seller node, the ties that are left out because they lead to a service of many sellers.
    """

    snapshot: Snapshot
    names: Mapping[int, str]
    ties: nx.MultiGraph[int]
    guarantees: nx.MultiDiGraph[int]
    started: Mapping[int, tuple[Tie, ...]]
    hubs: Mapping[int, tuple[Hub, ...]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> Network:
        """Return the links in force as of the date of a snapshot."""
        tables = snapshot.tables
        rows = links_by_row(
            tables["party"], tables["party_link"], snapshot.as_of, snapshot.settings, tables.get(PARTY_MATCH)
        )
        shown = rows.table.to_pylist()
        names = names_of(rows, shown)
        ties: nx.MultiGraph[int] = nx.MultiGraph()
        guarantees: nx.MultiDiGraph[int] = nx.MultiDiGraph()
        users = _sellers_of_hubs(rows)
        started: dict[int, tuple[Tie, ...]] = {}
        hubs: dict[int, tuple[Hub, ...]] = {}
        # In an order of its own, so that among paths of equal length the order of rows decides nothing.
        for place in sorted(range(len(shown)), key=lambda at: _order(shown[at])):
            row = shown[place]
            company, other = int(rows.company[place]), int(rows.other[place])
            tie = tie_of(row, names[int(rows.start[place])], names[int(rows.end[place])])
            if rows.is_guarantee[place]:
                guarantees.add_edge(int(rows.start[place]), int(rows.end[place]), tie=tie)
            elif rows.is_kept[place]:
                ties.add_edge(company, other, tie=tie, company=company)
            if rows.is_started[place]:
                started[company] = (*started.get(company, ()), tie)
            if rows.is_started[place] and not rows.is_kept[place]:
                hubs[company] = (*hubs.get(company, ()), Hub(tie, len(users[other])))
        for left, right in rows.one_firm.tolist():
            ties.add_edge(left, right, tie=Tie(names[left], names[right], SAME_FIRM), company=left)
        return cls(snapshot, names, ties, guarantees, started, hubs)

    @cached_property
    def neighbours(self) -> nx.Graph[int]:
        """The graph of links that make a relation, each pair once."""
        return nx.Graph(self.ties)

    @cached_property
    def related_sellers(self) -> nx.Graph[int]:
        """The graph of sellers that are directly related."""
        found: nx.Graph[int] = nx.from_scipy_sparse_array(self.snapshot.related.sorted_indices())
        return found

    @cached_property
    def guarantors(self) -> nx.DiGraph[int]:
        """The directed graph of guarantees, each pair once."""
        found: nx.DiGraph[int] = nx.DiGraph(self.guarantees.edges())
        return found

    def node_of(self, seller: str) -> int | None:
        """Return the node of a seller; None if the registry does not contain it."""
        found = np.flatnonzero(self.snapshot.graph.sellers == seller)
        return int(found[0]) if len(found) else None

    def is_seller(self, node: int) -> bool:
        """Return whether a node is a seller."""
        return node < len(self.snapshot.graph.sellers)

    def between(self, first: int, second: int) -> tuple[Tie, ...]:
        """Return the links between two nodes."""
        if not self.ties.has_edge(first, second):
            return ()
        return tuple(data["tie"] for data in self.ties[first][second].values())

    def related(self, node: int) -> Iterator[Path]:
        """Return the paths to directly related sellers: one link, or two over a shared holder or attribute."""
        if node not in self.ties:
            return
        for near in self.ties[node]:
            if self.is_seller(near):
                yield from (Path((tie,), self.names[near]) for tie in self.between(node, near))
                continue
            yield from self._over(node, near)

    def _of_company(self, company: int, other: int) -> tuple[Tie, ...]:
        """Return the links in which the first is the company and the second its holder or attribute."""
        found = self.ties[company][other].values()
        return tuple(data["tie"] for data in found if data["company"] == company)

    def _over(self, node: int, shared: int) -> Iterator[Path]:
        for far in self.ties[shared]:
            if far == node or not self.is_seller(far):
                continue
            for here in self._of_company(node, shared):
                for there in self._of_company(far, shared):
                    # Who owns one seller and is the address of another shares nothing.
                    if (here.link_type in HOLDER_LINKS) == (there.link_type in HOLDER_LINKS):
                        yield Path((here, there), self.names[far])


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    ends = (row["from_party_id"], row["to_party_id"], str(row["link_type"]))
    return *ends, row["valid_from"], str(row["source_file"]), row["source_row"] or 0


def names_of(rows: LinkRows, shown: list[dict[str, Any]]) -> dict[int, str]:
    """Return the name of each node that the shown rows name: the first of its ids, if several are one firm."""
    names: dict[int, str] = {}
    for place, row in enumerate(shown):
        for node, party in ((int(rows.start[place]), row["from_party_id"]), (int(rows.end[place]), row["to_party_id"])):
            names[node] = min(names.get(node, party), party)
    return {**names, **{node: str(seller) for node, seller in enumerate(rows.sellers.tolist())}}


def tie_of(row: dict[str, Any], start: str, end: str) -> Tie:
    """Return a row of ``party_link`` as a link between two names."""
    return Tie(
        start,
        end,
        str(row["link_type"]),
        amount_usd=None if row["amount_usd"] is None else float(row["amount_usd"]),
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        known_at=row["known_at"],
        source_file=row["source_file"],
        source_row=row["source_row"],
    )


def _sellers_of_hubs(rows: LinkRows) -> Mapping[int, set[int]]:
    """Return the sellers that are linked to each node of a link that is left out."""
    users: dict[int, set[int]] = {int(node): set() for node in rows.other[rows.is_started & ~rows.is_kept]}
    for company, other, is_guarantee in zip(rows.company, rows.other, rows.is_guarantee, strict=True):
        for node, seller in ((int(other), int(company)), (int(company), int(other))):
            if node in users and seller < len(rows.sellers) and not is_guarantee:
                users[node].add(seller)
    return users
