from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data_contracts.definition.compiler import (
    source_contract,
    source_names,
    table_contract,
    table_names,
    template_names,
)
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import ConfigurationRefused
from data_contracts.sources.registry import REFERENCE_LISTS, mapped_sources, source_mapping

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract


def headers(contract: CompiledContract) -> set[str]:
    return {name for column in contract.columns for name in (column.header, *column.synonyms)}


@pytest.mark.parametrize("source", source_names())
def test_no_source_has_the_columns_of_a_canonical_table(source: str) -> None:
    found = headers(source_contract(source))
    held = [name for name in table_names() if {column.name for column in table_contract(name).columns} <= found]
    assert held == []


@pytest.mark.parametrize("source", source_names())
def test_every_column_has_a_description_in_both_languages(source: str) -> None:
    for column in source_contract(source).columns:
        assert column.description, column.name
        assert any("\u4e00" <= letter <= "\u9fff" for letter in column.description_zh) or column.description_zh in {
            "SKU",
            "订单ID",
        }, column.name


@pytest.mark.parametrize("source", mapped_sources())
def test_every_source_has_a_mapping_to_canonical_tables(source: str) -> None:
    mapping = source_mapping(source)
    assert mapping.source == source
    assert set(mapping.covered_tables) <= set(table_names())


def test_every_table_that_a_source_covers_may_be_named_in_the_coverage() -> None:
    column = next(c for c in table_contract("source_coverage").columns if c.name == "covered_table")
    covered = {table for name in mapped_sources() for table in source_mapping(name).covered_tables}
    assert covered <= set(column.enum)


def test_every_contract_has_a_mapping_or_describes_other_sources() -> None:
    templates = {f"{PREFIX}{table}" for table in template_names()}
    assert set(mapped_sources()) | set(REFERENCE_LISTS) == set(source_names()) | templates


@pytest.mark.parametrize(
    "word", ["email", "name", "phone", "street", "zip", "address_text", "username", "account_number"]
)
def test_columns_about_people_are_personal(word: str) -> None:
    people = {
        "shopify_orders": {"email", "billing_name", "shipping_name", "phone", "billing_street", "shipping_zip"},
        "company_links": {"entity_name", "address_text", "username", "account_number", "phone_number"},
        "customs_declaration": {"consignee_name"},
    }
    for source, names in people.items():
        for column in source_contract(source).columns:
            if column.name in names and word in column.name:
                assert column.classification == "personal", column.name


def test_an_unknown_source_is_refused_with_a_list_of_the_known_sources() -> None:
    with pytest.raises(ConfigurationRefused, match="shopify_orders"):
        source_mapping("delivery_manifest")


def test_settlements_may_hold_events_of_the_month_before_their_period() -> None:
    reach = {name: source_mapping(name).reaches_back_days for name in mapped_sources()}
    assert {name: days for name, days in reach.items() if days} == {
        "amazon_settlement_v1": 31,
        "amazon_settlement_v2": 31,
        "shein_report": 31,
        "stripe_payout_reconciliation": 31,
    }
