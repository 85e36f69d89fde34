from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_contracts.compatibility.contracts import contract_changes
from data_contracts.definition.compiler import compile_contract, source_contract
from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import ConfigurationRefused
from data_contracts.mapping.source_mapping import SourceMapping
from data_contracts.sources.registry import Source, known_source
from pipelines.ingest.batches import batch as ingest_batch
from pipelines.ingest.batches.batch import BatchRequest, BatchResult
from pipelines.ingest.batches.retention import PAST_RETENTION, rows_past_retention
from pipelines.ingest.deliveries.manifest import find_deliveries
from pipelines.runs.file_counts import rows_kept_out
from tests.factories.contracts import column, contract_document, delimited
from tests.factories.raw_files import (
    HMAC_KEY,
    LOANS_HEADER,
    RawFile,
    cells,
    csv_file,
    ingest_settings,
    shopify_file,
    shopify_line,
    shopify_order,
    vat_file,
    vat_row,
    write_raw_folder,
)

MARCH, RECORDED_AT = "2023/3/5", datetime(2026, 1, 1, tzinfo=UTC)
KEPT_SINCE_2024, KEPT_SINCE_2023 = 731, 1096
# The first row is old, the second is not; of the others one is old and broken, and one is broken.
INVOICES = vat_file(
    "sale",
    [
        vat_row("1"),
        vat_row("2").replace(MARCH, "2025/3/5"),
        vat_row("3", state="?"),
        vat_row("4", state="?").replace(MARCH, "2025/3/5"),
    ],
)


def ingested(folder: Path, file: RawFile, retention_days: int | None, monkeypatch: pytest.MonkeyPatch) -> BatchResult:
    """Ingest a batch of one file whose contract limits how long rows are kept."""
    contract = dataclasses.replace(source_contract(file.source), retention_days=retention_days)
    source = dataclasses.replace(known_source(file.source), contract=contract)
    monkeypatch.setattr(ingest_batch, "known_source", lambda _: source)
    raw = write_raw_folder(folder, [file])
    files = find_deliveries(raw, ingest_settings()).files
    return ingest_batch.ingest_batch(BatchRequest(raw, file.source, files, RECORDED_AT, {}, HMAC_KEY))


def sale(data: bytes = INVOICES) -> RawFile:
    return RawFile("v.csv", "vat_invoices", data, "S000001")


def test_rows_older_than_their_contract_allows_are_counted_and_nothing_of_them_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ingested(tmp_path / "a", sale(), None, monkeypatch)
    result = ingested(tmp_path / "b", sale(), KEPT_SINCE_2024, monkeypatch)
    assert kept.tables["trade_invoice"].num_rows == 2
    assert cells(result.tables["trade_invoice"], "source_row") == [3]
    (broken,) = set(cells(kept.quarantine, "rule_id"))
    assert sorted(cells(result.quarantine, "source_row", "rule_id")) == [(2, PAST_RETENTION), (4, broken), (5, broken)]
    originals = dict(cells(result.quarantine, "source_row", "original"))
    assert originals[2] is None
    assert originals[4] is None
    assert b"2025/3/5" in originals[5]
    assert cells(result.quarantine, "value").count(None) >= 2
    (account,) = result.file_counts
    assert (account.rows_in, account.accepted, account.set_aside) == (4, 1, 3)
    assert rows_kept_out(account.quarantined) == 1


def test_a_row_of_the_last_day_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age = (RECORDED_AT.date() - datetime(2023, 3, 5, tzinfo=UTC).date()).days
    one = sale(vat_file("sale", [vat_row("1")]))
    assert ingested(tmp_path / "a", one, age, monkeypatch).file_counts[0].accepted == 1
    assert ingested(tmp_path / "b", one, age - 1, monkeypatch).file_counts[0].accepted == 0


def test_rows_of_one_record_go_when_the_last_of_them_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spanning = [
        shopify_order("#1", "1", Created_at="2022-12-30 10:00:00 +0000"),
        shopify_line("#1", Created_at="2023-01-02 10:00:00 +0000"),
    ]
    old = [
        shopify_order("#2", "2", Created_at="2022-12-29 10:00:00 +0000"),
        shopify_line("#2", Created_at="2022-12-30 10:00:00 +0000"),
    ]
    file = RawFile("s.csv", "shopify_orders", shopify_file([*spanning, *old]), "S000001", "shop")
    result = ingested(tmp_path, file, KEPT_SINCE_2023, monkeypatch)
    assert cells(result.quarantine, "source_row", "rule_id") == [(row, PAST_RETENTION) for row in (4, 5)]
    assert cells(result.tables["site_order"], "source_row") == [2]


def test_a_file_of_which_all_is_too_old_covers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loans = RawFile("l.csv", "lender_loans", csv_file(LOANS_HEADER, ["L1,S1,N,2019-01-01,2020-01-01,1,CNY,1,1"]))
    (account,) = ingested(tmp_path, loans, 30, monkeypatch).file_counts
    assert (account.rows_in, account.accepted) == (1, 0)


def test_days_without_a_column_that_dates_the_rows_are_refused() -> None:
    contract = dataclasses.replace(source_contract("vat_invoices"), retention_days=1)
    undated = SourceMapping("vat_invoices", (), lambda *_: {})
    with pytest.raises(ConfigurationRefused, match="its mapping has no column 'happened'"):
        rows_past_retention(None, None, Source(contract, undated), RECORDED_AT)  # type: ignore[arg-type]


def stated(days: object) -> CompiledContract:
    document = contract_document([column("amount", "number")], server=delimited())
    document["customProperties"] = [{"property": "retentionDays", "value": days}]
    return compile_contract(json.dumps(document).encode(), "test")


def test_a_contract_states_whole_days() -> None:
    assert stated(1826).retention_days == 1826
    for days in (0, -1, 1.5, "long", True):
        with pytest.raises(ConfigurationRefused, match="retentionDays"):
            stated(days)


@pytest.mark.parametrize(
    ("old", "new", "breaking"), [(None, 365, True), (365, 30, True), (30, 365, False), (365, None, False)]
)
def test_keeping_rows_shorter_is_a_breaking_change(old: int | None, new: int | None, breaking: bool) -> None:
    contract = source_contract("vat_invoices")
    before, after = (dataclasses.replace(contract, retention_days=days) for days in (old, new))
    (change,) = contract_changes(before, after)
    assert change.breaking is breaking
