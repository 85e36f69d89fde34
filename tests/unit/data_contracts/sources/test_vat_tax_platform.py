"""Invented invoices in the form of the tax platform's export."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipelines.ingest.stage import IngestResult

FIRST, LINES = "发票基础信息", "信息汇总表"
PARTIES = ("销方识别号", "销方名称", "购方识别号", "购买方名称", "开票日期")
HEADER = ("序号", "发票代码", "发票号码", "数电发票号码", *PARTIES, "金额", "税额", "价税合计", "发票来源", "发票票种",
          "发票状态", "是否正数发票", "发票风险等级", "开票人", "备注")  # fmt: skip
OWN, MILL, POTTER = "91440300MA00000011", "91440300MA00000022", "91440300MA00000033"
Row = list[object]


def invoice(number: str, net: float, *, seller: str = OWN, buyer: str = MILL, **given: str) -> Row:
    """Return a row of the first sheet; a number of 20 digits is that of a digital invoice."""
    tax = round(net * 0.13, 2)
    digital, paper = (number, "") if len(number) == 20 else ("", number)
    positive = "是" if net >= 0 else "否"
    day = given.get("day", "2025-03-05 10:20:30")
    amounts = [f"{net:.2f}", f"{tax:.2f}", f"{net + tax:.2f}"]
    parties = [seller, f"firm {seller[-2:]}", buyer, given.get("buyer_name", f"firm {buyer[-2:]}"), day]
    series = "033002300111" if paper else ""
    state = given.get("state", "正常")
    return [
        "1",
        series,
        paper,
        digital,
        *parties,
        *amounts,
        "电子发票服务平台",
        "专用",
        state,
        positive,
        "正常",
        "张",
        "",
    ]


def line(row: Row, share: float) -> Row:
    """Return a goods line with this share of an invoice's amounts."""
    return [*row[:9], *(f"{float(str(amount)) * share:.2f}" for amount in row[9:12]), *row[12:]]


def listed(*rows: Row, lines: Sequence[Row] = (), name: str = "a.xlsx", account: str = "") -> RawFile:
    sheets: dict[str, Sequence[Sequence[object]]] = {FIRST: [list(HEADER), *rows]} if rows else {}
    if lines:
        sheets[LINES] = [list(HEADER), *lines]
    delivered = "2026-01-05 00:00:00" if name < "b" else "2026-02-05 00:00:00"
    period = ("2025-01-01", "2025-12-31")
    return RawFile(name, "vat_tax_platform", workbook(sheets), "S000001", account, *period, delivered)


def invoices(result: IngestResult) -> pa.Table:
    return result.tables["trade_invoice"]


def digital(place: int) -> str:
    return f"2533200000000000{place:04}"


def test_sales_purchases_red_and_void_invoices_are_told_apart_by_the_sellers_own_number(tmp_path: Path) -> None:
    rows = [
        invoice(digital(1), 1000),
        invoice(digital(2), -400, day="2025-03-15"),
        invoice("01234567", 500, seller=POTTER, buyer=OWN, day="2025/03/20 00:10:00"),
        invoice("01234568", 80, seller=POTTER, buyer=OWN, state="已作废"),
        invoice(digital(3), 300, state="已红冲-部分"),
    ]
    table = invoices(ingested(tmp_path, [listed(*rows)]))
    named = ("invoice_number", "direction", "net_amount", "tax_amount", "status", "is_credit_note")
    assert cells(table, *named) == [
        (digital(1), "sale", Decimal(1000), Decimal(130), "valid", False),
        (digital(2), "sale", Decimal(-400), Decimal(-52), "valid", True),
        ("01234567", "purchase", Decimal(500), Decimal(65), "valid", False),
        ("01234568", "purchase", Decimal(80), Decimal("10.4"), "void", False),
        (digital(3), "sale", Decimal(300), Decimal(39), "valid", False),
    ]
    assert [str(day) for day in cells(table, "event_date")][1:3] == ["2025-03-15", "2025-03-20"]
    buyers = cells(table, "counterparty_id")
    assert buyers[0] == buyers[1] == buyers[4] != buyers[2]
    assert MILL not in str(buyers)


def test_an_export_buyer_without_a_number_is_known_by_its_name(tmp_path: Path) -> None:
    rows = [invoice(digital(1), 100, buyer="", buyer_name="LAMP HOUSE LTD"), invoice(digital(2), 50)]
    table = invoices(ingested(tmp_path, [listed(*rows)]))
    assert len(set(cells(table, "counterparty_id"))) == 2


def test_goods_lines_make_no_invoice_beside_the_first_sheet_and_one_without_it(tmp_path: Path) -> None:
    rows = [invoice(digital(1), 1000), invoice(digital(2), 200, buyer=POTTER)]
    lines = [line(rows[0], 0.5), line(rows[0], 0.6), line(rows[0], -0.1), line(rows[1], 1.0)]
    both = ingested(tmp_path, [listed(*rows, lines=lines)])
    alone = ingested(tmp_path, [listed(lines=lines)])
    assert cells(invoices(both), "net_amount") == cells(invoices(alone), "net_amount") == [Decimal(1000), Decimal(200)]
    assert only_account(both).accepted == 6
    torn = only_account(ingested(tmp_path, [listed(*rows, lines=lines[1:])]))
    assert torn.warnings["its lines do not add up to the invoice"] == 1


def test_a_sum_row_is_no_invoice_and_must_add_up(tmp_path: Path) -> None:
    rows = [invoice(digital(1), 1000), invoice(digital(2), 200, buyer=POTTER)]
    for total, quarantined in (("1200.00", {}), ("1300.00", {"sheet:sum": 1})):
        result = ingested(tmp_path, [listed(*rows, ["合计", *[""] * 8, total, "", "", *[""] * 7])])
        assert only_account(result).quarantined == quarantined
        assert invoices(result).num_rows == 2


def test_an_invoice_in_two_monthly_files_counts_once_in_its_newest_state(tmp_path: Path) -> None:
    march = [invoice(digital(1), 1000), invoice("01234567", 80, buyer=POTTER)]
    april = [invoice(digital(1), 1000), invoice("01234567", 80, buyer=POTTER, state="已作废")]
    table = invoices(ingested(tmp_path, [listed(*march), listed(*april, name="b.xlsx")]))
    found = cells(table, "invoice_number", "status", "row_version")
    assert found == [(digital(1), "valid", 1), ("01234567", "valid", 1), ("01234567", "void", 2)]


def test_whose_invoices_they_are_must_be_clear_or_named(tmp_path: Path) -> None:
    same_two = [invoice(digital(1), 1000), invoice(digital(2), 200)]
    unclear = ingested(tmp_path, [listed(*same_two)])
    assert only_account(unclear).quarantined == {"seller:unclear": 2}
    named = ingested(tmp_path, [listed(*same_two, account=MILL)])
    assert cells(invoices(named), "direction") == ["purchase", "purchase"]
    strangers = [*same_two, invoice(digital(3), 5, seller=POTTER)]
    account = only_account(ingested(tmp_path, [listed(*strangers, account=OWN)]))
    assert (account.accepted, account.quarantined) == (2, {"delivery:seller_matches": 1})
