from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.checks.rule_sql import RuleDatabase, columns_asked
from data_contracts.definition.contract import Arguments, Bounds, Kind, Rule, Severity
from data_contracts.errors import InternalFault

TEXTS = st.none() | st.sampled_from(["x", "X", "", "名称", "long text", "2020", "\n"])
RULES = (
    Rule("enum", "row", Kind.ENUM, "a", Arguments(values=("x", "名称")), Severity.ERROR, ""),
    Rule("not_in", "row", Kind.NOT_IN, "a", Arguments(values=("", "X")), Severity.ERROR, ""),
    Rule("pattern", "row", Kind.PATTERN, "a", Arguments(pattern="^[0-9x]*$"), Severity.ERROR, ""),
    Rule("length", "row", Kind.LENGTH, "a", Arguments(bounds=Bounds(1, 4)), Severity.ERROR, ""),
    Rule("given", "row", Kind.NOT_NULL, "a", Arguments(), Severity.ERROR, ""),
)


def encoded(values: list[str | None], unused: list[str]) -> pa.DictionaryArray:
    """Return a dictionary column that also holds unused values."""
    named = [*unused, *sorted({value for value in values if value is not None} - set(unused))]
    indices = pa.array([None if value is None else named.index(value) for value in values], pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(named, pa.string()))


@given(st.lists(st.lists(TEXTS, max_size=30), max_size=3), st.lists(st.sampled_from(["y", "x", "zz"]), unique=True))
def test_checking_distinct_values_equals_checking_every_row(chunks: list[list[str | None]], unused: list[str]) -> None:
    plain = pa.table({"a": pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())})
    kind = pa.dictionary(pa.int32(), pa.string())
    packed = pa.table({"a": pa.chunked_array([encoded(chunk, unused) for chunk in chunks], kind)})
    with RuleDatabase() as database:
        database.load(plain)
        one_by_one = database.bad_rows(RULES)
        database.load(packed)
        by_value = database.bad_rows(RULES)
    assert {name: rows.tolist() for name, rows in by_value.items()} == {
        name: rows.tolist() for name, rows in one_by_one.items()
    }


KEY = st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from([0.0, -0.0, 1.5]), TEXTS)


@given(st.lists(KEY, max_size=40))
def test_repeated_keys_are_found_and_incomplete_keys_are_ignored(
    rows: list[tuple[object, ...]],
) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    types = (pa.int64(), pa.float64(), pa.dictionary(pa.int32(), pa.string()))
    table = pa.table([pa.array(cells, kind) for cells, kind in zip(columns, types, strict=True)], names=["a", "b", "c"])
    with RuleDatabase() as database:
        database.load(table)
        found = database.repeated_key_rows(["a", "b", "c"])
    # Python too takes 0.0 and -0.0 for equal.
    expected = [place for place, row in enumerate(rows) if None not in row and rows.count(row) > 1]
    assert found.tolist() == expected


def test_keys_of_rows_that_were_not_loaded_are_an_internal_fault() -> None:
    with RuleDatabase() as database, pytest.raises(InternalFault):
        database.repeated_key_rows(["a"])


def test_keys_with_equal_hashes_but_different_values_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with RuleDatabase() as database:
        database.load(pa.table({"a": [1, 2, 2, 3]}))
        same = np.zeros(4, dtype=np.uint64), np.ones(4, dtype=bool)
        monkeypatch.setattr(database, "key_hashes", lambda _columns: same)
        assert database.repeated_key_rows(["a"]).tolist() == [1, 2]


def test_columns_are_found_in_any_case_but_only_as_whole_words() -> None:
    rule = Rule("r", "row", Kind.ROW_EXPRESSION, None, Arguments(sql="AMOUNT > fee_share"), Severity.ERROR, "")
    assert columns_asked([rule], ["amount", "fee", "share", "fee_share", "source_row"]) == ["amount", "fee_share"]
