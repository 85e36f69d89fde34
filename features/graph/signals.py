"""Graph signals of each seller as of a date, one function per signal.

Every signal is a few sparse-matrix operations over all sellers in the tables, whoever is queried, so one seller's value
never depends on which others are queried.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.entities.party_matches import PARTY_MATCH
from features.delinquency import default_dates
from features.engine.instalments import REPAYMENT_COLUMNS
from features.graph.counterparties import counterparty_overlap
from features.graph.defaults import default_walks, late_events
from features.graph.edges import GraphSettings, coded, ended, incidence, party_graph, read_links
from features.graph.groups import seller_groups
from features.graph.guarantees import (
    Guarantees,
    circle_sizes,
    core_numbers,
    received_usd,
    worst_loss_one_step,
    worst_loss_two_steps,
)
from features.graph.shared_uses import colliding_assets, logins, pledges_in_force, sellers_on_the_same_devices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from features.engine.as_of import AsOf
    from features.graph.counterparties import Overlap
    from features.graph.defaults import LateEvents
    from features.graph.edges import Matrix, PartyGraph
    from features.record import GraphFeature

# The mean of a feature over related sellers; every other signal is a function of the snapshot alone.
NEIGHBOUR_MEAN = "related_mean"


@dataclass(frozen=True)
class SellerValues:
    """A number for each of some sellers, and one for all others.

    Attributes:
        sellers: ids, sorted.
        values: one per seller.
        otherwise: value of a seller that is not listed; NaN for missing.
    """

    sellers: NDArray[np.str_]
    values: NDArray[np.float64]
    otherwise: float

    def of(self, asked: Sequence[str]) -> NDArray[np.float64]:
        """Return the values of the given sellers, in their order."""
        found = np.full(len(asked), self.otherwise)
        if len(self.sellers) == 0 or len(asked) == 0:
            return found
        ids = np.asarray(asked, dtype=np.str_)
        place = np.minimum(np.searchsorted(self.sellers, ids), len(self.sellers) - 1)
        known = self.sellers[place] == ids
        found[known] = self.values[place[known]]
        return found


@dataclass(frozen=True)
class Snapshot:
    """Everything the signals need, as of one date.

    Attributes:
        tables: canonical tables by name, and ``party_match`` if names were matched.
        as_of: the date and, when replaying, the instant of recording.
        settings: what counts as a relation.
    """

    tables: Mapping[str, pa.Table]
    as_of: AsOf
    settings: GraphSettings

    @cached_property
    def graph(self) -> PartyGraph:
        """The graph of links in force."""
        tables = self.tables
        return party_graph(tables["party"], tables["party_link"], self.as_of, self.settings, tables.get(PARTY_MATCH))

    @cached_property
    def related(self) -> Matrix:
        """Sellers x sellers of the graph, 1 where directly related."""
        return self.graph.related

    @cached_property
    def guarantees(self) -> Guarantees:
        """The guarantees in force, by pair of parties."""
        return Guarantees.of(self.graph)

    @cached_property
    def circle_sizes(self) -> NDArray[np.int64]:
        """The longest circle of guarantees through each node of the graph, up to four."""
        return circle_sizes(self.guarantees)

    @cached_property
    def default_days(self) -> Mapping[str, dt.date]:
        """The day of each default that was known by the date, by seller."""
        as_of = self.as_of
        known = default_dates(self.tables["repayment"], recorded_until=as_of.recorded_until, as_of=as_of.day)
        return {row["seller_id"]: row["default_date"] for row in known.to_pylist()}

    @cached_property
    def has_defaulted(self) -> NDArray[np.bool_]:
        """For each seller of the graph, whether its default was known by the date."""
        return np.isin(self.graph.sellers, np.asarray(list(self.default_days), dtype=np.str_))

    @cached_property
    def late_events(self) -> LateEvents:
        """The worst late payment of each seller by the date."""
        return late_events(self.tables["repayment"], self.as_of, self.settings.decay_days)

    @cached_property
    def colliding_pledges(self) -> pa.Table:
        """Pledges in force of assets that sellers of one group of the registry pledged to two or more lenders."""
        pledges = pledges_in_force(self.tables["pledge"], self.as_of)
        groups = seller_groups(self.graph, with_guarantees=False).astype(np.float64)
        group = SellerValues(self.graph.sellers, groups, -1.0).of(_texts(pledges["seller_id"])).astype(np.int64)
        pledges = pledges.append_column("group", pa.array(group)).filter(pc.field("group") >= 0)
        return pledges.filter(pa.array(colliding_assets(pledges, group[group >= 0])))

    def relatives(self, sellers: Sequence[str]) -> list[str]:
        """Return the given sellers and all directly related to them, sorted."""
        asked = np.isin(self.graph.sellers, np.asarray(sellers, dtype=np.str_))
        near = (self.related @ asked.astype(np.int64)) > 0
        return sorted({*sellers, *self.graph.sellers[near].tolist()})


def graph_values(
    records: Sequence[GraphFeature], snapshot: Snapshot, sellers: Sequence[str], neighbours: pa.Table
) -> dict[str, NDArray[np.float64]]:
    """Compute every graph feature for the given sellers, NaN where missing.

    Args:
        records: the features.
        snapshot: the tables and the date.
        sellers: the sellers to compute them for.
        neighbours: ``seller_id`` and every neighbour feature the records name, for the sellers and their relatives.
    """
    values = {}
    for record in records:
        if record.neighbour_feature is not None:
            own = neighbours[record.neighbour_feature].to_numpy()
            ids = np.asarray(neighbours["seller_id"].to_pylist(), dtype=np.str_)
            found = _related_mean(snapshot, ids, own)
        else:
            found = SIGNALS[record.signal](snapshot, record)
        values[record.name] = found.of(sellers)
    return values


def _of_registry(snapshot: Snapshot, values: NDArray[np.float64] | NDArray[np.int64]) -> SellerValues:
    return SellerValues(snapshot.graph.sellers, np.asarray(values, dtype=np.float64), float("nan"))


def _texts(column: pa.ChunkedArray[Any]) -> list[str]:
    return [str(value) for value in column.to_pylist()]


def _of_nodes(snapshot: Snapshot, values: NDArray[np.float64] | NDArray[np.int64]) -> SellerValues:
    return _of_registry(snapshot, values[: len(snapshot.graph.sellers)])


def _group_seller_count(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    groups = seller_groups(snapshot.graph, with_guarantees=False)
    sizes = np.bincount(groups, minlength=1)
    return _of_registry(snapshot, sizes[groups] - 1)


def _shared_attribute_count(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_registry(snapshot, _shared_columns(snapshot.graph.attributes))


def _shared_holder_count(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_registry(snapshot, _shared_columns(snapshot.graph.holders))


def _shared_columns(has: Matrix) -> NDArray[np.int64]:
    """Count, for each row, the columns it shares with at least one other row."""
    is_shared = np.asarray(has.sum(axis=0)).ravel() > 1
    return np.asarray(has @ is_shared.astype(np.int64)).ravel()


def _known_default_excess(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    """Compute the smoothed known default rate of related sellers, less that of all other sellers."""
    graph = snapshot.graph
    defaulted = snapshot.has_defaulted.astype(np.int64)
    others = max(len(graph.sellers) - 1, 1)
    usual = (defaulted.sum() - defaulted) / others
    count = np.asarray(snapshot.related.sum(axis=1)).ravel()
    hit = np.asarray(snapshot.related @ defaulted).ravel()
    return _of_registry(snapshot, (hit - count * usual) / (count + snapshot.settings.prior_strength))


def _related_mean(snapshot: Snapshot, sellers: NDArray[np.str_], values: NDArray[np.float64]) -> SellerValues:
    """Average a feature over directly related sellers, the seller itself excluded.

    0 without related sellers. Missing when there are some and none has a value: otherwise a group could gain by hiding
    together.
    """
    order = np.argsort(sellers)
    own = SellerValues(sellers[order], values[order], float("nan")).of(snapshot.graph.sellers.tolist())
    has = ~np.isnan(own)
    known = np.asarray(snapshot.related @ has.astype(np.int64)).ravel()
    related = np.asarray(snapshot.related.sum(axis=1)).ravel()
    total = np.asarray(snapshot.related @ np.where(has, own, 0.0)).ravel()
    return _of_registry(snapshot, np.where((related > 0) & (known == 0), np.nan, total / np.maximum(known, 1)))


def _group_lender_count(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    """Count distinct lenders of the seller and the sellers directly related to it."""
    graph = snapshot.graph
    loans = snapshot.as_of.visible(snapshot.tables["loan"])
    borrowers, borrower = coded(loans["seller_id"])
    lenders, lender = coded(loans["lender_id"])
    of_borrower = incidence(borrower, lender, (len(borrowers), len(lenders)))
    place = SellerValues(borrowers, np.arange(len(borrowers), dtype=np.float64), -1.0).of(graph.sellers.tolist())
    has_loan = np.flatnonzero(place >= 0)
    picks = incidence(has_loan, place[has_loan].astype(np.int64), (len(graph.sellers), len(borrowers)))
    own = picks @ of_borrower
    reached = own + snapshot.related @ own
    return _of_registry(snapshot, np.asarray((reached > 0).sum(axis=1)).ravel())


def _guarantee_given_usd(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    graph = snapshot.graph
    given = np.zeros(graph.node_count)
    # Summed in order of amount, so that the order of rows cannot change the last bit.
    order = np.argsort(graph.guaranteed_usd, kind="stable")
    np.add.at(given, graph.guarantees[order, 0], graph.guaranteed_usd[order])
    return _of_nodes(snapshot, given)


def _guarantee_received_usd(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, received_usd(snapshot.guarantees))


def _guarantee_cycle_flag(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, (snapshot.circle_sizes > 0).astype(np.int64))


def _guarantee_circle_size(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, snapshot.circle_sizes)


def _guarantee_core(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, core_numbers(snapshot.guarantees))


def _contagion_loss_one_step(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, worst_loss_one_step(snapshot.guarantees))


def _contagion_loss_two_steps(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, worst_loss_two_steps(snapshot.guarantees))


def _risk_event_decay(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    events = snapshot.late_events
    own = SellerValues(events.sellers, events.weight, 0.0).of(snapshot.graph.sellers.tolist())
    return _of_registry(snapshot, np.asarray(snapshot.related @ own).ravel())


def _default_pagerank(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_registry(snapshot, default_walks(snapshot.related, snapshot.has_defaulted, snapshot.settings.walk_on))


def _ended_link_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    tables = snapshot.tables
    rows = ended(tables["party_link"], snapshot.as_of, record.window_days)
    links = read_links(tables["party"], rows, snapshot.as_of, snapshot.settings, tables.get(PARTY_MATCH))
    counts = np.bincount(links.company[links.is_started], minlength=len(links.sellers))
    return _of_registry(snapshot, counts)


def _shared_device_seller_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    rows = logins(snapshot.tables["login_event"], snapshot.as_of, record.window_days)
    sellers, others = sellers_on_the_same_devices(rows, snapshot.settings.hub_sellers)
    # Without any known device a seller is missing, not zero: withholding devices must not look like sharing none.
    return SellerValues(sellers, others.astype(np.float64), float("nan"))


def _receivable_collision_count(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    colliding = snapshot.colliding_pledges
    pairs = colliding.group_by(["seller_id", "asset_id"]).aggregate([])
    sellers, seller = coded(pairs["seller_id"])
    found = SellerValues(sellers, np.bincount(seller, minlength=len(sellers)).astype(np.float64), 0.0)
    return _of_registry(snapshot, found.of(snapshot.graph.sellers.tolist()))


def _new_link_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    seller, day = snapshot.graph.link_starts
    today = (snapshot.as_of.day - dt.date(1970, 1, 1)).days
    recent = day > today - record.window_days if record.window_days is not None else np.ones(len(day), dtype=np.bool_)
    return _of_registry(snapshot, np.bincount(seller[recent], minlength=len(snapshot.graph.sellers)))


def _overlap(snapshot: Snapshot, record: GraphFeature) -> Overlap:
    table = snapshot.tables[record.tables[0]]
    return counterparty_overlap(table, record, snapshot.as_of, snapshot.settings.counterparty_hub_sellers)


# A seller without partners is missing, not zero: withholding names must not look like sharing none.
def _counterparty_overlap_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    overlap = _overlap(snapshot, record)
    return SellerValues(overlap.sellers, overlap.similar_sellers, float("nan"))


def _counterparty_overlap_jaccard(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    overlap = _overlap(snapshot, record)
    return SellerValues(overlap.sellers, overlap.closest, float("nan"))


def _counterparty_shared_share(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    overlap = _overlap(snapshot, record)
    return SellerValues(overlap.sellers, overlap.shared_share, float("nan"))


SIGNALS: Mapping[str, Callable[[Snapshot, GraphFeature], SellerValues]] = {
    "related_group_seller_count": _group_seller_count,
    "shared_attribute_count": _shared_attribute_count,
    "shared_holder_count": _shared_holder_count,
    "related_known_default_excess": _known_default_excess,
    "group_lender_count": _group_lender_count,
    "guarantee_given_usd": _guarantee_given_usd,
    "guarantee_cycle_flag": _guarantee_cycle_flag,
    "guarantee_received_usd": _guarantee_received_usd,
    "guarantee_circle_size": _guarantee_circle_size,
    "guarantee_core": _guarantee_core,
    "contagion_loss_one_step": _contagion_loss_one_step,
    "contagion_loss_two_steps": _contagion_loss_two_steps,
    "risk_event_decay": _risk_event_decay,
    "default_pagerank": _default_pagerank,
    "new_link_count": _new_link_count,
    "ended_link_count": _ended_link_count,
    "shared_device_seller_count": _shared_device_seller_count,
    "receivable_collision_count": _receivable_collision_count,
    "counterparty_overlap_count": _counterparty_overlap_count,
    "counterparty_overlap_jaccard": _counterparty_overlap_jaccard,
    "counterparty_shared_share": _counterparty_shared_share,
}

# Tables that a signal reads in addition to those the record names.
SIGNAL_TABLES: Mapping[str, tuple[str, ...]] = {
    "related_known_default_excess": ("repayment",),
    "risk_event_decay": ("repayment",),
    "default_pagerank": ("repayment",),
    "group_lender_count": ("loan",),
}

# Columns of each table that the signals read, in addition to the seller and those of the as-of filter.
SIGNAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "party": ("party_id",),
    "party_link": ("from_party_id", "to_party_id", "link_type", "amount_usd", "valid_from", "valid_to"),
    "repayment": REPAYMENT_COLUMNS,
    "loan": ("lender_id",),
    "trade_invoice": ("counterparty_id", "direction", "status"),
    "export_declaration": ("consignee_id",),
    "login_event": ("device_id", "login_count"),
    "pledge": ("pledge_id", "asset_id", "asset_type", "lender_id", "secured_loan_id", "entry_type"),
}


def signal_tables(record: GraphFeature) -> tuple[str, ...]:
    """Return every table that a graph feature reads."""
    registry = ("party",) if "party_link" in record.tables else ()
    return (*registry, *record.tables, *SIGNAL_TABLES.get(record.signal, ()))
