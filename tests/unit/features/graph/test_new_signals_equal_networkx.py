"""Guarantees, late payments, defaults, devices and pledges of relations equal networkx and plain loops."""

from __future__ import annotations

import datetime as dt
import math
import tracemalloc
from itertools import permutations
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.engine.as_of import AsOf
from features.graph.circles import circle_sizes
from features.graph.edges import GraphSettings, Matrix, incidence
from features.graph.guarantees import Guarantees, worst_loss_two_steps
from features.graph.signals import SIGNALS
from features.graph.snapshot import Snapshot
from features.graph.walks import default_walks
from tests.factories.canonical_tables import canonical_tables
from tests.unit.features.graph.related_worlds import COMPANIES, DAY, HUB, SELLERS, links
from tests.unit.features.graph.test_graph_equals_networkx import RECORDS, related_sellers, snapshot, ties, values

guarantees = st.lists(
    st.fixed_dictionaries(
        {
            "from_party_id": st.sampled_from([*COMPANIES, "holding"]),
            "to_party_id": st.sampled_from([*COMPANIES, "holding"]),
            "link_type": st.just("guarantee"),
            "amount_usd": st.one_of(st.none(), st.integers(0, 1000)),
        }
    ),
    max_size=25,
)


def network(rows: list[dict[str, Any]]) -> nx.DiGraph[str]:
    """Return the guarantees of a pair added up, none of a party for itself."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(COMPANIES)
    for row in rows:
        start, end = row["from_party_id"], row["to_party_id"]
        if start != end and row["link_type"] == "guarantee":
            before = graph.edges[start, end]["usd"] if graph.has_edge(start, end) else 0.0
            graph.add_edge(start, end, usd=before + float(row["amount_usd"] or 0))
    return graph


@settings(max_examples=100, deadline=None)
@given(rows=guarantees)
def test_the_longest_circle_is_that_of_networkx(rows: list[dict[str, Any]]) -> None:
    cycles = list(nx.simple_cycles(network(rows), length_bound=4))
    expected = [float(max((len(c) for c in cycles if company in c), default=0)) for company in COMPANIES]
    assert values(snapshot(rows), "guarantee_circle_size") == expected


@settings(max_examples=100, deadline=None)
@given(rows=guarantees)
def test_the_core_is_what_remains_when_loosely_tied_parties_leave(rows: list[dict[str, Any]]) -> None:
    def core(company: str) -> float:
        for k in range(len(COMPANIES), 0, -1):
            left = nx.Graph(network(rows))
            while loose := [node for node, degree in left.degree if degree < k]:
                left.remove_nodes_from(loose)
            if company in left:
                return float(k)
        return 0.0

    assert values(snapshot(rows), "guarantee_core") == [core(company) for company in COMPANIES]


@settings(max_examples=100, deadline=None)
@given(rows=guarantees)
def test_losses_and_guarantees_received_are_those_of_the_pairs(rows: list[dict[str, Any]]) -> None:
    graph, found = network(rows), snapshot(rows)

    def usd(start: str, end: str) -> float:
        return float(graph.edges[start, end]["usd"]) if graph.has_edge(start, end) else 0.0

    def loss(seller: str, defaulter: str) -> float:
        between = [node for node in graph if node not in {seller, defaulter}]
        return usd(seller, defaulter) + sum(min(usd(seller, node), usd(node, defaulter)) for node in between)

    others = {company: [node for node in graph if node != company] for company in COMPANIES}
    received = [sum(usd(node, company) for node in others[company]) for company in COMPANIES]
    one = [max((usd(company, node) for node in others[company]), default=0.0) for company in COMPANIES]
    two = [max((loss(company, node) for node in others[company]), default=0.0) for company in COMPANIES]
    assert values(found, "guarantee_received_usd") == received
    assert values(found, "contagion_loss_one_step") == one
    assert values(found, "contagion_loss_two_steps") == two


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14), defaulted=st.sets(st.integers(0, 7))
)
def test_nearness_to_defaults_is_the_personalised_pagerank_of_each_other_defaulter(
    pairs: set[tuple[int, int]], defaulted: set[int]
) -> None:
    graph: nx.Graph[int] = nx.Graph(pair for pair in pairs if pair[0] != pair[1])
    graph.add_nodes_from(range(8))
    has_defaulted = np.isin(np.arange(8), list(defaulted))
    expected = np.zeros(8)
    for seed in defaulted:
        time = nx.pagerank(graph, alpha=0.85, personalization={seed: 1}, tol=1e-13, max_iter=1000)
        for node in set(graph) - {seed}:
            expected[node] += time[node] / max(graph.degree[node], 1)
    assert default_walks(symmetric(graph, 8), has_defaulted, 0.85) == pytest.approx(expected, abs=1e-10)


def symmetric(graph: nx.Graph[int], size: int) -> Matrix:
    pairs = np.asarray([*graph.edges, *((end, start) for start, end in graph.edges)], dtype=np.int64).reshape(-1, 2)
    return incidence(pairs[:, 0], pairs[:, 1], (size, size))


def test_more_defaults_nearby_count_more_and_more_relations_without_one_count_less() -> None:
    def nearness(edges: list[tuple[int, int]], defaulted: list[int]) -> float:
        return float(default_walks(symmetric(nx.Graph(edges), 6), np.isin(np.arange(6), defaulted), 0.85)[0])

    alone = nearness([(0, 1)], [1])
    assert alone == pytest.approx(0.85 / 1.85)
    assert nearness([(0, 1), (0, 2)], [1, 2]) > nearness([(0, 1), (0, 2)], [1])
    assert nearness([(0, 1), (0, 2), (0, 3), (0, 4)], [1]) < nearness([(0, 1), (0, 2)], [1]) < alone
    assert nearness([(0, 1)], [0]) == 0


late = st.lists(
    st.tuples(st.sampled_from(SELLERS), st.integers(-30, 500), st.one_of(st.none(), st.integers(-5, 150))), max_size=8
)


@settings(max_examples=40, deadline=None)
@given(rows=links, payments=late)
def test_late_payments_of_relations_are_weighed_by_their_age(
    rows: list[dict[str, Any]], payments: list[tuple[str, int, int | None]]
) -> None:
    repayment, weights = [], dict.fromkeys(SELLERS, 0.0)
    for number, (seller, due_before, delay) in enumerate(payments):
        due, loan = DAY - dt.timedelta(days=due_before), {"seller_id": seller, "loan_id": f"L{number}"}
        repayment.append({**loan, "entry_type": "due", "event_date": due, "known_at": "2020-01-01"})
        is_paid = delay is not None and due_before >= delay
        if delay is not None:
            repayment.append({**loan, "entry_type": "paid", "event_date": due + dt.timedelta(days=delay)})
        days_late = delay if is_paid and delay is not None else due_before
        if days_late > 0:
            weight = min(days_late / 90, 1) * math.exp(-(due_before - days_late) / 365)
            weights[seller] = max(weights[seller], weight)
    related = related_sellers(rows)
    expected = [sum(weights[near] for near in related[seller]) for seller in SELLERS]
    assert values(snapshot(rows, repayment=repayment), "risk_event_decay") == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(rows=links, ages=st.lists(st.integers(-5, 120), min_size=25, max_size=25))
def test_links_ended_are_those_of_the_window(rows: list[dict[str, Any]], ages: list[int]) -> None:
    dated = [{**row, "valid_to": DAY - dt.timedelta(days=age)} for row, age in zip(rows, ages, strict=False)]
    record = RECORDS["ended_link_count"]
    found = SIGNALS["ended_link_count"](snapshot(dated), record).of(SELLERS).tolist()
    expected = dict.fromkeys(COMPANIES, 0.0)
    for row, age in zip(rows, ages, strict=False):
        ends = (row["from_party_id"], row["to_party_id"])
        company, other = ends[::-1] if row["link_type"] in {"owner", "director"} else ends
        if company in expected and company != other and row["link_type"] != "guarantee" and 0 <= age < 90:
            expected[company] += 1
    assert found == list(expected.values())


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.sampled_from(SELLERS), st.sampled_from(["d1", "d2", "d3", None]), st.integers(0, 1),
                  st.integers(-3, 100)),
        max_size=20,
    )
)  # fmt: skip
def test_sellers_on_the_same_devices_equal_plain_sets(events: list[tuple[str, str | None, int, int]]) -> None:
    rows = [
        {"seller_id": seller, "device_id": device, "login_count": count, "event_date": DAY - dt.timedelta(days=age)}
        for seller, device, count, age in events
    ]
    users: dict[str, set[str]] = {}
    for seller, device, count, age in events:
        if device is not None and count and 0 <= age < 90:
            users.setdefault(device, set()).add(seller)
    mates = {
        seller: set().union(*(who for who in users.values() if seller in who and len(who) <= HUB)) - {seller}
        for seller in set().union(*users.values())
    }
    found = values(snapshot([], login_event=rows), "shared_device_seller_count")
    assert found == pytest.approx([len(mates[s]) if s in mates else math.nan for s in SELLERS], nan_ok=True)


pledges = st.lists(
    st.fixed_dictionaries(
        {
            "seller_id": st.sampled_from(SELLERS),
            "asset_id": st.sampled_from(["a1", "a2"]),
            "lender_id": st.sampled_from(["L1", "L2", "L3"]),
            "entry_type": st.sampled_from(["pledged", "pledged", "released"]),
            "asset_type": st.sampled_from(["receivable", "receivable", "equipment"]),
            "event_date": st.integers(-2, 60).map(lambda age: DAY - dt.timedelta(days=age)),
        }
    ),
    max_size=14,
    unique_by=lambda row: (row["seller_id"], row["asset_id"], row["lender_id"], row["event_date"]),
)


@settings(max_examples=80, deadline=None)
@given(rows=links, entries=pledges)
def test_assets_pledged_twice_within_a_group_equal_plain_loops(
    rows: list[dict[str, Any]], entries: list[dict[str, Any]]
) -> None:
    graph = nx.Graph([(company, other) for company, other, _ in ties(rows)])
    graph.add_nodes_from(COMPANIES)
    in_force: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in sorted(entries, key=lambda row: row["event_date"]):
        if row["event_date"] <= DAY:
            in_force[row["seller_id"], row["asset_id"], row["lender_id"]] = row
    held = {
        key for key, row in in_force.items() if row["entry_type"] == "pledged" and row["asset_type"] == "receivable"
    }
    expected = []
    for seller in SELLERS:
        group = {f"S{company[1:]}" for company in nx.node_connected_component(graph, f"P{seller[1:]}")}
        own = {asset for who, asset, _ in held if who == seller}
        lenders = {asset: {lender for who, a, lender in held if a == asset and who in group} for asset in own}
        expected.append(float(sum(len(found) > 1 for found in lenders.values())))
    assert values(snapshot(rows, pledge=entries), "receivable_collision_count") == expected


@pytest.mark.parametrize("signal", ["guarantee_circle_size", "contagion_loss_two_steps"])
def test_a_guarantor_whose_thousands_of_clients_guarantee_it_back_takes_memory_in_proportion(signal: str) -> None:
    def peak(clients: int) -> int:
        names = [f"c{number}" for number in range(clients)]
        around = [*zip(names[::3], names[1::3], strict=False)]
        rows = [
            {"from_party_id": start, "to_party_id": end, "link_type": "guarantee", "amount_usd": 5}
            for start, end in [*(("hub", name) for name in names), *((name, "hub") for name in names), *around]
        ]
        graph = Snapshot(canonical_tables(party=[], party_link=rows), AsOf(DAY), GraphSettings())
        assert len(graph.guarantees.start) == len(rows)
        tracemalloc.start()
        SIGNALS[signal](graph, RECORDS[signal])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    small, large = peak(1000), peak(3000)
    # Nine times the pairs of clients, three times the memory.
    assert large < 4 * small
    assert large < 12 * 2**20


def test_the_order_of_rows_changes_no_bit() -> None:
    rows = [
        {"from_party_id": start, "to_party_id": end, "link_type": "guarantee", "amount_usd": f"{number + 1}.0001"}
        for number, (start, end) in enumerate(list(permutations(COMPANIES, 2)) * 2)
    ]
    forward, backward = (snapshot(each).guarantees for each in (rows, rows[::-1]))
    assert isinstance(forward, Guarantees)
    assert worst_loss_two_steps(forward).tolist() == worst_loss_two_steps(backward).tolist()
    assert circle_sizes(forward)[: len(COMPANIES)].tolist() == [4] * len(COMPANIES)
