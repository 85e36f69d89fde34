"""Defaults and late payments that were known of related sellers, and how near they are. Arrays are by seller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from features.delinquency import DEFAULT_DAYS_PAST_DUE
from features.engine.duckdb_engine import DuckDbEngine
from features.engine.instalments import instalment_view
from features.graph.edges import coded

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from features.engine.as_of import AsOf
    from features.graph.edges import Matrix

# Cells of a solution that are held in memory at a time.
_MOST_CELLS: Final = 2_000_000


@dataclass(frozen=True)
class LateEvents:
    """The worst late payment of each seller that ever paid late, in the order of ``sellers``.

    Attributes:
        sellers: ids, sorted.
        weight: days late as a share of the 90 of a default, at most 1, and less the longer ago that was.
        days_late: days late of that instalment; up to the date while it is unpaid.
    """

    sellers: NDArray[np.str_]
    weight: NDArray[np.float64]
    days_late: NDArray[np.int64]


def late_events(repayment: pa.Table, as_of: AsOf, decay_days: float) -> LateEvents:
    """Return the late payment of each seller that weighs most on the date.

    An event is as old as the payment that ended it, and of today while the instalment is unpaid. Its weight falls with
    age by the exponential of minus the age over ``decay_days``.
    """
    with DuckDbEngine() as engine:
        engine.load("repayment", repayment)
        rows = engine.query(instalment_view(as_of))
    rows = rows.filter(pc.field("days_late") > 0)
    sellers, seller = coded(rows["seller_id"])
    days_late = rows["days_late"].to_numpy().astype(np.int64)
    due = rows["event_date"].to_numpy().astype("datetime64[D]")
    age = (np.datetime64(as_of.day, "D") - due).astype(np.int64) - days_late
    weight = np.minimum(days_late / DEFAULT_DAYS_PAST_DUE, 1.0) * np.exp(-age / decay_days)
    order = np.lexsort((days_late, weight, seller))
    last = np.flatnonzero(np.r_[seller[order][1:] != seller[order][:-1], np.ones(min(len(order), 1), dtype=np.bool_)])
    worst = order[last]
    return LateEvents(sellers, weight[worst], days_late[worst])


def default_walks(related: Matrix, has_defaulted: NDArray[np.bool_], walk_on: float) -> NDArray[np.float64]:
    """Return how near each seller is to the sellers in default other than itself: personalised PageRank, by degree.

    A walk starts at a seller in default, goes on to a random relation with probability ``walk_on``, and otherwise
    starts again. The share of its time at a seller, divided by the number of that seller's relations, is added up over
    the other sellers in default. It equals the chance that a walk from the seller ends at one of them, those with many
    relations counted less: several defaults nearby raise it, many relations without one lower it.

    Args:
        related: sellers x sellers, 1 where directly related; symmetric.
        has_defaulted: whether the default of each seller was known.
        walk_on: probability to go on.
    """
    degree = np.asarray(related.sum(axis=1)).ravel()
    count, group = connected_components(related, directed=False)
    has_seed = np.bincount(group, weights=has_defaulted, minlength=count) > 0
    inside = np.flatnonzero(has_seed[group] & (degree > 0))
    seeds = np.flatnonzero(has_defaulted[inside])
    value = np.zeros(len(degree))
    if len(seeds) == 0:
        return value
    solver = splu(
        (sparse.diags_array(degree[inside].astype(np.float64)) - walk_on * related[inside][:, inside]).tocsc()
    )
    for some in np.array_split(seeds, -(-len(seeds) * len(inside) // _MOST_CELLS)):
        start = np.zeros((len(inside), len(some)))
        start[some, np.arange(len(some))] = 1.0 - walk_on
        time = solver.solve(start)
        # What a seller contributes to itself is its own outcome.
        time[some, np.arange(len(some))] = 0.0
        value[inside] += time.sum(axis=1)
    return value
