from __future__ import annotations

import datetime as dt
from typing import Any

from features.observations import OBSERVATION_SCHEMA, open_loan_observations, quarter_ends
from tests.factories.canonical_tables import canonical_table

LOAN = {"seller_id": "S1", "loan_id": "l1", "event_date": "2024-01-01", "maturity_date": "2024-12-01"}
QUARTERS = quarter_ends(dt.date(2023, 12, 31), dt.date(2024, 12, 31))


def entry(kind: str, day: str, amount: float = 100, **more: object) -> dict[str, Any]:
    known = "2024-01-01" if kind == "due" else day
    return {
        "seller_id": "S1",
        "loan_id": "l1",
        "entry_type": kind,
        "event_date": day,
        "amount": amount,
        "known_at": known,
        **more,
    }


def observed(*entries: dict[str, Any], loans: tuple[dict[str, Any], ...] = (LOAN,)) -> list[str]:
    found = open_loan_observations(canonical_table("loan", loans), canonical_table("repayment", entries), QUARTERS)
    assert found.schema.equals(OBSERVATION_SCHEMA)
    return [f"{row['seller_id']} {row['as_of']}" for row in found.to_pylist()]


def test_quarter_ends_are_the_last_days_of_quarters() -> None:
    assert [str(day) for day in QUARTERS] == ["2023-12-31", "2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"]


def test_a_loan_is_observed_from_its_payout_until_its_schedule_is_paid() -> None:
    entries = (
        entry("due", "2024-03-01"),
        entry("due", "2024-08-01"),
        entry("paid", "2024-03-01"),
        entry("paid", "2024-08-01"),
    )
    assert observed(*entries) == ["S1 2024-03-31", "S1 2024-06-30"]


def test_an_early_payment_of_everything_ends_it() -> None:
    entries = (entry("due", "2024-03-01"), entry("due", "2024-11-01"), entry("paid", "2024-05-01", amount=200))
    assert observed(*entries) == ["S1 2024-03-31"]


def test_a_borrower_in_default_is_not_observed_any_more_even_when_cured() -> None:
    entries = (entry("due", "2024-02-01"), entry("due", "2024-12-01"), entry("paid", "2024-07-15"))
    assert observed(*entries) == ["S1 2024-03-31"]


def test_a_payment_booked_later_leaves_the_loan_open_as_of_then() -> None:
    entries = (entry("due", "2024-06-01"), entry("paid", "2024-06-29", known_at="2024-07-02"))
    assert observed(*entries) == ["S1 2024-03-31", "S1 2024-06-30"]


def test_a_loan_without_schedule_is_open_until_it_matures() -> None:
    assert observed() == ["S1 2024-03-31", "S1 2024-06-30", "S1 2024-09-30"]


def test_a_loan_known_later_is_not_observed_before() -> None:
    late = {**LOAN, "known_at": "2024-05-01"}
    assert observed(loans=(late,)) == ["S1 2024-06-30", "S1 2024-09-30"]


def test_a_borrower_with_two_loans_is_observed_once_a_date() -> None:
    other = {**LOAN, "loan_id": "l2", "seller_id": "S1"}
    assert observed(loans=(LOAN, other)) == ["S1 2024-03-31", "S1 2024-06-30", "S1 2024-09-30"]


def test_without_loans_or_dates_the_table_is_empty() -> None:
    assert observed(loans=()) == []
    assert open_loan_observations(canonical_table("loan", [LOAN]), canonical_table("repayment"), []).num_rows == 0
