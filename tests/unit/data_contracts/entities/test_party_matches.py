"""Two spellings of one company are matched once both are known; later data does not change earlier views."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from data_contracts.entities import party_matches as module
from data_contracts.entities.matching import Override
from data_contracts.entities.party_matches import PARTY_MATCH, party_matches
from data_contracts.entities.register_names import LONGEST_NAME, NAME_SCHEMA, company_names
from data_contracts.errors import ConfigurationRefused
from features.engine.as_of import AsOf
from features.graph.matches import believed_pairs
from tests.factories.raw_files import RawFile, cells, entity, ingested, links_file

BEFORE, AFTER = (dt.datetime(2024, month, 1, tzinfo=dt.UTC) for month in (1, 12))
RECORDED = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
CHINESE, ENGLISH, ELSEWHERE = "深圳市华锐贸易有限公司", "Shenzhen Huarui Trading Co., Ltd.", "宁波市华锐贸易有限公司"


def name(party: str, text: str, known_at: dt.datetime = BEFORE, /, **more: str) -> dict[str, Any]:
    place = {"source": "company_links@1.0.0", "source_file": "l.jsonl", "source_sha256": "0" * 64, "source_row": 1}
    return {"party_id": party, "name": text, "known_at": known_at, **place, **more}


def matched(*names: dict[str, Any], overrides: tuple[Override, ...] = ()) -> list[dict[str, Any]]:
    table = pa.Table.from_pylist(list(names), schema=NAME_SCHEMA)
    rows: list[dict[str, Any]] = party_matches(table, RECORDED, overrides=overrides).to_pylist()
    return rows


def pairs(rows: list[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(row["left_party_id"], row["right_party_id"], row["is_accepted"]) for row in rows]


def test_one_company_in_two_scripts_is_matched_once_both_names_are_known() -> None:
    (row,) = matched(name("a", CHINESE), name("b", ENGLISH, AFTER), name("c", ELSEWHERE))
    assert pairs([row]) == [("a", "b", True)]
    assert (row["known_at"], row["recorded_at"], row["method"]) == (AFTER, RECORDED, module.METHOD)
    assert row["reason"] == "same trade name in characters and letters"


def test_a_match_contains_no_names_and_satisfies_its_contract() -> None:
    rows = matched(name("a", CHINESE), name("b", ENGLISH))
    assert not any(text in str(rows) for text in ("华锐", "huarui", "Huarui"))
    table = party_matches(pa.Table.from_pylist([name("a", CHINESE), name("b", ENGLISH)], schema=NAME_SCHEMA), RECORDED)
    checked = check_rows(table, table_contract(PARTY_MATCH))
    assert (checked.accepted.num_rows, checked.quarantined.num_rows) == (1, 0)


def test_several_names_of_one_party_match_other_parties_only() -> None:
    rows = matched(name("a", CHINESE), name("a", ENGLISH), name("z", ENGLISH))
    assert pairs(rows) == [("a", "z", True)]
    assert rows[0]["score"] == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"country": "CN"}, {"country": "US"}, []),
        ({"country": "CN"}, {"country": "CN"}, [("a", "b", True)]),
        ({"country": "CN"}, {}, [("a", "b", True)]),
        ({"identifier_kind": "uscc", "identifier": "1"}, {"identifier_kind": "uscc", "identifier": "2"}, []),
    ],
    ids=["two countries", "one country", "one country unknown", "two numbers"],
)
def test_contradicting_identifiers_keep_equal_names_apart(
    ours: dict[str, str], theirs: dict[str, str], expected: list[tuple[str, str, bool]]
) -> None:
    assert pairs(matched(name("a", ENGLISH, BEFORE, **ours), name("b", ENGLISH, BEFORE, **theirs))) == expected


def test_a_shared_identifier_is_a_match_whatever_the_names() -> None:
    number = {"identifier_kind": "lei", "identifier": "X"}
    (row,) = matched(name("a", ENGLISH, BEFORE, **number), name("b", "Quite Another Ltd", BEFORE, **number))
    assert (row["score"], row["reason"]) == (1.0, "same lei")


def test_a_later_name_withdraws_a_match_from_its_own_date_on() -> None:
    # Without a city the name may be either firm's once the second is known.
    rows = matched(
        name("a", CHINESE), name("b", "华锐贸易有限公司"), name("c", ELSEWHERE, AFTER), name("d", "unlike anything")
    )
    first, second, other = rows
    assert [pairs([row])[0] for row in rows] == [("a", "b", True), ("a", "b", False), ("b", "c", False)]
    assert (first["known_at"], first["superseded_at"], first["superseded_recorded_at"]) == (BEFORE, AFTER, RECORDED)
    assert (second["known_at"], second["row_version"], second["superseded_at"]) == (AFTER, 2, None)
    assert other["reason"].startswith("ambiguous")


def test_a_reviewers_decision_on_two_parties_counts() -> None:
    apart = Override("b", "a", is_same=False, reviewer="reviewer 1", note="two firms")
    (row,) = matched(name("a", CHINESE), name("b", ENGLISH), overrides=(apart,))
    assert (row["is_accepted"], row["decided_by"]) == (False, "reviewer 1")
    same = Override("a", "c", is_same=True, reviewer="reviewer 1", note="moved house")
    assert pairs(matched(name("a", CHINESE), name("c", ELSEWHERE), overrides=(same,))) == [("a", "c", True)]
    with pytest.raises(ConfigurationRefused, match="contradict"):
        matched(
            name("a", CHINESE),
            name("b", ENGLISH),
            overrides=(apart, Override("a", "b", is_same=True, reviewer="r", note="")),
        )
    with pytest.raises(ConfigurationRefused, match="unknown party"):
        matched(name("a", CHINESE), overrides=(Override("a", "nobody", is_same=True, reviewer="r", note=""),))


@pytest.mark.parametrize("count", [3, 6])
def test_no_match_is_accepted_in_a_large_group_of_similar_names(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_GROUP", 4)
    days = [BEFORE + dt.timedelta(days=day) for day in range(count)]
    rows = matched(*(name(f"p{day}", CHINESE, known_at) for day, known_at in enumerate(days)))
    last = [row for row in rows if row["superseded_at"] is None]
    assert last
    assert {row["is_accepted"] for row in last} == {count <= 4}
    assert all(row["is_accepted"] for row in rows if row["known_at"] < days[min(4, count - 1)])


TEXTS = [
    CHINESE,
    ENGLISH,
    ELSEWHERE,
    "华锐贸易有限公司",
    "Huarui Trading",
    "Hua Rui Trading Company",
    "深圳华瑞贸易公司",
]
name_rows = st.lists(
    st.builds(
        lambda party, text, day, country: name(
            party, text, BEFORE + dt.timedelta(days=day), **({"country": country} if country else {})
        ),
        st.sampled_from("abcdef"),
        st.sampled_from(TEXTS),
        st.integers(0, 5),
        st.sampled_from(["", "CN", "US"]),
    ),
    max_size=9,
)


@settings(max_examples=60, deadline=None)
@given(rows=name_rows, day=st.integers(0, 5), order=st.randoms(use_true_random=False))
def test_later_names_and_the_order_of_rows_do_not_change_matches_as_of_a_date(
    rows: list[dict[str, Any]], day: int, order: random.Random
) -> None:
    as_of = (BEFORE + dt.timedelta(days=day)).date()
    known = [row for row in rows if row["known_at"].date() <= as_of]

    def believed(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
        table = party_matches(pa.Table.from_pylist(some, schema=NAME_SCHEMA), RECORDED)
        found: list[dict[str, Any]] = believed_pairs(table, AsOf(as_of), 0.5).to_pylist()
        return found

    assert believed(order.sample(rows, len(rows))) == believed(known)


def test_registers_provide_names_of_companies_and_never_of_people(tmp_path: Path) -> None:
    entities = [
        entity("C1", "Company", name="Shenzhen Huarui Trading Co., Ltd.", jurisdiction="cn"),
        entity("C2", "Company", name=CHINESE, jurisdiction="cn"),
        entity("P1", "Person", name=CHINESE),
        entity("C3", "Company", name="x" * (LONGEST_NAME + 1)),
    ]
    result = ingested(tmp_path, [RawFile("l.jsonl", "company_links", links_file(entities))])
    found = result.tables[PARTY_MATCH]
    assert cells(found, "left_party_id", "right_party_id", "is_accepted") == [("C1", "C2", True)]
    assert cells(found, "source_file", "source_row") == [("l.jsonl", 2)]


def test_a_source_without_companies_provides_no_names() -> None:
    assert company_names("shopify_orders", "shopify_orders@1.0.0", pa.table({"a": [1]}), 0).num_rows == 0
