from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from data_contracts.compatibility.change import ChangeKind
from data_contracts.compatibility.contracts import change_report, contract_changes
from data_contracts.definition.compiler import (
    compile_contract,
    contract_names,
    named_contract,
    source_contract,
    table_names,
    template_names,
)
from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import ConfigurationRefused
from tests.factories.contracts import bad_rows, column, contract_document, delimited

Parts = tuple[str, str, bool]


def contract(
    columns: Sequence[Mapping[str, Any]],
    quality: Sequence[Mapping[str, Any]] = (),
    server: Mapping[str, Any] | None = None,
) -> CompiledContract:
    fields = delimited(**(server or {}))
    return compile_contract(json.dumps(contract_document(columns, quality, fields)).encode(), "tiny")


def parts(old: CompiledContract, new: CompiledContract) -> list[Parts]:
    """Return kind, place and breaking flag of each change."""
    return [(change.kind, change.place, change.breaking) for change in contract_changes(old, new)]


def of_column(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Parts]:
    """Return the change between two versions of one column."""
    other = column("other", header="Other")
    return parts(contract([before, other]), contract([after, other]))


PLAIN = column("amount", "number", header="Amount")
RANGED = {**PLAIN, "logicalTypeOptions": {"minimum": 0, "maximum": 100}}
KINDS = column("kind", header="Kind", enum=[{"value": "a"}, {"value": "b"}])


def bounded(**options: object) -> dict[str, Any]:
    return {**PLAIN, "logicalTypeOptions": options}


def in_unit(unit: str) -> dict[str, Any]:
    return column("amount", "number", header="Amount", custom={"unit": unit})


def of_severity(severity: str) -> dict[str, Any]:
    return {**RANGED, "customProperties": [{"property": "severity", "value": {"range": severity}}]}


@pytest.mark.parametrize("name", [*contract_names(), *(f"template_{table}" for table in template_names())])
def test_a_contract_has_no_changes_against_itself(name: str) -> None:
    assert contract_changes(named_contract(name), named_contract(name)) == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (PLAIN, {**PLAIN, "name": "value"}, [("column renamed", "value", True)]),
        (PLAIN, {**PLAIN, "physicalType": "double"}, [("column type changed", "amount", True)]),
        (PLAIN, {**PLAIN, "required": True}, [("column made required", "amount:required", True)]),
        (PLAIN, {**PLAIN, "physicalName": "Sum"}, [("header changed", "amount", True)]),
        (PLAIN, {**PLAIN, "synonyms": [{"synonym": "金额"}]}, [("header changed", "amount", False)]),
        (PLAIN, {**PLAIN, "physicalName": "AMOUNT"}, [("header changed", "amount", False)]),
        (PLAIN, {**PLAIN, "physicalName": "Аmount"}, [("header looks the same but differs", "amount", True)]),
        (PLAIN, {**PLAIN, "physicalName": "Ａmount"}, [("header changed", "amount", False)]),
        (PLAIN, {**PLAIN, "physicalName": "Amount "}, [("header changed", "amount", False)]),
        (PLAIN, {**PLAIN, "classification": "personal"}, [("classification changed", "amount", True)]),
        (PLAIN, {**PLAIN, "classification": "public"}, [("classification changed", "amount", False)]),
        (PLAIN, {**PLAIN, "description": "Money"}, [("wording changed", "amount", False)]),
        (in_unit("kg"), in_unit("g"), [("unit changed", "amount", True)]),
        (PLAIN, in_unit("kg"), [("unit changed", "amount", False)]),
        (PLAIN, RANGED, [("rule added", "amount:range", True)]),
        (RANGED, PLAIN, [("rule dropped", "amount:range", False)]),
        (PLAIN, of_severity("warning"), [("rule added", "amount:range", False)]),
        (RANGED, bounded(minimum=1, maximum=100), [("rule tightened", "amount:range", True)]),
        (RANGED, bounded(exclusiveMinimum=0, maximum=100), [("rule tightened", "amount:range", True)]),
        (RANGED, bounded(minimum=0), [("rule loosened", "amount:range", False)]),
        (RANGED, bounded(minimum=1, maximum=101), [("rule changed", "amount:range", True)]),
        (RANGED, of_severity("critical"), [("severity raised", "amount:range", True)]),
        (RANGED, of_severity("warning"), [("severity lowered", "amount:range", False)]),
        (KINDS, {**KINDS, "enum": [{"value": "a"}]}, [("enum narrowed", "kind:enum", True)]),
        (KINDS, {**KINDS, "enum": [*KINDS["enum"], {"value": "c"}]}, [("enum widened", "kind:enum", False)]),
        (KINDS, {**KINDS, "enum": KINDS["enum"][::-1]}, []),
        (
            KINDS,
            {**KINDS, "enum": [{"value": "a", "label": "x"}, {"value": "b"}]},
            [("value label changed", "kind", True)],
        ),
        (PLAIN, {**PLAIN, "primaryKey": True}, [("primary key changed", "primary key", True)]),
        (
            PLAIN,
            {**PLAIN, "customProperties": [{"property": "optionalHeader", "value": True}]},
            [("header requirement changed", "amount", False)],
        ),
    ],
)
def test_each_kind_of_column_change_is_reported_as_such(
    before: Mapping[str, Any], after: Mapping[str, Any], expected: list[Parts]
) -> None:
    assert of_column(before, after) == expected


def test_removed_and_added_columns_are_reported_without_their_rules() -> None:
    optional = {**column("note", required=False), "customProperties": [{"property": "optionalHeader", "value": True}]}
    before, after = (
        contract([PLAIN, KINDS]),
        contract([PLAIN, RANGED | {"name": "tax", "physicalName": "Tax", "description": "Tax"}]),
    )
    assert parts(before, after) == [("column dropped", "kind", True), ("column added", "tax", True)]
    assert parts(contract([PLAIN]), contract([PLAIN, optional])) == [("column added", "note", False)]
    assert parts(contract([PLAIN, KINDS]), contract([KINDS, PLAIN])) == [("columns reordered", "columns", False)]


def test_a_renamed_column_keeps_its_rules_and_key() -> None:
    rule = bad_rows("positive", "amount < 0")
    key = {"primaryKey": True, "required": True}
    before = contract([RANGED | key], [rule])
    after = contract([RANGED | key | {"name": "value"}], [{**rule, "query": rule["query"].replace("amount", "value")}])
    assert parts(before, after) == [("column renamed", "value", True)]


def test_a_unit_a_hundred_times_smaller_is_reported() -> None:
    before, after = (contract([in_unit(unit)]) for unit in ("currency of the row", "smallest unit of the currency"))
    (change,) = contract_changes(before, after)
    assert change.words.endswith("the same amount is now a number 100 times as large")
    (back,) = contract_changes(after, before)
    assert back.words.endswith("0.01 times as large")


def test_bounds_a_hundred_times_larger_suggest_another_unit() -> None:
    (change,) = contract_changes(contract([RANGED]), contract([bounded(minimum=0, maximum=10_000)]))
    assert change.kind is ChangeKind.RULE_LOOSENED
    assert "by the factor 100" in change.words
    (change,) = contract_changes(contract([RANGED]), contract([bounded(minimum=0, maximum=101)]))
    assert "factor" not in change.words


def test_table_rules_are_compared_by_name() -> None:
    rule, other = bad_rows("positive", "amount < 0"), bad_rows("positive", "amount <= 0")
    spaced = {**rule, "query": rule["query"].replace(" ", "  ")}
    assert parts(contract([PLAIN]), contract([PLAIN], [rule])) == [("rule added", "positive", True)]
    assert parts(contract([PLAIN], [rule]), contract([PLAIN], [other])) == [("rule changed", "positive", True)]
    assert parts(contract([PLAIN], [rule]), contract([PLAIN], [spaced])) == []
    assert parts(contract([PLAIN], [rule]), contract([PLAIN])) == [("rule dropped", "positive", False)]


@pytest.mark.parametrize(
    ("before", "after", "breaking"),
    [
        ({}, {"decimalMark": ","}, True),
        ({}, {"preamble": True}, False),
        ({"preamble": True}, {}, True),
        ({"extraColumns": "refuse"}, {"extraColumns": "allow"}, False),
        ({}, {"extraColumns": "refuse"}, True),
        ({}, {"thousandsMark": ","}, False),
        ({}, {"missingTokens": ["/"]}, True),
    ],
)
def test_another_file_format_is_breaking_unless_it_only_accepts_more(
    before: dict[str, Any], after: dict[str, Any], breaking: bool
) -> None:
    (change,) = contract_changes(contract([PLAIN], server=before), contract([PLAIN], server=after))
    assert (change.kind, change.breaking) == (ChangeKind.FORMAT_CHANGED, breaking)


def test_headers_of_a_contract_without_a_file_format_are_compared() -> None:
    named, disguised = (
        compile_contract(json.dumps(contract_document([column("amount", header=header)])).encode(), "tiny")
        for header in ("Amount", "Аmount")
    )
    assert parts(named, disguised) == [("header looks the same but differs", "amount", True)]


def test_two_sources_differ_in_name_columns_and_format() -> None:
    changes = contract_changes(source_contract("temu_ledger"), source_contract("temu_pending"))
    kinds = {change.kind for change in changes}
    assert {ChangeKind.CONTRACT_RENAMED, ChangeKind.COLUMN_DROPPED, ChangeKind.FORMAT_CHANGED} <= kinds
    assert [change.breaking for change in changes] == sorted((change.breaking for change in changes), reverse=True)


def test_the_report_counts_both_kinds_of_change_and_asks_for_a_new_version() -> None:
    before, after = contract([PLAIN]), contract([{**PLAIN, "physicalName": "Su\u202em", "description": "x"}])
    lines = change_report(before, after, contract_changes(before, after))
    assert lines[0] == "tiny@1.0.0 → tiny@1.0.0: 1 breaking, 1 compatible"
    assert [line.partition(":")[0] for line in lines[1:]] == ["breaking", "compatible", "note"]
    assert not any("\u202e" in line for line in lines)


def test_a_contract_is_found_by_file_source_template_or_table(tmp_path: Path) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text(json.dumps(contract_document([PLAIN])), encoding="utf-8")
    assert named_contract(str(file)).contract_id == "tiny"
    assert named_contract("temu_ledger").contract_id == "temu_ledger"
    assert named_contract("template_loan").contract_id == "template_loan"
    assert {named_contract(name).contract_id for name in table_names()} == set(table_names())
    with pytest.raises(ConfigurationRefused, match="is not a file, source or table"):
        named_contract(str(tmp_path / "absent.yaml"))
    file.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ConfigurationRefused, match="more than"):
        named_contract(str(file))
