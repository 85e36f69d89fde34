"""Invented reports of Stripe; the headers follow the contracts."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa


def delivered(source: str, header: str, rows: Sequence[str], name: str = "2023") -> RawFile:
    data = "\n".join([header, *rows, ""]).encode()
    return RawFile(f"{source}/S000001/{name}.csv", source, data, "S000001", "P1")


def events_of(folder: Path, *files: RawFile) -> pa.Table:
    return ingested(folder, files).tables["money_event"]


STRIPE = (
    "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created_utc,created,available_on_utc,"
    "available_on,currency,gross,fee,net,reporting_category,source_id,description"
)


def stripe_entry(number: int, category: str, amounts: str, payout: str = "po_1") -> str:
    effective = "2023-03-08 00:00:00" if payout else ""
    moment = f"2023-03-0{number} 10:00:00"
    return (
        f"{payout},{effective},txn_{number},{moment},{moment},2023-03-07 00:00:00,2023-03-07 00:00:00,"
        f'usd,{amounts},{category},ch_{number},"note, quoted"'
    )


CHARGED = stripe_entry(1, "charge", "100.00,3.20,96.80")
REFUNDED = stripe_entry(2, "refund", "-20.00,0.00,-20.00")


def stripe(*rows: str, name: str = "2023") -> RawFile:
    return delivered("stripe_payout_reconciliation", STRIPE, rows, name)


def test_a_stripe_payout_and_its_entries_sum_to_zero(tmp_path: Path) -> None:
    disputed = stripe_entry(3, "dispute", "-10.00,15.00,-25.00", payout="po_2")
    events = events_of(tmp_path, stripe(CHARGED, REFUNDED, disputed))
    assert cells(events, "event_type", "amount", "statement_id") == [
        ("sale", Decimal("100.0000"), "po_1"),
        ("commission", Decimal("-3.2000"), "po_1"),
        ("payout", Decimal("-76.8000"), "po_1"),
        ("refund", Decimal("-20.0000"), "po_1"),
        ("chargeback", Decimal("-10.0000"), "po_2"),
        ("commission", Decimal("-15.0000"), "po_2"),
        ("payout", Decimal("25.0000"), "po_2"),
    ]
    assert set(cells(events, "currency", "status")) == {("USD", "paid")}


def test_a_stripe_entry_not_paid_yet_is_replaced_once_it_is(tmp_path: Path) -> None:
    open_entry = stripe_entry(1, "charge", "100.00,3.20,96.80", payout="")
    alone = events_of(tmp_path / "alone", stripe(open_entry))
    assert set(cells(alone, "status", "paid_out_on")) == {("released", None)}
    result = ingested(tmp_path / "both", [stripe(open_entry, name="a"), stripe(CHARGED, name="b")])
    assert sum(cells(result.tables["money_event"], "amount")) == 0
    assert cells(result.duplicates, "reason") == ["repeated row"]


def test_unknown_stripe_categories_are_other_and_counted(tmp_path: Path) -> None:
    result = ingested(tmp_path, [stripe(stripe_entry(1, "moon_fee", "-1.00,0.00,-1.00"))])
    assert cells(result.tables["money_event"], "event_type") == ["other", "payout"]
    assert only_account(result).warnings == {"amount of unknown kind / moon_fee / out / amount": 1}


def test_money_lent_by_stripe_and_manual_payouts_are_events_of_their_own(tmp_path: Path) -> None:
    rows = (
        CHARGED,
        stripe_entry(2, "financing_paydown", "-10.00,0.00,-10.00"),
        stripe_entry(3, "payout", "-86.80,0.00,-86.80"),
        stripe_entry(4, "financing_payout", "500.00,0.00,500.00", payout=""),
        stripe_entry(5, "payout", "-400.00,0.00,-400.00", payout=""),
        stripe_entry(6, "payout_reversal", "400.00,0.00,400.00", payout=""),
        stripe_entry(7, "risk_reserved_funds", "-5.00,0.00,-5.00", payout=""),
        stripe_entry(8, "topup", "20.00,0.00,20.00", payout=""),
    )
    result = ingested(tmp_path, [stripe(*rows)])
    assert cells(result.tables["money_event"], "event_type", "amount", "statement_id") == [
        ("sale", Decimal("100.0000"), "po_1"),
        ("commission", Decimal("-3.2000"), "po_1"),
        ("payout", Decimal("-86.8000"), "po_1"),
        ("advance_repayment", Decimal("-10.0000"), "po_1"),
        ("advance", Decimal("500.0000"), None),
        ("payout", Decimal("-400.0000"), None),
        ("payout_reversal", Decimal("400.0000"), None),
        ("reserve_hold", Decimal("-5.0000"), None),
        ("own_transfer", Decimal("20.0000"), None),
    ]
    assert only_account(result).warnings == {"payout, which its entries sum to": 1}


def test_stripe_columns_that_are_a_choice_are_not_demanded_but_a_payout_has_a_day(tmp_path: Path) -> None:
    header = (
        "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,currency,gross,fee,\
net,reporting_category"
    )
    rows = [
        "po_1,2023-09-17 00:00:00,txn_1,2023-09-15 09:00:00,gbp,64.00,1.16,62.84,charge",
        "po_2,,txn_2,2023-09-15 09:30:00,gbp,-3.00,0.00,-3.00,fee",
    ]
    result = ingested(tmp_path, [delivered("stripe_payout_reconciliation", header, rows)])
    assert cells(result.tables["money_event"], "event_type", "amount", "event_date")[-1] == (
        ("payout", Decimal("-62.8400"), date(2023, 9, 17))
    )
    assert only_account(result).quarantined == {"payout_dated": 1}


STRIPE_HISTORY = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Description,Transfer"


def test_the_balance_history_of_stripe_sums_to_zero_over_a_payout(tmp_path: Path) -> None:
    rows = [
        "txn_5,payout,po_1,-86.80,0.00,-86.80,usd,2023-03-08 09:00,2023-03-08 00:00,STRIPE PAYOUT,po_1",
        "txn_4,stripe_fee,,-10.00,0.00,-10.00,usd,2023-03-07 09:00,2023-03-07 00:00,Billing,po_1",
        "txn_3,adjustment,du_1,-20.00,15.00,-35.00,usd,2023-03-06 09:00,2023-03-06 00:00,Dispute,",
        "txn_2,financing_paydown,flxln_1,-5.00,0.00,-5.00,usd,2023-03-05 09:00,2023-03-05 00:00,Withheld funds,",
        "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2023-03-04 09:00,2023-03-06 00:00,Order,po_1",
    ]
    result = ingested(tmp_path, [delivered("stripe_balance_history", STRIPE_HISTORY, rows)])
    events = result.tables["money_event"]
    assert cells(events, "event_type", "amount", "statement_id") == [
        ("payout", Decimal("-86.8000"), "po_1"),
        ("commission", Decimal("-10.0000"), "po_1"),
        ("chargeback", Decimal("-20.0000"), None),
        ("commission", Decimal("-15.0000"), None),
        ("advance_repayment", Decimal("-5.0000"), None),
        ("sale", Decimal("100.0000"), "po_1"),
        ("commission", Decimal("-3.2000"), "po_1"),
    ]
    assert only_account(result).warnings == {}


def test_times_that_a_spreadsheet_rewrote_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    days = ("8/14/2023 12:05", "8/6/2023 9:00")
    rows = [f"txn_{n},charge,ch_{n},9.00,0.00,9.00,eur,{day},8/20/2023 0:00,Order," for n, day in enumerate(days)]
    result = ingested(tmp_path, [delivered("stripe_balance_history", STRIPE_HISTORY, rows)])
    assert [str(moment) for moment in cells(result.tables["money_event"], "event_at")] == [
        "2023-08-14 12:05:00+00:00",
        "2023-08-06 09:00:00+00:00",
    ]


def test_a_payout_that_its_entries_do_not_sum_to_is_set_aside_whole_and_in_the_history_remarked_on(
    tmp_path: Path,
) -> None:
    whole = (CHARGED, REFUNDED, stripe_entry(3, "payout", "-76.80,0.00,-76.80"))
    other = stripe_entry(4, "charge", "50.00,0.00,50.00", payout="po_2")
    sound = ingested(tmp_path / "sound", [stripe(*whole, other)])
    assert only_account(sound).quarantined == {}
    result = ingested(tmp_path / "short", [stripe(CHARGED, whole[2], other)])
    assert only_account(result).quarantined == {"payout_adds_up": 2}
    assert set(cells(result.tables["money_event"], "statement_id")) == {"po_2"}
    rows = [
        "txn_4,payout,po_1,-86.80,0.00,-86.80,usd,2023-03-08 09:00,2023-03-08 00:00,STRIPE PAYOUT,",
        "txn_3,stripe_fee,,-10.00,0.00,-10.00,usd,2023-03-07 09:00,2023-03-07 00:00,Billing,po_1",
        "txn_1,charge,ch_1,100.00,3.20,96.80,usd,2023-03-04 09:00,2023-03-06 00:00,Order,po_1",
        "txn_0,payout,po_0,-7.00,0.00,-7.00,usd,2023-03-02 09:00,2023-03-02 00:00,STRIPE PAYOUT,",
    ]
    for name, lines, counted in (("all", rows, {}), ("less", [rows[0], rows[2], rows[3]], {"payout_adds_up": 2})):
        history = ingested(tmp_path / name, [delivered("stripe_balance_history", STRIPE_HISTORY, lines)])
        assert only_account(history).warnings == counted
        assert only_account(history).accepted == len(lines)
