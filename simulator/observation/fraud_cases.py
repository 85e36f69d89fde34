"""Fraud scenarios as they show in files."""

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
        seller: Who deceives.
        first_week: First week of the deceit.
        end_week: First week after it; may lie past the world's end.
        other: The other seller of the deceit (next in a ring, owner of a borrowed device), -1 for none.
        loan: Loan number it is about, -1 for none.
        size: How strong it is, in the unit of its kind (see the truth folder's note).
    """

    seller: NDArray[np.int64]
    first_week: NDArray[np.int64]
    end_week: NDArray[np.int64]
    other: NDArray[np.int64]
    loan: NDArray[np.int64]
    size: NDArray[np.float64]


def fraud_cases(world: World, kind: str) -> FraudCases:
    """The cases of a kind that the world drew."""
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
    """Size of the case in force by week and seller, 0 where there is none, shape (weeks, sellers)."""
    found = fraud_cases(world, kind)
    sizes = np.zeros((world.timeline.weeks, world.firms.count))
    for seller, first, end, size in zip(found.seller, found.first_week, found.end_week, found.size, strict=True):
        sizes[first:end, seller] = size
    return sizes


def withheld_sources(world: World) -> NDArray[np.str_]:
    """Name of the source each withholding seller hides, empty for the honest, shape (sellers,).

    A seller with a web shop hides it where it earned less than the shop promised (site sales over the world below the
    share planned); the others hide their tax invoices, where thin purchases show.
    """
    firms = world.firms
    sales, site = world.weekly["sales"].sum(axis=0), world.weekly["site_sales"].sum(axis=0)
    is_weak_site = (firms.site_week <= world.timeline.weeks) & (site < firms.site_share * sales)
    hidden = np.where(is_weak_site, "shopify_orders", "vat_invoices")
    return np.where(firms.is_withholder, hidden, "")
