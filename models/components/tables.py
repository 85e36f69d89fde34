"""Read a table of numbers and texts into the matrix of a model, and describe its columns as features."""

from __future__ import annotations

import datetime as dt
import numbers
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from data_contracts.errors import InputRefused, shown
from models.components.encoding import FeatureFacts, feature_family
from models.components.levels import UNSEEN_LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.components.encoding import Direction, FloatArray


class TableRefused(InputRefused, ValueError):
    """A table that cannot be read as numbers and categories; also a ValueError, as scikit-learn expects."""

    def __init__(self, *, rule: str, remedy: str, row: int | None = None, column: str | None = None) -> None:
        super().__init__(file="table", rule=rule, remedy=remedy, row=row, column=column)


def table_facts(
    table: pd.DataFrame, directions: Mapping[str, Direction], special_codes: Mapping[str, Sequence[float]]
) -> tuple[FeatureFacts, ...]:
    """Return the facts of the columns of a training table; texts and pandas categories become categories.

    A column is of numbers if each of its known cells is one, whatever its type in pandas; numbers 0 and 1 if it is of
    truth values.

    Raises:
        TableRefused: a direction, a special code or a cell does not fit its column.
    """
    names = [str(name) for name in table.columns]
    if len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise TableRefused(rule="its name occurs twice", remedy="rename one of the columns", column=repeated)
    for name in [*directions, *special_codes]:
        if str(name) not in names:
            raise TableRefused(
                rule="it has a direction or special codes, but is not in the table",
                remedy="correct the name, or leave it out",
                column=str(name),
            )
    return tuple(
        _column_facts(name, table.iloc[:, i], directions.get(name, 0), tuple(special_codes.get(name, ())))
        for i, name in enumerate(names)
    )


def table_matrix(table: pd.DataFrame, facts: Sequence[FeatureFacts]) -> FloatArray:
    """Return the matrix (n, p) of a table with the columns of ``facts``, found by position.

    A missing cell is NaN. A text that is no level of its category is ``UNSEEN_LEVEL``.

    Raises:
        TableRefused: a cell of a column of numbers is a text or anything else than a number.
    """
    if table.shape[1] != len(facts):
        raise ValueError(f"a table of {table.shape[1]} columns does not have the {len(facts)} columns of the model")
    columns = [_column(fact, table.iloc[:, i]) for i, fact in enumerate(facts)]
    return np.ascontiguousarray(np.column_stack(columns)) if columns else np.empty((len(table), 0))


def _column_facts(name: str, cells: pd.Series[Any], direction: Direction, codes: tuple[float, ...]) -> FeatureFacts:
    levels = None if _is_numeric(name, cells, is_declared=direction != 0 or bool(codes)) else _levels(cells)
    return FeatureFacts(
        name=name,
        pillar="table",
        family=feature_family(name),
        unit="",
        direction=direction,
        title_en=name,
        title_zh=name,
        levels=levels,
        special_codes=tuple(float(code) for code in codes),
    )


def _is_numeric(name: str, cells: pd.Series[Any], *, is_declared: bool) -> bool:
    """Return whether a column is of numbers; one with a declared direction or code must be."""
    if is_declared:
        _numbers(name, cells)
        return True
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return False
    if is_datetime64_any_dtype(cells.dtype):
        raise _dates_refused(name)
    if is_numeric_dtype(cells.dtype) or is_bool_dtype(cells.dtype):
        return True
    known = [cell for cell in cells.tolist() if not _is_missing(cell)]
    if all(isinstance(cell, str) for cell in known):
        return not known
    _numbers(name, cells)
    return True


def _column(fact: FeatureFacts, cells: pd.Series[Any]) -> FloatArray:
    if fact.levels is None:
        return _numbers(fact.name, cells)
    positions = {text: float(position) for position, text in enumerate(fact.levels)}
    place: dict[Any, float] = {}
    for cell in cells.unique().tolist():
        place[cell] = np.nan if _is_missing(cell) else positions.get(level_text(cell), UNSEEN_LEVEL)
    return np.asarray([np.nan if _is_missing(cell) else place[cell] for cell in cells.tolist()], dtype=np.float64)


def _levels(cells: pd.Series[Any]) -> tuple[str, ...]:
    return tuple(sorted({level_text(cell) for cell in cells.unique().tolist() if not _is_missing(cell)}))


def level_text(cell: object) -> str:
    """Return a cell of a category as text; a whole number is written without a decimal point.

    >>> level_text("A34"), level_text(3.0), level_text(0.5)
    ('A34', '3', '0.5')
    """
    if isinstance(cell, numbers.Integral) and not isinstance(cell, bool):
        return str(int(cell))  # exact, however long: identifiers differ in their last digit
    if isinstance(cell, numbers.Real) and not isinstance(cell, bool):
        number = float(cell)
        return str(int(number)) if number.is_integer() else str(number)
    return str(cell)


def _numbers(name: str, cells: pd.Series[Any]) -> FloatArray:
    """Return a column of numbers (n,), NaN where a cell is missing."""
    if is_numeric_dtype(cells.dtype) or is_bool_dtype(cells.dtype):
        return cells.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray([_number(name, row, cell) for row, cell in enumerate(cells.tolist())], dtype=np.float64)


def _number(name: str, row: int, cell: object) -> float:
    if _is_missing(cell):
        return np.nan
    if isinstance(cell, numbers.Real | Decimal | np.bool_):  # truth values are numbers too
        return float(cell)
    if isinstance(cell, str):
        raise TableRefused(
            rule=f"{shown(cell)} is a text in a column of numbers",
            remedy="correct the cell or leave it empty; or turn the whole column into texts for a category",
            row=row,
            column=name,
        )
    if isinstance(cell, dt.date | dt.timedelta | np.datetime64 | np.timedelta64):
        raise _dates_refused(name, row)
    # scikit-learn asks for this type and wording where a cell is an object of the program.
    raise TypeError(f"column {name!r}, row {row}: a cell is of {type(cell)}, argument must be a string or a number")


def _dates_refused(name: str, row: int | None = None) -> TableRefused:
    remedy = "turn the dates into numbers, such as days before the observation"
    return TableRefused(rule="it is of dates", remedy=remedy, row=row, column=name)


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and np.isnan(cell))
