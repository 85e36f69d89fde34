"""Rows outside the declared period are counted, and past a limit the file is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from data_contracts.errors import InputRefused
from data_contracts.mapping.source_mapping import SourceMapping
from pipelines.ingest.batches.declared_period import OUTSIDE_PERIOD, rows_outside_period
from tests.factories.raw_files import RawFile, cells, ingested, only_account

HEADER = "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,Transaction ID,Balance,Balance Impact"


def paypal_file(*days: str) -> RawFile:
    rows = [
        f"{day},23:30:00,PST,B,Express Checkout Payment,Completed,USD,10.00,-1.00,9.00,A{n},{9 * (n + 1)}.00,Credit"
        for n, day in enumerate(days)
    ]
    data = "\n".join([HEADER, *rows, ""]).encode()
    return RawFile("activity.csv", "paypal_activity", data, "S000001", "P1", "2025-02-01", "2025-02-28")


def test_rows_outside_the_declared_period_are_kept_and_counted(tmp_path: Path) -> None:
    # Half an hour before midnight on the last day in California is a day later in UTC, and yet inside.
    result = ingested(tmp_path, [paypal_file("2/14/2025", "2/28/2025", "11/25/2024", "3/1/2025")])
    assert only_account(result).warnings == {OUTSIDE_PERIOD: 2}
    assert len(set(cells(result.tables["money_event"], "source_row"))) == 4


def test_a_source_with_days_is_measured_by_its_days(tmp_path: Path) -> None:
    header = "Payout Date,Status,Charges,Refunds,Adjustments,Reserved Funds,Fees,Retried Amount,Total,Currency"
    rows = [
        f"{day},paid,10.00,0.00,0.00,0.00,0.00,0.00,10.00,USD" for day in ("2025-02-28", "2025-02-01", "2025-03-01")
    ]
    data = "\n".join([header, *rows, ""]).encode()
    file = RawFile("payouts.csv", "shopify_payouts", data, "S000001", "P1", "2025-02-01", "2025-02-28")
    assert only_account(ingested(tmp_path, [file])).warnings == {OUTSIDE_PERIOD: 1}


def test_a_settlement_may_hold_what_happened_before_its_period_and_a_register_anything(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "row_order": [0, 1, 2],
            "happened": [date(2025, 1, 1), date(2025, 1, 2), date(2025, 3, 1)],
            "covered_from": [date(2025, 2, 1)] * 3,
            "covered_to": [date(2025, 2, 28)] * 3,
        }
    )
    settlement = SourceMapping("any", (), lambda *_: {}, happened="happened", reaches_back_days=30)
    ((remark, outside),) = rows_outside_period(rows, settlement)
    assert (remark, outside.tolist()) == (OUTSIDE_PERIOD, [0, 2])
    assert rows_outside_period(rows, replace(settlement, any_period=True)) == ()


def test_a_file_of_another_period_is_refused_in_one_line(tmp_path: Path) -> None:
    file = paypal_file("2/14/2025", "3/25/2025", "3/26/2025")
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path / "most", [file])
    assert str(refusal.value) == (
        "input refused: file activity.csv: 2 of 3 rows lie outside 2025-02-01..2025-02-28, the period that the "
        "delivery declares; the profile allows 50%; remedy: correct the period (--from and --to, or the list of "
        "deliveries), or deliver the file of it"
    )
    assert ingested(tmp_path / "allowed", [file], outside_period_limit_share=0.7).tables["money_event"].num_rows == 6
