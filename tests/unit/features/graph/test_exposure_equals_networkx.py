"""Expected losses, exposures, shared partners, dense blocks and churn of ties equal networkx and plain loops."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.engine.as_of import AsOf
from features.graph import circles
from features.graph import guarantees as guarantee_losses
from features.graph.circles import circle_sizes
from features.graph.cores import core_numbers
from features.graph.edges import GraphSettings
from features.graph.guarantees import Guarantees, worst_loss_two_steps
from features.graph.snapshot import Snapshot
from features.graph.walks import default_walks
from tests.factories.canonical_tables import canonical_tables
from tests.unit.features.graph.related_worlds import COMPANIES, DAY, HUB, SELLERS, links
from tests.unit.features.graph.test_graph_equals_networkx import RECORDS, snapshot, ties, values
from tests.unit.features.graph.test_new_signals_equal_networkx import guarantees, network, symmetric

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from numpy.typing import NDArray

PRIOR = GraphSettings().prior_strength
_defaulted = st.sets(st.sampled_from(SELLERS))
_pairs = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40)


def overdue(sellers: set[str]) -> list[dict[str, Any]]:
    return [
        {"seller_id": seller, "loan_id": f"loan of {seller}", "entry_type": "due", "event_date": "2024-01-01"}
        for seller in sorted(sellers)
    ]


@settings(max_examples=200, deadline=None)
@given(pairs=_pairs)
def test_cores_are_those_of_networkx(pairs: set[tuple[int, int]]) -> None:
    ends = np.asarray(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    graph: nx.Graph[int] = nx.Graph(pair for pair in pairs if pair[0] != pair[1])
    graph.add_nodes_from(range(10))
    core = nx.core_number(graph)
    assert core_numbers(ends[:, 0], ends[:, 1], 10).tolist() == [core[node] for node in range(10)]


@settings(max_examples=200, deadline=None)
@given(pairs=_pairs)
def test_circles_among_ten_parties_are_those_of_networkx(pairs: set[tuple[int, int]]) -> None:
    ends = np.asarray(sorted(pair for pair in pairs if pair[0] != pair[1]), dtype=np.int64).reshape(-1, 2)
    cycles = list(nx.simple_cycles(nx.DiGraph(ends.tolist()), length_bound=4))
    expected = [max((len(cycle) for cycle in cycles if node in cycle), default=0) for node in range(10)]
    found = circle_sizes(Guarantees(ends[:, 0], ends[:, 1], np.zeros(len(ends)), 10))
    assert found.tolist() == expected


@settings(max_examples=100, deadline=None)
@given(rows=guarantees, defaulted=_defaulted)
def test_expected_losses_are_the_sums_over_all_parties(rows: list[dict[str, Any]], defaulted: set[str]) -> None:
    graph, found = network(rows), snapshot(rows, repayment=overdue(defaulted))

    def usd(start: str, end: str) -> float:
        return float(graph.edges[start, end]["usd"]) if graph.has_edge(start, end) else 0.0

    def chance(seller: str, party: str) -> float:
        if f"S{party[1:]}" in defaulted:
            return 1.0
        return len(defaulted - {f"S{seller[1:]}"}) / (len(SELLERS) - 1)

    def loss(seller: str, party: str, steps: int) -> float:
        between = [node for node in graph if steps > 1 and node not in {seller, party}]
        return usd(seller, party) + sum(min(usd(seller, node), usd(node, party)) for node in between)

    for steps, signal in ((1, "contagion_expected_loss_one_step"), (2, "contagion_expected_loss_two_steps")):
        expected = [
            sum(chance(seller, party) * loss(seller, party, steps) for party in graph if party != seller)
            for seller in COMPANIES
        ]
        assert values(found, signal) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    rows=links,
    loans=st.lists(
        st.tuples(st.sampled_from(SELLERS), st.integers(1, 900), st.integers(0, 1200), st.integers(-2, 30)), max_size=8
    ),
)
def test_loans_of_a_group_are_those_of_its_other_members(
    rows: list[dict[str, Any]], loans: list[tuple[str, int, int, int]]
) -> None:
    graph = nx.Graph([(company, other) for company, other, _ in ties(rows)])
    graph.add_nodes_from(COMPANIES)
    lent, repayment, owed = [], [], dict.fromkeys(SELLERS, 0)
    for number, (seller, principal, paid, age) in enumerate(loans):
        key, day = {"seller_id": seller, "loan_id": f"L{number}"}, DAY - dt.timedelta(days=age)
        lent.append({**key, "principal_usd": principal, "event_date": "2024-01-01"})
        repayment.append({**key, "entry_type": "paid", "amount_usd": paid, "event_date": day})
        owed[seller] += max(principal - (paid if age >= 0 else 0), 0)
    expected = []
    for seller in SELLERS:
        group = nx.node_connected_component(graph, f"P{seller[1:]}") & set(COMPANIES)
        expected.append(float(sum(owed[f"S{company[1:]}"] for company in group) - owed[seller]))
    assert values(snapshot(rows, loan=lent, repayment=repayment), "group_loan_balance") == expected


@settings(max_examples=60, deadline=None)
@given(rows=links, times=st.lists(st.tuples(st.integers(0, 300), st.integers(-9, 300)), min_size=25, max_size=25))
def test_churn_counts_each_link_that_began_or_ended_once(
    rows: list[dict[str, Any]], times: list[tuple[int, int]]
) -> None:
    dated, expected = [], dict.fromkeys(COMPANIES, 0.0)
    for row, (began, ended) in zip(rows, times, strict=False):
        start = DAY - dt.timedelta(days=began)
        dated.append({**row, "valid_from": start, "event_date": start, "valid_to": DAY - dt.timedelta(days=ended)})
        ends = (row["from_party_id"], row["to_party_id"])
        company, other = ends[::-1] if row["link_type"] in {"owner", "director"} else ends
        is_tie = company in expected and company != other and row["link_type"] != "guarantee"
        is_new = began < 180 and ended < 0
        expected[company] = expected.get(company, 0) + (is_tie and (is_new or 0 <= ended < 180))
    assert values(snapshot(dated), "link_churn_count") == [expected[company] for company in COMPANIES]


_trades = st.lists(st.tuples(st.sampled_from(SELLERS), st.sampled_from([f"c{n}" for n in range(5)])), max_size=22)


def partners(trades: list[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for seller, partner in trades:
        found.setdefault(partner, set()).add(seller)
    return found


def traded(trades: list[tuple[str, str]], **more: list[dict[str, Any]]) -> Snapshot:
    side = RECORDS["counterparty_default_excess"].side
    rows = [
        {"seller_id": seller, "counterparty_id": partner, "direction": side, "event_date": "2024-06-01"}
        for seller, partner in trades
    ]
    limits = GraphSettings(hub_sellers=HUB, counterparty_hub_sellers=HUB)
    return Snapshot(canonical_tables(party=[], party_link=[], trade_invoice=rows, **more), AsOf(DAY), limits)


@settings(max_examples=80, deadline=None)
@given(trades=_trades, defaulted=_defaulted)
def test_defaults_among_sellers_with_shared_partners_equal_plain_loops(
    trades: list[tuple[str, str]], defaulted: set[str]
) -> None:
    users = partners(trades)
    known = sorted(set().union(*users.values()))
    expected = []
    for seller in SELLERS:
        if seller not in known:
            expected.append(math.nan)
            continue
        usual = len((defaulted & set(known)) - {seller}) / max(len(known) - 1, 1)
        excess, weight = 0.0, 0.0
        for who in users.values():
            for other in who - {seller} if seller in who and len(who) <= HUB else ():
                excess += ((other in defaulted) - usual) / (len(who) - 1)
                weight += 1 / (len(who) - 1)
        expected.append(excess / (weight + PRIOR))
    found = values(traded(trades, repayment=overdue(defaulted)), "counterparty_default_excess")
    assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(max_examples=80, deadline=None)
@given(trades=_trades)
def test_blocks_of_sellers_and_partners_are_the_cores_of_networkx(trades: list[tuple[str, str]]) -> None:
    users = partners(trades)
    graph = nx.Graph((s, p) for p, who in users.items() if len(who) <= HUB for s in who)
    core = nx.core_number(graph)
    known = set().union(*users.values())
    expected = [math.nan if s not in known else (core[s] if core.get(s, 0) >= 2 else 0) for s in SELLERS]
    assert values(traded(trades), "counterparty_block_core") == pytest.approx(expected, nan_ok=True)


def test_a_seller_in_default_within_a_group_too_large_has_no_nearness_of_its_own() -> None:
    graph, defaulted = nx.path_graph(6), np.isin(np.arange(6), [0, 1])
    exact = default_walks(symmetric(graph, 6), defaulted, 0.85)
    found = default_walks(symmetric(graph, 6), defaulted, 0.85, largest_group=5)
    assert np.isnan(found).tolist() == defaulted.tolist()
    assert found[2:] == pytest.approx(exact[2:], abs=1e-13)


def test_a_group_has_the_same_nearness_to_the_last_bit_whatever_other_groups_there_are() -> None:
    one = nx.Graph([(0, 1), (1, 2), (2, 0), (2, 3)])
    two = nx.Graph([*one.edges, (4, 5), (5, 6), (6, 7), (5, 7)])
    alone = default_walks(symmetric(one, 4), np.isin(np.arange(4), [0, 3]), 0.85)
    beside = default_walks(symmetric(two, 8), np.isin(np.arange(8), [0, 3, 5, 6, 7]), 0.85)
    assert beside[:4].tolist() == alone.tolist()


@pytest.mark.parametrize(
    ("module", "found"),
    [(circles, circle_sizes), (guarantee_losses, worst_loss_two_steps)],
    ids=["circles", "worst loss"],
)
def test_clients_that_guarantee_their_guarantor_back_are_never_paired(
    module: ModuleType, found: Callable[[Guarantees], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def steps(clients: int) -> int:
        counted, around = [0], np.arange(1, clients + 1)
        pairs = np.concatenate([
            np.column_stack([np.zeros_like(around), around]), np.column_stack([around, np.zeros_like(around)]),
            np.column_stack([around, np.roll(around, 1)]),
        ])  # fmt: skip
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        spans = module.spans

        def counting(first: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
            counted[0] += int(counts.sum())
            return np.asarray(spans(first, counts))

        with monkeypatch.context() as patch:
            patch.setattr(module, "spans", counting)
            found(Guarantees(pairs[:, 0], pairs[:, 1], np.arange(len(pairs)) + 1.0, clients + 1))
        return counted[0]

    assert 0 < steps(300) <= 3.1 * steps(100)
