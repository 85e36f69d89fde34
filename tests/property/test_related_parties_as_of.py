"""No graph signal, in a feature set or not, sees what was known later or the seller's own outcome."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.graph.signals import SIGNAL_TABLES, SIGNALS
from features.graph.snapshot import Snapshot
from tests.factories.canonical_tables import OWN_COLUMNS
from tests.unit.features.graph.related_worlds import SELLERS, related_worlds
from tests.unit.features.graph.test_graph_equals_networkx import RECORDS, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

Rows = dict[str, list[dict[str, Any]]]
OWN_KEYS = {name: next(iter(columns)) for name, columns in OWN_COLUMNS.items()}
ABOUT_OUTCOMES = [signal for signal, tables in SIGNAL_TABLES.items() if "repayment" in tables]


def graph_of(world: Rows) -> Snapshot:
    rest = {table: rows for table, rows in world.items() if table != "party_link"}
    return snapshot(world["party_link"], **rest)


def values(graph: Snapshot, *signals: str) -> dict[str, list[str]]:
    """Return the bits of every value, missing ones included."""
    return {signal: [each.hex() for each in SIGNALS[signal](graph, RECORDS[signal]).of(SELLERS)] for signal in signals}


def visible(graph: Snapshot, tables: Mapping[str, pa.Table]) -> Snapshot:
    """Return the snapshot of the rows that were known by the date and nothing else."""
    known = {name: graph.as_of.visible(table) for name, table in tables.items()}
    return Snapshot(known, graph.as_of, graph.settings)


@settings(max_examples=25, deadline=None)
@given(world=related_worlds)
def test_rows_known_after_the_date_change_no_signal(world: Rows) -> None:
    graph = graph_of(world)
    assert values(graph, *SIGNALS) == values(visible(graph, graph.tables), *SIGNALS)


@settings(max_examples=25, deadline=None)
@given(world=related_worlds, seed=st.integers(0, 10_000))
def test_the_order_of_rows_changes_no_bit_of_a_signal(world: Rows, seed: int) -> None:
    # With numbers of their own, rows stay the same rows wherever they stand.
    named = {
        table: [{OWN_KEYS[table]: f"{table}-{place}", **row} for place, row in enumerate(rows)]
        for table, rows in world.items()
    }
    shuffled = {table: random.Random(seed).sample(rows, len(rows)) for table, rows in named.items()}  # noqa: S311
    assert values(graph_of(named), *SIGNALS) == values(graph_of(shuffled), *SIGNALS)


@settings(max_examples=25, deadline=None)
@given(world=related_worlds, seller=st.sampled_from(SELLERS))
def test_the_sellers_own_payments_change_no_signal_about_defaults(world: Rows, seller: str) -> None:
    others = {**world, "repayment": [row for row in world["repayment"] if row["seller_id"] != seller]}
    place = SELLERS.index(seller)
    assert len(ABOUT_OUTCOMES) == 7
    with_own, without = (values(graph_of(each), *ABOUT_OUTCOMES) for each in (world, others))
    for signal in ABOUT_OUTCOMES:
        # Solving for more sellers in default at once may change the last bits, nothing else.
        before, after = (float.fromhex(found[signal][place]) for found in (without, with_own))
        assert after == pytest.approx(before, rel=0, abs=1e-12, nan_ok=True), signal
