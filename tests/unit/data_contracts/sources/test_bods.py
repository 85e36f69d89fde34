from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

Statement = dict[str, object]


def statement(record: str, kind: str, details: Statement, **given: object) -> Statement:
    day, state = str(given.pop("day", "2021-03-01")), str(given.pop("state", "new"))
    return {
        "statementId": f"st-{record}-{day}-{state}",
        "declarationSubject": "co-1",
        "statementDate": day,
        "publicationDetails": {"publicationDate": given.pop("published", day), "bodsVersion": "0.4"},
        "recordId": record,
        "recordStatus": state,
        "recordType": kind,
        "recordDetails": {"isComponent": False, **details},
        **given,
    }


def company(record: str = "co-1", kind: str = "registeredEntity", **given: object) -> Statement:
    details: Statement = {
        "name": "Lamp Ltd",
        "entityType": {"type": kind},
        "foundingDate": "1869-04-01",
        "jurisdiction": {"name": "Delaware", "code": "US-DE"},
    }
    return statement(record, "entity", details, **given)


def person(record: str = "pe-1", **given: object) -> Statement:
    return statement(record, "person", {"names": [{"fullName": "Anna"}], "birthDate": "1970"}, **given)


def relation(*interests: Statement, holder: object = "pe-1", held: object = "co-1", **given: object) -> Statement:
    details: Statement = {"subject": held, "interestedParty": holder, "interests": list(interests)}
    return statement("re-1", "relationship", details, **given)


def interest(kind: str | None, share: Statement | None = None, **given: object) -> Statement:
    return {name: value for name, value in {"type": kind, "share": share, **given}.items() if value is not None}


def register(*statements: Statement, seller: str = "", name: str = "bods.json") -> RawFile:
    return RawFile(name, "bods_statements", json.dumps(list(statements)).encode(), seller)


def test_entities_and_people_are_parties_and_the_declared_company_is_the_seller_of_the_delivery(
    tmp_path: Path,
) -> None:
    parties = ingested(tmp_path, [register(company(), company("co-2"), person(), seller="S000001")]).tables["party"]
    found = cells(parties, "party_id", "party_type", "seller_id", "country")
    assert found == [
        ("bods:co-1", "company", "S000001", "US"),
        ("bods:co-2", "company", None, "US"),
        ("bods:pe-1", "person", None, None),
    ]
    assert str(cells(parties, "registered_on")[0]) == "1869-04-01"


def test_a_register_delivered_without_a_seller_names_no_seller(tmp_path: Path) -> None:
    assert cells(ingested(tmp_path, [register(company())]).tables["party"], "seller_id") == [None]


@pytest.mark.parametrize(
    ("interests", "links"),
    [
        ([interest("shareholding", {"exact": 60})], [("owner", 60.0)]),
        ([interest("shareholding", {"minimum": 25, "exclusiveMaximum": 50})], [("owner", 25.0)]),
        ([interest("shareholding", {"exclusiveMinimum": 25})], [("owner", 25.0)]),
        ([interest("votingRights", {"exact": 70}), interest("shareholding", {"exact": 40})], [("owner", 40.0)]),
        ([interest("votingRights", {"exact": 70})], [("owner", 70.0)]),
        ([interest("boardChair", {"exact": 30})], [("director", None)]),
        ([interest("shareholding", {"exact": 50}), interest("boardMember")], [("director", None), ("owner", 50.0)]),
        ([interest("trustee")], [("owner", None)]),
        ([interest(None, directOrIndirect="unknown")], [("owner", None)]),
        ([], [("owner", None)]),
    ],
)
def test_interests_become_links_of_owners_and_directors(
    tmp_path: Path, interests: list[Statement], links: list[tuple[str, float | None]]
) -> None:
    found = ingested(tmp_path, [register(relation(*interests))]).tables["party_link"]
    assert cells(found, "link_type", "share_pct") == links
    assert set(cells(found, "from_party_id", "to_party_id")) == {("bods:pe-1", "bods:co-1")}


def test_a_changed_statement_replaces_the_earlier_one_once_it_is_known(tmp_path: Path) -> None:
    start = "2020-01-01"
    rows = [
        relation(interest("shareholding", {"exact": 60}, startDate=start)),
        relation(
            interest("shareholding", {"exact": 40}, startDate=start),
            day="2022-05-01",
            published="2022-06-01",
            state="updated",
        ),
        relation(
            interest("shareholding", {"exact": 40}, startDate=start, endDate="2023-01-15"),
            day="2023-02-01",
            state="closed",
        ),
    ]
    links = ingested(tmp_path, [register(*rows)]).tables["party_link"]
    found = [
        tuple(str(value)[:10] for value in row)
        for row in cells(links, "share_pct", "known_at", "valid_from", "valid_to")
    ]
    assert found == [
        ("60.0", "2021-03-01", start, "2022-05-31"),
        ("40.0", "2022-06-01", start, "2023-01-31"),
        ("40.0", "2023-02-01", start, "2023-01-15"),
    ]


def test_later_statements_about_a_party_are_counted_and_add_no_party(tmp_path: Path) -> None:
    result = ingested(tmp_path, [register(person(), person(day="2022-03-01", state="closed"))])
    assert only_account(result).warnings["later statement on a known party"] == 1
    assert result.tables["party"].num_rows == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([relation(holder={"reason": "subjectExemptFromDisclosure"})], "link to a party that is not named"),
        ([company("co-2", "state"), relation(holder="co-2")], "state, which would tie strangers together"),
        ([relation(holder="co-1")], "link of a party to itself"),
    ],
)
def test_links_without_two_parties_are_counted_by_reason(tmp_path: Path, rows: list[Statement], reason: str) -> None:
    result = ingested(tmp_path, [register(*rows)])
    assert only_account(result).warnings[reason] == len(rows)
    assert result.tables["party_link"].num_rows == 0


def test_a_link_announced_in_advance_is_known_when_it_begins(tmp_path: Path) -> None:
    link = relation(interest("shareholding", startDate="2021-09-01"))
    links = ingested(tmp_path, [register(link)]).tables["party_link"]
    assert str(cells(links, "known_at")[0]) == "2021-09-01 00:00:00+00:00"


def test_a_statement_delivered_twice_is_a_duplicate(tmp_path: Path) -> None:
    result = ingested(tmp_path, [register(company()), register(company(), person(), name="later.json")])
    assert cells(result.duplicates, "reason", "source_row") == [("repeated row", 1)]
    assert result.tables["party"].num_rows == 2


@pytest.mark.parametrize(
    ("bad", "rule_id"),
    [
        ({"publicationDetails": {"bodsVersion": "0.9"}}, "standard_version:enum"),
        ({"recordType": "thing"}, "record_kind:enum"),
        ({"statementDate": "soon"}, "type:stated_at"),
        ({"recordType": "relationship"}, "relationship_complete"),
        ({"recordId": None}, "record_number:required"),
    ],
)
def test_an_invalid_statement_is_quarantined(tmp_path: Path, bad: Statement, rule_id: str) -> None:
    account = only_account(ingested(tmp_path, [register({**company(), **bad}, person())]))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


def test_a_file_that_is_not_an_array_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no array of records") as refusal:
        ingested(tmp_path, [RawFile("b.json", "bods_statements", b'{"statements": []}')])
    assert "\n" not in str(refusal.value)


def test_the_details_of_a_publication_are_optional(tmp_path: Path) -> None:
    statements = [company(), person(), relation(interest("shareholding", {"exact": 60}))]
    for one in statements:
        del one["publicationDetails"]
    result = ingested(tmp_path, [register(*statements)])
    assert cells(result.tables["party"], "party_id") == ["bods:co-1", "bods:pe-1"]
    (link,) = result.tables["party_link"].to_pylist()
    assert (link["share_pct"], str(link["known_at"].date())) == (60, "2021-03-01")


def earlier(version: str, number: str, kind: str, **given: object) -> Statement:
    """Return a statement of version 0.2 or 0.3, which has its details beside its number."""
    details = {"publicationDate": given.get("statementDate", "2021-03-01"), "bodsVersion": version}
    return {"statementID": number, "statementType": f"{kind}Statement", "publicationDetails": details, **given}


@pytest.mark.parametrize(
    ("version", "place", "board"),
    [("0.2", "incorporatedInJurisdiction", "appointment-of-board"), ("0.3", "jurisdiction", "appointmentOfBoard")],
)
def test_statements_of_earlier_versions_give_the_same_parties_and_links(
    tmp_path: Path, version: str, place: str, board: str
) -> None:
    held, holder = {"describedByEntityStatement": "e2"}, {"describedByPersonStatement": "p1"}
    share = {"minimum": 25, "maximum": 50, "exclusiveMinimum": True}
    statements = [
        earlier(version, "e1", "entity", entityType="registeredEntity", name="Lamp", **{place: {"code": "GB"}}),
        earlier(version, "e2", "entity", entityType="registeredEntity", name="Lamp Ltd", replacesStatements=["e1"]),
        earlier(version, "p1", "person", names=[{"fullName": "A"}], statementDate="2021-02-01"),
        earlier(
            version, "o1", "ownershipOrControl", subject=held, interestedParty=holder, statementDate="2021-03-01",
            interests=[{"type": "shareholding", "share": share}, {"type": board}],
        ),
        earlier(version, "o2", "ownershipOrControl", subject=held, interestedParty={"unspecified": {}}),
    ]  # fmt: skip
    result = ingested(tmp_path, [register(*statements)])
    parties = cells(result.tables["party"], "party_id", "party_type", "country")
    assert parties == [("bods:e1", "company", "GB"), ("bods:p1", "person", None)]
    links = cells(result.tables["party_link"], "from_party_id", "to_party_id", "link_type", "share_pct")
    assert links == [("bods:p1", "bods:e1", "director", None), ("bods:p1", "bods:e1", "owner", 25)]
    assert only_account(result).quarantined == {}
