"""Warnings about groups of rows, evaluated over all rows of a batch that is processed in partitions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data_contracts.checks.rule_sql import columns_asked
from data_contracts.definition.contract import Severity
from pipelines.ingest.spill.rule_rows import RuleRows

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.definition.contract import CompiledContract, Rule


def without_group_warnings(contract: CompiledContract) -> CompiledContract:
    """Return the contract without the warnings about groups, which set no row aside."""
    return replace(contract, rules=tuple(rule for rule in contract.rules if not _is_group_warning(rule)))


def _is_group_warning(rule: Rule) -> bool:
    return rule.severity is Severity.WARNING and "${table}" in (rule.arguments.sql or "")


class GroupWarnings:
    """Keeps what these warnings need of the accepted rows (``add``), then counts the warned rows by file."""

    def __init__(self, contract: CompiledContract, folder: Path, file_step: int) -> None:
        self._rules = [rule for rule in contract.row_rules() if _is_group_warning(rule)]
        self._file_step = file_step
        columns = columns_asked(self._rules, [column.name for column in contract.columns])
        schema = pa.schema([contract.arrow_schema.field(name) for name in columns])
        self._rows = RuleRows(folder / "accepted.arrow", schema) if self._rules else None
        self._counts: dict[int, Counter[str]] | None = None

    def add(self, accepted: pa.Table) -> None:
        """Keep typed rows with ``file_order`` and the physical row as ``source_row``."""
        if self._rows is not None:
            positions = accepted["file_order"].to_numpy().astype(np.int64) * self._file_step
            self._rows.add(accepted, positions + accepted["source_row"].to_numpy())

    def counts_of(self, file: int) -> Counter[str]:
        """Count the rows of a file that each warning concerns; no rows can be added after the first call."""
        if self._counts is None:
            self._counts = self._counted()
        return self._counts.get(file, Counter())

    def _counted(self) -> dict[int, Counter[str]]:
        counts: dict[int, Counter[str]] = {}
        if self._rows is None:
            return counts
        with self._rows.asked() as database:
            for rule in self._rules:
                # A warning may concern every row, so rows are counted in the database and never listed.
                for file, count in database.bad_rows_by_stretch(rule, self._file_step).items():
                    counts.setdefault(file, Counter())[rule.rule_id] += count
        return counts
