"""Running costs, the owner's withdrawals, the owner's other business, and rescues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.state import Week

_DRAW_WEEKS = 4


def pay_running_costs(week: Week) -> None:
    """Pay payroll, rent and tax.

    Fixed costs rise faster than they fall. A seller that cannot pay them loses staff and some sales.
    """
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    target = firms.fixed_cost_share * state.long_expected * setting.reference_rate(week.number)
    step = np.clip(target / np.maximum(state.fixed_cost, 1.0) - 1, -0.010, 0.03)
    state.fixed_cost = np.round(state.fixed_cost * np.where(state.is_active, 1 + step, 1.0), 2)
    wanted = state.fixed_cost * state.is_active * np.where(state.is_winding_down, 0.3, 1.0)
    paid = week.pay("payroll_and_rent_paid", wanted)
    is_short = paid < wanted - 0.01
    state.fixed_cost = np.where(is_short, state.fixed_cost * 0.96, state.fixed_cost)
    state.level = np.where(is_short, state.level - 0.006, state.level)
    weekly = week.books.weekly
    sales = weekly["sales"][number] + weekly["site_sales"][number] + weekly["hosted_sales"][number]
    week.pay("tax_paid", setting.settings.economy.tax_share * sales * setting.cny_rate(number))


def draw(week: Week) -> None:
    """Let owners withdraw cash every fourth week: part of the surplus, or most of what is left after a default."""
    state, setting, firms = week.state, week.setting, week.setting.firms
    may = ((np.arange(firms.count) + week.number) % _DRAW_WEEKS == 1) & state.is_active
    spare = np.maximum(state.cash - firms.discipline * state.weekly_outflow(setting, week.number), 0.0)
    fleeing = np.maximum(state.cash, 0.0) * (state.default_day >= 0)
    week.book("owner_drawn", -np.where(may, np.maximum(0.40 * spare, 0.8 * fleeing), 0.0))


def run_other_business(week: Week) -> None:
    """Book the net income of the owner's other business, which carries debt too and appears in no seller data."""
    state, setting, firms, economy = week.state, week.setting, week.setting.firms, week.setting.settings.economy
    rng = week.rng("other")
    step = economy.other_business_sd / np.sqrt(52) * rng.standard_normal(firms.count)
    state.other_trend += (step - 0.006 * state.other_trend) * state.is_active
    sales = firms.other_share * np.exp(firms.log_level) * setting.reference_rate(week.number)
    margin = economy.other_business_margin + 0.25 * state.other_trend + 0.08 * rng.standard_normal(firms.count)
    income = sales * margin * state.is_active * ~state.is_winding_down
    week.book("other_business", np.maximum(income, -state.spendable(setting, week.number)))


def rescue(week: Week) -> None:
    """Book capital that owners put into sellers in arrears: the overdue amount plus some weeks of outflow.

    Sellers whose goods are mostly being recalled get no help. Help is rarer when another seller of the same owner is in
    default.
    """
    state, setting, firms = week.state, week.setting, week.setting.firms
    late = state.arrears.sum(axis=1)
    # An owner without means may still get help from a relative or a lender.
    economy = setting.settings.economy
    chance = economy.stranger_rescue_rate + economy.rescue_rate * firms.backing
    chance = np.where(week.number >= state.shunned_until, chance, 0.0)
    chance *= np.where(_has_defaulted_sister(week), setting.settings.network.rescue_after_group_default, 1.0)
    is_rescued = (late > 0.004) & (state.default_day < 0) & (week.rng("rescue").random(firms.count) < chance)
    needed = late - np.minimum(state.cash, 0.0) + 4 * state.weekly_outflow(setting, week.number)
    week.book("owner_capital", np.where(is_rescued & (state.cash < late), needed, 0.0))


def _has_defaulted_sister(week: Week) -> NDArray[np.bool_]:
    """Return whether another seller of the same owner is in default, shape (sellers,)."""
    network = week.setting.network
    found = np.zeros(week.setting.firms.count, dtype=bool)
    found[network.liable[week.state.default_day[network.liable_for] >= 0]] = True
    return found
