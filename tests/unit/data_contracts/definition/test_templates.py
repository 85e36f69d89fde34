"""Our own templates share one mechanism, so every claim is tested on every table."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from data_contracts.checks.expectations import expectation_suite
from data_contracts.checks.rows import check_rows
from data_contracts.definition.compiler import (
    source_contract,
    table_contract,
    table_names,
    table_template,
    template_names,
)
from data_contracts.definition.templates import PREFIX
from data_contracts.errors import ConfigurationRefused, InputRefused
from data_contracts.privacy import keyed_pseudonyms
from tests.factories.contracts import sample_table
from tests.factories.files.templates import SELLER, template_csv, template_row
from tests.factories.raw_files import HMAC_KEY, RawFile, cells, ingested, only_account

if TYPE_CHECKING:
    from data_contracts.definition.contract import CompiledContract
    from pipelines.ingest.stage import IngestResult

TABLES = template_names()
WITHOUT_TEMPLATE = {"credit_record", "feature_matrix", "party_match", "score", "source_coverage"}
VERSION = {"superseded_at", "superseded_recorded_at", "row_version"}
LINEAGE_OF_OURS = {"recorded_at", *VERSION, "source", "source_file", "source_sha256", "source_row"}


def contract_of(table: str) -> CompiledContract:
    return source_contract(f"{PREFIX}{table}")


def delivered(folder: Path, table: str, data: bytes, seller: str = SELLER, name: str = "a.csv") -> IngestResult:
    return ingested(folder, [RawFile(name, f"{PREFIX}{table}", data, seller)])


def delivered_rows(folder: Path, table: str, *rows: dict[str, str], seller: str = SELLER) -> IngestResult:
    return delivered(folder, table, template_csv(rows), seller)


def test_every_event_table_a_third_party_can_deliver_has_a_template() -> None:
    assert set(template_names()) == set(table_names()) - WITHOUT_TEMPLATE


def test_the_derived_contracts_are_valid_odcs() -> None:
    schema = json.loads((resources.files("open_data_contract_standard") / "schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    faults = {table: [*validator.iter_errors(json.loads(table_template(table).contract_bytes))] for table in TABLES}
    assert {table: found for table, found in faults.items() if found} == {}


def test_a_template_has_every_column_that_the_pipeline_does_not_compute() -> None:
    found, expected = {}, {}
    for table in TABLES:
        template = table_template(table)
        renamed = {pseudonym.column: pseudonym.raw_column for pseudonym in template.pseudonyms}
        made = LINEAGE_OF_OURS | {"counted_in"} | set(template.usd_of)
        expected[table] = [renamed.get(c.name, c.name) for c in table_contract(table).columns if c.name not in made]
        found[table] = [column.header for column in contract_of(table).columns]
    assert found == expected


def rules_of_the_table(table: str) -> set[str]:
    """Return the rules of a table that are about what a template delivers, named as in the template."""
    template = table_template(table)
    renamed = {pseudonym.column: pseudonym.raw_column for pseudonym in template.pseudonyms}
    made = LINEAGE_OF_OURS | {"counted_in"} | set(template.usd_of)
    expected = set()
    for rule in table_contract(table).rules:
        words = set(re.findall(r"\w+", rule.arguments.sql or rule.column or ""))
        form_of_pseudonym = rule.column in renamed and rule.rule_id.endswith(":pattern")
        if not words & made and not form_of_pseudonym and rule.rule_id != "known_at:required":
            column, _, kind = rule.rule_id.partition(":")
            expected.add(f"{renamed.get(column, column)}:{kind}" if kind else column)
    return expected


def test_every_rule_of_the_table_applies_to_the_template_unless_it_is_about_pipeline_columns() -> None:
    found = {table: {rule.rule_id for rule in contract_of(table).rules} for table in TABLES}
    assert found == {table: rules_of_the_table(table) for table in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_every_rule_of_a_template_has_one_expectation_and_one_check(table: str) -> None:
    contract = contract_of(table)
    rule_ids = [rule.rule_id for rule in contract.rules]
    suite = expectation_suite(contract)
    assert sorted(expectation.meta["rule_id"] for expectation in suite.expectations) == sorted(rule_ids)
    assert list(check_rows(sample_table(contract, 20), contract).counts_by_rule) == rule_ids


def test_headers_of_a_template_are_distinct_in_both_languages() -> None:
    for table in TABLES:
        contract = contract_of(table)
        headers = [name for column in contract.columns for name in (column.header, *column.synonyms)]
        assert len(headers) == len(set(headers)) == 2 * len(contract.columns), table


@pytest.mark.parametrize("table", TABLES)
def test_valid_rows_reach_the_table_and_satisfy_its_contract(table: str, tmp_path: Path) -> None:
    result = delivered_rows(tmp_path, table, template_row(table, "R1"), template_row(table, "R2"))
    account = only_account(result)
    assert (account.rows_in, account.accepted, account.quarantined, account.duplicates) == (2, 2, {}, {})
    checked = check_rows(result.tables[table], table_contract(table))
    assert checked.accepted.num_rows == 2
    assert set(cells(result.tables["source_coverage"], "covered_table")) <= {table}


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_accepted_quarantined_or_a_duplicate_and_bad_cells_are_named(table: str, tmp_path: Path) -> None:
    good, repeated = template_row(table, "R1"), template_row(table, "R1")
    bad_date = template_row(table, "R2", event_date="2023-02-30")
    no_date = template_row(table, "R3", event_date="")
    account = only_account(result := delivered_rows(tmp_path, table, good, repeated, bad_date, no_date))
    assert account.rows_in == 4
    assert account.accepted == result.tables[table].num_rows == 1
    assert account.duplicates == {"repeated row": 1}
    assert account.quarantined == {"event_date:required": 1, "type:event_date": 1}
    set_aside = {row["rule_id"]: (row["source_row"], row["column"]) for row in result.quarantine.to_pylist()}
    assert set_aside == {"type:event_date": (4, "event_date"), "event_date:required": (5, "event_date")}


@pytest.mark.parametrize("table", TABLES)
def test_chinese_headers_are_read(table: str, tmp_path: Path) -> None:
    row = template_row(table)
    synonyms = {column.header: column.synonyms[0] for column in contract_of(table).columns}
    account = only_account(delivered_rows(tmp_path, table, {synonyms[name]: cell for name, cell in row.items()}))
    assert account.accepted == 1
    assert account.notes == ()


@pytest.mark.parametrize("table", [name for name in template_names() if table_template(name).pseudonyms])
def test_a_pseudonymised_value_never_leaves_ingest_as_plain_text(table: str, tmp_path: Path) -> None:
    canaries = {p.raw_column: f"Wq7Canary{number}" for number, p in enumerate(table_template(table).pseudonyms)}
    # Where the raw column is the key of the table, two rows with the same canary would be one.
    rows = [template_row(table, **canaries), template_row(table, "R2", **canaries, event_date="never")]
    result = delivered_rows(tmp_path, table, *rows)
    (row,) = result.tables[table].to_pylist()
    for pseudonym in table_template(table).pseudonyms:
        (expected,) = keyed_pseudonyms(pa.array([canaries[pseudonym.raw_column]]), HMAC_KEY, pseudonym.purpose)
        assert row[pseudonym.column] == expected.as_py()
    shown = str({name: content.to_pydict() for name, content in result.tables.items()})
    if any(column.classification == "personal" for column in contract_of(table).columns):
        shown += str(result.quarantine.to_pydict())
    assert result.quarantine.num_rows == 1
    assert "wq7canary" not in shown.lower()


def test_one_asset_has_one_pseudonym_in_every_table(tmp_path: Path) -> None:
    tables = ("receivable", "pledge", "warehouse_receipt", "asset_register")
    found = {
        delivered_rows(tmp_path / table, table, template_row(table, asset_reference="INV 2023/77"))
        .tables[table]["asset_id"][0]
        .as_py()
        for table in tables
    }
    assert len(found) == 1


def test_amounts_are_converted_at_the_rate_of_the_event_date(tmp_path: Path) -> None:
    row = template_row("inventory_snapshot", stock_value="100.00", currency="EUR", event_date="2023-03-06")
    table = delivered_rows(tmp_path, "inventory_snapshot", row).tables["inventory_snapshot"]
    assert cells(table, "stock_value", "stock_value_usd") == [(Decimal("100.0000"), Decimal("106.4600"))]


def test_an_amount_in_an_unknown_currency_has_no_dollar_value_and_breaks_a_rule_of_the_table_only(
    tmp_path: Path,
) -> None:
    result = delivered_rows(tmp_path, "pledge", template_row("pledge", currency="XYZ"))
    assert only_account(result).accepted == 1
    checked = check_rows(result.tables["pledge"], table_contract("pledge"))
    assert checked.quarantined["rule_id"].to_pylist() == ["asset_value_usd:required"]


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("", datetime(2023, 3, 6, tzinfo=UTC)), ("2023-04-01 12:00:00", datetime(2023, 4, 1, 12, tzinfo=UTC))],
)
def test_a_row_is_known_at_its_own_time_or_after_the_usual_lag(stated: str, expected: datetime, tmp_path: Path) -> None:
    row = template_row("certificate", event_date="2023-03-05", known_at=stated)
    result = delivered_rows(tmp_path, "certificate", row)
    assert cells(result.tables["certificate"], "known_at") == [expected]


def test_a_row_known_before_it_happened_is_set_aside(tmp_path: Path) -> None:
    row = template_row("certificate", event_date="2023-03-05", known_at="2023-03-04 12:00:00")
    assert only_account(delivered_rows(tmp_path, "certificate", row)).quarantined == {"known_after_event": 1}


def test_future_instalments_are_accepted_and_other_future_events_are_not(tmp_path: Path) -> None:
    due = template_row("repayment", entry_type="due", event_date="2030-01-05", known_at="2023-03-01 00:00:00")
    assert only_account(delivered_rows(tmp_path / "a", "repayment", due)).accepted == 1
    ahead = template_row("certificate", event_date="2030-01-05", known_at="")
    found = only_account(delivered_rows(tmp_path / "b", "certificate", ahead))
    assert found.quarantined == {"delivery:not_in_the_future": 1}


def test_identifiers_of_two_sellers_do_not_collide(tmp_path: Path) -> None:
    files = [
        RawFile(f"{seller}.csv", "template_pledge", template_csv([template_row("pledge", seller_id=seller)]), seller)
        for seller in ("S000001", "S000002")
    ]
    table = ingested(tmp_path, files).tables["pledge"]
    assert cells(table, "pledge_id") == ["S000001:R1", "S000002:R1"]
    assert check_rows(table, table_contract("pledge")).accepted.num_rows == 2


def test_a_file_of_one_seller_may_omit_the_seller_but_not_name_another(tmp_path: Path) -> None:
    unnamed = template_row("pledge", "R1")
    del unnamed["seller_id"]
    result = delivered_rows(tmp_path / "unnamed", "pledge", unnamed)
    assert cells(result.tables["pledge"], "seller_id") == [SELLER]
    foreign = delivered_rows(tmp_path / "foreign", "pledge", template_row("pledge", seller_id="S000002"))
    assert only_account(foreign).quarantined == {"delivery:seller_matches": 1}


def test_a_file_of_many_sellers_covers_the_sellers_in_it(tmp_path: Path) -> None:
    rows = [template_row("pledge", seller_id=seller) for seller in ("S000001", "S000002")]
    result = delivered_rows(tmp_path, "pledge", *rows, template_row("pledge", "R9", seller_id=""), seller="")
    assert only_account(result).quarantined == {"seller_id:required": 1}
    covered = sorted(cells(result.tables["source_coverage"], "seller_id", "delivered_source"))
    assert covered == [("S000001", "template_pledge"), ("S000002", "template_pledge")]


def test_optional_columns_may_be_left_out(tmp_path: Path) -> None:
    row = template_row("logistics_event")
    required = [column.header for column in contract_of("logistics_event").columns if column.required]
    result = delivered(tmp_path, "logistics_event", template_csv([row], required))
    assert only_account(result).accepted == 1


def test_a_missing_required_column_refuses_the_file_in_one_line(tmp_path: Path) -> None:
    row = template_row("pledge")
    del row["lender_id"]
    with pytest.raises(InputRefused, match="lender_id"):
        delivered_rows(tmp_path, "pledge", row)


def as_workbook(rows: list[dict[str, str]]) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as workbook:
        sheet = workbook.add_worksheet()
        for number, line in enumerate([list(rows[0]), *(list(row.values()) for row in rows)]):
            sheet.write_row(number, 0, line)
    return stream.getvalue()


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    """Return the rows with the types that Arrow infers from their text: dates, times, numbers, booleans."""
    return parquet_of(pacsv.read_csv(io.BytesIO(template_csv(rows))))


def parquet_of(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "table", ["certificate", "export_declaration", "inventory_snapshot", "login_event", "site_order"]
)
def test_a_workbook_and_a_parquet_file_have_the_rows_of_the_delimited_file(table: str, tmp_path: Path) -> None:
    rows = [template_row(table, "R1"), template_row(table, "R2")]
    wanted = delivered_rows(tmp_path / "csv", table, *rows).tables[table]
    kept = [name for name in wanted.column_names if name not in {"source_file", "source_sha256", "source_row"}]
    for name, data in (("a.xlsx", as_workbook(rows)), ("a.parquet", as_parquet(rows))):
        found = delivered(tmp_path / name, table, data, name=name).tables[table]
        assert found.select(kept).to_pydict() == wanted.select(kept).to_pydict()


def test_a_broken_parquet_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="not a readable Parquet file"):
        delivered(tmp_path, "pledge", b"PAR1 and then nothing of use", name="a.parquet")


@pytest.mark.parametrize(
    "cells_of_lender",
    [[["L1", "L2"]], [{"id": "L1"}], [b"\xff\xfe"], [datetime(2023, 1, 1, 0, 0, 0, 1)]],
    ids=["list", "structure", "no text", "microsecond"],
)
def test_a_parquet_column_that_is_not_plain_text_is_refused_by_name(cells_of_lender: list[Any], tmp_path: Path) -> None:
    columns = {name: [cell] for name, cell in template_row("pledge").items()} | {"lender_id": cells_of_lender}
    with pytest.raises(InputRefused, match="lender_id"):
        delivered(tmp_path, "pledge", parquet_of(pa.table(columns)), name="a.parquet")


def test_parquet_times_and_numbers_mean_the_same_as_their_text(tmp_path: Path) -> None:
    moment = datetime(2023, 3, 6, 8, 30, 0, 250_000)
    written = {
        "known_at": pa.array([moment], pa.timestamp("us", "Asia/Shanghai")),
        "event_date": pa.array([date(2023, 3, 5)]),
        "asset_value": pa.array([Decimal("1234.5600")]),
        "secured_amount": pa.array([1000.5]),
        "is_registered": pa.array([False]),
        "secured_loan_id": pa.array([None], pa.string()),
        "currency": pa.array(["EUR"]).dictionary_encode(),
    }
    columns = {name: pa.array([cell]) for name, cell in template_row("pledge").items()} | written
    table = delivered(tmp_path, "pledge", parquet_of(pa.table(columns)), name="a.parquet").tables["pledge"]
    names = ("known_at", "event_date", "asset_value", "secured_amount", "is_registered", "secured_loan_id", "currency")
    (found,) = cells(table, *names)
    # Arrow takes a moment without zone as one in UTC and shows it in the zone of the column.
    expected = (moment.replace(tzinfo=UTC), date(2023, 3, 5), Decimal("1234.56"), Decimal("1000.5"), False, None, "EUR")
    assert found == expected


@pytest.mark.slow
def test_a_parquet_file_that_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    columns = {name: pa.array([cell]) for name, cell in template_row("pledge").items()}
    repeated = pa.table(columns).take(pa.array([0] * 4_000_000))
    data = parquet_of(repeated)
    assert len(data) < 10_000_000
    with pytest.raises(InputRefused, match="split the file and deliver the parts"):
        delivered(tmp_path, "pledge", data, name="a.parquet")


def test_a_bad_cell_of_a_parquet_file_quarantines_its_row_with_all_cells(tmp_path: Path) -> None:
    rows = [template_row("certificate", "R1"), template_row("certificate", "R2", market="Germany")]
    result = delivered(tmp_path, "certificate", parquet_of(pa.Table.from_pylist(rows)), name="a.parquet")
    (record,) = result.quarantine.to_pylist()
    assert (record["source_row"], record["rule_id"], record["value"]) == (2, "market:pattern", "Germany")
    assert "Germany" in json.loads(record["original"])


@pytest.mark.parametrize("table", ["score", "no_such_table"])
def test_a_table_without_a_template_is_refused_with_a_list_of_tables_that_have_one(table: str) -> None:
    with pytest.raises(ConfigurationRefused, match="inventory_snapshot"):
        source_contract(f"{PREFIX}{table}")
