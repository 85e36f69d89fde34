from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.delinquency import DEFAULT_DATES_SCHEMA, default_dates
from tests.factories.canonical_tables import canonical_table

KNOWN = "2024-01-01"


def due(day: str, amount: float = 100, **more: object) -> dict[str, Any]:
    return {
        "seller_id": "S1",
        "loan_id": "l1",
        "entry_type": "due",
        "event_date": day,
        "amount": amount,
        "known_at": KNOWN,
        **more,
    }


def paid(day: str, amount: float = 100, **more: object) -> dict[str, Any]:
    return {"seller_id": "S1", "loan_id": "l1", "entry_type": "paid", "event_date": day, "amount": amount, **more}


def last_word(day: str) -> dict[str, Any]:
    """Return another borrower's payment, which shows that the books continue to that day."""
    return paid(day, seller_id="S9", loan_id="l9")


def dates(
    *rows: dict[str, Any],
    days_past_due: int = 90,
    recorded_until: dt.datetime | None = None,
    as_of: dt.date | None = None,
) -> dict[str, str]:
    found = default_dates(canonical_table("repayment", rows), days_past_due, recorded_until, as_of)
    return dict(zip(found["seller_id"].to_pylist(), map(str, found["default_date"].to_pylist()), strict=True))


def test_an_instalment_ninety_days_old_and_unpaid_is_a_default() -> None:
    assert dates(due("2024-02-01"), last_word("2024-05-01")) == {"S1": "2024-05-01"}


def test_a_day_earlier_it_is_not_one_yet() -> None:
    assert dates(due("2024-02-01"), last_word("2024-04-30")) == {}


def test_a_payment_on_the_ninetieth_day_prevents_it_and_one_a_day_later_does_not() -> None:
    rows = (due("2024-02-01"), last_word("2024-12-31"))
    assert dates(*rows, paid("2024-05-01")) == {}
    assert dates(*rows, paid("2024-05-02")) == {"S1": "2024-05-01"}


def test_payments_settle_the_oldest_instalment_first() -> None:
    rows = (due("2024-02-01"), due("2024-03-01"), paid("2024-03-01"), last_word("2024-12-31"))
    assert dates(*rows) == {"S1": "2024-05-30"}


def test_the_first_default_of_any_loan_counts() -> None:
    rows = (due("2024-06-01"), due("2024-03-01", loan_id="l2"), last_word("2024-12-31"))
    assert dates(*rows) == {"S1": "2024-05-30"}


def test_payments_of_one_loan_do_not_settle_another() -> None:
    rows = (due("2024-02-01"), paid("2024-02-01", amount=500, loan_id="l2"), last_word("2024-12-31"))
    assert dates(*rows) == {"S1": "2024-05-01"}


def test_less_than_one_percent_missing_is_not_a_default() -> None:
    rows = (due("2024-02-01"), last_word("2024-12-31"))
    assert dates(*rows, paid("2024-02-01", amount=99.5)) == {}
    assert dates(*rows, paid("2024-02-01", amount=98.5)) == {"S1": "2024-05-01"}


def test_the_number_of_days_is_a_parameter() -> None:
    assert dates(due("2024-02-01"), last_word("2024-12-31"), days_past_due=30) == {"S1": "2024-03-02"}


def test_future_instalments_are_not_defaults() -> None:
    assert dates(due("2024-02-01"), paid("2024-02-01"), due("2030-01-01")) == {}


def test_a_payment_not_yet_booked_leaves_the_borrower_in_default_as_of_then() -> None:
    rows = (due("2024-02-01"), paid("2024-04-30", known_at="2024-05-03"), last_word("2024-12-31"))
    assert dates(*rows, as_of=dt.date(2024, 5, 2)) == {"S1": "2024-05-01"}
    assert dates(*rows, as_of=dt.date(2024, 5, 3)) == {}


def test_a_default_is_known_at_the_end_of_its_day() -> None:
    found = default_dates(canonical_table("repayment", [due("2024-02-01"), last_word("2024-12-31")]))
    assert found.schema.equals(DEFAULT_DATES_SCHEMA)
    assert found["known_at"].to_pylist() == [dt.datetime(2024, 5, 1, 23, 59, 59, 999_999, tzinfo=dt.UTC)]


def test_an_instalment_known_late_makes_the_default_known_late() -> None:
    found = default_dates(
        canonical_table("repayment", [due("2024-02-01", known_at="2024-08-01"), last_word("2024-12-31")])
    )
    assert found["known_at"].to_pylist() == [dt.datetime(2024, 8, 1, tzinfo=dt.UTC)]


def test_rows_recorded_later_are_left_out_of_a_replay() -> None:
    rows = (due("2024-02-01"), paid("2024-03-01", recorded_at="2024-09-01"), last_word("2024-12-31"))
    assert dates(*rows) == {}
    assert dates(*rows, recorded_until=dt.datetime(2024, 8, 1, tzinfo=dt.UTC), as_of=dt.date(2024, 8, 1)) == {
        "S1": "2024-05-01"
    }


def test_without_rows_there_are_no_defaults() -> None:
    assert default_dates(canonical_table("repayment")).equals(DEFAULT_DATES_SCHEMA.empty_table())


flows = st.lists(
    st.tuples(st.sampled_from(["due", "paid"]), st.integers(0, 300), st.integers(1, 50), st.sampled_from(["l1", "l2"])),
    max_size=14,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(flow=flows)
def test_defaults_equal_a_ledger_kept_day_by_day(flow: list[tuple[str, int, int, str]]) -> None:
    start = dt.date(2024, 1, 1)
    rows = [
        {"seller_id": "S1", "loan_id": loan, "entry_type": kind, "event_date": start + dt.timedelta(days=day),
         "amount": amount, "known_at": "2024-01-01" if kind == "due" else start + dt.timedelta(days=day)}
        for kind, day, amount, loan in flow
    ]  # fmt: skip
    found = default_dates(canonical_table("repayment", rows), as_of=dt.date(2024, 12, 31))
    first = min((day for loan in ("l1", "l2") for day in ledger(flow, loan)), default=None)
    expected = [] if first is None else [start + dt.timedelta(days=first)]
    assert found["default_date"].to_pylist() == expected


def ledger(flow: list[tuple[str, int, int, str]], loan: str) -> list[int]:
    """Return days on which an instalment of the loan is 90 days old and unpaid; payments settle the oldest first."""
    dues = sorted(
        [day, place, amount] for place, (kind, day, amount, of) in enumerate(flow) if kind == "due" and of == loan
    )
    found = []
    for today in range(366):
        money = sum(amount for kind, day, amount, of in flow if kind == "paid" and of == loan and day <= today)
        for day, _, amount in dues:
            covered = min(money, amount)
            money -= covered
            if day + 90 == today and covered < 0.99 * amount:
                found.append(today)
    return found
