"""Invented exports of Walmart, Etsy, Mercado Libre, Lazada and Shopee."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.factories.files.workbooks import workbook
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult


def text_file(source: str, text: str, name: str = "a", account: str = "K1") -> RawFile:
    return RawFile(f"{source}/{name}.csv", source, text.strip().encode() + b"\n", "S000001", account)


def amounts(result: IngestResult) -> list[tuple[str, Decimal]]:
    return sorted(cells(result.tables["money_event"], "event_type", "amount"))


WALMART = """Period Start Date,Period End Date,Total Payable,Currency,Transaction Posted Timestamp,Transaction Type,\
Transaction Description,Purchase Order #,Amount,Amount Type,Ship Qty
03/01/2023,03/14/2023,,USD,03/02/2023,Sale,,P1,20.00,Product Price,2
03/01/2023,03/14/2023,,USD,03/02/2023,Sale,,P1,1.60,Product tax,2
03/01/2023,03/14/2023,,USD,03/02/2023,Sale,,P1,-1.60,Product tax withheld,2
03/01/2023,03/14/2023,,USD,03/02/2023,Sale,,P1,-3.00,Commission on Product,2
03/01/2023,03/14/2023,,USD,03/04/2023,Refund,,P1,-10.00,Product Price,1
03/01/2023,03/14/2023,,USD,03/05/2023,Service Fee,Walmart Connect advertising,,-2.00,Fee/Reimbursement,
03/01/2023,03/14/2023,,,03/06/2023,Adjustment,Hold for new seller,,-1.00,Fee/Reimbursement,
03/01/2023,03/14/2023,,USD,03/07/2023,Adjustment,Lending repayment,,-0.50,Fee/Reimbursement,
,,{total},USD,03/15/2023,PaymentSummary,,,,,
"""


def test_a_walmart_period_sums_to_its_payout_and_a_difference_is_counted(tmp_path: Path) -> None:
    whole = ingested(tmp_path / "whole", [text_file("walmart_recon", WALMART.replace("{total}", "3.50"))])
    assert amounts(whole) == [
        ("advance_repayment", Decimal("-0.5")),
        ("advertising", Decimal(-2)),
        ("commission", Decimal(-3)),
        ("payout", Decimal("-3.5")),
        ("refund", Decimal(-10)),
        ("reserve_hold", Decimal(-1)),
        ("sale", Decimal(20)),
        ("sale_tax", Decimal("1.6")),
        ("withholding_tax", Decimal("-1.6")),
    ]
    assert sum(cells(whole.tables["money_event"], "amount")) == 0
    assert len(set(cells(whole.tables["money_event"], "statement_id"))) == 1
    short = ingested(tmp_path / "short", [text_file("walmart_recon", WALMART.replace("{total}", "5.50"))])
    assert ("other", Decimal(2)) in amounts(short)


ETSY = """Date,Type,Title,Info,Currency,Amount,Fees & Taxes,Net,Tax Details
"March 1, 2023",Sale,Payment for Order #11,,GBP,£20.00,--,£20.00,--
"March 1, 2023",Fee,Transaction fee: Lamp,Order #11,GBP,--,-£1.30,-£1.30,--
31 Mar 2023,Tax,Sales tax paid by buyer,Order #11,GBP,--,-£0.40,-£0.40,--
30-Apr-23,Marketing,Etsy Ads,,GBP,--,-£2.00,-£2.00,--
30-Apr-23,Refund,Refund for Order #11,,GBP,-£5.00,£0.30,-£4.70,--
30-Apr-23,Deposit,£11.60 sent to your bank account,,GBP,--,--,--,--
30-Apr-23,Mystery,Something,,GBP,£1.00,--,£1.00,--
30-Apr-23,Sale,Payment for Order #12,,GBP,£20.00,--,£19.00,--
"""


def test_an_etsy_statement_has_days_in_words_and_the_amount_of_a_deposit_in_its_title(tmp_path: Path) -> None:
    result = ingested(tmp_path, [text_file("etsy_statement", ETSY)])
    assert amounts(result) == [
        ("advertising", Decimal(-2)),
        ("commission", Decimal("-1.3")),
        ("commission", Decimal("0.3")),
        ("other", Decimal(1)),
        ("payout", Decimal("-11.6")),
        ("refund", Decimal(-5)),
        ("sale", Decimal(20)),
        ("sale_tax", Decimal("-0.4")),
    ]
    assert {str(day) for day in cells(result.tables["money_event"], "event_date")} == {
        *("2023-03-01", "2023-03-31", "2023-04-30")
    }
    account = only_account(result)
    assert account.quarantined == {"net_adds_up": 1}
    assert account.warnings == {"amount of unknown kind / Mystery / amount / Something / in": 1}


def test_the_names_of_goods_sold_at_etsy_decide_no_event_type(tmp_path: Path) -> None:
    titles = ["Transaction fee: Blending jar for Sloane", "Listing fee: Capital letters", "Etsy Capital repayment"]
    lines = [f"31 Mar 2023,Fee,{title},,GBP,--,-£1.00,-£1.00,--" for title in titles]
    text = "\n".join([ETSY.splitlines()[0], *lines, ""])
    result = ingested(tmp_path, [text_file("etsy_statement", text)])
    assert cells(result.tables["money_event"], "event_type") == ["commission", "commission", "advance_repayment"]


def test_money_lent_that_etsy_books_as_a_deposit_is_an_advance_and_a_returned_payout_is_none(tmp_path: Path) -> None:
    titles = ["Working capital advance", "Loan proceeds", "Returned by your bank"]
    lines = [f"31 Mar 2023,Deposit,{title},,GBP,£500.00,--,£500.00,--" for title in titles]
    text = "\n".join([ETSY.splitlines()[0], *lines, ""])
    result = ingested(tmp_path, [text_file("etsy_statement", text)])
    assert cells(result.tables["money_event"], "event_type") == ["advance", "advance", "payout_reversal"]


SETTLEMENT = """TRANSACTION_TYPE;TRANSACTION_AMOUNT;TRANSACTION_CURRENCY;TRANSACTION_DATE;FEE_AMOUNT;TAXES_AMOUNT;\
SETTLEMENT_NET_AMOUNT;SETTLEMENT_CURRENCY;ORDER_ID
SETTLEMENT;100.50;BRL;2023-03-01T10:00:00.000-03:00;-12.00;-1.50;87.00;BRL;1
REFUND;-20.00;BRL;2023-03-02T10:00:00.000-03:00;0;0;-20.00;BRL;1
CHARGEBACK;-5.00;BRL;2023-03-02T11:00:00.000-03:00;0;0;-5.00;BRL;1
WITHDRAWAL;-60.00;BRL;2023-03-03T10:00:00.000-03:00;0;0;-60.00;BRL;
WITHDRAWAL_CANCEL;60.00;BRL;2023-03-04T10:00:00.000-03:00;0;0;60.00;BRL;
SETTLEMENT;50.00;BRL;2023-03-05T10:00:00.000-03:00;-5.00;0;44.00;BRL;2
SETTLEMENT;50.00;USD;2023-03-05T10:00:00.000-03:00;-5.00;0;45.00;BRL;3
"""


def test_a_settlement_of_mercado_libre_is_split_into_amount_fees_and_taxes(tmp_path: Path) -> None:
    result = ingested(tmp_path, [text_file("mercado_settlement", SETTLEMENT)])
    assert amounts(result) == [
        ("chargeback", Decimal(-5)),
        ("commission", Decimal(-12)),
        ("commission", Decimal(-5)),
        ("other", Decimal(-1)),
        ("payout", Decimal(-60)),
        ("payout_reversal", Decimal(60)),
        ("refund", Decimal(-20)),
        ("sale", Decimal(50)),
        ("sale", Decimal("100.5")),
        ("withholding_tax", Decimal("-1.5")),
    ]
    account = only_account(result)
    assert account.quarantined == {"one_currency": 1}
    assert account.warnings == {"amount of unknown kind / SETTLEMENT / rest / out": 1, "net_adds_up": 1}


RELEASE = """DATE,SOURCE_ID,RECORD_TYPE,DESCRIPTION,NET_CREDIT_AMOUNT,NET_DEBIT_AMOUNT,GROSS_AMOUNT,MP_FEE_AMOUNT,SITE
2023-03-01T00:00:00.000-06:00,,initial_available_balance,,{opening},0,,,MLM
2023-03-01T10:00:00.000-06:00,1,release,payment,88.00,0,100.00,-12.00,MLM
2023-03-02T10:00:00.000-06:00,2,release,reserve_for_payout,0,30.00,-30.00,0,MLM
2023-03-02T11:00:00.000-06:00,2,release,reserve_for_payout,30.00,0,30.00,0,MLM
2023-03-02T12:00:00.000-06:00,2,release,payout,0,30.00,-30.00,0,MLM
2023-03-03T10:00:00.000-06:00,3,release,credit_payment,0,8.00,-8.00,0,MLM
2023-03-31T23:59:59.000-06:00,,total,,118.00,68.00,,,MLM
2023-03-31T23:59:59.000-06:00,,available_balance,,{closing},0,,,MLM
"""


def release(name: str, opening: str, closing: str, month: str = "03") -> RawFile:
    text = RELEASE.replace("{opening}", opening).replace("{closing}", closing).replace("2023-03", f"2023-{month}")
    return text_file("mercado_release", text.replace("2023-04-31", "2023-04-30"), name)


def test_the_balances_of_a_release_report_close_and_borrowed_money_is_no_sale(tmp_path: Path) -> None:
    result = ingested(tmp_path, [release("a", "10.00", "60.00")])
    assert amounts(result) == [
        ("advance_repayment", Decimal(-8)),
        ("commission", Decimal(-12)),
        ("payout", Decimal(-30)),
        ("reserve_hold", Decimal(-30)),
        ("reserve_release", Decimal(30)),
        ("sale", Decimal(100)),
    ]
    assert set(cells(result.tables["money_event"], "currency")) == {"MXN"}
    assert only_account(result).warnings == {"balance or total": 3}


def test_money_missing_from_a_release_report_and_a_broken_chain_of_balances_are_named(tmp_path: Path) -> None:
    files = [release("a", "10.00", "65.00"), release("b", "61.00", "111.00", month="04")]
    result = ingested(tmp_path, files)
    assert ("other", Decimal(5)) in amounts(result)
    first, second = (account.warnings for account in result.file_counts)
    assert first["amount of unknown kind /  / not listed / in"] == 1
    assert second["in doubt: the opening balance is not the closing balance of the report before"] == 1


LAZADA = """Transaction Date,Transaction Type,Fee Name,Seller SKU,Amount,WHT Amount,WHT included in Amount,Statement,\
Paid Status,Order No.
20-Mar-2023,Orders-Sales,Item Price Credit,A,"1,100.00",0,Yes,20 Mar 2023 - 26 Mar 2023,paid,1
20-Mar-2023,Orders-Lazada Fees,Commission,A,-5.00,1.00,No,20 Mar 2023 - 26 Mar 2023,paid,1
21-Mar-2023,Refunds-Claims,Reversal Item Price,A,-50.00,0,Yes,20 Mar 2023 - 26 Mar 2023,paid,1
21-Mar-2023,Other,Seller Loan Repayment,,-7.00,0,Yes,20 Mar 2023 - 26 Mar 2023,paid,
21-Mar-2023,Other,Something new,,-2.00,0,Yes,20 Mar 2023 - 26 Mar 2023,paid,
"""
BANNER = "Statement of your shop\nThe amounts are in the currency of the shop\n"
STATEMENT = """Statement Number;Transaction Date;Fee Name;Amount(Include Tax);Release Status;Order Number
MY1;20 Mar 2023;Product Price Paid by Buyer;100.00;Released;1
MY1;20 Mar 2023;Commission;-8.00;Released;1
"""


def test_lazada_amounts_have_the_currency_that_the_delivery_names(tmp_path: Path) -> None:
    result = ingested(tmp_path / "named", [text_file("lazada_transactions", LAZADA, account="K1-MYR")])
    assert amounts(result) == [
        ("advance_repayment", Decimal(-7)),
        ("commission", Decimal(-5)),
        ("other", Decimal(-2)),
        ("refund", Decimal(-50)),
        ("sale", Decimal(1100)),
        ("withholding_tax", Decimal(-1)),
    ]
    assert set(cells(result.tables["money_event"], "currency")) == {"MYR"}
    unnamed = ingested(tmp_path / "unnamed", [text_file("lazada_transactions", LAZADA)])
    assert only_account(unnamed).quarantined == {"money_code:known": 5}


@pytest.mark.parametrize("is_workbook", [False, True])
def test_a_lazada_statement_is_text_or_a_workbook_below_two_banner_lines(tmp_path: Path, is_workbook: bool) -> None:
    file = text_file("lazada_statement", BANNER + STATEMENT, account="K1-PHP")
    if is_workbook:
        rows = [line.split(";") for line in (BANNER + STATEMENT).strip().splitlines()]
        file = RawFile("lazada_statement/a.xlsx", "lazada_statement", workbook({"Sheet1": rows}), "S000001", "K1-PHP")
    result = ingested(tmp_path, [file])
    assert amounts(result) == [("commission", Decimal(-8)), ("sale", Decimal(100))]


def test_unreleased_lazada_amounts_are_estimates(tmp_path: Path) -> None:
    text = STATEMENT.replace("Amount(Include Tax)", "Est Release Amount(Include Tax)")
    result = ingested(tmp_path, [text_file("lazada_statement", BANNER + text, account="K1-PHP")])
    assert set(cells(result.tables["money_event"], "event_type", "status")) == {("other", "estimated")}


def test_lazada_amounts_that_are_not_released_are_deferred_and_unknown_words_are_named(tmp_path: Path) -> None:
    words = ["Released", "Unreleased", "Frozen", ""]
    lines = "".join(
        f"MY1;20 Mar 2023;Product Price Paid by Buyer;{n}.00;{word};{n}\n" for n, word in enumerate(words, 1)
    )
    text = BANNER + STATEMENT.splitlines(keepends=True)[0] + lines
    result = ingested(tmp_path, [text_file("lazada_statement", text, account="K1-PHP")])
    states = dict(cells(result.tables["money_event"], "amount", "status"))
    assert states == {Decimal(1): "released", **dict.fromkeys((Decimal(2), Decimal(3), Decimal(4)), "deferred")}
    assert only_account(result).warnings == {
        "status of unknown meaning, read as deferred: Frozen": 1,
        "neither release status nor release date, read as deferred": 1,
    }


def test_a_lazada_amount_in_two_states_in_one_file_counts_once_in_the_last(tmp_path: Path) -> None:
    first, sale, fee = STATEMENT.splitlines(keepends=True)
    text = BANNER + first + sale.replace("Released", "Unreleased") + sale + fee + fee.replace("Released", "Pending")
    result = ingested(tmp_path / "new", [text_file("lazada_statement", text, account="K1-PHP")])
    states = cells(result.tables["money_event"], "amount", "status")
    assert sorted(states) == [(Decimal(-8), "released"), (Decimal(100), "released")]
    older = LAZADA + LAZADA.splitlines(keepends=True)[2].replace(",paid,", ",unpaid,")
    result = ingested(tmp_path / "old", [text_file("lazada_transactions", older, account="K1-MYR")])
    assert [amount for kind, amount in amounts(result) if kind == "sale"] == [Decimal(1100)]


def test_a_mercado_transaction_before_and_after_its_settlement_in_one_file_counts_once(tmp_path: Path) -> None:
    head, sale, *_ = SETTLEMENT.replace("\\\n", "").splitlines()
    days = [f"{head};SETTLEMENT_DATE", f"{sale};", f"{sale};2023-03-09T10:00:00.000-03:00", ""]
    result = ingested(tmp_path, [text_file("mercado_settlement", "\n".join(days))])
    assert [amount for kind, amount in amounts(result) if kind == "sale"] == [Decimal("100.5")]


def test_the_currency_of_a_lazada_shop_tells_its_decimal_mark(tmp_path: Path) -> None:
    text = STATEMENT.replace("100.00", "100.000").replace("-8.00", "-8.000")
    result = ingested(tmp_path, [text_file("lazada_statement", BANNER + text, account="K1-IDR")])
    assert amounts(result) == [("commission", Decimal(-8000)), ("sale", Decimal(100000))]


SHOPEE = [
    *("Sequence No.", "View By", "Order ID", "Order Creation Date", "Payout Completed Date", "Product Price"),
    *("Refund Amount", "Commission Fee (incl. SST)", "Service Fee (Incl. SST)"),
]


def shopee(released: str, rows: list[list[object]]) -> RawFile:
    sheet = [["Income"], ["Order", "", "", "", "", "", "", "", "", ""], [*SHOPEE, released], *rows]
    return RawFile("shopee_income/a.xlsx", "shopee_income", workbook({"Income": sheet}), "S000001", "K1")


def test_shopee_orders_count_once_in_the_currency_of_their_header(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        [1, "Order", "A", "2023-03-01", "2023-03-09", 100, 0, -6, -2, 92],
        [2, "Sku", "A", "2023-03-01", "2023-03-09", 100, 0, -6, -2, 92],
        [3, "Order", "B", "2023-03-01", "2023-03-09", 50, -50, 0, 0, -1],
    ]
    result = ingested(tmp_path, [shopee("Total Released Amount (RM)", rows)])
    assert amounts(result) == [
        ("commission", Decimal(-6)),
        ("commission", Decimal(-2)),
        ("other", Decimal(-1)),
        ("refund", Decimal(-50)),
        ("sale", Decimal(50)),
        ("sale", Decimal(100)),
    ]
    assert set(cells(result.tables["money_event"], "currency")) == {"MYR"}
    assert only_account(result).warnings == {"amount of unknown kind / rest / out": 1, "item of an order": 1}


def test_indonesian_and_thai_shopee_headers_name_the_currency_and_an_unknown_one_is_set_aside(tmp_path: Path) -> None:
    header = ["No. Pesanan", "Tanggal Dana Dilepaskan", "Harga Asli Produk", "Biaya Administrasi", "Total Penghasilan"]
    data = workbook({"Income": [header, ["A", "2023-03-09", 100000, -5000, 95000]]})
    result = ingested(tmp_path / "id", [RawFile("s/a.xlsx", "shopee_income", data, "S000001", "K1")])
    assert set(cells(result.tables["money_event"], "currency")) == {"IDR"}
    rows: list[list[object]] = [[1, "Order", "A", "2023-03-01", "2023-03-09", 100, 0, -6, -2, 92]]
    unknown = ingested(tmp_path / "unknown", [shopee("Total Released Amount", rows)])
    assert only_account(unknown).quarantined == {"money_code:known": 1}
