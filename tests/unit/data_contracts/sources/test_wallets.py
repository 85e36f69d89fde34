"""Statements of wallets become entries of an account if every balance follows from the amounts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from data_contracts.errors import InputRefused
from tests.factories.raw_files import RawFile, cells, ingested, only_account

AIRWALLEX = (
    "Time,Type,Financial Transaction Type,Transaction Id,Description,Wallet Currency,Target Currency,Target Amount,"
    "Conversion Rate,Mature Date,Amount,Fee,Debit Net Amount,Credit Net Amount,Account Balance,Available Balance,"
    "Created At,Request Id,Reference,Note to Self"
)
ENGLISH = "Wallet,Wallet account,Day,Time,Kind,Counterparty,Currency,Money in,Money out,Fee,Balance,Transaction ID"
CHINESE = "钱包,钱包账号,日期,时间,类型,对方,币种,收入,支出,手续费,余额,交易号"


def delivered(source: str, header: str, *rows: str) -> RawFile:
    data = "\n".join([header, *rows, ""]).encode()
    return RawFile("wallet.csv", source, data, "S000001", "W1", "2024-04-01", "2024-06-30")


def airwallex_row(number: int, day: int, debit: str, credit: str, balance: str) -> str:
    what = "DEPOSIT,DEPOSIT" if credit else "PAYOUT,PAYOUT"
    said = "AMAZON PAYMENTS" if credit else "Supplier"
    moment = f"2024-06-{day:02}T22:41:36+1000"
    return f'{moment},{what},T{number},{said},EUR,,,,,,0,"{debit}","{credit}","{balance}",,{moment},R{number},,'


def test_an_airwallex_report_is_read_by_its_balance(tmp_path: Path) -> None:
    rows = [airwallex_row(1, 3, "", "4,420.00", "5,000.00"), airwallex_row(2, 4, "1,000.00", "", "4,000.00")]
    result = ingested(tmp_path, [delivered("airwallex_balance_activity", AIRWALLEX, *rows)])
    table = result.tables["bank_entry"]
    assert cells(table, "amount", "balance_after", "counterparty_kind", "platform") == [
        (Decimal("4420.0000"), Decimal("5000.0000"), "platform_payout", "Amazon"),
        (Decimal("-1000.0000"), Decimal("4000.0000"), "other", None),
    ]


def test_an_airwallex_report_with_a_missing_row_is_set_aside(tmp_path: Path) -> None:
    rows = [airwallex_row(1, 3, "", "10.00", "10.00"), airwallex_row(3, 5, "", "5.00", "25.00")]
    account = only_account(ingested(tmp_path, [delivered("airwallex_balance_activity", AIRWALLEX, *rows)]))
    assert account.quarantined == {"balance:chain": 2}


@pytest.mark.parametrize("header", [ENGLISH, CHINESE])
def test_a_wallet_in_our_own_format_is_an_account(tmp_path: Path, header: str) -> None:
    rows = (
        "PingPong,8801,15/04/2024,10:00:00,Receipt,Amazon,USD,1000.00,,,1500.00,W1",
        "PingPong,8801,16/04/2024,10:00:00,Withdrawal,Ningbo Lamp Co,USD,,1200.00,3.00,297.00,W2",
    )
    result = ingested(tmp_path, [delivered("wallet_statement", header, *rows)])
    assert cells(result.tables["bank_entry"], "amount", "platform", "event_date") == [
        (Decimal("1000.0000"), "Amazon", date(2024, 4, 15)),
        (Decimal("-1203.0000"), None, date(2024, 4, 16)),
    ]


def test_a_wallet_without_a_balance_is_refused_and_one_with_an_edited_row_set_aside(tmp_path: Path) -> None:
    row = "LianLian,1,2024-04-15,,Receipt,Shopify,EUR,10.00,,,{balance},W{n}"
    without = ENGLISH.replace(",Balance", "")
    with pytest.raises(InputRefused, match="missing columns: 'Balance'"):
        ingested(tmp_path / "without", [delivered("wallet_statement", without, row.replace(",{balance}", ""))])
    edited = [row.format(balance=balance, n=n) for n, balance in enumerate(("10.00", "20.00", "31.00"))]
    account = only_account(ingested(tmp_path / "edited", [delivered("wallet_statement", ENGLISH, *edited)]))
    assert account.quarantined == {"balance:chain": 3}
