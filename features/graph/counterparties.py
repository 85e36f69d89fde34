"""Suppliers, buyers and consignees that sellers share, as of a date."""

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

    from features.engine.as_of import AsOf
    from features.graph.edges import Matrix
    from features.record import GraphFeature

SHARED_AT_LEAST = 2


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


def counterparty_overlap(table: pa.Table, record: GraphFeature, as_of: AsOf, hub_sellers: int) -> Overlap:
    """Compute the overlap of partners from the rows of ``table`` visible as of the date.

    Args:
        table: ``trade_invoice`` or ``export_declaration``, as the record says.
        record: which side of the invoices and how far back.
        as_of: the date and, when replaying, the instant of recording.
        hub_sellers: a partner of more sellers than this is left out.
    """
    rows, partners = partner_rows(table, record, as_of)
    sellers, row = coded(rows["seller_id"])
    others, column = coded(rows[partners])
    return _overlap(sellers, incidence(row, column, (len(sellers), len(others))), hub_sellers)


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
