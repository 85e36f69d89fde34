"""The engine's banded, shared pass returns the same as one naive query per feature."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any, get_args

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings

from features.build import COVERAGE_LAG_DAYS, BuildSettings, build_features
from features.catalogue import feature_records, select_features
from features.record import Aggregate, Feature
from tests.factories.canonical_tables import observations
from tests.factories.feature_worlds import AS_OF, SELLERS, is_visible, tables_of, with_keys, worlds

if TYPE_CHECKING:
    from features.catalogue import FeatureSet
    from tests.factories.feature_worlds import Rows

TABLES = ("money_event", "trade_invoice", "export_declaration", "site_order", "site_day", "loan", "repayment")
# Aggregates that only the view of instalments uses today, or none, tried on plain rows.
EXTREMES = tuple(
    Feature(
        name=f"ledger_{aggregate}", pillar="sales_health", family="intermediate", table="money_event",
        aggregate=aggregate, value="amount_usd", where="event_type <> 'payout'", window_days=90, unit="USD",
        direction=0, description="An extreme.", missing="No rows.", is_intermediate=True,
    )
    for aggregate in ("min", "max")
)  # fmt: skip
CATALOGUE = (record for record in feature_records() if isinstance(record, Feature) and record.table in TABLES)
BASE = (*CATALOGUE, *EXTREMES)


@pytest.fixture(scope="module")
def every_base_feature() -> FeatureSet:
    """Return all base features, with intermediate quantities that no set may name."""
    titled = {"is_intermediate": False, "title_en": "quantity", "title_zh": "数量"}
    shown = [record.model_copy(update=titled) for record in BASE]
    return select_features("base", "1.0.0", [record.name for record in shown], catalogue=shown)


def one_by_one(world: Rows) -> dict[tuple[str, str], float | None]:
    """Return every base feature of every seller: rows from its own query, aggregated in plain Python."""
    answers: dict[tuple[str, str], float | None] = {}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE MACRO unix_date(day) AS date_diff('day', DATE '1970-01-01', day)")
        for name, table in tables_of(world).items():
            connection.register(name, table)
        for feature in BASE:
            rows = matching_rows(connection, feature)
            for seller in SELLERS:
                covered = is_covered(world, seller, feature)
                answers[seller, feature.name] = aggregate(feature, rows[seller]) if covered else None
    return answers


def matching_rows(connection: duckdb.DuckDBPyConnection, feature: Feature) -> dict[str, list[tuple[Any, ...]]]:
    columns = ", ".join(["event_date", *(part or "NULL" for part in (feature.value, feature.key, feature.of))])
    query = (
        f"SELECT seller_id, {columns} FROM {feature.table} "  # noqa: S608
        f"WHERE event_date <= $day AND known_at < CAST($day AS TIMESTAMP) + INTERVAL 1 DAY "
        f"AND event_date > $day - $window::INTEGER AND ({feature.where or 'TRUE'})"
    )
    found = connection.execute(query, {"day": AS_OF, "window": feature.window_days or 40_000}).fetchall()
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for seller, *row in found:
        rows[seller].append(tuple(row))
    return rows


def is_covered(world: Rows, seller: str, feature: Feature) -> bool:
    """Mark every delivered day, then walk back from the newest day that is recent enough."""
    if feature.table not in COVERAGE_LAG_DAYS:
        return True
    delivered: set[dt.date] = set()
    for row in world["source_coverage"]:
        if row["seller_id"] == seller and row["covered_table"] == feature.table and is_visible(row):
            days = (row["period_to"] - row["period_from"]).days
            delivered |= {row["period_from"] + dt.timedelta(days=age) for age in range(days + 1)}
    earliest_end = AS_OF - dt.timedelta(days=COVERAGE_LAG_DAYS[feature.table])
    if not any(day >= earliest_end for day in delivered):
        return False
    if feature.window_days is None:
        return True
    start = AS_OF - dt.timedelta(days=feature.window_days - 1)
    end = max(start, earliest_end)
    return all(start + dt.timedelta(days=age) in delivered for age in range((end - start).days + 1))


def aggregate(feature: Feature, rows: list[tuple[Any, ...]]) -> float | None:
    values = [float(value) for _, value, *_ in rows if value is not None]
    ages = [(AS_OF - day).days for day, *_ in rows]
    if feature.key is not None:
        return spread(feature, rows)
    plain = {
        "count": lambda: float(len(rows)),
        "sum": lambda: math.fsum(values),
        "mean": lambda: math.fsum(values) / len(values) if values else None,
        "stddev": lambda: float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "max": lambda: max(values, default=None),
        "min": lambda: min(values, default=None),
        "median": lambda: float(np.median(values)) if values else None,
        "days_since_last": lambda: float(min(ages)) if ages else None,
        "days_since_first": lambda: float(max(ages)) if ages else None,
    }
    return plain[feature.aggregate]()


def spread(feature: Feature, rows: list[tuple[Any, ...]]) -> float | None:
    totals: Counter[Any] = Counter()
    wholes: Counter[Any] = Counter()
    for _, value, key, of in rows:
        if key is not None:
            totals[key] += 1 if feature.value is None else value
            wholes[key] += of or 0
    if feature.aggregate == "worst_ratio":
        least = max(Decimal(str(feature.least_share)) * sum(wholes.values()), Decimal("0.0001"))
        return max((float(totals[key] / whole) for key, whole in wholes.items() if whole >= least), default=None)
    sizes = [float(size) for size in totals.values() if size > 0]
    whole = math.fsum(sizes)
    if feature.aggregate == "count_distinct":
        return float(len(sizes))
    if not sizes:
        return None
    return {
        "hhi": lambda: math.fsum((size / whole) ** 2 for size in sizes),
        "top_share": lambda: max(sizes) / whole,
        "repeat_share": lambda: sum(size > 1 for size in sizes) / len(sizes),
        "max_per_key": lambda: max(sizes),
    }[feature.aggregate]()


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(world=worlds())
def test_the_shared_pass_equals_one_query_a_feature(every_base_feature: FeatureSet, world: Rows) -> None:
    world = with_keys(world)
    asked = observations([(seller, AS_OF.isoformat()) for seller in SELLERS])
    built = build_features(tables_of(world), asked, every_base_feature, settings=BuildSettings(threads=1)).table
    expected = one_by_one(world)
    for row in built.to_pylist():
        for name in every_base_feature.names:
            wanted = expected[row["seller_id"], name]
            # Squares of sums cancel: a spread of cents on millions is known to a cent, not to the last bit.
            assert row[name] == (
                wanted if wanted is None else pytest.approx(wanted, rel=1e-9, abs=2e-2 * ("stddev" in name))
            )


def test_every_aggregate_is_compared() -> None:
    assert {record.aggregate for record in BASE} == set(get_args(Aggregate))
