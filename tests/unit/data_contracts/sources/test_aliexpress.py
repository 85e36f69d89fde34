"""Invented records; the field names follow the platform's public SDKs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def money(amount: str) -> dict[str, Any]:
    return {"amount": amount, "cent": int(float(amount) * 100), "currencyCode": "USD"}


def child(number: int, state: str = "loan_ok", **fields: object) -> dict[str, Any]:
    free = {"realLoanAmount": money("91.00"), "escrowFee": money("8.00"), "affiliateCommission": money("1.00")}
    waiting = {"waitLoanReson": "buyer has not confirmed"}
    return {
        "childOrderId": number,
        "loanStatus": state,
        "loanAmount": money("100.00"),
        **(free if state == "loan_ok" else waiting),
        **fields,
    }


def order(number: int, *children: Mapping[str, Any]) -> dict[str, Any]:
    return {"orderId": number, "orderStatus": "FINISH", "sonOrderList": list(children), "amountTotal": money("100.00")}


def loans(orders: Sequence[Mapping[str, Any]], name: str = "2023") -> RawFile:
    data = json.dumps(list(orders)).encode()
    return RawFile(f"aliexpress_loan/S000001/{name}.json", "aliexpress_loan", data, "S000001", "AE1")


def test_released_money_is_the_price_minus_the_fees(tmp_path: Path) -> None:
    one = child(11, releasedDatetime="20230305101500000-0800", realRefundAmount=money("4.00"))
    result = ingested(tmp_path, [loans([order(1, one)])])
    events = result.tables["money_event"]
    assert sorted(cells(events, "event_type", "amount", "status")) == [
        ("commission", Decimal("-8.0000"), "released"),
        ("commission", Decimal("-1.0000"), "released"),
        ("refund", Decimal("-4.0000"), "released"),
        ("sale", Decimal("100.0000"), "released"),
    ]
    assert {str(moment) for moment in cells(events, "event_at")} == {"2023-03-05 18:15:00+00:00"}
    assert only_account(result).warnings == {"order as such": 1}


def test_money_that_is_not_released_is_deferred_and_dated_on_the_last_covered_day(tmp_path: Path) -> None:
    events = ingested(tmp_path, [loans([order(1, child(11, "wait_loan"))])]).tables["money_event"]
    assert cells(events, "event_type", "amount", "status") == [("sale", Decimal("100.0000"), "deferred")]
    assert [str(day) for day in cells(events, "event_date")] == ["2023-12-31"]


def test_a_child_order_counts_once_when_it_is_released(tmp_path: Path) -> None:
    files = [loans([order(1, child(11, "wait_loan"))], "a"), loans([order(1, child(11), child(12, "wait_loan"))], "b")]
    result = ingested(tmp_path, files)
    assert cells(result.tables["money_event"], "event_type", "status").count(("sale", "released")) == 1
    assert cells(result.duplicates, "source_file") == ["aliexpress_loan/S000001/a.json"]


def test_the_field_names_of_the_newer_sdk_are_read(tmp_path: Path) -> None:
    cents = {"amount": "50.00", "cent": 5000, "currency_code": "USD"}
    one = {"child_order_id": 5, "loan_status": "loan_ok", "loan_amount": cents, "real_loan_amount": cents}
    data = [{"order_id": 7, "order_status": "FINISH", "son_order_list": [one]}]
    events = ingested(tmp_path, [loans(data)]).tables["money_event"]
    assert cells(events, "order_id", "amount") == [("7", Decimal("50.0000"))]


def test_a_child_order_without_an_amount_is_set_aside(tmp_path: Path) -> None:
    bare = {"childOrderId": 13, "loanStatus": "wait_loan"}
    account = only_account(ingested(tmp_path, [loans([order(1, child(11), bare)])]))
    assert account.quarantined == {"child_complete": 1}


def test_records_without_orders_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [loans([{"sonOrderList": [child(11)]}])])
    assert "column 'orderId': fields missing in every record: 'orderId'; remedy: export" in str(refusal.value)


def test_an_order_without_child_orders_is_set_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [loans([order(1, child(11)), order(2)])]))
    assert account.quarantined == {"order_has_children": 1}


def test_fields_that_no_child_order_has_are_in_doubt(tmp_path: Path) -> None:
    whole = child(11, releasedDatetime="20230305101500000-0800", realRefundAmount=money("4.00"))
    bare = {name: value for name, value in whole.items() if name != "escrowFee"}
    files = [loans([order(1, whole)], "a"), loans([order(2, {**bare, "childOrderId": 12})], "b")]
    doubts = cells(ingested(tmp_path, files).tables["source_coverage"], "doubts")
    assert doubts == [None, "the file has no column 'sonOrderList.escrowFee.amount': fees cannot be told from sales"]
