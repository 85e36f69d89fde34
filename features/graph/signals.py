"""Graph signals of each seller as of a date, one function per signal.

Every signal is a few sparse-matrix operations over all sellers in the tables, whoever is queried, so one seller's value
never depends on which others are queried.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.csgraph import connected_components

from data_contracts.entities.party_matches import PARTY_MATCH
from features.delinquency import default_dates
from features.engine.instalments import REPAYMENT_COLUMNS
from features.graph.counterparties import counterparty_overlap
from features.graph.edges import GraphSettings, coded, incidence, party_graph
from features.graph.groups import seller_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from features.engine.as_of import AsOf
    from features.graph.counterparties import Overlap
    from features.graph.edges import Matrix, PartyGraph
    from features.record import GraphFeature

_NODES_AT_A_TIME = 256
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
    graph, as_of = snapshot.graph, snapshot.as_of
    known = default_dates(snapshot.tables["repayment"], recorded_until=as_of.recorded_until, as_of=as_of.day)
    defaulted = np.isin(graph.sellers, np.asarray(known["seller_id"].to_pylist(), dtype=np.str_)).astype(np.int64)
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
    return _of_registry(snapshot, given[: len(graph.sellers)])


def _guarantee_cycle_flag(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    """Return 1 for a seller on a directed cycle of two to four guarantees.

    A closed walk of at most four steps without self-loops contains a cycle through its start, so products of the matrix
    find every cycle without listing any. A cycle lies within a strongly connected component, and only guarantees inside
    one are multiplied: a guarantor of thousands costs nothing unless they guarantee it back.
    """
    graph = snapshot.graph
    size = (graph.node_count, graph.node_count)
    start, end = graph.guarantees[graph.guarantees[:, 0] != graph.guarantees[:, 1]].T
    component = connected_components(incidence(start, end, size), directed=True, connection="strong")[1]
    inside = component[start] == component[end]
    one = incidence(start[inside], end[inside], size)
    on_cycle = np.asarray((one * one.T).sum(axis=1)).ravel() > 0
    # A node on a circle of two is found. Longer circles are searched for the others, some at a time: the clients of a
    # hub reach each other in two steps, and all such pairs at once would take memory that grows with their square.
    waiting = np.flatnonzero(~on_cycle & (np.diff(one.indptr) > 0))
    for first in range(0, len(waiting), _NODES_AT_A_TIME):
        some = waiting[first : first + _NODES_AT_A_TIME]
        ahead, behind = one[some] @ one, one[:, some].T.tocsr()
        closed = ahead * behind + ahead * (behind @ one.T)
        on_cycle[some] = np.asarray(closed.sum(axis=1)).ravel() > 0
    return _of_registry(snapshot, on_cycle[: len(graph.sellers)].astype(np.int64))


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
    "new_link_count": _new_link_count,
    "counterparty_overlap_count": _counterparty_overlap_count,
    "counterparty_overlap_jaccard": _counterparty_overlap_jaccard,
    "counterparty_shared_share": _counterparty_shared_share,
}

# Tables that a signal reads in addition to those the record names.
SIGNAL_TABLES: Mapping[str, tuple[str, ...]] = {
    "related_known_default_excess": ("repayment",),
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
}


def signal_tables(record: GraphFeature) -> tuple[str, ...]:
    """Return every table that a graph feature reads."""
    registry = ("party",) if "party_link" in record.tables else ()
    return (*registry, *record.tables, *SIGNAL_TABLES.get(record.signal, ()))
