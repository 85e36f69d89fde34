"""Every payout export: rows add up, and a paid statement sums to zero."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.raw_files import RawFile, cells, ingested

if TYPE_CHECKING:
    from collections.abc import Sequence

AMOUNTS = st.decimals(min_value=0, max_value=100_000, places=2)
DETAILS = st.lists(st.tuples(AMOUNTS, st.sampled_from([1, 2])), max_size=5)
REPORTS = st.lists(st.tuples(DETAILS, DETAILS, st.sampled_from([1, 2, 3]), st.booleans()), min_size=1, max_size=6)
DAY = "2023-01-20 10:00:00"


def report(number: int, sales: Sequence[Any], changes: Sequence[Any], state: int, whole: bool) -> dict[str, Any]:
    """Return a report of such amounts and directions; an incomplete one has a total one cent too high."""
    total = sum(amount if kind == 1 else -amount for amount, kind in sales)
    total += sum(-amount if kind == 1 else amount for amount, kind in changes)
    shared = {"settleCurrencyCode": "USD", "goodsCount": 1, "addTime": DAY}
    return {
        "reportOrderNo": f"B{number}",
        "addTime": DAY,
        "settlementStatus": state,
        "estimatePayTime": DAY,
        "completedPayTime": DAY if state == 3 else "",
        "estimateIncomeMoneyTotal": str(Decimal(total) + (0 if whole else Decimal("0.01"))),
        "currencyCode": "USD",
        "reportSalesDetails": [
            {**shared, "id": f"S{n}", "amount": str(amount), "inAndOut": kind} for n, (amount, kind) in enumerate(sales)
        ],
        "reportReplenishDetail": [
            {**shared, "id": f"A{n}", "amount": str(amount), "replenishType": kind, "replenishCategory": "late"}
            for n, (amount, kind) in enumerate(changes)
        ],
    }


# A busy machine must not decide a test.
@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPORTS)
def test_reports_that_add_up_are_kept_whole_and_sum_to_zero_once_paid(drawn: list[Any]) -> None:
    data = json.dumps([report(number, *parts) for number, parts in enumerate(drawn)]).encode()
    with TemporaryDirectory() as folder:
        result = ingested(Path(folder), [RawFile("a.json", "shein_report", data, "S000001", "SH1")])
    (account,) = result.file_counts
    rows = [1 + len(sales) + len(changes) for sales, changes, _, _ in drawn]
    whole = [parts[3] for parts in drawn]
    assert account.rows_in == sum(rows)
    assert account.accepted == sum(count for count, kept in zip(rows, whole, strict=True) if kept)
    events = result.tables["money_event"]
    sums: dict[str, Decimal] = {}
    for number, amount in cells(events, "statement_id", "amount"):
        sums[number] = sums.get(number, Decimal(0)) + amount
    paid = {f"B{number}" for number, (_, _, state, kept) in enumerate(drawn) if kept and state == 3}
    assert all(sums[number] == 0 for number in paid)
    assert len(set(cells(events, "event_id"))) == events.num_rows
