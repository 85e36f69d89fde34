"""Every link on a passport is a row of the data that was known and in force as of its date."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from features.engine.as_of import AsOf
from features.graph.evidence import PathFinder
from features.graph.signals import SIGNALS
from features.related_parties import related_parties
from pipelines.passports.related_parties import related_signals
from pipelines.signing.keys import party_pseudonym, pseudonym
from tests.factories.canonical_tables import OWN_COLUMNS
from tests.factories.scoring import KEYS
from tests.unit.features.graph.related_worlds import DAY, SELLERS, related_worlds
from tests.unit.features.graph.test_graph_equals_networkx import RECORDS, snapshot

Rows = dict[str, list[dict[str, Any]]]
OF_LINKS = {"owner", "director", "address", "phone", "guarantee"}
OWN_KEYS = {name: next(iter(columns)) for name, columns in OWN_COLUMNS.items()}


def finder(world: Rows) -> PathFinder:
    rest = {table: rows for table, rows in world.items() if table != "party_link"}
    return PathFinder(snapshot(world["party_link"], **rest))


def name(party: str, of: str) -> str:
    """Return how the passport of a seller calls a party; company P2 of these worlds is seller S2."""
    seller = f"S{party[1:]}" if party.startswith("P") else party
    if seller in SELLERS:
        return f"urn:seller-pseudonym:{pseudonym(KEYS.hmac_key, seller)}"
    return f"urn:party-pseudonym:{party_pseudonym(KEYS.hmac_key, of, party)}"


def on_passport(found: PathFinder, seller: str) -> tuple[dict[str, Any], ...]:
    records = [RECORDS[signal] for signal in SIGNALS]
    return related_signals(related_parties(found, records, seller), KEYS.hmac_key) or ()


@settings(max_examples=15, deadline=None)
@given(world=related_worlds)
def test_every_path_of_a_passport_exists_in_the_rows_as_of_its_date(world: Rows) -> None:
    found = finder(world)
    rows = AsOf(DAY).visible(found.snapshot.tables["party_link"]).to_pylist()
    for seller in SELLERS:
        stated = {
            (
                name(row["from_party_id"], seller),
                name(row["to_party_id"], seller),
                row["link_type"],
                row["valid_from"].isoformat(),
            ): row
            for row in rows
        }
        for signal in on_passport(found, seller):
            for link in (link for path in signal["paths"] for link in path["links"]):
                if link["link_type"] in OF_LINKS:
                    row = stated[link["from"], link["to"], link["link_type"], link["valid_from"]]
                    assert row["known_at"].date() <= DAY
                    assert dt.date.fromisoformat(link["valid_from"]) <= DAY


@settings(max_examples=40, deadline=None)
@given(world=related_worlds, seed=st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing_on_a_passport(world: Rows, seed: int) -> None:
    # With numbers of their own, rows stay the same rows wherever they stand.
    named = {
        table: [{OWN_KEYS[table]: f"{table}-{place}", **row} for place, row in enumerate(rows)]
        for table, rows in world.items()
    }
    shuffled = {table: random.Random(seed).sample(rows, len(rows)) for table, rows in named.items()}  # noqa: S311
    one, other = finder(named), finder(shuffled)
    for seller in SELLERS:
        assert on_passport(one, seller) == on_passport(other, seller)
