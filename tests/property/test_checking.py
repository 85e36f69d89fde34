"""Checks lose no row, follow the wording of each rule, and agree with Great Expectations on every count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.checks.expectations import validate_with_gx
from data_contracts.checks.rows import CheckResult, check_rows
from tests.factories.contracts import bad_rows, column, contract_of

# A busy machine must not decide a test.
unhurried = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

CONTRACT = contract_of(
    [
        column("key", required=True, logicalTypeOptions={"pattern": "^[a-z]+$", "minLength": 1, "maxLength": 2}),
        column("kind", physicalType="dictionary", enum=[{"value": "in"}, {"value": "out"}]),
        column("amount", "number", logicalTypeOptions={"minimum": 0, "exclusiveMaximum": 2}),
        column("rate", "number", physicalType="double", logicalTypeOptions={"minimum": 0.5}),
        column("part", "integer", physicalType="int32"),
    ],
    [
        {"name": "key_once", "metric": "duplicateValues", "arguments": {"properties": ["key", "part"]}, "mustBe": 0},
        bad_rows("part_within", "part > amount"),
        bad_rows("kind_balanced", "kind IN (SELECT kind FROM ${table} GROUP BY kind HAVING sum(part) > 4)", "warning"),
    ],
)
SCHEMA = pa.schema([(c.name, c.arrow_type) for c in CONTRACT.columns])

# Few different values, so that rows collide and rules break often.
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from([None, "a", "b", "ab", "abc", "A", "", "a\n", "é"]),
            "kind": st.sampled_from([None, "in", "out", "IN", ""]),
            "amount": st.sampled_from([None, *map(Decimal, ("-0.0001", "0", "1.9999", "2", "99999999999999.9999"))]),
            "rate": st.sampled_from([None, 0.5, 0.49999999, 1e300, -0.0, float("nan"), float("inf")]),
            "part": st.sampled_from([None, -1, 0, 1, 2, 3]),
        }
    ),
    max_size=12,
)
Row = Mapping[str, Any]


def checked(rows: list[Row]) -> CheckResult:
    return check_rows(pa.Table.from_pylist(rows, schema=SCHEMA), CONTRACT)


def plain_counts(rows: list[Row]) -> dict[str, int]:
    """Count by applying each rule in plain Python, row by row."""
    keys = Counter((row["key"], row["part"]) for row in rows)
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["kind"]] += row["part"] or 0

    def count(bad: Callable[[Row], bool], *needed: str) -> int:
        return sum(1 for row in rows if all(row[name] is not None for name in needed) and bad(row))

    return {
        "key:required": sum(row["key"] is None for row in rows),
        "key:pattern": count(lambda row: not re.fullmatch("[a-z]+", row["key"]), "key"),
        "key:length": count(lambda row: not 1 <= len(row["key"]) <= 2, "key"),
        "kind:enum": count(lambda row: row["kind"] not in {"in", "out"}, "kind"),
        "amount:range": count(lambda row: not 0 <= row["amount"] < 2, "amount"),
        "rate:range": count(lambda row: row["rate"] < 0.5, "rate"),
        "key_once": count(lambda row: keys[row["key"], row["part"]] > 1, "key", "part"),
        "part_within": count(lambda row: row["part"] > row["amount"], "part", "amount"),
        "kind_balanced": count(lambda row: sums[row["kind"]] > 4, "kind"),
    }


@given(ROWS)
@unhurried
def test_each_rule_counts_the_rows_that_break_it(rows: list[Row]) -> None:
    assert checked(rows).counts_by_rule == plain_counts(rows)


@given(ROWS)
@unhurried
def test_every_row_is_accepted_quarantined_or_a_duplicate_exactly_once(rows: list[Row]) -> None:
    result = checked(rows)
    assert result.rows_in == len(rows)
    assert result.accepted.num_rows + result.quarantined.num_rows + result.duplicates.num_rows == len(rows)
    aside = result.quarantined["source_row"].to_pylist() + result.duplicates["source_row"].to_pylist()
    assert len(aside) == len(set(aside))
    kept = [row for number, row in enumerate(rows, start=1) if number not in aside]
    assert repr(result.accepted.to_pylist()) == repr(pa.Table.from_pylist(kept, schema=SCHEMA).to_pylist())


@given(ROWS)
@unhurried
def test_accepted_rows_break_only_warnings(rows: list[Row]) -> None:
    accepted = checked(rows).accepted
    again = check_rows(accepted, CONTRACT)
    assert again.accepted.num_rows == accepted.num_rows
    assert all(count == 0 for rule, count in again.counts_by_rule.items() if rule != "kind_balanced")


@pytest.mark.slow
@given(ROWS.filter(lambda rows: len(rows) > 0))
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_great_expectations_counts_the_same_rows(rows: list[Row]) -> None:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    expected = check_rows(table, CONTRACT).counts_by_rule
    for finding in validate_with_gx(table, CONTRACT).findings:
        assert finding.exception is None
        assert finding.unexpected_count == expected[finding.rule_id], finding
        assert finding.success is (None if finding.evaluated == 0 else expected[finding.rule_id] == 0)
