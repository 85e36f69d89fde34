"""Invented eBay transaction reports: languages, orders of several items, holds, loans, currencies and payouts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from data_contracts.definition.compiler import source_contract
from tests.factories.files.header_files import in_locale
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult

ABOUT = "Transaction report\nSeller,shop-of-tests\n\n\n"


def report(*rows: Mapping[str, str], locale: str = "en-US", mark: str = ",", name: str = "a") -> RawFile:
    """Return a report; rows name the contract's columns, and all other cells are empty."""
    contract = source_contract("ebay_transactions")
    columns = [column for column in contract.columns if column.name != "report_language"]
    lines = [[in_locale(locale)(column).replace('"', '""') for column in columns]]
    lines += [[row.get(column.name, "--") for column in columns] for row in rows]
    text = "".join(mark.join(f'"{cell}"' for cell in line) + "\n" for line in lines)
    return RawFile(f"ebay/{name}.csv", "ebay_transactions", (ABOUT + text).encode(), "S000001", "E1")


def entry(kind: str, net: str, **given: str) -> dict[str, str]:
    """Return an entry in US dollars; its gross amount is the net amount unless given."""
    cells_given = {"net_amount": net, "gross_amount": net, **given}
    return {"created_on": "Jan 5, 2023", "transaction_type": kind, "payout_currency": "USD", "money_code": "USD"} | {
        name: cell for name, cell in cells_given.items() if cell
    }


def order(number: str, net: str, goods: str, fees: str, **given: str) -> dict[str, str]:
    return entry("Order", net, order_number=number, item_subtotal=goods, variable_fee=fees, **given)


def amounts(result: IngestResult) -> list[tuple[str, Decimal]]:
    return sorted(cells(result.tables["money_event"], "event_type", "amount"))


def test_the_parts_of_an_ebay_order_its_costs_and_its_payout_sum_to_zero(tmp_path: Path) -> None:
    rows = [
        order("1", "20.8", "20", "-2.9", shipping="4", fixed_fee="-0.3", gross_amount="24", payout_number="55"),
        entry("Other fee", "-0.6", note="Promoted Listings", payout_number="55"),
        entry("Refund", "-4.35", order_number="1", gross_amount="-5", variable_fee="0.65", payout_number="55"),
        entry("Payout", "-15.85", payout_number="55", created_on="Jan 8, 2023"),
    ]
    result = ingested(tmp_path, [report(*rows)])
    assert amounts(result) == [
        ("advertising", Decimal("-0.6")),
        ("commission", Decimal("-3.2")),
        ("commission", Decimal("0.65")),
        ("payout", Decimal("-15.85")),
        ("refund", Decimal(-5)),
        ("sale", Decimal(20)),
        ("shipping", Decimal(4)),
    ]
    assert sum(cells(result.tables["money_event"], "amount")) == 0
    assert {str(day) for day in cells(result.tables["money_event"], "paid_out_on")} == {"2023-01-08"}
    assert only_account(result).warnings == {}


def test_an_order_of_several_items_is_counted_once(tmp_path: Path) -> None:
    head_counts = [
        order("1", "27", "", "-3", gross_amount="30"),
        order("1", "", "10", "", gross_amount="", item_number="i1", pieces="1"),
        order("1", "", "20", "", gross_amount="", item_number="i2", pieces="2"),
    ]
    items_count = [
        order("2", "27", "30", "-3", gross_amount="30"),
        order("2", "9", "10", "-1", gross_amount="10", item_number="i1", pieces="1"),
        order("2", "18", "20", "-2", gross_amount="20", item_number="i2", pieces="2"),
    ]
    contradictory = [
        order("3", "27", "30", "-3", gross_amount="30"),
        order("3", "9", "10", "-1", gross_amount="10", item_number="i1"),
    ]
    result = ingested(tmp_path, [report(*head_counts, *items_count, *contradictory)])
    sold = cells(result.tables["money_event"], "order_id", "event_type", "amount", "quantity")
    assert [row for row in sold if row[1] == "sale"] == [
        ("1", "sale", Decimal(30), 3),
        ("2", "sale", Decimal(10), 1),
        ("2", "sale", Decimal(20), 2),
    ]
    assert sum(cells(result.tables["money_event"], "amount")) == 54
    account = only_account(result)
    assert account.quarantined == {"order:one_total": 2}
    assert account.warnings == {"row of an order that its other rows give": 3}


def test_fees_in_the_currency_of_the_sale_are_converted_to_that_of_the_payout(tmp_path: Path) -> None:
    foreign = {"money_code": "GBP", "exchange_rate": "1.2503"}
    rows = [
        order("1", "22.505", "20", "-2", gross_amount="20", **foreign),
        order("2", "22.505", "20", "-2", gross_amount="20", money_code="GBP"),
    ]
    result = ingested(tmp_path, [report(*rows)])
    assert amounts(result) == [
        ("commission", Decimal("-2.5006")),
        ("fx", Decimal("-0.0004")),
        ("sale", Decimal("25.006")),
    ]
    assert set(cells(result.tables["money_event"], "currency")) == {"USD"}
    assert only_account(result).quarantined == {"rate_given": 1}


def test_loans_holds_and_own_transfers_at_ebay_are_no_sales_and_unknown_amounts_are_counted(tmp_path: Path) -> None:
    rows = [
        entry("Loan repayment", "-50"),
        entry("Adjustment", "900", note="eBay Seller Capital funding"),
        entry("Kreditrückzahlung", "-40"),
        entry("Anpassung", "800", note="Kreditauszahlung"),
        entry("Hold", "-30", order_number="1"),
        entry("Hold", "30", order_number="1"),
        entry("Transfer", "12"),
        entry("Payment dispute", "-7"),
        entry("Adjustment", "-3"),
        order("2", "9", "10", "-0.5", gross_amount="10"),
    ]
    result = ingested(tmp_path, [report(*rows)])
    assert amounts(result) == [
        ("advance", Decimal(800)),
        ("advance", Decimal(900)),
        ("advance_repayment", Decimal(-50)),
        ("advance_repayment", Decimal(-40)),
        ("chargeback", Decimal(-7)),
        ("commission", Decimal("-0.5")),
        ("other", Decimal(-3)),
        ("other", Decimal("-0.5")),
        ("own_transfer", Decimal(12)),
        ("reserve_hold", Decimal(-30)),
        ("reserve_release", Decimal(30)),
        ("sale", Decimal(10)),
    ]
    assert only_account(result).warnings == {
        "amount of unknown kind / adjustment / amount / out / ": 1,
        "amount of unknown kind / order / rest / out / ": 1,
        "net_adds_up": 1,
    }


def test_an_ebay_entry_waiting_and_paid_in_one_file_counts_once(tmp_path: Path) -> None:
    first = order("1", "9", "10", "-1", gross_amount="10")
    paid = first | {"payout_number": "55", "paid_on": "Jan 9, 2023", "payout_state": "Funds sent"}
    result = ingested(tmp_path, [report(first, paid)])
    assert amounts(result) == [("commission", Decimal(-1)), ("sale", Decimal(10))]
    assert set(cells(result.tables["money_event"], "status")) == {"paid"}


def test_a_german_report_has_semicolons_decimal_commas_and_german_days(tmp_path: Path) -> None:
    german = {"payout_currency": "EUR", "money_code": "EUR"}
    rows = [
        order("1", "1.089,80", "1.000,00", "-10,20", shipping="100,00", gross_amount="1.100,00", **german)
        | {"transaction_type": "Bestellung", "created_on": "Dez 29, 2022"},
        entry("Auszahlung", "-1.089,80", **german) | {"created_on": "03.01.2023"},
    ]
    result = ingested(tmp_path, [report(*rows, locale="de-DE", mark=";")])
    assert amounts(result) == [
        ("commission", Decimal("-10.2")),
        ("payout", Decimal("-1089.8")),
        ("sale", Decimal(1000)),
        ("shipping", Decimal(100)),
    ]
    assert {str(day) for day in cells(result.tables["money_event"], "event_date")} == {"2022-12-29", "2023-01-03"}


def test_an_ebay_entry_delivered_again_with_its_payout_counts_once(tmp_path: Path) -> None:
    first = order("1", "9", "10", "-1", gross_amount="10")
    paid = first | {"payout_number": "55", "paid_on": "Jan 9, 2023", "payout_state": "Funds sent"}
    result = ingested(tmp_path, [report(first), report(paid, name="b")])
    assert amounts(result) == [("commission", Decimal(-1)), ("sale", Decimal(10))]
    assert set(cells(result.tables["money_event"], "status")) == {"paid"}
