"""Incidents of single sellers: suspension, recall or IP claim, outside loss, failed supplier, faulty batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.state import ACCOUNT_ITEMS, REPORT_ITEMS, Week

if TYPE_CHECKING:
    from numpy.typing import NDArray

_USUAL_RETURNS = 0.05  # refunds over sales at which faulty batches come at the rate of the settings
_MOST_RETURNS = 0.15  # refunds over sales above which the rate stays the same
_RETURNS_POWER = 3.0  # exponent of refunds over the usual ones in the rate of faulty batches
_BATCH_COST_WEEKS = 25.0  # mean cost of recalling all goods, in weeks of outflow
_MOST_OF_THE_GOODS = 0.65  # recalled share above which the seller gets no help
_SHUNNED_WEEKS = 20


def suspend(week: Week) -> None:
    """Suspend marketplace accounts for some weeks, a few for good; crackdowns hit the dishonest more often."""
    state, setting, firms, number = week.state, week.setting, week.setting.firms, week.number
    rng, count = week.rng("incidents"), firms.count
    rate = setting.settings.economy.suspension_rate / 52 * np.exp(-0.60 * state.quality - 0.25 * firms.honesty)
    crackdown = np.where((firms.honesty < -0.6) | firms.is_brusher, setting.shocks.suspension[number], 1.0)
    is_hit = (rng.random(count) < rate * crackdown) & state.is_active & (number >= state.suspended_until)
    is_hit &= firms.has_marketplace
    length = np.where(rng.random(count) < 0.25, 400, rng.integers(3, 15, count))
    state.suspended_until = np.where(is_hit, number + length, state.suspended_until)
    state.level -= is_hit * rng.uniform(0.0, 0.5, count) * (1 - firms.hosted_share)
    note(week, is_hit, "suspension", length.astype(np.float64))


def claim(week: Week) -> None:
    """Book recalls and IP claims: part of the stock is lost, the account is charged and legal costs are paid."""
    state, setting, firms = week.state, week.setting, week.setting.firms
    rng, count = week.rng("incidents"), firms.count
    rate = setting.settings.economy.claim_rate / 52 * np.exp(-0.55 * state.quality)
    is_hit = (rng.random(count) < rate) & state.is_active
    lost = rng.uniform(0.15, 0.6, count)
    state.stock *= 1 - is_hit * lost
    penalty = np.round(is_hit * state.expected * rng.uniform(0.3, 1.5, count), 2)
    state.account[ACCOUNT_ITEMS.index("penalty")] += np.where(firms.has_marketplace, penalty, 0.0)
    state.report[REPORT_ITEMS.index("fines")] += np.where(firms.has_marketplace, 0.0, penalty)
    week.pay("claim_paid", is_hit * state.weekly_outflow(setting, week.number) * rng.uniform(0.5, 2.0, count))
    state.level -= is_hit * rng.uniform(0.05, 0.4, count)
    note(week, is_hit, "claim", lost)


def lose_outside(week: Week) -> None:
    """Book debts that arise outside the trade (another business, private loans, a fraud) and appear in no seller data.

    Creditors collect them week by week, ahead of the lenders. An owner of several sellers who is in trouble strips them
    of cash one after another and spares some. Trouble at one seller therefore predicts trouble at its sister sellers.
    """
    state, setting, firms = week.state, week.setting, week.setting.firms
    rng, count = week.rng("outside"), firms.count
    is_hit = _lost_outside(week, rng) & state.is_active
    weeks = np.exp(2.5 + 0.7 * rng.standard_normal(count))
    state.outside_due += np.round(is_hit * state.weekly_outflow(setting, week.number) * weeks, 2)
    paid = week.pay("outside_loss", np.minimum(state.outside_due, 0.7 * state.spendable(setting, week.number)))
    state.outside_due = np.round(np.maximum(state.outside_due - paid, 0.0) * state.is_active, 2)
    note(week, is_hit, "outside loss", weeks)


def _lost_outside(week: Week, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which sellers lose money now: single sellers at once, sellers of one owner one after another."""
    state, setting, firms, network = week.state, week.setting, week.setting.firms, week.setting.network
    options = setting.settings.network
    rate = setting.settings.economy.outside_loss_rate / 52 * np.exp(-0.3 * firms.honesty)
    rate *= setting.shocks.outside[week.number]
    shares_owner = (network.group >= 0) & np.append(network.group_ties[:, 0], False)[network.group]
    owner_draw = rng.random(len(network.group_ties) + 1)[network.group]
    state.is_to_be_stripped |= shares_owner & (owner_draw < rate * options.owner_risk_factor)
    draw = rng.random(firms.count)
    is_stripped = state.is_to_be_stripped & (draw < options.stripping_rate)
    recovers = rng.random(firms.count) < options.owner_recovery_rate
    state.is_to_be_stripped &= ~is_stripped & ~recovers
    is_hit: NDArray[np.bool_] = np.where(shares_owner, is_stripped, draw < rate)
    return is_hit


def fail_suppliers(week: Week) -> None:
    """Let suppliers fail; their customers lose the goods on order, deposit included."""
    state, setting, network = week.state, week.setting, week.setting.network
    rng = week.rng("suppliers")
    failed = rng.random(network.supplier_count) < setting.settings.economy.supplier_failure_rate / 52
    share = (failed[network.suppliers] * (network.suppliers >= 0) * network.supplier_weights).sum(axis=1)
    is_hit = (share > 0.02) & state.is_active
    state.arriving *= 1 - np.where(is_hit, share, 0.0)
    state.balance_due = np.round(state.balance_due * (1 - np.where(is_hit, share, 0.0)), 2)
    note(week, is_hit, "supplier failure", share)


def spoil_batches(week: Week) -> None:
    """Recall faulty batches: the goods of one supplier are taken back from stock, from transit and from buyers.

    Faulty batches hit sellers with high returns far more often, and all sellers in the dated months in which makers
    save on materials. A seller with several suppliers goes on selling the goods of the others. A seller that depends on
    one supplier has nothing to sell, still owes for the goods, and gets no help for some weeks.
    """
    state, setting, firms, network = week.state, week.setting, week.setting.firms, week.setting.network
    rng, count = week.rng("batches"), firms.count
    returns = np.minimum(state.refund_share(firms), _MOST_RETURNS) / _USUAL_RETURNS
    rate = setting.settings.economy.faulty_batch_rate / 52 * setting.shocks.faulty_batches[week.number]
    rate = rate * returns**_RETURNS_POWER
    is_hit = (rng.random(count) < rate) & state.is_active
    draw, at = rng.random(count), np.flatnonzero(is_hit)
    weights = network.supplier_weights[at]
    supplier = (draw[at, None] > np.cumsum(weights, axis=1)[:, :-1]).sum(axis=1)
    share = np.zeros(count)
    share[at] = weights[np.arange(len(at)), supplier]
    state.stock *= 1 - share
    state.arriving[:, at] *= 1 - share[at]
    cost = share * state.weekly_outflow(setting, week.number) * _BATCH_COST_WEEKS
    week.pay("claim_paid", cost * rng.uniform(0.5, 1.5, count))
    state.level -= 1.5 * share * rng.uniform(0.5, 1.5, count)
    is_shunned = share > _MOST_OF_THE_GOODS
    state.shunned_until = np.where(is_shunned, week.number + _SHUNNED_WEEKS, state.shunned_until)
    note(week, is_hit, "faulty batch", share)


def note(week: Week, is_hit: NDArray[np.bool_], kind: str, size: NDArray[np.float64]) -> None:
    """Record which sellers an incident hit this week, its kind and its size; arrays of shape (sellers,)."""
    at = np.flatnonzero(is_hit)
    week.books.add_rows(
        "incidents", seller=at, week=np.full(len(at), week.number), kind=np.full(len(at), kind), size=size[at]
    )
