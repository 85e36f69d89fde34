"""The rules of a contract as a Great Expectations suite: an independent second check for the report.

Great Expectations passes an expectation on an empty table, ignores missing values and lists only some bad rows. It
therefore only checks and counts here; ``checks.rows`` decides which rows are accepted. Great Expectations is imported
only when needed, because the import takes longer than validating a million rows.
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

# Great Expectations has the severities critical, warning and info.
_SEVERITIES = {Severity.CRITICAL: "critical", Severity.ERROR: "warning", Severity.WARNING: "info"}
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class GxFinding:
    """The Great Expectations result for one rule.

    ``validated`` is False if there was no value to check, or if not every value was checked; ``exception`` then says
    why. ``success`` is None in both cases, because the rule has neither passed nor failed. ``evaluated`` counts the
    values checked, ``unexpected_count`` the bad ones.
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
    """The findings, one for each rule, in contract order."""

    findings: tuple[GxFinding, ...]

    @property
    def success(self) -> bool:
        """Whether at least one rule was validated, none was broken and none raised an exception."""
        sound = all(finding.success is not False and finding.exception is None for finding in self.findings)
        return sound and any(finding.validated for finding in self.findings)

    @property
    def not_validated(self) -> tuple[str, ...]:
        """Rules without a result, because of a fault or because there was no value to check."""
        return tuple(finding.rule_id for finding in self.findings if not finding.validated)


def expectation_suite(contract: CompiledContract) -> Any:  # noqa: ANN401 - a great_expectations.ExpectationSuite
    """Return a suite with exactly one expectation for each rule; ``meta`` holds the rule's ID and scope."""
    gx = _great_expectations()
    return gx.ExpectationSuite(name=contract.identity, expectations=[_expectation(rule) for rule in contract.rules])


def suite_document(contract: CompiledContract) -> dict[str, Any]:
    """Return the suite as plain values for JSON, readable by Great Expectations and identical for identical contracts.

    A rule on several columns appears as a boolean column ``rule:<id>``. Its ``meta`` contains the condition that is
    true for bad rows, or the query whose value is compared.
    """
    document: dict[str, Any] = expectation_suite(contract).to_json_dict()
    rules = {rule.rule_id: rule for rule in contract.rules}
    for expectation in document["expectations"]:
        sql = rules[expectation["meta"]["rule_id"]].arguments.sql
        if sql is not None:
            expectation["meta"]["sql"] = " ".join(sql.split())
    # The ID is random and only needed for suites in a store.
    return {name: value for name, value in document.items() if name != "id"}


def validate_with_gx(table: pa.Table, contract: CompiledContract) -> GxOutcome:
    """Validate a table of the contract's types with Great Expectations and return one finding for each rule.

    DuckDB evaluates row expressions with the same conditions as ``checks.rows`` and passes them on as boolean columns.
    It also evaluates file rules and passes them on as a one-row frame. Great Expectations evaluates all other rules
    itself.
    """
    with RuleDatabase() as database:
        database.load(table)
        frame = _row_frame(table, contract, database)
        totals = _totals_frame(table, contract, database)
    found = {**_validated(frame, contract, "row"), **_validated(totals, contract, "file")}
    findings = (
        _finding(rule, found[rule.rule_id], _values_to_check(rule, table, totals if rule.scope == "file" else frame))
        for rule in contract.rules
    )
    return GxOutcome(tuple(findings))


def _great_expectations() -> Any:  # noqa: ANN401 - a module without types
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations  # noqa: PLC0415 - see the module's docstring

    # It logs every temporary folder that it creates.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    return great_expectations


def _expectation(rule: Rule) -> Any:  # noqa: ANN401 - a great_expectations Expectation
    import great_expectations.expectations as gxe  # noqa: PLC0415 - see the module's docstring

    name, arguments = _EXPECTATIONS[rule.kind](rule)
    meta = {"rule_id": rule.rule_id, "scope": rule.scope}
    return getattr(gxe, name)(**arguments, meta=meta, severity=_SEVERITIES[rule.severity], notes=rule.description)


_Expected = tuple[str, dict[str, Any]]


def _judged_column(rule: Rule) -> str:
    """Return the name of the frame column that holds a rule evaluated by DuckDB."""
    return f"rule:{rule.rule_id}"


def _unique(rule: Rule) -> _Expected:
    columns = rule.arguments.columns
    if len(columns) == 1:
        return "ExpectColumnValuesToBeUnique", {"column": columns[0]}
    arguments = {"column_list": list(columns), "ignore_row_if": "any_value_is_missing"}
    return "ExpectCompoundColumnsToBeUnique", arguments


def _pattern(rule: Rule) -> _Expected:
    # In Python, $ also matches before a final newline, so a value ending in one would pass.
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
    """Return a bound as a number: dates as days and timestamps as microseconds since 1970.

    These are exact as float64, fast to compare, and cannot overflow.
    """
    if bound is None:
        return None
    if isinstance(bound, Decimal):
        return int(bound) if bound == bound.to_integral_value() else float(bound)
    if isinstance(bound, datetime):
        since = bound - datetime(1970, 1, 1, tzinfo=UTC)
        return since.days * _MICROSECONDS_A_DAY + since.seconds * 1_000_000 + since.microseconds
    return (bound - date(1970, 1, 1)).days


def _row_frame(table: pa.Table, contract: CompiledContract, database: RuleDatabase) -> pd.DataFrame:
    """Return the columns that row rules need, and one boolean column for each row expression."""
    rules = contract.row_rules()
    judged = [rule for rule in rules if rule.kind is Kind.ROW_EXPRESSION]
    names = {rule.column for rule in rules if rule.column} | {n for rule in rules for n in rule.arguments.columns}
    columns: dict[str, Values] = {c.name: _plain(table[c.name]) for c in contract.columns if c.name in names}
    for rule_id, bad in database.bad_rows(judged).items():
        columns[f"rule:{rule_id}"] = ~bad
    import pandas as pd  # noqa: PLC0415 - as slow to import as the rest of this package together

    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _plain(column: Values) -> Any:  # noqa: ANN401 - a pandas series or numpy array
    """Return a column as text, booleans or float64. Money as float64 is only used for comparison with bounds."""
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
    """Return one row with the value of every file rule. For an empty table only the row count is known."""
    import pandas as pd  # noqa: PLC0415 - see above

    values: dict[str, list[float | None]] = {}
    for rule in contract.file_rules():
        value: Any = table.num_rows
        if rule.kind is Kind.FILE_VALUE:
            value = database.file_value(rule) if table.num_rows else None
        values[_judged_column(rule)] = [None if value is None else float(value)]
    return pd.DataFrame(values, dtype="float64")


def _validated(frame: pd.DataFrame, contract: CompiledContract, scope: str) -> dict[str, Any]:
    """Return the Great Expectations results for the rules of one scope, by rule ID."""
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
        raise InternalFault(f"{len(rules)} rules produced {len(results)} expectation results; missing: {lost}")
    return found


def _values_to_check(rule: Rule, table: pa.Table, frame: pd.DataFrame) -> int:
    """Return the number of values that a rule has to be checked on: missing ones are left to the rule ``required``."""
    if rule.scope == "file":
        return int(frame[_judged_column(rule)].notna().sum())
    if rule.kind is Kind.UNIQUE:
        missing = np.zeros(table.num_rows, dtype=bool)
        for name in rule.arguments.columns:
            missing |= table[name].is_null().to_numpy()
        return int((~missing).sum())
    if rule.column is None or rule.kind in {Kind.NOT_NULL, Kind.ROW_EXPRESSION}:
        return table.num_rows
    column = table[rule.column]
    # pandas, and with it Great Expectations, takes a NaN for a missing value.
    if pa.types.is_floating(column.type):
        column = column.filter(pc.invert(pc.is_nan(column)))
    return len(column) - column.null_count


def _finding(rule: Rule, result: Any, expected: int) -> GxFinding:  # noqa: ANN401 - an ExpectationValidationResult
    name = str(result.expectation_config.type)
    fault = _exception(result.exception_info)
    evaluated = 0 if fault else _evaluated(result.result)
    if fault is None and evaluated != expected:
        fault = f"Great Expectations checked {evaluated} of {expected} values"
    if fault or not expected:
        return GxFinding(
            rule.rule_id, name, validated=False, success=None, exception=fault, unexpected_count=0, evaluated=evaluated
        )
    return GxFinding(
        rule.rule_id,
        name,
        validated=True,
        success=bool(result.success),
        exception=None,
        unexpected_count=int(result.result.get("unexpected_count") or 0),
        evaluated=evaluated,
    )


def _evaluated(result: Mapping[str, Any]) -> int:
    """Return how many values Great Expectations says that it checked; 0 if it does not say."""
    return int(result.get("element_count") or 0) - int(result.get("missing_count") or 0)


def _exception(info: Any) -> str | None:  # noqa: ANN401 - a dict, or a dict of dicts by metric
    if not isinstance(info, dict):
        return None
    parts = [info, *(part for part in info.values() if isinstance(part, dict))]
    raised = [str(part.get("exception_message")) for part in parts if part.get("raised_exception")]
    return "; ".join(dict.fromkeys(raised)) or None
