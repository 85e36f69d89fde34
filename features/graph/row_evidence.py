"""The rows behind signals over logins, pledges and trading partners: what a seller has in common with another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from features.graph.counterparties import SHARED_AT_LEAST, partner_rows
from features.graph.paths import Hub, Path, Tie
from features.graph.shared_uses import logins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from features.graph.signals import Snapshot
    from features.record import GraphFeature

_PARTNERS = {"purchase": "supplier", "sale": "buyer", None: "consignee"}


def _uses(rows: pa.Table, thing: str, kind: str, seller: str) -> dict[str, dict[str, Tie]]:
    """Return, for each thing that a seller uses, the newest row of every seller that uses it."""
    own = rows.filter(pc.equal(rows["seller_id"].cast(pa.string()), pa.scalar(seller)))
    common = rows.filter(pc.is_in(rows[thing], value_set=own[thing].combine_chunks().unique()))
    found: dict[str, dict[str, Tie]] = {}
    for row in common.sort_by([("event_date", "ascending"), ("known_at", "ascending")]).to_pylist():
        found.setdefault(row[thing], {})[row["seller_id"]] = _tie(row, row[thing], kind)
    return found


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


def _over(uses: dict[str, dict[str, Tie]], seller: str, most_sellers: int) -> Iterator[Path]:
    for users in uses.values():
        if len(users) <= most_sellers:
            yield from (Path((users[seller], tie), other) for other, tie in users.items() if other != seller)


def _devices(snapshot: Snapshot, seller: str, record: GraphFeature) -> dict[str, dict[str, Tie]]:
    rows = logins(snapshot.tables["login_event"], snapshot.as_of, record.window_days)
    return _uses(rows, "device_id", "login", seller)


def _shared_devices(snapshot: Snapshot, seller: str, record: GraphFeature) -> Iterator[Path]:
    return _over(_devices(snapshot, seller, record), seller, snapshot.settings.hub_sellers)


def hubs_left_out(snapshot: Snapshot, seller: str, record: GraphFeature) -> Iterator[Hub]:
    """Return the devices or partners of a seller that too many others have for the signal to count them."""
    if record.signal == "receivable_collision_count":
        return
    if record.signal == "shared_device_seller_count":
        uses, most = _devices(snapshot, seller, record), snapshot.settings.hub_sellers
    else:
        uses, most = _partners(snapshot, seller, record), snapshot.settings.counterparty_hub_sellers
    yield from (Hub(users[seller], len(users)) for users in uses.values() if len(users) > most)


def _partners(snapshot: Snapshot, seller: str, record: GraphFeature) -> dict[str, dict[str, Tie]]:
    rows, column = partner_rows(snapshot.tables[record.tables[0]], record, snapshot.as_of)
    return _uses(rows, column, _PARTNERS[record.side], seller)


def _shared_partners(snapshot: Snapshot, seller: str, record: GraphFeature) -> Iterator[Path]:
    return _over(_partners(snapshot, seller, record), seller, snapshot.settings.counterparty_hub_sellers)


def _with_similar_sellers(snapshot: Snapshot, seller: str, record: GraphFeature) -> Iterator[Path]:
    paths = list(_shared_partners(snapshot, seller, record))
    reached = [path.reaches for path in paths]
    yield from (path for path in paths if reached.count(path.reaches) >= SHARED_AT_LEAST)


def _with_closest_seller(snapshot: Snapshot, seller: str, record: GraphFeature) -> Iterator[Path]:
    """Return the partners shared with the sellers whose partners coincide most."""
    paths = list(_shared_partners(snapshot, seller, record))
    partners = _partner_sets(snapshot, record)
    own = partners.get(seller, set())
    closeness = {path.reaches: 0.0 for path in paths}
    for path in paths:
        theirs = partners[str(path.reaches)]
        closeness[path.reaches] = len(own & theirs) / len(own | theirs)
    yield from (path for path in paths if closeness[path.reaches] == max(closeness.values()))


def _partner_sets(snapshot: Snapshot, record: GraphFeature) -> dict[str, set[str]]:
    """Return the partners of each seller, without those of many."""
    rows, column = partner_rows(snapshot.tables[record.tables[0]], record, snapshot.as_of)
    sellers_of: dict[str, set[str]] = {}
    for row in rows.select(["seller_id", column]).to_pylist():
        sellers_of.setdefault(row[column], set()).add(row["seller_id"])
    partners: dict[str, set[str]] = {}
    for partner, sellers in sellers_of.items():
        for seller in sellers if len(sellers) <= snapshot.settings.counterparty_hub_sellers else ():
            partners.setdefault(seller, set()).add(partner)
    return partners


def _collisions(snapshot: Snapshot, seller: str, _: GraphFeature) -> Iterator[Path]:
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


ROW_FINDERS: Mapping[str, Callable[[Snapshot, str, GraphFeature], Iterator[Path]]] = {
    "shared_device_seller_count": _shared_devices,
    "receivable_collision_count": _collisions,
    "counterparty_overlap_count": _with_similar_sellers,
    "counterparty_overlap_jaccard": _with_closest_seller,
    "counterparty_shared_share": _shared_partners,
}
