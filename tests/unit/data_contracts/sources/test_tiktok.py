"""Invented TikTok Shop settlements: statements, settled times, regional headers, adjustments and stated totals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

TIKTOK = [
    *("Statement date", "Statement ID", "Payment ID", "Status", "Currency", "Type ", "Order/adjustment ID  "),
    *("Related order ID", "SKU ID", "Quantity", "Order created date", "Total settlement amount", "Net sales"),
    *("Shipping", "Fees", "Adjustment amount", "Adjustment reason"),
]
SETTLED_TIMES = [
    *("Order/adjustment ID  ", "Type ", "Order created time", "Order settled time", "Currency"),
    *("Total settlement amount", "Total Revenue", "Total Fees", "Ajustment amount", "Related order ID"),
]


def tiktok(rows: Sequence[Sequence[object]], header: Sequence[object] = TIKTOK, **sheets: object) -> RawFile:
    data = workbook({"Order details": [header, *rows], **sheets})  # type: ignore[dict-item]
    return RawFile("tiktok_settlement/S000001/2023.xlsx", "tiktok_settlement", data, "S000001", "K1")


def order(number: str, amounts: Sequence[object], state: str = "Paid", kind: str = "Order") -> list[object]:
    total, *parts = amounts
    head = ["2023/08/16", "ST1", "PAY1" if state == "Paid" else "/", state, "USD", kind, number, "", "17", 2]
    return [*head, "2023/08/03", total, *parts, ""]


def settled(number: str, kind: str, amounts: Sequence[object], **given: str) -> list[object]:
    day, code, related = given.get("day", "2023/08/24"), given.get("code", "IDR"), given.get("related", "/")
    return [number, kind, "2023/08/18", day, code, *amounts, related]


def events_of(folder: Path, *files: RawFile) -> pa.Table:
    return ingested(folder, files).tables["money_event"]


def test_the_amounts_of_a_tiktok_order_and_the_remainder_are_paid_out_together(tmp_path: Path) -> None:
    rows = [order("1", [80, 100, -5, -15, 0]), order("2", [-22, -20, 0, -1, 0])]
    result = ingested(tmp_path, [tiktok(rows)])
    events = result.tables["money_event"]
    assert sorted(cells(events, "event_type", "amount", "quantity"), key=str) == [
        ("commission", Decimal("-1.0000"), None),
        ("commission", Decimal("-15.0000"), None),
        ("fulfilment_fee", Decimal("-5.0000"), None),
        ("other", Decimal("-1.0000"), None),
        ("payout", Decimal("-58.0000"), None),
        ("refund", Decimal("-20.0000"), -2),
        ("sale", Decimal("100.0000"), 2),
    ]
    assert sum(cells(events, "amount")) == 0
    unknown = "amount of unknown kind / rest / out / order / of an order"
    assert only_account(result).warnings == {unknown: 1, "settlement_adds_up": 1}


def test_an_unpaid_tiktok_order_has_no_payout(tmp_path: Path) -> None:
    events = events_of(tmp_path, tiktok([order("1", [80, 100, -5, -15, 0], state="Processing")]))
    assert "payout" not in cells(events, "event_type")
    assert set(cells(events, "status")) == {"released"}


def test_a_tiktok_order_waiting_and_paid_in_one_file_counts_once(tmp_path: Path) -> None:
    amounts = [80, 100, -5, -15, 0]
    events = events_of(tmp_path, tiktok([order("1", amounts, state="Processing"), order("1", amounts)]))
    assert set(cells(events, "status")) == {"paid"}
    assert sum(cells(events, "amount")) == 0


@pytest.mark.parametrize("spelling", ["Order\\adjustment ID", "Order/Adjustment ID", "order/adjustment id "])
def test_tiktok_headers_are_found_in_each_spelling(tmp_path: Path, spelling: str) -> None:
    header = [spelling if "adjustment ID" in str(title) else title for title in TIKTOK]
    assert events_of(tmp_path, tiktok([order("1", [80, 100, -5, -15, 0])], header)).num_rows == 4


def test_unsettled_tiktok_orders_are_estimates_not_sales(tmp_path: Path) -> None:
    header = ["Type", "Order/adjustment ID", "Currency", "creation date", "Total estimated settlement amount"]
    file = tiktok([["Order", "1", "USD", "2023-08-03", 80, "Delivered + 1 days"]], [*header, "Estimated Settle time"])
    events = events_of(tmp_path, file)
    assert cells(events, "event_type", "status", "amount") == [("other", "estimated", Decimal("80.0000"))]


def test_settled_tiktok_money_without_a_date_is_set_aside_and_is_no_estimate(tmp_path: Path) -> None:
    row = order("1", [80, 100, -5, -15, 0])
    row[0] = "-"
    assert only_account(ingested(tmp_path, [tiktok([row])])).quarantined == {"statement_dated": 1}


def test_a_settled_time_instead_of_a_statement_makes_settled_money(tmp_path: Path) -> None:
    rows = [
        settled("51", "Order", [85000, 100000, -15000, 0]),
        settled("71", "GMV Payment for TikTok Ads", [-20000, 0, 0, -20000]),
        settled("72", "Logistics reimbursement", [7000, 0, 0, 7000], related="51"),
        settled("73", "Platform penalty", [-300, 0, 0, -300], related="51"),
        settled("74", "Seller loan deduction", [-900, 0, 0, -900]),
        settled("75", "Something new", [-50, 0, 0, -50]),
    ]
    result = ingested(tmp_path, [tiktok(rows, SETTLED_TIMES)])
    events = result.tables["money_event"]
    assert sorted(cells(events, "event_type", "amount")) == [
        ("advance_repayment", Decimal(-900)),
        ("advertising", Decimal(-20000)),
        ("commission", Decimal(-15000)),
        ("compensation", Decimal(7000)),
        ("other", Decimal(-50)),
        ("penalty", Decimal(-300)),
        ("sale", Decimal(100000)),
    ]
    assert {str(day) for day in cells(events, "event_date")} == {"2023-08-24"}
    assert set(cells(events, "status")) == {"released"}
    account = only_account(result)
    assert account.warnings == {"amount of unknown kind / adjustment / out / Something new / of no order": 1}
    assert "in doubt: the file has no column 'Payment ID': the payouts are not known" in account.notes


@pytest.mark.parametrize("name", ["Total Revenue", "Subtotal after seller discounts", "Net sales"])
def test_the_sum_of_tiktok_sales_has_several_names(tmp_path: Path, name: str) -> None:
    header = [name if title == "Total Revenue" else title for title in SETTLED_TIMES]
    events = events_of(tmp_path, tiktok([settled("51", "Order", [8, 10, -2, 0])], header))
    assert sorted(cells(events, "event_type", "amount")) == [("commission", Decimal(-2)), ("sale", Decimal(10))]


def test_without_a_sum_of_tiktok_sales_the_rest_is_named_and_counted(tmp_path: Path) -> None:
    header = ["Turnover" if title == "Total Revenue" else title for title in SETTLED_TIMES]
    rows = [settled("51", "Order", [8, 10, -2, 0]), settled("52", "Order", [9, 10, -1, 0])]
    result = ingested(tmp_path, [tiktok(rows, header)])
    assert sorted(cells(result.tables["money_event"], "event_type")) == ["commission", "commission", "other", "other"]
    named = "amount of unknown kind / sum of sales not known / in / order / of an order"
    assert only_account(result).warnings == {named: 2}


def test_brazilian_amounts_and_days_are_read(tmp_path: Path) -> None:
    rows = [
        settled("51", "Order", ["BRL 1.079,80", "1.089,80", -10, "0,00"], day="03/04/2023", code="BRL"),
        settled("52", "Order", ["7.000", "7.000", 0, 0], day="13/04/2023", code="BRL"),
    ]
    result = ingested(tmp_path, [tiktok(rows, SETTLED_TIMES)])
    events = result.tables["money_event"]
    assert sorted(cells(events, "event_type", "amount")) == [("commission", Decimal(-10)), ("sale", Decimal("1089.8"))]
    assert {str(day) for day in cells(events, "event_date")} == {"2023-04-03"}
    assert only_account(result).quarantined == {"type:settled_amount": 1}


def test_a_day_whose_order_cannot_be_told_is_refused_with_the_column_that_holds_it(tmp_path: Path) -> None:
    row = settled("51", "Order", [8, 10, -2, 0], day="03/04/2023")
    with pytest.raises(InputRefused) as refused:
        ingested(tmp_path, [tiktok([row], SETTLED_TIMES)])
    assert (refused.value.column, refused.value.row) == ("Order settled time", 2)


@pytest.mark.parametrize(("stated", "noted"), [(15, False), ("16.00", True)])
def test_the_rows_are_compared_with_the_total_of_the_sheet_reports(tmp_path: Path, stated: object, noted: bool) -> None:
    reports = [["", "Time period:", "", "2023/08/01-2023/08/31"], ["", "Total settlement amount", "", stated]]
    rows = [settled("51", "Order", [8, 10, -2, 0]), settled("52", "Order", [7, 9, -2, 0])]
    result = ingested(tmp_path, [tiktok(rows, SETTLED_TIMES, Reports=reports)])
    words = "the rows of column 'Total settlement amount' sum to 15, but the workbook states 16.00"
    assert any(words in note for note in only_account(result).notes) == noted
    assert (words in cells(result.tables["source_coverage"], "doubts")[0]) == noted


def test_totals_with_currencies_commas_and_brackets_are_compared_as_numbers(tmp_path: Path) -> None:
    reports = [["", "Total settlement amount", "", "BRL 1.069,80"]]
    rows = [
        settled("51", "Order", ["BRL 1.079,80", "1.089,80", -10, 0], day="13/04/2023", code="BRL"),
        settled("52", "Order", ["(10,00)", "(10,00)", 0, 0], day="13/04/2023", code="BRL"),
    ]
    result = ingested(tmp_path, [tiktok(rows, SETTLED_TIMES, Reports=reports)])
    assert [note for note in only_account(result).notes if "sum to" in note] == []
    assert only_account(result).accepted == 2
