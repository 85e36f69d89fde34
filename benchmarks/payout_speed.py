"""Speed and memory of reading, typing, checking and writing a payout file, beside DuckDB and Great Expectations.

Makes up a CSV of 25 columns under a contract of 30 rules, with some rows that break one, and times these tasks in
turns, each in its own process: our whole path from CSV to Parquet; DuckDB's strict reader on the same file, written
unchecked; our row checks with a record of each failing row, beside reading and summing the same columns; and Great
Expectations in COMPLETE mode on the same rules. The first two also read a second file in which all cells are quoted.
Larger files show that memory does not grow: read as ``passport contract check`` does, and, in our own template,
ingested as ``passport ingest`` does, from the file to the published canonical tables. Writes JSON with each measurement
beside its bound; asserts nothing.

    python benchmarks/payout_speed.py --out artifacts/benchmarks
    python benchmarks/payout_speed.py --memory-rows 1000000,3000000,10000000 --only-memory
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa
from payouts.rows import Size, write_rows
from payouts.tasks import (
    Measured,
    check_rows_with_ids,
    contract,
    duckdb_unchecked,
    duckdb_unchecked_template,
    great_expectations_complete,
    ingest_payouts,
    read_and_sum,
    sort_payouts,
    type_payouts,
)
from payouts.template_rows import write_template_rows

from pipelines.runs.publish import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Outcome = TypeVar("Outcome")
FAULTY_SHARE = 0.002
# Upper bounds; for Great Expectations a lower bound.
LARGEST_TIMES_DUCKDB, LARGEST_TIMES_READING, LEAST_TIMES_LESS_THAN_GX, LARGEST_MIB = 3.0, 3.0, 5.0, 1536.0


def alone(task: Callable[..., Outcome], *arguments: object) -> Outcome:
    """Run a task in a new process and return its result."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        return pool.submit(task, *arguments).result()


def made_up(folder: Path, name: str, size: Size) -> Path:
    """Return a made-up payout file."""
    path = folder / f"{name}.csv"
    alone(write_rows, path, contract(), size)
    return path


def in_turns(tasks: Mapping[str, tuple[Any, ...]], repeats: int) -> dict[str, list[Measured]]:
    """Return the measurements of each task, taken in turns so that a slower machine slows all of them."""
    found: dict[str, list[Measured]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, (task, *arguments) in tasks.items():
            found[name].append(alone(task, *arguments))
    return found


def median_ratio(one: list[Measured], other: list[Measured]) -> float:
    """Return the median of the ratios of CPU time, round by round."""
    return statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in zip(one, other, strict=True))


def judged(value: float, bound: float, *, at_least: bool = False) -> dict[str, Any]:
    """Return a measured value beside its bound."""
    met = value >= bound if at_least else value <= bound
    return {"measured": round(value, 2), "bound": bound, "met": met}


def measure(folder: Path, rows: int, repeats: int) -> dict[str, Any]:
    """Return the ratios of CPU time at ``rows`` rows, and whether all methods count the same rule breaks."""
    plain = made_up(folder, "plain", Size(rows, FAULTY_SHARE))
    quoted = made_up(folder, "quoted", Size(rows, FAULTY_SHARE, quoted=True))
    alone(type_payouts, plain, folder)
    found = in_turns(
        {
            "ours": (sort_payouts, plain, folder),
            "duckdb": (duckdb_unchecked, plain, folder),
            "ours_quoted": (sort_payouts, quoted, folder),
            "duckdb_quoted": (duckdb_unchecked, quoted, folder),
            "sums": (read_and_sum, folder),
            "checks": (check_rows_with_ids, folder),
            "great_expectations": (great_expectations_complete, folder),
        },
        repeats,
    )
    checks, expectations = found["checks"], found["great_expectations"]
    ours, theirs = checks[-1].result["counts"], expectations[-1].result["counts"]
    return {
        "megabytes": {path.stem: round(path.stat().st_size / 1e6) for path in (plain, quoted)},
        "rows": found["ours"][-1].result,
        "cpu_times_duckdb_unchecked": judged(median_ratio(found["ours"], found["duckdb"]), LARGEST_TIMES_DUCKDB),
        "cpu_times_duckdb_unchecked_all_cells_quoted": judged(
            median_ratio(found["ours_quoted"], found["duckdb_quoted"]), LARGEST_TIMES_DUCKDB
        ),
        "checks_cpu_times_reading_and_summing": judged(median_ratio(checks, found["sums"]), LARGEST_TIMES_READING),
        "great_expectations_cpu_times_checks": judged(
            median_ratio(expectations, checks), LEAST_TIMES_LESS_THAN_GX, at_least=True
        ),
        "rules": len(ours),
        "rules_broken": sum(count > 0 for count in ours.values()),
        "rules_counted_alike": sum(theirs[rule_id] == count for rule_id, count in ours.items()),
        "peak_mib": judged(max(one.peak_mib for one in found["ours"]), LARGEST_MIB),
    }


def measure_memory(folder: Path, rows: int) -> dict[str, Any]:
    """Return the peak memory of the process that reads, types, checks and writes ``rows`` rows."""
    path = made_up(folder, "large", Size(rows, FAULTY_SHARE))
    outcome = alone(sort_payouts, path, folder)
    megabytes = round(path.stat().st_size / 1e6)
    path.unlink()
    return {"rows": outcome.result, "megabytes": megabytes, "peak_mib": judged(outcome.peak_mib, LARGEST_MIB)}


def measure_ingest(folder: Path, rows: int) -> dict[str, Any]:
    """Return the cost of ingesting ``rows`` rows: CPU beside DuckDB's, memory of the reading process and its parent."""
    path = folder / "template.csv"
    alone(write_template_rows, path, Size(rows, FAULTY_SHARE))
    theirs = alone(duckdb_unchecked_template, path, folder)
    ours = alone(ingest_payouts, path, folder)
    megabytes = round(path.stat().st_size / 1e6)
    path.unlink()
    return {
        "rows": ours.result,
        "megabytes": megabytes,
        "cpu_seconds": round(ours.cpu_seconds, 1),
        "cpu_times_duckdb_unchecked": round(ours.cpu_seconds / theirs.cpu_seconds, 2),
        "peak_mib_of_both_processes": judged(ours.peak_mib, LARGEST_MIB),
    }


def main() -> None:
    """Measure and write ``payout_speed.json``."""
    parser = argparse.ArgumentParser(description="Speed and memory of reading and checking a payout file.")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--memory-rows", default="3000000", help="numbers of rows for the memory measurement, comma-separated"
    )
    parser.add_argument("--only-memory", action="store_true", help="measure memory only")
    given = parser.parse_args()
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    given.out.mkdir(parents=True, exist_ok=True)
    memory: list[dict[str, Any]] = []
    ingested: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        document = {
            "made_up": {"rows": given.rows, "faulty_share": FAULTY_SHARE, "columns": len(contract().columns)},
            "repeats": given.repeats,
            "speed": None if given.only_memory else measure(folder, given.rows, given.repeats),
            "memory": memory,
            "ingest": ingested,
            "machine": {"python": platform.python_version(), "duckdb": duckdb.__version__, "pyarrow": pa.__version__},
        }
        write_json(given.out / "payout_speed.json", document)
        for rows in given.memory_rows.split(","):
            memory.append(measure_memory(folder, int(rows)))
            ingested.append(measure_ingest(folder, int(rows)))
            write_json(given.out / "payout_speed.json", document)


if __name__ == "__main__":
    main()
