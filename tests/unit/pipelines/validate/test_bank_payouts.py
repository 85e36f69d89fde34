"""The report says which payouts arrived in the bank: in all, by month, and of which sellers they did not."""

from __future__ import annotations

import datetime as dt

from pipelines.validate.bank_payouts import payout_matches, payouts_document
from tests.factories.canonical_tables import canonical_tables, coverage_rows

AS_OF = dt.date(2024, 12, 31)


def test_the_report_counts_payouts_by_month_and_names_those_that_never_arrived() -> None:
    paid = [("S1", "A", "2024-03-10", 500), ("S1", "B", "2024-04-10", 700), ("S2", "C", "2024-04-11", 90)]
    events = [
        {
            "seller_id": seller,
            "event_id": f"P-{number}",
            "statement_id": number,
            "platform": "Amazon",
            "event_type": "payout",
            "event_date": day,
            "amount": -amount,
        }
        for seller, number, day, amount in paid
    ]
    entry = {"seller_id": "S1", "counterparty_kind": "platform_payout"}
    entries = [
        {**entry, "bank_entry_id": "B1", "platform": "Amazon", "event_date": "2024-03-12", "amount": 500},
        {**entry, "bank_entry_id": "B2", "platform": "Etsy", "event_date": "2024-03-12", "amount": 60},
    ]
    coverage = coverage_rows(["S1", "S2"], ["bank_entry"], "2024-01-01", "2024-12-31")
    matches = payout_matches(canonical_tables(money_event=events, bank_entry=entries, source_coverage=coverage), AS_OF)
    assert matches is not None
    document = payouts_document(matches, AS_OF, shown=1)
    assert (document["payouts"], document["matched"], document["match_rate"]) == (3, 1, 0.333333)
    assert [(month["month"], month["match_rate"]) for month in document["months"] if month["payouts"]] == [
        ("2024-03-01", 1.0),
        ("2024-04-01", 0.0),
    ]
    assert [seller["seller_id"] for seller in document["sellers"]] == ["S2"]
    assert [(row["statement_id"], row["usd"]) for row in document["never_seen"]] == [("B", "700.00")]
    assert [(row["platform"], row["usd"]) for row in document["undeclared_platforms"]] == [("Etsy", "60.00")]


def test_without_bank_statements_there_is_nothing_to_report() -> None:
    assert payout_matches(canonical_tables(), AS_OF) is None
