from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.ingest.deliveries.recognition import recognise
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

# Made up, with right check digits.
FIRST, SECOND = "00EXAMPLELAMPHOUSE79", "00EXAMPLEHARBOURCO42"


def registration(state: str = "ISSUED", updated: str = "2023-05-18T15:41:20.212Z") -> dict[str, str]:
    return {
        "InitialRegistrationDate": "2019-01-30T16:19:49Z",
        "LastUpdateDate": updated,
        "RegistrationStatus": state,
    }


def entity(
    lei: str = FIRST, state: str = "ISSUED", updated: str = "2023-05-18T15:41:20Z", **given: object
) -> dict[str, Any]:
    body = {"LegalName": "Lamp House", "LegalJurisdiction": "US-MA", "LegalAddress": {"Country": "US"}, **given}
    return {"LEI": lei, "Entity": body, "Registration": registration(state, updated)}


def relation(
    kind: str = "IS_DIRECTLY_CONSOLIDATED_BY", nodes: tuple[str, str] = (FIRST, SECOND), **given: object
) -> dict[str, Any]:
    state, registered = given.pop("state", "ACTIVE"), given.pop("registered", "PUBLISHED")
    body = {
        "StartNode": {"NodeID": nodes[0], "NodeIDType": "LEI"},
        "EndNode": {"NodeID": nodes[1], "NodeIDType": "LEI"},
        "RelationshipType": kind,
        "RelationshipPeriods": [
            {"StartDate": "2018-01-01T00:00:00Z", "EndDate": "2018-12-31T00:00:00Z", "PeriodType": "ACCOUNTING_PERIOD"},
            {"StartDate": "2017-08-14T00:00:00Z", "PeriodType": "RELATIONSHIP_PERIOD"},
        ],
        "RelationshipStatus": state,
        **given,
    }
    return {"Relationship": body, "Registration": registration(str(registered))}


def entities(*records: dict[str, Any]) -> RawFile:
    return RawFile("lei.json", "gleif_entities", json.dumps(records).encode())


def relations(*records: dict[str, Any]) -> RawFile:
    return RawFile("rr.json", "gleif_relations", json.dumps(records).encode())


def test_an_entity_is_a_company_known_the_day_after_its_registration(tmp_path: Path) -> None:
    rows = [entity(EntityCreationDate="1869-04-01T00:00:00Z"), entity(SECOND, LegalJurisdiction=None)]
    parties = ingested(tmp_path, [entities(*rows)]).tables["party"]
    assert cells(parties, "party_id", "party_type", "country", "seller_id") == [
        (f"lei:{FIRST}", "company", "US", None),
        (f"lei:{SECOND}", "company", "US", None),
    ]
    dates = [
        tuple(str(value)[:10] for value in row) for row in cells(parties, "registered_on", "event_date", "known_at")
    ]
    assert dates == [("1869-04-01", "1869-04-01", "2019-01-31"), ("None", "2019-01-30", "2019-01-31")]


def test_the_newest_state_of_an_entity_delivered_twice_counts(tmp_path: Path) -> None:
    rows = [entity(), entity(updated="2024-01-01T00:00:00Z", LegalJurisdiction="KY")]
    result = ingested(tmp_path, [entities(*rows)])
    assert cells(result.tables["party"], "country") == ["KY"]
    assert cells(result.duplicates, "reason", "source_row") == [("repeated record", 1)]


@pytest.mark.parametrize(
    ("number", "rule_id"), [(FIRST[:-1] + "8", "lei:check_digits"), ("SHORT", "lei:pattern"), (None, "lei:required")]
)
def test_an_invalid_lei_is_quarantined(tmp_path: Path, number: str | None, rule_id: str) -> None:
    account = only_account(ingested(tmp_path, [entities({**entity(), "LEI": number}, entity(SECOND))]))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


@pytest.mark.parametrize("state", ["ANNULLED", "DUPLICATE"])
def test_a_void_record_is_counted_and_makes_no_row(tmp_path: Path, state: str) -> None:
    reason = "record annulled, doubled or not yet validated"
    companies = ingested(tmp_path / "entities", [entities(entity(state=state))])
    links = ingested(tmp_path / "relations", [relations(relation(registered=state))])
    assert only_account(companies).warnings[reason] == only_account(links).warnings[reason] == 1
    assert companies.tables["party"].num_rows == links.tables["party_link"].num_rows == 0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("IS_DIRECTLY_CONSOLIDATED_BY", (SECOND, FIRST, "owner")),
        ("IS_ULTIMATELY_CONSOLIDATED_BY", (SECOND, FIRST, "owner")),
        ("IS_INTERNATIONAL_BRANCH_OF", (SECOND, FIRST, "owner")),
        ("IS_SUBFUND_OF", (SECOND, FIRST, "owner")),
        ("IS_FUND-MANAGED_BY", (SECOND, FIRST, "director")),
        ("IS_FEEDER_TO", (FIRST, SECOND, "owner")),
    ],
)
def test_relations_point_from_holder_to_held(tmp_path: Path, kind: str, expected: tuple[str, str, str]) -> None:
    links = ingested(tmp_path, [relations(relation(kind))]).tables["party_link"]
    holder, held, link_type = expected
    assert cells(links, "from_party_id", "to_party_id", "link_type") == [(f"lei:{holder}", f"lei:{held}", link_type)]


def test_a_relation_begins_with_its_period_and_is_known_the_day_after_registration(tmp_path: Path) -> None:
    links = ingested(tmp_path, [relations(relation())]).tables["party_link"]
    assert [str(value)[:10] for value in cells(links, "valid_from", "valid_to", "known_at")[0]] == [
        "2017-08-14",
        "None",
        "2019-01-31",
    ]


@pytest.mark.parametrize(
    ("given", "last_day"),
    [
        ({"state": "INACTIVE"}, "2023-05-18"),
        ({"registered": "RETIRED"}, "2023-05-18"),
        (
            {
                "RelationshipPeriods": [
                    {"StartDate": "2017-08-14", "EndDate": "2021-02-03T00:00:00Z", "PeriodType": "RELATIONSHIP_PERIOD"}
                ]
            },
            "2023-05-18",
        ),
        ({"RelationshipPeriods": None}, "None"),
    ],
)
def test_an_ended_relation_is_valid_until_the_update_of_its_record_that_reported_the_end(
    tmp_path: Path, given: dict[str, Any], last_day: str
) -> None:
    links = ingested(tmp_path, [relations(relation(**given))]).tables["party_link"]
    assert str(cells(links, "valid_to")[0]) == last_day


@pytest.mark.parametrize(
    ("record", "rule_id"),
    [
        (relation("IS_COUSIN_OF"), "relation_kind:enum"),
        (relation(nodes=(FIRST, FIRST)), "not_to_itself"),
        (relation(nodes=(FIRST, "US0378331005")), "end_lei:pattern"),
        (entity(), "start_lei:required"),
    ],
)
def test_a_record_that_states_no_relation_is_quarantined(tmp_path: Path, record: dict[str, Any], rule_id: str) -> None:
    account = only_account(ingested(tmp_path, [relations(relation(), record)]))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


def lifted(value: object) -> object:
    """Return a record as in the golden copy's JSON, where each value is below a key of its own."""
    if isinstance(value, dict):
        return {name: lifted(inner) for name, inner in value.items()}
    return [lifted(one) for one in value] if isinstance(value, list) else {"$": value}


def as_csv(*records: dict[str, str]) -> bytes:
    """Return the records as in the golden copy's CSV: every cell in quotes, one column for each path."""
    lines = [records[0].keys(), *(record.values() for record in records)]
    return "".join(",".join(f'"{cell}"' for cell in line) + "\n" for line in lines).encode()


def flat(record: dict[str, Any], prefix: str = "") -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, value in record.items():
        pairs |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return pairs


def test_the_golden_copy_of_entities_gives_the_same_parties_in_json_and_csv(tmp_path: Path) -> None:
    records = [entity(EntityCreationDate="1969-04-01T00:00:00Z"), entity(SECOND, LegalName="Harbour, Inc")]
    records[1]["Entity"]["EntityCreationDate"] = ""
    golden = json.dumps({"records": lifted(records)}).encode()
    files = [golden, as_csv(*map(flat, records))]
    named = ("party_id", "country", "registered_on", "known_at")
    expected = cells(ingested(tmp_path, [entities(*records)]).tables["party"], *named)
    assert len(expected) == 2
    for data in files:
        found = ingested(tmp_path, [RawFile("golden", "gleif_entities", data)]).tables["party"]
        assert cells(found, *named) == expected
        (tmp_path / "golden.bin").write_bytes(data)
        (met,) = next(iter(recognise([tmp_path / "golden.bin"]))).met
        assert met.contract.contract_id == "gleif_entities"


def test_the_golden_copy_of_relations_gives_the_same_links_in_json_and_csv(tmp_path: Path) -> None:
    record = relation()
    expected = cells(ingested(tmp_path, [relations(record)]).tables["party_link"], "party_link_id", "valid_from")
    nested = json.loads(json.dumps(record))
    periods = nested["Relationship"].pop("RelationshipPeriods")
    nested["Relationship"]["RelationshipPeriods"] = {"RelationshipPeriod": periods}
    golden = json.dumps({"relations": [{"RelationshipRecord": lifted(nested)}]}).encode()
    columns = flat({name: dict(part) for name, part in record.items()})
    columns = {name: cell for name, cell in columns.items() if "RelationshipPeriods" not in name}
    for number, period in enumerate(periods, start=1):
        for name in ("StartDate", "EndDate", "PeriodType"):
            columns[f"Relationship.Period.{number}.{name[0].lower()}{name[1:]}"] = period.get(name, "")
    for data in (golden, as_csv(columns)):
        found = ingested(tmp_path, [RawFile("golden", "gleif_relations", data)]).tables["party_link"]
        assert cells(found, "party_link_id", "valid_from") == expected
