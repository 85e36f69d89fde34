"""Requirements on every contract file, found by listing, not by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import jsonschema
import pyarrow as pa
import pytest
import yaml

from data_contracts.checks.expectations import expectation_suite
from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import source_contract, source_names, table_contract, table_names
from data_contracts.definition.contract import CompiledContract
from data_contracts.definition.pages import contract_page
from tests.factories.contracts import extreme_table, sample_table

EVENT_TABLES = {
    "account_health",
    "ad_spend",
    "application",
    "asset_register",
    "bank_entry",
    "cash_balance",
    "certificate",
    "consent",
    "credit_record",
    "debt",
    "export_declaration",
    "export_document",
    "insurance",
    "inventory_snapshot",
    "ip_claim",
    "loan",
    "login_event",
    "logistics_event",
    "money_event",
    "party",
    "party_link",
    "pledge",
    "production_capacity",
    "public_record",
    "purchase_order",
    "rating_review",
    "receivable",
    "repayment",
    "site_day",
    "site_order",
    "social_day",
    "source_coverage",
    "trade_invoice",
    "warehouse_receipt",
}


def contracts() -> list[CompiledContract]:
    return [table_contract(name) for name in table_names()] + [source_contract(name) for name in source_names()]


def contract_id(contract: CompiledContract) -> str:
    return contract.contract_id


def files() -> Iterator[Traversable]:
    for folder in ("data_contracts.tables", "data_contracts.sources"):
        for entry in resources.files(folder).iterdir():
            inner = entry.iterdir() if entry.is_dir() else [entry]
            yield from (file for file in inner if file.name.endswith(".odcs.yaml"))


@cache
def loaded(file: Traversable) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return document


def document_of(contract: CompiledContract) -> dict[str, Any]:
    named = resources.files("data_contracts.tables") / f"{contract.contract_id}.odcs.yaml"
    source = resources.files("data_contracts.sources") / contract.contract_id / "contract.odcs.yaml"
    return loaded(named if named.is_file() else source)


def stated_rules(contract: CompiledContract) -> int:
    """Count the rules of a contract in its YAML, without the compiler."""
    document = document_of(contract)
    schemas = [document["schema"][0]]
    if any(entry["property"] == "includes" for entry in document.get("customProperties", [])):
        shared = resources.files("data_contracts.tables") / "_lineage.odcs.yaml"
        schemas.append(loaded(shared)["schema"][0])
    properties = [prop for schema in schemas for prop in schema["properties"]]
    count = 0
    for prop in properties:
        options = prop.get("logicalTypeOptions", {})
        count += bool(prop.get("required")) + bool(prop.get("unique")) + bool(prop.get("enum")) + ("pattern" in options)
        count += any(key in options for key in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"))
        count += any(key in options for key in ("minLength", "maxLength"))
        count += len(prop.get("quality", []))
    count += any(prop.get("primaryKey") for prop in properties)
    return count + sum(len(schema.get("quality", [])) for schema in schemas)


def test_all_canonical_tables_have_a_contract() -> None:
    assert set(table_names()) >= EVENT_TABLES | {"feature_matrix", "score"}


def test_there_are_source_contracts() -> None:
    assert {"vat_invoices", "lender_loans"} <= set(source_names())


@pytest.mark.slow
def test_every_file_is_valid_odcs() -> None:
    schema = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    found = {str(file): [error.message for error in validator.iter_errors(loaded(file))] for file in files()}
    assert len(found) > 100
    assert {file: faults for file, faults in found.items() if faults} == {}


@pytest.mark.parametrize("contract", contracts(), ids=contract_id)
def test_every_rule_has_one_expectation_and_one_check(contract: CompiledContract) -> None:
    stated = stated_rules(contract)
    rule_ids = [rule.rule_id for rule in contract.rules]
    assert stated == len(rule_ids) == len(set(rule_ids)) > 0
    suite = expectation_suite(contract)
    assert sorted(expectation.meta["rule_id"] for expectation in suite.expectations) == sorted(rule_ids)
    checked = check_rows(sample_table(contract, 20), contract)
    assert list(checked.counts_by_rule) == rule_ids


def is_described(prop: dict[str, Any]) -> bool:
    """Return whether a column has an English and a Chinese description and a sensitivity."""
    name = prop["businessName"]
    is_chinese = any(ord(letter) > 0x2E80 for letter in name) or name == "SKU"
    sensitivities = {"public", "internal", "confidential", "personal"}
    return bool(prop["description"]) and is_chinese and prop["classification"] in sensitivities


def test_every_column_has_descriptions_in_two_languages_and_a_sensitivity() -> None:
    columns = [(one.contract_id, p) for one in contracts() for p in document_of(one)["schema"][0]["properties"]]
    assert len(columns) > 1000
    assert [(contract, prop["name"]) for contract, prop in columns if not is_described(prop)] == []


@pytest.mark.parametrize("change", [{"description": ""}, {"businessName": "amount"}, {"classification": "secret"}])
def test_a_column_that_is_not_described_would_be_noticed(change: dict[str, str]) -> None:
    good = {"name": "a", "description": "An amount.", "businessName": "金额", "classification": "internal"}
    assert is_described(good)
    assert not is_described({**good, **change})


def test_every_number_of_a_canonical_table_has_a_unit() -> None:
    for name in table_names():
        for column in table_contract(name).columns:
            is_number = not isinstance(column.arrow_type, pa.DictionaryType) and (
                pa.types.is_decimal(column.arrow_type) or pa.types.is_integer(column.arrow_type)
            )
            assert column.unit or not is_number, (name, column.name)


def test_every_rule_of_a_table_has_a_description() -> None:
    for name in table_names():
        assert all(rule.description for rule in table_contract(name).rules)


# Publishers gave some columns of their reports the plain words that everybody uses.
FIXED_BY_OTHERS = {
    "aliexpress_loan": {"order_id"},
    "amazon_date_range": {"marketplace", "quantity", "sku"},
    "amazon_inventory_planning": {"available", "currency", "marketplace", "sku"},
    "amazon_settlement_v1": {"currency", "sku"},
    "amazon_settlement_v2": {"currency", "amount", "sku"},
    "ceb_receipt": {"currency"},
    "ceb_waybill": {"currency"},
    "ga4_events": {"event_date", "user_id"},
    "stripe_payout_reconciliation": {"available_on", "currency"},
    "woocommerce_orders": {"currency", "status"},
}


def test_no_raw_header_equals_a_canonical_column_unless_its_publisher_uses_that_name() -> None:
    canonical = {column.name for table in table_names() for column in table_contract(table).columns}
    shared = {}
    for name in source_names():
        raw = {header for column in source_contract(name).columns for header in (column.header, *column.synonyms)}
        shared[name] = raw & canonical
    assert {name: headers for name, headers in shared.items() if headers} == FIXED_BY_OTHERS


def test_coverage_can_name_every_event_table_except_itself() -> None:
    coverable = set(table_contract("source_coverage").column("covered_table").enum)
    assert coverable == EVENT_TABLES - {"source_coverage"}


def test_event_tables_end_with_the_lineage_columns() -> None:
    lineage = ["event_date", "known_at", "recorded_at", "superseded_at", "superseded_recorded_at", "row_version"]
    lineage += ["source", "source_file", "source_sha256", "source_row"]
    for name in EVENT_TABLES:
        assert [column.name for column in table_contract(name).columns][-10:] == lineage


def test_every_contract_has_a_page_that_shows_each_column_and_rule() -> None:
    absent = []
    for contract in contracts():
        page = contract_page(contract)
        names = [
            f"| `{name}` |" for name in (*(c.name for c in contract.columns), *(r.rule_id for r in contract.rules))
        ]
        texts = [*names, *(column.description_zh for column in contract.columns)]
        absent += [(contract.contract_id, text) for text in texts if text not in page]
    assert absent == []


def test_the_page_of_a_contract_is_the_same_each_time() -> None:
    contract = source_contract("vat_invoices")
    assert contract_page(contract) == contract_page(contract)


@pytest.mark.parametrize("contract", contracts(), ids=contract_id)
def test_the_largest_amounts_break_rules_but_do_not_crash_the_check(contract: CompiledContract) -> None:
    assert check_rows(extreme_table(contract), contract).rows_in == 2
