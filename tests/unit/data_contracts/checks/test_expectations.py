from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal

import pyarrow as pa
import pytest

from data_contracts.checks.expectations import GxOutcome, expectation_suite, suite_document, validate_with_gx
from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from data_contracts.definition.contract import CompiledContract
from tests.factories.contracts import bad_rows, column, contract_of, sample_table

FILE_RULES = [
    {"name": "some", "metric": "rowCount", "mustBeGreaterThan": 0},
    {"name": "total", "type": "sql", "query": "SELECT sum(a) FROM ${table}", "mustBe": 3},
    {"name": "spread", "type": "sql", "query": "SELECT max(a) - min(a) FROM ${table}", "mustNotBe": 0},
]
SMALL = contract_of(
    [column("a", "number", required=True, logicalTypeOptions={"minimum": 0}), column("b")],
    [bad_rows("odd", "a > 1 AND b = 'x'"), *FILE_RULES],
)


def small(amounts: list[int | None], words: list[str | None]) -> GxOutcome:
    rows = sample_table(SMALL, 1).slice(0, 0)
    values = [{"a": None if a is None else Decimal(a), "b": b} for a, b in zip(amounts, words, strict=True)]
    return validate_with_gx(type(rows).from_pylist(values, schema=rows.schema), SMALL)


def test_every_result_counts_the_checked_and_the_failed_rows() -> None:
    found = {f.rule_id: f for f in small([1, -1, None, 3], ["x", None, "x", "x"]).findings}
    assert list(found) == ["a:required", "a:range", "odd", "some", "total", "spread"]
    counts = {rule: (f.success, f.unexpected_count, f.evaluated) for rule, f in found.items()}
    assert counts == {
        "a:required": (False, 1, 4),
        "a:range": (False, 1, 3),
        "odd": (False, 1, 4),
        "some": (True, 0, 1),
        "total": (True, 0, 1),
        "spread": (True, 0, 1),
    }
    assert found["a:range"].expectation == "expect_column_values_to_be_between"


def test_valid_rows_pass() -> None:
    outcome = small([1, 2], ["y", "y"])
    assert outcome.success
    assert outcome.not_validated == ()


def test_a_table_without_rows_is_not_validated_rather_than_passed() -> None:
    outcome = small([], [])
    assert not outcome.success
    assert set(outcome.not_validated) == {"a:required", "a:range", "odd", "total", "spread"}
    assert all(f.success is None and f.evaluated == 0 for f in outcome.findings if not f.validated)


def test_a_column_without_values_is_not_validated() -> None:
    outcome = small([None, None], ["x", "x"])
    assert "a:range" in outcome.not_validated
    assert not outcome.success


def test_a_number_that_is_none_counts_as_missing() -> None:
    contract = contract_of([column("rate", "number", physicalType="double", logicalTypeOptions={"minimum": 0.5})])
    rates = pa.table({"rate": pa.array([0.75, float("nan"), None, 0.25])})
    (finding,) = validate_with_gx(rates, contract).findings
    assert (finding.validated, finding.evaluated, finding.unexpected_count) == (True, 2, 1)


def test_an_exception_is_reported_as_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_contracts.checks.expectations._plain", lambda column: ["words"] * len(column))
    finding = small([1, 2], ["x", "y"]).findings[1]
    assert (finding.rule_id, finding.validated, finding.success, finding.evaluated) == ("a:range", False, None, 0)
    assert finding.exception


def test_a_rule_checked_on_fewer_values_than_there_are_is_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_contracts.checks.expectations._plain", lambda column: [None] * len(column))
    finding = small([1, 2], ["x", "y"]).findings[1]
    assert (finding.rule_id, finding.validated, finding.success) == ("a:range", False, None)
    assert finding.exception == "Great Expectations checked 0 of 2 values"


@pytest.mark.parametrize(
    ("values", "passed"), [(["USD"], True), (["USD\n"], False), (["ＵＳＤ"], False), (["usd"], False)]
)
def test_patterns_match_the_same_texts_in_both_engines(values: list[str], passed: bool) -> None:
    contract = contract_of(
        [column("a", logicalTypeOptions={"pattern": "^[A-Z]{3}$"}), column("b", enum=[{"value": "USD"}])]
    )
    rows = sample_table(contract, 1).slice(0, 0)
    table = type(rows).from_pylist([{"a": value, "b": value} for value in values], schema=rows.schema)
    found = validate_with_gx(table, contract).findings
    checked = check_rows(table, contract).counts_by_rule
    assert [f.unexpected_count for f in found] == list(checked.values())
    assert [f.unexpected_count == 0 for f in found] == [passed, passed]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["money_event", "export_declaration", "site_order", "score"])
def test_both_engines_count_the_same_failures_on_many_mixed_rows(name: str) -> None:
    contract = table_contract(name)
    rows = sample_table(contract, 20_000, seed=7)
    checked = check_rows(rows, contract)
    found = validate_with_gx(rows, contract).findings
    assert {f.rule_id: f.unexpected_count for f in found} == dict(checked.counts_by_rule)
    assert sum(count > 0 for count in checked.counts_by_rule.values()) >= 8
    assert all(f.validated for f in found)


def test_the_suite_keeps_the_severity_of_a_rule() -> None:
    contract: CompiledContract = contract_of(
        [column("a", "number")], [bad_rows("low", "a < 0", "warning"), FILE_RULES[0]]
    )
    suite = expectation_suite(contract)
    assert {e.meta["rule_id"]: e.severity.value for e in suite.expectations} == {"low": "info", "some": "critical"}


def test_a_stored_suite_is_reproducible_and_great_expectations_can_load_it() -> None:
    contract = table_contract("trade_invoice")
    stored = suite_document(contract)
    assert json.dumps(stored) == json.dumps(suite_document(contract))
    read_back = type(expectation_suite(contract))(**json.loads(json.dumps(stored)))
    assert [e.meta["rule_id"] for e in read_back.expectations] == [rule.rule_id for rule in contract.rules]
    conditions = {e["meta"]["rule_id"]: e["meta"].get("sql") for e in stored["expectations"]}
    assert "tax_amount" in conditions["gross_is_net_plus_tax"]
    assert conditions["status:enum"] is None


def test_great_expectations_is_imported_only_when_used() -> None:
    code = "import sys, data_contracts.checks.expectations; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
