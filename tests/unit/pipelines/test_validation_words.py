"""What the Chinese validation page says of tables and their rules is said in Chinese."""

from __future__ import annotations

import pytest

from data_contracts.compiler import table_contract, table_names
from pipelines.reports.rendering import page_texts
from pipelines.reports.validation_page import rule_reason


@pytest.mark.parametrize("table", table_names())
def test_every_table_and_every_rule_of_it_has_chinese_words(table: str) -> None:
    texts, contract = page_texts("validation_page", "zh"), table_contract(table)
    assert f"table_{table}" in texts.words
    for rule in contract.rules:
        stated = {"rule_id": rule.rule_id, "kind": rule.kind, "column": rule.column, "description": rule.description}
        assert not rule_reason(stated, contract, texts).foreign, rule.rule_id
