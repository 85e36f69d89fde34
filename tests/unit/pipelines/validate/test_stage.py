from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import pytest

from data_contracts.checks.expectations import GxFinding, GxOutcome
from data_contracts.errors import ConfigurationRefused, InternalFault
from pipelines.runs.file_counts import row_counts_document
from pipelines.runs.publish import write_json, write_parquet
from pipelines.validate.reconciliation import reconciled, reconciliation_document
from pipelines.validate.stage import examples, validation_document
from pipelines.validate.table_checks import FAILED, NO_VALUES, PASSED, validate_tables, write_suites
from tests.factories.canonical_tables import canonical_table
from tests.factories.pages import ABOUT
from tests.factories.progress import Recorder
from tests.factories.raw_files import (
    CANARY_EMAIL,
    RawFile,
    cells,
    ingested,
    shopify_file,
    shopify_order,
    vat_file,
    vat_row,
)

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from data_contracts.definition.contract import CompiledContract
    from pipelines.validate.table_checks import TableVerdict, ValidationResult


def invoices(*rows: dict[str, Any]) -> pa.Table:
    return canonical_table("trade_invoice", [{"invoice_id": f"i{number}", **row} for number, row in enumerate(rows)])


def verdict_of(result: ValidationResult, table: str) -> TableVerdict:
    return next(verdict for verdict in result.verdicts if verdict.table == table)


def statuses(verdict: TableVerdict) -> dict[str, str]:
    return {rule.rule_id: rule.status for rule in verdict.rules}


def broken_tables() -> dict[str, pa.Table]:
    good = {"seller_id": "S1", "net_amount": 100, "tax_amount": 13, "gross_amount": 113, "is_credit_note": False}
    rows = [
        good,
        {**good, "gross_amount": 120},
        {**good, "seller_id": None},
        {**good, "invoice_id": "i0"},
        {**good, "status": "lost"},
    ]
    return {"trade_invoice": invoices(*rows), "loan": canonical_table("loan", [])}


@pytest.fixture(scope="module")
def broken() -> ValidationResult:
    return validate_tables(broken_tables())


def test_each_row_is_accepted_quarantined_or_a_duplicate(broken: ValidationResult) -> None:
    verdict = verdict_of(broken, "trade_invoice")
    assert verdict.rows_in == 5
    assert verdict.accepted == broken.accepted["trade_invoice"].num_rows == 1
    assert verdict.quarantined == {"gross_is_net_plus_tax": 1, "seller_id:required": 1, "status:enum": 1}
    assert verdict.duplicates == {"primary_key": 1}


def test_each_table_has_its_suite_and_what_was_found_in_the_same_bytes_every_time(
    broken: ValidationResult, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_suites(tmp_path / name, broken.verdicts)
    files = sorted((tmp_path / "one" / "suites").iterdir())
    tables = ("loan.json", "loan.results.json", "trade_invoice.json", "trade_invoice.results.json")
    assert tuple(file.name for file in files) == tables
    assert all((tmp_path / "two" / "suites" / file.name).read_bytes() == file.read_bytes() for file in files)
    suite, found = (json.loads((tmp_path / "one" / "suites" / name).read_bytes()) for name in tables[2:])
    assert [one["meta"]["rule_id"] for one in suite["expectations"]] == [
        one["expectation_config"]["meta"]["rule_id"] for one in found["results"]
    ]
    failed = {
        one["expectation_config"]["meta"]["rule_id"]: one["result"]["unexpected_count"]
        for one in found["results"]
        if one["success"] is False
    }
    assert failed == {"gross_is_net_plus_tax": 1, "seller_id:required": 1, "status:enum": 1, "primary_key": 2}
    assert found["statistics"]["unsuccessful_expectations"] == 4
    of_no_rows = json.loads((tmp_path / "one" / "suites" / "loan.results.json").read_bytes())
    assert of_no_rows["success"] is None


def test_both_opinions_count_alike_for_every_rule(broken: ValidationResult) -> None:
    rules = [rule for verdict in broken.verdicts for rule in verdict.rules if rule.status != NO_VALUES]
    assert rules
    assert all(rule.gx_bad_rows == rule.bad_rows for rule in rules)


def test_a_rule_has_passed_or_failed_unless_there_are_no_values(broken: ValidationResult) -> None:
    found = statuses(verdict_of(broken, "trade_invoice"))
    assert found["gross_is_net_plus_tax"] == FAILED
    assert found["direction:enum"] == PASSED
    assert set(statuses(verdict_of(broken, "loan")).values()) == {NO_VALUES}


def test_every_rule_of_every_contract_has_a_verdict(broken: ValidationResult) -> None:
    from data_contracts.definition.compiler import table_contract

    for verdict in broken.verdicts:
        assert [rule.rule_id for rule in verdict.rules] == [r.rule_id for r in table_contract(verdict.table).rules]


@pytest.mark.slow
def test_great_expectations_finds_the_same_in_processes_of_its_own(
    broken: ValidationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.validate.table_checks.ROWS_FOR_PROCESSES", 0)
    # The processes read the files, and not what this process has in memory.
    monkeypatch.setattr("pipelines.validate.table_checks.validate_with_gx", None)
    for name, table in broken_tables().items():
        write_parquet(tmp_path / f"{name}.parquet", table)
    assert validate_tables(broken_tables(), stored=tmp_path).verdicts == broken.verdicts


def test_a_second_opinion_that_counts_differently_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def miscounted(table: pa.Table, contract: CompiledContract) -> GxOutcome:
        found = (
            GxFinding(rule.rule_id, "e", validated=True, success=False, exception=None, unexpected_count=7, evaluated=9)
            for rule in contract.rules
        )
        return GxOutcome(tuple(found))

    monkeypatch.setattr("pipelines.validate.table_checks.validate_with_gx", miscounted)
    with pytest.raises(InternalFault, match="Great Expectations 7"):
        validate_tables({"trade_invoice": invoices({})})


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="'payments'"):
        validate_tables({"payments": invoices({})})


def document(folder: Path, files: list[RawFile]) -> dict[str, Any]:
    """Return the report of a raw folder."""
    result = ingested(folder / "raw", files)
    run = folder / "ingest"
    for source in {str(source) for source in cells(result.quarantine, "source")}:
        write_parquet(run / "quarantine" / f"{source.partition('@')[0]}.parquet", result.quarantine)
    write_json(run / "row_counts.json", row_counts_document(result.file_counts))
    validated = validate_tables(result.tables)
    reconciliation = reconciliation_document(reconciled(validated.accepted, AS_OF), AS_OF, 5)
    return {"about": ABOUT, **validation_document(validated, run, 2), "reconciliation": reconciliation}


AS_OF = date(2025, 12, 31)


def test_the_document_shows_the_first_examples_of_each_rule(tmp_path: Path) -> None:
    rows = [vat_row("1"), *(vat_row(str(number), amounts="x,0,0") for number in range(2, 7))]
    found = document(tmp_path, [RawFile("v/1.csv", "vat_invoices", vat_file("sale", rows), "S000001")])
    (source,) = found["sources"]
    assert source["quarantined"] == {"type:net": 5}
    assert [(one["file"], one["row"], one["value"]) for one in source["examples"]["type:net"]] == [
        ("v/1.csv", 3, "x"),
        ("v/1.csv", 4, "x"),
    ]
    assert json.loads(json.dumps(found))["sources"][0]["name"] == "vat_invoices"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_escapes_names_and_shows_nothing_personal(tmp_path: Path, language: Literal["en", "zh"]) -> None:
    from pipelines.reports.validation_page import render_validation_page

    name = "v/<script>alert(1)</script>.csv"
    files = [
        RawFile(name.replace("/script", "_script"), "vat_invoices", vat_file("sale", [vat_row("<b>x</b>")]), "S000001"),
        RawFile(
            "s/1.csv", "shopify_orders", shopify_file([shopify_order("#1", "1", Total=CANARY_EMAIL)]), "S1", "shop"
        ),
    ]
    page = render_validation_page(document(tmp_path, files), language)
    assert "<script" not in page
    assert "<b>x" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert CANARY_EMAIL not in page
    assert page.count('class="banner banner-synthetic"') == 1


def test_values_of_columns_not_to_be_shown_are_left_out(broken: ValidationResult) -> None:
    found = examples(broken.quarantine["trade_invoice"], 1, {"seller_id"})
    assert [one["value"] for one in found["status:enum"]] == [None]
    assert [one["value"] for one in examples(broken.quarantine["trade_invoice"], 1, {"status"})["status:enum"]] == [
        "lost"
    ]


def test_progress_counts_every_row() -> None:
    recorder = Recorder()
    validate_tables({"trade_invoice": invoices({"seller_id": "S1"}, {"seller_id": "S2"})}, recorder)
    assert recorder.phases == [("rows checked", 2)]
    assert recorder.is_complete
