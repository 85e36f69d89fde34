"""Published statements of ownership (the standard's examples with invented firms) and real records of the LEI index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult


def folder(shared_data: Path, name: str) -> Path:
    if not (shared_data / name).is_dir():
        pytest.skip(f"real data not present at {shared_data / name}")
    return shared_data / name


def read(path: Path, source: str, tmp_path: Path) -> IngestResult:
    return ingested(tmp_path / path.stem, [RawFile(path.name, source, path.read_bytes(), covered_from="2012-01-01")])


def test_every_published_statement_of_ownership_is_accepted_and_every_named_link_is_there(
    shared_data: Path, tmp_path: Path
) -> None:
    paths = sorted(folder(shared_data, "bods").glob("*.json"))
    assert len(paths) == 19
    for path in paths:
        statements = json.loads(path.read_bytes())
        result = read(path, "bods_statements", tmp_path)
        account = only_account(result)
        assert (account.rows_in, account.accepted) == (len(statements), len(statements)), path.name
        assert pairs(result) == named_pairs(statements), path.name
        parties = {f"bods:{one['recordId']}" for one in statements if is_party(one)}
        assert set(cells(result.tables["party"], "party_id")) == parties, path.name


def is_party(one: dict[str, Any]) -> bool:
    kind = one["recordDetails"].get("entityType", {}).get("type")
    return one["recordType"] != "relationship" and kind not in {"state", "stateBody"}


def named_pairs(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    states = {one["recordId"] for one in statements if one["recordType"] == "entity" and not is_party(one)}
    sides = [
        (one["recordDetails"]["interestedParty"], one["recordDetails"]["subject"])
        for one in statements
        if one["recordType"] == "relationship"
    ]
    named = [pair for pair in sides if all(isinstance(side, str) and side not in states for side in pair)]
    return {(f"bods:{holder}", f"bods:{held}") for holder, held in named}


def pairs(result: IngestResult) -> set[tuple[str, str]]:
    return set(cells(result.tables["party_link"], "from_party_id", "to_party_id"))


def test_a_shareholder_who_left_is_no_longer_one_and_who_stayed_holds_all(shared_data: Path, tmp_path: Path) -> None:
    """Fermcat in the published example: two halves, one of them sold and bought back."""
    result = read(folder(shared_data, "bods") / "fermcat.json", "bods_statements", tmp_path)
    links = result.tables["party_link"].to_pylist()
    lasting = [(one["link_type"], one["share_pct"]) for one in links if one["valid_to"] is None]
    assert sorted(lasting) == [("director", None), ("owner", 100.0)]


def test_real_entities_are_companies_with_the_country_they_are_registered_in(shared_data: Path, tmp_path: Path) -> None:
    path = folder(shared_data, "gleif") / "lei-data.json"
    result = read(path, "gleif_entities", tmp_path)
    records = json.loads(path.read_bytes())
    assert only_account(result).accepted == len(records) == 13
    countries = {f"lei:{one['LEI']}": one["Entity"]["LegalJurisdiction"][:2] for one in records}
    assert dict(cells(result.tables["party"], "party_id", "country")) == countries


def test_real_relations_are_links_that_begin_with_their_relationship_period(shared_data: Path, tmp_path: Path) -> None:
    path = folder(shared_data, "gleif") / "rr-data.json"
    result = read(path, "gleif_relations", tmp_path)
    records = json.loads(path.read_bytes())
    assert only_account(result).accepted == len(records) == 10
    expected = set()
    for one in records:
        body = one["Relationship"]
        (began,) = [
            p["StartDate"][:10] for p in body["RelationshipPeriods"] if p["PeriodType"] == "RELATIONSHIP_PERIOD"
        ]
        expected.add((f"lei:{body['EndNode']['NodeID']}", f"lei:{body['StartNode']['NodeID']}", began))
    found = cells(result.tables["party_link"], "from_party_id", "to_party_id", "valid_from")
    assert {(holder, held, str(began)) for holder, held, began in found} == expected


def test_a_file_of_both_levels_has_records_for_each_contract(shared_data: Path, tmp_path: Path) -> None:
    path = folder(shared_data, "gleif") / "relationship-update-data.json"
    entities = only_account(read(path, "gleif_entities", tmp_path / "entities"))
    relations = only_account(read(path, "gleif_relations", tmp_path / "relations"))
    assert (entities.accepted, entities.quarantined["lei:required"], entities.duplicates) == (
        1,
        4,
        {"repeated record": 1},
    )
    assert (relations.accepted, relations.quarantined["start_lei:required"]) == (2, 2)
    assert relations.duplicates == {"repeated record": 2}
