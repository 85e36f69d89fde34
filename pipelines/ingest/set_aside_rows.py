"""Which rows of a delivery were set aside and why, in lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from data_contracts.definition.compiler import source_contract, table_contract, table_names
from pipelines.reports.rendering import page_texts
from pipelines.reports.validation_page import reading_reason
from pipelines.runs.publish import read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from data_contracts.definition.contract import CompiledContract

ROWS_NAMED: Final = 5
"""Rows that a line names; the others are counted."""
_COLUMNS: Final = ["source", "source_file", "rule_id", "source_row"]


def lines_of_run(run_dir: Path) -> list[str]:
    """Return the lines on the rows that an ingest run quarantined."""
    return set_aside_lines(read_parquet(path, _COLUMNS) for path in sorted((run_dir / "quarantine").glob("*.parquet")))


def set_aside_lines(records: Iterable[pa.Table]) -> list[str]:
    """Return one line per file and reason: how many rows, the first row numbers, and the reason in words.

    Args:
        records: tables of rows set aside (QUARANTINE_SCHEMA).
    """
    chosen = [table.select(_COLUMNS).cast(_PLAIN) for table in records if table.num_rows]
    if not chosen:
        return []
    keys = ["source_file", "source", "rule_id"]
    rows = pa.concat_tables(chosen).group_by(keys, use_threads=False).aggregate([("source_row", "list")])
    return sorted(_lines(rows))


_FIELDS: dict[str, pa.DataType] = {name: pa.string() for name in _COLUMNS[:-1]} | {"source_row": pa.int64()}
_PLAIN: Final = pa.schema(_FIELDS)


def _lines(rows: pa.Table) -> Iterator[str]:
    texts = page_texts("validation_page", "en")
    for row in rows.to_pylist():
        numbers = sorted(number for number in row["source_row_list"] if number is not None)
        named = ", ".join(str(number) for number in numbers[:ROWS_NAMED])
        more = f" and {len(numbers) - ROWS_NAMED:,} more" if len(numbers) > ROWS_NAMED else ""
        reason = reading_reason(row["rule_id"], _contract(row["source"]), texts).words
        count = len(row["source_row_list"])
        what = "row" if count == 1 else "rows"
        yield f"{row['source_file']}: {count:,} {what} set aside by {row['rule_id']}: {reason}: {what} {named}{more}"


def _contract(source: str) -> CompiledContract:
    name = source.partition("@")[0]
    return table_contract(name) if name in table_names() else source_contract(name)
