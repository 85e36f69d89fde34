"""Invented exports of the back offices of SHEIN and AliExpress."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult


def amounts(result: IngestResult) -> list[tuple[str, Decimal]]:
    return sorted(cells(result.tables["money_event"], "event_type", "amount"))


@pytest.mark.parametrize(("stated", "is_doubted"), [(70, False), (75, True)])
def test_the_paid_bills_of_shein_add_up_to_the_sum_above_their_header(
    tmp_path: Path, stated: int, is_doubted: bool
) -> None:
    rows = [
        ["合计", "", "", "", stated, ""],
        ["站点", "账单类型", "订单号", "打款日期", "应收金额", "币种"],
        ["UK", "订单销售", "A1", "2023-03-02", 100, "GBP"],
        ["UK", "订单退款", "A1", "2023-03-03", -30, "GBP"],
    ]
    file = RawFile("s/a.xlsx", "shein_paid_bills", workbook({"Sheet1": rows}), "S000001", "K1")
    result = ingested(tmp_path, [file])
    assert amounts(result) == [("refund", Decimal(-30)), ("sale", Decimal(100))]
    words = f"in doubt: the rows of column '应收金额' sum to 70, but the workbook states {stated}"
    assert (words in only_account(result).notes) == is_doubted


def test_the_cash_flow_of_aliexpress_has_its_currency_before_the_amounts(tmp_path: Path) -> None:
    header = ["结算时间", "收支类型", "费用项", "变动金额", "币种", "订单号"]
    rows = [
        ["2023-03-02 08:40:25", "收入", "订单放款", "CN￥ 1,234.56", "CNY", "1"],
        ["2023-03-02 08:40:25", "支出", "平台佣金", "CN￥ -34.56", "CNY", "1"],
        ["2023-03-03 08:40:25", "退款", "售后退款", "CN￥ 10.00", "CNY", "1"],
        ["2023-03-04 08:40:25", "支出", "贷款还款", "CN￥ -50.00", "CNY", ""],
        ["2023-03-05 07:00:00", "提现", "提现", "CN￥ 900.00", "CNY", ""],
        ["2023-03-06 08:40:25", "收入", "订单放款", "US$ 5.00", "CNY", "2"],
    ]
    file = RawFile("a/a.xlsx", "aliexpress_cash_flow", workbook({"Sheet1": [header, *rows]}), "S000001", "K1")
    result = ingested(tmp_path, [file])
    assert amounts(result) == [
        ("advance_repayment", Decimal(-50)),
        ("commission", Decimal("-34.56")),
        ("payout", Decimal(-900)),
        ("refund", Decimal(-10)),
        ("sale", Decimal("1234.56")),
    ]
    assert "2023-03-04" in {str(day) for day in cells(result.tables["money_event"], "paid_out_on")}
    assert only_account(result).quarantined == {"type:changed_amount": 1}
