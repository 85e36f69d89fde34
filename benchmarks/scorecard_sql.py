"""Whether a scorecard in SQL gives the model's scores and grades for every row, and what it costs.

Fits a scorecard on a synthetic table with gaps, special codes and directions, and scores rows whose cells are bin edges
and their neighbours, ends of ranges, codes, missing, infinite, or between. Compares log-odds bit by bit, scores and
grades, in DuckDB; in Spark if ``pyspark`` is installed; in PostgreSQL if ``--psql`` gives a command that connects to a
database. The alternative in the same run is the model itself in Python. Writes JSON; exit code 1 if a row differs.

    python benchmarks/scorecard_sql.py --rows 1000000 --psql "psql -d scratch" --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import io
import json
import platform
import shlex
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.components.scorecard import ScorecardComponent
from models.components.scorecard_sql import scorecard_sql
from models.estimators import PassportScorecard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.components.model import CreditModel

ROW = "row_number"


def synthetic_table(rows: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return thirty columns with gaps and special codes, and outcomes that depend on them."""
    generator = np.random.default_rng(1)
    latent = generator.normal(size=rows)
    X = generator.uniform(0.1, 1.2, 30) * latent[:, None] + generator.normal(size=(rows, 30))
    X[:, 10:20] = np.round(np.exp(3 + X[:, 10:20]), 2)
    X[:, 20:] = np.where(generator.random((rows, 10)) < 0.1, np.nan, X[:, 20:])
    X[:, 25:] = np.where(generator.random((rows, 5)) < 0.1, -9.0, X[:, 25:])
    y = (generator.random(rows) < 1 / (1 + np.exp(2.5 - 1.5 * latent))).astype(np.int64)
    return pd.DataFrame(X, columns=[f"c{at}" for at in range(30)]), y


def fitted() -> CreditModel:
    """Return a scorecard with directed columns, free ones and special codes."""
    table, y = synthetic_table(5_000)
    directions = {f"c{at}": 1 for at in range(15)}
    codes = {f"c{at}": (-9.0,) for at in range(25, 30)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        card = PassportScorecard(directions=directions, special_codes=codes, random_state=1).fit(table, y)
    model: CreditModel = card.model_
    return model


def awkward_rows(model: CreditModel, rows: int) -> NDArray[np.float64]:
    """Return rows of edges and their neighbours, ends of ranges, codes, gaps, infinities and amounts between."""
    generator = np.random.default_rng(2)
    (card,) = model.components
    if not isinstance(card, ScorecardComponent):
        raise TypeError(f"the model is a {card.kind}")
    columns, X = iter(card.table.columns), np.empty((rows, len(model.features)))
    for place, feature in enumerate(model.features):
        edges = [edge for _ in feature.columns for edge in next(columns).edges]
        marks = np.array([feature.lower, feature.upper, *edges])
        beside = np.concatenate([np.nextafter(marks, -np.inf), np.nextafter(marks, np.inf)])
        chosen = generator.choice([*marks, *beside, np.nan, np.inf, -np.inf, 0.0, *feature.special_codes], rows)
        between = generator.uniform(feature.lower, feature.upper, rows)
        X[:, place] = np.where(generator.random(rows) < 0.5, chosen, between)
    return X


def in_duckdb(model: CreditModel, file: Path) -> tuple[pd.DataFrame, float]:
    """Return results in DuckDB, and CPU seconds."""
    with duckdb.connect() as database:
        started = time.process_time()
        found = database.sql(scorecard_sql(model, f"read_parquet('{file}')", [ROW], "duckdb")).df()
        return found, time.process_time() - started


def in_spark(model: CreditModel, file: Path) -> pd.DataFrame:
    """Return results in a local Spark session."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an optional peer

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        session.read.parquet(str(file)).createOrReplaceTempView("applicants")
        session.sql(scorecard_sql(model, "applicants", [ROW], "spark")).write.parquet(f"{file}.spark")
    finally:
        session.stop()
    found: pd.DataFrame = pq.read_table(f"{file}.spark").to_pandas()
    return found


def in_postgresql(model: CreditModel, file: Path, psql: str) -> pd.DataFrame:
    """Return results in PostgreSQL, through the command ``psql``."""
    table = pq.read_table(file).to_pandas()
    given = Path(f"{file}.csv")
    table.to_csv(given, index=False, header=False)
    statement = scorecard_sql(model, "applicants", [ROW], "postgresql")
    kinds = ", ".join(f'"{name}" {"bigint" if name == ROW else "double precision"}' for name in table.columns)
    script = (
        f"CREATE TEMP TABLE applicants ({kinds});\n\\copy applicants FROM '{given}' CSV\n"
        f"COPY ({statement}) TO STDOUT CSV;\n"
    )
    command = [*shlex.split(psql), "-v", "ON_ERROR_STOP=1", "-q"]
    said = subprocess.run(command, input=script, text=True, check=True, stdout=subprocess.PIPE).stdout
    return pd.read_csv(
        io.StringIO(said), names=[ROW, "log_odds", "probability", "score", "grade"], float_precision="round_trip"
    )


def differences(found: pd.DataFrame, wanted: pd.DataFrame) -> dict[str, int]:
    """Return how many rows differ, by column; the order of the rows does not matter."""
    ordered = found.sort_values(ROW).reset_index(drop=True)
    if len(ordered) != len(wanted):
        return {"rows": abs(len(ordered) - len(wanted))}
    return {name: int((ordered[name].to_numpy() != wanted[name].to_numpy()).sum()) for name in wanted}


def main() -> int:
    """Run the comparison, write its JSON, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--psql", help="Command that connects to a PostgreSQL database.")
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    options = parser.parse_args()
    model = fitted()
    X = awkward_rows(model, options.rows)
    started = time.process_time()
    wanted = pd.DataFrame({"log_odds": model.log_odds(X), "score": model.score(X), "grade": model.grades_of(X)})
    seconds = time.process_time() - started
    engines: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "applicants.parquet"
        named = {feature.name: X[:, at] for at, feature in enumerate(model.features)}
        pq.write_table(pa.table({ROW: np.arange(len(X)), **named}), file)
        found, cpu = in_duckdb(model, file)
        engines["duckdb"] = {"differences": differences(found, wanted), "cpu_times_python": round(cpu / seconds, 2)}
        if importlib.util.find_spec("pyspark"):
            engines["spark"] = {"differences": differences(in_spark(model, file), wanted)}
        if options.psql:
            engines["postgresql"] = {"differences": differences(in_postgresql(model, file, options.psql), wanted)}
    document = {
        "benchmark": "scorecard in SQL",
        "made_on": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": platform.machine(),
        "data": "synthetic table",
        "rows": options.rows,
        "columns": len(model.features),
        "python_cpu_seconds": round(seconds, 2),
        "engines": engines,
    }
    equal = all(not any(engine["differences"].values()) for engine in engines.values())
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**document, "meets_bars": equal}, indent=2) + "\n"
    (options.out / "scorecard_sql.json").write_text(text, encoding="utf-8")
    print(text)
    return 0 if equal else 1


if __name__ == "__main__":
    raise SystemExit(main())
