"""Payouts meet their credits in the bank: exact amounts first, each credit once, unknown without a delivery."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from features.engine.as_of import AsOf
from features.reconciliation.bank_matching import PAYOUT_MATCH_SCHEMA, BankMatchSettings, payouts_in_bank
from tests.factories.canonical_tables import canonical_tables, coverage_rows

AS_OF = dt.date(2024, 12, 31)
Row = dict[str, Any]


def payout(statement: str, day: str, amount: float, platform: str = "amazon", **cells: object) -> Row:
    named = {"seller_id": "S1", "event_id": f"P-{statement}", "statement_id": statement, "platform": platform}
    return {**named, "event_type": "payout", "event_date": day, "amount": -amount, "status": "paid", **cells}


def credit(number: str, day: str, amount: float, platform: str = "Amazon", **cells: object) -> Row:
    kind = "wallet_payout" if platform == "PingPong" else "platform_payout"
    named = {"seller_id": "S1", "bank_entry_id": number, "platform": platform, "counterparty_kind": kind}
    return {**named, "event_date": day, "amount": amount, **cells}


def findings(
    payouts: list[Row], entries: list[Row], covered: bool = True, as_of: dt.date = AS_OF
) -> list[tuple[Any, ...]]:
    coverage = coverage_rows(["S1"], ["bank_entry"], "2024-01-01", "2024-12-31") if covered else []
    tables = canonical_tables(money_event=payouts, bank_entry=entries, source_coverage=coverage)
    rows = payouts_in_bank(tables, AsOf(as_of)).to_pylist()
    return [(row["statement_id"], row["finding"], row["bank_entry_id"], row["agreement"]) for row in rows]


def test_a_payout_meets_the_credit_of_its_amount() -> None:
    entries = [credit("B1", "2024-03-12", 500), credit("B2", "2024-03-13", 499)]
    assert findings([payout("A", "2024-03-10", 499)], entries) == [
        (None, "credit_without_payout", "B1", None),
        ("A", "matched", "B2", "same_platform"),
    ]


def test_fees_may_take_a_hundredth_and_no_more() -> None:
    payouts = [payout("A", "2024-03-10", 1000), payout("B", "2024-06-10", 1000)]
    entries = [credit("B1", "2024-03-12", 991), credit("B2", "2024-06-12", 985)]
    found = findings(payouts, entries)
    assert ("A", "matched", "B1", "same_platform_less_fees") in found
    assert ("B", "never_seen", None, None) in found


def test_each_credit_is_used_once_and_a_reference_decides() -> None:
    payouts = [payout("17000013310", "2024-03-10", 500), payout("17000013311", "2024-03-11", 500)]
    one = [credit("B1", "2024-03-12", 500, reference="AMAZON 17000013311")]
    assert findings(payouts, one) == [
        ("17000013311", "matched", "B1", "reference"),
        ("17000013310", "never_seen", None, None),
    ]


def test_wallets_pay_for_any_platform_and_in_another_currency() -> None:
    payouts = [payout("A", "2024-03-10", 500), payout("B", "2024-04-10", 600, currency="EUR", amount_usd=-650)]
    entries = [
        credit("B1", "2024-03-12", 500, "PingPong"),
        credit("B2", "2024-04-12", 4600, "PingPong", currency="CNY", amount_usd=645),
    ]
    assert [found[1:] for found in findings(payouts, entries)] == [
        ("matched", "B1", "wallet"),
        ("matched", "B2", "converted"),
    ]


def test_the_credit_of_another_platform_or_too_late_is_none() -> None:
    entries = [credit("B1", "2024-03-12", 500, "Temu"), credit("B2", "2024-03-17", 500)]
    assert findings([payout("A", "2024-03-10", 500)], entries) == [
        (None, "credit_without_payout", "B2", None),
        ("A", "never_seen", None, None),
        (None, "undeclared_platform", "B1", None),
    ]


def test_without_statements_for_all_days_nothing_is_missing() -> None:
    late = payout("B", "2024-12-29", 500)
    assert findings([payout("A", "2024-03-10", 500)], [], covered=False) == [("A", "not_judged", None, None)]
    assert findings([late], []) == [("B", "not_judged", None, None)]


def test_an_entry_in_the_statements_of_two_sources_counts_once() -> None:
    twice = [
        credit("B1", "2024-03-12", 500, source="camt053_statement@1.0.0"),
        credit("B2", "2024-03-12", 500, source="mt940_statement@1.0.0"),
    ]
    assert findings([payout("A", "2024-03-10", 500)], twice) == [("A", "matched", "B1", "same_platform")]


def test_a_credit_known_later_changes_nothing_before() -> None:
    later = credit("B1", "2024-03-12", 500, known_at="2024-05-02T00:00:00+00:00")
    early = findings([payout("A", "2024-03-10", 500)], [later], as_of=dt.date(2024, 4, 30))
    assert early == [("A", "never_seen", None, None)]
    assert findings([payout("A", "2024-03-10", 500)], [later])[0][1] == "matched"


def test_by_default_a_credit_may_come_five_days_later_and_one_earlier() -> None:
    assert BankMatchSettings() == BankMatchSettings(5, 1, 0.01, 0.02, None)
    for day, finding in (("2024-03-09", "matched"), ("2024-03-08", "never_seen"), ("2024-03-15", "matched")):
        found = findings([payout("A", "2024-03-10", 500)], [credit("B1", day, 500)])
        assert finding in [one[1] for one in found]


def test_a_match_says_who_when_and_how_much() -> None:
    tables = canonical_tables(
        money_event=[payout("A", "2024-03-10", 500)],
        bank_entry=[credit("B1", "2024-03-12", 500)],
        source_coverage=coverage_rows(["S1"], ["bank_entry"], "2024-01-01", "2024-12-31"),
    )
    found = payouts_in_bank(tables, AsOf(AS_OF))
    required = {field.name for field in found.schema if not field.nullable}
    assert required == {"seller_id", "month", "finding"}
    assert found.schema.field("amount").type == pa.decimal128(18, 4)
    (row,) = found.to_pylist()
    assert (row["seller_id"], row["month"], row["paid_on"]) == ("S1", dt.date(2024, 3, 1), dt.date(2024, 3, 10))
    assert (row["credited_on"], row["amount"], row["credited_amount"]) == (dt.date(2024, 3, 12), 500, 500)
    assert payouts_in_bank({}, AsOf(AS_OF)).schema == PAYOUT_MATCH_SCHEMA


def test_of_two_payouts_and_two_credits_each_meets_its_own() -> None:
    payouts = [payout("A", "2024-03-10", 500), payout("B", "2024-03-11", 498)]
    entries = [credit("B1", "2024-03-12", 498), credit("B2", "2024-03-12", 497)]
    found = {one[0]: one[2] for one in findings(payouts, entries) if one[0]}
    assert found == {"A": "B2", "B": "B1"}
