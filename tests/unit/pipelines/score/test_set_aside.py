"""Before scoring, the rule and the currency that set rows aside are named."""

from __future__ import annotations

from pathlib import Path

from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import table_contract
from pipelines.score.set_aside import set_aside_note
from tests.factories.raw_files import RawFile, ingested

HEADER = "Transaction Date,Type,Order,Payout Status,Payout Date,Payout ID,Available On,Amount,Fee,Net,Checkout,Currency"


def shopify(*rows: str) -> RawFile:
    lines = [
        f"2023-08-1{n} 16:59:53 +0400,charge,#{n},paid,2023-09-01,9,2023-09-01,{row}" for n, row in enumerate(rows)
    ]
    data = "\n".join([HEADER, *lines, ""]).encode()
    return RawFile("transactions.csv", "shopify_payout_transactions", data, "S000001", "P1")


def test_a_note_names_the_rules_and_the_currency_without_a_rate(tmp_path: Path) -> None:
    good, bad, foreign = "100.00,3.20,96.80,#7,USD", "100.00,3.20,96.81,#7,USD", "100.00,3.20,96.80,#7,TWD"
    result = ingested(tmp_path, [shopify(good, bad, foreign)])
    checked = {name: check_rows(table, table_contract(name)) for name, table in result.tables.items()}
    (note,) = set_aside_note(result, checked)
    assert note == (
        "3 rows of the raw exports were set aside: money_event: amount_usd:required, no exchange rate for TWD (2); "
        "shopify_payout_transactions: net_is_gross_less_fee (1)"
    )


def test_without_rows_set_aside_there_is_no_note(tmp_path: Path) -> None:
    result = ingested(tmp_path, [shopify("100.00,3.20,96.80,#7,USD")])
    checked = {name: check_rows(table, table_contract(name)) for name, table in result.tables.items()}
    assert set_aside_note(result, checked) == ()
