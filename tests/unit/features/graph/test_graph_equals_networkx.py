"""The vectorised signals equal those of networkx and plain sets on small random graphs."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import feature_records
from features.engine.as_of import AsOf
from features.graph.counterparties import Partners, overlaps
from features.graph.edges import GraphSettings
from features.graph.groups import related_components
from features.graph.signals import SIGNALS
from features.graph.snapshot import Snapshot
from tests.factories.canonical_tables import canonical_table, canonical_tables
from tests.unit.features.graph.related_worlds import COMPANIES, DAY, HUB, OUTSIDE, SELLERS, links

RECORDS = {record.signal: record for record in feature_records() if record.kind == "graph"}


def snapshot(rows: list[dict[str, Any]], **more: list[dict[str, Any]]) -> Snapshot:
    parties = [{"party_id": company, "seller_id": f"S{company[1:]}"} for company in COMPANIES]
    return Snapshot(canonical_tables(party=parties, party_link=rows, **more), AsOf(DAY), GraphSettings(hub_sellers=HUB))


def values(graph: Snapshot, signal: str) -> list[float]:
    return SIGNALS[signal](graph, RECORDS[signal]).of(SELLERS).tolist()


def ties(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (company, other, kind) of every link that is not a guarantee, without hubs."""
    found = set()
    for row in rows:
        ends = (row["from_party_id"], row["to_party_id"])
        company, other = ends[::-1] if row["link_type"] in {"owner", "director"} else ends
        if row["link_type"] != "guarantee" and company != other:
            found.add((company, other, row["link_type"]))
    neighbours: dict[str, set[str]] = {}
    for company, other, _ in found:
        neighbours.setdefault(company, set()).add(other)
        neighbours.setdefault(other, set()).add(company)
    hubs = {node for node in OUTSIDE if len(neighbours.get(node, set()) & set(COMPANIES)) > HUB}
    return [tie for tie in found if not hubs & set(tie[:2])]


@settings(max_examples=80, deadline=None)
@given(rows=links)
def test_groups_are_the_components_of_networkx(rows: list[dict[str, Any]]) -> None:
    graph = nx.Graph([(company, other) for company, other, _ in ties(rows)])
    graph.add_nodes_from(COMPANIES)
    expected = [float(len(nx.node_connected_component(graph, company) & set(COMPANIES)) - 1) for company in COMPANIES]
    assert values(snapshot(rows), "related_group_seller_count") == expected


@settings(max_examples=40, deadline=None)
@given(rows=links)
def test_groups_for_splits_also_hold_guarantees_together(rows: list[dict[str, Any]]) -> None:
    graph = nx.Graph([(company, other) for company, other, _ in ties(rows)])
    graph.add_edges_from((row["from_party_id"], row["to_party_id"]) for row in rows if row["link_type"] == "guarantee")
    graph.add_nodes_from(COMPANIES)
    tables = snapshot(rows).tables
    found = related_components(tables, SELLERS, DAY, GraphSettings(hub_sellers=HUB))
    expected = ["S" + min(nx.node_connected_component(graph, company) & set(COMPANIES))[1:] for company in COMPANIES]
    assert found["component_id"].to_pylist() == expected


@settings(max_examples=80, deadline=None)
@given(rows=links)
def test_guarantee_circles_are_the_short_cycles_of_networkx(rows: list[dict[str, Any]]) -> None:
    pairs = [(row["from_party_id"], row["to_party_id"]) for row in rows if row["link_type"] == "guarantee"]
    graph = nx.DiGraph([pair for pair in pairs if pair[0] != pair[1]])
    on_cycle = {node for cycle in nx.simple_cycles(graph, length_bound=4) for node in cycle}
    assert values(snapshot(rows), "guarantee_cycle_flag") == [float(company in on_cycle) for company in COMPANIES]


@settings(max_examples=80, deadline=None)
@given(rows=links)
def test_shared_attributes_and_holders_equal_plain_sets(rows: list[dict[str, Any]]) -> None:
    graph = snapshot(rows)
    for signal, kinds in (
        ("shared_attribute_count", {"address", "phone"}),
        ("shared_holder_count", {"owner", "director"}),
    ):
        users: dict[str, set[str]] = {}
        for company, other, kind in ties(rows):
            if kind in kinds and company in COMPANIES and other in OUTSIDE:
                users.setdefault(other, set()).add(company)
        expected = [float(sum(len(who) > 1 and company in who for who in users.values())) for company in COMPANIES]
        assert values(graph, signal) == expected


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(rows=links, defaulted=st.sets(st.sampled_from(SELLERS), max_size=4))
def test_default_excess_equals_plain_counting(rows: list[dict[str, Any]], defaulted: set[str]) -> None:
    overdue = [
        {"seller_id": seller, "loan_id": seller, "entry_type": "due", "event_date": "2024-01-01"}
        for seller in defaulted
    ]
    found = values(snapshot(rows, repayment=overdue), "related_known_default_excess")
    related = related_sellers(rows)
    for seller, value in zip(SELLERS, found, strict=True):
        others = [each in defaulted for each in SELLERS if each != seller]
        near = [each in defaulted for each in related[seller]]
        expected = (sum(near) - len(near) * np.mean(others)) / (len(near) + GraphSettings().prior_strength)
        assert value == pytest.approx(expected, abs=1e-12)


def related_sellers(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return sellers that share a holder, share an attribute, or hold one another."""
    related: dict[str, set[str]] = {seller: set() for seller in SELLERS}
    found = [(company, other, kind in {"owner", "director"}) for company, other, kind in ties(rows)]
    for company, other, held in found:
        mates = {c for c, o, h in found if o == other and h == held and other in OUTSIDE} | {other}
        for mate in (mates - {company}) & set(COMPANIES):
            if company in COMPANIES:
                related[f"S{company[1:]}"].add(f"S{mate[1:]}")
                related[f"S{mate[1:]}"].add(f"S{company[1:]}")
    return related


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.sets(st.tuples(st.sampled_from(SELLERS), st.sampled_from(["c1", "c2", "c3", "c4", "c5"])), max_size=20),
    hub=st.integers(1, 5),
)
def test_overlap_of_partners_equals_plain_sets(pairs: set[tuple[str, str]], hub: int) -> None:
    invoices = canonical_table(
        "trade_invoice", [{"seller_id": s, "counterparty_id": c, "direction": "sale"} for s, c in sorted(pairs)]
    )
    found = overlaps(Partners.of(invoices["seller_id"], invoices["counterparty_id"], hub))
    partners = {seller: {c for s, c in pairs if s == seller} for seller in found.sellers.tolist()}
    popular = {c for _, c in pairs if sum(other == c for _, other in pairs) > hub}
    for place, seller in enumerate(found.sellers.tolist()):
        mine = partners[seller] - popular
        theirs = [partners[other] - popular for other in partners if other != seller]
        common = set().union(*theirs) & mine if theirs else set()
        assert found.similar_sellers[place] == sum(len(mine & other) >= 2 for other in theirs)
        assert found.closest[place] == max((len(mine & o) / len(mine | o) for o in theirs if mine | o), default=0.0)
        assert found.shared_share[place] == len(common) / len(partners[seller])
