"""Invented workbooks; sheets and headers follow the contract."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SETTLED = "交易结算"
ISSUES = "消费者及履约保障-售后问题"
RESENT = "消费者及履约保障-售后补寄"
HEADING: list[object] = [
    *("销售订单", "售后订单", "备货单号", "备货单类型", "SKU ID", "SKU货号", "货品名称", "SKU属性", "数量"),
    *("单品券金额", "店铺满减券金额", "申报价格折扣金额", "交易类型", "金额", "币种", "账务时间"),
]
ISSUE_HEADING: list[list[object]] = [
    ["违规ID", "货品名称", "SKU", None, None, "赔付金额", "币种", "账务时间"],
    [None, None, "SKU ID", "SKU货号", "SKU属性", None, None, None],
]
RESENT_HEADING: list[list[object]] = [
    ["订单编号", "SKU", None, None, None, "数量", "赔付金额"],
    [None, "SKU ID", "货品名称", "SKU货号", "SKU属性", None, None],
]


def settled(kind: str, amount: object, pieces: object = 2, when: object = "2023-05-16 10:30:00") -> list[object]:
    order = ["PO-1", "/", "WB1", "VMI", "17001", "LAMP-1", "Lamp", "green", pieces, "/", "/", "/"]
    return [*order, kind, amount, "CNY", when]


SALE, BACK = settled("销售回款", 61.5), settled("销售冲回", -20, 1, "2023-05-17 00:30:00 CST")
ISSUE: list[object] = ["WG1", "Lamp", "17001", "LAMP-1", "green", 8.8, "CNY", "2023-05-18 09:00:00"]


def temu(
    sheets: Mapping[str, Sequence[Sequence[object]]], source: str = "temu_settlement", name: str = "2023"
) -> RawFile:
    return RawFile(f"{source}/S000001/{name}.xlsx", source, workbook(sheets), "S000001", "T-1")


def finance(*rows: list[object], **others: Sequence[Sequence[object]]) -> RawFile:
    return temu({SETTLED: [HEADING, *rows], **others})


def test_each_sheet_decides_the_kind_and_the_sign_of_its_amounts(tmp_path: Path) -> None:
    sheets: dict[str, list[list[object]]] = {
        SETTLED: [HEADING, SALE, BACK],
        ISSUES: [*ISSUE_HEADING, ISSUE],
        RESENT: [*RESENT_HEADING, ["PO-2", "17001", "Lamp", "LAMP-1", "green", 1, 5]],
        "结算-消费者退款金额": [
            ["SKU货号", "消费者退款金额", "币种", "账务时间"],
            ["LAMP-1", 3, "CNY", "2023-05-19 09:00:00"],
        ],
        "结算-非商责平台售后补贴金额": [["SKU货号", "非商责平台售后补贴金额"], ["LAMP-1", 2]],
        "非商责平台售后补贴调整": [["SKU货号", "收支金额"], ["LAMP-1", -1]],
    }
    result = ingested(tmp_path, [temu(sheets)])
    assert cells(result.tables["money_event"], "event_type", "amount", "quantity") == [
        ("sale", Decimal("61.5000"), 2),
        ("refund", Decimal("-20.0000"), -1),
        ("penalty", Decimal("-8.8000"), None),
        ("penalty", Decimal("-5.0000"), None),
        ("refund", Decimal("-3.0000"), None),
        ("compensation", Decimal("2.0000"), None),
        ("compensation", Decimal("-1.0000"), None),
    ]
    assert only_account(result).rows_in == 7


def test_times_are_beijing_time_whether_text_or_date_cells(tmp_path: Path) -> None:
    dated = settled("销售回款", 1, when=datetime.datetime(2023, 5, 16, 10, 30))
    events = ingested(tmp_path, [finance(SALE, BACK, dated)]).tables["money_event"]
    assert [str(moment) for moment in cells(events, "event_at")] == [
        "2023-05-16 02:30:00+00:00",
        "2023-05-16 16:30:00+00:00",
        "2023-05-16 02:30:00+00:00",
    ]


def test_a_sheet_without_times_and_currency_takes_the_last_covered_day_and_the_currency_of_the_file(
    tmp_path: Path,
) -> None:
    resent = [*RESENT_HEADING, ["PO-2", "17001", "Lamp", "LAMP-1", "green", 1, 5]]
    events = ingested(tmp_path, [finance(SALE, **{RESENT: resent})]).tables["money_event"]
    assert [str(day) for day in cells(events, "event_date")] == ["2023-05-16", "2023-12-31"]
    assert cells(events, "currency") == ["CNY", "CNY"]


def test_an_amount_without_a_currency_in_a_file_with_two_is_set_aside(tmp_path: Path) -> None:
    euros = settled("销售回款", 1)
    euros[14] = "EUR"
    resent = [*RESENT_HEADING, ["PO-2", "17001", "Lamp", "LAMP-1", "green", 1, 5]]
    account = only_account(ingested(tmp_path, [finance(SALE, euros, **{RESENT: resent})]))
    assert account.quarantined == {"money_code:known": 1}


def test_a_slash_is_an_empty_cell(tmp_path: Path) -> None:
    events = ingested(tmp_path, [finance(settled("销售回款", 5, "/"))]).tables["money_event"]
    assert cells(events, "quantity") == [None]


def test_a_slash_for_an_amount_sets_the_row_aside(tmp_path: Path) -> None:
    result = ingested(tmp_path, [finance(SALE, settled("销售回款", "/"))])
    assert only_account(result).quarantined == {"amount_given": 1}
    assert cells(result.quarantine, "source_row") == [3]


def test_rows_of_later_sheets_have_numbers_that_identify_the_sheet(tmp_path: Path) -> None:
    spoilt: list[object] = [*ISSUE[:5], "eight", *ISSUE[6:]]
    result = ingested(tmp_path, [finance(SALE, **{ISSUES: [*ISSUE_HEADING, ISSUE, spoilt]})])
    assert cells(result.tables["money_event"], "source_row") == [2, 10_000_003]
    (record,) = result.quarantine.to_pylist()
    assert (record["source_row"], record["rule_id"], record["value"]) == (10_000_004, "type:booked_amount", "eight")
    assert record["original"].decode().startswith('["WG1", "Lamp", "17001"')


def test_one_header_row_is_enough_if_the_export_has_no_second(tmp_path: Path) -> None:
    heading: list[object] = ["违规ID", "SKU ID", "SKU货号", "赔付金额", "币种", "账务时间"]
    row: list[object] = ["WG1", "17001", "LAMP-1", 8.8, "CNY", "2023-05-18 09:00:00"]
    events = ingested(tmp_path, [finance(SALE, **{ISSUES: [heading, row]})]).tables["money_event"]
    assert cells(events, "sku") == ["LAMP-1", "LAMP-1"]


def test_the_header_is_found_below_a_preamble_and_in_any_order(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["美区 2023-05"],
        [],
        [f" {title} " for title in reversed(HEADING)],
        list(reversed(SALE)),
    ]
    assert ingested(tmp_path, [temu({SETTLED: rows})]).tables["money_event"].num_rows == 1


def test_unknown_kinds_are_kept_as_written_and_counted(tmp_path: Path) -> None:
    result = ingested(tmp_path, [finance(settled("月亮费", -4))])
    assert cells(result.tables["money_event"], "event_type", "amount") == [("other", Decimal("-4.0000"))]
    assert only_account(result).warnings == {"amount of unknown kind / 交易结算 / 月亮费": 1}


def test_unknown_sheets_are_reported(tmp_path: Path) -> None:
    result = ingested(tmp_path, [finance(SALE, 说明=[["text"]])])
    assert "1 sheets that are not in the contract were ignored: '说明'" in only_account(result).notes


def test_equal_rows_of_one_workbook_count_twice_and_those_of_a_later_one_are_duplicates(tmp_path: Path) -> None:
    files = [temu({SETTLED: [HEADING, SALE, SALE]}, name=name) for name in ("2023a", "2023b")]
    result = ingested(tmp_path, files)
    assert result.tables["money_event"].num_rows == 2
    assert cells(result.duplicates, "source_file") == ["temu_settlement/S000001/2023b.xlsx"] * 2


@pytest.mark.parametrize(
    ("sheets", "place", "rule"),
    [
        ({"Sheet1": [HEADING]}, "", "the workbook has no sheet '交易结算'"),
        (
            {SETTLED: [HEADING[:-1], SALE[:-1]]},
            ", sheet 交易结算, row 1, column '账务时间'",
            "missing columns: '账务时间'",
        ),
    ],
)
def test_a_workbook_without_a_required_sheet_or_column_is_refused_in_one_line(
    tmp_path: Path, sheets: Mapping[str, Sequence[Sequence[object]]], place: str, rule: str
) -> None:
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [temu(sheets)])
    text = str(refusal.value)
    assert f"file temu_settlement/S000001/2023.xlsx{place}" in text
    assert rule in text
    assert "; remedy: export" in text
    assert "\n" not in text


LEDGER_HEADING: list[object] = ["账务时间", "账务类型", "币种", "收支金额", "备注"]


def test_the_ledger_adds_the_money_that_settlement_workbooks_leave_out(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        LEDGER_HEADING,
        ["2023-05-20 08:00:00", "收入", "CNY", 61.5, "交易结算"],
        ["2023-05-20 08:00:01", "支出", "CNY", 8.8, "消费者及履约保障-售后问题"],
        ["2023-05-21 08:00:00", "支出", "CNY", 9, "推广服务费"],
        ["2023-05-22 08:00:00", "支出", "CNY", -7, "仓储综合服务费"],
        ["2023-05-23 08:00:00", "提现", "CNY", 30, "/"],
        ["2023-05-24 08:00:00", "支出", "CNY", 1, "合规EPR物流包装环保费"],
    ]
    result = ingested(tmp_path, [temu({"财务明细": rows}, "temu_ledger")])
    assert cells(result.tables["money_event"], "event_type", "amount", "status") == [
        ("advertising", Decimal("-9.0000"), "released"),
        ("storage_fee", Decimal("-7.0000"), "released"),
        ("payout", Decimal("-30.0000"), "paid"),
        ("other", Decimal("-1.0000"), "released"),
    ]
    assert only_account(result).warnings == {
        "amount of unknown kind / 支出 / 合规EPR物流包装环保费": 1,
        "amount that the settlement workbook details": 2,
    }


def test_an_estimate_is_not_a_sale_and_is_dated_on_the_last_covered_day(tmp_path: Path) -> None:
    heading: list[object] = [
        *("备货单号", "SKU ID", "SKU货号", "货品名称", "SKU属性", "销售数量", "单品券优惠金额", "店铺满减券优惠金额"),
        *("申报价格折扣金额", "预估待结算销售额", "币种"),
    ]
    row: list[object] = ["WB1", "17001", "LAMP-1", "Lamp", "green", 3, "/", "/", 0.5, 92.25, "CNY"]
    events = ingested(tmp_path, [temu({SETTLED: [heading, row]}, "temu_pending")]).tables["money_event"]
    assert cells(events, "event_type", "status", "amount") == [("other", "estimated", Decimal("92.2500"))]
    assert [str(day) for day in cells(events, "event_date")] == ["2023-12-31"]
