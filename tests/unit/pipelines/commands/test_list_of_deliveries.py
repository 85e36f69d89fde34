from __future__ import annotations

import csv
import gzip
import hashlib
import zipfile
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused, InputRefused
from pipelines.commands.list_of_deliveries import write_manifest
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.ingest.deliveries.unlisted import Terms
from tests.factories.raw_files import ingest_settings, shopify_file, shopify_order

if TYPE_CHECKING:
    from pathlib import Path

TERMS = Terms(period_from=date(2023, 1, 1), period_to=date(2023, 12, 31), delivered_at=datetime(2024, 1, 5, tzinfo=UTC))
ORDERS = shopify_file([shopify_order("#1", "1000")])
LOANS = b"Loan No,Borrower,Lender,Disbursed On,Matures On,Principal,Ccy,Rate % p.a.,Instalments\n"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return a raw folder: exports of a seller, one of them in the seller's own folder, and a lender's loan book."""
    folder = tmp_path / "raw"
    put(folder / "S-1" / "shop" / "2023.csv", ORDERS)
    put(folder / "S-2" / "orders.csv.gz", gzip.compress(ORDERS))
    put(folder / "books" / "loans.csv", LOANS)
    put(folder / ".DS_Store", b"left by an operating system")
    return folder


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "deliveries.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_listed_with_source_seller_and_digest(raw: Path) -> None:
    draft = write_manifest(raw, TERMS)
    assert (draft.files, draft.to_fill_in, draft.unknown) == (3, (), ())
    rows = listed(raw)
    assert [(row["File"], row["Seller ref"], row["Source"]) for row in rows] == [
        ("S-1/shop/2023.csv", "S-1", "shopify_orders"),
        ("S-2/orders.csv.gz", "S-2", "shopify_orders"),
        ("books/loans.csv", "", "lender_loans"),
    ]
    assert rows[0]["SHA-256"] == hashlib.sha256(ORDERS).hexdigest()


def test_the_list_is_one_that_ingest_takes(raw: Path) -> None:
    write_manifest(raw, TERMS)
    found = find_deliveries(raw, ingest_settings())
    assert [(file.source, file.seller, file.covered_to) for file in found.files] == [
        ("lender_loans", None, date(2023, 12, 31)),
        ("shopify_orders", "S-1", date(2023, 12, 31)),
        ("shopify_orders", "S-2", date(2023, 12, 31)),
    ]


def test_unstated_values_stay_empty_and_are_named(raw: Path) -> None:
    put(raw / "orders.csv", ORDERS)
    put(raw / "S-1" / "empty.json", b"[]")
    draft = write_manifest(raw, Terms())
    assert draft.to_fill_in == ("Seller ref", "Source", "Period start", "Period end", "Delivered at (UTC)")
    (problem,) = draft.unknown
    assert "empty.json" in problem
    assert "no record" in problem
    of_file = {row["File"]: row for row in listed(raw)}
    assert of_file["orders.csv"]["Seller ref"] == ""
    assert (of_file["S-1/empty.json"]["Source"], of_file["S-1/empty.json"]["Seller ref"]) == ("", "S-1")


def test_a_seller_named_on_the_command_line_owns_every_file(raw: Path) -> None:
    write_manifest(raw, Terms(seller="S-9", account="shop-9"))
    assert [(row["Seller ref"], row["Account"]) for row in listed(raw)] == [
        ("S-9", "shop-9"),
        ("S-9", "shop-9"),
        ("", "shop-9"),
    ]


def test_an_archive_of_two_sources_has_no_single_source(raw: Path) -> None:
    with zipfile.ZipFile(raw / "S-1" / "all.zip", "w") as archive:
        archive.writestr("orders.csv", ORDERS)
        archive.writestr("loans.csv", LOANS)
    draft = write_manifest(raw, TERMS)
    (problem,) = draft.unknown
    assert "lender_loans, shopify_orders" in problem
    assert draft.to_fill_in == ("Source",)


def test_a_list_that_exists_is_never_replaced(raw: Path) -> None:
    (raw / "deliveries.csv").write_text("edited")
    with pytest.raises(ConfigurationRefused, match="may have been edited"):
        write_manifest(raw, TERMS)
    assert (raw / "deliveries.csv").read_text() == "edited"


def test_a_folder_whose_name_is_not_a_reference_is_refused(raw: Path) -> None:
    put(raw / "Shop of Anna" / "orders.csv", ORDERS)
    with pytest.raises(InputRefused, match="'Shop of Anna' is no seller reference"):
        write_manifest(raw, TERMS)
    assert not (raw / "deliveries.csv").exists()


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such folder"):
        write_manifest(tmp_path / "nowhere", TERMS)
    with pytest.raises(InputRefused, match="holds no files"):
        write_manifest(tmp_path, TERMS)


def test_new_files_are_added_to_an_edited_list(raw: Path) -> None:
    write_manifest(raw, TERMS)
    path = raw / "deliveries.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    edited = "\r\n".join(",".join([*line.split(",")[1:], line.split(",")[0]]) for line in lines)
    path.write_bytes(b"\xef\xbb\xbf" + edited.encode())
    put(raw / "S-1" / "2024.csv", ORDERS)
    january = Terms(period_from=date(2024, 1, 1), period_to=date(2024, 1, 31), delivered_at=TERMS.delivered_at)
    assert write_manifest(raw, january, add=True).files == 1
    assert path.read_bytes().startswith(b"\xef\xbb\xbf" + edited.encode())
    found = {file.name: file.covered_to for file in find_deliveries(raw, ingest_settings()).files}
    assert (found["S-1/2024.csv"], found["S-1/shop/2023.csv"]) == (date(2024, 1, 31), date(2023, 12, 31))


def test_nothing_is_added_without_new_files(raw: Path) -> None:
    write_manifest(raw, TERMS)
    before = (raw / "deliveries.csv").read_bytes()
    with pytest.raises(InputRefused, match="the list names every file"):
        write_manifest(raw, TERMS, add=True)
    assert (raw / "deliveries.csv").read_bytes() == before


def test_a_list_with_a_bad_row_is_not_added_to(raw: Path) -> None:
    write_manifest(raw, Terms())
    put(raw / "S-1" / "2024.csv", ORDERS)
    with pytest.raises(InputRefused, match=r"deliveries.csv.*required"):
        write_manifest(raw, TERMS, add=True)


@pytest.mark.parametrize("name", ["=cmd|' C'!A0.csv", "orders;=1.csv", "-orders.csv"])
def test_a_file_whose_name_a_spreadsheet_may_run_is_refused_and_no_list_is_written(raw: Path, name: str) -> None:
    put(raw / name, ORDERS)
    with pytest.raises(InputRefused, match=r"column 'File': a spreadsheet may run .* remedy: rename it"):
        write_manifest(raw, TERMS)
    assert not (raw / "deliveries.csv").exists()
