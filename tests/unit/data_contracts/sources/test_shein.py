"""Invented samples; the format follows the published examples of the open platform."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult


def sale(number: str, amount: float | str, **fields: object) -> dict[str, Any]:
    return {
        "secondOrderType": 11,
        "secondOrderTypeName": "Guangzhou offline procurement and warehousing",
        "inAndOut": 1,
        "inAndOutName": "income",
        "bzOrderNo": f"900{number}",
        "id": f"OS{number}",
        "skcName": "sx0001",
        "skuCode": "Iabc01",
        "goodsCount": 4,
        "settleCurrencyCode": "USD",
        "amount": amount,
        "companyName": "Made Company",
        "addTime": "2023-01-20 21:56:03",
        "unitPrice": 11.82,
        **fields,
    }


def adjustment(number: str, amount: float | str, kind: int, category: str, **fields: object) -> dict[str, Any]:
    return {
        "replenishNo": f"K{number}",
        "replenishType": kind,
        "replenishTypeName": "chargeback" if kind == 1 else "Replenishment",
        "replenishCategory": category,
        "id": f"OF{number}",
        "bzOrderNo": None,
        "skuCode": None,
        "goodsCount": 1,
        "settleCurrencyCode": "USD",
        "amount": amount,
        "addTime": "2023-01-21 15:48:02",
        **fields,
    }


REFUND = "Purchasing quality-Customer refund deduction"
FREIGHT = "purchase supplement-Shipping and miscellaneous expenses supplement"
DETAILS = [sale("1", 47.28), sale("2", 47.28), sale("3", "47.28")]
CHANGES = [adjustment("1", 7.02, 1, REFUND), adjustment("2", 21.98, 2, FREIGHT)]


def report(number: str = "B1", total: float = 156.8, state: int = 3, **fields: object) -> dict[str, Any]:
    return {
        "reportOrderNo": number,
        "salesTotal": 3,
        "replenishTotal": 2,
        "addTime": "2023-01-21 19:46:38",
        "lastUpdateTime": "2023-02-16 10:00:00",
        "settlementStatus": state,
        "settlementStatusName": "Settled",
        "estimatePayTime": "2023-02-15 00:00:00",
        "completedPayTime": "2023-02-16 10:00:00" if state == 3 else "",
        "companyName": "Made Company",
        "estimateIncomeMoneyTotal": total,
        "currencyCode": "USD",
        "reportSalesDetails": DETAILS,
        "reportReplenishDetail": CHANGES,
        **fields,
    }


def reports_file(reports: Sequence[Mapping[str, Any]], name: str = "2023", seller: str = "S000001") -> RawFile:
    data = json.dumps(list(reports), ensure_ascii=False).encode()
    return RawFile(f"shein_report/{seller}/{name}.json", "shein_report", data, seller, f"SH-{seller}")


def events_of(folder: Path, *files: RawFile) -> list[tuple[str, Decimal, str]]:
    return cells(ingested(folder, files).tables["money_event"], "event_type", "amount", "status")


def test_a_settled_report_becomes_its_details_and_one_opposite_payout(tmp_path: Path) -> None:
    found = events_of(tmp_path, reports_file([report()]))
    assert found == [
        ("payout", Decimal("-156.8000"), "paid"),
        ("sale", Decimal("47.2800"), "paid"),
        ("sale", Decimal("47.2800"), "paid"),
        ("sale", Decimal("47.2800"), "paid"),
        ("refund", Decimal("-7.0200"), "paid"),
        ("compensation", Decimal("21.9800"), "paid"),
    ]
    assert sum(amount for _, amount, _ in found) == 0


def test_beijing_times_become_utc(tmp_path: Path) -> None:
    events = ingested(tmp_path, [reports_file([report()])]).tables["money_event"]
    assert [str(moment) for moment in cells(events, "event_at")][:2] == [
        "2023-02-16 02:00:00+00:00",
        "2023-01-20 13:56:03+00:00",
    ]
    assert {str(day) for day in cells(events, "available_on")} == {"2023-02-14"}
    assert {str(day) for day in cells(events, "paid_out_on")} == {"2023-02-16"}


def test_a_detail_is_known_once_its_report_exists_and_the_payout_once_it_is_paid(tmp_path: Path) -> None:
    events = ingested(tmp_path, [reports_file([report()])]).tables["money_event"]
    assert [str(known) for known in cells(events, "known_at")][:2] == [
        "2023-02-17 02:00:00+00:00",
        "2023-01-22 11:46:38+00:00",
    ]


@pytest.mark.parametrize(("state", "status"), [(1, "estimated"), (2, "released")])
def test_an_unsettled_report_has_no_payout_and_is_marked(tmp_path: Path, state: int, status: str) -> None:
    # The published example holds a completion time in a report that is still to be confirmed.
    one = report(state=state, completedPayTime="2024-02-16 10:00:00")
    result = ingested(tmp_path, [reports_file([one])])
    events = result.tables["money_event"]
    assert set(cells(events, "status")) == {status}
    assert "payout" not in cells(events, "event_type")
    assert set(cells(events, "paid_out_on")) == {None}
    account = only_account(result)
    assert (account.rows_in, account.accepted) == (6, 6)
    assert account.warnings == {"report not settled yet, so without a payout": 1}


def test_a_settled_report_without_its_time_of_payment_is_set_aside(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [reports_file([report(completedPayTime="")])]))
    assert account.quarantined == {"paid_when_settled": 6}


def test_a_report_whose_details_do_not_sum_to_its_total_is_set_aside_whole(tmp_path: Path) -> None:
    result = ingested(tmp_path, [reports_file([report(), report("B2", total=156.79)])])
    assert only_account(result).quarantined == {"report_adds_up": 6}
    assert set(cells(result.tables["money_event"], "statement_id")) == {"B1"}


def test_an_unreadable_amount_that_no_total_needs_sets_only_its_detail_aside(tmp_path: Path) -> None:
    one = report(reportSalesDetails=[*DETAILS, sale("4", "n/a")])
    account = only_account(ingested(tmp_path, [reports_file([one])]))
    assert (account.rows_in, account.accepted, account.quarantined) == (7, 6, {"type:detail_amount": 1})


def test_missing_details_are_counted_even_if_their_amounts_are_zero(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [reports_file([report(salesTotal=4)])]))
    assert account.warnings == {"details_complete": 6}


def test_goods_returned_to_the_seller_are_refunds(tmp_path: Path) -> None:
    back = sale("9", 40, inAndOut=2, inAndOutName="expense")
    one = report(total=-40.0, reportSalesDetails=[back], reportReplenishDetail=[], salesTotal=1, replenishTotal=0)
    events = ingested(tmp_path, [reports_file([one])]).tables["money_event"]
    assert cells(events, "event_type", "amount", "quantity") == [
        ("payout", Decimal("40.0000"), None),
        ("refund", Decimal("-40.0000"), -4),
    ]


def test_a_report_may_hold_details_of_the_month_before_its_period_and_no_older_ones(tmp_path: Path) -> None:
    # The period begins on 20 February; 31 days earlier, the day begins at UTC+14 when it is 18:00 in Beijing.
    details = [sale("1", 47.28, addTime="2023-01-19 18:00:01"), sale("2", 47.28, addTime="2023-01-19 17:59:59")]
    one = report(total=94.56, reportSalesDetails=details, reportReplenishDetail=[], salesTotal=2, replenishTotal=0)
    file = replace(reports_file([one]), covered_from="2023-02-20", covered_to="2023-03-19")
    result = ingested(tmp_path, [file])
    # The payout of 16 February is within it too.
    assert only_account(result).warnings == {"outside the period that the delivery declares": 1}


def test_lists_may_be_absent_or_null_and_an_empty_currency_is_taken_from_the_details(tmp_path: Path) -> None:
    one = report(total=141.84, currencyCode="", replenishTotal=None, reportReplenishDetail=None)
    two = report("B2", total=141.84)
    del two["reportReplenishDetail"]
    events = ingested(tmp_path, [reports_file([one, two])]).tables["money_event"]
    assert events.num_rows == 8
    assert set(cells(events, "currency")) == {"USD"}


def test_a_report_in_two_currencies_is_set_aside(tmp_path: Path) -> None:
    one = report(reportSalesDetails=[*DETAILS[:2], sale("3", 47.28, settleCurrencyCode="EUR")])
    assert only_account(ingested(tmp_path, [reports_file([one])])).quarantined == {"currency_known": 6}


def test_the_latest_state_of_a_report_counts(tmp_path: Path) -> None:
    early = report(state=2, lastUpdateTime="2023-01-22 10:00:00")
    result = ingested(tmp_path, [reports_file([report()], "2023a"), reports_file([early], "2023b")])
    assert cells(result.tables["money_event"], "status") == ["paid"] * 6
    assert cells(result.duplicates, "reason") == ["repeated report"] * 6


def test_a_report_that_adds_up_is_preferred_to_a_later_one_that_does_not(tmp_path: Path) -> None:
    broken = report(total=1.0, lastUpdateTime="2023-03-01 10:00:00")
    result = ingested(tmp_path, [reports_file([report(), broken])])
    assert result.tables["money_event"].num_rows == 6
    assert result.quarantine.num_rows == 0


@pytest.mark.parametrize(
    ("kind", "category", "expected"),
    [
        (1, "采购质量-客户退款扣款", "refund"),
        (1, "late delivery", "penalty"),
        (1, "Advertising", "advertising"),
        (1, "运费扣款", "fulfilment_fee"),
        (2, "something new", "compensation"),
        (1, "something new", "other"),
    ],
)
def test_the_category_of_an_adjustment_decides_its_event_type(
    tmp_path: Path, kind: int, category: str, expected: str
) -> None:
    change = adjustment("1", 5, kind, category)
    total = 5.0 if kind == 2 else -5.0
    one = report(total=total, reportSalesDetails=[], reportReplenishDetail=[change], salesTotal=0, replenishTotal=1)
    result = ingested(tmp_path, [reports_file([one])])
    assert cells(result.tables["money_event"], "event_type") == ["payout", expected]
    unknown = {f"amount of unknown kind / deduction / {category}": 1} if expected == "other" else {}
    assert only_account(result).warnings == unknown


def test_two_sellers_may_deliver_the_same_report_and_both_are_kept(tmp_path: Path) -> None:
    result = ingested(tmp_path, [reports_file([report()]), reports_file([report()], seller="S000002")])
    events = result.tables["money_event"]
    assert len(set(cells(events, "event_id"))) == 12


def test_a_report_file_without_a_needed_field_is_refused_in_one_line(tmp_path: Path) -> None:
    one = report()
    del one["settlementStatus"]
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [reports_file([one])])
    text = str(refusal.value)
    assert "file shein_report/S000001/2023.json, column 'settlementStatus'" in text
    assert "; remedy: export the file with all fields of shein_report@1.2.0" in text
    assert "\n" not in text


def item(income: float = 11.12, **fields: object) -> dict[str, Any]:
    return {
        "skuCode": "Ixyz01",
        "sellerCurrencyPrice": 12.98,
        "couponAmount": 0.0,
        "sellerRealTax": 1.86,
        "commissionRate": 0.0,
        "commissionAmount": 0.0,
        "performanceCost": 0.0,
        "stockExpense": 0.0,
        "returnExpense": 0.0,
        "serviceFee": 0.0,
        "whtTotalAmount": 0.0,
        "subsidyTotalAmount": 0.0,
        "incomeAmount": income,
        **fields,
    }


def statement(number: str = "C1", total: float = 22.24, state: int = 3, **fields: object) -> dict[str, Any]:
    return {
        "checkOrderNo": number,
        "checkStatus": state,
        "secondOrderType": 1,
        "incomeExpenditureType": 1,
        "bzOrderNo": f"GS{number}",
        "businessCompletedTime": "2023-01-14 17:47:21",
        "completedPayTime": "2023-02-16 10:00:00" if state == 3 else "",
        "site": "shein-us",
        "currencyCode": "USD",
        "estimateIncomeMoneyTotal": total,
        "reportOrderNo": "B7",
        "estimatePayTime": "2023-02-15 10:23:58",
        "itemList": [item(), item()],
        **fields,
    }


def statements_file(statements: Sequence[Mapping[str, Any]]) -> RawFile:
    data = json.dumps(list(statements), ensure_ascii=False).encode()
    return RawFile("shein_statement/S000001/2023.json", "shein_statement", data, "S000001", "SH-1")


def by_statement(result: IngestResult) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for number, amount in cells(result.tables["money_event"], "statement_id", "amount"):
        sums[number] = sums.get(number, Decimal(0)) + amount
    return sums


def test_an_item_becomes_its_price_and_its_charges(tmp_path: Path) -> None:
    one = statement(itemList=[item(), item(9.12, commissionAmount=2.0)], total=20.24)
    result = ingested(tmp_path, [statements_file([one])])
    assert cells(result.tables["money_event"], "event_type", "amount") == [
        ("payout", Decimal("-20.2400")),
        ("sale", Decimal("12.9800")),
        ("withholding_tax", Decimal("-1.8600")),
        ("sale", Decimal("12.9800")),
        ("withholding_tax", Decimal("-1.8600")),
        ("commission", Decimal("-2.0000")),
    ]
    assert by_statement(result) == {"B7": 0}


CHARGES = {
    "sellerRealTax": ("withholding_tax", "-0.0100"),
    "commissionSaleTax": ("commission", "-0.0200"),
    "whtTotalAmount": ("withholding_tax", "-0.0400"),
    "commissionAmount": ("commission", "-0.0800"),
    "performanceCost": ("fulfilment_fee", "-0.1600"),
    "stockExpense": ("storage_fee", "-0.3200"),
    "returnExpense": ("fulfilment_fee", "-0.6400"),
    "serviceFee": ("commission", "-1.2800"),
    "couponAmount": ("discount", "-2.5600"),
    "returnFreightSubsidy": ("compensation", "5.1200"),
    "subsidyTotalAmount": ("compensation", "10.2400"),
}


@pytest.mark.parametrize("flow", [1, 2])
def test_every_charge_of_an_item_has_its_kind_and_its_amount(tmp_path: Path, flow: int) -> None:
    written = {name: abs(float(amount)) for name, (_, amount) in CHARGES.items()}
    # The price is 100; the charges that reduce it sum to 5.11 and those that add to it to 15.36.
    one = statement(
        incomeExpenditureType=flow, itemList=[item(110.25, sellerCurrencyPrice=100, **written)], total=110.25
    )
    result = ingested(tmp_path, [statements_file([one])])
    direction = 1 if flow == 1 else -1
    assert sorted(cells(result.tables["money_event"], "event_type", "amount")) == sorted(
        [
            ("payout", direction * Decimal("-110.2500")),
            ("sale" if flow == 1 else "refund", direction * Decimal("100.0000")),
            *((kind, direction * Decimal(amount)) for kind, amount in CHARGES.values()),
        ]
    )
    assert cells(result.tables["source_coverage"], "doubts") == [None]
    # The price, each charge and the payout have a number of their own, so that a later version of a row has its key.
    parts = {int(event.rpartition(":")[2]) for event in cells(result.tables["money_event"], "event_id")}
    assert parts == {0, *range(1, len(CHARGES) + 1), 99}


def test_every_row_of_a_statement_says_when_it_happened_and_when_it_could_be_known(tmp_path: Path) -> None:
    events = ingested(tmp_path, [statements_file([statement(itemList=[item()], total=11.12)])]).tables["money_event"]
    names = ("event_type", "event_date", "available_on", "paid_out_on", "status", "marketplace", "order_id")
    assert [tuple(map(str, row)) for row in cells(events, *names)] == [
        ("payout", "2023-02-16", "2023-02-15", "2023-02-16", "paid", "shein-us", "None"),
        ("sale", "2023-01-14", "2023-02-15", "2023-02-16", "paid", "shein-us", "GSC1"),
        ("withholding_tax", "2023-01-14", "2023-02-15", "2023-02-16", "paid", "shein-us", "GSC1"),
    ]
    known = {str(at): str(known) for at, known in cells(events, "event_at", "known_at")}
    assert known == {
        "2023-02-16 02:00:00+00:00": "2023-02-17 02:00:00+00:00",
        "2023-01-14 09:47:21+00:00": "2023-01-15 09:47:21+00:00",
    }
    assert len(set(cells(events, "event_id"))) == 3


def test_a_return_reverses_the_price_and_the_charges(tmp_path: Path) -> None:
    one = statement(incomeExpenditureType=2)
    events = ingested(tmp_path, [statements_file([one])]).tables["money_event"]
    assert cells(events, "event_type", "amount")[:3] == [
        ("payout", Decimal("22.2400")),
        ("refund", Decimal("-12.9800")),
        ("withholding_tax", Decimal("1.8600")),
    ]


def test_the_statements_of_a_report_share_one_payout(tmp_path: Path) -> None:
    back = statement("C2", 11.12, incomeExpenditureType=2, itemList=[item()])
    result = ingested(tmp_path, [statements_file([statement(), back])])
    payouts = [e for e in cells(result.tables["money_event"], "event_type", "amount") if e[0] == "payout"]
    assert payouts == [("payout", Decimal("-11.1200"))]
    assert by_statement(result) == {"B7": 0}
    assert only_account(result).warnings == {"statement paid with another of its report": 1}


@pytest.mark.parametrize(("state", "status"), [(1, "deferred"), (2, "released"), (4, "reserved")])
def test_an_unsettled_statement_has_no_payout(tmp_path: Path, state: int, status: str) -> None:
    events = ingested(tmp_path, [statements_file([statement(state=state)])]).tables["money_event"]
    assert set(cells(events, "event_type", "status")) == {("sale", status), ("withholding_tax", status)}


def test_a_statement_without_items_is_one_amount_of_unknown_kind(tmp_path: Path) -> None:
    one = statement(incomeExpenditureType=2, itemList=None, secondOrderType=7)
    result = ingested(tmp_path, [statements_file([one])])
    assert cells(result.tables["money_event"], "event_type", "amount") == [
        ("other", Decimal("-22.2400")),
        ("payout", Decimal("22.2400")),
    ]
    assert only_account(result).warnings == {"charge of unknown kind / 7": 1}


def test_a_statement_whose_items_do_not_sum_to_it_is_set_aside_whole(tmp_path: Path) -> None:
    account = only_account(ingested(tmp_path, [statements_file([statement(total=22.25)])]))
    assert account.quarantined == {"statement_adds_up": 3}


@pytest.mark.parametrize("given", [{"commissionAmount": 0.5}, {}])
def test_an_item_whose_charges_do_not_explain_its_price_is_in_doubt(tmp_path: Path, given: dict[str, float]) -> None:
    one = statement(itemList=[item(10.62, **given), item()], total=21.74)
    result = ingested(tmp_path, [statements_file([one])])
    words = "the income of an item with its charges is none of its prices, so a charge may be missing"
    assert cells(result.tables["source_coverage"], "doubts") == [None if given else words]
