"""Let each amount count once: find the money that several reports or files of one delivery state, and mark it.

No row is removed. A row that repeats another stays with its lineage, stops counting (``superseded_at``), names the
source whose row counts instead (``counted_in``), and is counted as a remark of its file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.database import closed_database
from data_contracts.mapping.same_money import MONEY, PLATFORM_KEY, same_money
from data_contracts.sources.registry import known_source
from pipelines.ingest.spill.chunked_rows import ChunkedRows
from pipelines.ingest.spill.spill_file import without_dictionaries
from pipelines.runs.storage_faults import report_duckdb_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from data_contracts.arrow import Values
    from pipelines.ingest.deliveries.manifest import DatedFile
    from pipelines.runs.file_counts import FileCounts

EVENTS: Final = "money_event"
_MEMORY_LIMIT: Final = "512MiB"
# How far apart reports may date one movement of money; more days than the rules themselves allow.
_MARGIN_DAYS: Final = 10

_COVERED: Final = """
    INSERT INTO covered SELECT seller_id, CAST(platform AS VARCHAR), CAST(source AS VARCHAR),
        CAST(source_file AS VARCHAR), min(event_date), max(event_date)
    FROM chunk GROUP BY ALL
"""
# Rows of a file that another file of the same seller and platform may repeat: all if another report covers these days,
# else the days that another file of the same report covers.
_SPANS: Final = f"""
    CREATE TABLE spans AS
    WITH files AS (
        SELECT seller_id, platform, {PLATFORM_KEY} AS account_of, source, source_file, min(first_day) AS first_day,
            max(last_day) AS last_day
        FROM covered GROUP BY ALL
    )
    SELECT one.seller_id, one.platform, one.source_file, any_value(one.account_of) AS account_of,
        bool_or(other.source <> one.source) AS crossing,
        CASE WHEN crossing THEN any_value(one.first_day) ELSE min(greatest(one.first_day, other.first_day)) END
            AS first_day,
        CASE WHEN crossing THEN any_value(one.last_day) ELSE max(least(one.last_day, other.last_day)) END AS last_day
    FROM files AS one JOIN files AS other USING (seller_id, account_of)
    WHERE one.source_file <> other.source_file
        AND one.first_day <= other.last_day + CASE WHEN one.source = other.source THEN 0 ELSE {_MARGIN_DAYS} END
        AND other.first_day <= one.last_day + CASE WHEN one.source = other.source THEN 0 ELSE {_MARGIN_DAYS} END
    GROUP BY ALL
"""  # noqa: S608 - put together from constants of this module
_ROWS: Final = """
    SELECT place, chunk.seller_id, account_of AS platform, CAST(chunk.source AS VARCHAR) AS source, source_rank,
        file_rank, crossing, store_id, CAST(marketplace AS VARCHAR) AS marketplace,
        CAST(event_type AS VARCHAR) AS event_type,
        CASE WHEN event_type LIKE 'advance%' THEN 'advance' WHEN event_type LIKE 'reserve%' THEN 'reserve'
            WHEN event_type LIKE 'payout%' THEN 'payout' ELSE CAST(event_type AS VARCHAR) END AS kind,
        CAST(currency AS VARCHAR) AS currency, amount, event_date, event_at,
        order_id, statement_id, known_at, recorded_at, row_version,
        superseded_at IS NOT NULL OR row_version > 1 AS is_corrected, superseded_at AS corrected_at,
        spans.source_file, source_row
    FROM chunk JOIN spans ON chunk.seller_id = spans.seller_id
        AND CAST(chunk.platform AS VARCHAR) = spans.platform AND CAST(chunk.source_file AS VARCHAR) = spans.source_file
        AND event_date BETWEEN first_day AND last_day
    JOIN source_ranks ON source_ranks.source = CAST(chunk.source AS VARCHAR)
    JOIN file_ranks ON file_ranks.source_file = spans.source_file
"""


_COUNTED: Final = f"""
    SELECT source_file, source, counted_in, count(DISTINCT source_row)
    FROM marks JOIN {MONEY} USING (place) GROUP BY ALL ORDER BY ALL
"""  # noqa: S608 - put together from constants of this module


@dataclass(frozen=True)
class MarkedRows(ChunkedRows):
    """The rows of a table, some of which stop counting.

    Attributes:
        marks: for each such row its place in the table, first, and the values of the columns that change, in order of
            place.
    """

    marks: pa.Table | None = None

    def chunks(self) -> Iterator[pa.Table]:
        """Yield the rows in order, chunk by chunk, with their marks."""
        if self.marks is None:
            yield from super().chunks()
            return
        places = self.marks["place"].to_numpy()
        first = 0
        for chunk in super().chunks():
            start, stop = np.searchsorted(places, [first, first + chunk.num_rows])
            yield _marked(chunk, self.marks.slice(start, stop - start), first)
            first += chunk.num_rows


@dataclass(frozen=True)
class CountedOnce:
    """Tables in which each amount of money counts once, and how many rows of each file another row counts for."""

    tables: dict[str, ChunkedRows]
    repeated: Mapping[str, Mapping[str, int]]

    def noted(self, counts: FileCounts) -> FileCounts:
        """Return the row counts of a file with the rows that repeat another as remarks."""
        remarks = self.repeated.get(counts.file)
        return counts if remarks is None else replace(counts, warnings={**counts.warnings, **remarks})


def counted_once(tables: dict[str, ChunkedRows], files: Sequence[DatedFile], folder: Path | None) -> CountedOnce:
    """Return the tables of a delivery with those money events marked that another report or file states as well.

    Args:
        tables: canonical tables by name.
        files: the files they come from; of two files of one report the row of the earlier delivery counts.
        folder: where large intermediate results may be written; None holds them in memory.
    """
    events = tables.get(EVENTS)
    if events is None or sum(EVENTS in known_source(file.source).mapping.covered_tables for file in files) < 2:
        return CountedOnce(tables, {})
    settings = {} if folder is None else {"temp_directory": str(folder), "memory_limit": _MEMORY_LIMIT}
    with report_duckdb_faults(folder or Path()), closed_database(settings) as database:
        if not _find_spans(database, events):
            return CountedOnce(tables, {})
        _load_rows(database, events, files)
        marks = same_money(database)
        database.register("marks", marks)
        repeated = _repeated(database)
    marked = MarkedRows(events.schema, events.parts, marks)
    return CountedOnce({**tables, EVENTS: marked} if marks.num_rows else tables, repeated)


def _find_spans(database: duckdb.DuckDBPyConnection, events: ChunkedRows) -> bool:
    """Find what files may repeat of each other; return whether there is anything."""
    database.execute(
        "CREATE TABLE covered (seller_id VARCHAR, platform VARCHAR, source VARCHAR, source_file VARCHAR, "
        "first_day DATE, last_day DATE)"
    )
    for chunk in events.chunks():
        database.register("chunk", chunk.select(["seller_id", "platform", "source", "source_file", "event_date"]))
        database.execute(_COVERED)
    database.execute(_SPANS)
    return bool(database.execute("SELECT seller_id FROM spans LIMIT 1").fetchall())


def _load_rows(database: duckdb.DuckDBPyConnection, events: ChunkedRows, files: Sequence[DatedFile]) -> None:
    """Load the rows that may repeat another, each with its place in the table."""
    database.register("source_ranks", _source_ranks({file.source for file in files}))
    in_order = sorted(files, key=lambda file: (file.delivered_at, file.name))
    database.register(
        "file_ranks", pa.table({"source_file": [file.name for file in in_order], "file_rank": range(len(in_order))})
    )
    first, command = 0, f"CREATE TABLE {MONEY} AS"
    for chunk in events.chunks():
        if not chunk.num_rows:
            continue
        places: Values = pa.array(np.arange(first, first + chunk.num_rows))
        database.register("chunk", chunk.append_column("place", places))
        database.execute(f"{command} {_ROWS}")
        first, command = first + chunk.num_rows, f"INSERT INTO {MONEY}"


def _source_ranks(sources: set[str]) -> pa.Table:
    """Return the rank of each source by detail, which no delivery changes: whole statements, then most columns."""

    def detail(source: str) -> tuple[bool, int, str]:
        known = known_source(source)
        return (not known.mapping.delivered_whole, -len(known.contract.columns), source)

    ranked = [known_source(source).contract.identity for source in sorted(sources, key=detail)]
    return pa.table({"source": ranked, "source_rank": range(len(ranked))})


def _marked(chunk: pa.Table, marks: pa.Table, first: int) -> pa.Table:
    """Return rows with the marks of some of them."""
    if not marks.num_rows:
        return chunk
    is_marked = np.zeros(chunk.num_rows, dtype=np.bool_)
    is_marked[marks["place"].to_numpy() - first] = True
    mask: Values = pa.array(is_marked)
    for name in marks.column_names[1:]:
        index, field = chunk.column_names.index(name), chunk.schema.field(name)
        plain: Values = chunk.select([name]).cast(without_dictionaries(pa.schema([field])))[name]
        filled: Values = pc.replace_with_mask(
            plain.combine_chunks(), mask, marks[name].cast(plain.type).combine_chunks()
        )
        encoded = filled.dictionary_encode().cast(field.type) if pa.types.is_dictionary(field.type) else filled
        chunk = chunk.set_column(index, field, encoded)
    return chunk


def _repeated(database: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Count, by file and source that counts instead, the raw rows that repeat another."""
    found: dict[str, dict[str, int]] = {}
    for file, source, counted_in, count in database.execute(_COUNTED).fetchall():
        other = f"{'another file of ' if source == counted_in else ''}{counted_in.partition('@')[0]}"
        found.setdefault(file, {})[f"amount counted in {other}"] = count
    return found
