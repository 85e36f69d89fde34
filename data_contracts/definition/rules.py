"""Compile the rules of an ODCS contract into ``Rule`` records, one record for each statement in the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from data_contracts.definition.contract import Arguments, Bound, Bounds, Column, Kind, Rule, Scope, Severity
from data_contracts.errors import ConfigurationRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

COVERED_TO = "${covered_to}"
_RULE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BAD_ROWS = re.compile(r"\s*SELECT\s+COUNT\(\*\)\s+FROM\s+\$\{table\}\s+WHERE\s+(.+)", re.IGNORECASE | re.DOTALL)
_ONE_VALUE = re.compile(r"\s*SELECT\s+(.+?)\s+FROM\s+\$\{table\}(?:\s+WHERE\s+(.+))?\s*", re.IGNORECASE | re.DOTALL)
_SHORTHAND = re.compile(r"\\[dDwWsSbB]")
_RANGE_KEYS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_LENGTH_KEYS = ("minLength", "maxLength")


def property_rules(prop: SchemaProperty, column: Column, severities: Mapping[str, str]) -> Iterator[Rule]:
    """Yield the rules of one column: keywords first, then its ``quality`` entries.

    ``severities`` overrides the default severity (error) of a keyword's rule; its keys are the last part of the rule
    ID.
    """
    for kind, suffix, arguments, description in _keyword_rules(prop, column):
        severity = Severity(severities.get(suffix, Severity.ERROR))
        yield Rule(f"{column.name}:{suffix}", "row", kind, column.name, arguments, severity, description)
    for entry in prop.quality or []:
        yield quality_rule(entry, column)


def _keyword_rules(prop: SchemaProperty, column: Column) -> Iterator[tuple[Kind, str, Arguments, str]]:
    options = prop.logicalTypeOptions or {}
    if prop.required:
        yield Kind.NOT_NULL, "required", Arguments(), f"{column.name} is not empty"
    if prop.unique:
        yield Kind.UNIQUE, "unique", Arguments(columns=(column.name,)), f"{column.name} is unique"
    if column.enum:
        described = f"{column.name} is one of {', '.join(column.enum)}"
        yield Kind.ENUM, "enum", Arguments(values=column.enum), described
    if "pattern" in options:
        pattern = whole_pattern(str(options["pattern"]), column.name)
        yield Kind.PATTERN, "pattern", Arguments(pattern=pattern), f"{column.name} matches `{pattern}`"
    if any(key in options for key in _RANGE_KEYS):
        bounds = _range_bounds(options, column)
        yield Kind.RANGE, "range", Arguments(bounds=bounds), f"{column.name} is {describe_bounds(bounds)}"
    if any(key in options for key in _LENGTH_KEYS):
        shortest, longest = (options.get(key) for key in _LENGTH_KEYS)
        bounds = Bounds(_decimal(shortest), _decimal(longest))
        yield (
            Kind.LENGTH,
            "length",
            Arguments(bounds=bounds),
            f"the length of {column.name} is {describe_bounds(bounds)}",
        )


def primary_key_rule(columns: tuple[str, ...]) -> Rule:
    """Return the rule that the key columns together are unique."""
    description = f"{' + '.join(columns)} is unique"
    return Rule("primary_key", "row", Kind.UNIQUE, None, Arguments(columns=columns), Severity.ERROR, description)


def table_rules(schema: SchemaObject) -> Iterator[Rule]:
    """Yield the rules of the table as a whole, in file order."""
    for entry in schema.quality or []:
        yield quality_rule(entry, None)


def quality_rule(entry: DataQuality, column: Column | None) -> Rule:
    """Compile one ODCS ``quality`` entry.

    Raises:
        ConfigurationRefused: the entry is of a form that is not supported.
    """
    name = entry.name or ""
    if not _RULE_NAME.fullmatch(name):
        raise ConfigurationRefused(f"invalid quality rule name {name!r}", "use lower-case words joined by _")
    compiled = _sql_rule(entry, column) if entry.type == "sql" else _library_rule(entry, column)
    scope: Scope = "file" if compiled.kind in {Kind.ROW_COUNT, Kind.FILE_VALUE} else "row"
    default = Severity.CRITICAL if scope == "file" else Severity.ERROR
    severity = Severity(entry.severity) if entry.severity else default
    if scope == "file" and severity is Severity.ERROR:
        raise ConfigurationRefused(
            f"file rule {name!r} has severity error, but it identifies no rows to quarantine",
            "use critical (reject the file) or warning (only count)",
        )
    rule_id = f"{column.name}:{name}" if column else name
    column_name = column.name if column else None
    description, in_doubt = entry.description or rule_id, entry.dimension == "consistency"
    return Rule(rule_id, scope, compiled.kind, column_name, compiled.arguments, severity, description, in_doubt)


def per_file_query(rule: Rule) -> str:
    """Return the query of a file rule over ``rows`` of many files; its result has ``file_order`` and ``value``.

    ``${covered_to}`` is replaced by the last day that the delivery covers.

    Raises:
        ConfigurationRefused: the query is not ``SELECT <aggregate> FROM ${table} [WHERE <condition>]``, so it cannot be
            evaluated for many files at once.
    """
    parts = _ONE_VALUE.fullmatch(rule.arguments.sql or "")
    if parts is None:
        raise ConfigurationRefused(
            f"file rule {rule.rule_id!r} cannot be evaluated for each file",
            "write it as SELECT <aggregate> FROM ${table} [WHERE <condition>]",
        )
    value = parts.group(1).replace(COVERED_TO, "max(covered_to)")
    where = f" WHERE {parts.group(2)}" if parts.group(2) else ""
    return f"SELECT file_order, {value} AS value FROM rows{where} GROUP BY file_order ORDER BY file_order"  # noqa: S608


@dataclass(frozen=True)
class _Compiled:
    kind: Kind
    arguments: Arguments


def _sql_rule(entry: DataQuality, column: Column | None) -> _Compiled:
    query = (entry.query or "").strip()
    if column:
        query = query.replace("${column}", f'"{column.name}"')
    bad_rows = _BAD_ROWS.fullmatch(query)
    if bad_rows and entry.mustBe == 0:
        return _Compiled(Kind.ROW_EXPRESSION, Arguments(sql=bad_rows.group(1).strip()))
    return _Compiled(Kind.FILE_VALUE, _compared(entry, sql=query))


def _library_rule(entry: DataQuality, column: Column | None) -> _Compiled:
    if entry.type not in {None, "library"} or entry.metric is None:
        raise ConfigurationRefused(
            f"quality rule {entry.name!r} has the unknown type {entry.type!r}",
            "use type library with a metric, or type sql",
        )
    if entry.metric == "rowCount":
        return _Compiled(Kind.ROW_COUNT, _compared(entry))
    if entry.mustBe != 0:
        raise ConfigurationRefused(f"quality rule {entry.name!r} tolerates bad rows", "use mustBe: 0 and a severity")
    return _metric_of_rows(entry, column)


def _metric_of_rows(entry: DataQuality, column: Column | None) -> _Compiled:
    given = entry.arguments or {}
    if entry.metric == "duplicateValues":
        columns = tuple(given.get("properties", ())) or ((column.name,) if column else ())
        return _Compiled(Kind.UNIQUE, Arguments(columns=columns))
    if column is None:
        raise ConfigurationRefused(f"quality rule {entry.name!r} names no column", "state it under a property")
    if entry.metric == "nullValues":
        return _Compiled(Kind.NOT_NULL, Arguments())
    if entry.metric == "missingValues":
        return _Compiled(Kind.NOT_IN, Arguments(values=tuple(map(str, given.get("missingValues", ())))))
    if entry.metric == "invalidValues" and "pattern" in given:
        return _Compiled(Kind.PATTERN, Arguments(pattern=whole_pattern(str(given["pattern"]), column.name)))
    if entry.metric == "invalidValues" and "validValues" in given:
        return _Compiled(Kind.ENUM, Arguments(values=tuple(map(str, given["validValues"]))))
    raise ConfigurationRefused(
        f"quality rule {entry.name!r} has an unknown metric",
        "use nullValues, missingValues, invalidValues, duplicateValues or rowCount",
    )


def _compared(entry: DataQuality, sql: str | None = None) -> Arguments:
    """Return the comparison of a file rule, which states exactly one of the ODCS operators."""
    if entry.mustBe is not None:
        return Arguments(sql=sql, equals=_decimal(entry.mustBe))
    if entry.mustNotBe is not None:
        return Arguments(sql=sql, differs=_decimal(entry.mustNotBe))
    if entry.mustBeBetween is not None:
        low, high = entry.mustBeBetween
        return Arguments(sql=sql, bounds=Bounds(_decimal(low), _decimal(high)))
    ends = (
        (entry.mustBeGreaterThan, None, True),
        (entry.mustBeGreaterOrEqualTo, None, False),
        (None, entry.mustBeLessThan, True),
        (None, entry.mustBeLessOrEqualTo, False),
    )
    for low_end, high_end, strict in ends:
        if low_end is not None or high_end is not None:
            bounds = Bounds(
                _decimal(low_end), _decimal(high_end), strict and low_end is not None, strict and high_end is not None
            )
            return Arguments(sql=sql, bounds=bounds)
    raise ConfigurationRefused(f"quality rule {entry.name!r} has no comparison", "add mustBe or another operator")


def whole_pattern(pattern: str, column: str) -> str:
    """Return ``pattern`` unchanged after checking it.

    Raises:
        ConfigurationRefused: the pattern is not anchored at both ends, or regex engines interpret it differently.
    """
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise ConfigurationRefused(f"the pattern of {column} is not anchored", "write it as ^...$")
    if _SHORTHAND.search(pattern):
        # Regex engines differ in whether these classes include non-Latin characters.
        raise ConfigurationRefused(f"the pattern of {column} has a shorthand class", "write it out, such as [0-9]")
    return pattern


def _range_bounds(options: Mapping[str, Any], column: Column) -> Bounds:
    low = options.get("minimum", options.get("exclusiveMinimum"))
    high = options.get("maximum", options.get("exclusiveMaximum"))
    return Bounds(
        None if low is None else _bound(low, column.arrow_type),
        None if high is None else _bound(high, column.arrow_type),
        strict_minimum="exclusiveMinimum" in options,
        strict_maximum="exclusiveMaximum" in options,
    )


def _bound(value: object, arrow_type: pa.DataType) -> Bound:
    if pa.types.is_date(arrow_type):
        return date.fromisoformat(str(value))
    if pa.types.is_timestamp(arrow_type):
        moment = datetime.fromisoformat(str(value))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Decimal(str(value))


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def describe_bounds(bounds: Bounds) -> str:
    """Describe an interval in words, such as ``at least 0 and below 1``."""
    parts = []
    if bounds.minimum is not None:
        parts.append(f"{'above' if bounds.strict_minimum else 'at least'} {bounds.minimum}")
    if bounds.maximum is not None:
        parts.append(f"{'below' if bounds.strict_maximum else 'at most'} {bounds.maximum}")
    return " and ".join(parts)
