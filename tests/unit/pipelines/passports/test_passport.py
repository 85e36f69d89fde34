"""Passports contain what was scored, add up, and are refused after any change."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import rfc8785
from pydantic import ValidationError

from pipelines.passports.claims import ClaimRow, pillar_grades
from pipelines.passports.document import PassportDocument, passport_schema
from pipelines.passports.passport import (
    Delivery,
    Evidence,
    Row,
    decimal_text,
    issue_passport,
    passport_document,
)
from pipelines.passports.terms import PassportTerms
from pipelines.reports.rendering import page_texts
from pipelines.score.scorer import score_chunk
from pipelines.signing.credential import CredentialRefused, verify_credential
from pipelines.signing.keys import TrustedIssuer, TrustList, subject_commitment
from tests.factories.scoring import ISSUED_ON, KEYS, applicants, context, small_bundle, with_values

TERMS = PassportTerms(
    keys=KEYS,
    issuer_name="test issuer",
    issued_on=ISSUED_ON,
    valid_days=92,
    as_of_age_days=180,
    default_definition=("90 or more days past due within 365 days", "365 天内逾期 90 天及以上"),
)
DELIVERIES = {
    "S000000": (
        Delivery("shopify_orders", "site_order", date(2023, 1, 1), date(2024, 12, 31), 2),
        Delivery("amazon_settlement_v2", "money_event", date(2023, 1, 1), date(2024, 12, 28), 3),
    )
}
EVIDENCE = Evidence(
    data_digests={"applicants.csv": "ef" * 32},
    deliveries=DELIVERIES,
    pillar_tables={
        "sales_health": frozenset({"money_event"}),
        "user_quality": frozenset({"money_event", "site_order"}),
        "related_parties": frozenset({"party_link"}),
    },
    feature_set_version="1.0.0",
)
TRUST = TrustList(
    issuers=(TrustedIssuer(did=KEYS.did, name="test", valid_from=date(2025, 1, 1), valid_until=None, revoked_on=None),)
)


def scored_rows(count: int = 3) -> list[Row]:
    return score_chunk(context(), applicants(count)).to_pylist()


def document(row: Row | None = None, evidence: Evidence = EVIDENCE) -> dict[str, Any]:
    return passport_document(row or scored_rows()[0], small_bundle(), evidence, TERMS).as_json()


def subject(row: Row | None = None, evidence: Evidence = EVIDENCE) -> dict[str, Any]:
    found: dict[str, Any] = document(row, evidence)["credentialSubject"]
    return found


def test_an_issued_passport_is_its_canonical_bytes_and_verifies() -> None:
    passport = issue_passport(scored_rows()[0], small_bundle(), EVIDENCE, TERMS)
    assert rfc8785.dumps(json.loads(passport.data)) == passport.data
    verified = verify_credential(passport.data, ISSUED_ON, TRUST)
    assert verified.document["credentialSubject"]["pseudonym"] == passport.pseudonym
    assert (verified.valid_from, verified.valid_until) == (ISSUED_ON, date(2025, 6, 14))


@pytest.mark.slow
def test_every_changed_byte_of_a_whole_passport_is_refused() -> None:
    data = issue_passport(scored_rows()[0], small_bundle(), EVIDENCE, TERMS).data
    verify_credential(data, ISSUED_ON, TRUST)
    for position in range(len(data)):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        with pytest.raises(CredentialRefused):
            verify_credential(changed, ISSUED_ON, TRUST)


def test_the_same_row_makes_the_same_bytes_and_pages() -> None:
    first, again = (issue_passport(scored_rows()[0], small_bundle(), EVIDENCE, TERMS) for _ in range(2))
    assert (first.data, first.pages) == (again.data, again.pages)


def test_a_passport_states_the_score_in_strings_that_add_up() -> None:
    for row in scored_rows(50):
        says = subject(row)
        assert says["assessment"]["score"] == str(row["score"])
        assert says["assessment"]["grade"] == row["grade"]
        assert float(says["assessment"]["probability_of_default"]) == pytest.approx(
            row["probability_of_default"], abs=5e-7
        )
        points = says["points"]
        assert int(points["base"]) + sum(int(pillar["points"]) for pillar in points["pillars"]) == row["score"]
        named = sum(int(reason["points"]) for reason in points["for"] + points["against"])
        assert int(points["base"]) + named + int(points["all_others"]) == row["score"]


def test_a_passport_states_what_default_means_within_which_time_and_by_which_contracts() -> None:
    row, bundle = scored_rows()[0], small_bundle()
    says = subject(row)
    assert says["contracts"] == list(bundle.meta.contracts)
    assert says["assessment"]["horizon_days"] == "365"
    assert says["assessment"]["default_definition"] == {
        "en": "90 or more days past due within 365 days",
        "zh": "365 天内逾期 90 天及以上",
    }
    assert says["assessment"]["probability_of_default_interval"]["lower"] == f"{row['pd_lower']:.6f}"
    unstated = bundle._replace(meta=bundle.meta.model_copy(update={"performance_days": 0, "contracts": ()}))
    terms = replace(TERMS, default_definition=None)
    bare = passport_document({**row, "pd_lower": None}, unstated, EVIDENCE, terms).as_json()["credentialSubject"]
    assert "contracts" not in bare
    left_out = {"horizon_days", "default_definition", "probability_of_default_interval"}
    assert set(says["assessment"]) - set(bare["assessment"]) == left_out


def test_no_number_is_outside_a_string() -> None:
    def numbers(value: object) -> list[object]:
        if isinstance(value, dict):
            return [number for item in value.values() for number in numbers(item)]
        if isinstance(value, list):
            return [number for item in value for number in numbers(item)]
        return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []

    assert numbers(document()) == []


def test_the_seller_is_named_only_by_what_needs_a_key() -> None:
    row = scored_rows()[0]
    passport = issue_passport(row, small_bundle(), EVIDENCE, TERMS)
    everything = passport.data.decode() + "".join(passport.pages.values())
    assert row["seller_id"] not in everything
    assert row["applicant_id"] not in everything
    assert passport.salt not in everything
    says = subject(row)
    assert says["subject_commitment"]["value"] == subject_commitment(passport.salt, row["seller_id"])
    assert says["subject_commitment"]["value"] != subject_commitment(passport.salt, "S999999")


def test_another_date_is_another_salt_of_the_same_pseudonym() -> None:
    row = scored_rows()[0]
    first, second = (
        issue_passport({**row, "as_of": day}, small_bundle(), EVIDENCE, TERMS)
        for day in (date(2024, 12, 31), date(2024, 9, 30))
    )
    assert first.pseudonym == second.pseudonym
    assert first.salt != second.salt
    assert json.loads(first.data)["id"] != json.loads(second.data)["id"]


def test_evidence_is_claimed_only_where_it_was_computed() -> None:
    pillars = {pillar["pillar"]: pillar for pillar in subject()["points"]["pillars"]}
    assert pillars["sales_health"]["evidence"] == {"grade": "single_source", "sources": ["amazon_settlement_v2"]}
    assert pillars["related_parties"]["evidence"] == {"grade": "not_evidenced", "sources": []}
    assert "evidence" not in pillars["user_quality"]


def claim_row(claim: str, grade: str, source: str | None, verdict: str | None, *usd: float) -> ClaimRow:
    amounts = [Decimal(str(one)) for one in usd]
    shown, claimed, lowest, highest = [*amounts, None, None, None, None][:4]
    named = {"usd": shown, "claimed_usd": claimed, "lowest_usd": lowest, "highest_usd": highest}
    key = {"seller_id": "S000000", "quarter_end": date(2024, 12, 31), "claim": claim, "grade": grade}
    return {**key, "source": source, "verdict": verdict, "quarters": 4 if source else 0, **named}


SALES = (
    claim_row("sales", "corroborated", "platform", "claimed", 120_300.5),
    claim_row("sales", "corroborated", "payouts", "beside", 80_000),
    claim_row("sales", "corroborated", "customs", "agrees", 38_900, 120_300.5, 13_533.75, 150_375),
)
OWN_SHOP = (
    claim_row("own_site_sales", "contradicted", "own_site", "claimed", 90_000),
    claim_row("own_site_sales", "contradicted", "payment", "below", 9_000, 90_000, 40_000, 100_000),
)
NOBODY = (claim_row("cost_of_goods", "not_evidenced", None, None),)


def with_claims(*rows: ClaimRow) -> Evidence:
    return replace(EVIDENCE, claims={"S000000": rows})


def test_sources_that_agree_corroborate_their_pillars() -> None:
    pillars = {pillar["pillar"]: pillar for pillar in subject(evidence=with_claims(*SALES))["points"]["pillars"]}
    assert pillars["sales_health"]["evidence"] == {"grade": "corroborated", "sources": ["amazon_settlement_v2"]}
    assert "evidence" not in pillars["user_quality"]
    assert pillars["related_parties"]["evidence"]["grade"] == "not_evidenced"


def test_a_compared_pillar_names_the_sources_it_was_compared_with() -> None:
    customs = Delivery("customs_declaration", "export_declaration", date(2023, 1, 1), date(2024, 12, 31), 1)
    evidence = replace(with_claims(*SALES), deliveries={"S000000": (*DELIVERIES["S000000"], customs)})
    pillars = {pillar["pillar"]: pillar for pillar in subject(evidence=evidence)["points"]["pillars"]}
    assert pillars["sales_health"]["evidence"]["sources"] == ["amazon_settlement_v2", "customs_declaration"]


def test_a_contradicted_claim_shows_on_its_pillars_whatever_else_agrees() -> None:
    pillars = {p["pillar"]: p for p in subject(evidence=with_claims(*SALES, *OWN_SHOP))["points"]["pillars"]}
    assert pillars["sales_health"]["evidence"]["grade"] == "corroborated"
    assert pillars["user_quality"]["evidence"]["grade"] == "contradicted"
    grade, families = pillar_grades([*SALES, *OWN_SHOP])["data_integrity"]
    assert (grade, {family.name for family in families}) == ("contradicted", {"own_site", "payment"})


def test_a_claim_is_stated_with_the_amounts_of_its_sources() -> None:
    sales, goods = subject(evidence=with_claims(*NOBODY, *SALES))["claims"]
    customs = next(amount for amount in sales["amounts"] if amount["source"] == "customs")
    assert (customs["usd"], customs["claimed_usd"], customs["verdict"]) == ("38900.00", "120300.50", "agrees")
    assert "claimed_usd" not in sales["amounts"][0]
    assert "platform sales 120,300 USD" in sales["en"]
    assert "export declarations 38,900 USD compared with 120,300 USD" in sales["en"]
    assert "出口报关 38,900 美元" in sales["zh"]
    assert (goods["grade"], goods["amounts"]) == ("not_evidenced", [])


def test_a_claim_in_words_says_whether_it_was_compared_and_over_how_many_quarters() -> None:
    alone = [replace_row(row, grade="single_source") for row in SALES[:2]]
    (line,) = subject(evidence=with_claims(*alone))["claims"]
    (compared,) = subject(evidence=with_claims(*SALES))["claims"]
    (nobody,) = subject(evidence=with_claims(*NOBODY))["claims"]
    words = page_texts("common", "en")
    (single,) = subject(evidence=with_claims(*alone[:1]))["claims"]
    assert single["en"].endswith(words("claim_alone"))
    assert line["en"].endswith(words("claim_alone"))
    assert words("claim_alone") not in compared["en"]
    assert words("claim_alone") not in nobody["en"]
    assert "80,000" not in compared["en"]
    assert line["period_to"] == "2024-12-31"
    assert [amount["source"] for amount in compared["amounts"]] == ["platform", "payouts", "customs"]
    assert {amount["quarters"] for amount in compared["amounts"]} == {"4"}


def replace_row(row: ClaimRow, **changes: object) -> ClaimRow:
    return {**row, **changes}


def test_an_issued_passport_shows_neither_its_bytes_nor_its_salt_when_printed() -> None:
    passport = issue_passport(scored_rows()[0], small_bundle(), EVIDENCE, TERMS)
    shown = repr(passport)
    assert passport.salt not in shown
    assert "proofValue" not in shown
    assert "<html" not in shown


def test_a_passport_is_valid_for_its_days_and_its_data_go_stale_after_theirs() -> None:
    found = document()
    stated = found["credentialSubject"]
    assert (found["validFrom"][:10], found["validUntil"][:10]) == ("2025-03-15", "2025-06-14")
    assert stated["valid_until"] == "2025-06-14"
    as_of = date.fromisoformat(stated["as_of"])
    assert date.fromisoformat(stated["stale_after"]) - as_of == timedelta(days=180)


def test_without_the_tables_of_the_pillars_all_that_was_delivered_counts_as_read() -> None:
    stated = subject(evidence=replace(EVIDENCE, pillar_tables=None))
    assert [one["source"] for one in stated["data_coverage"]] == ["amazon_settlement_v2", "shopify_orders"]
    assert stated["data_not_read"] == []
    assert all("evidence" not in pillar for pillar in stated["points"]["pillars"])


def test_a_passport_with_claims_verifies_and_shows_them_in_both_languages() -> None:
    passport = issue_passport(scored_rows()[0], small_bundle(), with_claims(*SALES, *OWN_SHOP, *NOBODY), TERMS)
    verify_credential(passport.data, ISSUED_ON, TRUST)
    validator = jsonschema.Draft202012Validator(passport_schema())
    unsigned = {name: part for name, part in json.loads(passport.data).items() if name != "proof"}
    validator.validate(unsigned)
    for language, words in (("en", "less than is plausible"), ("zh", "偏低")):
        assert words in passport.pages[language]
        assert "120,3" in passport.pages[language]


def test_a_claim_of_the_largest_amounts_still_fits_a_passport() -> None:
    huge = [99_999_999_999_999.99] * 4
    rows = [claim_row("sales", "contradicted", source, "claimed", *huge[:1]) for source in ("platform", "own_site")]
    rows += [claim_row("sales", "contradicted", source, "above", *huge) for source in ("customs", "tax_sales")]
    (sales,) = subject(evidence=with_claims(*rows))["claims"]
    assert len(sales["en"]) > 400


def test_a_passport_of_the_former_schema_is_still_one_but_has_no_claims() -> None:
    made = document()
    made["credentialSubject"]["schema_version"] = "1.0"
    with pytest.raises(ValidationError, match="no feature read"):
        PassportDocument.model_validate_json(json.dumps(made))
    del made["credentialSubject"]["data_not_read"]
    PassportDocument.model_validate_json(json.dumps(made))
    made["credentialSubject"]["claims"] = []
    with pytest.raises(ValidationError, match="has no claims"):
        PassportDocument.model_validate_json(json.dumps(made))


def test_only_since_schema_1_3_a_passport_says_whether_its_model_was_promoted() -> None:
    made = document(evidence=replace(EVIDENCE, promotion="not_promoted"))
    assert made["credentialSubject"]["model"]["promotion"] == "not_promoted"
    made["credentialSubject"]["schema_version"] = "1.2"
    with pytest.raises(ValidationError, match="whether the model was promoted"):
        PassportDocument.model_validate_json(json.dumps(made))
    del made["credentialSubject"]["model"]["promotion"]
    PassportDocument.model_validate_json(json.dumps(made))


def test_of_a_ready_matrix_no_coverage_and_no_evidence_is_claimed() -> None:
    says = subject(evidence=Evidence(data_digests={"matrix.parquet": "ef" * 32}))
    assert "data_coverage" not in says
    assert "claims" not in says
    assert all("evidence" not in pillar for pillar in says["points"]["pillars"])


def test_coverage_and_digests_of_the_scored_data_are_stated() -> None:
    says = subject()
    assert says["data_coverage"][0] == {
        "source": "amazon_settlement_v2",
        "table": "money_event",
        "period_from": "2023-01-01",
        "period_to": "2024-12-28",
        "deliveries": "3",
    }
    assert says["data_digests"]["applicants.csv"] == "ef" * 32
    assert says["model"]["bundle_sha256"] == small_bundle().digest


def test_data_that_no_feature_reads_are_listed_apart_on_both_pages() -> None:
    orders = Delivery("template_purchase_order", "purchase_order", date(2023, 1, 1), date(2024, 12, 31), 1)
    evidence = replace(EVIDENCE, deliveries={"S000000": (*DELIVERIES["S000000"], orders)})
    says = subject(evidence=evidence)
    assert {row["table"] for row in says["data_coverage"]} == {"money_event", "site_order"}
    assert [row["table"] for row in says["data_not_read"]] == ["purchase_order"]
    pages = issue_passport(scored_rows()[0], small_bundle(), evidence, TERMS).pages
    assert "Delivered, but not read by the score" in pages["en"]
    assert "已交付但未用于评分" in pages["zh"]


def test_a_seller_of_whom_nothing_was_delivered_has_empty_coverage() -> None:
    assert subject(scored_rows()[1])["data_coverage"] == []


def test_warnings_are_shown_in_both_languages() -> None:
    chunk = applicants(1)
    chunk = with_values(chunk, "refund_share_90d", [1000.0])
    row = score_chunk(context(), chunk).to_pylist()[0]
    (caution,) = [one for one in subject(row)["warnings"] if one["code"] == "out_of_range"]
    assert caution["feature"] == "refund_share_90d"
    assert caution["en"].startswith("Refund share 90d: a value far outside")
    assert "训练样本" in caution["zh"]


def test_a_passport_without_an_interval_leaves_it_out() -> None:
    row = {**scored_rows()[0], "pd_lower": None, "pd_upper": None}
    assert "probability_of_default_interval" not in subject(row)["assessment"]


@pytest.mark.parametrize("change", [{"status": "refused"}, {"reasons": None}])
def test_no_passport_is_issued_for_a_refused_or_unexplained_row(change: Row) -> None:
    with pytest.raises(ValueError, match="scored row with its reasons"):
        issue_passport({**scored_rows()[0], **change}, small_bundle(), EVIDENCE, TERMS)


def test_a_passport_whose_points_do_not_add_up_cannot_be_made() -> None:
    row = scored_rows()[0]
    with pytest.raises(ValidationError, match="add up"):
        document({**row, "score": row["score"] + 1})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("credentialSubject", "assessment", "score"), 612),
        (("credentialSubject", "assessment", "score"), "0612"),
        (("credentialSubject", "assessment", "probability_of_default"), "1.2"),
        (("credentialSubject", "valid_until"), "2026-06-14"),
        (("credentialSubject", "as_of"), "2025-12-31"),
        (("credentialSubject", "id"), "urn:seller-pseudonym:" + "0" * 32),
        (("credentialSubject", "status"), "refused"),
        (("credentialSubject", "surprise"), "x"),
        (("credentialSubject", "demonstration"), "true"),
        (("@context",), ["https://www.w3.org/ns/credentials/v2"]),
        (("type",), ["VerifiableCredential"]),
    ],
)
def test_a_document_that_is_not_a_passport_is_refused_by_its_form(place: tuple[str, ...], value: object) -> None:
    made = document()
    PassportDocument.model_validate_json(json.dumps(made))
    inside = made
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    with pytest.raises(ValidationError):
        PassportDocument.model_validate_json(json.dumps(made))


def test_the_schema_accepts_a_passport_and_no_number_in_place_of_a_text() -> None:
    schema = passport_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    made = document()
    validator.validate(made)
    made["credentialSubject"]["assessment"]["score"] = 612
    assert not validator.is_valid(made)


def test_pages_come_in_both_languages_and_load_nothing() -> None:
    passport = issue_passport(scored_rows()[0], small_bundle(), EVIDENCE, TERMS)
    assert set(passport.pages) == {"en", "zh"}
    for page in passport.pages.values():
        assert passport.pseudonym in page
        assert not re.search(r"(?:src|href)=[\"']https?:", page)


def test_a_feature_set_this_installation_does_not_have_is_of_unknown_version() -> None:
    assert subject(evidence=Evidence({}))["model"]["feature_set"]["version"] == "unknown"


@pytest.mark.parametrize(
    ("value", "text"), [(600.0, "600"), (0.25, "0.25"), (1e-7, "0.0000001"), (-1e21, "-1" + "0" * 21), (0.0, "0")]
)
def test_decimals_are_written_without_exponents(value: float, text: str) -> None:
    assert decimal_text(value) == text
