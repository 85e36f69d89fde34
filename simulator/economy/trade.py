"""Demand, stock and purchasing: what sellers sell, what they order from suppliers, and when goods arrive."""

from __future__ import annotations

import numpy as np

from simulator.economy.state import ACCOUNT_ITEMS, REPORT_ITEMS, RING, Week

PRODUCTION_WEEKS = 3
TRANSIT_WEEKS = 4
DEPOSIT_SHARE = 0.3
_REVIEW_WEEKS = 4
_COVER_WEEKS = 14


def enter(week: Week) -> None:
    """Let sellers of this entry week start with capital, stock, and fixed costs for the sales they expect."""
    state, firms, economy = week.state, week.setting.firms, week.setting.settings.economy
    new = firms.entry_week == week.number
    sales = np.exp(firms.log_level)
    state.is_active |= new
    state.expected = np.where(new, sales, state.expected)
    state.long_expected = np.where(new, sales, state.long_expected)
    rate = week.setting.reference_rate(week.number)
    state.stock = np.where(new, economy.entry_stock_weeks * sales * firms.goods_cost_share * rate, state.stock)
    state.fixed_cost = np.where(new, np.round(firms.fixed_cost_share * sales * rate, 2), state.fixed_cost)
    week.book(
        "owner_capital", np.where(new, firms.entry_cash_weeks * state.weekly_outflow(week.setting, week.number), 0.0)
    )


def drift(week: Week) -> None:
    """Advance hidden quality, the sales level and demand noise by a week; lost and hit listings make the level jump."""
    state, firms, economy = week.state, week.setting.firms, week.setting.settings.economy
    rng, count = week.rng("demand"), firms.count
    persistence = economy.quality_persistence
    state.quality = persistence * state.quality + np.sqrt(1 - persistence**2) * rng.standard_normal(count)
    trend = (economy.annual_quality_drift * state.quality + economy.annual_growth) / 52
    step = economy.annual_level_sd / np.sqrt(52) * rng.standard_normal(count)
    lost = rng.random(count) < economy.listing_loss_rate / 52 * np.exp(-0.65 * state.quality)
    hit = rng.random(count) < economy.listing_hit_rate / 52 * np.exp(0.35 * state.quality)
    jump = hit * rng.uniform(0.15, 0.6, count) - lost * rng.uniform(0.2, 1.7, count)
    pull = -0.004 * (state.level - firms.log_level)
    state.level += np.where(state.is_active, trend + step + jump + pull, 0.0)
    state.level -= 0.12 * state.is_winding_down
    state.noise = 0.75 * state.noise + firms.noise_sd * rng.standard_normal(count)


def receive_goods(week: Week) -> None:
    """Add arriving goods to stock and pay import duty on the part of their value that customs assesses."""
    state, slot = week.state, week.number % RING
    goods = state.arriving[slot].copy()
    state.arriving[slot] = 0.0
    firms = week.setting.firms
    tariff = week.setting.shocks.tariff[firms.market, firms.category, week.number]
    is_importer = 1 - firms.full_hosted_share  # a full hosted platform imports what it sells
    week.pay("duty_paid", goods * tariff * 0.8 * is_importer)
    state.stock += goods


def sell(week: Week) -> None:
    """Sell as much as demand asks and stock allows on the marketplace, the hosted platform and the own site."""
    state, setting, books = week.state, week.setting, week.books
    firms, number = setting.firms, week.number
    demand = np.exp(state.level + state.noise) * setting.season(number)
    demand *= setting.shocks.demand[firms.market, firms.category, number] * state.is_active
    site_noise = np.exp(0.25 * week.rng("site").standard_normal(firms.count))
    growth = np.clip((number - firms.site_week + 4) / 40, 0, 1)
    site_demand = demand * firms.site_share * growth * site_noise * np.exp(0.15 * state.quality)
    hosted_demand = demand * firms.hosted_share * (number >= state.delisted_until)
    demand = demand * (1 - firms.hosted_share) * (number >= state.suspended_until)
    unit_cost = firms.goods_cost_share * setting.reference_rate(week.number)
    asked = demand + hosted_demand + site_demand
    filled = np.minimum(1.0, state.stock / np.maximum(asked * unit_cost, 1e-9))
    sales, site_sales = np.round(demand * filled, 2), np.round(site_demand * filled, 2)
    state.stock = np.maximum(state.stock - asked * filled * unit_cost, 0.0)
    hosted_sales = np.round(hosted_demand * filled * firms.hosted_price_share * state.hosted_price, 2)
    books.weekly["demand"][number] = demand
    books.weekly["hosted_sales"][number] = hosted_sales
    state.report[REPORT_ITEMS.index("sales")] += hosted_sales
    books.weekly["sales"][number] = sales
    books.weekly["site_sales"][number] = site_sales
    books.weekly["quality"][number] = state.quality
    books.weekly["stock"][number] = state.stock
    state.account[ACCOUNT_ITEMS.index("principal")] += sales
    seen = asked / setting.season(number)
    is_selling = state.is_active & (asked > 0)
    state.expected += np.where(is_selling, 0.13 * (seen - state.expected), 0.0)
    state.long_expected += np.where(is_selling, 0.03 * (seen - state.long_expected), 0.0)


def order_goods(week: Week) -> None:
    """Order goods every fourth week for the expected sales of the next 14 weeks, as far as money allows."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    is_review = (np.arange(firms.count) + number) % _REVIEW_WEEKS == 0
    ahead = sum(setting.season(number + later) for later in range(_COVER_WEEKS))
    wanted = firms.optimism * state.expected * ahead * firms.goods_cost_share * setting.reference_rate(week.number)
    position = state.stock + state.arriving.sum(axis=0)
    inflow = 3.2 * state.expected * firms.revenue_share * setting.cny_rate(number) * setting.season(number)
    owed = state.balance_due.sum(axis=0) + 4 * state.fixed_cost + state.instalment.sum(axis=1) + state.guarantee_due
    affordable = np.maximum(np.maximum(state.cash, 0.0) + inflow - owed, 0.0)
    is_open = (number >= state.suspended_until - 4) | (firms.hosted_share * (number >= state.delisted_until - 4) > 0)
    may = is_review & state.is_active & ~state.is_winding_down & is_open
    cost = np.where(may, np.minimum(np.maximum(wanted - position, 0.0), affordable), 0.0)
    cost = np.where(cost > 1_500.0, np.round(cost, 2), 0.0)
    deposit = week.pay("supplier_paid", cost * DEPOSIT_SHARE)
    placed = np.round(deposit / DEPOSIT_SHARE, 2)
    ordered = np.flatnonzero(placed > 1_000.0)
    due = number + PRODUCTION_WEEKS + firms.supplier_credit_weeks[ordered]
    state.balance_due[due % RING, ordered] += np.round(placed[ordered] - deposit[ordered], 2)
    lead = PRODUCTION_WEEKS + TRANSIT_WEEKS + round(float(setting.shocks.lead_time[number]))
    state.arriving[(number + lead) % RING, ordered] += placed[ordered]
    week.books.add_rows(
        "orders", seller=ordered, week=np.full(len(ordered), number), cost=placed[ordered], deposit=deposit[ordered],
        arrival_week=np.full(len(ordered), number + lead),
    )  # fmt: skip


def pay_suppliers(week: Week) -> None:
    """Pay supplier balances and freight that fall due; unpaid balances reduce the goods that arrive."""
    state, setting, slot = week.state, week.setting, week.number % RING
    due = state.balance_due[slot].copy()
    state.balance_due[slot] = 0.0
    paid = week.pay("supplier_paid", due)
    unpaid = due - paid
    short = np.flatnonzero(unpaid > 1.0)
    cut = np.minimum(unpaid[short] / np.maximum(state.arriving[:, short].sum(axis=0), 1.0), 1.0)
    state.arriving[:, short] *= 1 - cut
    # A full hosted platform takes the goods over in China: the seller pays for a lorry, not for a container.
    abroad = 1 - 0.85 * setting.firms.full_hosted_share
    freight = setting.settings.economy.freight_share * setting.shocks.freight[week.number] / 0.7
    week.pay("freight_paid", freight * due * abroad)
    paying = np.flatnonzero(paid > 0)
    week.books.add_rows("balances", seller=paying, week=np.full(len(paying), week.number), paid=paid[paying])
