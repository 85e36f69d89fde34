"""Warnings that look at groups of rows, judged over all rows of a batch where these are taken in parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data_contracts.checks.row_stream import RowStream
from data_contracts.checks.rule_sql import POSITION, RuleDatabase, columns_asked, plain_rows
from data_contracts.definition.contract import Severity
from pipelines.ingest.spill.spill_file import SpillFile
from pipelines.runs.storage_faults import report_duckdb_faults

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.definition.contract import CompiledContract, Rule


def without_group_warnings(contract: CompiledContract) -> CompiledContract:
    """Give the contract without the warnings that look at groups, which set no row aside."""
    return replace(contract, rules=tuple(rule for rule in contract.rules if not _is_group_warning(rule)))


def _is_group_warning(rule: Rule) -> bool:
    return rule.severity is Severity.WARNING and "${table}" in (rule.arguments.sql or "")


class GroupRemarks:
    """Keeps of accepted rows (``add``) what such warnings ask for, then counts by file the rows they speak of."""

    def __init__(self, contract: CompiledContract, folder: Path, file_step: int) -> None:
        self._rules = [rule for rule in contract.row_rules() if _is_group_warning(rule)]
        self._folder, self._file_step = folder, file_step
        self._columns = columns_asked(self._rules, [column.name for column in contract.columns])
        plain = plain_rows(contract.arrow_schema.empty_table().select(self._columns))
        schema = pa.schema([*plain.schema, pa.field(POSITION, pa.int64())])
        self._store = SpillFile(folder / "accepted.arrow", schema) if self._rules else None
        self._counts: dict[int, Counter[str]] | None = None

    def add(self, accepted: pa.Table) -> None:
        """Keep typed rows with ``file_order`` and ``source_row``, the physical one."""
        if self._store is not None:
            places = accepted["file_order"].to_numpy().astype(np.int64) * self._file_step
            places += accepted["source_row"].to_numpy()
            rows = plain_rows(accepted.select(self._columns)).append_column(POSITION, pa.array(places))
            self._store.add(rows)

    def counts_of(self, file: int) -> Counter[str]:
        """Give how many rows of a file each warning speaks of; nothing can be added any more."""
        if self._counts is None:
            self._counts = self._judged()
        return self._counts.get(file, Counter())

    def _judged(self) -> dict[int, Counter[str]]:
        counts: dict[int, Counter[str]] = {}
        if self._store is None:
            return counts
        self._store.__exit__(None, None, None)
        with report_duckdb_faults(self._folder), RuleDatabase(self._folder) as database:
            database.load_stored(RowStream([self._store.path]), self._store.rows)
            for rule in self._rules:
                # Perhaps every row is spoken of: they are counted where they lie.
                for file, count in database.bad_rows_by_stretch(rule, self._file_step).items():
                    counts.setdefault(file, Counter())[rule.rule_id] += count
        return counts
