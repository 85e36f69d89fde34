"""Hosted platforms: supply price under bidding, returns and fines, a report every fourteen days, payout weeks later.

Full hosted: the platform sets the supply price, keeps the goods in its warehouse, sells, delivers and serves; semi
hosted: the seller keeps stock abroad. Either way the seller waits for its money and cannot see the buyer (Zhang 2025,
doi 10.12677/ecl.2025.14123892, sections 3-5).
"""

from __future__ import annotations

import numpy as np

from simulator.catalogue import HOSTED_MODES
from simulator.economy.incidents import note
from simulator.economy.state import REPORT_ITEMS, RING, Week

_STORED_ABROAD_SHARE = 0.15  # what a semi hosted seller pays to store and deliver, over its sales
_LOWEST_PRICE = 0.75


def bid(week: Week) -> None:
    """Rounds of bidding press the supply price of weak sellers down; new products win part of it back."""
    state, setting, firms = week.state, week.setting, week.setting.firms
    rng, count, economy = week.rng("hosted"), firms.count, setting.settings.economy
    pressed = rng.random(count) < economy.bidding_rate / 52 * np.exp(-0.5 * state.quality)
    is_full = firms.hosted_mode == HOSTED_MODES.index("full hosted")
    cut = pressed * is_full * rng.uniform(0.01, 0.06, count)
    target = setting.shocks.hosted_price[week.number]
    state.hosted_price += 0.02 * (target - state.hosted_price) - cut
    state.hosted_price = np.clip(state.hosted_price, _LOWEST_PRICE, 1.1)


def delist(week: Week) -> None:
    """Takes sellers off the platform for weeks, a few for good; stock made for it is stuck meanwhile."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    rng, count = week.rng("hosted"), firms.count
    rate = setting.settings.economy.delisting_rate / 52 * np.exp(-0.55 * state.quality - 0.2 * firms.honesty)
    is_hit = (rng.random(count) < rate) & state.is_active & (firms.hosted_mode > 0) & (number >= state.delisted_until)
    length = np.where(rng.random(count) < 0.15, 400, rng.integers(4, 16, count))
    state.delisted_until = np.where(is_hit, number + length, state.delisted_until)
    note(week, is_hit, "delisting", length.astype(np.float64))


def deduct(week: Week) -> None:
    """Books returns the platform puts down to the seller, fines, top-ups; semi hosted sellers pay for their store."""
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
    """Closes a report for half of the sellers: what it comes to is paid out after the term, later under a hold."""
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
    """Brings the payouts due this week to the bank."""
    slot = week.number % RING
    due = week.state.hosted_due[slot].copy()
    week.state.hosted_due[slot] = 0.0
    week.book("hosted_payout", due * week.setting.cny_rate(week.number))
