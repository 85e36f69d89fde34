from __future__ import annotations

import pytest

from data_contracts.definition.compiler import source_contract, source_names, table_contract
from data_contracts.definition.contract import VERIFIED_AGAINST
from data_contracts.definition.pages import contract_page, verification_table, verified_page
from tests.factories.contracts import bad_rows, column, contract_of, delimited


def test_a_page_shows_columns_rules_and_origin() -> None:
    columns = [
        column("day", "date", header="Day", required=True, logicalTypeOptions={"format": "yyyy/M/d"}),
        column("kind", header="Kind|", enum=[{"value": "有效", "label": "valid"}], custom={"optionalHeader": True}),
        column("paid", "number", header="", custom={"unit": "USD"}, primaryKey=True),
    ]
    contract = contract_of(columns, [bad_rows("odd", "paid < 0", "warning")], server=delimited(quote='"'))
    page = contract_page(contract)
    assert "Contract `tiny@1.0.0`" in page
    assert "primary key `paid`" in page
    assert "| `day` | `Day` | date, format yyyy/M/d |  | yes | Meaning of day | 含义 | internal |" in page
    assert "`Kind\\|` (may be absent)" in page
    assert "| `paid` | (no header) | decimal(18, 4) | USD |" in page
    assert "`kind`: `有效` (valid)" in page
    assert "| `odd` | odd | row | counted |" in page


def test_every_row_of_a_page_table_has_the_same_number_of_cells() -> None:
    hostile = column("a", header="A", description="a | b <script> `x|y` [z](http://e)")
    page = contract_page(contract_of([hostile], server=delimited()))
    rows = [line.replace("\\|", "") for line in page.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows[:3]}) == 1
    assert "<script>" not in page
    assert "\\[z](http" in page


def test_a_page_and_the_index_state_how_the_format_of_a_source_was_verified() -> None:
    source = source_contract("shein_report")
    assert "- ~ third-party: fields, types, Beijing time" in contract_page(source)
    table = verification_table([source, table_contract("loan")])
    assert table.splitlines()[0] == "| Source | ✔ verified | ~ third-party | ✘ not verified |"
    assert len(table.splitlines()) == 3


@pytest.mark.parametrize("name", source_names())
def test_every_source_states_how_its_format_was_verified(name: str) -> None:
    known = source_contract(name).verification
    assert known.verified or known.third_party or known.not_verified


@pytest.mark.parametrize("source", source_names())
def test_every_source_says_what_its_form_was_verified_against_and_when(source: str) -> None:
    known = source_contract(source).verification
    what = f'against: [some of: {", ".join(VERIFIED_AGAINST)}] and checkedOn: "YYYY-MM-DD"'
    remedy = f"add to the property verification in data_contracts/sources/{source}/contract.odcs.yaml: {what}"
    assert known.against, remedy
    assert known.checked_on is not None, remedy


def test_the_page_of_verified_sources_marks_what_each_was_compared_with() -> None:
    page = verified_page([source_contract("vat_invoices"), source_contract("vat_tax_platform")])
    assert "| Source | Own sample | Documented form | Code of others | Real file | Checked on |" in page
    assert "| `vat_invoices` | ✔ |  |  | ✔ | 2026-11-30 |" in page
    assert "| `vat_tax_platform` | ✔ |  | ✔ |  | 2026-11-30 |" in page
    assert "2 sources. 1 of them read a real file" in page
