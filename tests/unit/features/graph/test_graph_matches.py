"""One firm under two spellings is one node: only where a match is believed, and only as long as it is."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.entities.matching import Override
from data_contracts.errors import ConfigurationRefused
from features.cut import Cut
from features.graph.edges import GraphSettings
from features.graph.groups import related_components
from features.graph.matches import PARTY_MATCH, PARTY_MATCH_SCHEMA, believed_pairs, party_matches
from features.graph.signals import SIGNALS, Snapshot
from features.spec import feature_records
from tests.factories.canonical_tables import canonical_tables

DAY = dt.date(2024, 6, 30)
BEFORE, AFTER = (dt.datetime(2024, month, 1, tzinfo=dt.UTC) for month in (1, 12))
RECORDS = {record.signal: record for record in feature_records() if record.kind == "graph"}
PARTIES = [{"party_id": f"P{number}", "seller_id": f"S{number}"} for number in range(3)]
# S0 and S1 are owned by one holding, which the register writes in two ways.
LINKS = [
    {"from_party_id": "holding", "to_party_id": "P0", "link_type": "owner"},
    {"from_party_id": "holding, Ltd.", "to_party_id": "P1", "link_type": "owner"},
]


def match(left: str, right: str, **cells: object) -> dict[str, Any]:
    row = {"left_party_id": left, "right_party_id": right, "score": 0.98, "is_accepted": True, "reason": "made"}
    times = {"event_date": BEFORE.date(), "known_at": BEFORE, "recorded_at": BEFORE}
    return {**row, "decided_by": "rules", **times, **cells}


def matches(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=PARTY_MATCH_SCHEMA)


HOLDING = match("holding", "holding, Ltd.")


def group_sizes(table: pa.Table | None, links: list[dict[str, Any]], least: float | None = 0.95) -> list[float]:
    """How many others are in the group of each of the three sellers."""
    tables = canonical_tables(party=PARTIES, party_link=links)
    if table is not None:
        tables[PARTY_MATCH] = table
    snapshot = Snapshot(tables, Cut(DAY), GraphSettings(same_from_score=least))
    signal = "related_group_seller_count"
    found: list[float] = SIGNALS[signal](snapshot, RECORDS[signal]).of(["S0", "S1", "S2"]).tolist()
    return found


def test_a_holder_under_two_spellings_ties_its_sellers_once_the_match_is_believed() -> None:
    assert group_sizes(None, LINKS) == [0, 0, 0]
    assert group_sizes(matches(HOLDING), LINKS) == [1, 1, 0]


@pytest.mark.parametrize(
    ("table", "least"),
    [
        (matches(HOLDING), None),
        (matches(HOLDING), 0.99),
        (matches({**HOLDING, "is_accepted": False}), 0.95),
        (matches({**HOLDING, "known_at": AFTER}), 0.95),
        (matches({**HOLDING, "superseded_at": BEFORE, "superseded_recorded_at": BEFORE}), 0.95),
        (matches(), 0.95),
    ],
    ids=["switched off", "too unlike", "rejected", "known later", "taken back", "no match"],
)
def test_a_match_that_is_not_believed_changes_nothing(table: pa.Table, least: float | None) -> None:
    assert group_sizes(table, LINKS, least) == [0, 0, 0]


def test_a_reviewers_word_counts_whatever_the_score() -> None:
    assert group_sizes(matches({**HOLDING, "score": 0.1, "decided_by": "reviewer"}), LINKS, 0.99) == [1, 1, 0]


def test_a_match_taken_back_later_still_held_on_the_day() -> None:
    taken_back = {"superseded_at": AFTER, "superseded_recorded_at": AFTER}
    assert group_sizes(matches({**HOLDING, **taken_back}), LINKS) == [1, 1, 0]


def test_two_sellers_that_are_one_firm_stay_two_nodes_with_a_tie() -> None:
    assert group_sizes(matches(match("P0", "P2")), []) == [1, 0, 1]
    tables = canonical_tables(party=PARTIES)
    graph = Snapshot(
        {**tables, PARTY_MATCH: matches(match("P0", "P2"))}, Cut(DAY), GraphSettings(same_from_score=0.9)
    ).graph
    assert graph.related.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]


def test_an_outside_party_that_is_a_seller_makes_its_links_the_sellers() -> None:
    links = [{"from_party_id": "P2 abroad", "to_party_id": "P0", "link_type": "owner"}]
    assert group_sizes(matches(match("P2", "P2 abroad")), links) == [1, 0, 1]


def test_splits_know_all_matches_not_taken_back() -> None:
    tables = canonical_tables(party=PARTIES, party_link=LINKS)
    chosen = GraphSettings(same_from_score=0.95)
    known_late = matches({**HOLDING, "known_at": AFTER})
    found = related_components({**tables, PARTY_MATCH: known_late}, ["S0", "S1"], settings=chosen)
    assert found["component_id"].to_pylist() == ["S0", "S0"]
    taken_back = matches({**HOLDING, "superseded_at": AFTER, "superseded_recorded_at": AFTER})
    found = related_components({**tables, PARTY_MATCH: taken_back}, ["S0", "S1"], settings=chosen)
    assert found["component_id"].to_pylist() == ["S0", "S1"]


ids = st.sampled_from(["P0", "P1", "P2", "holding", "holding, Ltd.", "x", "y"])


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(ids, ids), max_size=8), order=st.randoms(use_true_random=False))
def test_matches_in_any_order_and_direction_give_one_graph_and_only_ever_join(
    pairs: list[tuple[str, str]], order: random.Random
) -> None:
    rows = [match(left, right) for left, right in pairs]
    mixed = [match(right, left) for left, right in order.sample(pairs, len(pairs))]
    sizes = group_sizes(matches(*rows), LINKS)
    assert group_sizes(matches(*mixed), LINKS) == sizes
    assert all(more >= less for more, less in zip(sizes, group_sizes(None, LINKS), strict=True))


NAMES = [
    ("a", "深圳市华锐贸易有限公司", BEFORE),
    ("b", "Shenzhen Huarui Trading Co., Ltd.", AFTER),
    ("c", "宁波市华锐贸易有限公司", BEFORE),
]


def names(rows: list[tuple[str, str, dt.datetime]]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table(dict(zip(("party_id", "name", "known_at"), map(list, columns), strict=True)))


def test_one_firm_in_two_scripts_is_matched_from_when_both_names_were_known() -> None:
    found = {
        (row["left_party_id"], row["right_party_id"]): row for row in party_matches(names(NAMES), AFTER).to_pylist()
    }
    assert found["a", "b"]["is_accepted"]
    assert found["a", "b"]["known_at"] == AFTER
    assert not found["a", "c"]["is_accepted"]
    assert "regions differ" in found["a", "c"]["reason"]


def test_several_names_of_one_party_match_others_and_not_itself() -> None:
    both = names([("a", NAMES[0][1], BEFORE), ("a", NAMES[1][1], BEFORE), ("z", NAMES[1][1], BEFORE)])
    table = party_matches(both, BEFORE)
    assert [(row["left_party_id"], row["right_party_id"]) for row in table.to_pylist()] == [("a", "z")]
    assert believed_pairs(table, Cut(DAY), 0.95).num_rows == 1


def test_a_reviewer_who_keeps_two_apart_is_obeyed() -> None:
    apart = Override("b", "a", is_same=False, reviewer="reviewer 1", note="two firms")
    table = party_matches(names(NAMES), AFTER, overrides=[apart])
    (row,) = [row for row in table.to_pylist() if row["right_party_id"] == "b"]
    assert (row["is_accepted"], row["decided_by"]) == (False, "reviewer 1")
    with pytest.raises(ConfigurationRefused, match="unknown party"):
        party_matches(names(NAMES), AFTER, overrides=[Override("a", "nobody", is_same=True, reviewer="r", note="")])
