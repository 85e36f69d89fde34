"""The Chinese pages describe tables, sources and rules in Chinese."""

from __future__ import annotations

import re

import pytest

from data_contracts.definition.compiler import source_contract, source_names, table_contract, table_names
from data_contracts.mapping.bank.entries import GAP, UNCHECKED
from pipelines.reports.rendering import page_texts
from pipelines.reports.validation_page import reading_reason, rule_reason

BESIDE = re.compile(r" \([\u4e00-\u9fff]+\)")
"""A Chinese name beside an English title, which an English page leaves out."""


@pytest.mark.parametrize("table", table_names())
def test_every_table_and_every_rule_of_it_has_chinese_words(table: str) -> None:
    texts, contract = page_texts("validation_page", "zh"), table_contract(table)
    assert f"table_{table}" in texts.words
    for rule in contract.rules:
        stated = {"rule_id": rule.rule_id, "kind": rule.kind, "column": rule.column, "description": rule.description}
        assert not rule_reason(stated, contract, texts).foreign, rule.rule_id


@pytest.mark.parametrize("source", source_names())
def test_every_rule_of_a_source_has_chinese_words(source: str) -> None:
    texts, contract = page_texts("validation_page", "zh"), source_contract(source)
    assert [rule.rule_id for rule in contract.rules if reading_reason(rule.rule_id, contract, texts).foreign] == []


@pytest.mark.parametrize(
    ("source", "remark"),
    [
        ("shein_report", "report not settled yet, so without a payout"),
        ("shein_statement", "statement not settled yet, so without a payout"),
        ("shein_statement", "statement paid with another of its report"),
        ("shein_statement", "charge of unknown kind / 9"),
        ("shein_report", "amount of unknown kind / deduction"),
        ("shein_report", "amount in words of a loan / loan deduction"),
        ("temu_ledger", "amount that the settlement workbook details"),
        ("alibaba_1688_orders", "order not paid yet"),
        ("china_bank_statement", "balance:chain"),
        ("china_bank_statement", GAP),
        ("camt053_statement", "balance:statement"),
        ("camt053_statement", "entry not booked"),
        ("ofx_statement", UNCHECKED),
        ("trade_data_workbook", "exporter:one"),
        ("us_bills_of_lading", "master bill whose house bills are in the file"),
        ("vat_tax_platform", "seller:unclear"),
        ("vat_tax_platform", "sheet:sum"),
        ("vat_tax_platform", "sum of the sheet"),
        ("vat_tax_platform", "line of an invoice in the first sheet"),
        ("vat_tax_platform", "earlier row of the same invoice"),
        ("vat_tax_platform", "its lines do not add up to the invoice"),
        ("amazon_date_range", "amount counted in amazon_settlement_v2"),
        ("paypal_activity", "amount counted in another file of paypal_activity"),
    ],
)
def test_remarks_of_mappings_have_words_in_both_languages(source: str, remark: str) -> None:
    contract = source_contract(source)
    english, chinese = (
        reading_reason(remark, contract, page_texts("validation_page", one)).words for one in ("en", "zh")
    )
    assert remark not in {english, chinese}
    assert any("\u4e00" <= character <= "\u9fff" for character in chinese)


def test_the_english_words_of_rules_tables_and_sources_are_those_of_their_contracts() -> None:
    words = page_texts("validation_page", "en").words
    contracts = [*map(source_contract, source_names()), *map(table_contract, table_names())]
    stated: dict[str, set[str]] = {}
    for contract in contracts:
        for rule in contract.rules:
            stated.setdefault(f"rule_{rule.rule_id}", set()).add(rule.description)
    for kind, names, contract_of in (
        ("source", source_names(), source_contract),
        ("table", table_names(), table_contract),
    ):
        stated |= {f"{kind}_{name}": {BESIDE.sub("", contract_of(name).title)} for name in names}
    assert {key: text for key, text in words.items() if key in stated and text not in stated[key]} == {}
