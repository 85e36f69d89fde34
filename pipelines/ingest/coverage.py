"""Coverage: the rows of ``source_coverage`` say which seller's source was delivered for which period.

Without coverage a figure is unknown, never zero: a seller who withholds a file must not look like one without events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from data_contracts.mapping.source_mapping import conformed
from data_contracts.reading.doubts import doubt, doubts_of
from data_contracts.sources.registry import known_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from data_contracts.arrow import Values
    from pipelines.ingest.deliveries.manifest import DeliveredFile
    from pipelines.runs.file_counts import FileCounts

COVERAGE_TABLE = "source_coverage"


def coverage_table(
    files: Sequence[DeliveredFile],
    counts: Mapping[str, FileCounts],
    sellers_named: Mapping[str, Sequence[str]],
    recorded_at: datetime,
) -> pa.Table:
    """Return one row for each file, seller it concerns, and canonical table it feeds.

    A file of many sellers covers those it names. A rejected file, or one without any accepted row, covers nothing;
    otherwise a corrupt file would read as a quiet year. A file without rows is evidence that nothing happened.

    Args:
        files: the files read.
        counts: row counts of each file, by name.
        sellers_named: by file, the sellers named in its accepted rows.
        recorded_at: moment of recording.
    """
    rows = [row for file in files for row in _rows_of(file, counts[file.name], sellers_named.get(file.name, ()))]
    names = (
        *("seller_id", "covered_table", "delivered_source", "period_from", "period_to", "delivered_at"),
        *("source", "source_file", "source_sha256", "source_row", "source_coverage_id", "doubts"),
    )
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    types = {
        **dict.fromkeys(("period_from", "period_to"), pa.date32()),
        "delivered_at": pa.timestamp("us", "UTC"),
        "source_row": pa.int64(),
    }
    arrays: list[Values] = [
        pa.array(cells, types.get(name, pa.string())) for name, cells in zip(names, columns, strict=True)
    ]
    table = pa.table(arrays, names=list(names))
    recorded = pa.array([recorded_at] * table.num_rows, pa.timestamp("us", "UTC"))
    first_day = table["period_from"]
    for name, values in (
        ("event_date", first_day),
        # A source can be exported from the first day of its period on; the time of delivery is another column.
        ("known_at", first_day.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))),
        ("recorded_at", recorded),
    ):
        table = table.append_column(name, values)
    return conformed(table, COVERAGE_TABLE)


def _rows_of(file: DeliveredFile, account: FileCounts, named: Sequence[str]) -> Iterator[tuple[object, ...]]:
    if account.rejected_by or (account.rows_in and not account.accepted):
        return
    sellers = (file.seller,) if file.seller is not None else named
    evidence = file.evidence
    for seller in sellers:
        for table in known_source(file.source).mapping.covered_tables:
            yield (
                *(seller, table, file.source, file.covered_from, file.covered_to, file.delivered_at),
                *(evidence.source, evidence.file, evidence.sha256 or account.sha256, evidence.row),
                f"{seller}:{table}:{file.name}",
                doubts_of((*account.notes, *account.warnings, *_contradictions(file, account))),
            )


def _contradictions(file: DeliveredFile, account: FileCounts) -> Iterator[str]:
    """Yield the doubts about a file whose figures contradict each other."""
    for rule in known_source(file.source).contract.rules:
        if rule.casts_doubt and rule.rule_id in account.warnings:
            yield doubt(f"in {account.warnings[rule.rule_id]} rows the figures do not agree ({rule.description})")
