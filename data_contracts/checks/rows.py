"""Row and file checks: accepted rows, rows set aside with the reason, and the number of breaches of each rule."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data_contracts.checks.rule_sql import RuleDatabase, within
from data_contracts.definition.contract import CompiledContract, Kind, Rule, Severity
from data_contracts.errors import InternalFault
from data_contracts.lineage import (
    QUARANTINE_SCHEMA,
    ROW_ORDER,
    Origin,
    StringDictionary,
    concat_quarantine,
    constant,
    empty_quarantine,
    kept_originals,
    kept_values,
    row_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
    from types import TracebackType

    from numpy.typing import NDArray

    from data_contracts.arrow import Values

_ORIGINAL = "original"
KEPT = -1


@dataclass(frozen=True)
class FileFinding:
    """The result of a file rule: the measured value and whether it passed."""

    rule_id: str
    severity: Severity
    value: Decimal | int | float | None
    passed: bool


@dataclass(frozen=True)
class CheckResult:
    """The rows of a table in three groups, with rows_in = accepted + quarantined + duplicates.

    ``quarantined`` and ``duplicates`` are QUARANTINE_SCHEMA tables. ``counts_by_rule`` contains every rule of the
    contract. It counts the rows that break a rule, even if they break others too; for a uniqueness rule, every row that
    shares its key; for a file rule, 1 if it is broken. ``rejected_by`` names the broken critical rules; if there are
    any, no row is accepted.
    """

    accepted: pa.Table
    quarantined: pa.Table
    duplicates: pa.Table
    counts_by_rule: Mapping[str, int]
    file_findings: tuple[FileFinding, ...]
    rejected_by: tuple[str, ...]
    rows_in: int


def check_rows(table: pa.Table, contract: CompiledContract, origin: Origin | None = None) -> CheckResult:
    """Check a typed table against every rule of ``contract``.

    A row is set aside once, under the first error rule it breaks in contract order. If rows share a unique key and
    break no other rule, the first by source file and source row is kept and the others are duplicates. Lineage is taken
    from the table's own columns, else from ``origin``; original bytes are taken from a column ``original``, else from
    ``origin``.

    Raises:
        InternalFault: the table does not have the contract's types, or the rows do not add up.
    """
    with RowChecker(contract) as checker:
        return checker.check(table, origin)


class RowChecker:
    """Checks many tables against one contract with one database; otherwise like ``check_rows``."""

    def __init__(self, contract: CompiledContract) -> None:
        self._contract = contract
        self._database = RuleDatabase()

    def __enter__(self) -> RowChecker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.__exit__(kind, error, trace)

    def check(self, table: pa.Table, origin: Origin | None = None) -> CheckResult:
        """Check one table, as ``check_rows`` does."""
        require_types(table, self._contract)
        self._database.load(table)
        broken = self._broken_row_rules()
        findings = file_findings(self._contract, self._database)
        counts = {rule.rule_id: int(broken[rule.rule_id].sum()) for rule in self._contract.row_rules()}
        counts |= {finding.rule_id: int(not finding.passed) for finding in findings}
        rules = list(self._contract.rules)
        rejected = tuple(r.rule_id for r in rules if r.severity is Severity.CRITICAL and counts.get(r.rule_id))
        reason, duplicate = _reasons(table, rules, broken, rejected)
        sorter = QuarantineWriter(table, rules, origin or Origin(None, None, None))
        result = CheckResult(
            accepted=accepted_rows(table, self._contract, reason == KEPT),
            quarantined=sorter.entries(np.flatnonzero((reason != KEPT) & ~duplicate), reason),
            duplicates=sorter.entries(np.flatnonzero(duplicate), reason),
            counts_by_rule={rule.rule_id: counts[rule.rule_id] for rule in rules},
            file_findings=findings,
            rejected_by=rejected,
            rows_in=table.num_rows,
        )
        require_balance(result)
        return result

    def _broken_row_rules(self) -> dict[str, NDArray[np.bool_]]:
        rules = self._contract.row_rules()
        broken = dict(self._database.bad_rows([rule for rule in rules if rule.kind is not Kind.UNIQUE]))
        length = self._database.row_count
        for rule in rules:
            if rule.kind is Kind.UNIQUE:
                shared = np.zeros(length, dtype=bool)
                shared[self._database.repeated_key_rows(rule.arguments.columns)] = True
                broken[rule.rule_id] = shared
        return broken


def file_findings(contract: CompiledContract, database: RuleDatabase) -> tuple[FileFinding, ...]:
    """Return the results of the file rules for the loaded rows."""
    findings = []
    for rule in contract.file_rules():
        counts_rows = rule.kind is Kind.ROW_COUNT
        if not counts_rows and not database.row_count:
            # An aggregate of no rows means nothing. Whether rows are required is a rule of its own.
            findings.append(FileFinding(rule.rule_id, rule.severity, None, passed=True))
            continue
        value = database.row_count if counts_rows else database.file_value(rule)
        findings.append(FileFinding(rule.rule_id, rule.severity, value, within(value, rule)))
    return tuple(findings)


def _reasons(
    table: pa.Table, rules: Sequence[Rule], broken: Mapping[str, NDArray[np.bool_]], rejected: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return, for each row, the index of the rule that sets it aside (or KEPT), and whether it is a duplicate."""
    reason = np.full(table.num_rows, KEPT, dtype=np.int64)
    for index in reversed(range(len(rules))):
        rule = rules[index]
        if rule.scope == "row" and rule.kind is not Kind.UNIQUE and rule.severity is not Severity.WARNING:
            reason[broken[rule.rule_id]] = index
    duplicate = np.zeros(table.num_rows, dtype=bool)
    for index, rule in enumerate(rules):
        if rule.kind is Kind.UNIQUE and rule.severity is not Severity.WARNING and broken[rule.rule_id].any():
            candidates = np.flatnonzero(broken[rule.rule_id] & (reason == KEPT))
            later = _later_occurrences(table, rule.arguments.columns, candidates)
            reason[later], duplicate[later] = index, True
    if rejected:
        first = next(index for index, rule in enumerate(rules) if rule.rule_id == rejected[0])
        reason[reason == KEPT] = first
    return reason, duplicate


def _later_occurrences(table: pa.Table, keys: Sequence[str], candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the candidate rows whose key already occurs in an earlier row, in source order."""
    part = table.take(pa.array(candidates, pa.int64()))
    names = [name for name in ("source_file", "source_row", "source_item") if name in table.column_names]
    order: list[Values] = [_text_or_number(part[name]) for name in names]
    ordered = pa.table([*order, pa.array(candidates)], names=[*names, "position"])
    ranked = np.asarray(ordered.sort_by([(name, "ascending") for name in [*names, "position"]])["position"])
    by_rank = np.searchsorted(candidates, ranked)
    grouped = part.select(list(keys)).take(pa.array(by_rank, pa.int64()))
    first_ranks = first_of_groups(grouped)
    return np.sort(np.delete(ranked, first_ranks))


def first_of_groups(keys: pa.Table) -> NDArray[np.int64]:
    """Return the position of the first row in each group of equal rows; missing values equal each other."""
    plain: Values = pa.table([_text_or_number(column) for column in keys.columns], names=keys.column_names)
    places = plain.append_column("_place", pa.array(np.arange(plain.num_rows, dtype=np.int64)))
    firsts: Values = places.group_by(keys.column_names).aggregate([("_place", "min")])
    return np.asarray(firsts["_place_min"])


def _text_or_number(column: Values) -> Values:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


@dataclass(frozen=True)
class _Reason:
    rule_id: str
    severity: str
    column: str | None


class QuarantineWriter:
    """Writes the quarantine entries of a table's rows."""

    def __init__(self, table: pa.Table, rules: Sequence[Rule], origin: Origin) -> None:
        self._table, self._rules, self._origin = table, rules, origin

    def entries(self, positions: NDArray[np.int64], reason: NDArray[np.int64]) -> pa.Table:
        """Return one record for each position, in table order."""
        tables, placed = [], []
        for index in np.unique(reason[positions]):
            rule = self._rules[int(index)]
            chosen = positions[reason[positions] == index]
            values = self._values(rule, chosen)
            tables.append(self.entry_group(chosen, _Reason(rule.rule_id, rule.severity, rule.column), values))
            placed.append(chosen)
        if not tables:
            return empty_quarantine()
        return concat_quarantine(tables).take(pa.array(np.argsort(np.concatenate(placed), kind="stable"), pa.int64()))

    def entry_group(self, positions: NDArray[np.int64], reason: _Reason, values: Sequence[str | None]) -> pa.Table:
        """Return the records of rows set aside for one reason."""
        part, length = self._table.take(pa.array(positions, pa.int64())), len(positions)
        columns: list[Values] = [
            self._lineage(part, "source", self._origin.source),
            self._lineage(part, "source_file", self._origin.source_file),
            self._lineage(part, "source_sha256", self._origin.source_sha256),
            part["source_row"] if "source_row" in part.column_names else pa.array(positions + 1),
            constant(reason.rule_id, length),
            constant(str(reason.severity), length),
            constant(reason.column, length),
            kept_values(values),
            self._originals(part),
        ]
        table = pa.Table.from_arrays(columns, schema=QUARANTINE_SCHEMA)
        return table.append_column(ROW_ORDER, part[ROW_ORDER]) if ROW_ORDER in part.column_names else table

    def _lineage(self, part: pa.Table, name: str, otherwise: str | None) -> Values:
        if name not in part.column_names:
            return constant(otherwise, part.num_rows)
        column: Values = part[name]
        return column.cast(StringDictionary)

    def _originals(self, part: pa.Table) -> Values:
        if _ORIGINAL in part.column_names:
            return part[_ORIGINAL]
        if "source_row" not in part.column_names:
            return pa.nulls(part.num_rows, pa.binary())
        return kept_originals(self._origin.original_of(row_numbers(part).to_pylist()))

    def _values(self, rule: Rule, positions: NDArray[np.int64]) -> Sequence[str | None]:
        part = self._table.take(pa.array(positions, pa.int64()))
        if rule.kind is Kind.UNIQUE:
            return _joined(part, rule.arguments.columns)
        if rule.column is not None:
            return [None if value is None else str(value) for value in part[rule.column].to_pylist()]
        mentioned = re.findall(r"[a-z][a-z0-9_]*", rule.arguments.sql or "")
        shown = [name for name in dict.fromkeys(mentioned) if name in part.column_names]
        columns = [part[name].to_pylist() for name in shown]
        rows = zip(*columns, strict=True) if columns else [()] * part.num_rows
        return [", ".join(f"{name}={value}" for name, value in zip(shown, row, strict=True)) or None for row in rows]


def _joined(part: pa.Table, columns: Sequence[str]) -> list[str]:
    return [
        "|".join("" if v is None else str(v) for v in row.values()) for row in part.select(list(columns)).to_pylist()
    ]


def require_types(table: pa.Table, contract: CompiledContract) -> None:
    """Raise InternalFault unless a table has every column of a contract in the contract's type."""
    for column in contract.columns:
        if column.name not in table.column_names:
            raise InternalFault(f"table for {contract.identity} lacks column {column.name}")
        found = table.schema.field(column.name).type
        if found != column.arrow_type:
            raise InternalFault(f"{contract.identity}: column {column.name} is {found}, not {column.arrow_type}")


def accepted_rows(table: pa.Table, contract: CompiledContract, kept: NDArray[np.bool_]) -> pa.Table:
    """Return the kept rows with the schema of the contract and without the column of original bytes."""
    accepted: Values = table if kept.all() else table.filter(pa.array(kept))
    names = {column.name for column in contract.columns}
    if _ORIGINAL in accepted.column_names and _ORIGINAL not in names:
        accepted = accepted.drop_columns([_ORIGINAL])
    fields = [contract.arrow_schema.field(field.name) if field.name in names else field for field in accepted.schema]
    return pa.Table.from_arrays(accepted.columns, schema=pa.schema(fields))


def require_balance(result: CheckResult) -> None:
    """Raise InternalFault unless every row was sorted into exactly one of the three groups."""
    sorted_rows = result.accepted.num_rows + result.quarantined.num_rows + result.duplicates.num_rows
    if sorted_rows != result.rows_in:
        raise InternalFault(f"{result.rows_in} rows came in but {sorted_rows} were sorted")
