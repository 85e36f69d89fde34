"""Districts hold every seller once, share no identifier, and have the same bytes from any number of processes."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from simulator.population.districts import districts
from simulator.settings import WorldSettings
from simulator.writing import WorldRecord, write_world

if TYPE_CHECKING:
    from pathlib import Path

THREE = WorldSettings.model_validate(
    {"seller_count": 760, "district_sellers": 300, "first_day": "2021-01-01", "last_day": "2022-06-30", "seed": 5}
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("districts")


@pytest.fixture(scope="module")
def record(folder: Path) -> WorldRecord:
    return write_world(THREE, folder / "one", processes=1)


@pytest.mark.parametrize("sellers", [60, 300, 340, 359, 360, 4_000, 1_000_000])
def test_districts_hold_every_seller_once_and_none_is_too_small(sellers: int) -> None:
    found = districts(WorldSettings(seller_count=sellers, district_sellers=300))
    sizes = [district.settings.seller_count for district in found]
    assert sum(sizes) == sellers
    assert min(sizes) >= 60
    assert [d.first_seller for d in found] == [sum(sizes[:number]) for number in range(len(sizes))]


def test_districts_differ_in_their_seeds() -> None:
    seeds = {d.settings.seed for d in districts(WorldSettings(seller_count=100_000, district_sellers=300))}
    assert len(seeds) == 334


@pytest.mark.slow
def test_more_processes_write_the_same_bytes(folder: Path, record: WorldRecord) -> None:
    again = write_world(THREE, folder / "two", processes=2)
    assert again == record
    content = [
        {p.relative_to(top): hashlib.sha256(p.read_bytes()).digest() for p in top.rglob("*") if p.is_file()}
        for top in (folder / "one", folder / "two")
    ]
    assert content[0] == content[1]


def rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted(folder.glob(pattern)):
        with path.open(encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("record")
def test_no_identifier_of_one_district_is_used_in_another(folder: Path) -> None:
    raw = folder / "one" / "raw"
    for pattern, column in (
        ("lender_loans/*.csv", "Loan No"), ("lender_applications/*.csv", "Application No"),
        ("lender_repayments/*.csv", "Entry No"),
    ):  # fmt: skip
        values = [row[column] for row in rows(raw, pattern) if not row[column].startswith("R9")]
        assert len(values) == len(set(values)) > 100, column
    lines = [
        line for path in sorted(raw.glob("company_links/*.jsonl")) for line in path.read_text("utf-8").splitlines()
    ]
    idents = Counter(json.loads(line)["id"] for line in lines)
    assert idents.most_common(1)[0][1] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("record")
def test_truth_and_borrowers_name_the_same_sellers(folder: Path) -> None:
    sellers = {row["seller_id"] for row in rows(folder / "one" / "truth", "sellers.csv")}
    assert len(sellers) == THREE.seller_count
    assert {row["Borrower"] for row in rows(folder / "one" / "raw", "lender_loans/*.csv")} < sellers
