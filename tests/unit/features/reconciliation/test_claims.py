"""Claims, the figures they are made of, and the sources that belong to each family."""

from __future__ import annotations

from features.reconciliation.claims import CLAIMS, FAMILIES, FIGURES


def test_every_claim_is_made_of_figures_that_exist_and_every_gap_is_a_range() -> None:
    figures, families = {figure.name for figure in FIGURES}, {family.name for family in FAMILIES}
    assert {figure.family for figure in FIGURES} <= families
    for claim in CLAIMS:
        assert {*claim.parts, *claim.beside} <= figures
        for witness in claim.witnesses:
            assert witness.figure in figures & families
            assert set(witness.gaps) == set(claim.parts)
            assert all(0 <= gap.lowest < gap.highest and gap.reason for gap in witness.gaps.values())


def test_a_delivery_belongs_to_the_families_of_its_table_and_source() -> None:
    named = {
        (source, table): [family.name for family in FAMILIES if family.holds(source, table)]
        for source, table in (
            ("amazon_settlement_v2", "money_event"),
            ("stripe_payout_reconciliation", "money_event"),
            ("payoneer", "money_event"),
            ("vat_invoices", "trade_invoice"),
            ("alibaba_1688_orders", "purchase_order"),
            ("template_purchase_order", "purchase_order"),
            ("amazon_settlement_v2", "site_order"),
            ("stripe_payout_reconciliation", "bank_entry"),
        )
    }
    assert list(named.values()) == [
        ["platform"],
        ["payment"],
        [],
        ["tax_sales", "tax_purchases"],
        [],
        ["procurement"],
        ["own_site"],
        ["bank"],
    ]


def test_claims_count_for_these_pillars_and_are_expected_of_every_seller_or_not() -> None:
    assert {claim.name: (claim.pillars, claim.is_expected) for claim in CLAIMS} == {
        "sales": (("sales_health", "data_integrity"), True),
        "cost_of_goods": (("supply_chain", "data_integrity"), True),
        "own_site_sales": (("user_quality", "data_integrity"), False),
        "payouts": (("liquidity", "data_integrity"), False),
    }


def test_only_exports_compared_with_purchases_need_not_show_what_hosted_platforms_sell() -> None:
    hosted = {(claim.name, one.figure) for claim in CLAIMS for one in claim.witnesses if one.is_less_hosted}
    assert hosted == {("cost_of_goods", "customs")}


def test_some_lists_may_lack_a_kind_of_content_and_are_heard_only_once_they_had_it() -> None:
    asked = {family.name for family in FAMILIES if family.must_have_spoken}
    assert asked == {"site_analytics", "tax_sales", "tax_purchases"}
