"""Rules that apply to a delivered file as a whole: row counts, freshness, totals, and critical row rules.

They are evaluated on all rows that could be read and typed, including rows that repeat earlier files, because a total
is a total of all rows. Each rule is evaluated for all files of a batch in one query.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rule_sql import RuleDatabase, within
from data_contracts.definition.contract import Kind, Severity
from data_contracts.definition.rules import per_file_query
from data_contracts.mapping.source_mapping import run_sql
from pipelines.ingest.batches.setting_aside import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from data_contracts.definition.contract import CompiledContract, Rule
    from pipelines.ingest.batches.setting_aside import RowsLeft
    from pipelines.runs.file_counts import FileCounts


@dataclass(frozen=True)
class BrokenFileRule:
    """A rule that a file breaks: the number of the file in its batch, the rule, and the offending value."""

    file: int
    rule: Rule
    value: str

    @property
    def note(self) -> str:
        """The note on the file; it omits the value, so that files can be counted by note."""
        what = "file rejected by" if self.rule.severity is Severity.CRITICAL else "file breaks"
        return f"{what} {self.rule.rule_id}: {self.rule.description}"


def broken_file_rules(rows: pa.Table, contract: CompiledContract, file_count: int) -> tuple[BrokenFileRule, ...]:
    """Return the file rules and critical row rules that files of a batch break, in order of file and rule.

    Args:
        rows: typed rows of all files, each with its ``file_order``.
        contract: the source's contract.
        file_count: number of files, with or without rows.
    """
    found = [
        BrokenFileRule(file, rule, "no value" if value is None else str(value))
        for rule in contract.file_rules()
        for file, value in _values(rows, rule, file_count)
        if not within(value, rule)
    ]
    found += _broken_by_a_row(rows, contract)
    return tuple(sorted(found, key=lambda broken: broken.file))


def _broken_by_a_row(rows: pa.Table, contract: CompiledContract) -> Iterator[BrokenFileRule]:
    """Yield the files with a row that breaks a critical rule; repeated keys are duplicates instead."""
    rules = (rule for rule in contract.row_rules() if rule.severity is Severity.CRITICAL)
    critical = [rule for rule in rules if rule.kind is not Kind.UNIQUE]
    if not critical or not rows.num_rows:
        return
    with RuleDatabase() as database:
        database.load(rows)
        flags = database.bad_rows(critical)
    file_of = rows["file_order"].to_numpy()
    for rule in critical:
        for file, count in zip(*np.unique(file_of[flags[rule.rule_id]], return_counts=True), strict=True):
            yield BrokenFileRule(int(file), rule, f"{count} rows")


def _values(rows: pa.Table, rule: Rule, file_count: int) -> Iterator[tuple[int, Decimal | int | float | None]]:
    """Yield the value of a rule for each file; files without rows are left out, except by row counts."""
    if rule.kind is Kind.ROW_COUNT:
        counts = np.bincount(rows["file_order"].to_numpy(), minlength=file_count)
        yield from enumerate(counts.tolist())
    elif rows.num_rows:
        found = run_sql(per_file_query(rule), rows=rows)
        yield from zip(found["file_order"].to_pylist(), found["value"].to_pylist(), strict=True)


def set_rejected_aside(left: RowsLeft, broken: Sequence[BrokenFileRule]) -> None:
    """Set aside all rows of rejected files, under the first critical rule that each file breaks."""
    rejecting: dict[int, BrokenFileRule] = {}
    for one in broken:
        if one.rule.severity is Severity.CRITICAL:
            rejecting.setdefault(one.file, one)
    for file, one in rejecting.items():
        reason = Reason(one.rule.rule_id, one.value, severity=Severity.CRITICAL)
        left.set_aside(pc.equal(left.rows["file_order"], pa.scalar(file, pa.int32())), reason)


def with_file_verdicts(all_counts: Sequence[FileCounts], broken: Sequence[BrokenFileRule]) -> tuple[FileCounts, ...]:
    """Return the counts of a batch's files, in order, with the rules that each file breaks."""
    by_file: Mapping[int, list[BrokenFileRule]] = defaultdict(list)
    for one in broken:
        by_file[one.file].append(one)
    return tuple(
        replace(
            counts,
            notes=(*counts.notes, *(one.note for one in by_file[number])),
            rejected_by=tuple(one.rule.rule_id for one in by_file[number] if one.rule.severity is Severity.CRITICAL),
        )
        if number in by_file
        else counts
        for number, counts in enumerate(all_counts)
    )
