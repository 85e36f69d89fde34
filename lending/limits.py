"""The limit of each seller for a product: the smallest of named caps, each of them shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lending.policy.records import Policy, Product

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

DAYS_A_YEAR = 365.0
FORECAST_DAYS = 91.0


def verified_payouts(figures: Mapping[str, Numbers]) -> Numbers:
    """Return the net payouts of a month that independent sources confirm."""
    payouts = np.nan_to_num(figures["monthly_payouts_usd"], nan=0.0)
    return np.maximum(payouts, 0) * np.clip(np.nan_to_num(figures["evidence_share"], nan=0.0), 0, 1)


def segment_of(monthly: Numbers, policy: Policy) -> Places:
    """Return the place of each seller's segment, by verified yearly payouts."""
    starts = [segment.from_usd for segment in policy.segments]
    return np.searchsorted(starts, monthly * 12, side="right") - 1


def default_within(pd_12m: Numbers, days: float) -> Numbers:
    """Return the probability of default within ``days``, with the same hazard all year; 1 where it is not known.

    >>> default_within(np.array([0.19, np.nan]), 182.5).round(3).tolist()
    [0.1, 1.0]
    """
    yearly = np.clip(np.nan_to_num(pd_12m, nan=1.0), 0, 1)
    return np.asarray(1 - (1 - yearly) ** (days / DAYS_A_YEAR))


def caps(figures: Mapping[str, Numbers], product: Product, policy: Policy) -> dict[str, Numbers]:
    """Return the caps of a product by name, in USD and at least 0. A gap in a figure counts as its worst value.

    ``lowest_balance_p10_usd``, the lowest weekly balance that the cash forecast exceeds with probability 0.9, is a
    cap only where the run has a forecast. Then the instalments of the 13 weeks must fit into it; a seller
    without one gets 0.
    An advance is at most what its share of payouts repays within the tenor at the slow pace.
    """
    terms = policy.terms
    monthly = verified_payouts(figures)
    borrowed = np.maximum(np.nan_to_num(figures["borrowed_usd"], nan=np.inf), 0)
    group = np.maximum(np.nan_to_num(figures["group_borrowed_usd"], nan=np.inf), borrowed)
    loss = default_within(figures["pd_12m"], product.tenor_days) * product.loss_given_default
    budget = terms.loss_budget * 12 * monthly
    largest = np.array([segment.largest_limit_usd for segment in policy.segments])[segment_of(monthly, policy)]
    found = {
        "payouts": terms.payout_months * monthly - borrowed,
        "loss_budget": np.divide(budget, loss, out=np.full_like(budget, np.inf), where=loss > 0),
        "group": terms.group_share * 12 * monthly - group,
        "lender": np.minimum(largest, terms.single_name_share * terms.portfolio_usd),
    }
    if product.collateral is not None:
        value = np.maximum(np.nan_to_num(figures[product.collateral], nan=0.0), 0)
        found["borrowing_base"] = (product.advance_rate or 0.0) * value
    if product.payout_share is not None:
        slow = monthly * 12 / DAYS_A_YEAR * terms.payout_paces.slow
        found["share_of_payouts"] = product.payout_share * slow * product.tenor_days
    if "lowest_balance_p10_usd" in figures:
        lowest = np.nan_to_num(figures["lowest_balance_p10_usd"], nan=0.0)
        found["lowest_balance"] = lowest * max(product.tenor_days / FORECAST_DAYS, 1.0)
    return {name: np.maximum(cap, 0) for name, cap in found.items()}


def smallest(found: Mapping[str, Numbers]) -> tuple[Numbers, Places]:
    """Return each seller's smallest cap, rounded down to whole USD, and its place among ``found``."""
    table = np.column_stack(list(found.values()))
    place = table.argmin(axis=1)
    return np.floor(table[np.arange(len(table)), place]), place
