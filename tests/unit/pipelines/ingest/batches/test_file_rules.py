"""Rules on whole files: which files of a batch break them, and what happens to their rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import pipelines.ingest.batches.batch
from data_contracts.definition.compiler import source_contract, source_names
from data_contracts.definition.contract import Arguments, Kind, Rule, Severity
from data_contracts.definition.rules import per_file_query
from data_contracts.errors import ConfigurationRefused
from data_contracts.sources.registry import known_source
from pipelines.ingest.batches.batch import BatchRequest, BatchResult, ingest_batch
from pipelines.ingest.deliveries.manifest import find_deliveries
from tests.factories.raw_files import (
    HMAC_KEY,
    LOANS_HEADER,
    REPAYMENTS_HEADER,
    RawFile,
    amazon_amount,
    amazon_file,
    amazon_total,
    cells,
    csv_file,
    ingest_settings,
    ingested,
    write_raw_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.sources.registry import Source
    from pipelines.runs.file_counts import FileCounts

DUE = "R1,L1,S000001,Due,2023-02-01,600.00,CNY,2023-01-02 09:00:00"
PAID = "R2,L1,S000001,Paid,2023-02-05,600.00,CNY,2023-02-06 09:00:00"
TOO_MUCH = "R3,L2,S000002,Paid,2023-02-05,9.00,CNY,2023-02-06 09:00:00"
OVERPAID = "file breaks paid_within_due: In the whole file, payments do not exceed the amounts due"


def repayments(name: str, *rows: str) -> RawFile:
    return RawFile(f"lender_repayments/{name}.csv", "lender_repayments", csv_file(REPAYMENTS_HEADER, rows))


def with_critical_sum(name: str) -> Source:
    """Return the source with a sum rule made critical."""
    contract = source_contract(name)
    rules = tuple(
        replace(rule, severity=Severity.CRITICAL) if rule.rule_id == "paid_within_due" else rule
        for rule in contract.rules
    )
    return replace(known_source(name), contract=replace(contract, rules=rules))


def batch_of(folder: Path, *files: RawFile) -> BatchResult:
    settings = ingest_settings()
    found = find_deliveries(write_raw_folder(folder, files), settings).files
    return ingest_batch(BatchRequest(folder, found[0].source, found, settings.recorded_at, {}, HMAC_KEY))


def by_name(result: BatchResult) -> dict[str, FileCounts]:
    return {account.file.rpartition("/")[2]: account for account in result.file_counts}


def test_a_file_that_breaks_a_critical_rule_is_set_aside_whole_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines.ingest.batches.batch, "known_source", with_critical_sum)
    result = batch_of(tmp_path, repayments("good", DUE, PAID), repayments("spoilt", TOO_MUCH, TOO_MUCH))
    accounts = by_name(result)
    assert (accounts["good.csv"].accepted, accounts["good.csv"].rejected_by) == (2, ())
    assert accounts["spoilt.csv"].quarantined == {"paid_within_due": 2}
    assert accounts["spoilt.csv"].rejected_by == ("paid_within_due",)
    assert cells(result.quarantine, "severity", "value") == [("critical", "18.0000")] * 2
    assert cells(result.quarantine, "original")[0].decode() == TOO_MUCH
    assert cells(result.tables["repayment"], "repayment_id") == ["R1", "R2"]


def test_a_row_that_breaks_a_critical_rule_rejects_only_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_critical_amount(name: str) -> Source:
        contract = source_contract(name)
        condition = Arguments(sql="entered > 1000")
        rule = Rule("modest", "row", Kind.ROW_EXPRESSION, None, condition, Severity.CRITICAL, "No entry is above 1000")
        return replace(known_source(name), contract=replace(contract, rules=(*contract.rules, rule)))

    monkeypatch.setattr(pipelines.ingest.batches.batch, "known_source", with_critical_amount)
    huge = DUE.replace("R1", "R9").replace("600.00", "6000.00")
    result = batch_of(tmp_path, repayments("good", DUE, PAID), repayments("spoilt", TOO_MUCH, huge))
    accounts = by_name(result)
    assert (accounts["good.csv"].accepted, accounts["good.csv"].set_aside) == (2, 0)
    assert accounts["spoilt.csv"].quarantined == {"modest": 2}
    assert accounts["spoilt.csv"].rejected_by == ("modest",)
    assert "file rejected by modest: No entry is above 1000" in accounts["spoilt.csv"].notes


def test_a_total_counts_rows_that_an_earlier_file_held(tmp_path: Path) -> None:
    result = batch_of(tmp_path, repayments("a", DUE), repayments("b", DUE, PAID))
    assert by_name(result)["b.csv"].duplicates == {"repeated entry": 1}
    assert [account.notes for account in result.file_counts] == [(), ()]


def test_a_warning_is_noted_on_its_file_and_sets_nothing_aside(tmp_path: Path) -> None:
    accounts = by_name(batch_of(tmp_path, repayments("a", DUE, PAID), repayments("b", TOO_MUCH)))
    assert (accounts["a.csv"].notes, accounts["b.csv"].notes) == ((), (OVERPAID,))
    assert accounts["b.csv"].accepted == 1


def test_a_lenders_book_without_rows_is_rejected_and_covers_nothing(tmp_path: Path) -> None:
    books = [
        RawFile(f"loans/{name}.csv", "lender_loans", csv_file(LOANS_HEADER, rows), seller="S000001")
        for name, rows in (
            ("empty", []),
            ("full", ["L1,S000001,LN01,2023-01-02,2024-01-02,7000.00,CNY,12.50,12"]),
        )
    ]
    result = ingested(tmp_path, books)
    rejected = {account.file: account.rejected_by for account in result.file_counts}
    assert rejected == {"loans/empty.csv": ("not_empty",), "loans/full.csv": ()}
    assert result.tables["source_coverage"].num_rows == 1


@pytest.mark.parametrize(("covered_to", "is_stale"), [("2023-04-24", False), ("2023-04-25", True)])
def test_a_platform_report_whose_newest_entry_is_old_is_remarked_on(
    tmp_path: Path, covered_to: str, *, is_stale: bool
) -> None:
    data = amazon_file([amazon_total("1", "10.00"), amazon_amount("1", "10.00")])
    file = RawFile("a/1.txt", "amazon_settlement_v2", data, "S000001", covered_to=covered_to)
    (account,) = batch_of(tmp_path, file).file_counts
    assert account.accepted == 2
    assert any("recent" in note for note in account.notes) == is_stale


@pytest.mark.parametrize("name", source_names())
def test_every_file_rule_of_a_source_can_run_file_by_file(name: str) -> None:
    for rule in source_contract(name).file_rules():
        assert rule.kind is Kind.ROW_COUNT or "GROUP BY file_order" in per_file_query(rule)


def test_a_query_that_cannot_run_file_by_file_is_refused() -> None:
    rule = next(rule for rule in source_contract("lender_repayments").file_rules() if rule.kind is Kind.FILE_VALUE)
    odd = replace(rule, arguments=replace(rule.arguments, sql="WITH a AS (FROM ${table}) SELECT count(*) FROM a"))
    with pytest.raises(ConfigurationRefused, match="cannot be evaluated for each file"):
        per_file_query(odd)
