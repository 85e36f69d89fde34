"""The contract's rules as a Great Expectations suite: the second, independent opinion that the report shows.

Great Expectations passes an expectation on no rows, ignores missing values and lists only some bad rows; so it judges
and counts here, and ``checking`` decides what becomes of each row. It is imported only when called: importing it takes
longer than validating a million rows.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rule_sql import RuleDatabase
from data_contracts.definition.contract import Bound, Bounds, CompiledContract, Kind, Rule, Severity
from data_contracts.errors import InternalFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from data_contracts.arrow import Values

# Great Expectations knows critical, warning and info.
_SEVERITIES = {Severity.CRITICAL: "critical", Severity.ERROR: "warning", Severity.WARNING: "info"}
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class GxFinding:
    """What Great Expectations says of one rule.

    ``validated`` is False when nothing was evaluated or an exception was raised; then ``success`` is None, for such a
    rule has neither passed nor failed. ``evaluated`` counts the values judged, ``unexpected_count`` the bad ones.
    """

    rule_id: str
    expectation: str
    validated: bool
    success: bool | None
    exception: str | None
    unexpected_count: int
    evaluated: int


@dataclass(frozen=True)
class GxOutcome:
    """One finding a rule, in contract order."""

    findings: tuple[GxFinding, ...]

    @property
    def success(self) -> bool:
        """Whether rules could be judged at all, none was broken and none raised an exception."""
        sound = all(finding.success is not False and finding.exception is None for finding in self.findings)
        return sound and any(finding.validated for finding in self.findings)

    @property
    def not_validated(self) -> tuple[str, ...]:
        """The rules nobody can vouch for: an exception, or no value to judge."""
        return tuple(finding.rule_id for finding in self.findings if not finding.validated)


def expectation_suite(contract: CompiledContract) -> Any:  # noqa: ANN401 - a great_expectations.ExpectationSuite
    """Gives a suite with exactly one expectation a rule, each carrying its rule's id and scope in ``meta``."""
    gx = _great_expectations()
    return gx.ExpectationSuite(name=contract.identity, expectations=[_expectation(rule) for rule in contract.rules])


def suite_document(contract: CompiledContract) -> dict[str, Any]:
    """Gives the suite as plain values for JSON, which Great Expectations reads back; the same for the same contract.

    A rule on several columns stands there as a column ``rule:<id>`` of booleans; ``meta`` then names the condition that
    is true for its bad rows, or the query whose value is compared.
    """
    document: dict[str, Any] = expectation_suite(contract).to_json_dict()
    rules = {rule.rule_id: rule for rule in contract.rules}
    for expectation in document["expectations"]:
        sql = rules[expectation["meta"]["rule_id"]].arguments.sql
        if sql is not None:
            expectation["meta"]["sql"] = " ".join(sql.split())
    # An id is for suites kept in a store, and would be drawn by chance.
    return {name: value for name, value in document.items() if name != "id"}


def validate_with_gx(table: pa.Table, contract: CompiledContract) -> GxOutcome:
    """Gives Great Expectations' finding on every rule for a table of the contract's types.

    Row expressions reach it as columns of booleans that DuckDB computes by the same condition as ``checking``, file
    rules as a frame of one row; all other rules it works out by itself from the values.
    """
    with RuleDatabase() as database:
        database.load(table)
        frame = _row_frame(table, contract, database)
        totals = _totals_frame(table, contract, database)
    found = {**_validated(frame, contract, "row"), **_validated(totals, contract, "file")}
    return GxOutcome(tuple(_finding(rule, found[rule.rule_id], table.num_rows) for rule in contract.rules))


def _great_expectations() -> Any:  # noqa: ANN401 - a module without types
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations  # noqa: PLC0415 - see the module's docstring

    # It announces every temporary folder it makes.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    return great_expectations


def _expectation(rule: Rule) -> Any:  # noqa: ANN401 - a great_expectations Expectation
    import great_expectations.expectations as gxe  # noqa: PLC0415 - see the module's docstring

    name, arguments = _EXPECTATIONS[rule.kind](rule)
    meta = {"rule_id": rule.rule_id, "scope": rule.scope}
    return getattr(gxe, name)(**arguments, meta=meta, severity=_SEVERITIES[rule.severity], notes=rule.description)


_Expected = tuple[str, dict[str, Any]]


def _judged_column(rule: Rule) -> str:
    """The column of the frame that a rule computed by DuckDB is given in."""
    return f"rule:{rule.rule_id}"


def _unique(rule: Rule) -> _Expected:
    columns = rule.arguments.columns
    if len(columns) == 1:
        return "ExpectColumnValuesToBeUnique", {"column": columns[0]}
    arguments = {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"}
    return "ExpectCompoundColumnsToBeUnique", arguments


def _pattern(rule: Rule) -> _Expected:
    # To Python a dollar also stands before a final line end; a value ending in one would pass.
    pattern = (rule.arguments.pattern or "").removesuffix("$") + r"\Z"
    return "ExpectColumnValuesToMatchRegex", {"column": rule.column, "regex": pattern}


def _range(rule: Rule) -> _Expected:
    return "ExpectColumnValuesToBeBetween", {"column": rule.column, **_between(rule.arguments.bounds or Bounds())}


def _length(rule: Rule) -> _Expected:
    between = _between(rule.arguments.bounds or Bounds())
    return "ExpectColumnValueLengthsToBeBetween", {"column": rule.column, **between}


def _file_value(rule: Rule) -> _Expected:
    column, arguments = _judged_column(rule), rule.arguments
    if arguments.equals is not None:
        return "ExpectColumnValuesToBeInSet", {"column": column, "value_set": [float(arguments.equals)]}
    if arguments.differs is not None:
        return "ExpectColumnValuesToNotBeInSet", {"column": column, "value_set": [float(arguments.differs)]}
    return "ExpectColumnValuesToBeBetween", {"column": column, **_between(arguments.bounds or Bounds())}


_EXPECTATIONS: Mapping[Kind, Callable[[Rule], _Expected]] = {
    Kind.NOT_NULL: lambda rule: ("ExpectColumnValuesToNotBeNull", {"column": rule.column}),
    Kind.UNIQUE: _unique,
    Kind.ENUM: lambda rule: (
        "ExpectColumnValuesToBeInSet",
        {"column": rule.column, "value_set": list(rule.arguments.values)},
    ),
    Kind.NOT_IN: lambda rule: (
        "ExpectColumnValuesToNotBeInSet",
        {"column": rule.column, "value_set": list(rule.arguments.values)},
    ),
    Kind.PATTERN: _pattern,
    Kind.RANGE: _range,
    Kind.LENGTH: _length,
    Kind.ROW_EXPRESSION: lambda rule: (
        "ExpectColumnValuesToBeInSet",
        {"column": _judged_column(rule), "value_set": [True]},
    ),
    Kind.ROW_COUNT: _file_value,
    Kind.FILE_VALUE: _file_value,
}


def _between(bounds: Bounds) -> dict[str, Any]:
    return {
        "min_value": _number(bounds.minimum),
        "max_value": _number(bounds.maximum),
        "strict_min": bounds.strict_minimum,
        "strict_max": bounds.strict_maximum,
    }


def _number(bound: Bound | None) -> float | int | None:
    """Dates are given as days and moments as microseconds since 1970: exact as float64, quick, and free of overflow."""
    if bound is None:
        return None
    if isinstance(bound, Decimal):
        return int(bound) if bound == bound.to_integral_value() else float(bound)
    if isinstance(bound, datetime):
        since = bound - datetime(1970, 1, 1, tzinfo=UTC)
        return since.days * _MICROSECONDS_A_DAY + since.seconds * 1_000_000 + since.microseconds
    return (bound - date(1970, 1, 1)).days


def _row_frame(table: pa.Table, contract: CompiledContract, database: RuleDatabase) -> pd.DataFrame:
    """Gives the columns that row rules are about, and one of booleans a row expression."""
    rules = contract.row_rules()
    judged = [rule for rule in rules if rule.kind is Kind.ROW_EXPRESSION]
    names = {rule.column for rule in rules if rule.column} | {n for rule in rules for n in rule.arguments.columns}
    columns: dict[str, Values] = {c.name: _plain(table[c.name]) for c in contract.columns if c.name in names}
    for rule_id, bad in database.bad_rows(judged).items():
        columns[f"rule:{rule_id}"] = ~bad
    import pandas as pd  # noqa: PLC0415 - as slow to import as the rest of this package together

    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _plain(column: Values) -> Any:  # noqa: ANN401 - a pandas series or numpy array
    """Gives a column as text, booleans or float64; money as float64 is for comparing with bounds only."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(pa.string()).to_pandas()
    if pa.types.is_date(kind):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    if pa.types.is_string(kind) or pa.types.is_boolean(kind):
        return column.to_pandas()
    return pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()


def _totals_frame(table: pa.Table, contract: CompiledContract, database: RuleDatabase) -> pd.DataFrame:
    """Gives one row with the value of every file rule; nothing is known of a table without rows but their number."""
    import pandas as pd  # noqa: PLC0415 - see above

    values: dict[str, list[float | None]] = {}
    for rule in contract.file_rules():
        value: Any = table.num_rows
        if rule.kind is Kind.FILE_VALUE:
            value = database.file_value(rule) if table.num_rows else None
        values[_judged_column(rule)] = [None if value is None else float(value)]
    return pd.DataFrame(values, dtype="float64")


def _validated(frame: pd.DataFrame, contract: CompiledContract, scope: str) -> dict[str, Any]:
    """Gives Great Expectations' results on the rules of one scope by rule id."""
    gx = _great_expectations()
    rules = [rule for rule in contract.rules if rule.scope == scope]
    if not rules:
        return {}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset(scope)
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(
        name=f"{contract.identity} {scope}", expectations=[_expectation(rule) for rule in rules]
    )
    validation = batch.validate(suite, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})
    return _by_rule(validation.results, rules)


def _by_rule(results: Sequence[Any], rules: Sequence[Rule]) -> dict[str, Any]:
    found = {result.expectation_config.meta["rule_id"]: result for result in results}
    lost = sorted({rule.rule_id for rule in rules} - set(found))
    if lost or len(results) != len(rules):
        raise InternalFault(f"{len(rules)} rules gave {len(results)} expectation results; without one: {lost}")
    return found


def _finding(rule: Rule, result: Any, rows: int) -> GxFinding:  # noqa: ANN401 - an ExpectationValidationResult
    name = str(result.expectation_config.type)
    exception = _exception(result.exception_info)
    elements = 1 if rule.scope == "file" else rows
    evaluated = 0 if exception else elements - int(result.result.get("missing_count") or 0)
    if exception or not evaluated:
        return GxFinding(
            rule.rule_id, name, validated=False, success=None, exception=exception, unexpected_count=0, evaluated=0
        )
    unexpected = int(result.result.get("unexpected_count") or 0)
    return GxFinding(
        rule.rule_id,
        name,
        validated=True,
        success=bool(result.success),
        exception=None,
        unexpected_count=unexpected,
        evaluated=evaluated,
    )


def _exception(info: Any) -> str | None:  # noqa: ANN401 - a dict, or a dict of dicts by metric
    if not isinstance(info, dict):
        return None
    parts = [info, *(part for part in info.values() if isinstance(part, dict))]
    raised = [str(part.get("exception_message")) for part in parts if part.get("raised_exception")]
    return "; ".join(dict.fromkeys(raised)) or None
