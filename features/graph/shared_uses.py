"""Devices that several sellers log in from, and assets pledged to several lenders, as of a date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.graph.counterparties import recent
from features.graph.edges import coded, incidence, without_diagonal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.engine.as_of import AsOf

# A machine or a building may secure two loans. One invoice, receipt or order is paid once.
PAID_ONCE: Final = ("receivable", "warehouse_receipt", "order")
_PLEDGE: Final = ("seller_id", "asset_id", "lender_id", "secured_loan_id")


def logins(login_event: pa.Table, as_of: AsOf, window_days: int | None) -> pa.Table:
    """Return the successful logins of the window from a known device."""
    rows = recent(as_of.visible(login_event), as_of, window_days)
    return rows.filter(pc.is_valid(rows["device_id"])).filter(pc.field("login_count") > 0)


def sellers_on_the_same_devices(logged_in: pa.Table, hub_sellers: int) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return the sellers that logged in, and how many others used the same device; hub devices left out."""
    sellers, seller = coded(logged_in["seller_id"])
    devices, device = coded(logged_in["device_id"])
    used = incidence(seller, device, (len(sellers), len(devices)))
    kept = used[:, np.flatnonzero(np.asarray(used.sum(axis=0)).ravel() <= hub_sellers)]
    return sellers, np.asarray(without_diagonal(kept @ kept.T).sum(axis=1)).ravel()


def pledges_in_force(pledge: pa.Table, as_of: AsOf) -> pa.Table:
    """Return the pledges of assets that are paid once, each in its latest entry, unless released or enforced."""
    rows = as_of.visible(pledge).sort_by([(name, "ascending") for name in ("event_date", "known_at", "pledge_id")])
    rows = rows.append_column("place", pa.array(np.arange(rows.num_rows)))
    latest = rows.select([*_PLEDGE, "place"]).group_by(list(_PLEDGE)).aggregate([("place", "max")])["place_max"]
    rows = rows.take(latest.combine_chunks().sort()).drop_columns(["place"])
    is_kept = (pc.field("entry_type") == "pledged") & pc.field("asset_type").isin(PAID_ONCE)
    return rows.filter(is_kept)


def colliding_assets(pledges: pa.Table, group: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pledges are of an asset that sellers of the same group pledged to two or more lenders.

    Args:
        pledges: pledges in force.
        group: number of the group of each pledge's seller.
    """
    _, asset = coded(pledges["asset_id"])
    _, lender = coded(pledges["lender_id"])
    _, thing = np.unique(np.column_stack([group, asset]), axis=0, return_inverse=True)
    pairs = np.unique(np.column_stack([thing.ravel(), lender]), axis=0)
    lenders = np.bincount(pairs[:, 0], minlength=len(pledges))
    return np.asarray(lenders[thing.ravel()] > 1)
