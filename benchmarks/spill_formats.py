"""Spill files beside DuckDB tables, and partitions beside whole batches: what ingest could do with large deliveries.

Writes made-up payout rows in our own template and times, each task in a process of its own:

- spilling the text rows piece by piece and reading them back partition by partition: with our spill files, with a
  DuckDB table that is filtered for each partition, and with a DuckDB table that is sorted by partition first;
- ingesting one file whole, in one partition, and in partitions of the usual size;
- ingesting many small files whole and in one partition.

Writes JSON; asserts nothing.

    python benchmarks/spill_formats.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
from ingest_speed import Size as InvoiceSize
from ingest_speed import write_made_up_files
from payout_speed import FAULTY_SHARE, alone
from payouts.rows import Size
from payouts.tasks import measured
from payouts.template_rows import SOURCE, template_contract, write_template_rows

from data_contracts.reading.delimited.pieces import PIECE_BYTES, DelimitedPieces
from data_contracts.reading.template_files import delimited_form
from pipelines.ingest.batches.batch import BatchRequest, ingest_batch
from pipelines.ingest.batches.partitions import PartitionedRequest, ingest_in_partitions, partitions_of
from pipelines.ingest.deliveries.manifest import DeliveredFile, Origin, find_deliveries
from pipelines.ingest.spill.spill_file import SpillFile, SpillReader
from pipelines.profiles.ingest_settings import IngestSettings
from pipelines.runs.publish import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from payouts.tasks import Measured

KEY = bytes(32)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
PARTITION_BYTES = 24 * 2**20
MEMORY_LIMIT = "256MiB"
_PARTITION, _POSITION = "_partition", "_position"


def pieces_of(path: Path, partitions: int) -> Iterator[pa.Table]:
    """Yield the text rows of each piece with their partition and position."""
    position = 0
    contract = delimited_form(template_contract())
    with path.open("rb") as file:
        for piece in DelimitedPieces(file, contract, path.name, PIECE_BYTES):
            rows = piece.rows.drop_columns("source_row")
            numbers = partitions_of(rows["event_id"], (), partitions)
            places = np.arange(position, position + rows.num_rows)
            position += rows.num_rows
            yield rows.append_column(_PARTITION, pa.array(numbers)).append_column(_POSITION, pa.array(places))


def read_only(path: Path, partitions: int, _folder: Path) -> Measured:
    """Read and partition the rows without spilling them."""
    with measured() as outcome:
        outcome.result = sum(piece.num_rows for piece in pieces_of(path, partitions))
    return outcome


def with_spill_files(path: Path, partitions: int, folder: Path) -> Measured:
    """Spill rows to our own file, one slice for each piece and partition, and read each partition."""
    slices: list[list[int]] = [[] for _ in range(partitions)]
    store: SpillFile | None = None
    with measured() as outcome:
        for piece in pieces_of(path, partitions):
            store = store or SpillFile(folder / "rows.arrow", piece.schema)
            ordered = piece.sort_by([(_PARTITION, "ascending"), (_POSITION, "ascending")])
            numbers, starts = np.unique(ordered[_PARTITION].to_numpy(), return_index=True)
            for number, start, stop in zip(numbers, starts, [*starts[1:], ordered.num_rows], strict=True):
                slices[number] += store.add(ordered.slice(start, stop - start))
        if store is None:
            raise ValueError("there are no rows")
        store.close()
        with SpillReader(store.path, store.schema) as reader:
            outcome.result = sum(reader.read(numbers).num_rows for numbers in slices)
    return outcome


def with_duckdb_table(path: Path, partitions: int, folder: Path) -> Measured:
    """Insert rows into a DuckDB table on disk, and filter it for each partition."""
    return _duckdb(path, partitions, folder, is_sorted=False)


def with_sorted_duckdb_table(path: Path, partitions: int, folder: Path) -> Measured:
    """Insert rows into a DuckDB table on disk, sort it by partition, and filter it for each partition."""
    return _duckdb(path, partitions, folder, is_sorted=True)


def _duckdb(path: Path, partitions: int, folder: Path, *, is_sorted: bool) -> Measured:
    settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": MEMORY_LIMIT, "threads": 1}
    table, first = "spilled", True
    with measured() as outcome, duckdb.connect(folder / "rows.duckdb", config=settings) as connection:
        connection.execute("SET enable_progress_bar = false")
        for piece in pieces_of(path, partitions):
            connection.register("piece", piece)
            action = "CREATE TABLE spilled AS" if first else "INSERT INTO spilled"
            connection.execute(f"{action} SELECT * FROM piece")  # noqa: S608 - fixed words
            first = False
        if is_sorted:
            table = "ordered"
            order = f"{_PARTITION}, {_POSITION}"
            connection.execute(f"CREATE TABLE ordered AS SELECT * FROM spilled ORDER BY {order}")  # noqa: S608 - as above
        query = f"SELECT * FROM {table} WHERE {_PARTITION} = ? ORDER BY {_POSITION}"  # noqa: S608 - fixed names
        outcome.result = sum(
            connection.sql(query, params=[number]).to_arrow_table().num_rows for number in range(partitions)
        )
    return outcome


def ingest_whole(request: BatchRequest, _folder: Path) -> Measured:
    """Ingest a batch whole."""
    with measured() as outcome:
        outcome.result = sum(account.accepted for account in ingest_batch(request).file_counts)
    return outcome


def ingest_partitioned(request: BatchRequest, folder: Path, partition_bytes: int) -> Measured:
    """Ingest a batch in partitions of about this size."""
    with measured() as outcome:
        result = ingest_in_partitions(PartitionedRequest(request, folder, partition_bytes, PIECE_BYTES))
        outcome.result = sum(account.accepted for account in result.file_counts)
    return outcome


def template_request(path: Path) -> BatchRequest:
    """Return the batch of one file in our own template."""
    file = DeliveredFile(
        name=path.name,
        source=SOURCE,
        container=None,
        size_bytes=path.stat().st_size,
        group="",
        seller=None,
        account=None,
        covered_from=MOMENT.date(),
        covered_to=MOMENT.date(),
        delivered_at=MOMENT,
        listed_sha256=None,
        evidence=Origin(SOURCE, path.name, None, 1),
    )
    return BatchRequest(path.parent, SOURCE, (file,), MOMENT, {}, KEY)


def invoices_request(folder: Path, size: InvoiceSize) -> BatchRequest:
    """Return the batch of many small invoice files."""
    write_made_up_files(folder, size)
    return BatchRequest(
        folder, "vat_invoices", find_deliveries(folder, IngestSettings(recorded_at=MOMENT)).files, MOMENT, {}, KEY
    )


def figures(task: Callable[..., Measured], *arguments: object) -> dict[str, object]:
    """Return the cost of a task in a new process with a new folder, and the bytes it left on disk."""
    with tempfile.TemporaryDirectory() as name:
        outcome = alone(task, *arguments, Path(name))
        disk = sum(file.stat().st_size for file in Path(name).rglob("*") if file.is_file())
    return {
        "cpu_seconds": round(outcome.cpu_seconds, 1),
        "wall_seconds": round(outcome.wall_seconds, 1),
        "peak_mib": round(outcome.peak_mib),
        "disk_megabytes": round(disk / 1e6),
        "rows": outcome.result,
    }


def one_partition(request: BatchRequest, folder: Path) -> Measured:
    """Ingest a batch in one partition."""
    return ingest_partitioned(request, folder, 2**40)


def usual_partitions(request: BatchRequest, folder: Path) -> Measured:
    """Ingest a batch in partitions of the usual size."""
    return ingest_partitioned(request, folder, PARTITION_BYTES)


def measure(folder: Path, rows: int, files: InvoiceSize) -> dict[str, object]:
    """Return the figures of all tasks."""
    path = folder / "template.csv"
    alone(write_template_rows, path, Size(rows, FAULTY_SHARE))
    partitions = path.stat().st_size // PARTITION_BYTES + 1
    spilling = (read_only, with_spill_files, with_duckdb_table, with_sorted_duckdb_table)
    one_file, many_files = template_request(path), invoices_request(folder / "invoices", files)
    return {
        "one_file": {"megabytes": round(path.stat().st_size / 1e6), "rows": rows, "partitions": partitions},
        "many_files": {"files": files.files, "rows_a_file": files.rows_a_file},
        "spilling": {task.__name__: figures(task, path, partitions) for task in spilling},
        "ingest_one_file": {
            task.__name__: figures(task, one_file) for task in (ingest_whole, one_partition, usual_partitions)
        },
        "ingest_many_files": {task.__name__: figures(task, many_files) for task in (ingest_whole, one_partition)},
        "machine": {"duckdb": duckdb.__version__, "pyarrow": pa.__version__},
    }


def main() -> None:
    """Measure and write ``spill_formats.json``."""
    parser = argparse.ArgumentParser(description="Spill files beside DuckDB tables, partitions beside whole batches.")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--rows-a-file", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "invoices").mkdir()
        found = measure(folder, given.rows, InvoiceSize(given.files, given.rows_a_file, 1))
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "spill_formats.json", found)


if __name__ == "__main__":
    main()
