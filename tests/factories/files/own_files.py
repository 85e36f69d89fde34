"""Raw files that no profile knows: a simulated portfolio, copied and renamed, without truth and without a list."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING

from pipelines.profiles import load_profile
from simulator.writing import write_world
from tests.factories.small_run import PROFILE

if TYPE_CHECKING:
    from pathlib import Path

OF_SELLERS = ("amazon_settlement_v2", "shopify_orders", "customs_declaration", "vat_invoices")
OF_THE_LENDER = {
    "lender_loans": "loans.csv",
    "lender_repayments": "repayments.csv",
    "lender_applications": "applications.csv",
    "company_links": "ownership.jsonl",
    "template_consent": "consents.csv",
}
CONSENTS = OF_THE_LENDER["template_consent"]
_BOOKS = "lender"


def write_own_files(folder: Path, seed: int, applicant: str) -> None:
    """Write the folders ``raw``, with a portfolio and its loan book, and ``applicants``, with one seller outside it.

    Args:
        folder: where both are written.
        seed: seed of a world that differs from every profile's.
        applicant: seller whose exports go to ``applicants``; it must have no loan.
    """
    small = load_profile(PROFILE).world
    assert small is not None
    settings = small.model_copy(update={"seed": seed, "observation_seed": 5})
    write_world(settings, folder / "world", os.cpu_count() or 1)
    written = folder / "world" / "raw"
    numbers: Counter[str] = Counter()
    for line in _rows(written / "deliveries.csv"):
        path, seller, source = written / line["File"], line["Seller ref"], line["Source"]
        if source in OF_SELLERS:
            numbers[seller] += 1
            home = "applicants" if seller == applicant else "raw"
            _move(path, folder / home / seller / f"export {numbers[seller]}{path.suffix}")
        elif source == "template_consent":
            _add_rows(path, folder / "raw" / _BOOKS / CONSENTS)
        elif source in OF_THE_LENDER:
            _move(path, folder / "raw" / _BOOKS / OF_THE_LENDER[source])
    shutil.rmtree(folder / "world")
    assert applicant not in {row["Borrower"] for row in _rows(folder / "raw" / _BOOKS / "loans.csv")}
    _copy_consents(folder, applicant)


def _copy_consents(folder: Path, applicant: str) -> None:
    """Write the applicant's own consents beside its files."""
    header, *lines = (folder / "raw" / _BOOKS / CONSENTS).read_text(encoding="utf-8").splitlines(keepends=True)
    copy = folder / "applicants" / _BOOKS / CONSENTS
    copy.parent.mkdir(parents=True)
    copy.write_text("".join((header, *(line for line in lines if line.startswith(f"{applicant},")))), encoding="utf-8")


def _add_rows(path: Path, file: Path) -> None:
    """Add the rows of a CSV file to another one, which gets the header with the first rows."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    with file.open("a", encoding="utf-8") as books:
        books.writelines(lines[1:] if file.stat().st_size else lines)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _move(path: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    path.rename(destination)
