"""The order of day and month is found for a file as a whole, or the file is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import InputRefused
from data_contracts.mapping.days.day_order import DayEvidence, DayOrder, Movement, certain_orders, readings, told_order
from tests.factories.raw_files import RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.ingest.results import IngestResult

DAY_FIRST, MONTH_FIRST = DayOrder.DAY_FIRST, DayOrder.MONTH_FIRST
YEAR = (date(2025, 1, 1), date(2025, 12, 31))
HEADER = "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,Transaction ID,Balance,Balance Impact"


def evidence(days: Sequence[str], zone: str = "", balances: Sequence[int] = ()) -> DayEvidence:
    """Return the evidence of rows of 1.00 each, with these balances, over a whole year."""
    movements = [Movement("EUR", Decimal(1), Decimal(balance)) for balance in balances] or [None] * len(days)
    return DayEvidence(days, [time(10)] * len(days), [zone] * len(days), movements, YEAR)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("03/04/2025", date(2025, 4, 3), date(2025, 3, 4)),
        ("13-02-2025", date(2025, 2, 13), None),
        ("2/28/2025", None, date(2025, 2, 28)),
        ("3.4.2025", date(2025, 4, 3), None),
        ("2025/03/04", date(2025, 3, 4), date(2025, 3, 4)),
        ("03/04-2025", None, None),
        ("31/02/2025", None, None),
    ],
)
def test_a_day_is_read_in_both_orders(text: str, first: date | None, second: date | None) -> None:
    assert readings(text) == (first, second)


def test_one_value_above_twelve_makes_the_order_certain() -> None:
    assert certain_orders(["01/02/2025", "soon", "13/02/2025"]) == {DAY_FIRST: "13/02/2025"}
    assert certain_orders(["2025-02-13", "02/02/2025"]) == {}


@pytest.mark.parametrize(
    ("days", "zone", "balances", "told"),
    [
        # Day first the rows are in order, month first they are not.
        (["01/02/2025", "05/02/2025", "03/03/2025", "07/03/2025", "02/04/2025"], "", (), DAY_FIRST),
        (["02/04/2025", "07/03/2025", "03/03/2025", "05/02/2025", "01/02/2025"], "", (), DAY_FIRST),
        # In order in both readings.
        (["01/02/2025", "03/02/2025", "12/02/2025"], "", (), None),
        # The zone alone does not decide, but supports one neighbour out of order.
        (["01/02/2025", "03/02/2025", "12/02/2025"], "GMT", (), None),
        (["01/02/2025", "05/02/2025", "03/03/2025"], "", (), None),
        (["01/02/2025", "05/02/2025", "03/03/2025"], "Europe/Paris", (), DAY_FIRST),
        (["01/02/2025", "05/02/2025", "03/03/2025"], "America/New_York", (), None),
        # Rows in no order, whose balances follow from each other month first.
        (["03/01/2025", "01/05/2025", "02/04/2025"], "", (3, 1, 2), MONTH_FIRST),
        # Summer time in January, or winter time in July.
        (["04/01/2025"], "PDT", (), MONTH_FIRST),
        (["01/07/2025"], "CET", (), MONTH_FIRST),
        (["01/07/2025"], "GMT", (), None),
    ],
)
def test_the_evidence_of_a_file_tells_the_order_or_leaves_it_open(
    days: Sequence[str], zone: str, balances: Sequence[int], told: DayOrder | None
) -> None:
    assert told_order(evidence(days, zone, balances)) is told


def test_the_declared_period_tells_the_order_unless_the_rows_contradict_it() -> None:
    february = (date(2025, 2, 1), date(2025, 2, 28))
    given = replace(evidence(["01/02/2025", "03/02/2025", "12/02/2025"]), period=february)
    assert told_order(given) is DAY_FIRST
    sorted_month_first = ["01/05/2025", "02/08/2025", "03/05/2025", "04/09/2025", "05/06/2025"]
    assert told_order(evidence(sorted_month_first)) is MONTH_FIRST
    assert told_order(replace(evidence(sorted_month_first), period=(date(2025, 5, 1), date(2025, 9, 30)))) is None


def paypal_file(days: Sequence[str], zone: str = "GMT") -> RawFile:
    rows = [
        f"{day},10:00:0{n},{zone},B,Express Checkout Payment,Completed,GBP,10.00,-1.00,9.00,A{n},0.00,Credit"
        for n, day in enumerate(days)
    ]
    data = "\n".join([HEADER, *rows, ""]).encode()
    return RawFile("activity.csv", "paypal_activity", data, "S000001", "P1", "2025-01-01", "2025-12-31")


def days_of(result: IngestResult) -> list[str]:
    return [str(day) for day in cells(result.tables["money_event"], "event_date")[::2]]


def test_days_that_tell_their_order_are_read_and_the_reader_says_how(tmp_path: Path) -> None:
    certain = ingested(tmp_path / "certain", [paypal_file(["01/02/2025", "13/02/2025"])])
    assert days_of(certain) == ["2025-02-01", "2025-02-13"]
    assert only_account(certain).notes == ()
    told = ingested(tmp_path / "told", [paypal_file(["01/02/2025", "05/02/2025", "03/03/2025", "04/03/2025"], "GMT")])
    assert days_of(told) == ["2025-02-01", "2025-02-05", "2025-03-03", "2025-03-04"]
    assert only_account(told).notes == (
        "no day is above 12; the days are read day-first, as the period, the rows, the balance or the zone tell",
    )


def test_days_that_do_not_tell_their_order_are_refused_in_one_line_unless_it_is_stated(tmp_path: Path) -> None:
    open_file = paypal_file(["02/02/2025", "03/02/2025", "12/02/2025"])
    with pytest.raises(InputRefused) as refusal:
        ingested(tmp_path / "open", [open_file])
    assert str(refusal.value) == (
        "input refused: file activity.csv, row 3, column 'Date': the order of day and month cannot be told: "
        "'03/02/2025' is 2025-02-03 if written day first and 2025-03-02 if written month first; remedy: state it: "
        "--date-order day-first or --date-order month-first, or the column 'Date order' of deliveries.csv"
    )
    by_setting = ingested(tmp_path / "setting", [open_file], date_order="month-first")
    assert days_of(by_setting) == ["2025-02-02", "2025-03-02", "2025-12-02"]
    by_list = ingested(tmp_path / "list", [replace(open_file, date_order="day-first")], date_order="month-first")
    assert days_of(by_list) == ["2025-02-02", "2025-02-03", "2025-02-12"]


@pytest.mark.parametrize(
    ("days", "stated", "row", "said"),
    [
        (["2/14/2025", "14/2/2025"], None, 3, "'14/2/2025' can only be day first, '2/14/2025' only month first"),
        (["1/2/2025", "14/2/2025"], "month-first", 3, "stated as month-first, but '14/2/2025' can only be day-first"),
    ],
)
def test_two_orders_in_a_file_are_refused(
    tmp_path: Path, days: Sequence[str], stated: str | None, row: int, said: str
) -> None:
    with pytest.raises(InputRefused, match=said) as refusal:
        ingested(tmp_path, [paypal_file(days)], date_order=stated)
    assert refusal.value.row == row
