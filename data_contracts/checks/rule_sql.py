"""Rules as DuckDB SQL. Identifiers come only from contracts, and values are always passed as parameters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.database import closed_database, shared_database
from data_contracts.definition.contract import Bound, Bounds, Kind, Rule
from data_contracts.errors import ConfigurationRefused, InternalFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.checks.row_stream import RowStream

ROWS = "rows"
POSITION = "_position"
DELIVERED_FOR = "delivered_for"
"""The seller of a delivery. Rules on groups of rows name it, because numbers of documents repeat between sellers."""
_VALUES, _CANDIDATES = "distinct_values", "candidates"
# Rules that check a value independently of the rest of its row.
_OF_VALUES = frozenset({Kind.ENUM, Kind.NOT_IN, Kind.PATTERN, Kind.LENGTH})
# Memory that a query on stored rows may use before it spills to disk.
_MEMORY_LIMIT = "256MiB"


class RuleDatabase:
    """An in-memory DuckDB without file or network access that evaluates rules on one Arrow table after another."""

    def __init__(self, spill_folder: Path | None = None) -> None:
        if spill_folder is None:
            self._connection = shared_database()
        else:
            spilling = {"temp_directory": str(spill_folder), "memory_limit": _MEMORY_LIMIT}
            self._connection = closed_database(spilling)
        self.row_count = 0
        self._rows: pa.Table | None = None

    def __enter__(self) -> RuleDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def load(self, table: pa.Table) -> None:
        """Load ``table`` as the rows of the following queries."""
        self.row_count = table.num_rows
        self._rows = _with_positions(with_seller(plain_rows(table)))
        self._connection.register(ROWS, self._rows)

    def load_stored(self, rows: RowStream, row_count: int) -> None:
        """Load stored rows, converted by ``plain_rows`` and with POSITION, as the rows of the following queries."""
        self.row_count, self._rows = row_count, None
        self._connection.register(ROWS, rows)

    def bad_rows(self, rules: Sequence[Rule]) -> Mapping[str, NDArray[np.bool_]]:
        """Return, for each row rule, a mask of the rows that break it, in table order.

        A rule on a dictionary column checks each distinct value once. All other rules are evaluated in one pass over
        the rows.
        """
        encoded = self._dictionary_columns([rule for rule in rules if rule.kind in _OF_VALUES])
        of_values = [rule for rule in rules if rule.kind in _OF_VALUES and rule.column in encoded]
        found = self._broken(ROWS, self.row_count, [rule for rule in rules if rule not in of_values])
        return {**found, **self._broken_by_value(of_values, encoded)}

    def _dictionary_columns(self, rules: Sequence[Rule]) -> dict[str, Values]:
        """Return the columns of the rules that are dictionaries with few distinct values."""
        found: dict[str, Values] = {}
        if self._rows is None or not self.row_count:
            return found
        for name in sorted({str(rule.column) for rule in rules}):
            column: Values = self._rows[name]
            if pa.types.is_dictionary(column.type):
                column = column.unify_dictionaries().combine_chunks()
                if 2 * len(column.dictionary) <= self.row_count:
                    found[name] = column
        return found

    def _broken_by_value(self, rules: Sequence[Rule], encoded: Mapping[str, Values]) -> dict[str, NDArray[np.bool_]]:
        if not rules:
            return {}
        column_of = {rule.rule_id: str(rule.column) for rule in rules}
        length = max(len(column.dictionary) for column in encoded.values())
        filled = [
            pa.concat_arrays([column.dictionary, pa.nulls(length - len(column.dictionary), column.type.value_type)])
            for column in encoded.values()
        ]
        self._connection.register(_VALUES, _with_positions(pa.table(filled, names=list(encoded))))
        found = {}
        for rule_id, broken in self._broken(_VALUES, length, rules).items():
            found[rule_id] = np.zeros(self.row_count, dtype=bool)
            if broken.any():
                column = encoded[column_of[rule_id]]
                # A missing value breaks none of these rules.
                found[rule_id] = np.append(broken, False)[column.indices.fill_null(length)]
        return found

    def _broken(self, rows: str, row_count: int, rules: Sequence[Rule]) -> dict[str, NDArray[np.bool_]]:
        if not rules:
            return {}
        parameters: list[object] = []
        conditions = []
        for rule in rules:
            condition, values = bad_row_condition(rule)
            conditions.append(f"({condition})")
            parameters.extend(values)
        named = ", ".join(f"{condition} IS TRUE AS r{number}" for number, condition in enumerate(conditions))
        # Return only the rows that break a rule.
        query = f'SELECT "{POSITION}", {named} FROM {rows} WHERE {" OR ".join(conditions)}'  # noqa: S608 - names are checked
        answer = self._ask(query, parameters * 2)
        positions, found = answer[POSITION].to_numpy(), {}
        for number, rule in enumerate(rules):
            broken = np.zeros(row_count, dtype=bool)
            broken[positions] = answer[f"r{number}"].to_numpy()
            found[rule.rule_id] = broken
        return found

    def bad_positions(self, rule: Rule) -> NDArray[np.int64]:
        """Return the positions of the rows that break a row rule, ascending. Uniqueness rules are not supported."""
        condition, values = bad_row_condition(rule)
        answer = self._ask(f'SELECT "{POSITION}" FROM {ROWS} WHERE ({condition}) IS TRUE', values)  # noqa: S608 - as above
        return np.sort(answer[POSITION].to_numpy())

    def bad_rows_by_stretch(self, rule: Rule, length: int) -> dict[int, int]:
        """Return the number of rows that break a row rule in each stretch of ``length`` positions, if any."""
        condition, values = bad_row_condition(rule)
        answer = self._ask(
            f'SELECT "{POSITION}" // ? AS stretch, count(*) AS found FROM {ROWS} '  # noqa: S608 - as above
            f"WHERE ({condition}) IS TRUE GROUP BY ALL ORDER BY ALL",
            [length, *values],
        )
        return dict(zip(answer["stretch"].to_pylist(), answer["found"].to_pylist(), strict=True))

    def key_hashes(self, columns: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return, in table order, a hash of each row's key and a mask of the keys without missing parts."""
        key, given = ", ".join(f'"{name}"' for name in columns), _all_given(columns)
        query = f'SELECT "{POSITION}", hash({key}) AS digest, {given} AS given FROM {ROWS}'  # noqa: S608 - as above
        answer = self._ask(query)
        order = np.argsort(answer[POSITION].to_numpy())
        return answer["digest"].to_numpy()[order], answer["given"].to_numpy()[order]

    def repeated_key_rows(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """Return the positions of rows that share a key with another row; a key with a missing part does not count.

        The rows must be loaded. Only rows whose key hash occurs twice are compared by value.
        """
        if self._rows is None:
            raise InternalFault("keys can only be compared for loaded rows")
        hashes, given = self.key_hashes(columns)
        candidates = np.flatnonzero(given & is_among(hashes, repeated_hashes([hashes[given]])))
        if not len(candidates):
            return candidates
        places: Values = pa.array(candidates)
        rows = self._rows.select([*columns, POSITION]).take(places)
        self._connection.register(_CANDIDATES, rows)
        key = ", ".join(f'"{name}"' for name in columns)
        answer = self._ask(
            f'SELECT "{POSITION}" FROM {_CANDIDATES} '  # noqa: S608 - column names are checked by the compiler
            f"QUALIFY count(*) OVER (PARTITION BY {key}) > 1"
        )
        return np.sort(answer[POSITION].to_numpy())

    def shared_key_positions(self, columns: Sequence[str]) -> NDArray[np.int64]:
        """Return the positions of stored rows that share a key with another row, as ``repeated_key_rows`` does.

        DuckDB groups the keys and spills what its memory limit does not hold, so any number of rows can be stored.
        """
        key, given = ", ".join(f'"{name}"' for name in columns), _all_given(columns)
        answer = self._ask(
            f'SELECT "{POSITION}" FROM {ROWS} SEMI JOIN (SELECT {key} FROM {ROWS} '  # noqa: S608 - as above
            f"WHERE {given} GROUP BY {key} HAVING count(*) > 1) USING ({key})"
        )
        return np.sort(answer[POSITION].to_numpy())

    def later_positions(self, columns: Sequence[str], positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those of some positions of stored rows whose key occurs at an earlier one of them, ascending."""
        self._connection.register(_CANDIDATES, pa.table({POSITION: pa.array(positions)}))
        key = ", ".join(f'"{name}"' for name in columns)
        answer = self._ask(
            f'SELECT "{POSITION}" FROM {ROWS} SEMI JOIN {_CANDIDATES} USING ("{POSITION}") '  # noqa: S608 - as above
            f'QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY "{POSITION}") > 1'
        )
        return np.sort(answer[POSITION].to_numpy())

    def file_value(self, rule: Rule) -> Decimal | int | float | None:
        """Return the one value of a file rule's query."""
        # The period covered is known for files, not for tables.
        query = (rule.arguments.sql or "").replace("${table}", ROWS).replace("${covered_to}", "CAST(NULL AS DATE)")
        answer = self._ask(query)
        value: Decimal | int | float | None = answer.column(0)[0].as_py() if answer.num_rows else None
        return value

    def _ask(self, query: str, parameters: Sequence[object] = ()) -> Values:
        try:
            return self._connection.sql(query, params=list(parameters)).to_arrow_table()
        except (duckdb.OutOfMemoryException, duckdb.IOException):
            # Memory or the disk is at fault, not the rule.
            raise
        except duckdb.Error as error:
            # DuckDB reports errors while it reads an Arrow table only as text.
            if "MemoryError" in str(error):
                raise MemoryError from error
            raise ConfigurationRefused(
                f"a rule cannot be evaluated: {error}", "correct its SQL in the contract"
            ) from error


def repeated_hashes(pieces: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Return the hashes that occur more than once in all pieces together, ascending."""
    ranked = np.concatenate([np.zeros(0, dtype=np.uint64), *pieces])
    ranked.sort()
    return np.unique(ranked[1:][ranked[1:] == ranked[:-1]])


def is_among(hashes: NDArray[np.uint64], few: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return, for each hash, whether it is in ``few``, which is sorted."""
    if not len(few):
        return np.zeros(len(hashes), dtype=bool)
    found: NDArray[np.bool_] = few[np.minimum(np.searchsorted(few, hashes), len(few) - 1)] == hashes
    return found


def _with_positions(rows: pa.Table) -> pa.Table:
    return rows.append_column(POSITION, pa.array(np.arange(rows.num_rows, dtype=np.int64)))


def with_seller(rows: pa.Table) -> pa.Table:
    """Return rows with the column of their seller, empty if they are not of a delivery."""
    if DELIVERED_FOR in rows.column_names:
        return rows
    return rows.append_column(DELIVERED_FOR, pa.nulls(rows.num_rows, pa.string()))


def columns_asked(rules: Sequence[Rule], names: Sequence[str]) -> list[str]:
    """Return those of ``names`` that occur in the SQL of the rules, ignoring case as SQL does."""
    asked = set(re.findall(r"\w+", " ".join(rule.arguments.sql or "" for rule in rules).lower()))
    return [name for name in names if name.lower() in asked]


def _all_given(columns: Sequence[str]) -> str:
    return " AND ".join(f'"{name}" IS NOT NULL' for name in columns)


def plain_rows(table: pa.Table) -> pa.Table:
    """Return times as UTC without a zone, so that no session time zone can shift them, and NaN as null."""
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
    """Return an SQL condition that is true for rows that break a row rule, and its parameters.

    A missing value breaks only a rule that requires a value.
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
    # Comparing whole numbers as integers is cheaper than as decimals, with the same result.
    return int(bound) if isinstance(bound, Decimal) and bound == bound.to_integral_value() else bound


def within(value: Decimal | float | None, rule: Rule) -> bool:
    """Return whether the value of a file rule meets the contract; an unknown value does not."""
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
