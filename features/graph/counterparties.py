"""Suppliers, buyers and consignees that sellers have in common, as of a date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.graph.edges import coded, incidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.cut import Cut
    from features.graph.edges import Matrix

SHARED_AT_LEAST = 2


@dataclass(frozen=True)
class Overlap:
    """How far sellers' trading partners coincide; arrays in the order of ``sellers``.

    Attributes:
        sellers: ids of the sellers with at least one partner, sorted.
        similar_sellers: how many other sellers share two partners or more.
        closest: largest Jaccard index with another seller over partners that are no hubs; 0 without any in common.
        shared_share: partners that another seller has too and that are no hubs, of all partners.
    """

    sellers: NDArray[np.str_]
    similar_sellers: NDArray[np.float64]
    closest: NDArray[np.float64]
    shared_share: NDArray[np.float64]


def counterparty_overlap(
    table_name: str, table: pa.Table, cut: Cut, window_days: int | None, hub_sellers: int
) -> Overlap:
    """The overlap of partners by the rows of ``trade_invoice`` or ``export_declaration`` visible as of the cut.

    Suppliers and buyers are told apart: the same code on the other side of an invoice is another partner.
    """
    sellers, row, partner = _pairs(table_name, _recent(cut.visible(table), cut, window_days))
    partners, column = np.unique(partner, return_inverse=True)
    has = incidence(row, column.astype(np.int64), (len(sellers), len(partners)))
    return _overlap(sellers, has, hub_sellers)


def _pairs(table_name: str, table: pa.Table) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
    """Who trades with whom by valid invoices or named consignees: sellers, and number of seller and partner a row."""
    if table_name == "trade_invoice":
        rows = table.filter(pc.field("status") == "valid")
        sellers, row = coded(rows["seller_id"])
        _, partner = coded(rows["counterparty_id"])
        sides, side = coded(rows["direction"])
        return sellers, row, partner * len(sides) + side
    rows = table.filter(pc.is_valid(table["consignee_id"]))
    sellers, row = coded(rows["seller_id"])
    return sellers, row, coded(rows["consignee_id"])[1]


def _recent(table: pa.Table, cut: Cut, window_days: int | None) -> pa.Table:
    if window_days is None:
        return table
    oldest = cut.as_of - dt.timedelta(days=window_days)
    return table.filter(pc.greater(table["event_date"], pa.scalar(oldest, pa.date32())))


def _overlap(sellers: NDArray[np.str_], has: Matrix, hub_sellers: int) -> Overlap:
    popularity = np.asarray(has.sum(axis=0)).ravel()
    everything = np.asarray(has.sum(axis=1)).ravel()
    kept = has[:, np.flatnonzero(popularity <= hub_sellers)]
    own = np.asarray(kept.sum(axis=1)).ravel()
    common = (kept @ kept.T).tocoo()
    apart = common.row != common.col
    row, column, shared = common.row[apart], common.col[apart], common.data[apart]
    closest = np.zeros(len(sellers))
    np.maximum.at(closest, row, shared / (own[row] + own[column] - shared))
    similar = np.bincount(row[shared >= SHARED_AT_LEAST], minlength=len(sellers))
    is_shared = np.flatnonzero((popularity > 1) & (popularity <= hub_sellers))
    shared_own = np.asarray(has[:, is_shared].sum(axis=1)).ravel()
    return Overlap(
        sellers=sellers,
        similar_sellers=similar.astype(np.float64),
        closest=closest,
        shared_share=shared_own / np.maximum(everything, 1),
    )
