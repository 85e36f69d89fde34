"""The price of an amount: what money, losses, capital and work cost, and the margin; the fee of an advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lending.limits import DAYS_A_YEAR, Numbers, default_within, segment_of, verified_payouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lending.policy.records import Policy, Product


def rate_parts(figures: Mapping[str, Numbers], amount: Numbers, product: Product, policy: Policy) -> dict[str, Numbers]:
    """Return the parts of the yearly rate for ``amount``; operating cost is infinite where the amount is 0."""
    terms = policy.terms
    years = product.tenor_days / DAYS_A_YEAR
    margins = np.array([segment.margin for segment in policy.segments])
    fixed = np.full_like(amount, terms.operating_cost_usd / years)
    loss = default_within(figures["pd_12m"], product.tenor_days) * product.loss_given_default / years
    return {
        "funding": np.full_like(amount, terms.funding_rate),
        "expected_loss": loss,
        "capital": np.full_like(amount, terms.capital_share * terms.capital_return),
        "operating": np.divide(fixed, amount, out=np.full_like(amount, np.inf), where=amount > 0),
        "margin": margins[segment_of(verified_payouts(figures), policy)],
    }


def repaid_after(total: Numbers, daily: Numbers) -> Numbers:
    """Return the whole days until payments of ``daily`` have repaid ``total``; infinite without payments.

    >>> repaid_after(np.array([10000.0]), np.array([100000 * 0.18 / 360])).tolist()
    [200.0]
    """
    days = np.divide(total, daily, out=np.full_like(total, np.inf), where=daily > 0)
    return np.asarray(np.ceil(np.round(days, 9)))


def advance_terms(
    amount: Numbers, rate: Numbers, monthly: Numbers, product: Product, policy: Policy
) -> dict[str, Numbers]:
    """Return fee and days to repay of an advance that a share of payouts repays; NaN without payouts or a rate.

    On average half of the amount is outstanding, so the fee is half the yearly rate over the days it takes.
    """
    paces = policy.terms.payout_paces
    daily = (product.payout_share or 0.0) * monthly * 12 / DAYS_A_YEAR
    yearly = np.where(np.isfinite(rate), rate, np.nan)
    room = daily * paces.middle - amount * yearly / (2 * DAYS_A_YEAR)
    days = np.divide(amount, room, out=np.full_like(amount, np.nan), where=room > 0)
    fee = np.round(amount * yearly * days / (2 * DAYS_A_YEAR), 2)
    total = amount + fee
    return {
        "fee_usd": fee,
        "days_to_repay_fast": repaid_after(total, daily * paces.fast),
        "days_to_repay_middle": repaid_after(total, daily * paces.middle),
        "days_to_repay_slow": repaid_after(total, daily * paces.slow),
    }
