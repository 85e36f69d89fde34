"""A passport tells the links behind features of related parties; no identifier of a third party leaves with them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

import pytest
from pydantic import ValidationError

from features.catalogue import feature_records
from features.graph.paths import Path, Tie
from features.record import GraphFeature
from features.related_parties import RelatedParties, SignalPaths
from pipelines.passports.document import MOST_PATHS, PassportDocument
from pipelines.passports.passport import Evidence, Row, issue_passport, passport_document
from pipelines.passports.related_parties import related_signals
from pipelines.passports.verify import VerifyOptions, verify_command
from pipelines.score.scorer import score_chunk
from pipelines.signing.keys import party_pseudonym, pseudonym, trust_file_for
from tests.factories.scoring import ISSUED_ON, KEYS, applicants, context, small_bundle
from tests.unit.pipelines.passports.test_passport import TERMS

RECORDS = {record.name: record for record in feature_records() if isinstance(record, GraphFeature)}
OWN, OTHER, THIRD = "S000000", "S000013", "S000090"
PERSON, LENDER = "pe-og00026", "LN03"
SINCE = dt.date(2023, 2, 1)


def guarantee(start: str, end: str) -> Tie:
    return Tie(start, end, "guarantee", 500.25, SINCE, "company_links/S000013.csv", 7)


def over_owner(other: str, day: dt.date | None = None) -> Path:
    ties = (Tie(PERSON, OWN, "owner", valid_from=SINCE), Tie(PERSON, other, "owner", valid_from=SINCE))
    return Path(ties, other, day)


CIRCLE = Path((guarantee(OWN, OTHER), guarantee(OTHER, THIRD), guarantee(THIRD, OWN)), OWN)

AWAY = Path((*CIRCLE.ties[:2], Tie(THIRD, "flat", "address", valid_from=SINCE)), None)
STRANGERS = {
    "from": "urn:party-pseudonym:" + "1" * 32,
    "to": "urn:party-pseudonym:" + "2" * 32,
    "link_type": "owner",
}


def found(*paths: Path, feature: str = "guarantee_cycle_flag") -> RelatedParties:
    names = {name for path in paths for tie in path.ties for name in (tie.start, tie.end)}
    signals = (SignalPaths(RECORDS[feature], paths),) if paths else ()
    return RelatedParties(OWN, signals, frozenset(name for name in names if name.startswith("S")))


def row() -> Row:
    return score_chunk(context(), applicants(1)).to_pylist()[0]


def evidence(related: RelatedParties | None) -> Evidence:
    return Evidence({}, related=lambda _: related)


def document(related: RelatedParties | None) -> dict[str, Any]:
    return passport_document(row(), small_bundle(), evidence(related), TERMS).as_json()


def refused(made: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PassportDocument.model_validate_json(json.dumps(made))


def test_a_circle_of_guarantees_is_stated_by_pseudonyms_in_its_order() -> None:
    (signal,) = document(found(CIRCLE))["credentialSubject"]["related_parties"]
    names = [f"urn:seller-pseudonym:{pseudonym(KEYS.hmac_key, seller)}" for seller in (OWN, OTHER, THIRD)]
    assert (signal["feature"], signal["paths_found"]) == ("guarantee_cycle_flag", "1")
    assert (signal["en"], signal["zh"]) == ("Member of a guarantee circle", "处于担保圈")
    (path,) = signal["paths"]
    assert [(link["from"], link["to"]) for link in path["links"]] == list(
        zip(names, [*names[1:], names[0]], strict=True)
    )
    assert {link["valid_from"] for link in path["links"]} == {"2023-02-01"}
    assert path["reaches"] == names[0]


def test_only_guarantees_of_the_seller_itself_have_an_amount() -> None:
    (signal,) = document(found(CIRCLE))["credentialSubject"]["related_parties"]
    amounts = [link.get("amount_usd") for link in signal["paths"][0]["links"]]
    assert amounts == ["500.25", None, "500.25"]


def test_no_identifier_of_anybody_is_in_the_document_or_on_its_pages() -> None:
    pledged = Path(
        (Tie(OWN, "asset-9", "pledge", lender=LENDER), Tie(THIRD, "asset-9", "pledge", lender="LN08")), THIRD
    )
    passport = issue_passport(row(), small_bundle(), evidence(found(CIRCLE, over_owner(OTHER), pledged)), TERMS)
    shown = [passport.data.decode(), *passport.pages.values()]
    for name in (OWN, OTHER, THIRD, PERSON, "asset-9", LENDER, "LN08", "company_links"):
        assert not any(name in text for text in shown), name
    assert f"urn:party-pseudonym:{party_pseudonym(KEYS.hmac_key, OWN, LENDER)}" in shown[0]


def test_a_seller_in_default_comes_first_and_what_is_left_out_is_counted() -> None:
    paths = [over_owner(f"S{number:06d}") for number in range(1, 9)]
    paths.append(over_owner("S000099", dt.date(2024, 3, 5)))
    (signal,) = document(found(*paths, feature="related_known_default_excess"))["credentialSubject"]["related_parties"]
    assert (signal["paths_found"], len(signal["paths"])) == ("9", MOST_PATHS)
    days = [path.get("in_default_since") for path in signal["paths"]]
    assert days == ["2024-03-05", None, None, None]


@pytest.mark.parametrize("related", [None, found()])
def test_without_links_nothing_is_said(related: RelatedParties | None) -> None:
    passport = issue_passport(row(), small_bundle(), evidence(related), TERMS)
    assert "related_parties" not in json.loads(passport.data)["credentialSubject"]
    plain = issue_passport(row(), small_bundle(), Evidence({}), TERMS)
    assert (passport.data, passport.pages) == (plain.data, plain.pages)


def test_the_same_links_make_the_same_bytes() -> None:
    first, again = (issue_passport(row(), small_bundle(), evidence(found(CIRCLE)), TERMS) for _ in range(2))
    assert (first.data, first.pages) == (again.data, again.pages)
    assert related_signals(found(CIRCLE), KEYS.hmac_key) != related_signals(found(CIRCLE), bytes(32))


def test_only_since_schema_1_4_a_passport_tells_of_related_parties() -> None:
    made = document(found(CIRCLE))
    PassportDocument.model_validate_json(json.dumps(made))
    made["credentialSubject"]["schema_version"] = "1.3"
    refused(made, "nothing tells of related parties")
    del made["credentialSubject"]["related_parties"]
    PassportDocument.model_validate_json(json.dumps(made))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda signal: signal.update(paths_found="0"), "more paths are listed"),
        (lambda signal: signal["paths"][0]["links"].reverse(), "does not begin at the seller"),
        (lambda signal: signal["paths"][0]["links"].append(STRANGERS), "do not follow one another"),
        (lambda signal: signal["paths"][0].update(reaches="urn:seller-pseudonym:" + "0" * 32), "where it says"),
        (lambda signal: signal["paths"][0]["links"][0].update(valid_from="2025-06-01"), "later than the data"),
        (lambda signal: signal["paths"][0].update(in_default_since="2025-06-01"), "later than the data"),
        (lambda signal: signal["paths"][0]["links"][0].update({"from": OWN}), "pattern"),
        (lambda signal: signal["paths"][0]["links"][0].update(link_type="friend"), "Input should be"),
        (lambda signal: signal.update(paths=[]), "at least 1 item"),
    ],
)
def test_links_that_cannot_be_are_refused_by_the_form(change: Any, words: str) -> None:  # noqa: ANN401 - a lambda
    made = document(found(AWAY if words == "does not begin at the seller" else CIRCLE))
    change(made["credentialSubject"]["related_parties"][0])
    refused(made, words)


def test_a_changed_link_is_refused_in_the_document_and_on_its_page(tmp_path: FilePath) -> None:
    trust = tmp_path / "trust.json"
    trust.write_bytes(trust_file_for(KEYS, "test issuer", dt.date(2025, 1, 1)))
    passport = issue_passport(row(), small_bundle(), evidence(found(CIRCLE)), TERMS)
    changes = [(b'"2023-02-01"', b'"2023-02-02"'), (b'"guarantee"', b'"same_firm"'), (b'"500.25"', b'"500.24"')]
    for number, (before, after) in enumerate([(b"", b""), *changes]):
        file = tmp_path / f"{number}.json"
        file.write_bytes(passport.data.replace(before, after, 1) if before else passport.data)
        (outcome,) = verify_command([file], VerifyOptions(on=ISSUED_ON, trust=trust))
        assert outcome.code == ("changed" if before else "ok")
    page = tmp_path / "0.en.html"
    forged = passport.pages["en"].replace("2023-02-01", "2022-02-01")
    for text, code in ((passport.pages["en"], "ok"), (forged, "page_differs")):
        page.write_text(text, encoding="utf-8")
        (outcome,) = verify_command([page], VerifyOptions(on=ISSUED_ON, trust=trust))
        assert outcome.code == code


def test_a_large_amount_is_a_plain_decimal() -> None:
    longest = Path(tuple(replace(tie, amount_usd=99_999_999_999_999.99) for tie in CIRCLE.ties), OWN)
    (signal,) = document(found(longest))["credentialSubject"]["related_parties"]
    assert signal["paths"][0]["links"][0]["amount_usd"] == "99999999999999.98"
