from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.definition.compiler import (
    compile_contract,
    load_contract,
    source_contract,
    table_contract,
    table_names,
)
from data_contracts.definition.contract import Bounds, Kind, Severity
from data_contracts.errors import ConfigurationRefused
from tests.factories.contracts import bad_rows, column, contract_document, contract_of, delimited


def compiled_rules(*columns: dict[str, Any], quality: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, Kind, str]]:
    contract = contract_of(columns, quality)
    return [(rule.rule_id, rule.kind, str(rule.severity)) for rule in contract.rules]


def test_keywords_become_rules_in_contract_order() -> None:
    a = column(
        "a",
        required=True,
        unique=True,
        enum=[{"value": "x"}],
        logicalTypeOptions={"pattern": "^x$", "minLength": 1, "maxLength": 2},
    )
    b = column("b", "number", primaryKey=True, logicalTypeOptions={"minimum": 0, "exclusiveMaximum": 1})
    assert compiled_rules(a, b, quality=(bad_rows("odd", "b < 0", "warning"),)) == [
        ("a:required", Kind.NOT_NULL, "error"),
        ("a:unique", Kind.UNIQUE, "error"),
        ("a:enum", Kind.ENUM, "error"),
        ("a:pattern", Kind.PATTERN, "error"),
        ("a:length", Kind.LENGTH, "error"),
        ("b:range", Kind.RANGE, "error"),
        ("primary_key", Kind.UNIQUE, "error"),
        ("odd", Kind.ROW_EXPRESSION, "warning"),
    ]


def test_a_keyword_rule_can_be_a_warning() -> None:
    a = column("a", "number", logicalTypeOptions={"minimum": 0}, custom={"severity": {"range": "warning"}})
    assert compiled_rules(a) == [("a:range", Kind.RANGE, "warning")]


def test_library_metrics_become_rules() -> None:
    quality = [
        {"name": "given", "metric": "nullValues", "mustBe": 0},
        {"name": "real", "metric": "missingValues", "arguments": {"missingValues": ["N/A"]}, "mustBe": 0},
        {"name": "known", "metric": "invalidValues", "arguments": {"validValues": ["x"]}, "mustBe": 0},
        {"name": "formed", "metric": "invalidValues", "arguments": {"pattern": "^x$"}, "mustBe": 0},
        {"name": "single", "metric": "duplicateValues", "mustBe": 0, "severity": "critical"},
    ]
    table = (
        {"name": "pair", "metric": "duplicateValues", "arguments": {"properties": ["a", "b"]}, "mustBe": 0},
        {"name": "some", "metric": "rowCount", "mustBeGreaterThan": 0},
    )
    assert compiled_rules(column("a", quality=quality), column("b"), quality=table) == [
        ("a:given", Kind.NOT_NULL, "error"),
        ("a:real", Kind.NOT_IN, "error"),
        ("a:known", Kind.ENUM, "error"),
        ("a:formed", Kind.PATTERN, "error"),
        ("a:single", Kind.UNIQUE, "critical"),
        ("pair", Kind.UNIQUE, "error"),
        ("some", Kind.ROW_COUNT, "critical"),
    ]


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ({"mustBeGreaterThan": 1}, Bounds(minimum=Decimal(1), strict_minimum=True)),
        ({"mustBeGreaterOrEqualTo": 1}, Bounds(minimum=Decimal(1))),
        ({"mustBeLessThan": 1}, Bounds(maximum=Decimal(1), strict_maximum=True)),
        ({"mustBeLessOrEqualTo": 1}, Bounds(maximum=Decimal(1))),
        ({"mustBeBetween": [1, 2.5]}, Bounds(minimum=Decimal(1), maximum=Decimal("2.5"))),
    ],
)
def test_a_file_rule_uses_the_operator_of_the_contract(operator: dict[str, Any], expected: Bounds) -> None:
    entry = {"name": "total", "type": "sql", "query": "SELECT sum(a) FROM ${table}", **operator}
    rule = contract_of([column("a", "number")], [entry]).rules[0]
    assert (rule.kind, rule.scope, rule.severity) == (Kind.FILE_VALUE, "file", Severity.CRITICAL)
    assert rule.arguments.bounds == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "Bad Name", "metric": "rowCount", "mustBe": 1}, "invalid quality rule name 'Bad Name'"),
        ({"metric": "rowCount", "mustBe": 1}, "invalid quality rule name ''"),
        ({"name": "x", "metric": "nullValues", "mustBe": 3}, "tolerates bad rows"),
        ({"name": "x", "metric": "nullValues", "mustBe": 0}, "names no column"),
        ({"name": "x", "metric": "rowCount", "mustBe": 1, "severity": "error"}, "has severity error"),
        ({"name": "x", "metric": "rowCount"}, "has no comparison"),
        ({"name": "x", "type": "custom", "engine": "soda", "implementation": "y"}, "unknown type 'custom'"),
    ],
)
def test_a_quality_entry_that_cannot_be_checked_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationRefused, match=message):
        contract_of([column("a")], [entry])


@pytest.mark.parametrize(
    ("prop", "message"),
    [
        (column("Name"), r"column names \['Name'\]"),
        (column('a"; DROP TABLE rows; --'), "column names"),
        (column("a", "text"), "unknown type 'text'"),
        (column("a", "number", physicalType="varchar"), "unknown type 'number' 'varchar'"),
        (column("a", enum=[{"value": False}]), "not text"),
        (column("a", logicalTypeOptions={"pattern": "x"}), "not anchored"),
        (column("a", logicalTypeOptions={"pattern": r"^\d+$"}), "shorthand class"),
        (column("a", custom={"trimm": False}), "unknown custom properties trimm"),
    ],
)
def test_an_unsupported_column_is_refused(prop: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationRefused, match=message):
        contract_of([prop])


def test_two_columns_or_rules_with_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="duplicate column names"):
        contract_of([column("a"), column("a")])
    with pytest.raises(ConfigurationRefused, match="duplicate rules: odd"):
        contract_of([column("a")], [bad_rows("odd", "a = 'x'"), bad_rows("odd", "a = 'y'")])


def test_logical_types_become_arrow_types() -> None:
    columns = [
        column("a"),
        column("b", physicalType="dictionary"),
        column("c", "number"),
        column("d", "number", physicalType="DECIMAL(10, 2)"),
        column("e", "number", physicalType="double"),
        column("f", "integer", physicalType="int32"),
        column("g", "integer", required=True),
        column("h", "timestamp"),
        column("i", "date"),
        column("j", "boolean"),
    ]
    schema = contract_of(columns).arrow_schema
    assert schema.types == [
        pa.string(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.decimal128(18, 4),
        pa.decimal128(10, 2),
        pa.float64(),
        pa.int32(),
        pa.int64(),
        pa.timestamp("us", "UTC"),
        pa.date32(),
        pa.bool_(),
    ]
    assert [field.name for field in schema if not field.nullable] == ["g"]


def test_server_properties_become_the_read_spec() -> None:
    custom = {"quote": '"', "decimalMark": ",", "preamble": True, "recordPath": "a.b", "missingTokens": ["/"]}
    spec = contract_of([column("a")], server=delimited("\t", **custom)).read_spec
    assert spec is not None
    assert (spec.delimiter, spec.quote, spec.decimal_mark, spec.preamble) == ("\t", '"', ",", True)
    assert (spec.record_path, spec.missing_tokens, spec.encoding) == (("a", "b"), ("/",), "utf-8")


def test_an_unknown_format_or_server_property_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="format 'parquet'"):
        contract_of([column("a")], server={"format": "parquet"})
    with pytest.raises(ConfigurationRefused, match="unknown custom properties quotes"):
        contract_of([column("a")], server=delimited(quotes='"'))


def test_the_digest_is_that_of_the_content_and_a_changed_file_is_compiled_again(tmp_path: Path) -> None:
    path = tmp_path / "contract.odcs.yaml"
    path.write_text(json.dumps(contract_document([column("a")])))
    first = load_contract(path)
    assert load_contract(path) == first
    path.write_text(json.dumps(contract_document([column("b")])))
    assert load_contract(path).columns[0].name == "b"
    assert load_contract(path).digest != first.digest


@pytest.mark.parametrize("text", ["", "- a", "a: [", "apiVersion: v2.2.2", '{"apiVersion": "v3.2.0", "nonsense": 1}'])
def test_a_file_that_is_not_a_contract_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigurationRefused) as refusal:
        compile_contract(text.encode(), "x")
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nonsense", "../tables/loan", "_lineage", ""])
def test_an_unknown_name_is_refused_with_a_list_of_the_known_names(name: str) -> None:
    for find in (table_contract, source_contract):
        with pytest.raises(ConfigurationRefused, match="money_event"):
            find(name)


def test_included_columns_and_rules_belong_to_the_table() -> None:
    loan = table_contract("loan")
    assert loan.column("known_at").required
    assert {"source_row:range", "recorded_after_known"} <= {rule.rule_id for rule in loan.rules}
    assert "lineage" not in " ".join(table_names())
    with pytest.raises(KeyError):
        loan.column("nonsense")


def test_lag_and_identity_are_read() -> None:
    document = contract_document([column("a")], custom={"knownLagDays": 3})
    contract = compile_contract(json.dumps(document).encode(), "x")
    assert (contract.known_lag_days, contract.identity) == (3, "tiny@1.0.0")


def test_the_format_of_a_source_has_one_of_three_kinds_of_evidence() -> None:
    document = contract_document([column("a")], custom={"verification": {"thirdParty": " a tool of sellers "}})
    contract = compile_contract(json.dumps(document).encode(), "tiny")
    assert contract.verification.third_party == "a tool of sellers"
    document = contract_document([column("a")], custom={"verification": {"rumour": "a friend"}})
    with pytest.raises(ConfigurationRefused, match="unknown verification key 'rumour'"):
        compile_contract(json.dumps(document).encode(), "tiny")
