from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.definition.compiler import table_contract
from data_contracts.errors import InputRefused
from features.engine.as_of import AsOf
from features.reconciliation.reconcile import (
    ABOVE,
    AGREES,
    BELOW,
    COMPATIBLE,
    CONTRADICTED,
    CORROBORATED,
    GRADES,
    NOT_CONTRADICTED,
    NOT_EVIDENCED,
    RECONCILIATION_SCHEMA,
    SINGLE_SOURCE,
    SMALLEST_USD,
    ReconciliationSettings,
    latest,
    quarter_end,
    reconcile,
)
from tests.factories.canonical_tables import canonical_tables, coverage_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AS_OF = dt.date(2024, 12, 31)
QUARTER_DAYS = ("2024-02-10", "2024-05-10", "2024-08-10", "2024-11-10")
SALES, EXPORTS, INVOICES = "money_event", "export_declaration", "trade_invoice"
Rows = list[dict[str, Any]]


def sold(usd: object, **cells: object) -> Rows:
    """Return a marketplace sale in every quarter of the year."""
    return [{"seller_id": "S1", "event_type": "sale", "amount": usd, "event_date": d, **cells} for d in QUARTER_DAYS]


def declared(usd: object, days: Sequence[str] = QUARTER_DAYS) -> Rows:
    return [{"seller_id": "S1", "declared_amount": usd, "event_date": day} for day in days]


def invoiced(direction: str, usd: object) -> Rows:
    return [{"seller_id": "S1", "direction": direction, "net_amount": usd, "event_date": day} for day in QUARTER_DAYS]


def delivered(*tables: str, period_from: str = "2024-01-01", period_to: str = "2024-12-31", **cells: object) -> Rows:
    rows = coverage_rows(["S1"], tables, period_from, period_to, known_at=period_from)
    return [{**row, **cells} for row in rows]


def reconciled(coverage: Rows, **rows: Rows) -> pa.Table:
    return reconciled_at(AS_OF, coverage, rows)


def reconciled_at(as_of: dt.date, coverage: Rows, rows: Mapping[str, Rows]) -> pa.Table:
    numbered = {name: [{**row, _key(name): f"{name}-{i}"} for i, row in enumerate(r)] for name, r in rows.items()}
    tables = canonical_tables(source_coverage=_numbered(coverage), **numbered)
    return reconcile(tables, AsOf(as_of), settings=ReconciliationSettings(threads=1))


def _key(table: str) -> str:
    return table_contract(table).primary_key[0]


def _numbered(coverage: Rows) -> Rows:
    return [{**row, "source_coverage_id": f"c{number}"} for number, row in enumerate(coverage)]


def grade(table: pa.Table, claim: str) -> str | None:
    """Return the grade of a claim in the last quarter, None where there is none."""
    found = {row["grade"] for row in latest(table).to_pylist() if row["claim"] == claim}
    assert len(found) <= 1
    return found.pop() if found else None


def row_of(table: pa.Table, claim: str, source: str) -> dict[str, Any]:
    (found,) = [row for row in latest(table).to_pylist() if (row["claim"], row["source"]) == (claim, source)]
    return dict(found)


def sources(table: pa.Table, claim: str) -> set[str]:
    return {row["source"] for row in latest(table).to_pylist() if row["claim"] == claim}


def test_exports_that_fit_corroborate_sales_only_if_half_the_sales_would_not_fit_as_well() -> None:
    table = reconciled(delivered(SALES, EXPORTS), money_event=sold(30_000), export_declaration=declared(20_000))
    assert grade(table, "sales") == CORROBORATED
    assert row_of(table, "sales", "customs")["verdict"] == AGREES
    table = reconciled(delivered(SALES, EXPORTS), money_event=sold(30_000), export_declaration=declared(10_000))
    assert grade(table, "sales") == NOT_CONTRADICTED
    customs = row_of(table, "sales", "customs")
    assert (customs["usd"], customs["claimed_usd"], customs["quarters"]) == (Decimal(40_000), Decimal(120_000), 4)
    assert customs["verdict"] == COMPATIBLE
    assert customs["ratio"] == pytest.approx(1 / 3)
    assert customs["lowest_usd"] <= customs["usd"] <= customs["highest_usd"]


def test_more_declared_than_the_sales_could_be_contradicts_them() -> None:
    table = reconciled(delivered(SALES, EXPORTS), money_event=sold(30_000), export_declaration=declared(50_000))
    assert grade(table, "sales") == CONTRADICTED
    assert row_of(table, "sales", "customs")["verdict"] == ABOVE


def test_sales_without_any_export_are_contradicted_only_where_declarations_were_delivered() -> None:
    silent = reconciled(delivered(SALES, EXPORTS), money_event=sold(30_000))
    assert grade(silent, "sales") == CONTRADICTED
    assert row_of(silent, "sales", "customs")["verdict"] == BELOW
    absent = reconciled(delivered(SALES), money_event=sold(30_000))
    assert grade(absent, "sales") == SINGLE_SOURCE
    assert "customs" not in sources(absent, "sales")


def test_quarters_a_witness_was_not_delivered_for_are_left_out_of_both_amounts() -> None:
    coverage = [*delivered(SALES), *delivered(EXPORTS, period_from="2024-07-01")]
    exports = declared(10_000, QUARTER_DAYS[2:])
    customs = row_of(reconciled(coverage, money_event=sold(30_000), export_declaration=exports), "sales", "customs")
    assert (customs["quarters"], customs["claimed_usd"], customs["usd"]) == (2, Decimal(60_000), Decimal(20_000))
    assert customs["verdict"] == COMPATIBLE


def test_a_quarter_without_any_delivery_is_not_evidenced() -> None:
    table = reconciled(delivered(SALES, period_to="2024-09-30"), money_event=sold(30_000))
    assert grade(table, "sales") == NOT_EVIDENCED
    assert sources(table, "sales") == {None}


@pytest.mark.parametrize("usd", [0, 13, 30_000])
def test_a_witness_that_may_show_nothing_never_corroborates_a_full_hosted_seller(usd: int) -> None:
    sales = sold(30_000, source="shein_report@1.0.0", platform="SHEIN")
    table = reconciled(delivered(SALES, INVOICES), money_event=sales, trade_invoice=invoiced("sale", usd or "0.01"))
    assert row_of(table, "sales", "tax_sales")["verdict"] == COMPATIBLE
    assert grade(table, "sales") == NOT_CONTRADICTED
    table = reconciled(delivered(SALES, EXPORTS), money_event=sales)
    assert row_of(table, "sales", "customs")["verdict"] == COMPATIBLE
    bought = invoiced("purchase", 20_000)
    table = reconciled(delivered(SALES, EXPORTS, INVOICES), money_event=sales, trade_invoice=bought)
    assert grade(table, "cost_of_goods") == NOT_CONTRADICTED


def test_goods_declared_far_above_what_they_cost_contradict_the_purchases() -> None:
    bought = invoiced("purchase", 10_000)
    honest = reconciled(delivered(EXPORTS, INVOICES), trade_invoice=bought, export_declaration=declared(12_000))
    assert grade(honest, "cost_of_goods") == CORROBORATED
    lied = reconciled(delivered(EXPORTS, INVOICES), trade_invoice=bought, export_declaration=declared(25_000))
    assert grade(lied, "cost_of_goods") == CONTRADICTED


def test_a_list_of_purchases_alone_is_no_evidence_of_sales() -> None:
    table = reconciled(delivered(SALES, INVOICES), money_event=sold(30_000), trade_invoice=invoiced("purchase", 9_000))
    assert sources(table, "sales") == {"platform", "payouts"}
    assert grade(table, "sales") == SINGLE_SOURCE


def credited(usd: object, **cells: object) -> Rows:
    cells = {"counterparty_kind": "platform_payout", "platform": "Amazon", **cells}
    return [{"seller_id": "S1", "amount": usd, "event_date": day, **cells} for day in QUARTER_DAYS]


@pytest.mark.parametrize(
    ("credits_of_the_bank", "expected"),
    [
        (credited(24_500), CORROBORATED),
        (credited(24_500, counterparty_kind="wallet_payout", platform="Payoneer"), CORROBORATED),
        (credited(12_000), CONTRADICTED),
        (credited(60_000), CONTRADICTED),
        (credited(24_500, counterparty_kind="other", platform=None), CONTRADICTED),
        (credited(24_500, platform="Stripe"), CONTRADICTED),
    ],
    ids=["as paid out", "by way of a wallet", "half missing", "far more", "not from a platform", "of the own shop"],
)
def test_bank_credits_bear_out_or_contradict_the_payouts_of_platforms(credits_of_the_bank: Rows, expected: str) -> None:
    money = [*sold(30_000), *sold(-25_000, event_type="payout")]
    table = reconciled(delivered(SALES, "bank_entry"), money_event=money, bank_entry=credits_of_the_bank)
    assert grade(table, "payouts") == expected


def test_payouts_without_a_bank_statement_have_a_single_source() -> None:
    money = [*sold(30_000), *sold(-25_000, event_type="payout")]
    assert grade(reconciled(delivered(SALES), money_event=money), "payouts") == SINGLE_SOURCE


def test_payments_of_an_own_shop_are_evidence_of_its_orders_and_no_sales_of_their_own() -> None:
    coverage = [*delivered("site_order", delivered_source="shopify_orders")]
    coverage += delivered(SALES, delivered_source="stripe_payout_reconciliation")
    orders = [{"seller_id": "S1", "total_amount": 30_000, "event_date": day} for day in QUARTER_DAYS]
    paid = sold(29_000, platform="Stripe", source="stripe_payout_reconciliation@1.0.0")
    table = reconciled(coverage, site_order=orders, money_event=paid)
    assert grade(table, "own_site_sales") == CORROBORATED
    assert sources(table, "sales") == {"own_site"}
    few = reconciled(coverage, site_order=orders, money_event=sold(9_000, platform="Stripe"))
    assert grade(few, "own_site_sales") == CONTRADICTED


def test_a_seller_without_own_shop_makes_no_claim_about_one() -> None:
    assert grade(reconciled(delivered(SALES), money_event=sold(30_000)), "own_site_sales") is None


def test_money_arriving_in_a_wallet_is_counted_nowhere() -> None:
    coverage = delivered(SALES, delivered_source="payoneer")
    table = reconciled([*coverage, *delivered(SALES)], money_event=[*sold(30_000), *sold(30_000, platform="Payoneer")])
    assert row_of(table, "sales", "platform")["usd"] == Decimal(120_000)


def test_amounts_too_small_to_compare_leave_one_source() -> None:
    usd = Decimal(SMALLEST_USD) / 4 - 1
    table = reconciled(delivered(SALES, EXPORTS), money_event=sold(usd), export_declaration=declared(usd))
    assert grade(table, "sales") == SINGLE_SOURCE
    assert row_of(table, "sales", "customs")["verdict"] == "small"


def test_only_the_last_four_quarters_of_several_years_are_compared() -> None:
    days = [f"{year}-{month}-15" for year in (2023, 2024) for month in ("02", "05", "08", "11")]
    usd = [1, 2, 4, 8, 16_000, 32_000, 64_000, 128_000]
    money_event = [
        {"seller_id": "S1", "event_type": "sale", "amount": a, "event_date": d} for a, d in zip(usd, days, strict=True)
    ]
    exports = [{"seller_id": "S1", "declared_amount": a / 2, "event_date": d} for a, d in zip(usd, days, strict=True)]
    table = reconciled(
        delivered(SALES, EXPORTS, period_from="2023-01-01"), money_event=money_event, export_declaration=exports
    )
    customs = row_of(table, "sales", "customs")
    assert (customs["usd"], customs["claimed_usd"], customs["quarters"]) == (120_000, 240_000, 4)
    platform = [row for row in table.to_pylist() if (row["claim"], row["source"]) == ("sales", "platform")]
    assert [(row["quarter_end"].isoformat(), int(row["usd"]), row["quarters"]) for row in platform] == [
        ("2023-03-31", 1, 1),
        ("2023-06-30", 3, 2),
        ("2023-09-30", 7, 3),
        ("2023-12-31", 15, 4),
        ("2024-03-31", 16_014, 4),
        ("2024-06-30", 48_012, 4),
        ("2024-09-30", 112_008, 4),
        ("2024-12-31", 240_000, 4),
    ]


@pytest.mark.parametrize(
    ("period_from", "ends"),
    [
        ("2024-01-01", ["2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"]),
        ("2024-03-31", ["2024-06-30", "2024-09-30", "2024-12-31"]),
        ("2024-04-01", ["2024-06-30", "2024-09-30", "2024-12-31"]),
        ("2024-10-01", ["2024-12-31"]),
        ("2024-11-01", []),
    ],
)
def test_quarters_begin_with_the_first_that_was_delivered_in_full(period_from: str, ends: list[str]) -> None:
    table = reconciled(delivered(SALES, period_from=period_from), money_event=sold(30_000))
    assert [day.isoformat() for day in pc.unique(table["quarter_end"]).to_pylist()] == ends


def test_a_list_that_ends_in_the_last_week_of_a_quarter_covers_it() -> None:
    for period_to, expected in (("2024-12-24", SINGLE_SOURCE), ("2024-12-23", NOT_EVIDENCED)):
        assert grade(reconciled(delivered(SALES, period_to=period_to), money_event=sold(30_000)), "sales") == expected


def test_a_witness_without_sales_stands_alone() -> None:
    table = reconciled(delivered(EXPORTS), export_declaration=declared(20_000))
    customs = row_of(table, "sales", "customs")
    assert (customs["verdict"], customs["usd"], customs["quarters"]) == ("alone", Decimal(80_000), 4)
    assert (customs["claimed_usd"], customs["lowest_usd"], customs["highest_usd"], customs["ratio"]) == (None,) * 4
    assert grade(table, "sales") == SINGLE_SOURCE
    assert sources(table, "sales") == {"customs"}


def test_purchases_that_no_list_of_invoices_speaks_of_are_not_taken_for_none() -> None:
    only_sales = {"trade_invoice": invoiced("sale", 20_000), "export_declaration": declared(20_000)}
    table = reconciled(delivered(EXPORTS, INVOICES), **only_sales)
    assert sources(table, "cost_of_goods") == {"customs"}
    assert grade(table, "cost_of_goods") == SINGLE_SOURCE
    assert sources(table, "sales") == {"customs", "tax_sales"}


@pytest.mark.parametrize(
    ("exports", "verdict", "expected"),
    [(20_000, AGREES, CORROBORATED), (9_000, COMPATIBLE, NOT_CONTRADICTED), (50_000, ABOVE, CONTRADICTED)],
)
def test_a_semi_hosted_seller_exports_at_most_at_the_price_it_is_paid(
    exports: int, verdict: str, expected: str
) -> None:
    sales = sold(30_000, source="shein_statement@1.0.0", platform="SHEIN")
    table = reconciled(delivered(SALES, EXPORTS), money_event=sales, export_declaration=declared(exports))
    customs = row_of(table, "sales", "customs")
    # Between 0.15 and 1 of the price, with the goods of a quarter of four on their way either way.
    assert (customs["lowest_usd"], customs["highest_usd"]) == (Decimal(13_500), Decimal(150_000))
    assert (customs["verdict"], grade(table, "sales")) == (verdict, expected)


def test_a_semi_hosted_seller_may_sell_without_invoices_and_not_without_exports() -> None:
    sales = sold(30_000, source="shein_statement@1.0.0", platform="SHEIN")
    table = reconciled(delivered(SALES, INVOICES), money_event=sales, trade_invoice=invoiced("sale", "0.01"))
    assert row_of(table, "sales", "tax_sales")["lowest_usd"] == 0
    assert grade(table, "sales") == NOT_CONTRADICTED
    assert grade(reconciled(delivered(SALES, EXPORTS), money_event=sales), "sales") == CONTRADICTED


def test_the_range_of_each_witness_is_the_share_it_may_show_with_what_may_fall_outside() -> None:
    money = [*sold(30_000), *sold(-25_000, event_type="payout")]
    table = reconciled(
        delivered(SALES, EXPORTS, INVOICES, "bank_entry"),
        money_event=money,
        export_declaration=declared(20_000),
        trade_invoice=[*invoiced("sale", 20_000), *invoiced("purchase", 10_000)],
        bank_entry=credited(24_500),
    )
    found = {
        (row["claim"], row["source"]): (float(row["lowest_usd"]), float(row["highest_usd"]))
        for row in latest(table).to_pylist()
        if row["lowest_usd"] is not None
    }
    assert found == {
        ("sales", "customs"): (120_000 * 0.15 * 0.75, 120_000 * 1.25),
        ("sales", "tax_sales"): (120_000 * 0.3 * (1 - 0.33 / 4), 120_000 * (1 + 0.33 / 4)),
        ("cost_of_goods", "customs"): (40_000 * 0.8 * 0.75, 40_000 * 1.4 * 1.25),
        ("payouts", "bank"): (100_000 * 0.9 * 0.975, 100_000 * 1.5 * 1.025),
    }


def test_a_reconciliation_always_says_who_when_what_and_the_grade() -> None:
    required = {field.name for field in RECONCILIATION_SCHEMA if not field.nullable}
    assert required == {"seller_id", "quarter_end", "claim", "grade"}
    assert RECONCILIATION_SCHEMA.field("usd").type == pa.decimal128(18, 4)


@pytest.mark.parametrize(("usd", "verdict"), [("2500", AGREES), ("2499.9999", "small")])
def test_ten_thousand_dollars_a_year_are_enough_to_compare(usd: str, verdict: str) -> None:
    table = reconciled(delivered(SALES, EXPORTS), money_event=sold(usd), export_declaration=declared(usd))
    assert row_of(table, "sales", "customs")["verdict"] == verdict


def test_sums_are_exact_to_the_last_digit() -> None:
    sales = [row for _ in range(30) for row in sold("0.1001")]
    table = reconciled(delivered(SALES), money_event=sales)
    assert row_of(table, "sales", "platform")["usd"] == Decimal("12.0120")


def test_payouts_are_shown_with_sales_and_do_not_corroborate_them() -> None:
    paid = sold(-20_000, event_type="payout")
    table = reconciled(delivered(SALES), money_event=[*sold(30_000), *paid])
    payouts = row_of(table, "sales", "payouts")
    assert (payouts["usd"], payouts["verdict"]) == (Decimal(80_000), "beside")
    assert grade(table, "sales") == SINGLE_SOURCE


def test_only_quarters_that_have_ended_are_judged() -> None:
    rows = {"money_event": sold(30_000), "export_declaration": declared(10_000)}
    found = reconciled_at(dt.date(2024, 9, 29), delivered(SALES, EXPORTS), rows)
    ends = pc.unique(found["quarter_end"]).to_pylist()
    assert ends == [dt.date(2024, 3, 31), dt.date(2024, 6, 30)]


def test_the_last_quarters_alone_have_the_same_grades_as_among_all() -> None:
    tables = canonical_tables(
        source_coverage=_numbered(delivered(SALES, EXPORTS)),
        money_event=[{**row, "event_id": f"e{i}"} for i, row in enumerate(sold(30_000))],
        export_declaration=[{**row, "declaration_item_id": f"d{i}"} for i, row in enumerate(declared(10_000))],
    )
    whole = reconcile(tables, AsOf(AS_OF))
    last = reconcile(tables, AsOf(AS_OF), ["S1", "nobody"], ReconciliationSettings(last_quarters=1))
    assert last.equals(latest(whole))


def test_without_deliveries_there_are_no_claims() -> None:
    assert reconcile({}, AsOf(AS_OF)).num_rows == 0
    assert reconciled([], money_event=sold(30_000)).schema.equals(RECONCILIATION_SCHEMA)


def test_a_table_of_an_older_form_is_refused_in_one_line() -> None:
    tables = canonical_tables(source_coverage=_numbered(delivered(SALES)))
    old = {**tables, SALES: tables[SALES].drop_columns(["known_at"])}
    with pytest.raises(InputRefused, match=r"money_event.*known_at.*missing"):
        reconcile(old, AsOf(AS_OF))


@pytest.mark.parametrize(
    ("start", "end"), [("2024-01-01", "2024-03-31"), ("2023-10-01", "2023-12-31"), ("2024-04-01", "2024-06-30")]
)
def test_a_quarter_ends_on_the_day_before_the_next(start: str, end: str) -> None:
    assert quarter_end(dt.date.fromisoformat(start)) == dt.date.fromisoformat(end)


money = st.integers(min_value=0, max_value=90_000)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(usd=money, exports=money, later=money, factor=st.integers(min_value=2, max_value=9))
def test_later_knowledge_changes_nothing_and_more_fraud_never_looks_better(
    usd: int, exports: int, later: int, factor: int
) -> None:
    coverage = delivered(SALES, EXPORTS)
    rows = {"money_event": sold(usd), "export_declaration": declared(exports + 1)}
    table = reconciled_at(AS_OF, coverage, rows)
    unknown = {"event_date": "2024-11-11", "known_at": "2025-01-01", "seller_id": "S1"}
    more = {"export_declaration": [*rows["export_declaration"], {**unknown, "declared_amount": later + 1}]}
    assert reconciled_at(AS_OF, coverage, {**rows, **more}).equals(table)
    assert set(table["grade"].to_pylist()) <= set(GRADES)
    doubled = reconciled_at(AS_OF, coverage, {**rows, "money_event": sold(2 * usd)})
    assert CORROBORATED not in {grade(table, "sales")} & {grade(doubled, "sales")}
    if row_of(table, "sales", "customs")["verdict"] == ABOVE:
        inflated = {**rows, "export_declaration": declared(factor * (exports + 1))}
        assert grade(reconciled_at(AS_OF, coverage, inflated), "sales") == CONTRADICTED
