"""Why a seller has a value of a graph signal: the paths behind it, each a chain of rows of canonical tables."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Final

import networkx as nx
import numpy as np

from data_contracts.entities.party_matches import PARTY_MATCH
from features.graph.edges import HOLDER_LINKS, ended, read_links
from features.graph.guarantees import losses_in_two_steps
from features.graph.network import Network, names_of, tie_of
from features.graph.paths import Hub, Path
from features.graph.row_evidence import PARTNER_DEFAULTS, USE_FINDERS, Uses, collisions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from features.graph.paths import Tie
    from features.graph.snapshot import Snapshot
    from features.record import GraphFeature

LONGEST_CIRCLE: Final = 4
COLLISIONS: Final = "receivable_collision_count"


@dataclass(frozen=True)
class Evidence:
    """What is behind a seller's value of a signal.

    Attributes:
        paths: the paths of links, shortest first; none if nothing is behind it.
        hubs: links of the seller that were left out, because they lead to a service of many sellers.
    """

    paths: tuple[Path, ...] = ()
    hubs: tuple[Hub, ...] = ()


@dataclass(frozen=True)
class PathFinder:
    """Finder of the paths behind the signals of many sellers; it reads the rows of its snapshot once.

    Attributes:
        snapshot: tables and date.
        uses: what was read for signals over logins and trading partners, by feature.
    """

    snapshot: Snapshot
    uses: dict[str, Uses] = field(default_factory=dict, repr=False)

    @cached_property
    def network(self) -> Network:
        """The links in force."""
        return Network.of(self.snapshot)

    def evidence(self, record: GraphFeature, seller: str) -> Evidence:
        """Return the paths behind a seller's value of a feature and the hubs that were left out."""
        if record.signal == COLLISIONS:
            return Evidence(_in_order(collisions(self.snapshot, seller)))
        if record.signal in USE_FINDERS:
            if record.name not in self.uses:
                self.uses[record.name] = Uses.of(self.snapshot, record)
            uses = self.uses[record.name]
            paths = USE_FINDERS[record.signal](uses, seller)
            if record.signal == PARTNER_DEFAULTS:
                paths = _to_defaults(self.snapshot, paths)
            return Evidence(_in_order(paths), tuple(uses.services(seller)))
        node = self.network.node_of(seller)
        if node is None:
            return Evidence()
        hubs = () if record.signal in _WITHOUT_HUBS else self.network.hubs.get(node, ())
        return Evidence(_in_order(_FINDERS[record.signal](self.network, node, record)), hubs)


def _in_order(paths: Iterator[Path]) -> tuple[Path, ...]:
    """Return each path once, the shortest first; the order of rows does not matter."""
    return tuple(dict.fromkeys(sorted(paths, key=_place)))


def _place(path: Path) -> tuple[Any, ...]:
    ties = [
        (tie.end, tie.start, tie.link_type, str(tie.valid_from), tie.source_file or "", tie.source_row or 0)
        for tie in path.ties
    ]
    return len(path.ties), path.reaches or "", ties


def _shared(network: Network, node: int, *, holders: bool) -> Iterator[Path]:
    for path in network.related(node):
        if len(path.ties) > 1 and (path.ties[0].link_type in HOLDER_LINKS) == holders:
            yield path


def _group(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    if node not in network.ties:
        return
    for far, nodes in nx.single_source_shortest_path(network.neighbours, node).items():
        if far != node and network.is_seller(far):
            ties = tuple(network.between(first, second)[0] for first, second in pairwise(nodes))
            yield Path(ties, network.names[far])


def _defaults(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    return _to_defaults(network.snapshot, network.related(node))


def _to_defaults(snapshot: Snapshot, paths: Iterator[Path]) -> Iterator[Path]:
    """Return the paths to sellers whose default is known, with its day."""
    for path in paths:
        if path.reaches is not None and path.reaches in snapshot.default_days:
            yield replace(path, default_date=snapshot.default_days[path.reaches])


def _in_debt(network: Network, node: int, record: GraphFeature) -> Iterator[Path]:
    """Return the paths to the sellers of the group that owe on a loan."""
    balances = network.snapshot.loan_balances
    owing = frozenset(balances.sellers[balances.values > 0].tolist())
    return (path for path in _group(network, node, record) if path.reaches in owing)


def _late_events(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    events = network.snapshot.late_events
    days_late = dict(zip(events.sellers.tolist(), events.days_late.tolist(), strict=True))
    for path in network.related(node):
        if path.reaches in days_late:
            yield replace(path, days_late=days_late[path.reaches])


def _near_defaults(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    """Return a shortest path over relations to every other seller in default that a walk can reach."""
    snapshot = network.snapshot
    if not snapshot.nearness_to_defaults[node] > 0:
        return
    for far, nodes in nx.single_source_shortest_path(network.related_sellers, node).items():
        if far != node and snapshot.has_defaulted[far]:
            steps = pairwise(nodes)
            ties = tuple(tie for first, second in steps for tie in _relation(network, first, second))
            name = network.names[far]
            yield Path(ties, name, default_date=snapshot.default_days[name])


def _relation(network: Network, first: int, second: int) -> tuple[Tie, ...]:
    """Return the shortest way from a seller to a directly related one."""
    ways = [path.ties for path in network.related(first) if path.reaches == network.names[second]]
    return min(ways, key=len)


def _guarantees_given(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    if node in network.guarantees:
        for _start, end, data in network.guarantees.out_edges(node, data=True):
            if data["tie"].amount_usd:
                yield Path((data["tie"],), network.names[end] if network.is_seller(end) else None)


def _guarantees_received(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    if node in network.guarantees:
        for start, _end, data in network.guarantees.in_edges(node, data=True):
            if data["tie"].amount_usd and start != node:
                yield Path((data["tie"],), network.names[start] if network.is_seller(start) else None)


def _circles(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    """Return the circles of guarantees through the seller.

    Only the part from which every node leads back to the seller can hold one, so the search stays within it.
    """
    if node not in network.guarantees:
        return
    simple: Any = network.guarantors
    back = nx.ancestors(simple, node) & nx.descendants(simple, node) | {node}
    for cycle in nx.simple_cycles(simple.subgraph(back), length_bound=LONGEST_CIRCLE):
        if node in cycle and len(cycle) > 1:
            start = cycle.index(node)
            steps = pairwise([*cycle[start:], *cycle[:start], node])
            ties = tuple(next(iter(network.guarantees[first][second].values()))["tie"] for first, second in steps)
            yield Path(ties, network.names[node])


def _longest_circles(network: Network, node: int, record: GraphFeature) -> Iterator[Path]:
    circles = list(_circles(network, node, record))
    longest = max((len(path.ties) for path in circles), default=0)
    yield from (path for path in circles if len(path.ties) == longest)


def _core(network: Network, node: int, _: GraphFeature) -> Iterator[Path]:
    """Return the guarantees between the seller and the other members of the densest core that it belongs to."""
    core = network.snapshot.guarantee_cores
    if core[node] == 0:
        return
    for near in {*network.guarantors.predecessors(node), *network.guarantors.successors(node)}:
        if near != node and core[near] >= core[node]:
            for start, end in ((node, near), (near, node)):
                for tie in _guarantees(network, start, end):
                    yield Path((tie,), network.names[near] if network.is_seller(near) else None)


def _guarantees(network: Network, start: int, end: int) -> list[Tie]:
    if not network.guarantees.has_edge(start, end):
        return []
    return [data["tie"] for data in network.guarantees[start][end].values()]


def _worst_default(network: Network, node: int, *, steps: int) -> Iterator[Path]:
    """Return the guarantees that the seller would have to pay after the default that costs it most."""
    guarantees = network.snapshot.guarantees
    own = slice(guarantees.first[node], guarantees.first[node + 1])
    defaulter, usd = guarantees.end[own], guarantees.usd[own]
    if steps > 1:
        for losses in losses_in_two_steps(guarantees, np.asarray([node])):
            defaulter, usd = losses.defaulter, losses.usd
    if not usd.any():
        return
    worst = int(defaulter[np.argmax(usd)])
    reaches = network.names[worst] if network.is_seller(worst) else None
    yield from (Path((tie,), reaches) for tie in _with_amount(network, node, worst))
    for middle in dict.fromkeys(guarantees.end[own].tolist()) if steps > 1 else ():
        if middle != worst:
            chains = product(_with_amount(network, node, middle), _with_amount(network, middle, worst))
            yield from (Path(chain, reaches) for chain in chains)


def _expected_losses(network: Network, node: int, *, steps: int) -> Iterator[Path]:
    """Return the guarantees that the seller has to expect to pay, by the party whose default would call them."""
    for middle in _guaranteed(network, node):
        chains = [(tie,) for tie in _with_amount(network, node, middle)]
        yield from _called(network, node, middle, chains)
        for far in _guaranteed(network, middle) if steps > 1 and chains else ():
            if far != node:
                both = product(_with_amount(network, node, middle), _with_amount(network, middle, far))
                yield from _called(network, node, far, both)


def _called(network: Network, node: int, far: int, chains: Iterable[tuple[Tie, ...]]) -> Iterator[Path]:
    """Return chains of guarantees to a party, if its default is known or anybody may default."""
    snapshot = network.snapshot
    name = network.names[far] if network.is_seller(far) else None
    day = None if name is None else snapshot.default_days.get(name)
    if day is not None or snapshot.usual_default_rate[node] > 0:
        yield from (Path(chain, name, default_date=day) for chain in chains)


def _guaranteed(network: Network, node: int) -> list[int]:
    """Return the parties other than itself that a party guarantees."""
    return [end for end in network.guarantors.successors(node) if end != node] if node in network.guarantors else []


def _with_amount(network: Network, start: int, end: int) -> list[Tie]:
    return [tie for tie in _guarantees(network, start, end) if tie.amount_usd]


def _new_links(network: Network, node: int, record: GraphFeature) -> Iterator[Path]:
    today = np.datetime64(network.snapshot.as_of.day)
    for tie in network.started.get(node, ()):
        age = (today - np.datetime64(tie.valid_from)).astype(int)
        if record.window_days is None or age < record.window_days:
            yield Path((tie,), None)


def _ended_links(network: Network, node: int, record: GraphFeature) -> Iterator[Path]:
    snapshot, tables = network.snapshot, network.snapshot.tables
    shown = ended(tables["party_link"], snapshot.as_of, record.window_days)
    links = read_links(tables["party"], shown, snapshot.as_of, snapshot.settings, tables.get(PARTY_MATCH))
    rows = shown.to_pylist()
    names = names_of(links, rows)
    for place in np.flatnonzero(links.is_started & (links.company == node)).tolist():
        ends = (names[int(links.start[place])], names[int(links.end[place])])
        yield Path((tie_of(rows[place], *ends),), None)


def _changed_links(network: Network, node: int, record: GraphFeature) -> Iterator[Path]:
    yield from _new_links(network, node, record)
    yield from _ended_links(network, node, record)


# Signals that no hub is left out of.
_WITHOUT_HUBS: Final = frozenset(
    {"guarantee_given_usd", "guarantee_received_usd", "guarantee_cycle_flag", "guarantee_circle_size", "guarantee_core",
     "contagion_loss_one_step", "contagion_loss_two_steps", "new_link_count", "ended_link_count", "link_churn_count",
     "contagion_expected_loss_one_step", "contagion_expected_loss_two_steps"}
)  # fmt: skip
_FINDERS: Mapping[str, Callable[[Network, int, GraphFeature], Iterator[Path]]] = {
    "related_group_seller_count": _group,
    "group_loan_balance": _in_debt,
    "shared_attribute_count": lambda network, node, _: _shared(network, node, holders=False),
    "shared_holder_count": lambda network, node, _: _shared(network, node, holders=True),
    "related_known_default_excess": _defaults,
    "risk_event_decay": _late_events,
    "default_pagerank": _near_defaults,
    "related_mean": lambda network, node, _: network.related(node),
    "group_lender_count": lambda network, node, _: network.related(node),
    "guarantee_given_usd": _guarantees_given,
    "guarantee_received_usd": _guarantees_received,
    "guarantee_cycle_flag": _circles,
    "guarantee_circle_size": _longest_circles,
    "guarantee_core": _core,
    "contagion_loss_one_step": lambda network, node, _: _worst_default(network, node, steps=1),
    "contagion_loss_two_steps": lambda network, node, _: _worst_default(network, node, steps=2),
    "contagion_expected_loss_one_step": lambda network, node, _: _expected_losses(network, node, steps=1),
    "contagion_expected_loss_two_steps": lambda network, node, _: _expected_losses(network, node, steps=2),
    "new_link_count": _new_links,
    "link_churn_count": _changed_links,
    "ended_link_count": _ended_links,
}
