"""The marketplace account: fees, refunds, reserve and a statement every 14 days."""

from __future__ import annotations

import numpy as np

from simulator.economy.state import ACCOUNT_ITEMS, Week

SUBSCRIPTION = 39.99
_SIGNS = {"principal": 1, "shipping": 1, "compensation": 1}
_COMMISSION_KEPT = 0.2  # share of the commission on refunded sales


def charge(week: Week) -> None:
    """Book the week's refunds, fees, advertising and small penalties in the marketplace account."""
    state, setting, firms = week.state, week.setting, week.setting.firms
    economy, rng, count = setting.settings.economy, week.rng("marketplace"), firms.count
    sales = week.books.weekly["sales"][week.number]
    past = 0.6 * state.last_week_sales + 0.4 * sales
    noise = np.exp(0.35 * rng.standard_normal(count) - 0.06)
    refund = np.minimum(past * state.refund_share(firms) * noise, 0.8 * past)
    expected = state.expected * (1 - firms.hosted_share) * setting.season(week.number) * (sales > 0)
    advertising = firms.advertising_share * (0.5 * expected + 0.5 * sales) * np.exp(0.2 * rng.standard_normal(count))
    is_month_end = (week.number % 4 == 0) & state.is_active & firms.has_marketplace
    stored = state.stock / setting.reference_rate(week.number) * (1 - firms.hosted_share)
    monthly_storage = 0.010 * stored * firms.is_fulfilled_by_market
    is_fined = rng.random(count) < 0.010 * np.exp(-0.35 * state.quality)
    is_disputed = rng.random(count) < 0.012 * np.exp(-0.5 * state.quality)
    items = {
        "shipping": 0.03 * sales * ~firms.is_fulfilled_by_market,
        "commission": economy.commission_share * (sales - (1 - _COMMISSION_KEPT) * refund),
        "fulfilment": economy.fulfilment_share * sales * firms.is_fulfilled_by_market,
        "refund": refund,
        "chargeback": is_disputed * sales * rng.uniform(0.01, 0.06, count),
        "advertising": advertising,
        "storage": is_month_end * monthly_storage,
        "subscription": is_month_end * SUBSCRIPTION,
        "penalty": is_fined * (20 + sales * rng.uniform(0.005, 0.04, count)),
        "compensation": (rng.random(count) < 0.02) * firms.is_fulfilled_by_market * 0.01 * sales,
    }
    for name, amount in items.items():
        state.account[ACCOUNT_ITEMS.index(name)] += np.round(amount, 2)
    week.pay("own_shipping_paid", 0.17 * sales * ~firms.is_fulfilled_by_market * setting.cny_rate(week.number))
    state.last_week_sales = sales


def settle(week: Week) -> None:
    """Close the fortnightly statement of half of the sellers: hold the reserve back and send the rest to the bank."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    closing = ((np.arange(firms.count) + number) % 2 == 0) & state.is_active & (firms.entry_week < number)
    closing &= firms.has_marketplace
    signs = np.array([_SIGNS.get(name, -1) for name in ACCOUNT_ITEMS])[:, None]
    net = np.round((signs * state.account).sum(axis=0), 2)
    health = 0.16 - 0.09 * state.quality + 0.05 * week.rng("marketplace").standard_normal(firms.count)
    share = np.clip(health + setting.shocks.reserve[number], 0.0, 0.85)
    share = np.where(share < 0.08, 0.0, share)
    is_held = number < state.suspended_until
    held = np.where(is_held, np.maximum(net + state.reserve, 0.0), share * state.last_week_sales)
    held = np.round(np.where(state.is_winding_down & ~is_held, 0.0, held), 2)
    total = np.round(net + state.reserve - held, 2)
    at = np.flatnonzero(closing)
    items = {name: state.account[row, at].copy() for row, name in enumerate(ACCOUNT_ITEMS)}
    week.books.add_rows(
        "statements", seller=at, week=np.full(len(at), number), released=state.reserve[at], held=held[at],
        total=total[at], **items,
    )  # fmt: skip
    state.carried = np.where(closing, total, state.carried)
    state.reserve = np.where(closing, held, state.reserve)
    state.account[:, at] = 0.0


def collect(week: Week) -> None:
    """Book last week's statement at the bank (a negative total is charged), and own-site money after costs."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    rate = setting.cny_rate(number)
    week.book("marketplace_deposit", state.carried * rate)
    state.carried = np.zeros(firms.count)
    rng = week.rng("site")
    sales = week.books.weekly["site_sales"][number]
    refunds = np.round(np.minimum(sales * state.refund_share(firms) * rng.gamma(2.0, 0.5, firms.count), sales), 2)
    advertising = np.round(
        sales * np.clip(firms.advertising_share * 1.6 * rng.gamma(6.0, 1 / 6.0, firms.count), 0, 0.5), 2
    )
    week.books.weekly["site_refunds"][number] = refunds
    week.books.weekly["site_advertising"][number] = advertising
    week.book("site_payout", (0.971 * sales - refunds) * rate)
    week.pay("site_costs_paid", (0.13 * sales + advertising) * rate)
