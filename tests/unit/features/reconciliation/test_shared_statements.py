"""A settlement, payout or order number of a platform belongs to one seller."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from features.reconciliation.shared_statements import shared_statements
from tests.factories.canonical_tables import canonical_table

ROW = {"seller_id": "S1", "platform": "amazon", "event_type": "sale", "amount": 10, "amount_usd": 10}
ROW |= {"statement_id": "17000001120", "event_date": "2024-05-01", "known_at": "2024-05-03"}


def shared(first: dict[str, Any], *seconds: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a row of one seller and rows of a second one share."""
    rows = [{**ROW, **first}, *({**ROW, "seller_id": "S2", **second} for second in seconds)]
    return shared_statements(canonical_table("money_event", rows)).to_pylist()


def test_one_settlement_of_two_sellers_is_found_for_both_from_the_later_day() -> None:
    found = shared({}, {"platform": "Amazon", "known_at": "2024-06-07"}, {"event_type": "payout", "amount_usd": -10})
    assert [row["seller_id"] for row in found] == ["S1", "S2"]
    assert {(row["platform"], row["document"], row["number"]) for row in found} == {
        ("amazon", "statement", "17000001120")
    }
    assert [(row["rows"], row["usd"]) for row in found] == [(1, Decimal(10)), (2, Decimal(10))]
    assert {row["known_from"].date().isoformat() for row in found} == {"2024-05-03"}
    (late, _) = shared({}, {"known_at": "2024-06-07"})
    assert late["known_from"].date().isoformat() == "2024-06-07"


def test_changed_amounts_do_not_hide_a_settlement() -> None:
    assert len(shared({}, {"amount": 11, "event_date": "2024-05-02"})) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"statement_id": "17000001129"},
        {"platform": "SHEIN"},
        {"statement_id": "2024-05-01:USD"},
        {"statement_id": "2024-05-01_2024-05-07"},
        {"statement_id": "29 Apr 2024 - 05 May 2024"},
        {"statement_id": "17", "amount": 11},
        {"statement_id": None, "order_id": "202405010001", "amount": -10},
        {"statement_id": None, "order_id": None},
    ],
)
def test_other_numbers_periods_and_both_sides_of_a_transfer_are_nothing_to_ask(change: dict[str, Any]) -> None:
    same_number = {name: value for name, value in change.items() if name.endswith("_id") and value != "17000001129"}
    assert shared(same_number, change) == []


@pytest.mark.parametrize("numbers", [{"statement_id": "17"}, {"statement_id": None, "order_id": "202405010001"}])
def test_short_numbers_and_orders_are_shared_if_an_amount_is_equal(numbers: dict[str, Any]) -> None:
    assert [row["seller_id"] for row in shared(numbers, numbers)] == ["S1", "S2"]
