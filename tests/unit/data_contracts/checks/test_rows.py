from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from data_contracts.checks.rows import QUARANTINE_SCHEMA, CheckResult, RowChecker, check_rows
from data_contracts.definition.compiler import table_contract
from data_contracts.definition.contract import CompiledContract
from data_contracts.errors import ConfigurationRefused, InternalFault
from data_contracts.lineage import Origin
from tests.factories.contracts import bad_rows, column, contract_of, sample_table


def table(contract: CompiledContract, *rows: Sequence[object], **extra: Sequence[object]) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    arrays = [pa.array(cells, c.arrow_type) for c, cells in zip(contract.columns, columns, strict=True)]
    made = pa.table(arrays, names=[c.name for c in contract.columns])
    for name, values in extra.items():
        made = made.append_column(name, pa.array(values))
    return made


def broken(prop: dict[str, Any], *values: object) -> list[object]:
    """Return the values of one column that its only rule sets aside."""
    contract = contract_of([column("id", "integer"), {**prop, "name": "a"}])
    result = check_rows(table(contract, *enumerate(values)), contract)
    kept = set(result.accepted["id"].to_pylist())
    aside = [value for place, value in enumerate(values) if place not in kept]
    assert list(result.counts_by_rule.values()) == [len(aside)]
    return aside


def test_each_keyword_rule_rejects_its_bad_values_and_ignores_missing_ones() -> None:
    assert broken(column("a", required=True), "x", None, "") == [None]
    assert broken(column("a", enum=[{"value": "x"}]), "x", "X", None, "") == ["X", ""]
    assert broken(column("a", physicalType="dictionary", enum=[{"value": "x"}]), "x", "y", None) == ["y"]
    assert broken(column("a", logicalTypeOptions={"pattern": "^[a-z]+$"}), "ab", "aB", "ab\n", None) == ["aB", "ab\n"]
    assert broken(column("a", logicalTypeOptions={"minLength": 2, "maxLength": 3}), "名", "名称", "abcd", None) == [
        "名",
        "abcd",
    ]


def test_range_bounds_are_exact() -> None:
    low, high = Decimal("0.1"), Decimal(99999999999999)
    assert broken(column("a", "number", logicalTypeOptions={"minimum": 0.1}), low, Decimal("0.0999"), None) == [
        Decimal("0.0999")
    ]
    assert broken(column("a", "number", logicalTypeOptions={"exclusiveMinimum": 0.1}), low, Decimal("0.1001")) == [low]
    assert broken(column("a", "number", logicalTypeOptions={"exclusiveMaximum": 99999999999999}), high, low) == [high]
    day = {"minimum": "2020-01-01", "maximum": "2020-12-31"}
    assert broken(column("a", "date", logicalTypeOptions=day), date(2020, 1, 1), date(2021, 1, 1)) == [date(2021, 1, 1)]
    moments = [datetime(2020, 1, 1, hour, tzinfo=UTC) for hour in (0, 7, 8)]
    since = {"minimum": "2020-01-01T15:00:00+08:00"}
    assert broken(column("a", "timestamp", logicalTypeOptions=since), *moments) == moments[:1]


def test_nan_counts_as_missing() -> None:
    number = column("a", "number", physicalType="double", logicalTypeOptions={"minimum": 0})
    assert broken(number, 1.0, float("nan"), -1.0, float("inf")) == [-1.0]
    needed = contract_of([column("a", "number", physicalType="double", required=True)])
    assert check_rows(table(needed, [float("nan")], [1.0]), needed).counts_by_rule == {"a:required": 1}


def test_listed_missing_values_are_found() -> None:
    entry = {"name": "real", "metric": "missingValues", "arguments": {"missingValues": ["N/A", "-"]}, "mustBe": 0}
    assert broken(column("a", quality=[entry]), "x", "N/A", "-", None) == ["N/A", "-"]


PAIR = contract_of(
    [column("net", "number"), column("gross", "number"), column("kind")],
    [
        bad_rows("adds_up", "gross < net"),
        bad_rows("small", "net > 100", "warning"),
        bad_rows("group", "kind IN (SELECT kind FROM ${table} GROUP BY kind HAVING sum(net) > 50)"),
    ],
)


def test_expressions_read_the_row_and_sub_queries_read_the_table() -> None:
    rows = table(PAIR, (1, 2, "a"), (3, 2, "a"), (30, 40, "b"), (30, 40, "b"), (None, 1, "c"), (5, 6, None))
    result = check_rows(rows, PAIR)
    assert result.counts_by_rule == {"adds_up": 1, "small": 0, "group": 2}
    assert result.quarantined["source_row"].to_pylist() == [2, 3, 4]
    assert result.quarantined["value"].to_pylist()[0] == "gross=2.0000, net=3.0000"


def test_a_row_is_set_aside_under_its_first_broken_rule_and_counted_under_each() -> None:
    result = check_rows(table(PAIR, (200, 1, "a"), (1, 2, "b")), PAIR)
    assert result.counts_by_rule == {"adds_up": 1, "small": 1, "group": 1}
    assert result.quarantined["rule_id"].to_pylist() == ["adds_up"]


def test_a_warning_keeps_the_row() -> None:
    contract = contract_of([column("a", "number")], [bad_rows("small", "a > 100", "warning")])
    result = check_rows(table(contract, [200]), contract)
    assert (result.accepted.num_rows, result.counts_by_rule) == (1, {"small": 1})


def test_sub_queries_keep_verdicts_with_their_rows() -> None:
    contract = contract_of(
        [column("k", "integer")], [bad_rows("odd", "k IN (SELECT k FROM ${table} WHERE k % 2 = 1)", "error")]
    )
    rows = pa.table({"k": pa.array(range(300_000), pa.int64())})
    accepted = check_rows(rows, contract).accepted["k"].to_numpy()
    assert (accepted % 2 == 0).all()
    assert len(accepted) == 150_000


KEYED = contract_of([column("id", primaryKey=True), column("a", "number", logicalTypeOptions={"minimum": 0})])


def keyed(*rows: tuple[str | None, int], **extra: Sequence[object]) -> CheckResult:
    return check_rows(table(KEYED, *rows, **extra), KEYED)


def test_the_first_of_a_key_is_kept_and_the_others_are_duplicates() -> None:
    result = keyed(("x", 1), ("y", 2), ("x", 3), ("x", 1))
    assert result.accepted["a"].to_pylist() == [Decimal(1), Decimal(2)]
    assert result.duplicates["source_row"].to_pylist() == [3, 4]
    assert result.duplicates["value"].to_pylist() == ["x", "x"]
    assert result.quarantined.num_rows == 0
    assert result.counts_by_rule == {"a:range": 0, "primary_key": 3}


def test_a_row_set_aside_for_another_reason_does_not_use_up_its_key() -> None:
    result = keyed(("x", -1), ("x", 2))
    assert result.accepted["a"].to_pylist() == [Decimal(2)]
    assert (result.quarantined.num_rows, result.duplicates.num_rows) == (1, 0)


def test_rows_without_a_key_are_not_duplicates() -> None:
    assert keyed((None, 1), (None, 1)).accepted.num_rows == 2


def test_the_first_row_of_a_key_is_the_first_in_the_source_not_in_the_table() -> None:
    files, rows = ["b.csv", "a.csv", "a.csv"], [1, 9, 3]
    result = keyed(("x", 1), ("x", 2), ("x", 3), source_file=files, source_row=rows)
    assert result.accepted["a"].to_pylist() == [Decimal(3)]
    assert result.duplicates["source_file"].to_pylist() == ["b.csv", "a.csv"]
    assert result.duplicates["source_row"].to_pylist() == [1, 9]


FILE_RULES = contract_of(
    [column("a", "number")],
    [
        {"name": "some", "metric": "rowCount", "mustBeGreaterThan": 0},
        {"name": "total", "type": "sql", "query": "SELECT sum(a) FROM ${table}", "mustBeBetween": [0, 10]},
        {
            "name": "mean",
            "type": "sql",
            "query": "SELECT avg(a) FROM ${table}",
            "mustBeLessThan": 3,
            "severity": "warning",
        },
    ],
)


def test_a_broken_critical_file_rule_sets_every_row_aside() -> None:
    result = check_rows(table(FILE_RULES, [7], [8]), FILE_RULES)
    assert result.rejected_by == ("total",)
    assert (result.accepted.num_rows, result.quarantined.num_rows) == (0, 2)
    assert set(result.quarantined["severity"].to_pylist()) == {"critical"}
    assert {f.rule_id: (f.value, f.passed) for f in result.file_findings} == {
        "some": (2, True),
        "total": (Decimal(15), False),
        "mean": (7.5, False),
    }


def test_a_broken_file_warning_keeps_the_file() -> None:
    result = check_rows(table(FILE_RULES, [4], [5]), FILE_RULES)
    assert (result.rejected_by, result.accepted.num_rows, result.counts_by_rule["mean"]) == ((), 2, 1)


def test_an_empty_file_breaks_only_the_rule_that_requires_rows() -> None:
    result = check_rows(table(FILE_RULES, [1]).slice(0, 0), FILE_RULES)
    assert result.rejected_by == ("some",)
    assert result.counts_by_rule == {"some": 1, "total": 0, "mean": 0}


def test_a_total_that_cannot_be_computed_fails() -> None:
    result = check_rows(table(FILE_RULES, [None]), FILE_RULES)
    assert result.rejected_by == ("total",)


def test_a_critical_row_rule_rejects_every_row_but_keeps_each_rows_own_reason() -> None:
    contract = contract_of([column("a", "number")], [bad_rows("low", "a < 0"), bad_rows("wild", "a > 9", "critical")])
    result = check_rows(table(contract, [-1], [10], [1]), contract)
    assert result.quarantined["rule_id"].to_pylist() == ["low", "wild", "wild"]
    assert result.accepted.num_rows == 0


def test_quarantine_keeps_lineage_and_original_bytes() -> None:
    rows = table(KEYED, ("x", -1), ("y", 1), source_row=[5, 6], original=[b"x,-1", b"y,1"])
    result = check_rows(rows, KEYED, Origin("tiny@1.0.0", "f.csv", "0" * 64))
    assert result.quarantined.schema == QUARANTINE_SCHEMA
    record = result.quarantined.to_pylist()[0]
    assert (record["source"], record["source_file"], record["source_row"]) == ("tiny@1.0.0", "f.csv", 5)
    assert (record["rule_id"], record["column"], record["value"], record["original"]) == (
        "a:range",
        "a",
        "-1.0000",
        b"x,-1",
    )
    assert result.accepted.column_names == ["id", "a", "source_row"]


def test_original_bytes_are_fetched_from_the_origin_by_row() -> None:
    rows = table(KEYED, ("x", -1), ("x", 1), ("x", 2), source_row=[5, 6, 7])
    result = check_rows(rows, KEYED, Origin("s", "f", "0", lambda numbers: [b"line %d" % n for n in numbers]))
    assert result.quarantined["original"].to_pylist() == [b"line 5"]
    assert result.duplicates["original"].to_pylist() == [b"line 7"]


def test_accepted_rows_have_the_schema_of_the_contract() -> None:
    contract = contract_of([column("a", required=True), column("b", "number")])
    accepted = check_rows(table(contract, ("x", 1), (None, 2)), contract).accepted
    assert accepted.schema == contract.arrow_schema
    assert accepted.num_rows == 1


@pytest.mark.parametrize("wrong", [pa.table({"b": ["x"]}), pa.table({"a": [1.5]})])
def test_a_table_with_other_columns_or_types_is_an_internal_fault(wrong: pa.Table) -> None:
    contract = contract_of([column("a")])
    with pytest.raises(InternalFault, match="a"):
        check_rows(wrong, contract)


def test_sql_that_cannot_run_is_a_contract_error() -> None:
    contract = contract_of([column("a")], [bad_rows("odd", "nonsense > 1")])
    with pytest.raises(ConfigurationRefused, match="cannot be evaluated"):
        check_rows(table(contract, ["x"]), contract)


@pytest.mark.parametrize("condition", ["a IN (SELECT content FROM read_text('/etc/hostname'))", "a = getenv('HOME')"])
def test_a_rule_cannot_read_files_or_the_environment(condition: str) -> None:
    contract = contract_of([column("a")], [bad_rows("odd", condition)])
    with pytest.raises(ConfigurationRefused, match="cannot be evaluated"):
        check_rows(table(contract, ["x"]), contract)


@pytest.mark.parametrize("value", ["'; DROP TABLE rows; --", "${table}", "%s ? $1", "名'\"\\"])
def test_values_are_never_run_as_sql(value: str) -> None:
    contract = contract_of([column("id", "integer"), column("a", enum=[{"value": value}])])
    result = check_rows(table(contract, (1, value), (2, "x")), contract)
    assert result.accepted["id"].to_pylist() == [1]


def test_one_checker_checks_each_of_many_tables_separately() -> None:
    with RowChecker(KEYED) as checker:
        first = checker.check(table(KEYED, ("x", 1), ("x", 2)))
        second = checker.check(table(KEYED, ("x", 1)))
    assert (first.duplicates.num_rows, second.duplicates.num_rows) == (1, 0)


def test_the_rows_of_every_canonical_table_add_up() -> None:
    for name in ("money_event", "trade_invoice", "site_order", "party_link"):
        contract = table_contract(name)
        result = check_rows(sample_table(contract, 500), contract)
        assert result.rows_in == 500
        assert result.accepted.num_rows + result.quarantined.num_rows + result.duplicates.num_rows == 500
