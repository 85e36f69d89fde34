"""Why a seller has a value of a graph signal: the paths of links behind it, each a chain of rows of ``party_link``.

The signals are computed for all sellers at once, on matrices. Here one seller's neighbourhood is walked with networkx,
on the same nodes and the same rows in force, so that a path never uses a row that the signal did not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import networkx as nx
import numpy as np

from data_contracts.entities.party_matches import PARTY_MATCH
from features.delinquency import default_dates
from features.graph.edges import HOLDER_LINKS, links_by_row

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from features.graph.edges import LinkRows
    from features.graph.signals import Snapshot
    from features.record import GraphFeature

LONGEST_CIRCLE: Final = 4
# A link that is no row: two sellers that are one firm, by their names.
SAME_FIRM: Final = "same_firm"


@dataclass(frozen=True)
class Tie:
    """A link as its row states it.

    Attributes:
        start: who holds, uses or guarantees: the seller's id, or the pseudonym of another party.
        end: who or what is held, used or guaranteed.
        link_type: type of the link.
        amount_usd: amount of a guarantee.
        valid_from: first day of the link.
        source_file: file that states it.
        source_row: row of the file.
    """

    start: str
    end: str
    link_type: str
    amount_usd: float | None = None
    valid_from: dt.date | None = None
    source_file: str | None = None
    source_row: int | None = None


@dataclass(frozen=True)
class Path:
    """A chain of links from the seller to another seller, or back to itself.

    Attributes:
        ties: the links, in the order in which the path takes them.
        reaches: the seller at its end; None for an asset or a party that is no seller.
        default_date: day of the known default of that seller, if the signal is about defaults.
    """

    ties: tuple[Tie, ...]
    reaches: str | None
    default_date: dt.date | None = None


def evidence(record: GraphFeature, snapshot: Snapshot, seller: str) -> tuple[Path, ...]:
    """Return the paths behind a seller's value of a feature, shortest first; none if nothing is behind it.

    A signal over shared suppliers, buyers or consignees has no path, since its rows are invoices and declarations of
    several sellers.
    """
    find = _FINDERS.get(record.signal)
    network = _Network.of(snapshot)
    node = network.node_of(seller)
    if find is None or node is None:
        return ()
    found = sorted(find(network, node, record), key=lambda path: (len(path.ties), path.reaches or "", path.ties[0].end))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class _Network:
    """The links in force, as a graph of their rows.

    Attributes:
        snapshot: tables and date.
        names: name of each node: the seller's id, or the pseudonym of a party.
        ties: the graph of links that make a relation; each edge has its ``tie``.
        guarantees: the directed graph of guarantees, with the ``tie`` of each.
        started: by seller node, the ties that began, hubs included.
    """

    snapshot: Snapshot
    names: Mapping[int, str]
    ties: nx.MultiGraph[int]
    guarantees: nx.MultiDiGraph[int]
    started: Mapping[int, tuple[Tie, ...]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Network:
        tables, as_of = snapshot.tables, snapshot.as_of
        rows = links_by_row(tables["party"], tables["party_link"], as_of, snapshot.settings, tables.get(PARTY_MATCH))
        shown = rows.table.to_pylist()
        names = _names(rows, shown)
        ties: nx.MultiGraph[int] = nx.MultiGraph()
        guarantees: nx.MultiDiGraph[int] = nx.MultiDiGraph()
        started: dict[int, tuple[Tie, ...]] = {}
        for place, row in enumerate(shown):
            company, other = int(rows.company[place]), int(rows.other[place])
            tie = _tie(row, names[int(rows.start[place])], names[int(rows.end[place])])
            if rows.is_guarantee[place]:
                guarantees.add_edge(int(rows.start[place]), int(rows.end[place]), tie=tie)
            elif rows.is_kept[place]:
                ties.add_edge(company, other, tie=tie, company=company)
            if rows.is_started[place]:
                started[company] = (*started.get(company, ()), tie)
        for left, right in rows.one_firm.tolist():
            ties.add_edge(left, right, tie=Tie(names[left], names[right], SAME_FIRM), company=left)
        return cls(snapshot, names, ties, guarantees, started)

    def node_of(self, seller: str) -> int | None:
        """Return the node of a seller; None if the registry does not contain it."""
        return next((node for node, name in self.names.items() if name == seller and self.is_seller(node)), None)

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


def _names(rows: LinkRows, shown: list[dict[str, Any]]) -> dict[int, str]:
    names: dict[int, str] = {}
    for place, row in enumerate(shown):
        names.setdefault(int(rows.start[place]), row["from_party_id"])
        names.setdefault(int(rows.end[place]), row["to_party_id"])
    return {**names, **{node: str(seller) for node, seller in enumerate(rows.sellers.tolist())}}


def _tie(row: dict[str, Any], start: str, end: str) -> Tie:
    amount = None if row["amount_usd"] is None else float(row["amount_usd"])
    origin = (row["valid_from"], row["source_file"], row["source_row"])
    return Tie(start, end, str(row["link_type"]), amount, *origin)


def _shared(network: _Network, node: int, *, holders: bool) -> Iterator[Path]:
    for path in network.related(node):
        if len(path.ties) > 1 and (path.ties[0].link_type in HOLDER_LINKS) == holders:
            yield path


def _group(network: _Network, node: int, _: GraphFeature) -> Iterator[Path]:
    if node not in network.ties:
        return
    for far, nodes in nx.single_source_shortest_path(nx.Graph(network.ties), node).items():
        if far != node and network.is_seller(far):
            ties = tuple(network.between(first, second)[0] for first, second in pairwise(nodes))
            yield Path(ties, network.names[far])


def _defaults(network: _Network, node: int, _: GraphFeature) -> Iterator[Path]:
    as_of = network.snapshot.as_of
    known = default_dates(network.snapshot.tables["repayment"], recorded_until=as_of.recorded_until, as_of=as_of.day)
    dates = dict(zip(known["seller_id"].to_pylist(), known["default_date"].to_pylist(), strict=True))
    for path in network.related(node):
        if path.reaches in dates:
            yield replace(path, default_date=dates[path.reaches])


def _guarantees_given(network: _Network, node: int, _: GraphFeature) -> Iterator[Path]:
    if node in network.guarantees:
        for _start, end, data in network.guarantees.out_edges(node, data=True):
            yield Path((data["tie"],), network.names[end] if network.is_seller(end) else None)


def _circles(network: _Network, node: int, _: GraphFeature) -> Iterator[Path]:
    """Return the circles of guarantees through the seller.

    Only the part from which every node leads back to the seller can hold one, so the search stays within it.
    """
    if node not in network.guarantees:
        return
    simple: Any = nx.DiGraph(network.guarantees.edges())
    back = nx.ancestors(simple, node) & nx.descendants(simple, node) | {node}
    for cycle in nx.simple_cycles(simple.subgraph(back), length_bound=LONGEST_CIRCLE):
        if node in cycle and len(cycle) > 1:
            start = cycle.index(node)
            steps = pairwise([*cycle[start:], *cycle[:start], node])
            ties = tuple(next(iter(network.guarantees[first][second].values()))["tie"] for first, second in steps)
            yield Path(ties, network.names[node])


def _new_links(network: _Network, node: int, record: GraphFeature) -> Iterator[Path]:
    today = np.datetime64(network.snapshot.as_of.day)
    for tie in network.started.get(node, ()):
        age = (today - np.datetime64(tie.valid_from)).astype(int)
        if record.window_days is None or age < record.window_days:
            yield Path((tie,), None)


_FINDERS: Mapping[str, Callable[[_Network, int, GraphFeature], Iterator[Path]]] = {
    "related_group_seller_count": _group,
    "shared_attribute_count": lambda network, node, _: _shared(network, node, holders=False),
    "shared_holder_count": lambda network, node, _: _shared(network, node, holders=True),
    "related_known_default_excess": _defaults,
    "related_mean": lambda network, node, _: network.related(node),
    "group_lender_count": lambda network, node, _: network.related(node),
    "guarantee_given_usd": _guarantees_given,
    "guarantee_cycle_flag": _circles,
    "new_link_count": _new_links,
}
