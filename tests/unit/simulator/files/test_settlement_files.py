"""Settlement reports: real columns, settlements and reserves that add up, planted rows that add nothing."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import pytest

from simulator.files.amazon import COLUMNS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.simulator.conftest import Written

Row = dict[str, str]


def settlement_files(raw: Path) -> list[Path]:
    return sorted((raw / "amazon_settlement_v2").glob("*/*.txt"))


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source, delimiter="\t", quoting=csv.QUOTE_NONE))


def number(cell: str) -> Decimal:
    return Decimal(cell.replace(",", "."))


def is_planted(row: Row) -> bool:
    try:
        number(row["amount"] or row["total-amount"])
    except InvalidOperation:
        return True
    return False


@pytest.fixture(scope="module")
def blocks(written: Written) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of every settlement by seller and settlement id, repeated settlements once."""
    found: dict[str, dict[str, list[Row]]] = defaultdict(dict)
    for path in settlement_files(written.raw):
        here: dict[str, list[Row]] = defaultdict(list)
        for row in rows_of(path):
            if not is_planted(row):
                here[row["settlement-id"]].append(row)
        found[path.parent.name] |= here
    return found


def test_files_have_the_24_documented_columns(written: Written) -> None:
    assert len(COLUMNS) == 24
    for path in settlement_files(written.raw)[:40]:
        lines = path.read_text(encoding="utf-8").split("\n")
        assert lines[0].split("\t") == list(COLUMNS)
        assert lines[-1] == ""
        assert {line.count("\t") for line in lines[:-1]} == {23}


def test_rows_of_a_settlement_add_up_to_its_total(blocks: dict[str, dict[str, list[Row]]]) -> None:
    checked = 0
    for settlements in blocks.values():
        for rows in settlements.values():
            totals, items = rows[0], rows[1:]
            assert totals["transaction-type"] == ""
            assert sum((number(row["amount"]) for row in items), Decimal(0)) == number(totals["total-amount"])
            checked += 1
    assert checked > 1_000


def test_only_the_totals_row_carries_dates_currency_and_total(blocks: dict[str, dict[str, list[Row]]]) -> None:
    for settlements in blocks.values():
        for rows in settlements.values():
            for row in rows[1:]:
                assert not row["settlement-start-date"]
                assert not row["currency"]
                assert row["amount-description"]


def test_reserve_held_is_the_reserve_released_by_the_next_settlement(blocks: dict[str, dict[str, list[Row]]]) -> None:
    held_somewhere = 0
    for settlements in blocks.values():
        held = None
        for rows in sorted(settlements.values(), key=lambda rows: rows[0]["settlement-id"]):
            pair = {
                row["amount-description"]: number(row["amount"])
                for row in rows
                if "Reserve" in row["amount-description"]
            }
            released = pair.get("Previous Reserve Amount Balance", Decimal(0))
            if held is not None:
                assert released == held
            held = -pair.get("Current Reserve Amount", Decimal(0))
            assert held >= 0
            held_somewhere += held > 0
    assert held_somewhere > 100


def test_euro_accounts_write_a_decimal_comma_and_dotted_dates(blocks: dict[str, dict[str, list[Row]]]) -> None:
    marks = set()
    for settlements in blocks.values():
        for rows in settlements.values():
            is_euro = rows[0]["currency"] == "EUR"
            cells = [rows[0]["total-amount"], *(row["amount"] for row in rows[1:])]
            assert all(("," in cell) == is_euro and ("." in cell) != is_euro for cell in cells)
            assert (rows[0]["settlement-end-date"][2] == ".") == is_euro
            marks.add(is_euro)
    assert marks == {True, False}


def test_settlement_numbers_are_unique_over_sellers(blocks: dict[str, dict[str, list[Row]]]) -> None:
    numbers = [number for settlements in blocks.values() for number in settlements]
    assert len(numbers) == len(set(numbers))


def test_some_deliveries_repeat_the_last_block_of_the_one_before(written: Written) -> None:
    repeated = 0
    earlier: dict[str, list[Row]] = defaultdict(list)
    for path in settlement_files(written.raw):
        rows, past = rows_of(path), earlier[path.parent.name]
        known = {row["settlement-id"] for row in past}
        again = [row for row in rows if row["settlement-id"] in known]
        if again:
            last = past[-1]["settlement-id"]
            assert again == [row for row in past if row["settlement-id"] == last and not is_planted(row)]
            assert rows[: len(again)] == again
            repeated += len(again)
        earlier[path.parent.name] = past + [row for row in rows if row not in again]
    assert repeated == written.record.repeated["amazon_settlement_v2"] > 0


def test_planted_rows_are_counted_and_rare(written: Written) -> None:
    planted = sum(is_planted(row) for path in settlement_files(written.raw) for row in rows_of(path))
    assert planted == written.record.planted["amazon_settlement_v2"]
    assert 0 < planted < 0.001 * written.record.rows["amazon_settlement_v2"]


def test_a_settlement_closes_in_the_years_of_its_file(written: Written) -> None:
    for path in settlement_files(written.raw)[:60]:
        ends = [row["settlement-end-date"] for row in rows_of(path) if row["settlement-end-date"]]
        years = {end[6:10] if end[2] == "." else end[:4] for end in ends[1:]}
        first, last = path.stem[:4], path.stem[-4:]
        assert years <= {str(year) for year in range(int(first), int(last) + 1)}
