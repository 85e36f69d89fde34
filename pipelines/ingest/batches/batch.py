"""One batch of files of one source: from bytes to canonical tables, with every row counted.

The files of a batch are read one by one, so that an error names its file. They are then typed, screened, checked and
mapped as one table, because thousands of small files would otherwise cost thousands of small tables.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.entities.register_names import NAME_SCHEMA, company_names
from data_contracts.errors import InternalFault
from data_contracts.lineage import QUARANTINE_SCHEMA, SetAside, concat_quarantine, quarantine_table, row_numbers
from data_contracts.mapping.currency import load_exchange_rates
from data_contracts.mapping.days.written_days import DeclaredFile, with_iso_days
from data_contracts.mapping.source_mapping import MappingContext, SourceMapping, Tables
from data_contracts.privacy import original_sealer
from data_contracts.reading.doubts import doubt
from data_contracts.sources.registry import known_source
from data_contracts.values.number_format import cast_by_file, files_with_unclear_numbers
from pipelines.ingest.batches.file_reading import RawFile, read_groups
from pipelines.ingest.batches.file_rules import (
    BrokenFileRule,
    broken_file_rules,
    set_rejected_aside,
    with_file_verdicts,
)
from pipelines.ingest.batches.missing_rates import with_missing_rates
from pipelines.ingest.batches.own_names import own_names, with_own_names
from pipelines.ingest.batches.retention import PAST_RETENTION
from pipelines.ingest.batches.row_checks import REPEATED_KEY, SortedRows, sort_rows
from pipelines.ingest.batches.row_consents import (
    rows_by_consent,
    sellers_of_parties,
    with_rows_withheld,
    without_contents,
)
from pipelines.ingest.batches.row_origins import Gathered
from pipelines.ingest.batches.row_versions import with_versions
from pipelines.ingest.batches.setting_aside import RowsLeft
from pipelines.ingest.consents import ALL_MAY_BE_READ, SetAsideConsent, SourceConsents
from pipelines.ingest.deliveries.manifest import CONSENT_SOURCE, DeliveredFile, read_deliveries
from pipelines.runs.file_counts import FileCounts, require_balance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract
    from data_contracts.lineage import NumberForms, ReadResult
    from data_contracts.sources.registry import Source
    from pipelines.ingest.batches.file_reading import ReadGroup
    from pipelines.ingest.batches.row_consents import ConsentedRows
    from pipelines.ingest.deliveries.reference_lists import RateOverrides


UNCLEAR_NUMBERS: Final = doubt("amounts such as 1.250 may be thousands or have three decimals")
"""Note on a file with rows that were set aside for this."""


@dataclass(frozen=True)
class BatchRequest:
    """The input of one batch; sent to a sandbox process."""

    raw_dir: Path
    source: str
    files: tuple[DeliveredFile, ...]
    recorded_at: datetime
    overrides: RateOverrides
    hmac_key: bytes = field(repr=False)
    consents: SourceConsents = ALL_MAY_BE_READ
    own_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class BatchResult:
    """The result of one batch.

    Attributes:
        tables: canonical tables by name.
        quarantine: rows set aside (QUARANTINE_SCHEMA).
        duplicates: rows that repeat another (DUPLICATE_SCHEMA).
        file_counts: row counts of every file.
        sellers_named: by file, the sellers named in its accepted rows.
        party_sellers: by party reference, the seller that the party is, for files that link parties.
        set_aside_consents: consent statements that were set aside, if the files contain any.
        company_names: company names from registers, used for name matching only.
        own_names: by seller, the names of its firm in accepted rows, used to compare other rows only.
    """

    tables: Tables
    quarantine: pa.Table
    duplicates: pa.Table
    file_counts: tuple[FileCounts, ...]
    sellers_named: dict[str, tuple[str, ...]]
    party_sellers: dict[str, str] = field(default_factory=dict)
    set_aside_consents: tuple[SetAsideConsent, ...] = ()
    company_names: pa.Table = field(default_factory=NAME_SCHEMA.empty_table, repr=False)
    own_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)


def ingest_batch(request: BatchRequest) -> BatchResult:
    """Read, type, screen, check and map the files of a batch.

    Raises:
        InputRefused: a file does not have the form of its source.
        InternalFault: the rows do not add up.
    """
    source = known_source(request.source)
    delivered = enumerate(read_deliveries(request.raw_dir, request.files))
    groups = read_groups((RawFile(number, file.name, data) for number, (file, data) in delivered), source.contract)
    return mapped_batch(request, sorted_batch(request, groups, source))


@dataclass(frozen=True)
class SortedBatch:
    """The rows of a batch, sorted but not yet mapped.

    Attributes:
        source: the source whose contract the rows were checked against.
        gathered: the file and physical row of each row.
        text: the rows as text, after the mapping's preparation.
        found: the sorted rows.
        unread: quarantine entries of lines that are not rows.
        broken: the broken rules about whole files.
        notes: by number of the file, a note on how it was read.
    """

    source: Source
    gathered: Gathered
    text: ReadResult
    found: SortedRows
    unread: pa.Table
    broken: tuple[BrokenFileRule, ...]
    notes: dict[int, str] = field(default_factory=dict)


def sorted_batch(
    request: BatchRequest, groups: Sequence[ReadGroup], source: Source, forms: NumberForms | None = None
) -> SortedBatch:
    """Type, screen and check the rows of files that were read.

    Args:
        request: the batch.
        groups: the rows read.
        source: the source of the files.
        forms: how each file writes numbers, if the rows are only some of the files'; else all rows together tell.
    """
    gathered = Gathered(groups, request.files)
    text = dataclasses.replace(gathered.as_one_read(source.contract), number_forms=forms)
    rows, notes = _days_read(text.rows, source, request.files)
    text = dataclasses.replace(text, rows=source.mapping.prepare(rows))
    consented = rows_by_consent(text, source, request.consents)
    found, broken = _sorted(text, consented, request, source)
    unread = without_contents(concat_quarantine([group.quarantined for group in groups]), consented)
    return SortedBatch(source, gathered, text, found, unread, broken, notes)


def _days_read(rows: pa.Table, source: Source, files: Sequence[DeliveredFile]) -> tuple[pa.Table, dict[int, str]]:
    """Return text rows with days in ISO form, if exports of the source write them in two orders, and notes on files."""
    if source.mapping.days is None:
        return rows, {}
    declared = [DeclaredFile(file.name, file.covered_from, file.covered_to, file.date_order) for file in files]
    return with_iso_days(rows, source.mapping.days, source.contract, declared)


def mapped_batch(request: BatchRequest, batch: SortedBatch) -> BatchResult:
    """Map sorted rows to canonical tables, and count every row."""
    contract, mapping = batch.source.contract, batch.source.mapping
    gathered, found = batch.gathered, batch.found
    quarantine = concat_quarantine([batch.unread, found.quarantined.select(QUARANTINE_SCHEMA.names)])
    duplicates = gathered.located_duplicates(found.duplicates, contract)
    all_counts = with_file_verdicts(_all_counts(gathered, found, quarantine, duplicates, contract), batch.broken)
    all_counts = tuple(
        dataclasses.replace(counts, notes=(*counts.notes, batch.notes[number])) if number in batch.notes else counts
        for number, counts in enumerate(all_counts)
    )
    unclear = files_with_unclear_numbers(quarantine)
    all_counts = tuple(
        dataclasses.replace(one, notes=(*one.notes, UNCLEAR_NUMBERS)) if one.file in unclear else one
        for one in all_counts
    )
    rates = load_exchange_rates(request.overrides)
    context = MappingContext(contract, request.recorded_at, request.hmac_key, rates)
    mapped = mapping.to_canonical(found.accepted, context)
    tables = with_versions(mapped, request.files, mapping.delivered_whole)
    _require_all_mapped(found.accepted, tables, mapping)
    all_counts = with_missing_rates(all_counts, tables, rates)
    return BatchResult(
        tables=tables,
        quarantine=_without_personal_values(quarantine, contract, request.hmac_key),
        duplicates=duplicates,
        file_counts=all_counts,
        sellers_named=_sellers_named(tables),
        party_sellers=sellers_of_parties(batch.text.rows, batch.source),
        set_aside_consents=_consents_set_aside(request.source, batch.text, found, gathered),
        company_names=company_names(request.source, contract.identity, found.accepted, contract.known_lag_days),
        own_names=own_names(found.accepted, mapping),
    )


def _sorted(
    text: ReadResult, consented: ConsentedRows, request: BatchRequest, source: Source
) -> tuple[SortedRows, tuple[BrokenFileRule, ...]]:
    """Type, screen and check the rows that may be read; set the others aside."""
    mapping, contract = source.mapping, source.contract
    group_keys = _one_array(text.rows[mapping.group_column]) if mapping.group_column else None
    typed = (mapping.cast or cast_by_file)(dataclasses.replace(text, rows=consented.rows), contract)
    if mapping.asks_own_names:
        typed = dataclasses.replace(typed, rows=with_own_names(typed.rows, request.own_names))
    broken = broken_file_rules(typed.rows, contract, len(request.files))
    left = RowsLeft(typed.rows, typed.origin, typed.quarantined)
    set_rejected_aside(left, broken)
    found = sort_rows(left, group_keys, source, request.recorded_at)
    return with_rows_withheld(found, consented), broken


def _consents_set_aside(
    source: str, text: ReadResult, found: SortedRows, gathered: Gathered
) -> tuple[SetAsideConsent, ...]:
    """Return the consent statements that were set aside, except exact repetitions of another statement."""
    if source != CONSENT_SOURCE:
        return ()
    repeated = found.duplicates.filter(pc.starts_with(found.duplicates["reason"], REPEATED_KEY))
    keys = [SetAside(row["reason"], [row["row_order"]], [None], originals=[None]) for row in repeated.to_pylist()]
    records = concat_quarantine([found.quarantined, quarantine_table(text.origin, keys)])
    sellers = text.rows["seller_id"].take(row_numbers(records)).to_pylist()
    unread = [group.quarantined for group in gathered.groups]
    located = concat_quarantine([records.select(QUARANTINE_SCHEMA.names), *unread]).to_pylist()
    return tuple(
        SetAsideConsent(
            _legible(seller, record["column"]),
            record["source_file"],
            record["source_row"],
            record["column"],
            record["rule_id"],
        )
        for record, seller in zip_longest(located, sellers)
        if record["rule_id"] != PAST_RETENTION
    )


def _legible(seller: str | None, bad_column: str | None) -> str | None:
    named = (seller or "").strip()
    return named if named and bad_column != "seller_id" else None


def _one_array(values: Values) -> Values:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _require_all_mapped(raw: pa.Table, tables: Tables, mapping: SourceMapping) -> None:
    """Check that each accepted row, or each group of rows that forms one record, became one canonical row.

    Rows that the mapping calls silent become none. If rows unfold, each other row becomes one or more.
    """
    silent = mapping.silent(raw)
    speaking: Values = raw
    if silent is not None and silent.num_rows:
        speaking = raw.filter(pc.invert(pc.is_in(raw["row_order"], value_set=silent["row_order"])))
    mapped = sum(table.num_rows for table in tables.values())
    column = mapping.group_column
    expected = speaking.num_rows if column is None else len(pc.unique(speaking[column]))
    if mapping.unfolds:
        unfolded = _places([speaking]) == _places(list(tables.values())) and mapped >= expected
        mapped = expected if unfolded else mapped
    if mapped != expected:
        raise InternalFault(f"{mapping.source}: {expected} records were accepted and {mapped} mapped")


def _places(tables: list[pa.Table]) -> set[tuple[str | None, int | None]]:
    """Return the file and physical row of every row."""
    return {
        place
        for table in tables
        for place in zip(table["source_file"].to_pylist(), table["source_row"].to_pylist(), strict=True)
    }


def _without_personal_values(quarantine: pa.Table, contract: CompiledContract, hmac_key: bytes) -> pa.Table:
    """Return quarantine entries without personal data, if the source has personal columns.

    The original bytes are sealed, so that only the key opens them. Values are dropped in all columns, because a name or
    a telephone number may appear in any column of a malformed row.
    """
    if not contract.has_personal_columns or not quarantine.num_rows:
        return quarantine
    seal = original_sealer(hmac_key)
    originals = [None if original is None else seal(original) for original in quarantine["original"].to_pylist()]
    shown = zip(quarantine["value"].to_pylist(), quarantine["rule_id"].to_pylist(), strict=True)
    values = [value if rule_id == "line:width" else None for value, rule_id in shown]
    for name, cells in (("value", pa.array(values, pa.string())), ("original", pa.array(originals, pa.binary()))):
        quarantine = quarantine.set_column(quarantine.column_names.index(name), name, cells)
    return quarantine


def _all_counts(
    gathered: Gathered, found: SortedRows, quarantine: pa.Table, duplicates: pa.Table, contract: CompiledContract
) -> tuple[FileCounts, ...]:
    accepted = np.bincount(found.accepted["file_order"].to_numpy(), minlength=len(gathered.facts))
    quarantined = _counts(quarantine, "rule_id")
    repeated = _counts(duplicates, "reason")
    remarks: dict[int, Counter[str]] = {}
    for remark, ordinals in found.remarks:
        for file, rows in enumerate(np.bincount(gathered.file_of[ordinals], minlength=0)):
            if rows:
                remarks.setdefault(file, Counter())[remark] += int(rows)
    all_counts = []
    for one in gathered.facts:
        counts = FileCounts(
            source=contract.identity,
            file=one.name,
            sha256=one.sha256,
            rows_in=one.rows_in,
            accepted=int(accepted[one.number]),
            quarantined=quarantined.get(one.name, {}),
            duplicates=repeated.get(one.name, {}),
            warnings=dict(sorted(remarks.get(one.number, Counter()).items())),
            notes=one.notes,
        )
        require_balance(counts)
        all_counts.append(counts)
    return tuple(all_counts)


def _counts(records: Values, reason: str) -> dict[str, dict[str, int]]:
    """Count quarantine entries by file and reason."""
    counts: dict[str, dict[str, int]] = {}
    pairs = Counter(zip(records["source_file"].to_pylist(), records[reason].to_pylist(), strict=True))
    for (file, why), rows in sorted(pairs.items()):
        counts.setdefault(file, {})[why] = rows
    return counts


def _sellers_named(tables: Tables) -> dict[str, tuple[str, ...]]:
    named: dict[str, set[str]] = {}
    for table in tables.values():
        if "seller_id" not in table.column_names:
            continue
        pairs: Values = table.select(["source_file", "seller_id"]).group_by(["source_file", "seller_id"]).aggregate([])
        for file, seller in zip(pairs["source_file"].to_pylist(), pairs["seller_id"].to_pylist(), strict=True):
            if seller is not None:
                named.setdefault(file, set()).add(seller)
    return {file: tuple(sorted(sellers)) for file, sellers in sorted(named.items())}
