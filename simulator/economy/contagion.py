"""How trouble spreads: owners move cash within their group, and guarantors are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.state import Week

_TRANSFER_WEEKS = 4


def move_group_cash(week: Week) -> None:
    """Pool part of the cash of each owner's sellers every fourth week and share it out in proportion to their outflow.

    A seller's cash therefore depends on how its sister sellers do, although no seller data shows it.
    """
    state, setting, network = week.state, week.setting, week.setting.network
    if week.number % _TRANSFER_WEEKS or not len(network.group_ties):
        return
    is_member = (network.group >= 0) & state.is_active & network.group_ties[network.group, 0] & (state.default_day < 0)
    groups = len(network.group_ties)
    group, cash = network.group[is_member], state.cash[is_member]
    outflow = state.weekly_outflow(setting, week.number)[is_member]
    weeks_of_cash = np.bincount(group, cash, groups) / np.maximum(np.bincount(group, outflow, groups), 1.0)
    moved = np.zeros(setting.firms.count)
    moved[is_member] = setting.settings.network.pooled_share * (weeks_of_cash[group] * outflow - cash)
    received = np.asarray(np.floor(np.maximum(moved, 0.0) * 100) / 100, dtype=np.float64)
    offered = np.asarray(np.round(np.maximum(-moved, 0.0), 2), dtype=np.float64)
    sent = _balanced(offered, received, network.group, is_member)
    week.book("group_sent", -sent)
    week.book("group_received", received)


def _balanced(
    sent: NDArray[np.float64], received: NDArray[np.float64], group: NDArray[np.int64], is_member: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Correct the largest sender of each group for rounding, so that the amounts sent and received are equal."""
    at = np.flatnonzero(is_member)
    gap = np.bincount(group[at], received[at] - sent[at], minlength=group.max() + 1)
    order = at[np.lexsort((-sent[at], group[at]))]
    firsts = order[np.unique(group[order], return_index=True)[1]]
    sent = sent.copy()
    sent[firsts] = np.round(sent[firsts] + gap[group[firsts]], 2)
    return sent


def call_guarantees(week: Week, newly_defaulted: NDArray[np.bool_]) -> None:
    """Call the guarantors and the other sellers of the same owner when a seller defaults."""
    state, network, shares = week.state, week.setting.network, week.setting.settings.network
    left = ((state.term - state.dues_passed) * state.instalment * (state.loan >= 0)).sum(axis=1)
    debt = left + state.arrears.sum(axis=1)
    outflow = state.weekly_outflow(week.setting, week.number)
    for kind, payer, debtor, share, weeks in (
        ("guarantee", network.guarantor, network.guaranteed, shares.guarantee_called_share, 0.0),
        ("owner", network.liable, network.liable_for, shares.owner_liable_share, shares.owner_run_weeks),
    ):
        is_called = newly_defaulted[debtor] & state.is_active[payer]
        payers, debtors = payer[is_called], debtor[is_called]
        split = np.bincount(debtors, minlength=len(debt))
        called = np.round(debt[debtors] * share / np.maximum(split[debtors], 1) + weeks * outflow[payers], 2)
        np.add.at(state.guarantee_due, payers, called)
        week.books.add_rows(
            "guarantee_calls", guarantor=payers, guaranteed=debtors, kind=np.full(len(payers), kind),
            week=np.full(len(payers), week.number), called=called,
        )  # fmt: skip


def pay_guarantees(week: Week) -> None:
    """Pay called guarantees, using at most half of what a guarantor can spend in a week."""
    state = week.state
    wanted = np.minimum(state.guarantee_due, 0.5 * state.spendable(week.setting, week.number))
    paid = week.pay("guarantee_paid", wanted)
    state.guarantee_due = np.asarray(np.round(np.maximum(state.guarantee_due - paid, 0.0), 2), dtype=np.float64)
