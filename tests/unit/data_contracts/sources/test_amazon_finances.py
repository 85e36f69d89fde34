"""Invented transactions in the form of the vendor's model."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from features.engine.as_of import AsOf
from pipelines.ingest.deliveries.recognition import recognise
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = "amazon_finances"


def money(amount: float) -> dict[str, Any]:
    return {"currencyAmount": amount, "currencyCode": "USD"}


def part(kind: str, amount: float, *inner: dict[str, Any]) -> dict[str, Any]:
    return {"breakdownType": kind, "breakdownAmount": money(amount), "breakdowns": list(inner) or None}


def transaction(number: str, amount: float, kind: str = "Shipment", **given: object) -> dict[str, Any]:
    return {
        "transactionId": number,
        "transactionType": kind,
        "transactionStatus": "Released",
        "description": "Order Payment",
        "postedDate": "2023-03-03T10:00:00.123Z",
        "totalAmount": money(amount),
        "marketplaceDetails": {"marketplaceId": "ATVPDKIKX0DER"},
        **given,
    }


def named(**numbers: str) -> list[dict[str, str]]:
    return [{"relatedIdentifierName": name, "relatedIdentifierValue": value} for name, value in numbers.items()]


def delivery(*found: dict[str, Any], name: str = "a", on: str = "2023-04-01") -> RawFile:
    data = json.dumps({"payload": {"transactions": found}}).encode()
    return RawFile(f"{name}.json", SOURCE, data, "S000001", "A1", delivered_at=f"{on} 00:00:00")


PRICE = part("Product Charges", 24, part("Principle", 24))
FEES = part("Amazon Fees", -7.6, part("Commission", -3.6), part("FBAPerUnitFulfillmentFee", -4))
LAMP = {
    "breakdowns": [PRICE, FEES],
    "contexts": [{"contextType": "ProductContext", "sku": "LAMP-1", "quantityShipped": 2}],
}
SOLD = {"breakdowns": {"breakdowns": [part("Sales", 10)]}, "relatedIdentifiers": named(ORDER_ID="111-1")}
MATURES = [{"contextType": "DeferredContext", "deferralReason": "DD7", "maturityDate": "2023-03-11T00:00:00Z"}]
DEFERRED = transaction("D1", 10, **SOLD, transactionStatus="DEFERRED", contexts=MATURES)
RELEASED = transaction("R1", 10, **SOLD, postedDate="2023-03-12T10:00:00Z") | {
    "relatedIdentifiers": named(ORDER_ID="111-1", DEFERRED_TRANSACTION_ID="D1")
}


def test_the_smallest_amounts_of_the_items_become_rows(tmp_path: Path) -> None:
    sale = transaction("T1", 16.4, items=[LAMP], relatedIdentifiers=named(ORDER_ID="111-1", SETTLEMENT_ID="99"))
    paid = transaction("T2", -16.4, "Transfer", description="Transfer to account")
    events = ingested(tmp_path, [delivery(sale, paid)]).tables["money_event"]
    assert cells(events, "event_type", "amount", "sku", "quantity") == [
        ("sale", Decimal("24.0000"), "LAMP-1", 2),
        ("commission", Decimal("-3.6000"), "LAMP-1", None),
        ("fulfilment_fee", Decimal("-4.0000"), "LAMP-1", None),
        ("payout", Decimal("-16.4000"), None, None),
    ]
    assert cells(events, "marketplace", "statement_id", "order_id")[0] == ("amazon.com", "99", "111-1")


@pytest.mark.parametrize(
    ("sale", "reason"),
    [
        (transaction("T1", 9, breakdowns=[part("Sales", 10)]), "the breakdowns sum to 10.0000, the total is 9.0000"),
        (
            transaction("T1", 10, breakdowns=[part("Sales", 10, part("Shipping", 9))]),
            "the parts of Sales sum to 9.0000, not to 10.0000",
        ),
        (
            transaction("T1", 10, breakdowns=[{"breakdownType": "Sales", "breakdownAmount": {"currencyCode": "EUR"}}]),
            "Sales is in EUR, its transaction in USD",
        ),
    ],
)
def test_breakdowns_that_do_not_add_up_are_set_aside_with_the_reason(
    tmp_path: Path, sale: dict[str, Any], reason: str
) -> None:
    result = ingested(tmp_path, [delivery(sale)])
    assert only_account(result).quarantined == {"breakdowns_add_up": 1}
    assert cells(result.quarantine, "value") == [reason]


def test_a_deferred_sale_waits_for_the_day_on_which_it_matures(tmp_path: Path) -> None:
    events = ingested(tmp_path, [delivery(DEFERRED)]).tables["money_event"]
    assert cells(events, "event_type", "status", "available_on") == [("sale", "deferred", date(2023, 3, 11))]


def test_a_deferred_sale_and_its_release_in_one_file_are_one_sale(tmp_path: Path) -> None:
    result = ingested(tmp_path, [delivery(RELEASED, DEFERRED | {"transactionStatus": "DEFERRED_RELEASED"})])
    (event,) = result.tables["money_event"].to_pylist()
    assert (event["status"], event["available_on"], event["event_date"]) == (
        "released",
        date(2023, 3, 12),
        date(2023, 3, 3),
    )
    assert only_account(result).warnings == {"release of a deferred transaction, counted with it": 1}


def test_a_release_in_a_later_file_is_the_next_version_of_the_deferred_sale(tmp_path: Path) -> None:
    files = [delivery(DEFERRED), delivery(RELEASED, name="b", on="2023-05-01"), delivery(DEFERRED, name="c")]
    result = ingested(tmp_path, files)
    events = result.tables["money_event"]
    for day, state in (("2023-04-30", "deferred"), ("2023-05-01", "released")):
        seen = AsOf(date.fromisoformat(day)).visible(events)
        assert cells(seen, "status", "amount", "event_date") == [(state, Decimal("10.0000"), date(2023, 3, 3))]
    assert cells(result.duplicates, "reason") == ["repeated transaction"]


def test_a_release_that_only_the_deferred_sale_names_is_no_second_sale(tmp_path: Path) -> None:
    deferred = DEFERRED | {"relatedIdentifiers": named(ORDER_ID="111-1", RELEASE_TRANSACTION_ID="R1")}
    released = RELEASED | {"relatedIdentifiers": named(ORDER_ID="111-1")}
    events = ingested(tmp_path, [delivery(deferred, released)]).tables["money_event"]
    assert cells(events, "status", "amount", "event_date") == [("released", Decimal(10), date(2023, 3, 3))]


def test_a_release_whose_deferred_sale_was_not_delivered_counts_itself(tmp_path: Path) -> None:
    events = ingested(tmp_path, [delivery(RELEASED)]).tables["money_event"]
    assert cells(events, "event_type", "status", "amount") == [("sale", "released", Decimal("10.0000"))]


def test_states_kinds_and_transfers_that_are_not_known_are_named(tmp_path: Path) -> None:
    odd = transaction("T1", 10, **SOLD, transactionStatus="Moon")
    moon = transaction("T2", -1, "Moon", description="Moon Fee")
    back = transaction("T3", 5, "Transfer")
    net = transaction("T4", -8, "Refund")
    result = ingested(tmp_path, [delivery(odd, moon, back, net, DEFERRED | {"contexts": None})])
    assert cells(result.tables["money_event"], "status")[0] == "deferred"
    assert only_account(result).warnings == {
        "a transfer in favour of the seller's balance": 1,
        "amount of unknown kind / Moon / Moon Fee / ": 1,
        "deferred without a day on which it matures": 1,
        "amount of unknown kind / Refund / Order Payment / ": 1,
        "no numbers that the transaction refers to, so a deferred sale may count twice": 1,
        "status of unknown meaning, read as deferred: Moon": 1,
    }


@pytest.mark.parametrize(
    ("kind", "description", "expected"),
    [
        ("LoanServicing", "LoanPayment", "advance_repayment"),
        ("LoanServicing", "", "advance_repayment"),
        ("Debt", "Debt payment", "debt_carried"),
        ("ProductAdsPayment", "", "advertising"),
        ("ServiceFee", "Subscription", "subscription"),
        ("Transfer", "Transfer of funds unsuccessful", "payout_reversal"),
        ("Adjustment", "Previous Reserve Amount Balance", "reserve_release"),
    ],
)
def test_a_transaction_without_breakdowns_is_known_by_its_kind_and_description(
    tmp_path: Path, kind: str, description: str, expected: str
) -> None:
    lent = transaction("T0", 900, "LoanServicing", description="LoanAdvance")
    one = transaction("T1", -5, kind, description=description)
    events = ingested(tmp_path, [delivery(lent, one)]).tables["money_event"]
    assert cells(events, "event_type") == ["advance", expected]


@pytest.mark.parametrize(
    "wrapped", [lambda found: {"transactions": found}, lambda found: found], ids=["object", "list"]
)
def test_joined_pages_are_recognised_and_read(tmp_path: Path, wrapped: Callable[[list[Any]], object]) -> None:
    data = json.dumps(wrapped([DEFERRED])).encode()
    (tmp_path / "joined.json").write_bytes(data)
    (found,) = recognise([tmp_path / "joined.json"])
    assert [fit.contract.contract_id for fit in found.met] == [SOURCE]
    result = ingested(tmp_path / "raw", [RawFile("a.json", SOURCE, data, "S000001", "A1")])
    assert only_account(result).accepted == 1
