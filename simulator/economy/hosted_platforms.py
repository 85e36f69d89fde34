"""Hosted platforms: supply price under bidding, returns and fines, a report every 14 days, and a later payout.

Full hosted: the platform sets the supply price, stocks, sells, delivers and handles service. Semi hosted: the seller
keeps stock abroad. In both cases the seller waits for its money and does not see the buyer (Zhang 2025,
doi 10.12677/ecl.2025.14123892, sections 3-5).
"""

from __future__ import annotations

import numpy as np

from simulator.catalogue import HOSTED_MODES
from simulator.economy.incidents import note
from simulator.economy.state import REPORT_ITEMS, RING, Week

_STORED_ABROAD_SHARE = 0.15  # a semi hosted seller's cost of storage and delivery over its sales
_LOWEST_PRICE = 0.75


def bid(week: Week) -> None:
    """Update supply prices: bidding rounds cut those of weak sellers more often, and prices recover part of the cut."""
    state, setting, firms = week.state, week.setting, week.setting.firms
    rng, count, economy = week.rng("hosted"), firms.count, setting.settings.economy
    pressed = rng.random(count) < economy.bidding_rate / 52 * np.exp(-0.5 * state.quality)
    is_full = firms.hosted_mode == HOSTED_MODES.index("full hosted")
    cut = pressed * is_full * rng.uniform(0.01, 0.06, count)
    target = setting.shocks.hosted_price[week.number]
    state.hosted_price += 0.02 * (target - state.hosted_price) - cut
    state.hosted_price = np.clip(state.hosted_price, _LOWEST_PRICE, 1.1)


def delist(week: Week) -> None:
    """Remove sellers from the platform for some weeks, a few for good; stock made for it stays unsold meanwhile."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    rng, count = week.rng("hosted"), firms.count
    rate = setting.settings.economy.delisting_rate / 52 * np.exp(-0.55 * state.quality - 0.2 * firms.honesty)
    is_hit = (rng.random(count) < rate) & state.is_active & (firms.hosted_mode > 0) & (number >= state.delisted_until)
    length = np.where(rng.random(count) < 0.15, 400, rng.integers(4, 16, count))
    state.delisted_until = np.where(is_hit, number + length, state.delisted_until)
    note(week, is_hit, "delisting", length.astype(np.float64))


def deduct(week: Week) -> None:
    """Book returns, fines and top-ups in the platform's report; semi hosted sellers also pay storage and delivery."""
    state, setting, firms = week.state, week.setting, week.setting.firms
    rng, count = week.rng("hosted"), firms.count
    sales = week.books.weekly["hosted_sales"][week.number]
    returns = sales * np.minimum(0.6 * state.refund_share(firms) * rng.gamma(4.0, 0.25, count), 0.6)
    is_fined = rng.random(count) < 0.06 * np.exp(-0.45 * state.quality)
    fines = is_fined * sales * rng.uniform(0.02, 0.25, count)
    top_ups = (rng.random(count) < 0.02) * sales * 0.03
    for name, amount in (("returns", returns), ("fines", fines), ("top_ups", top_ups)):
        state.report[REPORT_ITEMS.index(name)] += np.round(amount, 2)
    is_semi = firms.hosted_mode == HOSTED_MODES.index("semi hosted")
    week.pay("own_shipping_paid", _STORED_ABROAD_SHARE * sales * is_semi * setting.cny_rate(week.number))


def report(week: Week) -> None:
    """Close the fortnightly report of half of the sellers; its total is paid after the settlement term and any hold."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    is_open = ((np.arange(firms.count) + number) % 2 == 1) & (firms.hosted_mode > 0) & state.is_active
    at = np.flatnonzero(is_open & (state.report[REPORT_ITEMS.index("sales")] > 0))
    items = {name: state.report[row, at].copy() for row, name in enumerate(REPORT_ITEMS)}
    total = np.round(items["sales"] - items["returns"] - items["fines"] + items["top_ups"], 2)
    term = firms.settlement_weeks[at] + round(float(setting.shocks.hold_weeks[number]))
    term = term + (week.rng("hosted").random(len(at)) < 0.15)
    np.add.at(state.hosted_due, ((number + term) % RING, at), total)
    state.report[:, at] = 0.0
    week.books.add_rows(
        "reports", seller=at, week=np.full(len(at), number), pay_week=number + term, total=total,
        price=state.hosted_price[at], **items,
    )  # fmt: skip


def collect(week: Week) -> None:
    """Book the payouts that arrive this week."""
    slot = week.number % RING
    due = week.state.hosted_due[slot].copy()
    week.state.hosted_due[slot] = 0.0
    week.book("hosted_payout", due * week.setting.cny_rate(week.number))
