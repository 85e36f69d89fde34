"""One firm under two spellings is one node only where, and as long as, a match is accepted."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.definition.compiler import table_contract
from data_contracts.entities.party_matches import PARTY_MATCH
from data_contracts.mapping.source_mapping import nullable
from features.build import build_features
from features.catalogue import feature_records, feature_set_names, load_feature_set
from features.engine.as_of import AsOf
from features.graph.edges import GraphSettings
from features.graph.groups import related_components
from features.graph.signals import SIGNALS
from features.graph.snapshot import Snapshot
from tests.factories.canonical_tables import canonical_tables, coverage_rows, observations

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
    return pa.Table.from_pylist(list(rows), schema=nullable(table_contract(PARTY_MATCH).arrow_schema))


HOLDING = match("holding", "holding, Ltd.")


def group_sizes(table: pa.Table | None, links: list[dict[str, Any]], least: float | None = 0.95) -> list[float]:
    """Return the number of others in the group of each of the three sellers."""
    tables = canonical_tables(party=PARTIES, party_link=links)
    if table is not None:
        tables[PARTY_MATCH] = table
    snapshot = Snapshot(tables, AsOf(DAY), GraphSettings(same_from_score=least))
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
        {**tables, PARTY_MATCH: matches(match("P0", "P2"))}, AsOf(DAY), GraphSettings(same_from_score=0.9)
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
def test_matches_in_any_order_and_direction_make_one_graph_and_only_ever_join(
    pairs: list[tuple[str, str]], order: random.Random
) -> None:
    rows = [match(left, right) for left, right in pairs]
    mixed = [match(right, left) for left, right in order.sample(pairs, len(pairs))]
    sizes = group_sizes(matches(*rows), LINKS)
    assert group_sizes(matches(*mixed), LINKS) == sizes
    assert all(more >= less for more, less in zip(sizes, group_sizes(None, LINKS), strict=True))


def set_file(folder: Path, line: str = "") -> str:
    path = folder / "matched.yaml"
    text = (
        "name: matched\nversion: 1.0.0\ndescription: Related parties alone.\nfeatures: [related_group_seller_count]\n"
    )
    path.write_text(text + line, encoding="utf-8")
    return str(path)


def test_a_feature_set_states_whether_matches_count_and_has_another_digest_with_them(tmp_path: Path) -> None:
    coverage = coverage_rows(["S0"], ["party_link"])
    tables = canonical_tables(party=PARTIES, party_link=LINKS, source_coverage=coverage)
    tables[PARTY_MATCH] = matches(HOLDING)
    asked, feature = observations([("S0", DAY.isoformat())]), "related_group_seller_count"
    plain, matched = (load_feature_set(set_file(tmp_path, line)) for line in ("", "same_from_score: 0.95\n"))
    assert plain.digest == replace(matched, same_from_score=None).digest != matched.digest
    found = [build_features(tables, asked, one).table[feature].to_pylist() for one in (plain, matched)]
    assert found == [[0.0], [1.0]]


def test_no_packaged_set_counts_matches() -> None:
    assert {load_feature_set(name).same_from_score for name in feature_set_names()} == {None}
