from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from features.engine.as_of import AsOf
from features.loan_book import LOAN_BOOK_COLUMNS, loan_book
from tests.factories.canonical_tables import canonical_table

LOAN = {
    "seller_id": "S1", "loan_id": "l1", "lender_id": "LN1", "principal_usd": 1000,
    "event_date": "2024-01-01", "maturity_date": "2024-06-01",
}  # fmt: skip


def entry(kind: str, day: str, amount: float = 100) -> dict[str, Any]:
    known = "2024-01-01" if kind == "due" else day
    facts = {"entry_type": kind, "event_date": day, "amount": amount, "amount_usd": amount, "known_at": known}
    return {"seller_id": "S1", "loan_id": "l1", **facts}


def book(day: str, *entries: dict[str, Any]) -> list[dict[str, Any]]:
    loans, repayments = canonical_table("loan", [LOAN]), canonical_table("repayment", entries)
    found = loan_book(loans, repayments, AsOf(dt.date.fromisoformat(day)))
    assert tuple(found.column_names) == LOAN_BOOK_COLUMNS
    return found.to_pylist()


SCHEDULE = (
    entry("due", "2024-02-01"),
    entry("due", "2024-03-01"),
    entry("due", "2024-04-01"),
    entry("due", "2024-05-01"),
)


def test_what_is_owed_is_the_principal_times_the_unpaid_share_of_the_schedule() -> None:
    (row,) = book("2024-02-10", *SCHEDULE, entry("paid", "2024-02-01"))
    assert row["outstanding_usd"] == pytest.approx(750)
    assert (row["days_past_due"], row["lender_id"], str(row["paid_out_on"])) == (0, "LN1", "2024-01-01")


def test_days_past_due_count_from_the_oldest_instalment_that_is_unpaid() -> None:
    (row,) = book("2024-03-11", *SCHEDULE, entry("paid", "2024-02-05"))
    assert row["days_past_due"] == 10


def test_a_payment_after_the_day_is_not_counted_yet() -> None:
    (row,) = book("2024-03-11", *SCHEDULE, entry("paid", "2024-03-20", 200))
    assert (row["days_past_due"], row["outstanding_usd"]) == (39, pytest.approx(1000))


def test_a_loan_that_is_paid_is_not_in_the_book() -> None:
    assert book("2024-03-11", *SCHEDULE, entry("paid", "2024-03-01", 400)) == []


def test_a_loan_without_a_schedule_owes_its_principal_until_it_matures() -> None:
    assert [row["outstanding_usd"] for row in book("2024-05-31")] == [pytest.approx(1000)]
    assert book("2024-06-02") == []
