from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from features.reconciliation.claims import CLAIMS
from features.reconciliation.reconcile import GRADES
from pipelines.reports.rendering import LANGUAGES, page_texts
from pipelines.reports.validation_page import render_validation_page
from pipelines.validate.reconciliation import distance, reconciled, reconciliation_document
from tests.factories.canonical_tables import canonical_tables, coverage_rows
from tests.factories.pages import ABOUT

if TYPE_CHECKING:
    import pyarrow as pa

    from pipelines.reports.rendering import Language

AS_OF = dt.date(2024, 12, 31)
NONE = dict.fromkeys(GRADES, 0)
DECLARED = {"honest": 12_000, "bold": 30_000, "bolder": 60_000}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Return three sellers with equal purchases; two declare more than these can be worth."""
    days = ("2024-02-10", "2024-05-10", "2024-08-10", "2024-11-10")
    keys = [(seller, day) for seller in DECLARED for day in days]
    coverage = coverage_rows(list(DECLARED), ("trade_invoice", "export_declaration"), "2024-01-01", "2024-12-31")
    bought = [
        {"invoice_id": f"{s}{d}", "seller_id": s, "event_date": d, "direction": "purchase", "net_amount": 10_000}
        for s, d in keys
    ]
    exported = [
        {"declaration_item_id": f"{s}{d}", "seller_id": s, "event_date": d, "declared_amount": DECLARED[s]}
        for s, d in keys
    ]
    tables = canonical_tables(
        source_coverage=[{**row, "source_coverage_id": str(i)} for i, row in enumerate(coverage)],
        trade_invoice=bought,
        export_declaration=exported,
    )
    return reconciled(tables, AS_OF)


@pytest.fixture(scope="module")
def document(table: pa.Table) -> dict[str, Any]:
    return reconciliation_document(table, AS_OF, sellers_shown=1)


def test_claims_are_counted_by_grade_in_the_last_quarter(document: dict[str, Any]) -> None:
    grades = {row["claim"]: row["grades"] for row in document["claims"]}
    assert grades["cost_of_goods"] == {**NONE, "corroborated": 1, "contradicted": 2}
    assert grades["sales"] == {**NONE, "single_source": 3}
    assert (document["quarter_end"], document["sellers"]) == ("2024-12-31", 3)


def test_the_seller_furthest_from_what_could_be_comes_first(document: dict[str, Any]) -> None:
    (shown,) = document["contradicted"]
    assert (shown["seller_id"], shown["usd"], shown["claimed_usd"]) == ("bolder", "240000.00", "40000.00")
    assert document["contradicted_sellers"] == 2


def test_nothing_reported_where_something_is_due_is_the_largest_distance() -> None:
    silent = {"verdict": "below", "usd": 0, "lowest_usd": 5, "highest_usd": 9}
    little = {**silent, "usd": 1}
    assert distance(silent) > distance(little) > 0
    assert distance({**silent, "verdict": "above", "usd": 10}) < distance({**silent, "verdict": "above", "usd": 20})


def test_every_tolerance_is_listed_with_its_reason(document: dict[str, Any]) -> None:
    assert document["gaps"]
    assert all(gap["reason"] and float(gap["lowest"]) < float(gap["highest"]) for gap in document["gaps"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_names_grades_sellers_and_tolerances(document: dict[str, Any], language: Language) -> None:
    whole = {
        "about": ABOUT,
        "sources": [],
        "unlisted_files": [],
        "withheld_files": [],
        "tables": [],
        "reconciliation": document,
    }
    page = render_validation_page(json.loads(json.dumps(whole)), language)
    words = page_texts("validation_page", language)
    assert "bolder" in page
    assert "240,000" in page
    for key in ("claim_cost_of_goods", "grade_contradicted", "family_customs", "part_tax_purchases"):
        assert words(key) in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_claim_part_and_witness_has_a_name(language: Language) -> None:
    words = page_texts("validation_page", language)
    for claim in CLAIMS:
        keys = {f"claim_{claim.name}", *(f"part_{part}" for witness in claim.witnesses for part in witness.gaps)}
        keys |= {f"family_{witness.figure}" for witness in claim.witnesses}
        assert all(words(key) for key in keys)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_before_the_end_of_the_first_quarter_states_it(table: pa.Table, language: Language) -> None:
    nothing = reconciliation_document(table.slice(0, 0), AS_OF, sellers_shown=5)
    whole = {
        "about": ABOUT,
        "sources": [],
        "unlisted_files": [],
        "withheld_files": [],
        "tables": [],
        "reconciliation": nothing,
    }
    assert page_texts("validation_page", language)("reconciliation_none") in render_validation_page(whole, language)
