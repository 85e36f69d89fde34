"""Invented exports of payment services; the headers follow the contracts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from data_contracts.definition.compiler import source_contract
from data_contracts.errors import InputRefused
from data_contracts.mapping.bank.entries import GAP, UNCHECKED
from data_contracts.mapping.days.zones import utc_offset
from data_contracts.mapping.running_balance import BROKEN
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

SHOPIFY_TRANSACTIONS = (
    "Transaction Date,Type,Order,Card Brand,Card Source,Payout Status,Payout Date,Payout ID,Available On,Amount,Fee,"
    "Net,Checkout,Payment Method Name,Presentment Amount,Presentment Currency,Currency"
)
SHOPIFY_PAYOUTS = (
    "Payout Date,Status,Charges,Refunds,Adjustments,Marketplace Sales Tax,Advances,Reserved Funds,Fees,Retried Amount,"
    "Total,Currency,Bank Reference"
)
CHARGE = (
    "2023-08-30 16:59:53 +0400,charge,#1001,visa,online,paid,2023-09-01,901,2023-09-01,100.00,3.20,96.80,#7,card,"
    "100.00,USD,USD"
)
REFUND = (
    "2023-08-31 10:00:00 +0400,refund,#1001,visa,online,paid,2023-09-01,901,2023-08-31,-20.00,0.00,-20.00,#7,card,"
    "-20.00,USD,USD"
)
PAYOUT = "2023-09-01,paid,100.00,-20.00,0.00,0.00,5.00,-10.00,-3.20,0.00,71.80,USD,REF-1"


def delivered(source: str, header: str, rows: Sequence[str], name: str = "2023") -> RawFile:
    data = "\n".join([header, *rows, ""]).encode()
    return RawFile(f"{source}/S000001/{name}.csv", source, data, "S000001", "P1")


def transactions(*rows: str, name: str = "2023") -> RawFile:
    return delivered("shopify_payout_transactions", SHOPIFY_TRANSACTIONS, rows, name)


def payouts(*rows: str, name: str = "2023") -> RawFile:
    return delivered("shopify_payouts", SHOPIFY_PAYOUTS, rows, name)


def events_of(folder: Path, *files: RawFile) -> pa.Table:
    return ingested(folder, files).tables["money_event"]


def test_a_shopify_statement_is_the_transactions_and_the_payout_of_a_day(tmp_path: Path) -> None:
    events = events_of(tmp_path, transactions(CHARGE, REFUND), payouts(PAYOUT))
    assert sorted(cells(events, "event_type", "amount", "status")) == [
        ("advance", Decimal("5.0000"), "paid"),
        ("commission", Decimal("-3.2000"), "paid"),
        ("payout", Decimal("-71.8000"), "paid"),
        ("refund", Decimal("-20.0000"), "paid"),
        ("reserve_hold", Decimal("-10.0000"), "reserved"),
        ("sale", Decimal("100.0000"), "paid"),
    ]
    assert set(cells(events, "statement_id")) == {"2023-09-01:USD"}
    assert sum(cells(events, "amount")) == 0


def test_amounts_without_an_exchange_rate_are_counted_by_currency_with_the_remedy(tmp_path: Path) -> None:
    rows = [CHARGE.replace(",USD,USD", f",{code},{code}") for code in ("AED", "TWD", "EUR")]
    result = ingested(tmp_path, [transactions(*rows)])
    assert only_account(result).warnings == {
        "no exchange rate for TWD; deliver one as exchange_rates (setting ingest.exchange_rate_file)": 2
    }
    dollars = dict(cells(result.tables["money_event"], "currency", "amount_usd"))
    assert (dollars["AED"], dollars["TWD"]) == (Decimal("-0.8713"), None)


def test_the_offset_of_a_shopify_time_counts(tmp_path: Path) -> None:
    events = events_of(tmp_path, transactions(CHARGE))
    assert {str(moment) for moment in cells(events, "event_at")} == {"2023-08-30 12:59:53+00:00"}


def test_a_pending_shopify_transaction_has_no_statement_and_is_replaced_once_paid(tmp_path: Path) -> None:
    pending = CHARGE.replace("paid,2023-09-01,901,2023-09-01", "pending,,,2023-09-01")
    alone = events_of(tmp_path / "alone", transactions(pending))
    assert set(cells(alone, "statement_id", "status", "paid_out_on")) == {(None, "deferred", None)}
    both = ingested(tmp_path / "both", [transactions(pending, name="a"), transactions(CHARGE, name="b")])
    assert set(cells(both.tables["money_event"], "status")) == {"paid"}
    assert cells(both.duplicates, "source_file") == ["shopify_payout_transactions/S000001/a.csv"]


def test_a_pending_and_a_paid_copy_of_one_file_are_one_transaction_and_two_paid_ones_are_two(tmp_path: Path) -> None:
    pending = CHARGE.replace("paid,2023-09-01,901,2023-09-01", "pending,,,2023-09-01")
    both = ingested(tmp_path / "both", [transactions(pending, CHARGE)])
    assert cells(both.tables["money_event"], "amount", "status") == [(100, "paid"), (Decimal("-3.2"), "paid")]
    assert only_account(both).duplicates == {"repeated row": 1}
    assert len(events_of(tmp_path / "paid", transactions(CHARGE, CHARGE))) == 4


def test_a_shopify_transaction_whose_net_is_wrong_is_set_aside(tmp_path: Path) -> None:
    wrong = CHARGE.replace("96.80", "96.81")
    account = only_account(ingested(tmp_path, [transactions(CHARGE, wrong)]))
    assert (account.accepted, account.quarantined) == (1, {"net_is_gross_less_fee": 1})


def test_a_shopify_payout_in_the_transactions_is_not_counted_twice(tmp_path: Path) -> None:
    payout = CHARGE.replace(",charge,", ",payout,")
    account = only_account(ingested(tmp_path, [transactions(CHARGE, payout)]))
    assert account.warnings == {"payout, which the payouts export gives": 1}


def test_a_shopify_payout_that_is_unpaid_or_does_not_add_up_is_counted(tmp_path: Path) -> None:
    rows = (PAYOUT.replace("paid", "scheduled"), PAYOUT.replace("71.80", "71.81"))
    account = only_account(ingested(tmp_path, [payouts(*rows)]))
    unknown = "amount of unknown kind / rest"
    assert account.warnings == {"payout not paid": 1, "payout_adds_up": 1, unknown: 1}


def test_days_and_amounts_of_shopify_may_be_written_as_the_admin_shows_them(tmp_path: Path) -> None:
    local = CHARGE.replace("2023-09-01", "13/09/2023").replace("100.00,3.20,96.80", '"$1,100.00",$3.20,"$1,096.80"')
    other = CHARGE.replace("100.00,3.20,96.80", "£100.00,£3.20,£96.80").replace("2023-09-01", "2023/9/1")
    result = ingested(tmp_path, [transactions(local), transactions(other, name="other")])
    events = result.tables["money_event"]
    assert cells(events, "amount", "available_on") == [
        (Decimal(1100), date(2023, 9, 13)),
        (Decimal("-3.2"), date(2023, 9, 13)),
    ]
    assert [account.quarantined for account in result.file_counts] == [{}, {"type:gross": 1}]


def test_money_lent_reserves_and_own_transfers_of_shopify_are_no_sales(tmp_path: Path) -> None:
    kinds = {
        "advance_funding": "500.00",
        "lending_capital_remittance": "-20.00",
        "Advance": "-30.00",
        "reserved_funds": "-5.00",
        "reserved_funds_reversal": "5.00",
        "balance_transfer_inbound": "7.00",
        "chargeback": "-9.00",
        "moon_credit": "1.00",
    }
    rows = [
        CHARGE.replace(",charge,", f",{kind},").replace("100.00,3.20,96.80", f"{amount},0.00,{amount}")
        for kind, amount in kinds.items()
    ]
    result = ingested(tmp_path, [transactions(*rows, CHARGE.replace(",charge,", ",transfer,"))])
    assert cells(result.tables["money_event"], "event_type") == [
        *("advance", "advance_repayment", "advance_repayment", "reserve_hold", "reserve_release", "own_transfer"),
        *("chargeback", "other"),
    ]
    assert set(only_account(result).warnings) == {
        "payout, which the payouts export gives",
        "amount of unknown kind / moon_credit / amount / in",
    }


def test_an_older_shopify_payouts_export_without_the_newer_columns_is_read(tmp_path: Path) -> None:
    header = "Payout Date,Status,Charges,Refunds,Adjustments,Reserved Funds,Fees,Retried Amount,Total,Currency"
    row = "2023-09-03,paid,450.00,-20.00,0.00,0.00,-13.35,0.00,416.65,USD"
    events = events_of(tmp_path, delivered("shopify_payouts", header, [row]))
    assert cells(events, "event_type", "amount") == [("payout", Decimal("-416.6500"))]


PAYPAL = (
    '"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","From Email Address",'
    '"To Email Address","Transaction ID","Item Title","Reference Txn ID","Invoice Number","Balance","Balance Impact"'
)


def paypal_row(number: str, kind: str, gross: str, fee: str, net: str, **given: str) -> str:
    day, zone = given.get("day", "03/14/2023"), given.get("zone", "PDT")
    state, impact = given.get("state", "Completed"), given.get("impact", "Credit")
    values = [day, "10:00:00", zone, "Anna Example", kind, state, "USD", gross, fee, net]
    values += ["anna@example.com", "shop@example.com", number, "Lamp", "", "#1", "0.00", impact]
    return ",".join(f'"{value}"' for value in values)


def paypal(*rows: str) -> RawFile:
    return delivered("paypal_activity", PAYPAL, rows)


def test_paypal_amounts_and_fees_become_events_and_memos_do_not(tmp_path: Path) -> None:
    rows = (
        paypal_row("T1", "Express Checkout Payment", "1,100.00", "-3.50", "1,096.50"),
        paypal_row("T2", "Payment Refund", "-20.00", "0.00", "-20.00", impact="Debit"),
        paypal_row("T3", "General Withdrawal - Bank Account", "-50.00", "0.00", "-50.00", impact="Debit"),
        paypal_row("T4", "Hold on Balance for Dispute Investigation", "-5.00", "0.00", "-5.00"),
        paypal_row("T5", "Cancellation of Hold for Dispute Resolution", "5.00", "0.00", "5.00"),
        paypal_row("T6", "General Authorization", "9.00", "0.00", "9.00", impact="Memo"),
        paypal_row("T7", "Express Checkout Payment", "9.00", "0.00", "9.00", state="Pending"),
        paypal_row("T8", "General Payment", "-9.00", "0.00", "-9.00", impact="Debit"),
    )
    result = ingested(tmp_path, [paypal(*rows)])
    assert cells(result.tables["money_event"], "event_type", "amount") == [
        ("sale", Decimal("1100.0000")),
        ("commission", Decimal("-3.5000")),
        ("refund", Decimal("-20.0000")),
        ("payout", Decimal("-50.0000")),
        ("reserve_hold", Decimal("-5.0000")),
        ("reserve_release", Decimal("5.0000")),
        ("other", Decimal("-9.0000")),
    ]
    assert only_account(result).warnings == {
        "amount of unknown kind / General Payment / out / amount": 1,
        BROKEN: 1,
        "memo, which moves nothing": 1,
        "transaction not completed": 1,
    }


def test_a_payment_given_back_later_moved_the_balance_and_an_unknown_status_is_a_doubt(tmp_path: Path) -> None:
    states = ["Completed", "Partially Refunded", "Refunded", "Reversed", "Cleared", "Denied", "Frobnicated"]
    rows = [
        paypal_row(f"T{n}", "Express Checkout Payment", f"{n}.00", "0.00", f"{n}.00", state=state)
        for n, state in enumerate(states, start=1)
    ]
    result = ingested(tmp_path, [paypal(*rows)])
    assert cells(result.tables["money_event"], "amount") == [Decimal(n) for n in range(1, 6)]
    warnings = only_account(result).warnings
    assert warnings["in doubt: status of unknown meaning, read as not completed: Frobnicated"] == 1
    assert warnings["transaction not completed"] == 1


def test_an_unknown_status_of_a_wallet_is_a_doubt(tmp_path: Path) -> None:
    row = "03/14/2023,10:00:00,UTC,1,Payment from Amazon,5.00,,USD,Settled,5.00,,"
    result = ingested(tmp_path, [delivered("payoneer", PAYONEER, [row])])
    doubted = {"in doubt: status of unknown meaning, read as not completed: Settled": 1}
    assert (result.tables["money_event"].num_rows, only_account(result).warnings) == (0, doubted)


@pytest.mark.parametrize(
    ("balances", "remark"),
    [
        (("9.00", "18.00", "27.00"), None),
        (("27.00", "18.00", "9.00"), None),
        (("9.00", "19.00", "28.00"), BROKEN),
        (("", "", ""), UNCHECKED),
    ],
)
def test_a_balance_that_does_not_follow_from_the_amounts_is_named(
    tmp_path: Path, balances: tuple[str, ...], remark: str | None
) -> None:
    days = ("14", "15", "16") if balances[0] != "27.00" else ("16", "15", "14")
    rows = [
        paypal_row(f"T{day}", "General Payment", "10.00", "-1.00", "9.00", day=f"03/{day}/2023").replace(
            '"#1","0.00"', f'"#1","{balance}"'
        )
        for day, balance in zip(days, balances, strict=True)
    ]
    assert only_account(ingested(tmp_path, [paypal(*rows)])).warnings == ({remark: 1} if remark else {})


def test_a_period_missing_between_two_wallet_files_is_named(tmp_path: Path) -> None:
    first = "03/14/2023,10:00:00,UTC,1,Payment from Amazon,5.00,,USD,Completed,5.00,,"
    later = "05/14/2023,10:00:00,UTC,2,Payment from Amazon,5.00,,USD,Completed,{},,"
    for balance, warnings in (("10.00", {}), ("99.00", {GAP: 1})):
        files = [
            delivered("payoneer", PAYONEER, [row], name) for name, row in (("a", first), ("b", later.format(balance)))
        ]
        result = ingested(tmp_path / balance, files)
        assert [account.warnings for account in result.file_counts] == [{}, warnings]


def test_names_and_addresses_of_payers_appear_nowhere(tmp_path: Path) -> None:
    result = ingested(tmp_path, [paypal(paypal_row("T1", "Express Checkout Payment", "1.00", "0.00", "1.01"))])
    assert only_account(result).quarantined == {"net_is_gross_and_fee": 1}
    assert "nna" not in str(result.quarantine.to_pylist())


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("PDT", "2023-03-14 17:00:00+00:00"),
        ("Asia/Shanghai", "2023-03-14 02:00:00+00:00"),
        ("GMT+01:00", "2023-03-14 09:00:00+00:00"),
    ],
)
def test_a_paypal_time_has_its_zone(tmp_path: Path, zone: str, moment: str) -> None:
    one = paypal_row("T1", "Express Checkout Payment", "1.00", "0.00", "1.00", zone=zone)
    assert [str(value) for value in cells(events_of(tmp_path, paypal(one)), "event_at")] == [moment]


def test_an_ambiguous_time_zone_is_rejected(tmp_path: Path) -> None:
    one = paypal_row("T1", "Express Checkout Payment", "1.00", "0.00", "1.00", zone="CST")
    assert only_account(ingested(tmp_path, [paypal(one)])).quarantined == {"type:happened_at": 1}
    assert utc_offset("Nowhere/Town") is None


@pytest.mark.parametrize("day", ["02/30/2023", "soon"])
def test_a_text_that_is_no_day_costs_only_its_own_row(tmp_path: Path, day: str) -> None:
    days = ("03/14/2023", day)
    rows = [paypal_row(f"T{n}", "Express Checkout Payment", "1.00", "0.00", "1.00", day=d) for n, d in enumerate(days)]
    account = only_account(ingested(tmp_path, [paypal(*rows)]))
    assert (account.accepted, account.quarantined) == (1, {"type:happened_at": 1})


def test_the_decimal_mark_is_a_property_of_a_paypal_file(tmp_path: Path) -> None:
    row = paypal_row("T1", "Express Checkout Payment", "1.030,00", "0,00", "1.030,00").replace('"0.00"', '"0,00"')
    points = paypal_row("T2", "Express Checkout Payment", "1,030.00", "0.00", "1,030.00")
    files = [delivered("paypal_activity", PAYPAL, [one], name) for name, one in (("commas", row), ("points", points))]
    each = ingested(tmp_path / "each", files)
    assert cells(each.tables["money_event"], "amount") == [Decimal("1030.0000")] * 2
    mixed = ingested(tmp_path / "mixed", [paypal(row, points)])
    assert only_account(mixed).quarantined == {"type:gross": 1}


PAYONEER = (
    "Transaction Date,Transaction Time,Time Zone,Transaction ID,Description,Credit Amount,Debit Amount,Currency,"
    "Status,Running Balance,Additional Description,Store Name"
)


def test_a_wallet_shows_received_payouts_and_its_own_fees(tmp_path: Path) -> None:
    rows = [
        '03/14/2023,10:00:00,UTC,1,Payment from Amazon,"1,000.00",,USD,Completed,"1,000.00",,My Shop',
        "03/15/2023,10:00:00,UTC,2,Withdrawal to bank,,990.00,USD,Completed,10.00,,",
        "03/15/2023,10:00:01,UTC,3,Withdrawal fee,,-10.00,USD,Completed,0.00,,",
        "03/16/2023,10:00:01,UTC,4,Payment from Amazon,5.00,,USD,Pending,0.00,,",
        "03/16/2023,10:00:01,UTC,5,Payment from Amazon,5.00,5.00,USD,Completed,0.00,,",
    ]
    result = ingested(tmp_path, [delivered("payoneer", PAYONEER, rows)])
    assert cells(result.tables["money_event"], "event_type", "amount") == [
        ("other", Decimal("1000.0000")),
        ("own_transfer", Decimal("-990.0000")),
        ("commission", Decimal("-10.0000")),
    ]
    account = only_account(result)
    assert account.quarantined == {"one_side": 1}
    assert account.warnings == {"transaction not completed": 1}


def test_money_lent_by_a_wallet_is_no_income(tmp_path: Path) -> None:
    rows = [
        '15/03/2023,10:00:00,UTC,1,Capital Advance,"1,000.00",,USD,Completed,"1,000.00",,',
        "16/03/2023,10:00:00,UTC,2,Capital Advance fee,,30.00,USD,Completed,970.00,,",
        "17/03/2023,10:00:00,UTC,3,Settlement of Capital Advance,,100.00,USD,Completed,870.00,,",
    ]
    events = events_of(tmp_path, delivered("payoneer", PAYONEER, rows))
    assert cells(events, "event_type", "amount") == [
        ("advance", Decimal("1000.0000")),
        ("commission", Decimal("-30.0000")),
        ("advance_repayment", Decimal("-100.0000")),
    ]


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("shopify_payout_transactions", "Net"),
        ("shopify_payouts", "Total"),
        ("stripe_payout_reconciliation", "reporting_category"),
        ("paypal_activity", "Transaction ID"),
        ("payoneer", "Running Balance"),
    ],
)
def test_an_export_without_a_needed_column_is_refused_in_one_line(tmp_path: Path, source: str, needed: str) -> None:
    header = [column.header for column in source_contract(source).columns if column.header != needed]
    file = delivered(source, ",".join(f'"{name}"' for name in header), [])
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path, [file])
    text = str(refusal.value)
    assert f"file {source}/S000001/2023.csv, row 1, column '{needed}': missing columns: '{needed}'" in text
    assert f"; remedy: export the file with all columns of {source_contract(source).identity}" in text
    assert "\n" not in text
