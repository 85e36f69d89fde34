"""The rows behind signals over logins, pledges and trading partners: what a seller has in common with another one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.arrow import with_column
from features.graph.counterparties import SHARED_AT_LEAST, Partners, block_cores, partner_rows
from features.graph.paths import Hub, Path, Tie
from features.graph.shared_uses import logins

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from features.graph.snapshot import Snapshot
    from features.record import GraphFeature

_PARTNERS = {"purchase": "supplier", "sale": "buyer", None: "consignee"}
PARTNER_DEFAULTS = "counterparty_default_excess"
_DEVICES = "shared_device_seller_count"


@dataclass(frozen=True)
class Uses:
    """Which sellers use which thing: a login device or a trading partner.

    Attributes:
        rows: the newest row of each pair of seller and thing, with the number of sellers of the thing (``users``).
        thing: column of the thing.
        kind: type of the link.
        most_users: a thing of more sellers is a service and no relation.
    """

    rows: pa.Table
    thing: str
    kind: str
    most_users: int

    @classmethod
    def of(cls, snapshot: Snapshot, record: GraphFeature) -> Uses:
        """Return the uses that a signal over logins or trading partners counts."""
        if record.signal == _DEVICES:
            rows = logins(snapshot.tables["login_event"], snapshot.as_of, record.window_days)
            return cls(_newest(rows, "device_id"), "device_id", "login", snapshot.settings.hub_sellers)
        rows, column = partner_rows(snapshot.tables[record.tables[0]], record, snapshot.as_of)
        return cls(_newest(rows, column), column, _PARTNERS[record.side], snapshot.settings.counterparty_hub_sellers)

    def shared(self, seller: str) -> Iterator[Path]:
        """Return the paths to every other seller over a thing that is no service."""
        own = self._of([seller])
        common = self.rows.filter(pc.is_in(self.rows[self.thing], value_set=own[self.thing].combine_chunks()))
        users: dict[str, dict[str, Tie]] = {}
        for row in common.filter(pc.field("users") <= self.most_users).to_pylist():
            users.setdefault(row[self.thing], {})[row["seller_id"]] = _tie(row, row[self.thing], self.kind)
        for ties in users.values():
            yield from (Path((ties[seller], tie), other) for other, tie in ties.items() if other != seller)

    def services(self, seller: str) -> Iterator[Hub]:
        """Return the seller's links to things of too many others."""
        for row in self._of([seller]).filter(pc.field("users") > self.most_users).to_pylist():
            yield Hub(_tie(row, row[self.thing], self.kind), row["users"])

    def things(self, sellers: Collection[str]) -> dict[str, set[str]]:
        """Return the things of some sellers that are no services."""
        found: dict[str, set[str]] = {}
        rows = self._of(sellers).filter(pc.field("users") <= self.most_users)
        for row in rows.select(["seller_id", self.thing]).to_pylist():
            found.setdefault(row["seller_id"], set()).add(row[self.thing])
        return found

    @cached_property
    def blocks(self) -> tuple[dict[str, int], dict[str, int]]:
        """The densest block of each seller and of each thing, 0 without one."""
        found = Partners.of(self.rows["seller_id"], self.rows[self.thing], self.most_users)
        of_sellers, of_things = block_cores(found)
        return (
            dict(zip(found.sellers.tolist(), of_sellers.tolist(), strict=True)),
            dict(zip(found.partners.tolist(), of_things.tolist(), strict=True)),
        )

    def _of(self, sellers: Collection[str]) -> pa.Table:
        return self.rows.filter(pc.is_in(self.rows["seller_id"], value_set=pa.array(sorted(sellers), pa.string())))


def _newest(rows: pa.Table, thing: str) -> pa.Table:
    """Return the newest row of each seller and thing, with the number of sellers of the thing."""
    rows = rows.sort_by([("event_date", "ascending"), ("known_at", "ascending")])
    for column in ("seller_id", thing):
        rows = with_column(rows, column, rows[column].cast(pa.string()))
    pairs = rows.select(["seller_id", thing]).append_column("place", pa.array(np.arange(rows.num_rows)))
    latest = pairs.group_by(["seller_id", thing]).aggregate([("place", "max")])["place_max"].combine_chunks()
    rows = rows.take(latest.sort())
    counts = pc.value_counts(rows[thing])
    users = counts.field("counts").take(pc.index_in(rows[thing], value_set=counts.field("values")))
    return rows.append_column("users", users)


def _tie(row: dict[str, Any], end: str, kind: str) -> Tie:
    return Tie(
        row["seller_id"],
        end,
        kind,
        valid_from=row["event_date"],
        known_at=row["known_at"],
        lender=row["lender_id"] if kind == "pledge" else None,
        source_file=row["source_file"],
        source_row=row["source_row"],
    )


def _with_similar_sellers(uses: Uses, seller: str) -> Iterator[Path]:
    paths = list(uses.shared(seller))
    reached = Counter(path.reaches for path in paths)
    yield from (path for path in paths if reached[path.reaches] >= SHARED_AT_LEAST)


def _with_closest_seller(uses: Uses, seller: str) -> Iterator[Path]:
    """Return the partners shared with the sellers whose partners coincide most."""
    paths = list(uses.shared(seller))
    partners = uses.things({seller, *(str(path.reaches) for path in paths)})
    own = partners.get(seller, set())
    reached = {str(path.reaches) for path in paths}
    closeness = {other: len(own & partners[other]) / len(own | partners[other]) for other in reached}
    closest = max(closeness.values(), default=0.0)
    yield from (path for path in paths if closeness[str(path.reaches)] == closest)


def _within_block(uses: Uses, seller: str) -> Iterator[Path]:
    """Return the partners shared with the other sellers of the densest block that the seller belongs to."""
    sellers, things = uses.blocks
    least = sellers.get(seller, 0)
    if least == 0:
        return
    for path in uses.shared(seller):
        if sellers[str(path.reaches)] >= least and things[path.ties[0].end] >= least:
            yield path


def collisions(snapshot: Snapshot, seller: str) -> Iterator[Path]:
    """Return the pairs of pledges of one asset to two lenders, by the seller or another one of its group."""
    rows = snapshot.colliding_pledges.to_pylist()
    for own in rows:
        if own["seller_id"] != seller:
            continue
        for other in rows:
            is_same = (own["asset_id"], own["group"]) == (other["asset_id"], other["group"])
            # Of two pledges of its own, the seller has one path, not one in each direction.
            is_told = other["seller_id"] == seller and _age(own) > _age(other)
            if is_same and own["lender_id"] != other["lender_id"] and not is_told:
                ties = (_tie(own, own["asset_id"], "pledge"), _tie(other, other["asset_id"], "pledge"))
                yield Path(ties, other["seller_id"])


def _age(pledge: dict[str, Any]) -> tuple[Any, ...]:
    return pledge["event_date"], pledge["lender_id"], pledge["pledge_id"]


# Signals over things that several sellers use.
USE_FINDERS: Mapping[str, Callable[[Uses, str], Iterator[Path]]] = {
    _DEVICES: Uses.shared,
    "counterparty_overlap_count": _with_similar_sellers,
    "counterparty_overlap_jaccard": _with_closest_seller,
    "counterparty_shared_share": Uses.shared,
    PARTNER_DEFAULTS: Uses.shared,
    "counterparty_block_core": _within_block,
}
