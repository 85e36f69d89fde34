"""What becomes known later does not change earlier features, for every feature, table and edge."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.build import BuildSettings, build_features
from features.catalogue import load_feature_set, select_features
from features.delinquency import default_dates
from features.graph.edges import GraphSettings
from features.graph.groups import related_components
from features.observations import open_loan_observations
from features.record import GraphFeature
from tests.factories.canonical_tables import observations
from tests.factories.feature_worlds import AS_OF, SELLERS, is_visible, tables_of, with_keys, worlds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.catalogue import FeatureSet
    from tests.factories.feature_worlds import Rows

pytestmark = pytest.mark.slow

SETTINGS = BuildSettings(graph=GraphSettings(hub_sellers=2, counterparty_hub_sellers=2), threads=1)
ASKED = observations([(seller, AS_OF.isoformat()) for seller in SELLERS])


@pytest.fixture(scope="module")
def everything() -> FeatureSet:
    names = (*load_feature_set("seller_core").names, *load_feature_set("trade_invoice").names)
    return select_features("everything", "1.0.0", names)


def matrix(
    tables: Mapping[str, pa.Table], feature_set: FeatureSet, asked: pa.Table = ASKED, threads: int = 1
) -> pa.Table:
    build = BuildSettings(graph=SETTINGS.graph, threads=threads)
    return build_features(tables, asked, feature_set, settings=build).table


def past_of(world: Rows) -> Rows:
    return {table: [row for row in rows if is_visible(row)] for table, rows in world.items()}


@settings(max_examples=10, deadline=None)
@given(world=worlds())
def test_rows_after_the_date_or_known_after_it_change_nothing(everything: FeatureSet, world: Rows) -> None:
    world = with_keys(world)
    assert matrix(tables_of(world), everything).equals(matrix(tables_of(past_of(world)), everything))


@settings(max_examples=10, deadline=None)
@given(world=worlds(), end=st.integers(1, 400))
def test_a_link_that_ends_later_counts_like_one_that_does_not_end(
    everything: FeatureSet, world: Rows, end: int
) -> None:
    world = past_of(with_keys(world))
    ending = {
        **world,
        "party_link": [{**link, "valid_to": AS_OF + dt.timedelta(days=end)} for link in world["party_link"]],
    }
    graph = select_features("graph", "1.0.0", [r.name for r in everything.records if isinstance(r, GraphFeature)])
    assert matrix(tables_of(world), graph).equals(matrix(tables_of(ending), graph))


@settings(max_examples=6, deadline=None)
@given(world=worlds(), seed=st.integers(0, 10_000))
def test_order_of_rows_and_number_of_threads_change_no_bit(everything: FeatureSet, world: Rows, seed: int) -> None:
    world = with_keys(world)
    shuffled = {table: random.Random(seed).sample(rows, len(rows)) for table, rows in world.items()}  # noqa: S311
    assert matrix(tables_of(world), everything).equals(matrix(tables_of(shuffled), everything, threads=2))


@settings(max_examples=6, deadline=None)
@given(world=worlds(), seller=st.sampled_from(SELLERS))
def test_a_single_seller_gets_the_same_row(everything: FeatureSet, world: Rows, seller: str) -> None:
    tables = tables_of(world)
    together = matrix(tables, everything).filter(pa.compute.field("seller_id") == seller)
    assert matrix(tables, everything, observations([(seller, AS_OF.isoformat())])).equals(together.combine_chunks())


@settings(max_examples=6, deadline=None)
@given(world=worlds(), seller=st.sampled_from(SELLERS))
def test_without_the_graph_no_other_sellers_row_matters(everything: FeatureSet, world: Rows, seller: str) -> None:
    own = select_features("own", "1.0.0", [r.name for r in everything.records if not isinstance(r, GraphFeature)])
    alone = {table: [row for row in rows if row.get("seller_id") == seller] for table, rows in with_keys(world).items()}
    asked = observations([(seller, AS_OF.isoformat())])
    assert matrix(tables_of(with_keys(world)), own, asked).equals(matrix(tables_of(alone), own, asked))


@settings(max_examples=6, deadline=None)
@given(world=worlds(), days=st.integers(-20, 20))
def test_a_replay_sees_only_what_was_recorded_by_then(everything: FeatureSet, world: Rows, days: int) -> None:
    world = with_keys(world)
    until = dt.datetime.combine(AS_OF + dt.timedelta(days=days), dt.time(12), tzinfo=dt.UTC)
    recorded = {
        table: [row for row in rows if row.get("recorded_at", row.get("known_at", until)) <= until]
        for table, rows in world.items()
    }
    replayed = build_features(tables_of(world), ASKED, everything, until, SETTINGS).table
    assert replayed.equals(build_features(tables_of(recorded), ASKED, everything, None, SETTINGS).table)


@settings(max_examples=25, deadline=None)
@given(world=worlds())
def test_observations_and_defaults_look_back_only(world: Rows) -> None:
    world = with_keys(world)
    # A schedule is known before it falls due, so here only what was not known yet is taken away.
    known = {
        **past_of(world),
        "repayment": [
            row for row in world["repayment"] if is_visible({**row, "event_date": min(row["event_date"], AS_OF)})
        ],
    }
    full, past = tables_of(world), tables_of(known)
    assert open_loan_observations(full["loan"], full["repayment"], [AS_OF]).equals(
        open_loan_observations(past["loan"], past["repayment"], [AS_OF])
    )
    assert default_dates(full["repayment"], as_of=AS_OF).equals(default_dates(past["repayment"], as_of=AS_OF))


@settings(max_examples=25, deadline=None)
@given(world=worlds())
def test_groups_as_of_a_date_look_back_only(world: Rows) -> None:
    full, past = tables_of(world), tables_of(past_of(world))
    then = related_components(full, SELLERS, as_of=AS_OF)
    assert then.equals(related_components(past, SELLERS, as_of=AS_OF))


def test_a_row_of_the_past_does_change_something(everything: FeatureSet) -> None:
    """Without this, the tests above could pass because nothing is ever computed."""
    world: Rows = {
        "source_coverage": [
            {"seller_id": "S1", "covered_table": "money_event", "period_from": "2020-01-01", "period_to": "2024-06-30"}
        ],
        "money_event": [{"seller_id": "S1", "event_date": "2024-06-01", "amount": 10}],
    }
    more = {**world, "money_event": [*world["money_event"], {"seller_id": "S1", "event_date": "2024-06-02"}]}
    assert not matrix(tables_of(world), everything).equals(matrix(tables_of(more), everything))
