"""Check the typed rows of one file piece by piece, in memory that does not grow with the file.

Rules about a single row are evaluated on each piece at once. All other rules need every row: the rows go to a spill
file, and DuckDB evaluates these rules on it within a memory limit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.checks.rows import (
    KEPT,
    FileFinding,
    QuarantineWriter,
    accepted_rows,
    file_findings,
    require_types,
)
from data_contracts.checks.rule_sql import DELIVERED_FOR, RuleDatabase, columns_asked, with_seller
from data_contracts.definition.contract import CompiledContract, Kind, Rule, Severity
from data_contracts.errors import InternalFault
from data_contracts.lineage import QUARANTINE_SCHEMA, concat_quarantine, constant
from pipelines.ingest.spill.rule_rows import RuleRows
from pipelines.ingest.spill.spill_file import SpillFile, SpillReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.lineage import Origin, OriginalOf, ReadResult

# Higher than the number of any rule, so that the first rule a row breaks is the minimum.
_NO_RULE: Final = np.iinfo(np.int16).max
_ORIGINAL: Final = "_original"


@dataclass(frozen=True)
class SortedPiece:
    """The rows of one piece: accepted rows, and records of the others (QUARANTINE_SCHEMA)."""

    accepted: pa.Table
    quarantined: pa.Table
    duplicates: pa.Table


@dataclass(frozen=True)
class Verdict:
    """The verdict on all rows.

    Attributes:
        counts_by_rule, file_findings, rejected_by: as in a ``CheckResult``.
        reason: by row the number of the rule that sets it aside, or KEPT.
        duplicate: by row whether it is set aside as a duplicate.
    """

    counts_by_rule: Mapping[str, int]
    file_findings: tuple[FileFinding, ...]
    rejected_by: tuple[str, ...]
    reason: NDArray[np.int16]
    duplicate: NDArray[np.bool_]


class FileCheck:
    """Takes the typed pieces of one file in order (``add``), then returns the verdict of ``check_rows`` on all rows.

    The spill files in ``folder`` take about as much disk as the rows take memory.
    """

    def __init__(self, contract: CompiledContract, folder: Path) -> None:
        self._contract, self._folder = contract, folder
        self._rules = list(contract.rules)
        self._rows: RuleRows | None = None
        self._records = SpillFile(folder / "records.arrow", QUARANTINE_SCHEMA)
        self._slices: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self._starts = [0]
        self._reasons: list[NDArray[np.int16]] = []
        self._counts: Counter[str] = Counter()
        self.schema = pa.schema([*contract.arrow_schema, pa.field("source_row", pa.int64())])
        self.unusable: Counter[str] = Counter()

    def add(self, typed: ReadResult, original_of: OriginalOf) -> None:
        """Evaluate the rules about single rows on a piece, and spill it.

        ``original_of`` returns the bytes of its physical rows; they are cheap now and expensive to find again.
        """
        table = typed.rows
        require_types(table, self._contract)
        reason = np.full(table.num_rows, _NO_RULE, dtype=np.int16)
        with RuleDatabase() as database:
            database.load(table)
            broken = database.bad_rows([rule for rule in self._contract.row_rules() if not _needs_others(rule)])
        for rule_id, rows in broken.items():
            self._counts[rule_id] += int(rows.sum())
            self._lower(reason, np.flatnonzero(rows), rule_id)
        rule_ids: Values = typed.quarantined["rule_id"]
        self.unusable.update(rule_ids.to_pylist())
        stored = with_seller(table).append_column(_ORIGINAL, _originals(table, reason != _NO_RULE, original_of))
        if self._rows is None:
            self._rows = RuleRows(self._folder / "rows.arrow", stored.schema)
            names = self._contract.arrow_schema.names
            others = [table.schema.field(name) for name in table.column_names if name not in names]
            self.schema = pa.schema([*self._contract.arrow_schema, *others])
        start, stop = self._starts[-1], self._starts[-1] + table.num_rows
        self._slices.append((self._rows.add(stored, np.arange(start, stop)), self._records.add(typed.quarantined)))
        self._reasons.append(reason)
        self._starts.append(stop)

    def verdict(self) -> Verdict:
        """Evaluate the rules that need all rows; return the verdict of every rule."""
        reason = np.concatenate([np.zeros(0, dtype=np.int16), *self._reasons])
        duplicate = np.zeros(len(reason), dtype=bool)
        counts, findings = Counter(self._counts), tuple[FileFinding, ...]()
        others = [rule for rule in self._contract.row_rules() if _needs_others(rule)]
        asked = self._columns_of([*others, *self._contract.file_rules()])
        if self._rows is not None and (others or self._contract.file_rules()):
            with self._rows.asked(asked) as database:
                findings = file_findings(self._contract, database)
                counts.update({one.rule_id: int(not one.passed) for one in findings})
                counts.update(self._broken_by_groups(database, others, reason))
                reason[reason == _NO_RULE] = KEPT
                counts.update(self._repeated(database, others, reason, duplicate))
        reason[reason == _NO_RULE] = KEPT
        critical = (rule for rule in self._rules if rule.severity is Severity.CRITICAL)
        rejected = tuple(rule.rule_id for rule in critical if counts[rule.rule_id])
        if rejected:
            reason[reason == KEPT] = self._index(rejected[0])
        by_rule = {rule.rule_id: counts[rule.rule_id] for rule in self._rules}
        return Verdict(by_rule, findings, rejected, reason, duplicate)

    def _columns_of(self, rules: Sequence[Rule]) -> list[str]:
        keys = {name for rule in rules if rule.kind is Kind.UNIQUE for name in rule.arguments.columns}
        names = [*self.schema.names, DELIVERED_FOR]
        asked = columns_asked(rules, names)
        return [name for name in names if name in keys or name in asked]

    def _broken_by_groups(
        self, database: RuleDatabase, rules: Sequence[Rule], reason: NDArray[np.int16]
    ) -> dict[str, int]:
        """Evaluate rules that look at groups: set the reason of the rows that break them, and count these by rule."""
        counts = {}
        for rule in rules:
            if rule.kind is not Kind.UNIQUE:
                rows = database.bad_positions(rule)
                self._lower(reason, rows, rule.rule_id)
                counts[rule.rule_id] = len(rows)
        return counts

    def _repeated(
        self, database: RuleDatabase, rules: Sequence[Rule], reason: NDArray[np.int16], duplicate: NDArray[np.bool_]
    ) -> dict[str, int]:
        """Mark later rows that share a key and break no other rule; count by rule the rows that share one."""
        counts = {}
        for rule in rules:
            if rule.kind is Kind.UNIQUE:
                shared = database.shared_key_positions(rule.arguments.columns)
                counts[rule.rule_id] = len(shared)
                if rule.severity is not Severity.WARNING:
                    later = database.later_positions(rule.arguments.columns, shared[reason[shared] == KEPT])
                    reason[later], duplicate[later] = self._index(rule.rule_id), True
        return counts

    def sorted_pieces(self, verdict: Verdict, origin: Origin) -> Iterator[SortedPiece]:
        """Yield each piece, sorted by the verdict; lineage and original bytes not yet known come from ``origin``."""
        if self._rows is None:
            return
        self._records.close()
        pieces = self._rows.slices([rows for rows, _ in self._slices])
        with SpillReader(self._records.path, QUARANTINE_SCHEMA) as records:
            for number, (stored, (_, slices)) in enumerate(zip(pieces, self._slices, strict=True)):
                part = slice(self._starts[number], self._starts[number + 1])
                piece = self._sorted(stored, verdict, part, origin)
                unusable = _with_digest(records.read(slices), origin.source_sha256)
                yield replace(piece, quarantined=concat_quarantine([unusable, piece.quarantined]).sort_by("source_row"))

    def _sorted(self, stored: pa.Table, verdict: Verdict, part: slice, origin: Origin) -> SortedPiece:
        table = stored.drop_columns(_ORIGINAL)
        reason, duplicate = verdict.reason[part].astype(np.int64), verdict.duplicate[part]
        writer = QuarantineWriter(table, self._rules, replace(origin, original_of=_known_or_asked(stored, origin)))
        piece = SortedPiece(
            accepted=accepted_rows(table, self._contract, reason == KEPT),
            quarantined=writer.entries(np.flatnonzero((reason != KEPT) & ~duplicate), reason),
            duplicates=writer.entries(np.flatnonzero(duplicate), reason),
        )
        sorted_rows = piece.accepted.num_rows + piece.quarantined.num_rows + piece.duplicates.num_rows
        if sorted_rows != table.num_rows:
            raise InternalFault(f"{table.num_rows} rows of a piece were checked and {sorted_rows} sorted")
        return piece

    def _index(self, rule_id: str) -> int:
        return next(index for index, rule in enumerate(self._rules) if rule.rule_id == rule_id)

    def _lower(self, reason: NDArray[np.int16], rows: NDArray[np.int64], rule_id: str) -> None:
        """Make a rule the reason of rows that break it and no rule before it."""
        index = self._index(rule_id)
        if self._rules[index].severity is not Severity.WARNING:
            reason[rows] = np.minimum(reason[rows], index)


def _needs_others(rule: Rule) -> bool:
    return rule.kind is Kind.UNIQUE or "${table}" in (rule.arguments.sql or "")


def _originals(table: pa.Table, chosen: NDArray[np.bool_], original_of: OriginalOf) -> Values:
    """Return the original bytes of the chosen rows, and null for the others."""
    rows: Values = table["source_row"].filter(pa.array(chosen)).to_pylist()
    nothing = pa.nulls(table.num_rows, pa.binary())
    return pc.replace_with_mask(nothing, pa.array(chosen), pa.array(original_of(rows), pa.binary()))


def _known_or_asked(stored: pa.Table, origin: Origin) -> OriginalOf:
    """Return originals that were spilled with their rows; those of other rows are read from the file again."""
    spilled: Values = stored.select(["source_row", _ORIGINAL]).filter(pc.is_valid(stored[_ORIGINAL]))
    known: dict[int, bytes] = dict(zip(spilled["source_row"].to_pylist(), spilled[_ORIGINAL].to_pylist(), strict=True))

    def original_of(source_rows: Sequence[int]) -> list[bytes | None]:
        unknown = [row for row in source_rows if row not in known]
        asked = dict(zip(unknown, origin.original_of(unknown), strict=True)) if unknown else {}
        return [known[row] if row in known else asked[row] for row in source_rows]

    return original_of


def _with_digest(records: pa.Table, sha256: str | None) -> pa.Table:
    """Return records with the digest of the file, which is known only once all of it is read."""
    place = records.column_names.index("source_sha256")
    return records.set_column(place, records.schema.field(place), constant(sha256, records.num_rows))
