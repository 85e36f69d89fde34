"""The paths behind a graph signal: they exist in the rows, and they are there when the signal is."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from data_contracts.definition.compiler import table_contract
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings
from features.graph.evidence import SAME_FIRM, evidence
from features.graph.path_words import Language, path_in_words
from features.graph.signals import SIGNALS, Snapshot
from tests.factories.canonical_tables import canonical_tables
from tests.unit.features.graph.test_graph_equals_networkx import DAY, RECORDS, SELLERS, links, snapshot

COUNTED = (
    "related_group_seller_count",
    "shared_attribute_count",
    "shared_holder_count",
    "guarantee_cycle_flag",
    "new_link_count",
)


@settings(max_examples=60, deadline=None)
@given(rows=links)
def test_a_signal_has_a_path_exactly_when_it_is_above_zero(rows: list[dict[str, Any]]) -> None:
    graph = snapshot(rows)
    for signal in COUNTED:
        record = RECORDS[signal]
        values = SIGNALS[signal](graph, record).of(SELLERS)
        found = [len(evidence(record, graph, seller)) > 0 for seller in SELLERS]
        assert found == (values > 0).tolist(), signal


@settings(max_examples=60, deadline=None)
@given(rows=links)
def test_every_link_of_a_path_is_a_row_and_each_joins_the_next(rows: list[dict[str, Any]]) -> None:
    graph = snapshot(rows)
    table = graph.tables["party_link"].to_pylist()
    sellers = {f"P{seller[1:]}": seller for seller in SELLERS}
    stated = {
        (sellers.get(row["from_party_id"], row["from_party_id"]), sellers.get(row["to_party_id"], row["to_party_id"]),
         row["link_type"], row["source_row"])
        for row in table
    }  # fmt: skip
    for signal in COUNTED:
        for seller in SELLERS:
            for path in evidence(RECORDS[signal], graph, seller):
                assert all((tie.start, tie.end, tie.link_type, tie.source_row) in stated for tie in path.ties)
                ends = [{tie.start, tie.end} for tie in path.ties]
                assert seller in ends[0]
                assert all(first & second for first, second in pairwise(ends))
                assert path.reaches is None or path.reaches in ends[-1]


def linked(*rows: tuple[str, str, str], **more: list[dict[str, Any]]) -> Snapshot:
    parties = [{"party_id": f"P{number}", "seller_id": f"S{number}"} for number in range(4)]
    ties = [
        {"from_party_id": start, "to_party_id": end, "link_type": kind, "valid_from": "2023-02-01", "amount_usd": 500}
        for start, end, kind in rows
    ]
    return Snapshot(canonical_tables(party=parties, party_link=ties, **more), AsOf(DAY), GraphSettings(hub_sellers=3))


def test_a_circle_of_guarantees_is_told_in_its_order() -> None:
    graph = linked(("P0", "P1", "guarantee"), ("P1", "P2", "guarantee"), ("P2", "P0", "guarantee"))
    (path,) = evidence(RECORDS["guarantee_cycle_flag"], graph, "S0")
    assert [(tie.start, tie.end) for tie in path.ties] == [("S0", "S1"), ("S1", "S2"), ("S2", "S0")]
    english, chinese = path_in_words(path, "en"), path_in_words(path, "zh")
    assert english.startswith("S0 guarantees S1 for 500 USD since 2023-02-01 (party_link.csv, row 1); S1 guarantees S2")
    assert chinese.startswith("S0为S1提供担保，金额500美元，自2023-02-01起（party_link.csv，第1行）；S1为S2")


def test_a_known_default_is_reached_over_the_owner_in_common() -> None:
    overdue = [{"seller_id": "S1", "loan_id": "L", "entry_type": "due", "event_date": "2024-01-01"}]
    graph = linked(("owner-1", "P0", "owner"), ("owner-1", "P1", "owner"), ("P2", "desk", "address"), repayment=overdue)
    (path,) = evidence(RECORDS["related_known_default_excess"], graph, "S0")
    assert (path.reaches, path.default_date) == ("S1", dt.date(2024, 3, 31))
    assert path_in_words(path, "en").endswith("; S1 in default since 2024-03-31")
    assert evidence(RECORDS["related_known_default_excess"], graph, "S2") == ()


def test_a_link_that_is_known_later_is_no_evidence_yet() -> None:
    graph = linked(("P0", "desk", "address"), ("P1", "desk", "address"))
    earlier = Snapshot(graph.tables, AsOf(dt.date(2023, 1, 31)), graph.settings)
    assert len(evidence(RECORDS["shared_attribute_count"], graph, "S0")) == 1
    assert evidence(RECORDS["shared_attribute_count"], earlier, "S0") == ()


def test_a_desk_of_many_sellers_is_a_service_and_no_evidence() -> None:
    graph = linked(*((f"P{number}", "desk", "address") for number in range(4)))
    assert evidence(RECORDS["shared_attribute_count"], graph, "S0") == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_type_of_link_has_words(language: Language) -> None:
    rules = {rule.column: rule.arguments.values for rule in table_contract("party_link").rules if rule.arguments.values}
    for kind in rules["link_type"]:
        graph = linked(("P0", "P1", kind))
        signal = "guarantee_given_usd" if kind == "guarantee" else "related_group_seller_count"
        (path,) = evidence(RECORDS[signal], graph, "S0")
        assert "S1" in path_in_words(path, language)
    assert SAME_FIRM not in rules["link_type"]


@pytest.mark.parametrize("answers", [False, True])
def test_a_guarantor_of_thousands_takes_memory_in_proportion(answers: bool) -> None:
    def peak(clients: int) -> int:
        out = [("hub", f"c{number}") for number in range(clients)]
        back = [(f"c{number}", f"d{number}") for number in range(clients)] + [(f"d{n}", "hub") for n in range(clients)]
        rows = [
            {"from_party_id": start, "to_party_id": end, "link_type": "guarantee", "valid_from": "2023-02-01"}
            for start, end in [*out, *(back if answers else [])]
        ]
        graph = Snapshot(canonical_tables(party=[], party_link=rows), AsOf(DAY), GraphSettings())
        assert len(graph.graph.guarantees) == len(rows)
        tracemalloc.start()
        SIGNALS["guarantee_cycle_flag"](graph, RECORDS["guarantee_cycle_flag"])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    small, large = peak(500), peak(2000)
    assert large < 8 * small
    assert large < 32 * 2**20
