from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.factories.raw_files import RawFile, cells, entity, ingested, links_file, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

SELLER = entity(
    "co-1", "Company", idNumber="S000001", jurisdiction="cn", incorporationDate="2018-04-01", name="Lamp Co"
)


def links(entities: Sequence[Mapping[str, Any]]) -> RawFile:
    return RawFile("company_links/links.jsonl", "company_links", links_file(entities))


@pytest.mark.parametrize(
    ("node", "party_type"),
    [
        (SELLER, "company"),
        (entity("pe-1", "Person", nationality="cn", name="Li"), "person"),
        (entity("ad-1", "Address", full="1 Road", country="cn"), "address"),
        (entity("ba-1", "BankAccount", accountNumber="62220000"), "bank_account"),
        (entity("ph-1", "UserAccount", service="phone", number="+86130"), "phone"),
        (entity("dv-1", "UserAccount", service="device", username="abc"), "device"),
    ],
)
def test_every_kind_of_node_becomes_a_party(tmp_path: Path, node: dict[str, Any], party_type: str) -> None:
    parties = ingested(tmp_path, [links([node])]).tables["party"]
    assert cells(parties, "party_id", "party_type") == [(node["id"], party_type)]


def test_a_company_with_a_seller_reference_is_a_seller(tmp_path: Path) -> None:
    parties = ingested(tmp_path, [links([SELLER, entity("co-2", "Company", jurisdiction="hk")])]).tables["party"]
    assert cells(parties, "seller_id", "country") == [("S000001", "CN"), (None, "HK")]


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        (entity("e", "Ownership", owner="pe-1", asset="co-1", percentage="60.00"), ("pe-1", "co-1", "owner")),
        (entity("e", "Directorship", director="pe-1", organization="co-1"), ("pe-1", "co-1", "director")),
        (entity("e", "UnknownLink", role="address", subject="co-1", object="ad-1"), ("co-1", "ad-1", "address")),
        (entity("e", "UnknownLink", role="device", subject="co-1", object="dv-1"), ("co-1", "dv-1", "device")),
        (entity("e", "UnknownLink", role="guarantor", subject="co-1", object="co-2"), ("co-1", "co-2", "guarantee")),
    ],
)
def test_links_point_from_holder_to_held(tmp_path: Path, edge: dict[str, Any], expected: tuple[str, ...]) -> None:
    found = ingested(tmp_path, [links([edge])]).tables["party_link"]
    assert cells(found, "from_party_id", "to_party_id", "link_type") == [expected]


def test_shares_and_guaranteed_amounts_are_numbers(tmp_path: Path) -> None:
    edges = [
        entity("o", "Ownership", owner="pe-1", asset="co-1", percentage="60.00"),
        entity("g", "UnknownLink", role="guarantor", subject="co-1", object="co-2", summary="USD 120000.00"),
    ]
    found = ingested(tmp_path, [links(edges)]).tables["party_link"]
    assert cells(found, "share_pct", "amount_usd") == [(60.0, None), (None, Decimal("120000.0000"))]


def test_a_link_is_known_when_first_seen_and_valid_from_its_start(tmp_path: Path) -> None:
    edge = entity(
        "o", "Ownership", "2021-06-07T08:00:00", owner="p", asset="c", startDate="2020-01-01", endDate="2022-01-01"
    )
    found = ingested(tmp_path, [links([edge])]).tables["party_link"]
    dates = [[str(value) for value in row] for row in cells(found, "valid_from", "valid_to", "event_date", "known_at")]
    assert dates == [["2020-01-01", "2022-01-01", "2020-01-01", "2021-06-07 08:00:00+00:00"]]


@pytest.mark.parametrize(
    ("edge", "rule_id"),
    [
        (entity("e", "Ownership", owner="pe-1"), "ownership_complete"),
        (entity("e", "Directorship", organization="co-1"), "directorship_complete"),
        (entity("e", "UnknownLink", role="cousin", subject="a", object="b"), "link_complete"),
        (entity("e", "UserAccount", username="x"), "account_has_service"),
        (entity("e", "Yacht", owner="pe-1"), "entity_schema:enum"),
        (
            entity("e", "UnknownLink", role="guarantor", subject="a", object="b", summary="lots"),
            "guarantee_sum_readable",
        ),
    ],
)
def test_an_incomplete_entity_is_quarantined(tmp_path: Path, edge: dict[str, Any], rule_id: str) -> None:
    account = only_account(ingested(tmp_path, [links([SELLER, edge])]))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


def test_a_broken_line_sets_only_itself_aside(tmp_path: Path) -> None:
    data = links_file([SELLER]) + b'{"id": "x", \n' + links_file([entity("pe-1", "Person")])
    result = ingested(tmp_path, [RawFile("company_links/links.jsonl", "company_links", data)])
    account = only_account(result)
    assert (account.rows_in, account.accepted, account.quarantined) == (3, 2, {"json:syntax": 1})


def test_an_entity_delivered_twice_is_a_duplicate(tmp_path: Path) -> None:
    assert only_account(ingested(tmp_path, [links([SELLER, SELLER])])).duplicates == {"repeated entity": 1}


def test_a_company_network_covers_the_sellers_in_it(tmp_path: Path) -> None:
    coverage = ingested(tmp_path, [links([SELLER, entity("co-2", "Company")])]).tables["source_coverage"]
    assert cells(coverage, "seller_id", "covered_table") == [("S000001", "party"), ("S000001", "party_link")]
