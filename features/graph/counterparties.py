"""Suppliers, buyers and consignees that sellers share, as of a date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.graph.cores import core_numbers
from features.graph.edges import coded, incidence

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from features.engine.as_of import AsOf
    from features.graph.edges import Matrix
    from features.record import GraphFeature

SHARED_AT_LEAST = 2
SMALLEST_BLOCK = 2
"""A seller with one partner of its own is no block."""


@dataclass(frozen=True)
class Partners:
    """Which sellers have which trading partner that is no service of many.

    Attributes:
        sellers: ids of the sellers with at least one partner, services included; sorted.
        partners: names of all partners, sorted.
        has: sellers x partners, 1 where the seller has the partner; services are left out.
        every: number of partners of each seller, services included.
    """

    sellers: NDArray[np.str_]
    partners: NDArray[np.str_]
    has: Matrix
    every: NDArray[np.int64]

    @classmethod
    def of(cls, sellers: pa.ChunkedArray[Any], partners: pa.ChunkedArray[Any], most_sellers: int) -> Partners:
        """Return the partners of some rows; one of more sellers than ``most_sellers`` is a service."""
        (names, row), (others, column) = coded(sellers), coded(partners)
        pairs = incidence(row, column, (len(names), len(others))).tocoo()
        is_kept = np.bincount(pairs.col, minlength=len(others))[pairs.col] <= most_sellers
        every = np.bincount(pairs.row, minlength=len(names))
        row_kept, column_kept = (at[is_kept].astype(np.int64) for at in (pairs.row, pairs.col))
        return cls(names, others, incidence(row_kept, column_kept, pairs.shape), every)


@dataclass(frozen=True)
class Overlap:
    """How far the trading partners of sellers coincide; arrays in the order of ``sellers``.

    Attributes:
        sellers: ids of the sellers with at least one partner, sorted.
        similar_sellers: number of other sellers that share two or more partners, hubs excluded.
        closest: highest Jaccard index with another seller, hubs excluded; 0 when nothing is shared.
        shared_share: partners that another seller has too, hubs excluded, as a share of all partners.
    """

    sellers: NDArray[np.str_]
    similar_sellers: NDArray[np.float64]
    closest: NDArray[np.float64]
    shared_share: NDArray[np.float64]


def partner_rows(table: pa.Table, record: GraphFeature, as_of: AsOf) -> tuple[pa.Table, str]:
    """Return the rows that name a trading partner of the record's side and window, and the column of its name."""
    rows = recent(as_of.visible(table), as_of, record.window_days)
    if record.side is None:
        return rows.filter(pc.is_valid(rows["consignee_id"])), "consignee_id"
    return rows.filter((pc.field("status") == "valid") & (pc.field("direction") == record.side)), "counterparty_id"


def recent(table: pa.Table, as_of: AsOf, window_days: int | None) -> pa.Table:
    """Return the rows of the last ``window_days`` days up to the date; all if None."""
    if window_days is None:
        return table
    oldest = as_of.day - dt.timedelta(days=window_days)
    return table.filter(pc.greater(table["event_date"], pa.scalar(oldest, pa.date32())))


def overlaps(partners: Partners) -> Overlap:
    """Return how far the trading partners of sellers coincide."""
    has = partners.has
    own = np.asarray(has.sum(axis=1)).ravel()
    common = (has @ has.T).tocoo()
    apart = common.row != common.col
    row, column, shared = common.row[apart], common.col[apart], common.data[apart]
    closest = np.zeros(len(partners.sellers))
    np.maximum.at(closest, row, shared / (own[row] + own[column] - shared))
    is_shared = np.asarray(has.sum(axis=0)).ravel() > 1
    return Overlap(
        sellers=partners.sellers,
        similar_sellers=np.bincount(row[shared >= SHARED_AT_LEAST], minlength=len(own)).astype(np.float64),
        closest=closest,
        shared_share=(has @ is_shared.astype(np.int64)) / np.maximum(partners.every, 1),
    )


def default_excess(
    partners: Partners, has_defaulted: NDArray[np.bool_], usual: NDArray[np.float64], prior: float
) -> NDArray[np.float64]:
    """Return the default rate of the sellers that share partners with each, less the usual one, shrunk towards 0.

    A partner of n sellers ties each to the n - 1 others with a weight of 1 in all (Newman 2001), so what two sellers
    share counts more the fewer share it. Sellers are never paired: each partner knows its sellers in default.
    """
    has, defaulted = partners.has, has_defaulted.astype(np.float64)
    of_partner = np.asarray(has.sum(axis=0)).ravel()
    each = np.where(of_partner > 1, 1.0 / np.maximum(of_partner - 1, 1), 0.0)
    weight = np.asarray(has @ (each > 0).astype(np.float64)).ravel()
    hit = np.asarray(has @ (each * (has.T @ defaulted))).ravel() - defaulted * np.asarray(has @ each).ravel()
    return np.asarray((hit - weight * usual) / (weight + prior))


def block_cores(partners: Partners) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the densest block of sellers and partners that each seller and each partner belongs to; 0 without one.

    It is the largest k so that every seller of the block has k partners in it, and every partner k sellers: the k-core
    of the network of sellers and their partners.
    """
    pairs, count = partners.has.tocoo(), len(partners.sellers)
    core = core_numbers(pairs.row.astype(np.int64), count + pairs.col.astype(np.int64), sum(pairs.shape))
    core[core < SMALLEST_BLOCK] = 0
    return core[:count], core[count:]
