"""The checks of ``checking`` over rows that come in pieces: the same verdict, in memory that does not grow with them.

Most rules judge a row by itself and are done with a piece at once. A rule that judges a row by others needs them all:
rows are stored piece by piece, and uniqueness is decided in two steps. Keys whose hash occurs twice are candidates
(eight bytes a row are kept for that); only candidates are compared by value, in portions. Rules that look at groups and
at the file as a whole are asked of the stored rows by DuckDB, which keeps to a memory limit.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from data_contracts.checks.row_stream import RowStream
from data_contracts.checks.rows import (
    KEPT,
    FileFinding,
    RecordWriter,
    accepted_rows,
    file_findings,
    first_of_groups,
    require_types,
)
from data_contracts.checks.rule_sql import POSITION, RuleDatabase, columns_asked, is_among, plain_rows, repeated_hashes
from data_contracts.definition.contract import CompiledContract, Kind, Rule, Severity
from data_contracts.errors import InternalFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from data_contracts.arrow import Values
    from data_contracts.lineage import Origin, OriginalOf

_COMPARED_AT_ONCE = 500_000
# Stands behind every rule, so that the first rule broken is the least.
_NO_RULE = np.iinfo(np.int16).max


@dataclass(frozen=True)
class SortedPiece:
    """The rows of one piece sorted into three, as in a ``CheckResult``."""

    accepted: pa.Table
    quarantined: pa.Table
    duplicates: pa.Table


@dataclass(frozen=True)
class PiecesVerdict:
    """The verdict over all pieces; the fields are those of a ``CheckResult``."""

    counts_by_rule: Mapping[str, int]
    file_findings: tuple[FileFinding, ...]
    rejected_by: tuple[str, ...]
    rows_in: int
    reason: NDArray[np.int16]
    duplicate: NDArray[np.bool_]


class PieceChecker:
    """Takes typed rows piece by piece (``add``), then gives the verdict and the rows sorted by it.

    The pieces are rows of one file in order, as casting types them, with ``source_row``. ``folder`` takes as much as
    the rows do in memory.
    """

    def __init__(self, contract: CompiledContract, folder: Path) -> None:
        self._contract, self._folder = contract, folder
        self._rules = list(contract.rules)
        self._database = RuleDatabase(folder)
        self._schema: pa.Schema | None = None
        self._starts = [0]
        self._reasons: list[NDArray[np.int16]] = []
        self._counts: Counter[str] = Counter()
        self._hashes: dict[str, list[tuple[NDArray[np.uint64], NDArray[np.bool_]]]] = {}

    def __enter__(self) -> PieceChecker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.__exit__(kind, error, trace)

    def add(self, table: pa.Table, original_of: OriginalOf) -> None:
        """Takes the next rows: judges what can be judged of each by itself, and stores them.

        ``original_of`` gives the bytes of their physical rows, at hand now and dearer to find again later.
        """
        require_types(table, self._contract)
        self._schema = table.schema
        self._database.load(table)
        alone = [rule for rule in self._contract.row_rules() if not _needs_others(rule)]
        broken = self._database.bad_rows(alone)
        reason = np.full(table.num_rows, _NO_RULE, dtype=np.int16)
        for rule_id, rows in broken.items():
            self._counts[rule_id] += int(rows.sum())
            self._lower(reason, np.flatnonzero(rows), rule_id)
        self._reasons.append(reason)
        for rule in self._unique_rules():
            hashes, given = self._database.key_hashes(rule.arguments.columns)
            self._hashes.setdefault(rule.rule_id, []).append((hashes, given))
        self._store_originals(table, reason, original_of)
        self._store(table)

    def verdict(self) -> PiecesVerdict:
        """Gives the verdict of every rule on all rows added."""
        rows_in = self._starts[-1]
        reason = np.concatenate([np.zeros(0, dtype=np.int16), *self._reasons])
        findings = self._ask_stored(reason)
        counts = Counter(self._counts)
        counts.update({one.rule_id: int(not one.passed) for one in findings})
        reason[reason == _NO_RULE] = KEPT
        duplicate = np.zeros(rows_in, dtype=bool)
        for rule in self._unique_rules():
            counts[rule.rule_id] = self._find_repeats(rule, reason, duplicate)
        critical = (rule for rule in self._rules if rule.severity is Severity.CRITICAL)
        rejected = tuple(rule.rule_id for rule in critical if counts[rule.rule_id])
        if rejected:
            reason[reason == KEPT] = self._index(rejected[0])
        by_rule = {rule.rule_id: counts[rule.rule_id] for rule in self._rules}
        return PiecesVerdict(by_rule, findings, rejected, rows_in, reason, duplicate)

    def sorted_pieces(self, verdict: PiecesVerdict, origin: Origin) -> Iterator[SortedPiece]:
        """Gives the rows of each piece added, sorted by the verdict; lineage from ``origin``.

        So are the original bytes of rows that fell out only when all rows were known.
        """
        for number in range(len(self._reasons)):
            table = self._stored(number)
            part = slice(self._starts[number], self._starts[number + 1])
            reason, duplicate = verdict.reason[part].astype(np.int64), verdict.duplicate[part]
            original_of = _known_or_asked(self._stored_originals(number), origin.original_of)
            writer = RecordWriter(table, self._rules, replace(origin, original_of=original_of))
            piece = SortedPiece(
                accepted=accepted_rows(table, self._contract, reason == KEPT),
                quarantined=writer.records(np.flatnonzero((reason != KEPT) & ~duplicate), reason),
                duplicates=writer.records(np.flatnonzero(duplicate), reason),
            )
            if piece.accepted.num_rows + piece.quarantined.num_rows + piece.duplicates.num_rows != table.num_rows:
                raise InternalFault(f"the {table.num_rows} rows of a piece were not sorted one for one")
            yield piece

    def _index(self, rule_id: str) -> int:
        return next(index for index, rule in enumerate(self._rules) if rule.rule_id == rule_id)

    def _unique_rules(self) -> list[Rule]:
        return [rule for rule in self._contract.row_rules() if rule.kind is Kind.UNIQUE]

    def _lower(self, reason: NDArray[np.int16], rows: NDArray[np.int64], rule_id: str) -> None:
        """Names a rule as the reason of the rows that break it and no rule before it."""
        index = self._index(rule_id)
        if self._rules[index].severity is not Severity.WARNING:
            reason[rows] = np.minimum(reason[rows], index)

    def _ask_stored(self, reason: NDArray[np.int16]) -> tuple[FileFinding, ...]:
        """Gives what the file rules find, and lowers the reasons of rows that rules on groups find."""
        groups = [rule for rule in self._contract.row_rules() if _needs_others(rule) and rule.kind is not Kind.UNIQUE]
        if self._schema is None or not (groups or self._contract.file_rules()):
            return ()
        asked = columns_asked([*groups, *self._contract.file_rules()], self._schema.names)
        files = [self._path(number) for number in range(len(self._reasons))]
        self._database.load_stored(RowStream(files, [*asked, POSITION]), self._starts[-1])
        for rule in groups:
            rows = self._database.bad_positions(rule)
            self._counts[rule.rule_id] = len(rows)
            self._lower(reason, rows, rule.rule_id)
        return file_findings(self._contract, self._database)

    def _find_repeats(self, rule: Rule, reason: NDArray[np.int16], duplicate: NDArray[np.bool_]) -> int:
        """Marks the later of rows that share a key and break no other rule; gives how many rows share one."""
        shared_count = 0
        for candidates in self._candidates(rule):
            keys = self._stored_keys(candidates, rule.arguments.columns)
            self._database.load(keys)
            places = self._database.repeated_key_rows(rule.arguments.columns)
            shared_count += len(places)
            if rule.severity is not Severity.WARNING:
                places = places[reason[candidates[places]] == KEPT]
                first = first_of_groups(keys.take(pa.array(places)))
                later = candidates[np.delete(places, first)]
                reason[later], duplicate[later] = self._index(rule.rule_id), True
        return shared_count

    def _candidates(self, rule: Rule) -> Iterator[NDArray[np.int64]]:
        """Gives, in portions, the positions of rows whose key's hash occurs twice; equal keys are in one portion."""
        pieces = self._hashes.get(rule.rule_id, [])
        twice = repeated_hashes([hashes[given] for hashes, given in pieces])
        if not len(twice):
            return
        found = []
        for start, (hashes, given) in zip(self._starts, pieces, strict=False):
            chosen = np.flatnonzero(given & is_among(hashes, twice))
            found.append((start + chosen, hashes[chosen]))
        candidates, hashes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        portions = np.uint64(1 + len(candidates) // _COMPARED_AT_ONCE)
        for number in np.unique(hashes % portions):
            yield candidates[hashes % portions == number]

    def _path(self, number: int, content: str = "rows") -> Path:
        return self._folder / f"{content}-{number:06}.arrow"

    def _store_originals(self, table: pa.Table, reason: NDArray[np.int16], original_of: OriginalOf) -> None:
        fallen: Values = pa.array(np.flatnonzero(reason != _NO_RULE))
        rows: Values = table["source_row"].take(fallen)
        originals = pa.table([rows, pa.array(original_of(rows.to_pylist()), pa.binary())], names=["row", "original"])
        _write(self._path(len(self._starts) - 1, "originals"), originals)

    def _stored_originals(self, number: int) -> dict[int, bytes | None]:
        with pa.OSFile(str(self._path(number, "originals")), "rb") as file:
            originals: Values = ipc.open_file(file).read_all()
        return dict(zip(originals["row"].to_pylist(), originals["original"].to_pylist(), strict=True))

    def _store(self, table: pa.Table) -> None:
        start = self._starts[-1]
        positions = pa.array(np.arange(start, start + table.num_rows, dtype=np.int64))
        plain = plain_rows(table).append_column(POSITION, positions).combine_chunks()
        with (
            pa.OSFile(str(self._path(len(self._starts) - 1)), "wb") as file,
            ipc.new_file(file, plain.schema) as writer,
        ):
            writer.write_table(plain)
        self._starts.append(start + table.num_rows)

    def _stored(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Gives the rows of a piece as they were added, or some of their columns."""
        if self._schema is None:
            raise InternalFault("no rows were stored")
        chosen = self._schema if columns is None else pa.schema([self._schema.field(name) for name in columns])
        places = [self._schema.get_field_index(name) for name in chosen.names]
        with pa.OSFile(str(self._path(number)), "rb") as file:
            reader = ipc.open_file(file, options=ipc.IpcReadOptions(included_fields=sorted(places)))
            plain: Values = reader.read_all().select(chosen.names)
        typed: pa.Table = plain.cast(chosen)
        return typed

    def _stored_keys(self, positions: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        parts = []
        for number in range(len(self._reasons)):
            start, stop = np.searchsorted(positions, self._starts[number : number + 2])
            if stop > start:
                rows: Values = pa.array(positions[start:stop] - self._starts[number])
                parts.append(self._stored(number, columns).take(rows))
        return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _known_or_asked(known: Mapping[int, bytes | None], otherwise: OriginalOf) -> OriginalOf:
    def original_of(source_rows: Sequence[int]) -> list[bytes | None]:
        unknown = [row for row in source_rows if row not in known]
        asked = dict(zip(unknown, otherwise(unknown), strict=True)) if unknown else {}
        return [known[row] if row in known else asked[row] for row in source_rows]

    return original_of


def _needs_others(rule: Rule) -> bool:
    return rule.kind is Kind.UNIQUE or "${table}" in (rule.arguments.sql or "")
