"""The decimal mark is decided for each file from all of its cells."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories.raw_files import RawFile, cells, csv_file, ingested, only_account

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "event_id,seller_id,platform,event_type,amount,currency,status,event_date"


def sheet(*amounts: str, name: str = "own") -> RawFile:
    """Return a template of money events with these amounts."""
    rows = [
        f"{name}{place},S000001,shop,sale,{quoted(amount)},EUR,paid,2023-03-0{place + 1}"
        for place, amount in enumerate(amounts)
    ]
    return RawFile(f"{name}.csv", "template_money_event", csv_file(HEADER, rows), "S000001")


def quoted(amount: str) -> str:
    return f'"{amount}"' if "," in amount else amount


def amounts_of(folder: Path, *files: RawFile) -> list[Any]:
    return cells(ingested(folder, list(files)).tables["money_event"], "amount")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (("1.250", "12,50", "3"), ("1250", "12.5", "3")),
        (("1.250,00", "-980,5"), ("1250", "-980.5")),
        (("1 250,00", "980,50"), ("1250", "980.5")),
        (("1.250", "12.50"), ("1.25", "12.5")),
        (("1.250", "0.375"), ("1.25", "0.375")),
        (("1.250", "1234.567"), ("1.25", "1234.567")),
    ],
)
def test_one_cell_of_a_file_decides_for_all(tmp_path: Path, written: tuple[str, ...], read: tuple[str, ...]) -> None:
    assert amounts_of(tmp_path, sheet(*written)) == [Decimal(text) for text in read]


@pytest.mark.parametrize("others", [("3",), ("980", " 4.500 "), ("12,50", "12.50")])
def test_a_cell_that_may_be_thousands_or_decimals_is_set_aside(tmp_path: Path, others: tuple[str, ...]) -> None:
    account = only_account(ingested(tmp_path, [sheet("1.250", *others)]))
    assert account.quarantined["type:amount"] >= 1
    (note,) = account.notes
    assert note == "in doubt: amounts such as 1.250 may be thousands or have three decimals"
    assert account.accepted == sum(other in {"3", "980", "12.50"} for other in others)


def test_each_file_decides_for_itself(tmp_path: Path) -> None:
    comma, point = sheet("1.250", "12,50", name="a"), sheet("1.250", "12.50", name="b")
    assert sorted(amounts_of(tmp_path, comma, point)) == sorted(map(Decimal, ("1250", "12.5", "1.25", "12.5")))
