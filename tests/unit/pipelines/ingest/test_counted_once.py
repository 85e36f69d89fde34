"""One settlement delivered in two reports, in the real forms of the files."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING

from features.engine.as_of import AsOf
from tests.factories.raw_files import RawFile, amazon_amount, amazon_file, amazon_total, csv_file, ingested

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.ingest.results import IngestResult

SETTLEMENT = RawFile(
    "amazon/settlement.txt",
    "amazon_settlement_v2",
    amazon_file(
        [
            amazon_total("987", "91.00"),
            amazon_amount("987", "120.00", order_id="111-1"),
            amazon_amount("987", "-18.00", "Order/ItemFees/Commission", order_id="111-1"),
            amazon_amount("987", "-6.00", "Order/ItemFees/FBAPerUnitFulfillmentFee", order_id="111-1"),
            amazon_amount("987", "-5.00", "other-transaction/other-transaction/Storage Fee"),
        ]
    ),
    "S000001",
    "A1",
)
RANGE_HEADER = (
    "date/time,settlement id,type,order id,sku,description,quantity,marketplace,account type,fulfillment,order city,"
    "order state,order postal,tax collection model,product sales,product sales tax,shipping credits,"
    "shipping credits tax,gift wrap credits,giftwrap credits tax,Regulatory Fee,Tax On Regulatory Fee,"
    "promotional rebates,promotional rebates tax,marketplace withheld tax,selling fees,fba fees,other transaction fees,"
    "other,total"
)
_NONE = ",0,0,0,0,0,0,0,0,0"
RANGE_ROWS = [
    f'"Mar 10, 2023 12:00:00 AM PST",987,Order,111-1,L,L,1,amazon.com,,,,,,,120.00{_NONE},0,-18.00,-6.00,0,0,96.00',
    f'"Mar 10, 2023 1:00:00 AM PST",987,FBA Inventory Fee,,,Storage,,amazon.com,,,,,,,0{_NONE},0,0,0,0,-5.00,-5.00',
    f'"Mar 17, 2023 1:00:00 AM PDT",987,Transfer,,,To account,,,,,,,,,0{_NONE},0,0,0,0,-91.00,-91.00',
    f'"Mar 20, 2023 1:00:00 AM PDT",988,Order,111-2,LAMP,Lamp,1,amazon.com,,,,,,,70.00{_NONE},0,0,0,0,0,70.00',
]
RANGE = RawFile(
    "amazon/range.csv", "amazon_date_range", csv_file(RANGE_HEADER, RANGE_ROWS), "S000001", "A1",
)  # fmt: skip


def counting(result: IngestResult, day: str = "2023-12-31") -> Counter[str]:
    """Return the sums by type of what counts as of a day."""
    found: Counter[str] = Counter()
    events = result.tables["money_event"]
    for row in AsOf(dt.date.fromisoformat(day)).visible(events).to_pylist():
        found[row["event_type"]] += row["amount"]
    return found


def remarks(result: IngestResult) -> dict[str, int]:
    return {
        f"{counts.file}: {remark}": rows
        for counts in result.file_counts
        for remark, rows in counts.warnings.items()
        if remark.startswith("amount counted in")
    }


def test_an_amazon_settlement_in_two_reports_counts_once_and_what_only_one_has_stays(tmp_path: Path) -> None:
    both = ingested(tmp_path, [SETTLEMENT, RANGE])
    assert counting(both) == {
        "sale": Decimal(190),
        "commission": Decimal(-18),
        "fulfilment_fee": Decimal(-6),
        "storage_fee": Decimal(-5),
        "payout": Decimal(-91),
    }
    assert remarks(both) == {"amazon/range.csv: amount counted in amazon_settlement_v2": 3}
    assert all(counts.rows_in == counts.accepted for counts in both.file_counts)
    # The settlement is known a day after it ends; until then the other report speaks for it.
    assert counting(both, "2023-03-12")["sale"] == Decimal(120)


PAYPAL_HEADER = (
    "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,From Email Address,To Email Address,Transaction ID,"
    "Item Title,Reference Txn ID,Invoice Number,Balance,Balance Impact"
)


def paypal(*rows: str, name: str = "activity") -> RawFile:
    cells = [f"03/14/2023,10:00:0{place},PDT,{row}" for place, row in enumerate(rows)]
    return RawFile(f"paypal/{name}.csv", "paypal_activity", csv_file(PAYPAL_HEADER, cells), "S000001", "P1")


def paypal_row(number: str, kind: str, amounts: str, invoice: str = "#1") -> str:
    return f"A,{kind},Completed,USD,{amounts},a@b.example,c@d.example,{number},L,,{invoice},0.00,Credit"


SALE = paypal_row("T1", "Express Checkout Payment", "100.00,-3.20,96.80")
WITHDRAWAL = paypal_row("T2", "General Withdrawal", "-96.80,0.00,-96.80", invoice="")


def paypal_settlement(rows: Sequence[str]) -> RawFile:
    columns = (
        '"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code",'
        '"Transaction Initiation Date","Transaction Completion Date","Transaction  Debit or Credit",'
        '"Gross Transaction Amount","Gross Transaction Currency","Fee Debit or Credit","Fee Amount","Fee Currency",'
        '"Custom Field","Consumer ID"'
    )
    head = ['"RH",2023/03/15 03:00:00 -0700,"A","MADE0001",9', '"FH",1', '"SH",2023/03/14,2023/03/15,"MADE0001",""']
    count = len(rows)
    tail = ['"SF","USD",1,2', f'"SC",{count}', '"RF","USD",1,2', f'"RC",{count}', f'"FF",{count}']
    data = "\n".join([*head, columns, *rows, *tail, ""]).encode()
    return RawFile("paypal/settlement.csv", "paypal_settlement", data, "S000001", "P2")


def test_paypal_activity_and_settlement_report_count_once_though_the_accounts_are_named_differently(
    tmp_path: Path,
) -> None:
    time = "2023/03/14 10:00:00 -0700,2023/03/14 10:00:05 -0700"
    rows = [
        f'"SB","TX1","#1","","","T0006",{time},"CR",10000,"USD","DR",320,"USD","","b"',
        f'"SB","TX2","","","","T0400",{time},"DR",9680,"USD","DR",0,"USD","","b"',
    ]
    both = ingested(tmp_path, [paypal(SALE, WITHDRAWAL), paypal_settlement(rows)])
    assert counting(both) == {"sale": Decimal(100), "commission": Decimal("-3.2"), "payout": Decimal("-96.8")}


def test_a_report_delivered_again_with_other_numbers_counts_once_and_two_equal_rows_of_a_file_count_twice(
    tmp_path: Path,
) -> None:
    again = paypal(SALE.replace("T1", "T8"), WITHDRAWAL.replace("T2", "T9"), name="later")
    result = ingested(tmp_path / "again", [paypal(SALE, WITHDRAWAL), again])
    assert counting(result)["sale"] == Decimal(100)
    assert remarks(result) == {"paypal/later.csv: amount counted in another file of paypal_activity": 2}
    twice = ingested(tmp_path / "twice", [paypal(SALE, SALE.replace("T1", "T8"))])
    assert counting(twice)["sale"] == Decimal(200)


SHOPIFY_TRANSACTIONS = (
    "Transaction Date,Type,Order,Payout Status,Payout Date,Payout ID,Available On,Amount,Fee,Net,Checkout,Currency"
)
SHOPIFY_PAYOUTS = (
    "Payout Date,Status,Charges,Refunds,Adjustments,Marketplace Sales Tax,Advances,Reserved Funds,Fees,Retried Amount,"
    "Total,Currency,Bank Reference"
)


def test_what_shopify_states_in_payouts_net_and_in_transactions_one_by_one_counts_once(tmp_path: Path) -> None:
    rows = ["charge,#1001|100.00,3.20,96.80", "advance_funding,|1000.00,0.00,1000.00", "remittance,|-50.00,0.00,-50.00"]
    rows += ["reserved_funds,|-10.00,0.00,-10.00"]
    cells = [
        f"2023-08-30 16:59:53 +0400,{kind},paid,2023-09-01,901,2023-09-01,{amounts},#7,USD"
        for kind, _, amounts in (row.partition("|") for row in rows)
    ]
    payout = "2023-09-01,paid,100.00,0.00,0.00,0.00,950.00,-10.00,-3.20,0.00,1036.80,USD,R1"
    files = [
        ("shopify_payout_transactions", csv_file(SHOPIFY_TRANSACTIONS, cells)),
        ("shopify_payouts", csv_file(SHOPIFY_PAYOUTS, [payout])),
    ]
    result = ingested(tmp_path, [RawFile(f"{name}.csv", name, data, "S000001", "P1") for name, data in files])
    assert counting(result) == {
        "sale": Decimal(100),
        "commission": Decimal("-3.2"),
        "advance": Decimal(1000),
        "advance_repayment": Decimal(-50),
        "reserve_hold": Decimal(-10),
        "payout": Decimal("-1036.8"),
    }
