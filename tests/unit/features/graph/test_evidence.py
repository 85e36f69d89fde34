"""The paths behind a graph signal: they exist in the rows, and they are there when the signal is."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings

from data_contracts.definition.compiler import table_contract
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings
from features.graph.evidence import Evidence, PathFinder
from features.graph.path_words import Language, hub_in_words, path_in_words
from features.graph.paths import SAME_FIRM, Tie
from features.graph.signals import SIGNALS
from features.graph.snapshot import Snapshot
from features.record import GraphFeature
from tests.factories.canonical_tables import canonical_tables
from tests.unit.features.graph.related_worlds import DAY, SELLERS, related_worlds
from tests.unit.features.graph.test_graph_equals_networkx import RECORDS, snapshot

# A signal over all relations has a path where it has a value: a mean or a count may be zero, and an excess below zero.
EXCESSES = {"related_known_default_excess", "counterparty_default_excess"}
OVER_RELATIONS = {"related_mean", "group_lender_count", *EXCESSES}
COUNTED = sorted(set(SIGNALS) - OVER_RELATIONS)


def evidence(record: GraphFeature, graph: Snapshot, seller: str) -> Evidence:
    return PathFinder(graph).evidence(record, seller)


@settings(max_examples=20, deadline=None)
@given(tables=related_worlds)
def test_a_signal_has_a_path_exactly_when_it_is_above_zero(tables: dict[str, list[dict[str, Any]]]) -> None:
    rows = tables.pop("party_link")
    graph = snapshot(rows, **tables)
    for signal in COUNTED:
        record = RECORDS[signal]
        values = SIGNALS[signal](graph, record).of(SELLERS)
        found = [len(evidence(record, graph, seller).paths) > 0 for seller in SELLERS]
        assert found == (values > 0).tolist(), signal
    for signal in sorted(EXCESSES):
        record = RECORDS[signal]
        values = SIGNALS[signal](graph, record).of(SELLERS)
        above = [seller for seller, value in zip(SELLERS, values, strict=True) if value > 0]
        assert all(evidence(record, graph, seller).paths for seller in above), signal


@settings(max_examples=20, deadline=None)
@given(tables=related_worlds)
def test_every_link_of_a_path_is_a_row_known_by_the_date_and_each_joins_the_next(
    tables: dict[str, list[dict[str, Any]]],
) -> None:
    rows = tables.pop("party_link")
    graph = snapshot(rows, **tables)
    visible = {
        (row["source_file"], row["source_row"]): row
        for name in (*tables, "party_link")
        for row in graph.as_of.visible(graph.tables[name]).to_pylist()
    }
    for signal in SIGNALS:
        for seller in SELLERS:
            for path in evidence(RECORDS[signal], graph, seller).paths:
                for tie in path.ties:
                    assert_states(visible[str(tie.source_file), int(tie.source_row or 0)], tie, signal)
                ends = [{tie.start, tie.end} for tie in path.ties]
                assert seller in ends[0]
                assert all(first & second for first, second in pairwise(ends))
                assert path.reaches is None or path.reaches in ends[-1]


def assert_states(row: dict[str, Any], tie: Tie, signal: str) -> None:
    """Check that a row states a link, and that a link in force had not ended by the date."""
    assert (row["event_date"], row["known_at"]) == (tie.valid_from, tie.known_at)
    if "link_type" not in row:
        thing = row.get("device_id") or row.get("asset_id") or row.get("counterparty_id")
        assert (row["seller_id"], thing) == (tie.start, tie.end)
        return
    sellers = {f"P{seller[1:]}": seller for seller in SELLERS}
    ends = tuple(sellers.get(row[end], row[end]) for end in ("from_party_id", "to_party_id"))
    assert (*ends, row["link_type"]) == (tie.start, tie.end, tie.link_type)
    is_in_force = row["valid_to"] is None or row["valid_to"] > DAY
    assert signal == "link_churn_count" or is_in_force == (signal != "ended_link_count")


def linked(*rows: tuple[str, str, str], **more: list[dict[str, Any]]) -> Snapshot:
    parties = [{"party_id": f"P{number}", "seller_id": f"S{number}"} for number in range(4)]
    ties = [
        {"from_party_id": start, "to_party_id": end, "link_type": kind, "valid_from": "2023-02-01", "amount_usd": 500}
        for start, end, kind in rows
    ]
    return Snapshot(canonical_tables(party=parties, party_link=ties, **more), AsOf(DAY), GraphSettings(hub_sellers=3))


def test_a_circle_of_guarantees_is_told_in_its_order() -> None:
    graph = linked(("P0", "P1", "guarantee"), ("P1", "P2", "guarantee"), ("P2", "P0", "guarantee"))
    (path,) = evidence(RECORDS["guarantee_cycle_flag"], graph, "S0").paths
    assert [(tie.start, tie.end) for tie in path.ties] == [("S0", "S1"), ("S1", "S2"), ("S2", "S0")]
    english, chinese = path_in_words(path, "en"), path_in_words(path, "zh")
    assert english.startswith("S0 guarantees S1 for 500 USD since 2023-02-01 (party_link.csv, row 1); S1 guarantees S2")
    assert chinese.startswith("S0为S1提供担保，金额500美元，自2023-02-01起（party_link.csv，第1行）；S1为S2")


def test_a_known_default_is_reached_over_the_owner_in_common() -> None:
    overdue = [{"seller_id": "S1", "loan_id": "L", "entry_type": "due", "event_date": "2024-01-01"}]
    graph = linked(("owner-1", "P0", "owner"), ("owner-1", "P1", "owner"), ("P2", "desk", "address"), repayment=overdue)
    (path,) = evidence(RECORDS["related_known_default_excess"], graph, "S0").paths
    assert (path.reaches, path.default_date) == ("S1", dt.date(2024, 3, 31))
    assert path_in_words(path, "en").endswith("; S1 in default since 2024-03-31")
    assert evidence(RECORDS["related_known_default_excess"], graph, "S2").paths == ()


def test_a_link_that_is_known_later_is_no_evidence_yet() -> None:
    graph = linked(("P0", "desk", "address"), ("P1", "desk", "address"))
    earlier = Snapshot(graph.tables, AsOf(dt.date(2023, 1, 31)), graph.settings)
    assert len(evidence(RECORDS["shared_attribute_count"], graph, "S0").paths) == 1
    assert evidence(RECORDS["shared_attribute_count"], earlier, "S0").paths == ()


def test_a_desk_of_many_sellers_is_a_service_and_no_evidence() -> None:
    graph = linked(*((f"P{number}", "desk", "address") for number in range(4)))
    found = evidence(RECORDS["shared_attribute_count"], graph, "S0")
    assert found.paths == ()
    (hub,) = found.hubs
    assert (hub.tie.end, hub.sellers) == ("desk", 4)
    assert hub_in_words(hub, "en").endswith("; left out, because it serves 4 sellers and makes no relation")
    assert "服务4家卖家" in hub_in_words(hub, "zh")
    assert evidence(RECORDS["new_link_count"], graph, "S0").hubs == ()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_type_of_link_has_words(language: Language) -> None:
    rules = {rule.column: rule.arguments.values for rule in table_contract("party_link").rules if rule.arguments.values}
    for kind in rules["link_type"]:
        graph = linked(("P0", "P1", kind))
        signal = "guarantee_given_usd" if kind == "guarantee" else "related_group_seller_count"
        (path,) = evidence(RECORDS[signal], graph, "S0").paths
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


def test_every_signal_tells_its_own_links() -> None:
    graph = linked(
        ("P0", "P1", "guarantee"), ("P1", "P0", "guarantee"), ("P0", "desk", "address"), ("P1", "desk", "address"),
        ("P1", "phone", "phone"), ("P2", "phone", "phone"),
        repayment=[{"seller_id": "S2", "loan_id": "L", "entry_type": "due", "event_date": "2024-03-01"}],
        login_event=[{"seller_id": f"S{number}", "device_id": "d1", "event_date": "2024-06-01"} for number in (0, 3)],
        pledge=[
            {"seller_id": f"S{number}", "asset_id": "a1", "lender_id": f"L{number}", "entry_type": "pledged",
             "asset_type": "receivable", "event_date": "2024-06-02"} for number in (0, 1)
        ],
    )  # fmt: skip

    def told(signal: str, seller: str = "S0") -> list[str]:
        return [path_in_words(path, "en") for path in evidence(RECORDS[signal], graph, seller).paths]

    mutual = ["S0 guarantees S1 for 500 USD since 2023-02-01 (party_link.csv, row 1)",
              "S1 guarantees S0 for 500 USD since 2023-02-01 (party_link.csv, row 2)"]  # fmt: skip
    assert told("guarantee_received_usd") == mutual[1:]
    assert told("contagion_loss_one_step") == told("contagion_loss_two_steps") == mutual[:1]
    assert sorted(told("guarantee_core")) == mutual
    assert told("guarantee_circle_size") == ["; ".join(mutual)]
    assert told("risk_event_decay") == []
    assert told("risk_event_decay", "S1")[0].endswith("; S2 late by 121 days")
    (way,) = told("default_pagerank")
    assert [part.split(" for 500")[0].split(" since")[0] for part in way.split("; ")] == [
        "S0 uses the address desk",
        "S1 uses the address desk",
        "S1 uses the telephone number phone",
        "S2 uses the telephone number phone",
        "S2 in default",
    ]
    (shared,) = told("shared_device_seller_count")
    assert shared == (
        "S0 logged in from the device d1 on 2024-06-01 (login_event.csv, row 1); "
        "S3 logged in from the device d1 on 2024-06-01 (login_event.csv, row 2)"
    )
    (collision,) = told("receivable_collision_count")
    assert collision == (
        "S0 pledged a1 to lender L0 on 2024-06-02 (pledge.csv, row 1); "
        "S1 pledged a1 to lender L1 on 2024-06-02 (pledge.csv, row 2)"
    )


def test_a_link_that_ended_is_told_with_its_last_day() -> None:
    graph = linked(("P0", "desk", "address"))
    table = graph.tables["party_link"]
    ends = pa.array([dt.date(2024, 6, 1)] * table.num_rows, pa.date32())
    changed = table.set_column(table.column_names.index("valid_to"), "valid_to", ends)
    graph = Snapshot({**graph.tables, "party_link": changed}, graph.as_of, graph.settings)
    (path,) = evidence(RECORDS["ended_link_count"], graph, "S0").paths
    assert "since 2023-02-01 until 2024-06-01" in path_in_words(path, "en")
    assert "自2023-02-01起，至2024-06-01止" in path_in_words(path, "zh")


@pytest.mark.parametrize(
    ("signal", "table", "rows"),
    [
        ("shared_device_seller_count", "login_event", {"device_id": "thing"}),
        ("counterparty_shared_share", "trade_invoice", {"counterparty_id": "thing", "direction": "purchase"}),
    ],
)
def test_a_device_or_partner_of_many_is_named_as_left_out(signal: str, table: str, rows: dict[str, Any]) -> None:
    users = [{**rows, "seller_id": f"S{number}", "event_date": "2024-06-01"} for number in range(4)]
    record = RECORDS[signal].model_copy(update={"side": rows.get("direction")})
    for most, paths, hubs in ((3, 0, 1), (4, 3, 0)):
        graph = linked(("P0", "desk", "address"), **{table: users})
        limits = GraphSettings(hub_sellers=most, counterparty_hub_sellers=most)
        found = evidence(record, Snapshot(graph.tables, graph.as_of, limits), "S0")
        assert (len(found.paths), [(hub.tie.end, hub.sellers) for hub in found.hubs]) == (paths, [("thing", 4)] * hubs)
