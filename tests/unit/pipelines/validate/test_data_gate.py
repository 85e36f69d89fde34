"""Not validated is not passed: the gate after the stage ``validate``, with faults inside Great Expectations itself."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data_contracts.errors import GateFailed, QuarantineLimitExceeded
from pipelines.features import stage as features
from pipelines.ingest import stage as ingest
from pipelines.profiles import load_profile
from pipelines.profiles.ingest_settings import ValidationSettings
from pipelines.runs.data_gate import validated_output
from pipelines.runs.publish import read_json
from pipelines.runs.stages import Place, current_run, read_manifest, write_manifest
from pipelines.score import stage as score
from pipelines.train import stage as train
from pipelines.validate import stage as validate
from tests.factories.raw_files import RawFile, ingest_settings, vat_file, vat_row, write_raw_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SALE = RawFile("v/1.csv", "vat_invoices", vat_file("sale", [vat_row("1"), vat_row("2")]), "S000001")
ENGINE = "great_expectations.execution_engine.PandasExecutionEngine.get_domain_records"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a place with one ingested file."""
    monkeypatch.setenv("KEYS_DIR", str(tmp_path / "keys"))
    write_raw_folder(tmp_path / "raw", [SALE])
    found = Place("test", tmp_path / "out")
    ingest.run(profile(tmp_path), found)
    return found


def profile(folder: Path, **validation: float) -> Any:  # noqa: ANN401 - what the two stages read of a profile
    return SimpleNamespace(
        name="test",
        title="A test",
        is_synthetic=True,
        is_demonstration=True,
        evidence="synthetic world",
        ingest=ingest_settings(raw_dir=folder / "raw", worker_count=1),
        validation=ValidationSettings(**validation),
        observations=SimpleNamespace(last_as_of=date(2021, 12, 31)),
    )


def break_rules_on(column: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine of Great Expectations raise wherever it evaluates a column; on every column if None."""
    from great_expectations.execution_engine import PandasExecutionEngine

    sound: Callable[..., Any] = PandasExecutionEngine.get_domain_records

    def broken(engine: Any, domain_kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - a pandas frame
        if column is None or domain_kwargs.get("column") == column:
            raise MemoryError("the engine broke")
        return sound(engine, domain_kwargs)

    monkeypatch.setattr(ENGINE, broken)


def test_if_every_expectation_raises_the_run_fails_names_the_rules_and_later_stages_refuse_the_data(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rules_on(None, monkeypatch)
    with pytest.raises(GateFailed, match=r"(?s)could not be checked.*data\.en\.html") as stop:
        validate.run(profile(tmp_path), place)
    assert stop.value.exit_code == 1
    run_dir = current_run(place, "validate")
    rules = {table["table"]: table["rules"] for table in read_json(run_dir / "validation.json")["tables"]}
    assert {rule["status"] for rule in rules["trade_invoice"]} == {"not_validated"}
    notes = read_manifest(run_dir)["record"]["notes"]
    assert notes["gate"] == "closed"
    assert notes["rules_not_validated"] == sum(len(found) for found in rules.values())
    assert "seller_id:required" in notes["not_validated error trade_invoice"].split(", ")
    page = (run_dir / "data.en.html").read_text(encoding="utf-8")
    assert "the engine broke" in page
    assert "rules that decide on rows of source_coverage, trade_invoice could not be checked" in page
    for stage in (features, train, score):
        with pytest.raises(GateFailed, match="may not be used"):
            stage.run(load_profile("small"), place)
    with pytest.raises(GateFailed):  # the second run finds everything up to date, and fails again
        validate.run(profile(tmp_path), place)


def test_a_warning_that_could_not_be_checked_is_named_and_costs_nothing_more(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rules_on("rule:recorded_after_known", monkeypatch)
    outcome = validate.run(profile(tmp_path), place)
    assert outcome.record.notes["gate"] == "open"
    assert outcome.record.notes["not_validated warning trade_invoice"] == "recorded_after_known"
    assert validated_output(place, "tables") == outcome.run_dir / "tables"


def test_data_that_broke_too_many_rules_is_refused_by_later_stages_too(place: Place, tmp_path: Path) -> None:
    wrong_sum = vat_file("sale", [vat_row("1", amounts="100.0,13.0,999.0")])
    write_raw_folder(tmp_path / "raw", [RawFile("v/1.csv", "vat_invoices", wrong_sum, "S000001")])
    ingest.run(profile(tmp_path), place)
    with pytest.raises(QuarantineLimitExceeded, match=r"100\.00% of the rows of table"):
        validate.run(profile(tmp_path), place)
    with pytest.raises(GateFailed, match=r"100\.00% of the rows of trade_invoice"):
        validated_output(place, "tables")


def test_a_run_that_states_no_gate_is_not_used(place: Place, tmp_path: Path) -> None:
    validate.run(profile(tmp_path), place)
    run_dir = current_run(place, "validate")
    facts = read_manifest(run_dir)
    del facts["record"]["notes"]["gate"]
    write_manifest(run_dir, facts)
    with pytest.raises(GateFailed, match="does not say that its gate is open"):
        validated_output(place, "tables/trade_invoice.parquet")
