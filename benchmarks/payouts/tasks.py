"""The timed tasks, each for its own process: our handling of a payout file, and that of other tools."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from data_contracts.checks.expectations import expectation_suite
from data_contracts.checks.rows import RowChecker
from data_contracts.checks.rule_sql import RuleDatabase
from data_contracts.definition.compiler import load_contract
from data_contracts.definition.contract import Kind
from data_contracts.reading.delimited.pieces import DelimitedPieces
from data_contracts.values.casting import cast_columns
from payouts.template_rows import template_contract
from pipelines.commands.contract_check import sort_file
from pipelines.ingest.command import Reader, ingest_paths
from pipelines.ingest.deliveries.unlisted import Terms
from pipelines.ingest.spill.parquet import GroupedParquet
from pipelines.profiles.ingest_settings import IngestSettings
from pipelines.runs.publish import read_parquet
from pipelines.signing.keys import KeyRing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from data_contracts.arrow import Values
    from data_contracts.definition.contract import CompiledContract

CONTRACT_PATH = Path(__file__).with_name("contract.odcs.yaml")
DUCKDB_TYPES = (
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_int32, "INTEGER"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_boolean, "BOOLEAN"),
)


@dataclass
class Measured:
    """CPU and wall seconds of a task, and the peak memory of its process."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_mib: float = 0.0
    result: Any = None


@contextmanager
def measured() -> Iterator[Measured]:
    """Measure a block of code with one Arrow thread."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    outcome = Measured()
    cpu, wall = time.process_time(), time.perf_counter()
    yield outcome
    outcome.cpu_seconds, outcome.wall_seconds = time.process_time() - cpu, time.perf_counter() - wall
    outcome.peak_mib = _peak_mib(Path("/proc/self"))


def _peak_mib(process: Path) -> float:
    status = (process / "status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def contract() -> CompiledContract:
    """Return the benchmark's contract."""
    return load_contract(CONTRACT_PATH)


def sort_payouts(path: Path, folder: Path) -> Measured:
    """Read, type, check and write; return rows accepted, set aside and repeated, and the breaks of each rule."""
    with measured() as outcome:
        done = sort_file(path, contract(), folder / "ours")
    outcome.result = {
        "rows_in": done.rows_in,
        "accepted": done.accepted,
        "quarantined": done.quarantined,
        "duplicates": done.duplicates,
    }
    return outcome


def ingest_payouts(path: Path, folder: Path) -> Measured:
    """Ingest a file in our own template as ``passport ingest`` does; return time and memory of its processes."""
    keys = KeyRing(Ed25519PrivateKey.generate(), bytes(range(32)), is_demonstration=True)
    settings = IngestSettings(recorded_at=datetime(2026, 1, 1, tzinfo=UTC))
    terms = Terms(None, None, date(2022, 1, 1), date(2025, 12, 31), datetime(2026, 1, 1, tzinfo=UTC))
    with measured() as outcome:
        done = ingest_paths([path], terms, Reader(settings, keys), folder / "ingested")
    reading = _children()
    outcome.cpu_seconds += sum(seconds for seconds, _ in reading)
    peaks = {"publishing": round(outcome.peak_mib), "reading": round(max(peak for _, peak in reading))}
    outcome.peak_mib += max(peak for _, peak in reading)
    outcome.result = {"rows_in": done.record.rows_in, "accepted": done.record.rows_kept, "peak_mib": peaks}
    shutil.rmtree(folder / "ingested")
    return outcome


def _children() -> list[tuple[float, float]]:
    """Return CPU seconds and peak memory (MiB) of each living child process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            facts = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            if int(facts[1]) == os.getpid():
                seconds = (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")
                found.append((seconds, _peak_mib(stat.parent)))
    return found


def duckdb_unchecked(path: Path, folder: Path) -> Measured:
    """Read with DuckDB's strict reader with declared dialect and types, and write without checks."""
    return _duckdb_copy(path, folder, contract(), "%Y-%m-%d %H:%M:%S")


def duckdb_unchecked_template(path: Path, folder: Path) -> Measured:
    """Read and write a file in our own template in the same way."""
    return _duckdb_copy(path, folder, template_contract(), "%Y-%m-%dT%H:%M:%SZ")


def _duckdb_copy(path: Path, folder: Path, columns_of: CompiledContract, moments: str) -> Measured:
    columns = ", ".join(f"'{column.header}': '{_duckdb_type(column.arrow_type)}'" for column in columns_of.columns)
    query = f"""
        COPY (SELECT * FROM read_csv('{path}', header = true, auto_detect = false, strict_mode = true, delim = ',',
            quote = '"', escape = '"', dateformat = '%Y-%m-%d', timestampformat = '{moments}',
            columns = {{{columns}}}))
        TO '{folder / "duckdb.parquet"}' (FORMAT parquet, COMPRESSION zstd)
    """  # noqa: S608 - paths and names are this benchmark's own
    with measured() as outcome, duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET enable_progress_bar = false")
        outcome.result = connection.execute(query).fetchall()[0][0]
    return outcome


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision}, {kind.scale})"
    return next((name for is_kind, name in DUCKDB_TYPES if is_kind(kind)), "VARCHAR")


def type_payouts(path: Path, folder: Path) -> Measured:
    """Write the typed rows before any rule is applied; checks, sums and Great Expectations start from them."""
    schema = pa.schema([*contract().arrow_schema, pa.field("source_row", pa.int64())])
    with (
        measured() as outcome,
        path.open("rb") as file,
        GroupedParquet(
            folder / "typed.parquet", pa.schema([one.with_nullable(nullable=True) for one in schema])
        ) as typed,
    ):
        for piece in DelimitedPieces(file, contract(), path.name):
            typed.write(cast_columns(piece, contract()).rows)
    outcome.result = typed.rows
    return outcome


def read_and_sum(folder: Path) -> Measured:
    """Read all columns of the typed rows and sum each: texts by length, days and times by number."""
    sums = ", ".join(f"sum({_summed(column.name, column.arrow_type)})" for column in contract().columns)
    query = f"SELECT {sums} FROM read_parquet('{folder / 'typed.parquet'}')"  # noqa: S608 - as above
    with measured() as outcome, duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(query).fetchall()
    return outcome


def _summed(name: str, kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return f"epoch_us({name})"
    if pa.types.is_date(kind):
        return f"{name} - DATE '1970-01-01'"
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return name
    return f"CAST({name} AS INTEGER)" if pa.types.is_boolean(kind) else f"strlen({name})"


def check_rows_with_ids(folder: Path) -> Measured:
    """Apply every rule to typed rows in memory; return counts by rule and a record of each row set aside."""
    table = _typed_rows(folder)
    with measured() as outcome, RowChecker(contract()) as checker:
        checked = checker.check(table)
    records = checked.quarantined.num_rows + checked.duplicates.num_rows
    outcome.result = {"counts": dict(checked.counts_by_rule), "records": records}
    return outcome


def _typed_rows(folder: Path) -> pa.Table:
    return read_parquet(folder / "typed.parquet").unify_dictionaries().combine_chunks()


def great_expectations_complete(folder: Path) -> Measured:
    """Validate the same rules with Great Expectations on pandas in COMPLETE mode; building the frame is not timed."""
    table, rules = _typed_rows(folder), contract()
    frame, suite = _frame(table, rules), expectation_suite(rules)
    import great_expectations as gx  # noqa: PLC0415 - only this task needs it

    context: Values = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("benchmark").add_dataframe_asset("payouts")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
    complete = {"result_format": "COMPLETE", "unexpected_index_column_names": ["source_row"]}
    with measured() as outcome:
        validation = batch.validate(suite, result_format=complete)
    counts, ids = {}, 0
    for one in validation.results:
        counts[one.expectation_config.meta["rule_id"]] = int(one.result.get("unexpected_count") or 0)
        ids += len(one.result.get("unexpected_index_list") or [])
    outcome.result = {"counts": counts, "ids": ids}
    return outcome


def _frame(table: pa.Table, rules: CompiledContract) -> pd.DataFrame:
    """Return the rows as Great Expectations reads them fastest: text, float64, and a boolean for each expression."""
    import pandas as pd  # noqa: PLC0415 - only this task needs it

    columns: dict[str, Any] = {"source_row": table["source_row"].to_numpy()}
    for column in rules.columns:
        values: Any = table[column.name]
        if pa.types.is_dictionary(column.arrow_type) or pa.types.is_string(column.arrow_type):
            columns[column.name] = values.cast(pa.string()).to_pandas()
        elif pa.types.is_decimal(column.arrow_type) or pa.types.is_floating(column.arrow_type):
            columns[column.name] = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy()
        else:
            columns[column.name] = values.to_pandas()
    with RuleDatabase() as database:
        database.load(table)
        expressions = [rule for rule in rules.row_rules() if rule.kind is Kind.ROW_EXPRESSION]
        for rule_id, bad in database.bad_rows(expressions).items():
            columns[f"rule:{rule_id}"] = ~bad
    return pd.DataFrame(columns)
