"""The claims of a passport: their order, their sources, and the grades that they give to pillars."""

from __future__ import annotations

import pyarrow as pa

from pipelines.passports.claims import claim_lines, pillar_grades, rows_by_seller
from tests.unit.pipelines.passports.test_passport import OWN_SHOP, SALES, claim_row, replace_row


def test_an_amount_that_rounds_to_nothing_has_no_sign() -> None:
    (line,) = claim_lines((claim_row("sales", "single_source", "platform", "claimed", -0.001),))
    assert line["amounts"][0]["usd"] == "0.00"  # type: ignore[index]


def test_a_pillar_takes_no_grade_from_comparisons_about_another() -> None:
    goods = claim_row("cost_of_goods", "corroborated", "tax_purchases", "claimed", 90_000)
    grades = pillar_grades([goods, *SALES])
    assert {pillar: grade for pillar, (grade, _) in grades.items()} == dict.fromkeys(
        ("sales_health", "supply_chain", "data_integrity"), "corroborated"
    )


def test_claims_are_grouped_by_seller_and_stated_in_the_order_of_the_claims() -> None:
    others = [replace_row(row, seller_id="S000001") for row in OWN_SHOP]
    rows = [*OWN_SHOP, *others, *SALES]
    schema = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    found = rows_by_seller(pa.table(schema))
    assert {seller: len(of_seller) for seller, of_seller in found.items()} == {"S000000": 5, "S000001": 2}
    lines = claim_lines(found["S000000"])
    assert [line["claim"] for line in lines] == ["sales", "own_site_sales"]


def test_the_sources_of_a_pillar_are_those_that_spoke_in_its_decisive_comparison() -> None:
    grades = pillar_grades([*SALES, *OWN_SHOP])
    assert {pillar: [family.name for family in families] for pillar, (_, families) in grades.items()} == {
        "user_quality": ["payment", "own_site"],
        "data_integrity": ["payment", "own_site"],
        "sales_health": ["platform", "customs"],
    }
    bank = (
        claim_row("payouts", "corroborated", "payouts", "claimed", 90_000),
        claim_row("payouts", "corroborated", "bank", "agrees", 90_000, 90_000, 80_000, 100_000),
    )
    both = pillar_grades([*SALES, *bank])["data_integrity"]
    assert (both[0], [family.name for family in both[1]]) == ("corroborated", ["platform", "customs", "bank"])
