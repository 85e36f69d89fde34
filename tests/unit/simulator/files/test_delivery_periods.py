"""Deliveries: how much history comes at once, when it comes, and what their dates must not reveal."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from simulator.settings import WorldSettings
from simulator.writing import WorldRecord, write_world
from tests.unit.simulator.conftest import UNHARMED

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = date(2020, 1, 1), date(2022, 12, 31)
LAST_WHOLE_WEEK = date(2022, 12, 27)
Row = dict[str, str]
# A bank makes one statement a year, however long other deliveries are.
YEARLY = {"china_bank_statement", "camt053_statement"}


def delivered(folder: Path, **shares: float) -> tuple[WorldRecord, list[Row]]:
    """Write a small world and return its list of deliveries, sellers' files only."""
    observation = UNHARMED.model_copy(update=shares)
    settings = WorldSettings(seller_count=60, seed=4, first_day=FIRST, last_day=LAST, observation=observation)
    record = write_world(settings, folder)
    with (folder / "raw" / "deliveries.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Seller ref"]]
    return record, [row for row in rows if row["Source"] not in YEARLY]


@pytest.fixture(scope="module")
def by_length(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[WorldRecord, list[Row]]]:
    """Write one world with deliveries of one, two and three years, without defects."""
    none = {"malformed_row_share": 0.0, "repeated_block_share": 0.0}
    return {
        years: delivered(tmp_path_factory.mktemp("deliveries"), delivery_years=years, **none) for years in (1, 2, 3)
    }


def series(rows: list[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Return deliveries by seller, source and kind of file (invoices have two)."""
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["Seller ref"], row["Source"], row["File"].partition("/sale.csv")[1]].append(row)
    return found


@pytest.mark.parametrize("years", [1, 2, 3])
def test_deliveries_follow_one_another_without_a_gap_whatever_their_length(
    years: int, by_length: dict[int, tuple[WorldRecord, list[Row]]]
) -> None:
    found = series(by_length[years][1])
    several = 0
    for rows in found.values():
        spans = sorted((date.fromisoformat(row["Period start"]), date.fromisoformat(row["Period end"])) for row in rows)
        for (_, end), (start, _) in pairwise(spans):
            assert start == end + timedelta(days=1)
            assert (start.month, start.day, (start.year - FIRST.year) % years) == (1, 1, 0)
        several += len(spans) > 1
    assert (several > 0) == (years < 3)
    assert max(len(rows) for rows in found.values()) == -(-3 // years)


def test_longer_deliveries_are_fewer_files_with_the_same_rows(
    by_length: dict[int, tuple[WorldRecord, list[Row]]],
) -> None:
    short, long = by_length[1][0], by_length[3][0]
    assert short.rows == long.rows
    assert short.files["vat_invoices"] > 1.5 * long.files["vat_invoices"]


def test_a_second_delivery_comes_later_for_the_same_period_and_does_not_reveal_a_closing(tmp_path: Path) -> None:
    _, rows = delivered(tmp_path, duplicate_delivery_share=0.1, truncated_file_share=0.1, late_delivery_share=0.2)
    by_file = {row["File"]: row for row in rows}
    again = {name: mark for name in by_file for mark in ("-again", "-corrected", "-late") if mark in name}
    assert set(again.values()) == {"-again", "-corrected", "-late"}
    for name, mark in again.items():
        first, second = by_file[name.replace(mark, "")], by_file[name]
        assert all(first[column] == second[column] for column in ("Seller ref", "Source", "Account", "Period start"))
        waited = datetime.fromisoformat(second["Delivered at (UTC)"]) - datetime.fromisoformat(
            first["Delivered at (UTC)"]
        )
        assert timedelta(days=3) <= waited <= timedelta(days=90)
    for row in rows:
        assert row["Period end"] in {"2020-12-31", "2021-12-31", str(LAST), str(LAST_WHOLE_WEEK)}
