"""Statements that do not close, payouts that no account received and contradicted claims have a code."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from features.reconciliation.plausibility import contradicted_sellers, implausible
from features.reconciliation.reconcile import RECONCILIATION_SCHEMA
from tests.factories.canonical_tables import canonical_tables

if TYPE_CHECKING:
    from collections.abc import Callable

AS_OF = dt.date(2024, 12, 31)
Row = dict[str, Any]


def statement(number: int, **changed: object) -> list[Row]:
    """Return a statement of each month with a sale of 1,000, a refund of 100, fees of 200 and a payout of 700."""
    day = dt.date(2024, 1, 10) + dt.timedelta(days=28 * number)
    amounts = {"sale": 1000, "refund": -100, "commission": -200, "payout": -700}
    common = {"seller_id": "S1", "statement_id": f"ST-{number}", "event_date": day, "status": "paid"}
    return [{**common, "event_type": kind, "amount": amount, **changed} for kind, amount in amounts.items()]


def year(**changed: object) -> list[Row]:
    return [row for number in range(12) for row in statement(number, **changed)]


def codes(ledger: list[Row], balances: list[Row] | None = None, as_of: dt.date = AS_OF) -> tuple[str, ...]:
    tables = canonical_tables(money_event=ledger, cash_balance=balances or [])
    return implausible(tables, {as_of: ["S1", "S2"]}).get(("S1", as_of), ())


def test_statements_that_their_payout_closes_have_no_code() -> None:
    assert codes(year()) == ()
    assert codes([]) == ()
    assert implausible({}, {AS_OF: ["S1"]}) == {}


@pytest.mark.parametrize(
    "lie",
    [
        lambda row: None if row["event_type"] == "refund" else row,
        lambda row: {**row, "amount": row["amount"] * 1.3} if row["event_type"] == "sale" else row,
        lambda row: {**row, "amount": row["amount"] * 1.3} if row["event_type"] in {"sale", "payout"} else row,
        lambda row: (
            {**row, "event_date": row["event_date"] + dt.timedelta(60)} if row["event_type"] == "refund" else row
        ),
    ],
    ids=["refunds dropped", "sales raised", "sales and payouts raised", "refunds delayed"],
)
def test_statements_that_were_tampered_with_do_not_close(lie: Callable[[Row], Row | None]) -> None:
    assert "statements_do_not_close" in codes([row for row in map(lie, year()) if row is not None])


def test_everything_raised_alike_closes_and_is_not_found_here() -> None:
    assert codes([{**row, "amount": row["amount"] * 1.3} for row in year()]) == ()


def test_one_open_statement_among_many_is_no_sign() -> None:
    many = [row for number in range(12) for row in (statement(number), statement(number)) for row in row]
    several = [{**row, "statement_id": f"{row['statement_id']}-{place // 4}"} for place, row in enumerate(many)]
    assert codes(several[:-2] + several[-1:]) == ()
    assert codes(several[:-2] + several[-1:] + [{**several[0], "amount": 50}]) == ("statements_do_not_close",)


@pytest.mark.parametrize(
    "row",
    [
        {"event_type": "sale", "currency": "EUR"},
        {"event_type": "sale", "counted_in": "shein_report"},
        {"event_type": "sale", "known_at": "2025-01-01T00:00:00"},
        {"event_type": "sale", "status": "estimated"},
    ],
    ids=["two currencies", "counts elsewhere", "not known yet", "forecast"],
)
def test_what_cannot_be_judged_is_not_judged(row: Row) -> None:
    further = [{**rows[0], **row} for rows in (statement(number) for number in range(12))]
    assert codes(year() + further) == ()


def test_a_statement_without_its_payout_and_one_of_long_ago_are_not_judged() -> None:
    unpaid = [row for row in year() if row["event_type"] != "payout"]
    assert codes(unpaid) == ()
    assert codes([row for row in year() if row["event_type"] != "refund"], as_of=dt.date(2026, 1, 31)) == ()


def test_a_year_of_sales_without_a_refund_has_a_code_from_ten_thousand_dollars_on() -> None:
    def without_refunds(sales: float) -> list[Row]:
        amounts = {"sale": sales, "refund": 0, "commission": -200, "payout": 200 - sales}
        rows = [{**row, "amount": amounts[row["event_type"]]} for row in year()]
        return [row for row in rows if row["event_type"] != "refund"]

    refund = {**statement(0)[1], "statement_id": None}
    assert codes(without_refunds(834)) == ("no_refunds",)
    assert codes(without_refunds(833)) == ()
    assert codes([*without_refunds(834), refund]) == ()
    assert codes([*without_refunds(834), {**refund, "event_date": "2023-12-30"}]) == ("no_refunds",)


def balances(inflow: float) -> list[Row]:
    months = [dt.date(2024, 1, 31) + dt.timedelta(days=28 * number) for number in range(12)]
    common = {"seller_id": "S1", "period_days": 28, "inflow_usd": inflow, "platform_inflow_usd": inflow}
    return [{**common, "event_date": month} for month in months]


def test_payouts_may_exceed_the_inflow_of_the_accounts_by_a_quarter_and_no_more() -> None:
    large = [{**row, "amount": row["amount"] * 10} for row in year()]
    assert codes(large, balances(7000)) == ()
    assert codes(large, balances(5601)) == ()
    assert codes(large, balances(5599)) == ("payouts_beyond_inflow",)
    assert codes(year(), balances(1)) == (), "8,400 USD in a year are too little to judge"


def test_contradicted_sellers_are_those_with_a_contradicted_claim() -> None:
    common = {"quarter_end": AS_OF, "claim": "sales"}
    rows = [
        {**common, "seller_id": "S1", "grade": "contradicted"},
        {**common, "seller_id": "S2", "grade": "corroborated"},
    ]
    table = RECONCILIATION_SCHEMA.empty_table().from_pylist(rows, schema=RECONCILIATION_SCHEMA)
    assert contradicted_sellers(table) == {"S1"}
