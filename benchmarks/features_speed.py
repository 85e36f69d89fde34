"""Speed of building features: the banded single pass beside a naive join, on made-up events, in the same run.

Count, sum, mean and standard deviation of four kinds of money over 30, 90, 180 and 365 days are computed for every
seller at eight quarter ends, from the same table, in two ways: as the package renders them (one pass per date with age
bands), and as one would write them down (an inequality join of events to dates per window). The two ways take turns, so
a slower machine slows both. Their values are compared. The whole set ``seller_core`` is timed on the same events, too.
Writes JSON. Times decide nothing; different values fail.

    python benchmarks/features_speed.py --out artifacts/benchmarks
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import platform
import resource
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from data_contracts.definition.compiler import table_contract
from features.build import BuildSettings, build_features
from features.catalogue import load_feature_set, select_features
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.sql_text import nested, select
from features.observations import quarter_ends
from features.record import Feature

if TYPE_CHECKING:
    from collections.abc import Callable

    from features.catalogue import FeatureSet

WINDOWS = (30, 90, 180, 365)
AGGREGATES = ("count", "sum", "mean", "stddev")
COMPARED_KINDS = ("sale", "commission", "fulfilment_fee", "refund")
KINDS = ("sale", "commission", "fulfilment_fee", "payout", "refund", "reserve_hold", "reserve_release", "advertising")
SHARES = (0.35, 0.25, 0.20, 0.02, 0.05, 0.02, 0.02, 0.09)
FIRST_DAY = np.datetime64("2021-01-01")
DAYS = 1460
QUARTERS = quarter_ends(dt.date(2023, 3, 31), dt.date(2024, 12, 31))


@dataclass(frozen=True)
class Size:
    """Amount of made-up data, and number of rounds."""

    events: int
    sellers: int
    repeats: int
    threads: int


def made_up_events(size: Size) -> pa.Table:
    """Return money events of made-up sellers, spread evenly over four years and known up to three weeks late."""
    rng = np.random.default_rng(20240630)
    count = size.events
    day = FIRST_DAY + rng.integers(0, DAYS, count)
    known = (day + rng.integers(0, 21, count)).astype("datetime64[us]")
    cents = np.round(rng.lognormal(4, 1, count), 2)
    instant = pa.array(known, pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))
    given: dict[str, pa.Array] = {
        "event_id": pa.array(np.arange(count)).cast(pa.string()),
        "seller_id": pa.array(np.char.mod("S%06d", rng.integers(0, size.sellers, count))),
        "store_id": pa.array(np.char.mod("store-%d", rng.integers(0, 3, count))),
        "sku": pa.array(np.char.mod("sku-%d", rng.integers(0, 40, count))),
        "event_type": pa.array(np.array(KINDS)[rng.choice(len(KINDS), count, p=SHARES)]),
        "amount": pa.array(cents).cast(pa.decimal128(18, 4)),
        "amount_usd": pa.array(cents).cast(pa.decimal128(18, 4)),
        "event_date": pa.array(day),
        "known_at": instant,
        "recorded_at": instant,
    }
    schema = table_contract("money_event").arrow_schema
    columns = [
        given[field.name].cast(field.type) if field.name in given else pa.nulls(count, field.type) for field in schema
    ]
    return pa.Table.from_arrays(columns, names=schema.names)


def coverage_of(sellers: int) -> pa.Table:
    """Return full coverage of every seller."""
    start, end = dt.date(2020, 1, 1), dt.date(2026, 1, 1)
    instant = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    given = {"covered_table": "money_event", "period_from": start, "period_to": end, "event_date": start}
    given |= {"known_at": instant, "recorded_at": instant, "delivered_at": instant}
    schema = table_contract("source_coverage").arrow_schema
    columns = {name: pa.array([value] * sellers, schema.field(name).type) for name, value in given.items()}
    columns["seller_id"] = pa.array([f"S{number:06d}" for number in range(sellers)])
    return pa.table([columns.get(field.name, pa.nulls(sellers, field.type)) for field in schema], names=schema.names)


def compared_set() -> FeatureSet:
    """Return the features that both ways compute."""
    records = [
        Feature(
            name=f"{kind}_{aggregate}_{window}d", pillar="sales_health", family="level", table="money_event",
            aggregate=aggregate, value="amount_usd", where=f"event_type = '{kind}'", window_days=window, unit="USD",
            direction=0, title_en="Sales", title_zh="销售", description="Sales.", missing="Not known.",
        )
        for kind in COMPARED_KINDS
        for aggregate in AGGREGATES
        for window in WINDOWS
    ]  # fmt: skip
    return select_features("compared", "1.0.0", [record.name for record in records], catalogue=records)


def naive_join(tables: dict[str, pa.Table], observations: pa.Table, threads: int) -> pa.Table:
    """Compute the same numbers by an inequality join of events to observations, once per window."""
    amount = "event.amount_usd"
    functions = {
        "count": f"COUNT({amount})",
        "sum": f"SUM({amount})",
        "mean": f"AVG({amount})",
        "stddev": f"STDDEV_SAMP(CAST({amount} AS DOUBLE))",
    }
    with DuckDbEngine(threads) as engine:
        engine.load(
            "money_event",
            tables["money_event"].select(["seller_id", "event_type", "amount_usd", "event_date", "known_at"]),
        )
        engine.load("observation", observations)
        source = "observation"
        chosen = ["observation.seller_id", "observation.as_of"]
        for window in WINDOWS:
            known = (
                "event.event_date <= asked.as_of AND event.known_at < CAST(asked.as_of AS TIMESTAMP) + INTERVAL 1 DAY"
            )
            recent = f"event.event_date > asked.as_of - {window}"
            joined = (
                "observation AS asked LEFT JOIN money_event AS event ON event.seller_id = asked.seller_id "
                f"AND {known} AND {recent}"
            )
            columns = {
                f"{kind}_{name}_{window}d": f"{text} FILTER (WHERE event.event_type = '{kind}')"
                for kind in COMPARED_KINDS
                for name, text in functions.items()
            }
            chosen += [f"CAST(window_{window}.{name} AS DOUBLE) AS {name}" for name in columns]
            keys = {"seller_id": "asked.seller_id", "as_of": "asked.as_of"}
            one = select({**keys, **columns}, joined, group_by="asked.seller_id, asked.as_of")
            source += f"\nJOIN {nested(one, f'window_{window}')} USING (seller_id, as_of)"
        return engine.query(select(chosen, source)).sort_by([("as_of", "ascending"), ("seller_id", "ascending")])


def largest_difference(ours: pa.Table, naive: pa.Table, names: tuple[str, ...]) -> float:
    """Return the largest relative difference; raise AssertionError if rows or missing values differ."""
    worst = 0.0
    if ours.select(["seller_id", "as_of"]).to_pylist() != naive.select(["seller_id", "as_of"]).to_pylist():
        raise AssertionError("the two ways return different rows")
    for name in names:
        one, other = ours[name].to_numpy(), naive[name].to_numpy()
        if "_sum_" in name:
            other = np.nan_to_num(other)  # the join returns null where nothing was sold, the package zero
        if (np.isnan(one) != np.isnan(other)).any():
            raise AssertionError(f"{name}: the two ways leave different values missing")
        gap = np.abs(one - other) / np.maximum(np.abs(other), 1e-9)
        worst = max(worst, float(np.nanmax(gap, initial=0.0)))
    return worst


def timed(work: Callable[[], pa.Table]) -> tuple[float, float, pa.Table]:
    """Return CPU seconds, wall seconds and result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def measure(size: Size) -> dict[str, object]:
    """Return all figures of a run."""
    tables = {"money_event": made_up_events(size), "source_coverage": coverage_of(size.sellers)}
    sellers = tables["source_coverage"]["seller_id"].to_pylist()
    observations = pa.table(
        {
            "seller_id": pa.array(sellers * len(QUARTERS)),
            "as_of": pa.array([day for day in QUARTERS for _ in sellers], pa.date32()),
        }
    )
    compared, whole = compared_set(), load_feature_set("seller_core")
    settings = BuildSettings(threads=size.threads)
    ways: dict[str, Callable[[], pa.Table]] = {
        "banded": lambda: build_features(tables, observations, compared, settings=settings).table,
        "naive_join": lambda: naive_join(tables, observations, size.threads),
        "seller_core": lambda: build_features(tables, observations, whole, settings=settings).table,
    }
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    results: dict[str, pa.Table] = {}
    for _ in range(size.repeats):
        for name, work in ways.items():
            cpu_seconds, wall_seconds, results[name] = timed(work)
            cpu[name].append(round(cpu_seconds, 3))
            wall[name].append(round(wall_seconds, 3))
    difference = largest_difference(results["banded"], results["naive_join"], compared.names)
    if difference > 1e-9:
        raise AssertionError(f"the two ways differ by {difference}")
    ratios = [naive / banded for naive, banded in zip(cpu["naive_join"], cpu["banded"], strict=True)]
    return {
        "data": "synthetic",
        "size": asdict(size),
        "dates": len(QUARTERS),
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "naive_over_banded_cpu_median": round(statistics.median(ratios), 2),
        "largest_relative_difference": difference,
        "seller_core_features": len(whole.names),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def main() -> None:
    """Read the size, measure, and write ``features_speed.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("artifacts/benchmarks"))
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--sellers", type=int, default=4_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    figures = measure(Size(given.events, given.sellers, given.repeats, given.threads))
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "features_speed.json"
    path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
