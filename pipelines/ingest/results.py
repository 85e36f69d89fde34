"""Combine the results of batches in order, without holding large ones in memory, and publish them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.definition.compiler import table_contract, table_names
from data_contracts.lineage import QUARANTINE_SCHEMA, redacted
from data_contracts.mapping.source_mapping import nullable
from data_contracts.sources.registry import known_source
from pipelines.ingest.batches.batch import BatchResult
from pipelines.ingest.batches.row_origins import DUPLICATE_SCHEMA
from pipelines.ingest.batches.spilled_result import SpilledResult, spilled_by_file
from pipelines.ingest.spill.chunked_rows import ChunkedRows, ChunkKeeper
from pipelines.ingest.spill.spill_file import SpilledRows, without_dictionaries
from pipelines.runs.file_counts import FileCounts, row_counts_document
from pipelines.runs.publish import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from data_contracts.arrow import Values


@dataclass(frozen=True)
class KeptBatch:
    """The result of one batch, kept until everything is published; large tables are on disk.

    Attributes:
        source: the source of its files.
        result: the result without tables and without spilled rows.
        tables: canonical tables by name.
        spilled_quarantine, spilled_duplicates: by file, the rows set aside that ``result`` does not hold.
    """

    source: str
    result: BatchResult
    tables: Mapping[str, pa.Table | SpilledRows]
    spilled_quarantine: Mapping[str, SpilledRows] = field(default_factory=dict)
    spilled_duplicates: Mapping[str, SpilledRows] = field(default_factory=dict)


def kept_batch(source: str, result: BatchResult | SpilledResult, keeper: ChunkKeeper) -> KeptBatch:
    """Return the result of a batch as it is kept."""
    nothing_held = (QUARANTINE_SCHEMA.empty_table(), DUPLICATE_SCHEMA.empty_table())
    if isinstance(result, SpilledResult):
        rest = BatchResult(
            {},
            *nothing_held,
            result.file_counts,
            result.sellers_named,
            result.party_sellers,
            result.set_aside_consents,
            result.company_names,
            result.own_names,
        )
        return KeptBatch(source, rest, result.tables, result.quarantine, result.duplicates)
    kept = {name: keeper.kept(table) for name, table in result.tables.items()}
    folder = keeper.folder_beyond(result.quarantine.nbytes + result.duplicates.nbytes)
    if folder is None:
        return KeptBatch(source, replace(result, tables={}), kept)
    quarantine = spilled_by_file(result.quarantine, folder / "quarantine.arrow")
    duplicates = spilled_by_file(result.duplicates, folder / "duplicates.arrow")
    rest = replace(result, tables={}, quarantine=nothing_held[0], duplicates=nothing_held[1])
    return KeptBatch(source, rest, kept, quarantine, duplicates)


@dataclass(frozen=True)
class IngestResult:
    """The contents of a raw folder in memory.

    Attributes:
        tables: canonical tables by name: those that its sources feed, and ``source_coverage``; possibly without rows.
        quarantine: rows set aside with the rule that they break (QUARANTINE_SCHEMA).
        duplicates: rows set aside because they repeat another (DUPLICATE_SCHEMA).
        file_counts: row counts of every file.
    """

    tables: dict[str, pa.Table]
    quarantine: pa.Table
    duplicates: pa.Table
    file_counts: tuple[FileCounts, ...]


@dataclass(frozen=True)
class IngestedTables:
    """The contents of a raw folder as chunks, in memory or on disk.

    Attributes:
        tables: canonical tables by name: those that its sources feed, and ``source_coverage``; possibly without rows.
        quarantine: by identity of the source, its rows set aside (QUARANTINE_SCHEMA), in order of file and row.
        duplicates: the same for rows that repeat another (DUPLICATE_SCHEMA).
        file_counts: row counts of every file.
    """

    tables: dict[str, ChunkedRows]
    quarantine: dict[str, ChunkedRows]
    duplicates: dict[str, ChunkedRows]
    file_counts: tuple[FileCounts, ...]

    def in_memory(self, *, with_originals: bool = True) -> IngestResult:
        """Return all rows as tables in memory, those set aside with or without their values and bytes."""
        return IngestResult(
            tables={name: rows.whole() for name, rows in self.tables.items()},
            quarantine=_whole(self.quarantine, QUARANTINE_SCHEMA, with_contents=with_originals),
            duplicates=_whole(self.duplicates, DUPLICATE_SCHEMA),
            file_counts=self.file_counts,
        )


def _whole(by_source: Mapping[str, ChunkedRows], schema: pa.Schema, *, with_contents: bool = True) -> pa.Table:
    chunks = (chunk for rows in by_source.values() for chunk in rows.chunks())
    all_rows = pa.scalar(value=True)
    return _in_order([chunk if with_contents else redacted(chunk, all_rows) for chunk in chunks], schema)


def joined_tables(sources: Iterable[str], batches: Sequence[KeptBatch]) -> dict[str, ChunkedRows]:
    """Return each canonical table that the sources feed, its chunks in order of batches."""
    fed = {name for source in sources for name in known_source(source).mapping.covered_tables}
    parts: dict[str, list[pa.Table | SpilledRows]] = {name: [] for name in table_names() if name in fed}
    for batch in batches:
        for name, table in batch.tables.items():
            parts[name].append(table)
    return {
        name: ChunkedRows(nullable(table_contract(name).arrow_schema), tuple(found)) for name, found in parts.items()
    }


def all_quarantined(batches: Sequence[KeptBatch]) -> dict[str, ChunkedRows]:
    """Return the quarantined rows of batches by source."""
    records = _in_order([batch.result.quarantine for batch in batches], QUARANTINE_SCHEMA)
    return _by_source(records, [(batch.source, batch.spilled_quarantine) for batch in batches])


def all_repeated(batches: Sequence[KeptBatch]) -> dict[str, ChunkedRows]:
    """Return the repeated rows of batches by source."""
    records = _in_order([batch.result.duplicates for batch in batches], DUPLICATE_SCHEMA)
    return _by_source(records, [(batch.source, batch.spilled_duplicates) for batch in batches])


def _in_order(parts: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """Return entries in order of source, file and row, encoded afresh, independent of the batches."""
    plain = without_dictionaries(schema)
    records = pa.concat_tables([part.cast(plain) for part in parts] or [plain.empty_table()])
    return records.sort_by([(name, "ascending") for name in ("source", "source_file", "source_row")]).cast(schema)


def _by_source(records: pa.Table, stored: Sequence[tuple[str, Mapping[str, SpilledRows]]]) -> dict[str, ChunkedRows]:
    large: dict[str, dict[str, SpilledRows]] = {}
    for source, rows_of_file in stored:
        if rows_of_file:
            large.setdefault(known_source(source).contract.identity, {}).update(rows_of_file)
    identities: Values = pc.unique(records["source"])
    found = {}
    for source in sorted({*identities.to_pylist(), *large}):
        chosen = records.filter(pc.equal(records["source"], pa.scalar(source))).unify_dictionaries().combine_chunks()
        found[source] = ChunkedRows(records.schema, _between(chosen, large.get(source, {})))
    return found


def _between(records: pa.Table, stored: Mapping[str, SpilledRows]) -> tuple[pa.Table | SpilledRows, ...]:
    """Return the entries of a source, in order of file, with the spilled ones of other files in between."""
    if not stored:
        return (records,)
    names: Values = records["source_file"]
    files: list[str] = names.to_pylist()
    parts: list[pa.Table | SpilledRows] = []
    start = 0
    for name in sorted(stored):
        stop = bisect_left(files, name)
        parts += [records.slice(start, stop - start), stored[name]]
        start = stop
    return (*parts, records.slice(start))


def write_ingested(folder: Path, ingested: IngestedTables) -> None:
    """Write ``tables/``, ``quarantine/`` and ``duplicates/`` by source, and ``row_counts.json``."""
    for name, rows in ingested.tables.items():
        rows.write(folder / "tables" / f"{name}.parquet")
    for name, by_source in (("quarantine", ingested.quarantine), ("duplicates", ingested.duplicates)):
        for source, rows in by_source.items():
            rows.write(folder / name / f"{source.partition('@')[0]}.parquet")
    write_json(folder / "row_counts.json", row_counts_document(ingested.file_counts))
