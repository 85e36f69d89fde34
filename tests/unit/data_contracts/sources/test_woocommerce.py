from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path


def order(number: int, **given: object) -> dict[str, Any]:
    return {
        "id": number,
        "parent_id": 0,
        "status": "completed",
        "currency": "EUR",
        "date_created": "2023-03-01T11:00:00",
        "date_created_gmt": "2023-03-01T10:00:00",
        "date_modified_gmt": "2023-03-04T10:00:00",
        "date_paid_gmt": "2023-03-01T10:05:00",
        "date_completed_gmt": "2023-03-03T10:00:00",
        "discount_total": "1.50",
        "total": "29.35",
        "customer_id": 0,
        "billing": {"first_name": "Anna", "email": "Anna@Example.com", "country": "DE"},
        "shipping": {"first_name": "Anna", "country": "FR"},
        "line_items": [{"id": 1, "quantity": 2, "total": "20.00"}, {"id": 2, "quantity": 1, "total": "9.35"}],
        "refunds": [],
        **given,
    }


def shop(*orders: dict[str, Any], name: str = "page", seller: str = "S000001") -> RawFile:
    data = json.dumps(list(orders)).encode()
    return RawFile(f"{seller}/{name}.json", "woocommerce_orders", data, seller, "shop")


def test_an_order_becomes_one_row_with_the_quantity_of_its_lines(tmp_path: Path) -> None:
    orders = ingested(tmp_path, [shop(order(727))]).tables["site_order"]
    found = cells(orders, "site_order_id", "total_amount", "item_count", "financial_status", "destination_country")
    assert found == [("S000001:shop:727", Decimal("29.3500"), 3, "paid", "FR")]
    assert cells(orders, "is_fulfilled", "fulfilment_days", "is_cancelled") == [(True, 2, False)]
    assert str(cells(orders, "event_at")[0]) == "2023-03-01 10:00:00+00:00"


@pytest.mark.parametrize(
    ("given", "status", "cancelled"),
    [
        ({"status": "on-hold"}, "paid", False),
        ({"status": "processing"}, "paid", False),
        ({"status": "cancelled"}, "voided", True),
        ({"status": "failed"}, "voided", True),
        ({"status": "refunded"}, "refunded", False),
        ({"status": "packed-by-extension"}, "paid", False),
        ({"status": "packed-by-extension", "date_paid_gmt": None}, "pending", False),
        ({"refunds": [{"id": 1, "reason": "", "total": "-9.35"}]}, "partially_refunded", False),
        ({"refunds": [{"id": 1, "total": "-9.35"}, {"id": 2, "total": "-20.00"}]}, "refunded", False),
    ],
)
def test_order_states_become_payment_states(
    tmp_path: Path, given: dict[str, object], status: str, *, cancelled: bool
) -> None:
    orders = ingested(tmp_path, [shop(order(1, **given))]).tables["site_order"]
    assert cells(orders, "financial_status", "is_cancelled") == [(status, cancelled)]


def test_orders_that_wait_for_their_payment_are_no_orders_yet_and_unknown_states_are_a_doubt(tmp_path: Path) -> None:
    states = ["pending", "on-hold", "packed-by-extension", "processing"]
    rows = [order(number, status=state, date_paid_gmt=None) for number, state in enumerate(states)]
    result = ingested(tmp_path, [shop(*rows)])
    assert cells(result.tables["site_order"], "financial_status") == ["pending", "paid"]
    assert only_account(result).warnings == {
        "order not paid yet": 2,
        "in doubt: status of unknown meaning, read as not paid: packed-by-extension": 1,
    }


def test_refunds_are_summed_and_a_refunded_order_without_any_is_refunded_in_full(tmp_path: Path) -> None:
    refunds = [{"id": 1, "total": "-9.35"}, {"id": 2, "total": "-0.65"}]
    rows = [order(1, refunds=refunds), order(2, status="refunded")]
    orders = ingested(tmp_path, [shop(*rows)]).tables["site_order"]
    assert cells(orders, "refunded_amount") == [Decimal("10.0000"), Decimal("29.3500")]


def test_events_after_an_order_was_known_are_left_out(tmp_path: Path) -> None:
    orders = ingested(tmp_path, [shop(order(1, date_completed_gmt="2023-04-20T10:00:00"))]).tables["site_order"]
    assert cells(orders, "is_fulfilled", "fulfilment_days") == [(False, None)]


def test_drafts_are_counted_but_are_not_orders(tmp_path: Path) -> None:
    result = ingested(tmp_path, [shop(order(1, status="checkout-draft"), order(2, status="trash"), order(3))])
    account = only_account(result)
    assert (account.accepted, account.warnings["draft or in the bin, no order"]) == (3, 2)
    assert result.tables["site_order"].num_rows == 1


def test_the_later_state_of_an_order_delivered_twice_counts(tmp_path: Path) -> None:
    later = order(1, status="refunded", date_modified_gmt="2023-03-09T10:00:00")
    result = ingested(tmp_path, [shop(order(1)), shop(later, name="page_later")])
    assert cells(result.tables["site_order"], "financial_status") == ["refunded"]
    assert cells(result.duplicates, "reason", "source_row") == [("repeated order", 1)]


def test_goods_that_are_not_shipped_have_the_billing_country_and_guests_are_known_by_mailbox(tmp_path: Path) -> None:
    bill = {"email": " anna@example.com", "country": "DE"}
    rows = [order(1), order(2, billing=bill, shipping={"country": ""}), order(3, billing={**bill, "email": ""})]
    orders = ingested(tmp_path, [shop(*rows)]).tables["site_order"]
    assert cells(orders, "destination_country") == ["FR", "DE", "FR"]
    customers = cells(orders, "customer_id")
    assert customers[0] == customers[1] != customers[2] is None


@pytest.mark.parametrize(
    ("given", "rule_id"),
    [
        ({"line_items": [{"quantity": "two"}]}, "lines:readable"),
        ({"line_items": [{"name": "Lamp"}]}, "lines:readable"),
        ({"line_items": {"quantity": 1}}, "lines:readable"),
        ({"refunds": [{"total": "some"}]}, "lines:readable"),
        ({"total": "29,35"}, "type:order_total"),
        ({"total": "-1.00"}, "order_total:range"),
        ({"date_created_gmt": None}, "created_at:required"),
        ({"currency": "euro"}, "money_code:pattern"),
    ],
)
def test_an_order_that_cannot_be_read_is_quarantined(tmp_path: Path, given: dict[str, object], rule_id: str) -> None:
    account = only_account(ingested(tmp_path, [shop(order(1, **given), order(2))]))
    assert (account.accepted, account.quarantined) == (1, {rule_id: 1})


def test_an_error_response_is_refused_in_one_line(tmp_path: Path) -> None:
    answer = b'{"code": "woocommerce_rest_cannot_view", "message": "Sorry"}'
    with pytest.raises(InputRefused, match="no array of records") as refusal:
        ingested(tmp_path, [RawFile("a.json", "woocommerce_orders", answer, "S000001")])
    assert "\n" not in str(refusal.value)
