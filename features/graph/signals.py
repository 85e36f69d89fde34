"""Graph signals of each seller as of a date, one function per signal.

Every signal is a few sparse-matrix operations over all sellers in the tables, whoever is queried, so one seller's value
never depends on which others are queried.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.entities.party_matches import PARTY_MATCH
from features.engine.instalments import REPAYMENT_COLUMNS
from features.graph.counterparties import block_cores, default_excess
from features.graph.edges import coded, ended, incidence, read_links
from features.graph.guarantees import (
    PARTS_OF_USD,
    expected_loss,
    received_usd,
    worst_loss_one_step,
    worst_loss_two_steps,
)
from features.graph.shared_uses import logins, sellers_on_the_same_devices
from features.graph.snapshot import SellerValues, Snapshot, usual_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from features.graph.edges import Matrix
    from features.record import GraphFeature

# The mean of a feature over related sellers; every other signal is a function of the snapshot alone.
NEIGHBOUR_MEAN = "related_mean"


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
    values, asked = {}, np.asarray(sellers, dtype=np.str_)
    for record in records:
        if record.neighbour_feature is not None:
            own = neighbours[record.neighbour_feature].to_numpy()
            ids = np.asarray(neighbours["seller_id"].to_pylist(), dtype=np.str_)
            found = _related_mean(snapshot, ids, own)
        else:
            found = SIGNALS[record.signal](snapshot, record)
        values[record.name] = found.of(asked)
    return values


def _of_registry(snapshot: Snapshot, values: NDArray[np.float64] | NDArray[np.int64]) -> SellerValues:
    return SellerValues(snapshot.graph.sellers, np.asarray(values, dtype=np.float64), float("nan"))


def _of_nodes(snapshot: Snapshot, values: NDArray[np.float64] | NDArray[np.int64]) -> SellerValues:
    return _of_registry(snapshot, values[: len(snapshot.graph.sellers)])


def _group_seller_count(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    sizes = np.bincount(snapshot.groups, minlength=1)
    return _of_registry(snapshot, sizes[snapshot.groups] - 1)


def _group_loan_balance(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    """Add up what the other sellers of each group owe, in whole hundredths of a cent, so that sums are exact."""
    own = np.rint(snapshot.loan_balances.of(snapshot.graph.sellers) * PARTS_OF_USD).astype(np.int64)
    total = np.zeros(len(own), dtype=np.int64)
    np.add.at(total, snapshot.groups, own)
    return _of_registry(snapshot, (total[snapshot.groups] - own) / PARTS_OF_USD)


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
    defaulted, usual = snapshot.has_defaulted.astype(np.int64), snapshot.usual_default_rate
    count = np.asarray(snapshot.related.sum(axis=1)).ravel()
    hit = np.asarray(snapshot.related @ defaulted).ravel()
    return _of_registry(snapshot, (hit - count * usual) / (count + snapshot.settings.prior_strength))


def _related_mean(snapshot: Snapshot, sellers: NDArray[np.str_], values: NDArray[np.float64]) -> SellerValues:
    """Average a feature over directly related sellers, the seller itself excluded.

    0 without related sellers. Missing when there are some and none has a value: otherwise a group could gain by hiding
    together.
    """
    order = np.argsort(sellers)
    own = SellerValues(sellers[order], values[order], float("nan")).of(snapshot.graph.sellers)
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
    place = SellerValues(borrowers, np.arange(len(borrowers), dtype=np.float64), -1.0).of(graph.sellers)
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
    return _of_nodes(snapshot, snapshot.guarantee_cores)


def _contagion_loss_one_step(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, worst_loss_one_step(snapshot.guarantees))


def _contagion_loss_two_steps(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_nodes(snapshot, worst_loss_two_steps(snapshot.guarantees))


def _expected_loss(snapshot: Snapshot, steps: int) -> SellerValues:
    outside = snapshot.graph.node_count - len(snapshot.graph.sellers)
    is_known = np.r_[snapshot.has_defaulted, np.zeros(outside, dtype=np.bool_)]
    usual = np.r_[snapshot.usual_default_rate, np.zeros(outside)]
    return _of_nodes(snapshot, expected_loss(snapshot.guarantees, is_known, usual, steps=steps))


def _risk_event_decay(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    events = snapshot.late_events
    own = SellerValues(events.sellers, events.weight, 0.0).of(snapshot.graph.sellers)
    return _of_registry(snapshot, np.asarray(snapshot.related @ own).ravel())


def _default_pagerank(snapshot: Snapshot, _: GraphFeature) -> SellerValues:
    return _of_registry(snapshot, snapshot.nearness_to_defaults)


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
    return _of_registry(snapshot, found.of(snapshot.graph.sellers))


def _new_link_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    seller, day = snapshot.graph.link_starts
    today = (snapshot.as_of.day - dt.date(1970, 1, 1)).days
    recent = day > today - record.window_days if record.window_days is not None else np.ones(len(day), dtype=np.bool_)
    return _of_registry(snapshot, np.bincount(seller[recent], minlength=len(snapshot.graph.sellers)))


def _link_churn_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    began, over = _new_link_count(snapshot, record), _ended_link_count(snapshot, record)
    return _of_registry(snapshot, began.values + over.of(began.sellers))


# A seller without partners is missing, not zero: withholding names must not look like sharing none.
def _counterparty_overlap_count(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    overlap = snapshot.overlap(record)
    return SellerValues(overlap.sellers, overlap.similar_sellers, float("nan"))


def _counterparty_overlap_jaccard(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    overlap = snapshot.overlap(record)
    return SellerValues(overlap.sellers, overlap.closest, float("nan"))


def _counterparty_shared_share(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    overlap = snapshot.overlap(record)
    return SellerValues(overlap.sellers, overlap.shared_share, float("nan"))


def _counterparty_default_excess(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    shared = snapshot.partners(record)
    has_defaulted = np.isin(shared.sellers, np.asarray(list(snapshot.default_days), dtype=np.str_))
    found = default_excess(shared, has_defaulted, usual_rate(has_defaulted), snapshot.settings.prior_strength)
    return SellerValues(shared.sellers, found, float("nan"))


def _counterparty_block_core(snapshot: Snapshot, record: GraphFeature) -> SellerValues:
    shared = snapshot.partners(record)
    return SellerValues(shared.sellers, block_cores(shared)[0].astype(np.float64), float("nan"))


SIGNALS: Mapping[str, Callable[[Snapshot, GraphFeature], SellerValues]] = {
    "related_group_seller_count": _group_seller_count,
    "group_loan_balance": _group_loan_balance,
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
    "contagion_expected_loss_one_step": lambda snapshot, _: _expected_loss(snapshot, 1),
    "contagion_expected_loss_two_steps": lambda snapshot, _: _expected_loss(snapshot, 2),
    "risk_event_decay": _risk_event_decay,
    "default_pagerank": _default_pagerank,
    "new_link_count": _new_link_count,
    "ended_link_count": _ended_link_count,
    "link_churn_count": _link_churn_count,
    "shared_device_seller_count": _shared_device_seller_count,
    "receivable_collision_count": _receivable_collision_count,
    "counterparty_overlap_count": _counterparty_overlap_count,
    "counterparty_overlap_jaccard": _counterparty_overlap_jaccard,
    "counterparty_shared_share": _counterparty_shared_share,
    "counterparty_default_excess": _counterparty_default_excess,
    "counterparty_block_core": _counterparty_block_core,
}

# Tables that a signal reads in addition to those the record names.
SIGNAL_TABLES: Mapping[str, tuple[str, ...]] = {
    "related_known_default_excess": ("repayment",),
    "risk_event_decay": ("repayment",),
    "default_pagerank": ("repayment",),
    "group_lender_count": ("loan",),
    "group_loan_balance": ("loan", "repayment"),
    "contagion_expected_loss_one_step": ("repayment",),
    "contagion_expected_loss_two_steps": ("repayment",),
    "counterparty_default_excess": ("repayment",),
}

# Columns of each table that the signals read, in addition to the seller and those of the as-of filter.
SIGNAL_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "party": ("party_id",),
    "party_link": ("from_party_id", "to_party_id", "link_type", "amount_usd", "valid_from", "valid_to"),
    "repayment": REPAYMENT_COLUMNS,
    "loan": ("loan_id", "lender_id", "principal_usd"),
    "trade_invoice": ("counterparty_id", "direction", "status"),
    "export_declaration": ("consignee_id",),
    "login_event": ("device_id", "login_count"),
    "pledge": ("pledge_id", "asset_id", "asset_type", "lender_id", "secured_loan_id", "entry_type"),
}


def signal_tables(record: GraphFeature) -> tuple[str, ...]:
    """Return every table that a graph feature reads."""
    registry = ("party",) if "party_link" in record.tables else ()
    return (*registry, *record.tables, *SIGNAL_TABLES.get(record.signal, ()))
