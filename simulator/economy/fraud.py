"""Fraud scenarios: who commits which kind of fraud and for how long, drawn week by week.

Dishonest sellers and sellers short of cash commit fraud more often. Each case is a row of the event table
``fraud_cases``. The writers of raw files leave its traces, the truth tables list it, and no pipeline stage reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.credit import month_starts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.economy.state import Week
    from simulator.population.network import Network

BRUSHING = "brushing"
INFLATED_TRAFFIC = "inflated_traffic"
OVER_DECLARATION = "over_declaration"
ROUND_TRIP = "round_trip"
WITHHELD_SOURCE = "withheld_source"
LOAN_DIVERTED = "loan_diverted"
BORROWED_IDENTITY = "borrowed_identity"
DOUBLE_PLEDGE = "double_pledge"
FORGED_TRADE = "forged_trade"
# Kinds drawn week by week; a withheld source is withheld from the first day to the last.
KINDS: tuple[str, ...] = (
    BRUSHING, INFLATED_TRAFFIC, OVER_DECLARATION, ROUND_TRIP, LOAN_DIVERTED, BORROWED_IDENTITY, DOUBLE_PLEDGE,
    FORGED_TRADE,
)  # fmt: skip
TABLE = "fraud_cases"  # the event table
_STREAM = "lies"  # the name decides the draws: another name would make another world
_REVIEW_WEEKS = 4  # weeks between two reviews of whether to start a fraud
_SHORTEST_WEEKS = 13
_LARGEST_RING = 4
_NOBODY = -1
_NEGLECT = 0.65  # weekly factor on the expected sales of a neglected trade


def start_cases(week: Week) -> None:
    """Start fraud cases: about new loans in every week, all other kinds every four weeks."""
    tempted = _temptation(week)
    _about_loans(week, tempted)
    _neglect_trade(week)
    if week.number % _REVIEW_WEEKS:
        return
    settings, firms, state = week.setting.settings.fraud, week.setting.firms, week.state
    sells_on_site = state.is_active & (firms.site_week <= week.number)
    for kind, may, yearly_rate, sizes in (
        (BRUSHING, sells_on_site & firms.is_brusher, settings.brushing_rate, (0.8, 2.8)),
        (INFLATED_TRAFFIC, sells_on_site, settings.inflated_traffic_rate, (1.5, 6.0)),
        (OVER_DECLARATION, state.is_active, settings.over_declaration_rate, (0.4, 1.7)),
        (FORGED_TRADE, state.is_active, settings.forged_trade_rate, (0.25, 0.9)),
    ):
        starts = _chances(week) < yearly_rate * _REVIEW_WEEKS / 52 * tempted
        at = np.flatnonzero(may & ~_is_open(week, kind) & starts)
        _record(week, kind, at, _lengths(week)[at], size=week.rng(_STREAM).uniform(*sizes, firms.count)[at])
    _borrow_identities(week)
    _round_trip(week, tempted)


def _chances(week: Week) -> NDArray[np.float64]:
    """Draw a number in [0, 1) for each seller."""
    return week.rng(_STREAM).random(week.setting.firms.count)


def _temptation(week: Week) -> NDArray[np.float64]:
    """Return a factor on all fraud rates, about 1 on average; it rises with dishonesty and with shortage of cash."""
    state, firms = week.state, week.setting.firms
    outflow = np.maximum(state.weekly_outflow(week.setting, week.number), 1.0)
    strain = np.clip(1.2 - state.cash / (4.0 * outflow), 0.0, 1.5)
    factor: NDArray[np.float64] = np.exp(-0.8 * firms.honesty - 0.32) * (0.6 + 1.2 * strain)
    return factor


def _is_open(week: Week, kind: str) -> NDArray[np.bool_]:
    """Return which sellers have an open case of a kind, shape (sellers,)."""
    is_open = np.zeros(week.setting.firms.count, dtype=bool)
    for part in week.books.rows.get(TABLE, []):
        in_force = (part["kind"] == kind) & (part["end_week"].astype(np.int64) > week.number)
        is_open[part["seller"][in_force].astype(np.int64)] = True
    return is_open


def _lengths(week: Week) -> NDArray[np.int64]:
    """Draw the length in weeks of a case that starts now, at least thirteen, shape (sellers,)."""
    longer = week.rng(_STREAM).exponential(week.setting.settings.fraud.mean_weeks, week.setting.firms.count)
    return _SHORTEST_WEEKS + np.floor(longer).astype(np.int64)


def _record(
    week: Week, kind: str, seller: NDArray[np.int64], weeks: NDArray[np.int64], **more: NDArray[np.generic]
) -> None:
    """Record cases with their ``size`` and, where the kind has one, the ``other`` seller or the ``loan``."""
    nobody = np.full(len(seller), _NOBODY)
    columns = {"other": nobody, "loan": nobody, **more}
    week.books.add_rows(
        TABLE, seller=seller, week=np.full(len(seller), week.number), end_week=week.number + weeks,
        kind=np.full(len(seller), kind), other=columns["other"], loan=columns["loan"],
        size=np.round(columns["size"].astype(np.float64), 3),
    )  # fmt: skip


def _about_loans(week: Week, tempted: NDArray[np.float64]) -> None:
    """Start cases about new loans: money diverted from the business, and receivables pledged a second time."""
    state, settings = week.state, week.setting.settings.fraud
    seller, slot = np.nonzero(_is_new_loan(week))
    chance, share, second = (_chances(week)[seller] for _ in range(3))
    goes = chance < settings.loan_diversion_share * tempted[seller]
    at, loan, share = seller[goes], state.loan[seller, slot], 0.5 + 0.45 * share[goes]
    _divert(week, at, share * (state.instalment * state.term)[at, slot[goes]])
    _record(week, LOAN_DIVERTED, at, np.full(len(at), _SHORTEST_WEEKS), size=share, loan=loan[goes])
    has_another = (state.loan[seller] >= 0).sum(axis=1) > 1
    twice = has_another & (second < settings.double_pledge_share * tempted[seller])
    at = seller[twice]
    half_year = np.full(len(at), 2 * _SHORTEST_WEEKS)
    _record(week, DOUBLE_PLEDGE, at, half_year, size=np.ones(len(at)), loan=loan[twice])


def _is_new_loan(week: Week) -> NDArray[np.bool_]:
    """Return the loans paid out this week, shape (sellers, slots); days 29 to 31 of a month count as day 28."""
    state = week.state
    starts = month_starts(week.setting.timeline.first_day)
    day = starts[state.first_month] + state.day_of_month - 1
    is_new: NDArray[np.bool_] = (state.loan >= 0) & (state.dues_passed == 0) & (day // 7 == week.number)
    return is_new


def _divert(week: Week, seller: NDArray[np.int64], amount: NDArray[np.float64]) -> None:
    """Move money to the owner's other business and lower the seller's demand, since the owner's time goes with it."""
    taken = np.zeros(week.setting.firms.count)
    taken[seller] = amount
    week.book("owner_drawn", -taken)
    week.state.level[seller] -= 0.12


def _neglect_trade(week: Week) -> None:
    """Lower the expected sales of sellers with a diverted loan for a quarter, so that they order hardly any goods."""
    for part in reversed(week.books.rows.get(TABLE, [])):
        if int(part["week"][0]) <= week.number - _SHORTEST_WEEKS:
            break
        week.state.expected[part["seller"][part["kind"] == LOAN_DIVERTED].astype(np.int64)] *= _NEGLECT


def _borrow_identities(week: Week) -> None:
    """Let some new sellers sign up on the device of an unrelated seller and use it as long as they trade."""
    setting, firms, state = week.setting, week.setting.firms, week.state
    age = week.number - firms.entry_week
    is_new = state.is_active & (age >= 0) & (age < _REVIEW_WEEKS)
    share = setting.settings.fraud.borrowed_identity_share * np.exp(-0.8 * firms.honesty - 0.32)
    chance, pick = _chances(week), _chances(week)
    at, hosts = np.flatnonzero(is_new & (chance < share)), np.flatnonzero(state.is_active & ~is_new)
    if not len(at) or not len(hosts):
        return
    other, group = hosts[np.floor(pick[at] * len(hosts)).astype(np.int64)], setting.network.group
    is_stranger = (group[at] < 0) | (group[at] != group[other])
    at, other = at[is_stranger], other[is_stranger]
    to_the_end = np.full(len(at), setting.timeline.weeks - week.number)
    _record(week, BORROWED_IDENTITY, at, to_the_end, size=np.ones(len(at)), other=other)


def rings(network: Network) -> NDArray[np.int64]:
    """Return who could invoice whom in a ring: number of the group or guarantee circle, or -1, shape (sellers,)."""
    ring = network.group.copy()
    in_circle = network.circle >= 0
    ring[network.guarantor[in_circle]] = len(network.group_ties) + network.circle[in_circle]
    return ring


def _round_trip(week: Week, tempted: NDArray[np.float64]) -> None:
    """Start rings of related sellers that invoice one another; the most tempted member sets the rate."""
    ring, rng, settings = rings(week.setting.network), week.rng(_STREAM), week.setting.settings.fraud
    members = np.flatnonzero((ring >= 0) & week.state.is_active & ~_is_open(week, ROUND_TRIP))
    rate = np.zeros(int(ring.max(initial=0)) + 1)
    np.maximum.at(rate, ring[members], tempted[members])
    starts = rng.random(len(rate)) < rate * settings.round_trip_rate * _REVIEW_WEEKS / 52
    weeks, size = _lengths(week), rng.uniform(0.25, 1.0, week.setting.firms.count)
    for number in np.flatnonzero(starts):
        firms = members[ring[members] == number][:_LARGEST_RING]
        if len(firms) > 1:
            first = np.full(len(firms), firms[0])  # members start, trade and end together
            _record(week, ROUND_TRIP, firms, weeks[first], size=size[first], other=np.roll(firms, -1))
