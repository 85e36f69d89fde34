"""A correction does not change earlier views; later views are as if only the correction had been delivered."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.build import BuildSettings, build_features
from features.catalogue import load_feature_set, select_features
from features.graph.edges import GraphSettings
from pipelines.ingest.batches.row_versions import with_versions
from pipelines.ingest.deliveries.manifest import DeliveredFile, Origin
from tests.factories.canonical_tables import observations
from tests.factories.feature_worlds import AS_OF, SELLERS, tables_of, with_keys, worlds

if TYPE_CHECKING:
    from features.catalogue import FeatureSet
    from tests.factories.feature_worlds import Rows

pytestmark = pytest.mark.slow

BUILD = BuildSettings(graph=GraphSettings(hub_sellers=2, counterparty_hub_sellers=2), threads=1)
# What a corrected row may say otherwise, by table.
OTHERWISE: dict[str, dict[str, Any]] = {
    "money_event": {"amount": 4711, "event_type": "refund"},
    "trade_invoice": {"status": "void", "net_amount": 1},
    "export_declaration": {"declared_amount": 7},
    "site_order": {"is_cancelled": True, "refunded_amount": 50},
    "repayment": {"amount": 299},
    "party_link": {"to_party_id": "P3", "valid_to": AS_OF - dt.timedelta(days=30)},
}
CORRECTION = "correction.csv"


@pytest.fixture(scope="module")
def everything() -> FeatureSet:
    names = (*load_feature_set("seller_core").names, *load_feature_set("trade_invoice").names)
    # This one counts corrections, so it differs from a world in which the corrected row came first.
    return select_features("everything", "1.0.0", [name for name in names if name != "restated_row_share_365d"])


def delivered(name: str, moment: dt.datetime) -> DeliveredFile:
    day = moment.date()
    return DeliveredFile(
        name, "source", None, 1, "", None, None, day, day, moment, None, Origin("deliveries@1.0.0", "d.csv", None, 1)
    )


def corrected(world: Rows, arrived: dt.datetime) -> dict[str, dict[str, pa.Table]]:
    """Return the world before a correction of the first row of every table, with it, and with it alone."""
    rows: dict[str, Rows] = {"before": world, "with": dict(world), "alone": dict(world)}
    for table, changes in OTHERWISE.items():
        if not world[table]:
            continue
        first, *others = world[table]
        correction = {**first, **changes, "source_file": CORRECTION, "recorded_at": arrived}
        known = max(first["known_at"], arrived)
        rows["with"][table] = [first, *others, correction]
        rows["alone"][table] = [{**correction, "known_at": known}, *others]
    found = {name: tables_of(of_kind) for name, of_kind in rows.items()}
    for table in OTHERWISE:
        files = [delivered(f"{table}.csv", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), delivered(CORRECTION, arrived)]
        found["with"] |= with_versions({table: found["with"][table]}, files)
    return found


@settings(max_examples=12, deadline=None)
@given(world=worlds(), days=st.integers(-60, 20), after=st.integers(-90, 90))
def test_a_correction_counts_from_its_arrival_on(everything: FeatureSet, world: Rows, days: int, after: int) -> None:
    arrived = dt.datetime.combine(AS_OF + dt.timedelta(days=days), dt.time(9), tzinfo=dt.UTC)
    tables = corrected(with_keys(world), arrived)
    day = arrived.date() + dt.timedelta(days=after)
    asked = observations([(seller, day.isoformat()) for seller in SELLERS])
    expected = "before" if day < arrived.date() else "alone"
    seen, wanted = (
        build_features(tables[name], asked, everything, settings=BUILD).table for name in ("with", expected)
    )
    assert seen.equals(wanted)


@settings(max_examples=8, deadline=None)
@given(world=worlds(), days=st.integers(-60, -1))
def test_a_replay_before_the_correction_was_recorded_shows_the_first_version(
    everything: FeatureSet, world: Rows, days: int
) -> None:
    arrived = dt.datetime.combine(AS_OF + dt.timedelta(days=days), dt.time(9), tzinfo=dt.UTC)
    world = {
        table: [{**row, "recorded_at": row["known_at"]} if "known_at" in row else row for row in rows]
        for table, rows in with_keys(world).items()
    }
    tables = corrected(world, arrived)
    until = arrived - dt.timedelta(seconds=1)
    asked = observations([(seller, AS_OF.isoformat()) for seller in SELLERS])
    replayed, then = (
        build_features(tables[name], asked, everything, until, BUILD).table for name in ("with", "before")
    )
    assert replayed.equals(then)
