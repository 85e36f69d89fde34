from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from models.components.levels import UNSEEN_LEVEL
from models.components.tables import TableRefused, table_facts, table_matrix


def test_texts_and_categories_become_levels_and_numbers_stay_numbers_whatever_their_type() -> None:
    table = pd.DataFrame(
        {
            "age": pd.Series([1, None, 3], dtype="Int64"),
            "mixed": pd.Series([1, None, 2.5], dtype=object),
            "flag": [True, False, True],
            "purpose": ["car", None, "bike"],
            "code": pd.Series([3.0, 1.0, np.nan], dtype="category"),
            "arrow": pd.Series(["x", None, "y"], dtype="string"),
        }
    )
    facts = table_facts(table, {}, {})
    assert [fact.levels for fact in facts] == [None, None, None, ("bike", "car"), ("1", "3"), ("x", "y")]
    nan = np.nan
    expected = np.array([[1, 1, 1, 1, 1, 0], [nan, nan, 0, nan, 0, nan], [3, 2.5, 1, 0, nan, 1]])
    np.testing.assert_array_equal(table_matrix(table, facts), expected)


def test_a_level_never_seen_is_unseen_and_a_number_may_stand_for_its_text() -> None:
    facts = table_facts(pd.DataFrame({"code": ["1", "2"]}), {}, {})
    new = pd.DataFrame({"code": pd.Series([2.0, 3, None, 1], dtype=object)})
    np.testing.assert_array_equal(table_matrix(new, facts)[:, 0], [1.0, UNSEEN_LEVEL, np.nan, 0.0])


def test_every_kind_of_number_is_read() -> None:
    cells = pd.Series(
        [Decimal("1.5"), np.int8(3), np.True_, np.inf, pd.NA, None, pd.NaT, np.float32(0.5)], dtype=object
    )
    table = pd.DataFrame({"a": cells})
    expected = [1.5, 3.0, 1.0, np.inf, np.nan, np.nan, np.nan, 0.5]
    np.testing.assert_array_equal(table_matrix(table, table_facts(table, {}, {}))[:, 0], expected)


def test_a_text_in_a_column_of_numbers_is_refused_in_one_line_with_row_and_column() -> None:
    facts = table_facts(pd.DataFrame({"age": [1.0, 2.0]}), {}, {})
    with pytest.raises(TableRefused) as refused:
        table_matrix(pd.DataFrame({"age": [1.0, "old\n"]}), facts)
    assert str(refused.value) == (
        r"input refused: file table, row 1, column 'age': 'old\n' is a text in a column of numbers; "
        "remedy: correct the cell or leave it empty; or turn the whole column into texts for a category"
    )
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(
    ("table", "directions", "codes", "rule"),
    [
        (pd.DataFrame({"a": [1.0, "x"]}), {}, {}, "'x' is a text in a column of numbers"),
        (pd.DataFrame({"a": ["x", "y"]}), {"a": 1}, {}, "'x' is a text in a column of numbers"),
        (pd.DataFrame({"a": ["x", "y"]}), {}, {"a": (-9,)}, "'x' is a text in a column of numbers"),
        (pd.DataFrame({"a": [1.0]}), {"b": 1}, {}, "column 'b': it has a direction"),
        (pd.DataFrame({"a": [1.0]}), {}, {"b": (1,)}, "column 'b': it has a direction"),
        (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), {}, {}, "its name occurs twice"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}), {}, {}, "it is of dates"),
        (pd.DataFrame({"a": [None, dt.date(2020, 1, 1)]}), {}, {}, "row 1, column 'a': it is of dates"),
        (pd.DataFrame({"a": pd.to_timedelta([3])}), {}, {}, "it is of dates"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}), {"a": 1}, {}, "it is of dates"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(
    table: pd.DataFrame, directions: dict[str, object], codes: dict[str, tuple[float, ...]], rule: str
) -> None:
    with pytest.raises(TableRefused, match=rule):
        table_facts(table, directions, codes)  # type: ignore[arg-type]


def test_a_table_with_other_columns_than_the_model_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="does not have the 1 columns"):
        table_matrix(pd.DataFrame({"a": [1.0], "b": [1.0]}), table_facts(pd.DataFrame({"a": [1.0]}), {}, {}))


def test_a_table_without_columns_is_an_empty_matrix() -> None:
    assert table_matrix(pd.DataFrame(index=range(3)), ()).shape == (3, 0)
