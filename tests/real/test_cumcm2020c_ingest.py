"""The whole CUMCM 2020 C sample, recounted independently of our readers."""

from __future__ import annotations

import zipfile
from collections import Counter
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from pipelines.ingest.deliveries.manifest import CUMCM_INVOICE_ZIPS
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import CoveragePeriod, IngestSettings
from pipelines.runs.file_counts import totals_by_source
from tests.factories.raw_files import HMAC_KEY, cells

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.ingest.stage import IngestResult

REPEATED_ROWS = {
    "with_record_purchase_invoices.zip": 803,
    "with_record_sales_invoices.zip": 4_436,
    "without_record_purchase_invoices.zip": 4_681,
    "without_record_sales_invoices.zip": 1_745,
}
CREDIT_NOTES = {
    "with_record_purchase_invoices.zip": 1_881,
    "with_record_sales_invoices.zip": 8_556,
    "without_record_purchase_invoices.zip": 3_630,
    "without_record_sales_invoices.zip": 5_697,
}


@pytest.fixture(scope="module")
def sample(shared_data: Path) -> Path:
    folder = shared_data / "cumcm2020c"
    if not folder.is_dir():
        pytest.skip(f"the CUMCM 2020 C sample is not at {folder}")
    return folder


@pytest.fixture(scope="module")
def result(sample: Path) -> IngestResult:
    coverage = CoveragePeriod(
        period_from=date(2016, 10, 1), period_to=date(2020, 2, 29), delivered_at=datetime(2020, 3, 1, tzinfo=UTC)
    )
    settings = IngestSettings(
        layout="cumcm2020c",
        raw_dir=sample,
        recorded_at=datetime(2020, 9, 10, tzinfo=UTC),
        coverage=coverage,
        worker_count=1,
    )
    return ingest_folder(sample, settings, HMAC_KEY)


def lines_by_file(sample: Path) -> dict[str, int]:
    """Return the data lines of every CSV in the zips: its newlines minus the header's."""
    counts = {}
    for name in CUMCM_INVOICE_ZIPS:
        with zipfile.ZipFile(sample / name) as archive:
            for entry in archive.namelist():
                if entry.endswith(".csv"):
                    data = archive.read(entry)
                    counts[f"{name}/{entry}"] = data.count(b"\n") + (not data.endswith(b"\n")) - 1
    return counts


def test_every_invoice_line_is_accounted_for_in_its_file(sample: Path, result: IngestResult) -> None:
    counted = lines_by_file(sample)
    accounts = {account.file: account for account in result.file_counts if account.source.startswith("vat_invoices@")}
    assert sum(counted.values()) == 1_099_441
    assert {file: account.rows_in for file, account in accounts.items()} == counted
    assert all(account.rows_in == account.accepted + account.set_aside for account in accounts.values())
    assert sum(account.accepted for account in accounts.values()) == result.tables["trade_invoice"].num_rows


def test_exact_repeats_are_set_aside_with_their_reason(result: IngestResult) -> None:
    containers = Counter(str(file).partition("/")[0] for file in cells(result.duplicates, "source_file"))
    assert containers == REPEATED_ROWS
    assert set(cells(result.duplicates, "reason")) == {"repeated invoice"}
    assert result.quarantine.num_rows == 0


def test_void_invoices_written_with_a_blank_are_void_and_remarked_on(result: IngestResult) -> None:
    total = next(total for total in totals_by_source(result.file_counts) if total.source.startswith("vat_invoices@"))
    assert total.warnings["state_without_blanks"] == 95
    assert set(cells(result.tables["trade_invoice"], "status")) == {"valid", "void"}


def test_credit_notes_are_kept(sample: Path, result: IngestResult) -> None:
    invoices = result.tables["trade_invoice"]
    pairs = zip(cells(invoices, "source_file"), cells(invoices, "is_credit_note"), strict=True)
    kept = Counter(str(file).partition("/")[0] for file, is_credit_note in pairs if is_credit_note)
    repeated = Counter()
    for name in CUMCM_INVOICE_ZIPS:
        with zipfile.ZipFile(sample / name) as archive:
            for entry in archive.namelist():
                if entry.endswith(".csv"):
                    rows = [
                        line.split(",")[1:] for line in archive.read(entry).decode("utf-8-sig").split("\n")[1:] if line
                    ]
                    negative = [tuple(row) for row in rows if row[6].startswith("-")]
                    repeated[name] += len(negative) - len(set(negative))
    assert {name: kept[name] + repeated[name] for name in kept} == CREDIT_NOTES


def test_firms_keep_the_banks_word_without_a_date_of_default(result: IngestResult) -> None:
    records = result.tables["credit_record"]
    assert Counter(cells(records, "is_default")) == {False: 96, True: 27, None: 302}
    rated_d = [flag for rating, flag in cells(records, "credit_rating", "is_default") if rating == "D"]
    assert rated_d == [True] * 24


def test_every_firm_is_covered_for_the_period_of_the_sample(result: IngestResult) -> None:
    coverage = result.tables["source_coverage"]
    firms = {seller for seller, table in cells(coverage, "seller_id", "covered_table") if table == "trade_invoice"}
    assert len(firms) == 425
    assert set(cells(coverage, "period_to")) == {date(2020, 2, 29)}


def test_other_files_of_the_contest_are_named_but_not_read(result: IngestResult) -> None:
    unlisted = [account.file for account in result.file_counts if account.status == "unlisted"]
    assert unlisted == ["loan_rates_and_customer_churn.xlsx"]
