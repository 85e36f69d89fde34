"""Advances of the marketplace: money lent to some sellers with a payout and withheld from their later payouts.

They are worked out from the finished statements. Owners use the money in their other business and repay it from there,
so that the cash and the trade of every seller are those of the same world without advances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulator.economy.state import FLOWS
from simulator.randomness import scatter, unit_interval
from simulator.text_columns import to_cents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from simulator.economy.state import Books, Setting

    Cents = NDArray[np.int64]
    Columns = dict[str, NDArray[np.generic]]

_LEAST_TOTAL = 10_000  # cents; a smaller payout brings no advance, and nothing is withheld from it
_LARGEST_SHARE = 2  # at most a half of a payout is withheld
_STATEMENTS_BEFORE = 6  # statements that a seller must have before the marketplace lends
_CHANCE, _CHANCE_IF_SHORT = 0.03, 0.10  # that a seller takes an advance with a statement
_SHORT_WEEKS = 2  # a seller with less cash than the sales of so many weeks is short
_FORTNIGHTS = (1.0, 3.0)  # an advance over the mean sales of a statement
_TERM = (6, 18)  # statements over which an advance is repaid
_FEE = (0.04, 0.10)  # of the advance, repaid with it
_ROUND_TO = 10_000  # cents


def book_advances(setting: Setting, books: Books, statements: Columns, default_day: NDArray[np.int64]) -> Columns:
    """Return the statements with advances and repayments in their totals; book the changed deposits in ``books``.

    Args:
        setting: What stays fixed in the world.
        books: Books of the finished simulation; ``flows`` is changed.
        statements: The statements without advances, in order of week.
        default_day: Day of the first default of each seller, -1 for none.

    Returns:
        The columns with ``advance`` and ``repayment`` besides, both positive, in account currency.
    """
    seller, week = statements["seller"].astype(np.int64), statements["week"].astype(np.int64)
    totals = to_cents(statements["total"].astype(np.float64))
    offers = _offers(setting, books, statements, default_day)
    lent, withheld = np.zeros_like(totals), np.zeros_like(totals)
    for at in _by_taker(setting, seller):
        lent[at], withheld[at] = _course(totals[at], {name: values[at] for name, values in offers.items()})
    total = (totals + lent - withheld) / 100
    before = statements["total"].astype(np.float64)
    at = np.flatnonzero((lent + withheld > 0) & (week + 1 < setting.timeline.weeks))
    rates = np.stack([setting.cny_rate(number) for number in range(setting.timeline.weeks)])
    rate = rates[week[at] + 1, seller[at]]
    gained = np.round(total[at] * rate, 2) - np.round(before[at] * rate, 2)
    books.flows[FLOWS.index("marketplace_deposit"), week[at] + 1, seller[at]] += gained
    books.flows[FLOWS.index("advance_passed_on"), week[at] + 1, seller[at]] -= gained
    return {**statements, "total": np.where(lent + withheld > 0, total, before), "advance": lent / 100,
            "repayment": withheld / 100}  # fmt: skip


def _by_taker(setting: Setting, seller: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of the statements of each seller that takes advances, in order of week."""
    rows = np.flatnonzero(setting.firms.takes_advances[seller])
    rows = rows[np.argsort(seller[rows], kind="stable")]
    yield from (part for part in np.split(rows, np.flatnonzero(np.diff(seller[rows])) + 1) if len(part))


def _offers(
    setting: Setting, books: Books, statements: Columns, default_day: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    """Return for each statement the advance taken if nothing speaks against it, cents, its term and its fee, cents."""
    seller, week = statements["seller"].astype(np.int64), statements["week"].astype(np.int64)
    seed = setting.settings.seed
    chance, size, term = (
        unit_interval(scatter(seed, f"advance {name}", seller, week)) for name in ("chance", "size", "term")
    )
    sales = to_cents(statements["principal"].astype(np.float64))
    weekly_sales = books.weekly["sales"][week, seller]
    rates = np.stack([setting.cny_rate(number) for number in range(setting.timeline.weeks)])[week, seller]
    is_short = books.cash[week, seller] < _SHORT_WEEKS * weekly_sales * rates
    is_sound = (default_day[seller] < 0) | (7 * week < default_day[seller])
    takes = is_sound & (chance < np.where(is_short, _CHANCE_IF_SHORT, _CHANCE))
    wanted = sales * (_FORTNIGHTS[0] + (_FORTNIGHTS[1] - _FORTNIGHTS[0]) * size)
    cents = (wanted // _ROUND_TO * _ROUND_TO * takes).astype(np.int64)
    return {
        "advance": cents,
        "term": _TERM[0] + ((_TERM[1] - _TERM[0] + 1) * term).astype(np.int64),
        "fee": advance_fee(seed, seller, week, cents),
    }


def advance_fee(seed: int, seller: NDArray[np.int64], week: NDArray[np.int64], advance: Cents) -> Cents:
    """Return the fee of each advance taken with a statement, cents; it is repaid with the advance."""
    chance = unit_interval(scatter(seed, "advance fee", seller, week))
    fee: Cents = (advance * (_FEE[0] + (_FEE[1] - _FEE[0]) * chance)).astype(np.int64)
    return fee


def _course(totals: Cents, offers: dict[str, NDArray[np.int64]]) -> tuple[Cents, Cents]:
    """Return what is lent to a seller and withheld from it with each of its statements, cents.

    A further advance is taken only when at most half of the last one is owed. It is withheld with the old one.
    """
    lent, withheld = np.zeros_like(totals), np.zeros_like(totals)
    owed = instalment = last = 0
    rows = zip(totals.tolist(), *(offers[name].tolist() for name in ("advance", "term", "fee")), strict=True)
    for place, (total, advance, term, fee) in enumerate(rows):
        if total < _LEAST_TOTAL:
            continue
        withheld[place] = min(instalment, owed, total // _LARGEST_SHARE)
        owed -= int(withheld[place])
        if advance and place >= _STATEMENTS_BEFORE and 2 * owed <= last:
            lent[place] = advance
            owed, last = owed + advance + fee, advance + fee
            instalment = -(-owed // term)
    return lent, withheld
