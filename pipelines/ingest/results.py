"""What batches gave, brought together in order without holding what is large, and published."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import source_contract, table_contract, table_names
from data_contracts.lineage import QUARANTINE_SCHEMA
from data_contracts.mapping.source_mapping import nullable
from data_contracts.sources.registry import source_mapping
from pipelines.ingest.batches.batch import BatchResult
from pipelines.ingest.batches.partitions import PartedResult
from pipelines.ingest.batches.row_origins import DUPLICATE_SCHEMA
from pipelines.ingest.spill.parts import PartKeeper, RowParts
from pipelines.ingest.spill.store import StoredRows, without_dictionaries
from pipelines.runs.file_accounts import FileAccount, accounting_document
from pipelines.runs.publish import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from data_contracts.arrow import Values


@dataclass(frozen=True)
class KeptBatch:
    """What one batch gave, kept until all is published, what is large of it on disk.

    Attributes:
        source: the source of its files.
        result: what it gave, but for the tables and what is stored.
        tables: canonical tables by name.
        stored_quarantine, stored_duplicates: by file the rows set aside that ``result`` does not hold.
    """

    source: str
    result: BatchResult
    tables: Mapping[str, pa.Table | StoredRows]
    stored_quarantine: Mapping[str, StoredRows] = field(default_factory=dict)
    stored_duplicates: Mapping[str, StoredRows] = field(default_factory=dict)


def kept_batch(source: str, result: BatchResult | PartedResult, keeper: PartKeeper) -> KeptBatch:
    """Give what a batch of a source gave as it is kept."""
    if isinstance(result, PartedResult):
        nothing_held = (QUARANTINE_SCHEMA.empty_table(), DUPLICATE_SCHEMA.empty_table())
        rest = BatchResult({}, *nothing_held, result.accounts, result.sellers_named)
        return KeptBatch(source, rest, result.tables, result.quarantine, result.duplicates)
    kept = {name: keeper.kept(table) for name, table in result.tables.items()}
    return KeptBatch(source, replace(result, tables={}), kept)


@dataclass(frozen=True)
class IngestedParts:
    """What a raw folder gave, in parts.

    Attributes:
        tables: canonical tables by name: those its sources feed, and ``source_coverage``; possibly without rows.
        quarantine: by identity of the source its rows set aside (QUARANTINE_SCHEMA), in order of file and row.
        duplicates: the same of rows that repeat another (DUPLICATE_SCHEMA).
        accounting: the account of every file.
    """

    tables: dict[str, RowParts]
    quarantine: dict[str, RowParts]
    duplicates: dict[str, RowParts]
    accounting: tuple[FileAccount, ...]


def joined_tables(sources: Iterable[str], batches: Sequence[KeptBatch]) -> dict[str, RowParts]:
    """Give each canonical table that the sources feed, its parts in order of batches."""
    fed = {name for source in sources for name in source_mapping(source).covered_tables}
    parts: dict[str, list[pa.Table | StoredRows]] = {name: [] for name in table_names() if name in fed}
    for batch in batches:
        for name, table in batch.tables.items():
            parts[name].append(table)
    return {name: RowParts(nullable(table_contract(name).arrow_schema), tuple(found)) for name, found in parts.items()}


def all_quarantined(batches: Sequence[KeptBatch]) -> dict[str, RowParts]:
    """Give the quarantined rows of batches by source."""
    records = in_order([batch.result.quarantine for batch in batches], QUARANTINE_SCHEMA)
    return _by_source(records, [(batch.source, batch.stored_quarantine) for batch in batches])


def all_repeated(batches: Sequence[KeptBatch]) -> dict[str, RowParts]:
    """Give the repeated rows of batches by source."""
    records = in_order([batch.result.duplicates for batch in batches], DUPLICATE_SCHEMA)
    return _by_source(records, [(batch.source, batch.stored_duplicates) for batch in batches])


def in_order(parts: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """Give records in order of source, file and row, encoded afresh, so that no trace of the batches is left."""
    plain = without_dictionaries(schema)
    records = pa.concat_tables([part.cast(plain) for part in parts] or [plain.empty_table()])
    return records.sort_by([(name, "ascending") for name in ("source", "source_file", "source_row")]).cast(schema)


def split_by_source(records: pa.Table) -> dict[str, RowParts]:
    """Give records, which are in order of source, apart by source."""
    return _by_source(records, [])


def _by_source(records: pa.Table, stored: Sequence[tuple[str, Mapping[str, StoredRows]]]) -> dict[str, RowParts]:
    large: dict[str, dict[str, StoredRows]] = {}
    for source, rows_of_file in stored:
        if rows_of_file:
            large.setdefault(source_contract(source).identity, {}).update(rows_of_file)
    identities: Values = pc.unique(records["source"])
    found = {}
    for source in sorted({*identities.to_pylist(), *large}):
        chosen = records.filter(pc.equal(records["source"], pa.scalar(source))).unify_dictionaries().combine_chunks()
        found[source] = RowParts(records.schema, _between(chosen, large.get(source, {})))
    return found


def _between(records: pa.Table, stored: Mapping[str, StoredRows]) -> tuple[pa.Table | StoredRows, ...]:
    """Give the records of a source, in order of file, with the stored ones of other files in their places."""
    if not stored:
        return (records,)
    names: Values = records["source_file"]
    files: list[str] = names.to_pylist()
    parts: list[pa.Table | StoredRows] = []
    start = 0
    for name in sorted(stored):
        stop = bisect_left(files, name)
        parts += [records.slice(start, stop - start), stored[name]]
        start = stop
    return (*parts, records.slice(start))


def write_parts(folder: Path, ingested: IngestedParts) -> None:
    """Write what a raw folder gave: ``tables/``, ``quarantine/`` and ``duplicates/`` by source, ``accounting.json``."""
    for name, rows in ingested.tables.items():
        rows.write(folder / "tables" / f"{name}.parquet")
    for name, by_source in (("quarantine", ingested.quarantine), ("duplicates", ingested.duplicates)):
        for source, rows in by_source.items():
            rows.write(folder / name / f"{source.partition('@')[0]}.parquet")
    write_json(folder / "accounting.json", accounting_document(ingested.accounting))
