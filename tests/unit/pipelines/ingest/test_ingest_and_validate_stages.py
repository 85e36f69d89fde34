from __future__ import annotations

import dataclasses
import os
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from data_contracts.errors import ConfigurationRefused, QuarantineLimitExceeded
from pipelines.ingest import stage as ingest
from pipelines.profiles.ingest_settings import ValidationSettings
from pipelines.runs.publish import read_json, read_parquet
from pipelines.runs.stages import Place, current_run
from pipelines.validate import stage as validate
from tests.factories.files.xml_files import ceb_message, list_record, order_record
from tests.factories.raw_files import RawFile, ingest_settings, vat_file, vat_row, write_raw_folder

if TYPE_CHECKING:
    from pipelines.runs.stages import StageOutcome

SALE = RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1"), vat_row("2"), vat_row("2")]), "S000001")


@pytest.fixture(autouse=True)
def _keys_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))


def profile(raw: Path, **settings: object) -> SimpleNamespace:
    """Return what the two stages read of a profile."""
    return SimpleNamespace(
        name="test",
        title="A test",
        is_synthetic=True,
        is_demonstration=True,
        evidence="synthetic world",
        ingest=ingest_settings(raw_dir=raw, worker_count=1, **settings),
        validation=ValidationSettings(),
        observations=SimpleNamespace(last_as_of=date(2021, 12, 31)),
    )


def ingested(tmp_path: Path, files: list[RawFile], **settings: object) -> StageOutcome:
    raw = write_raw_folder(tmp_path / "raw", files)
    return ingest.run(profile(raw, **settings), place(tmp_path))


def place(tmp_path: Path) -> Place:
    return Place("test", tmp_path / "out")


def test_ingest_writes_tables_records_and_accounts(tmp_path: Path) -> None:
    outcome = ingested(tmp_path, [SALE])
    assert outcome.record.rows_in == 3
    assert outcome.record.set_aside == {"repeated invoice": 1}
    assert read_parquet(outcome.run_dir / "tables" / "trade_invoice.parquet").num_rows == 2
    assert read_parquet(outcome.run_dir / "duplicates" / "vat_invoices.parquet").num_rows == 1
    assert read_json(outcome.run_dir / "row_counts.json")["sources"][0]["rows_in"] == 3


def test_a_second_run_does_nothing_and_a_touched_file_is_not_a_change(tmp_path: Path) -> None:
    first = ingested(tmp_path, [SALE])
    os.utime(tmp_path / "raw" / SALE.name, (1, 1))
    again = ingested(tmp_path, [SALE], batch_bytes=1000, quarantine_limit_share=0.5)
    assert again.was_current
    assert again.run_dir == first.run_dir


def test_a_changed_file_is_a_new_run(tmp_path: Path) -> None:
    first = ingested(tmp_path, [SALE])
    changed = dataclasses.replace(SALE, data=vat_file("sale", [vat_row("1"), vat_row("3")]))
    assert ingested(tmp_path, [changed]).run_dir != first.run_dir


def test_another_key_is_a_new_run_because_pseudonyms_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ingested(tmp_path, [SALE])
    monkeypatch.setenv("PASSPORT_HMAC_KEY_FILE", str(tmp_path / "other.hex"))
    assert ingested(tmp_path, [SALE]).run_dir != first.run_dir


def test_too_much_quarantine_ends_with_exit_1_after_everything_is_written(tmp_path: Path) -> None:
    spoilt = dataclasses.replace(SALE, data=vat_file("sale", [vat_row("1"), vat_row("2", amounts="x,0,0")]))
    with pytest.raises(QuarantineLimitExceeded, match=r"50\.00%.*row_counts\.json") as stop:
        ingested(tmp_path, [spoilt])
    assert stop.value.exit_code == 1
    run_dir = current_run(place(tmp_path), "ingest")
    assert read_parquet(run_dir / "quarantine" / "vat_invoices.parquet").num_rows == 1
    with pytest.raises(QuarantineLimitExceeded):
        ingested(tmp_path, [spoilt])


def test_validate_writes_accepted_tables_and_both_reports(tmp_path: Path) -> None:
    ingested(tmp_path, [SALE])
    outcome = validate.run(profile(tmp_path / "raw"), place(tmp_path))
    assert read_parquet(outcome.run_dir / "tables" / "trade_invoice.parquet").num_rows == 2
    assert outcome.record.notes["rules_failed"] == 0
    assert read_parquet(outcome.run_dir / "reconciliation.parquet").schema.names[:4] == [
        "seller_id",
        "quarter_end",
        "claim",
        "grade",
    ]
    for language, heading in (("en", "Data validation report"), ("zh", "数据校验报告")):
        page = (outcome.run_dir / f"data.{language}.html").read_text(encoding="utf-8")
        assert f"<h1>{heading}</h1>" in page
    assert validate.run(profile(tmp_path / "raw"), place(tmp_path)).was_current


def test_validate_holds_documents_of_exports_together_where_there_are_any(tmp_path: Path) -> None:
    orders = ceb_message("303", order_record("O1"), order_record("O2", "99.00", ["99.00"]))
    lists = ceb_message("603", list_record("1"), list_record("2", "O2", "W2"))
    files = [RawFile("o.xml", "ceb_order", orders, "S000001"), RawFile("l.xml", "ceb_list", lists, "S000001")]
    ingested(tmp_path, files)
    later = profile(tmp_path / "raw")
    later.observations.last_as_of = date(2023, 12, 31)
    run_dir = validate.run(later, place(tmp_path)).run_dir
    (found,) = read_parquet(run_dir / "document_breaks.parquet").to_pylist()
    assert (found["break_kind"], found["document_number"]) == ("list_value_differs", "O2")
    assert read_json(run_dir / "validation.json")["export_documents"]["documents"] == {"list": 2, "order": 2}
    assert "Export documents compared" in (run_dir / "data.en.html").read_text(encoding="utf-8")


def test_a_table_that_loses_too_many_rows_ends_with_exit_1_and_its_report(tmp_path: Path) -> None:
    wrong_sum = dataclasses.replace(SALE, data=vat_file("sale", [vat_row("1", amounts="100.0,13.0,999.0")]))
    ingested(tmp_path, [wrong_sum])
    with pytest.raises(QuarantineLimitExceeded, match=r"trade_invoice.*data\.en\.html"):
        validate.run(profile(tmp_path / "raw"), place(tmp_path))
    page = (current_run(place(tmp_path), "validate") / "data.en.html").read_text(encoding="utf-8")
    assert "100.00% of the rows of trade_invoice broke a rule" in page


def test_validate_before_ingest_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationRefused, match="passport ingest"):
        validate.run(profile(tmp_path / "raw"), place(tmp_path))
