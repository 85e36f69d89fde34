"""Speed of ingest beside DuckDB's strict CSV reader, on the same files in the same run.

Writes made-up invoice files (or takes a folder of real ones, ``--raw``) and times three tasks in turns, so a slower
machine slows all of them: our strict reading and typing alone; our whole ingest (reading, typing, duplicates, contract
rules, canonical table, row counts); and DuckDB reading the same files strictly into the same types, with its rejects
stored. The rows that each accepts and sets aside are written beside the times, because a reader that loses rows is not
faster. Writes JSON; asserts nothing.

    python benchmarks/ingest_speed.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import resource
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from data_contracts.definition.compiler import source_contract
from data_contracts.values.casting import cast_columns
from pipelines.ingest.batches.file_reading import RawFile, read_groups
from pipelines.ingest.batches.row_origins import Gathered
from pipelines.ingest.deliveries.manifest import find_deliveries, read_deliveries
from pipelines.ingest.stage import ingest_folder
from pipelines.profiles.ingest_settings import IngestSettings

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = bytes(32)
HEADER = ",企业代号,发票号码,开票日期,购方单位代号,金额,税额,价税合计,发票状态"
FAULTS = (
    "1,S000000,5",
    "1,S000000,6,2021/13/5,B1,1.0,0.0,1.0,有效发票",
    "1,S000000,7,2021/3/5,B1,1O.0,0.0,1.0,有效发票",
)
DUCKDB_QUERY = """
CREATE OR REPLACE TABLE invoices AS SELECT * FROM read_csv($files, header = true, delim = ',', quote = '',
    strict_mode = true, store_rejects = true, auto_detect = false, dateformat = '%Y/%-m/%-d', columns = {
        'row_label': 'VARCHAR', 'firm_code': 'VARCHAR', 'number': 'VARCHAR', 'issued_on': 'DATE',
        'counterparty': 'VARCHAR', 'net': 'DECIMAL(18, 4)', 'tax': 'DECIMAL(18, 4)', 'gross': 'DECIMAL(18, 4)',
        'state': 'VARCHAR'})
"""


@dataclass(frozen=True)
class Size:
    """Amount of made-up data, and number of rounds."""

    files: int
    rows_a_file: int
    repeats: int


@dataclass(frozen=True)
class Outcome:
    """What one reader made of the files."""

    accepted: int
    set_aside: int


def write_made_up_files(folder: Path, size: Size) -> None:
    """Write invoice files of made-up sellers, with three faulty lines each, and their list of deliveries."""
    rng = random.Random(20240630)  # noqa: S311 - made-up amounts, no secrets
    lines = ["File,Seller ref,Source,Account,Period start,Period end,Delivered at (UTC),SHA-256"]
    for number in range(size.files):
        seller = f"S{number:06}"
        rows = [*(_made_up_row(rng, seller, row) for row in range(size.rows_a_file)), *FAULTS]
        data = "\n".join([HEADER, *rows, ""]).encode()
        path = folder / "vat_invoices" / seller / "sale.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        name = path.relative_to(folder).as_posix()
        about = f"{name},{seller},vat_invoices,,2020-01-01,2022-12-31,2020-01-05 00:00:00"
        lines.append(f"{about},{sha256(data).hexdigest()}")
    (folder / "deliveries.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _made_up_row(rng: random.Random, seller: str, number: int) -> str:
    day = date(2020, 1, 1) + timedelta(days=rng.randrange(1000))
    net = rng.randrange(1, 10**7)
    tax = round(net * 0.13)
    amounts = ",".join(f"{cents / 100:.2f}" for cents in (net, tax, net + tax))
    buyer = f"B{rng.randrange(10**5):05}"
    return f"{number},{seller},{number + 10**6},{day.year}/{day.month}/{day.day},{buyer},{amounts},有效发票"


def read_and_type(folder: Path, settings: IngestSettings) -> Outcome:
    """Read strictly and type exactly, without rules, duplicates or mapping."""
    contract = source_contract("vat_invoices")
    files = find_deliveries(folder, settings).files
    delivered = enumerate(read_deliveries(folder, files))
    groups = read_groups((RawFile(number, file.name, data) for number, (file, data) in delivered), contract)
    typed = cast_columns(Gathered(groups, files).as_one_read(contract), contract)
    aside = typed.quarantined.num_rows + sum(group.quarantined.num_rows for group in groups)
    return Outcome(typed.rows.num_rows, aside)


def whole_ingest(folder: Path, settings: IngestSettings) -> Outcome:
    """Run everything that ingest does."""
    accounts = ingest_folder(folder, settings, KEY).file_counts
    return Outcome(sum(one.accepted for one in accounts), sum(one.set_aside for one in accounts))


def duckdb_strict(folder: Path) -> Outcome:
    """Read with DuckDB's strict reader, with declared columns and types, on one thread like ours."""
    files = sorted(path.as_posix() for path in folder.rglob("*.csv") if path.name != "deliveries.csv")
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute(DUCKDB_QUERY, {"files": files})
        accepted = connection.sql("SELECT count(*) FROM invoices").fetchall()[0][0]
        rejected = connection.sql("SELECT count(DISTINCT (file_id, line)) FROM reject_errors").fetchall()[0][0]
    return Outcome(int(accepted), int(rejected))


def measure(folder: Path, repeats: int) -> dict[str, object]:
    """Return CPU and wall seconds of each reader (medians of interleaved rounds), and its accepted and other rows."""
    settings = IngestSettings(recorded_at=datetime(2026, 1, 1, tzinfo=UTC), worker_count=1)
    tasks: dict[str, Callable[[], Outcome]] = {
        "ours_read_and_type": lambda: read_and_type(folder, settings),
        "ours_whole_ingest": lambda: whole_ingest(folder, settings),
        "duckdb_strict_reader": lambda: duckdb_strict(folder),
    }
    cpu: dict[str, list[float]] = {name: [] for name in tasks}
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    outcomes: dict[str, Outcome] = {}
    for _ in range(repeats):
        for name, task in tasks.items():
            started_cpu, started = time.process_time(), time.perf_counter()
            outcomes[name] = task()
            cpu[name].append(time.process_time() - started_cpu)
            wall[name].append(time.perf_counter() - started)
    reference = statistics.median(cpu["duckdb_strict_reader"])
    return {
        name: {
            "cpu_seconds": statistics.median(cpu[name]),
            "wall_seconds": statistics.median(wall[name]),
            "cpu_relative_to_duckdb": statistics.median(cpu[name]) / reference,
            **asdict(outcomes[name]),
        }
        for name in tasks
    }


def main() -> None:
    """Measure and write ``ingest_speed.json``."""
    parser = argparse.ArgumentParser(description="Speed of ingest beside DuckDB's strict CSV reader.")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--raw", type=Path, default=None, help="folder of sales invoices with deliveries.csv")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--rows-a-file", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    size = Size(given.files, given.rows_a_file, given.repeats)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.raw or Path(temporary)
        if given.raw is None:
            write_made_up_files(folder, size)
        megabytes = sum(path.stat().st_size for path in folder.rglob("*.csv")) / 1e6
        figures = measure(folder, size.repeats)
    document = {
        "made_up": None if given.raw else asdict(size),
        "megabytes": round(megabytes, 1),
        "readers": figures,
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "machine": {"python": platform.python_version(), "duckdb": duckdb.__version__, "system": platform.system()},
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "ingest_speed.json").write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
