"""When later deliveries differ, every version is kept and one is in force at any moment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from features.engine.as_of import AsOf
from tests.factories.raw_files import (
    LOANS_HEADER,
    REPAYMENTS_HEADER,
    RawFile,
    cells,
    csv_file,
    ingested,
    shopify_file,
    shopify_line,
    shopify_order,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

DUE = "R1,L1,S000001,Due,2023-02-01,600.00,CNY,2023-01-02 09:00:00"
DATES = ("row_version", "known_at", "superseded_at")


def repayments(name: str, delivered_at: str, *rows: str) -> RawFile:
    data = csv_file(REPAYMENTS_HEADER, rows)
    return RawFile(f"lender_repayments/{name}.csv", "lender_repayments", data, delivered_at=delivered_at)


def dated(table: pa.Table) -> list[tuple[str, ...]]:
    return [tuple(str(value)[:16] for value in row) for row in cells(table, "amount", *DATES)]


def amounts_seen(table: pa.Table, *days: str) -> list[list[str]]:
    seen = (AsOf(dt.date.fromisoformat(day)).visible(table) for day in days)
    return [[str(amount)[:-5] for amount in rows["amount"].to_pylist()] for rows in seen]


def test_a_corrected_row_keeps_its_first_version_until_the_correction_came(tmp_path: Path) -> None:
    first = repayments("a", "2023-03-01 00:00:00", DUE)
    second = repayments("b", "2023-04-01 08:00:00", DUE.replace("600", "650"))
    result = ingested(tmp_path, [first, second])
    table = result.tables["repayment"]
    assert dated(table) == [
        ("600.0000", "1", "2023-01-02 09:00", "2023-04-01 08:00"),
        ("650.0000", "2", "2023-04-01 08:00", "None"),
    ]
    assert cells(table, "superseded_recorded_at")[0] == cells(table, "recorded_at")[1]
    assert result.duplicates.num_rows == 0
    assert amounts_seen(table, "2023-03-31", "2023-04-01") == [["600"], ["650"]]


def test_the_order_of_delivery_counts_not_that_of_names(tmp_path: Path) -> None:
    later = repayments("a", "2023-04-01 08:00:00", DUE.replace("600", "650"))
    table = ingested(tmp_path, [later, repayments("b", "2023-03-01 00:00:00", DUE)]).tables["repayment"]
    assert sorted(dated(table))[0][:2] == ("600.0000", "1")
    assert amounts_seen(table, "2023-03-31", "2023-04-01") == [["600"], ["650"]]


def test_an_unchanged_repeat_is_a_duplicate_and_a_return_to_an_old_value_is_a_version(tmp_path: Path) -> None:
    changed = DUE.replace("600", "650")
    months = ((3, DUE), (4, DUE), (5, changed), (6, changed), (7, DUE))
    files = [repayments(f"{month}", f"2023-0{month}-01 00:00:00", row) for month, row in months]
    result = ingested(tmp_path, files)
    assert [row[:2] for row in dated(result.tables["repayment"])] == [
        ("600.0000", "1"),
        ("650.0000", "2"),
        ("600.0000", "3"),
    ]
    assert cells(result.duplicates, "source_file", "reason") == [
        ("lender_repayments/4.csv", "repeated entry"),
        ("lender_repayments/6.csv", "repeated entry"),
    ]
    days = ("2023-04-30", "2023-05-01", "2023-06-30", "2023-07-01")
    assert amounts_seen(result.tables["repayment"], *days) == [["600"], ["650"], ["650"], ["600"]]


def test_a_row_that_the_later_file_leaves_out_stays_in_force(tmp_path: Path) -> None:
    other = DUE.replace("R1", "R2").replace("600", "700")
    first = repayments("a", "2023-03-01 00:00:00", DUE, other)
    table = ingested(tmp_path, [first, repayments("b", "2023-04-01 00:00:00", DUE)]).tables["repayment"]
    assert amounts_seen(table, "2023-12-31") == [["600", "700"]]


def test_two_corrections_of_one_moment_leave_one_in_force(tmp_path: Path) -> None:
    files = [
        repayments(name, "2023-03-01 00:00:00", DUE.replace("600", amount))
        for name, amount in (("a", "600"), ("b", "650"), ("c", "660"))
    ]
    table = ingested(tmp_path, files).tables["repayment"]
    assert amounts_seen(table, "2023-02-28", "2023-03-01") == [["600"], ["660"]]


def test_a_correction_counts_from_when_its_row_could_be_known_if_that_is_later(tmp_path: Path) -> None:
    booked_later = DUE.replace("600", "650").replace("2023-01-02 09:00:00", "2023-05-02 09:00:00")
    files = [repayments("a", "2023-03-01 00:00:00", DUE), repayments("b", "2023-04-01 00:00:00", booked_later)]
    table = ingested(tmp_path, files).tables["repayment"]
    assert dated(table)[0][3] == dated(table)[1][2] == "2023-05-02 09:00"


def test_validation_keeps_both_versions_and_finds_a_repeated_version(tmp_path: Path) -> None:
    loan = "L1,S000001,LN01,2023-01-02,2024-01-02,{},CNY,12.50,12"
    files = [
        RawFile(f"loans/{name}.csv", "lender_loans", csv_file(LOANS_HEADER, rows), delivered_at=day)
        for name, day, rows in (
            ("a", "2023-03-01 00:00:00", [loan.format("7000.00")]),
            ("b", "2023-04-01 00:00:00", [loan.format("8000.00"), loan.format("9000.00")]),
        )
    ]
    checked = check_rows(ingested(tmp_path, files).tables["loan"], table_contract("loan"))
    assert cells(checked.accepted, "loan_id", "row_version") == [("L1", 1), ("L1", 2)]
    assert cells(checked.duplicates, "rule_id") == ["primary_key"]


def orders(name: str, delivered_at: str, rows: Sequence[dict[str, str]]) -> RawFile:
    data = shopify_file(rows)
    return RawFile(f"shop/{name}.csv", "shopify_orders", data, "S000001", "shop-1", delivered_at=delivered_at)


@pytest.mark.parametrize("lines", [1, 2])
def test_an_order_cancelled_later_is_cancelled_from_that_delivery_on(tmp_path: Path, lines: int) -> None:
    head = shopify_order("#1", "1001")
    more = [shopify_line("#1")]
    cancelled = {**head, "Cancelled at": "2023-05-01 10:00:00 -0400", "Refunded Amount": "20.00"}
    files = [
        orders("a", "2023-04-01 00:00:00", [head, *more[: lines - 1]]),
        orders("b", "2023-05-15 00:00:00", [head, *more[: lines - 1]]),
        orders("c", "2023-06-01 00:00:00", [cancelled, *more[: lines - 1]]),
    ]
    result = ingested(tmp_path, files)
    table = result.tables["site_order"]
    assert cells(table, "row_version", "is_cancelled") == [(1, False), (2, True)]
    assert str(cells(table, "known_at")[1]) == "2023-06-01 00:00:00+00:00"
    assert cells(result.duplicates, "source_file") == ["shop/b.csv"] * lines
