"""Rules as DuckDB SQL. Identifiers come from contracts alone, values always travel as parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Bound, Bounds, Kind, Rule
from data_contracts.database import closed_database, shared_database
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray
    from pyarrow.dataset import Dataset

    from data_contracts.arrow import Values

ROWS = "rows"
POSITION = "_position"
# What a question about stored rows may hold in memory before it goes on in files of its own.
_MEMORY_LIMIT = "256MiB"


class RuleDatabase:
    """An in-memory DuckDB without access to files or network, to evaluate rules on one Arrow table after another."""

    def __init__(self, spill_folder: Path | None = None) -> None:
        if spill_folder is None:
            self._connection = shared_database()
        else:
            spilling = {"temp_directory": str(spill_folder), "memory_limit": _MEMORY_LIMIT}
            self._connection = closed_database(spilling)
        self.row_count = 0

    def __enter__(self) -> RuleDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def load(self, table: pa.Table) -> None:
        """Makes ``table`` the rows that the next questions are about."""
        self.row_count = table.num_rows
        positions = pa.array(np.arange(table.num_rows, dtype=np.int64))
        self._connection.register(ROWS, plain_rows(table).append_column(POSITION, positions))

    def load_stored(self, rows: Dataset, row_count: int) -> None:
        """Makes stored rows, as ``plain_rows`` gives them and with their POSITION, the ones asked about."""
        self.row_count = row_count
        self._connection.register(ROWS, rows)

    def bad_rows(self, rules: Sequence[Rule]) -> Mapping[str, NDArray[np.bool_]]:
        """Gives for each row rule which rows break it, in table order, all in one pass over the rows."""
        if not rules:
            return {}
        parameters: list[object] = []
        conditions = []
        for rule in rules:
            condition, values = bad_row_condition(rule)
            conditions.append(f"({condition})")
            parameters.extend(values)
        named = ", ".join(f"{condition} IS TRUE AS r{number}" for number, condition in enumerate(conditions))
        # Only rows that break something travel back.
        query = f'SELECT "{POSITION}", {named} FROM {ROWS} WHERE {" OR ".join(conditions)}'  # noqa: S608 - names are checked
        answer = self._ask(query, parameters * 2)
        positions, found = answer[POSITION].to_numpy(), {}
        for number, rule in enumerate(rules):
            broken = np.zeros(self.row_count, dtype=bool)
            broken[positions] = answer[f"r{number}"].to_numpy()
            found[rule.rule_id] = broken
        return found

    def bad_positions(self, rule: Rule) -> NDArray[np.int64]:
        """Gives the positions of the rows that break a row rule other than of uniqueness, ascending."""
        condition, values = bad_row_condition(rule)
        answer = self._ask(f'SELECT "{POSITION}" FROM {ROWS} WHERE ({condition}) IS TRUE', values)  # noqa: S608 - as above
        return np.sort(answer[POSITION].to_numpy())

    def key_hashes(self, columns: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Gives in table order a hash of each row's key, equal where keys are, and which keys have no part missing."""
        key, given = ", ".join(f'"{name}"' for name in columns), _all_given(columns)
        query = f'SELECT "{POSITION}", hash({key}) AS digest, {given} AS given FROM {ROWS}'  # noqa: S608 - as above
        answer = self._ask(query)
        order = np.argsort(answer[POSITION].to_numpy())
        return answer["digest"].to_numpy()[order], answer["given"].to_numpy()[order]

    def repeated_key_rows(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """Gives the positions of rows that share a key with another row; a key with a missing part is no key."""
        key = ", ".join(f'"{name}"' for name in columns)
        answer = self._ask(
            f'SELECT "{POSITION}" FROM {ROWS} WHERE {_all_given(columns)} '  # noqa: S608 - column names are checked by the compiler
            f'QUALIFY count(*) OVER (PARTITION BY {key}) > 1 ORDER BY "{POSITION}"'
        )
        return np.sort(answer[POSITION].to_numpy())

    def file_value(self, rule: Rule) -> Decimal | int | float | None:
        """Gives the one value the query of a file rule asks for."""
        # What a delivery covers is known of files, not of tables.
        query = (rule.arguments.sql or "").replace("${table}", ROWS).replace("${covered_to}", "CAST(NULL AS DATE)")
        answer = self._ask(query)
        value: Decimal | int | float | None = answer.column(0)[0].as_py() if answer.num_rows else None
        return value

    def _ask(self, query: str, parameters: Sequence[object] = ()) -> Values:
        try:
            return self._connection.sql(query, params=list(parameters)).to_arrow_table()
        except duckdb.Error as error:
            # What fails while DuckDB reads an Arrow table comes back as words.
            if "MemoryError" in str(error):
                raise MemoryError from error
            raise ConfigurationRefused(
                f"a rule cannot be evaluated: {error}", "correct its SQL in the contract"
            ) from error


def _all_given(columns: Sequence[str]) -> str:
    return " AND ".join(f'"{name}" IS NOT NULL' for name in columns)


def plain_rows(table: pa.Table) -> pa.Table:
    """Gives times as UTC without a zone, so that no session time zone can shift them, and NaN as missing."""
    columns: list[Values] = []
    for column in table.columns:
        values: Values = column
        if pa.types.is_timestamp(values.type) and values.type.tz is not None:
            values = values.cast(pa.timestamp(values.type.unit))
        elif pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        columns.append(values)
    return pa.Table.from_arrays(columns, names=table.column_names)


def bad_row_condition(rule: Rule) -> tuple[str, list[object]]:
    """Gives an SQL condition that is true for rows breaking a row rule, and its parameters.

    A missing value breaks no rule but the one that demands a value.
    """
    name, arguments = f'"{rule.column}"', rule.arguments
    marks = ", ".join("?" for _ in arguments.values)
    if rule.kind is Kind.ROW_EXPRESSION:
        return (arguments.sql or "").replace("${table}", ROWS), []
    if rule.kind is Kind.NOT_NULL:
        return f"{name} IS NULL", []
    if rule.kind is Kind.ENUM:
        return f"{name} NOT IN ({marks})", list(arguments.values)
    if rule.kind is Kind.NOT_IN:
        return f"{name} IN ({marks})", list(arguments.values)
    if rule.kind is Kind.PATTERN:
        return f"NOT regexp_matches({name}, ?)", [arguments.pattern]
    measured = f"length({name})" if rule.kind is Kind.LENGTH else name
    return _outside(measured, arguments.bounds or Bounds())


def _outside(measured: str, bounds: Bounds) -> tuple[str, list[object]]:
    parts, values = [], []
    if bounds.minimum is not None:
        parts.append(f"{measured} {'<=' if bounds.strict_minimum else '<'} ?")
        values.append(_parameter(bounds.minimum))
    if bounds.maximum is not None:
        parts.append(f"{measured} {'>=' if bounds.strict_maximum else '>'} ?")
        values.append(_parameter(bounds.maximum))
    return " OR ".join(parts), values


def _parameter(bound: Bound) -> object:
    if isinstance(bound, datetime):
        return bound.astimezone(UTC).replace(tzinfo=None)
    return bound


def within(value: Decimal | float | None, rule: Rule) -> bool:
    """Tells whether the value of a file rule is as the contract says; a value that cannot be known is not."""
    if value is None:
        return False
    arguments, bounds = rule.arguments, rule.arguments.bounds
    if arguments.equals is not None:
        return bool(value == arguments.equals)
    if arguments.differs is not None:
        return bool(value != arguments.differs)
    return bounds is None or _inside(value, bounds)


def _inside(value: Decimal | float, bounds: Bounds) -> bool:
    low, high = bounds.minimum, bounds.maximum
    above = low is None or (value > low if bounds.strict_minimum else value >= low)  # type: ignore[operator]
    below = high is None or (value < high if bounds.strict_maximum else value <= high)  # type: ignore[operator]
    return bool(above and below)
