"""Fraud cases of a world, in the form the writers of raw files need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.fraud import TABLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.simulated_world import World


@dataclass(frozen=True)
class FraudCases:
    """Cases of one kind; arrays of shape (cases,).

    Attributes:
        seller: Seller that commits the fraud.
        first_week: First week of the case.
        end_week: First week after it; may be past the world's end.
        other: The other seller involved (next in a ring, owner of a borrowed device), -1 for none.
        loan: Number of the loan concerned, -1 for none.
        size: Size of the fraud, in the unit of its kind (see the note in the truth folder).
    """

    seller: NDArray[np.int64]
    first_week: NDArray[np.int64]
    end_week: NDArray[np.int64]
    other: NDArray[np.int64]
    loan: NDArray[np.int64]
    size: NDArray[np.float64]


def fraud_cases(world: World, kind: str) -> FraudCases:
    """Return all cases of a kind in a world."""
    rows = world.events.get(TABLE, {})
    if not rows:
        nothing = np.array([], dtype=np.int64)
        return FraudCases(nothing, nothing, nothing, nothing, nothing, nothing.astype(np.float64))
    at = np.flatnonzero(rows["kind"] == kind)
    seller, first, end, other, loan = (
        rows[name][at].astype(np.int64) for name in ("seller", "week", "end_week", "other", "loan")
    )
    return FraudCases(seller, first, end, other, loan, rows["size"][at].astype(np.float64))


def size_in_force(world: World, kind: str) -> NDArray[np.float64]:
    """Return the size of the open case by week and seller, 0 where there is none, shape (weeks, sellers)."""
    found = fraud_cases(world, kind)
    sizes = np.zeros((world.timeline.weeks, world.firms.count))
    for seller, first, end, size in zip(found.seller, found.first_week, found.end_week, found.size, strict=True):
        sizes[first:end, seller] = size
    return sizes


def withheld_sources(world: World) -> NDArray[np.str_]:
    """Return the source that each withholding seller hides, empty for the others, shape (sellers,).

    A seller hides its web shop if the shop sold less than its planned share; all others hide their tax invoices, which
    would show small purchases.
    """
    firms = world.firms
    sales, site = world.weekly["sales"].sum(axis=0), world.weekly["site_sales"].sum(axis=0)
    is_weak_site = (firms.site_week <= world.timeline.weeks) & (site < firms.site_share * sales)
    hidden = np.where(is_weak_site, "shopify_orders", "vat_invoices")
    return np.where(firms.is_withholder, hidden, "")
