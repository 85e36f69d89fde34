"""Future sales and payouts of each channel: level, season, share that is earned, and the payout schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lending.cash_forecast.peers import SEASON_WEEKS
from lending.cash_forecast.settings import DAYS, HISTORY_WEEKS, WEEKS

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from lending.cash_forecast.figures import Channels
    from lending.cash_forecast.peers import PeerFigures
    from lending.cash_forecast.settings import CashForecastSettings

    Floats = NDArray[np.float64]

_LEVEL_WEEKS: Final = 10
_USUAL_WEEKS: Final = 52
_NET_WEEKS: Final = 26
_NET_SHRINKAGE_WEEKS: Final = 8.0
_STRENGTH_SHRINKAGE: Final = 2.0
_NOISE_SHRINKAGE: Final = 4.0
_BLOCK: Final = 4
_SETTLING_WEEKS: Final = 2
_USUAL_GAP: Final = 14.0
_BEFORE: Final = 160
_AHEAD_WEEKS: Final = 26
_NOISE_WEEKS: Final = 24


@dataclass(frozen=True)
class Outlook:
    """What is forecast of sales, one row a seller; US dollars.

    Attributes:
        usual: mean weekly sales of the last year.
        noise: variation of four weeks of sales around level and season.
        payouts: payouts of sales not settled yet arriving by the end of each week, shape (sellers, weeks).
        withheld: advances withheld from payouts by the end of each week.
        released: reserves held at the date, less the reserves held at the end of each week.
        reserve: reserves held at the date.
        sales: sales expected in each of the next 26 weeks, shape (sellers, 26).
    """

    usual: Floats
    noise: Floats
    payouts: Floats
    withheld: Floats
    released: Floats
    reserve: Floats
    sales: Floats


def week_of_year(day: dt.date, weeks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the week of the year (0 to 51) in which each week counted from a day ends."""
    ends = np.datetime64(day, "D") + 7 * weeks
    of_year = (ends - ends.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    found: NDArray[np.int64] = np.minimum(of_year // 7, SEASON_WEEKS - 1)
    return found


def sales_outlook(
    channels: Channels, sellers: int, day: dt.date, peers: PeerFigures, settings: CashForecastSettings
) -> Outlook:
    """Return sales and payouts of sellers from their own history, shrunk to their peers."""
    past = peers.season_array()[week_of_year(day, -np.arange(HISTORY_WEEKS))]
    ahead = peers.season_array()[week_of_year(day, np.arange(1, _AHEAD_WEEKS + 1))]
    is_known = _known_weeks(channels)
    strength = _season_strength(channels.sales, is_known, past)
    own_past, own_ahead = (np.maximum(1 + strength * (each - 1), 0.2) for each in (past, ahead))
    plain = channels.sales / own_past
    level = _level(plain, is_known) * (channels.last_sale >= -settings.stopped_after_days)
    noise = _noise(plain, is_known, peers)
    net = _net_share(channels, peers)
    expected = level[:, None] * own_ahead
    payouts, withheld, released = _payouts(channels, level[:, None] * own_past, expected, net)
    lived = np.clip(1 - np.nan_to_num(channels.first_sale) / 7, 4, _USUAL_WEEKS)

    def by_seller(values: Floats) -> Floats:
        found = np.zeros((sellers, *values.shape[1:]))
        np.add.at(found, channels.seller, values)
        return found

    weighted = by_seller(noise * level) / np.maximum(by_seller(level), 1e-9)
    return Outlook(
        usual=by_seller(channels.sales[:, :_USUAL_WEEKS].sum(axis=1) / lived),
        noise=np.where(by_seller(level) > 0, weighted, peers.sales_noise[1]),
        payouts=by_seller(payouts), withheld=by_seller(withheld), released=by_seller(released),
        reserve=by_seller(channels.held), sales=by_seller(expected),
    )  # fmt: skip


def _known_weeks(channels: Channels) -> NDArray[np.bool_]:
    """Return which past weeks of a channel lie wholly between its first and its last known sale."""
    ends = -7 * np.arange(HISTORY_WEEKS)
    last, first = np.nan_to_num(channels.last_sale, nan=-1e9), np.nan_to_num(channels.first_sale, nan=1e9)
    found: NDArray[np.bool_] = (ends - 3 <= last[:, None]) & (ends - 6 >= first[:, None] - 3)
    return found


def _season_strength(sales: Floats, is_known: NDArray[np.bool_], season: Floats) -> Floats:
    """Return how strongly each channel follows the season of its peers: 1 without history, shape (channels, 1)."""
    usual = np.zeros_like(sales)
    for start in range(0, HISTORY_WEEKS, _USUAL_WEEKS):
        part = slice(start, start + _USUAL_WEEKS)
        mean = (sales * is_known)[:, part].sum(axis=1) / np.maximum((season * is_known)[:, part].sum(axis=1), 1)
        usual[:, part] = mean[:, None]
    use = is_known & (usual > 0)
    move = np.where(use, np.clip(sales / np.maximum(usual, 1e-9) - 1, -1, 3), 0.0)
    shape = np.where(use, season - 1, 0.0)
    strength = ((move * shape).sum(axis=1) + _STRENGTH_SHRINKAGE) / ((shape**2).sum(axis=1) + _STRENGTH_SHRINKAGE)
    return np.asarray(np.clip(strength, 0.0, 2.5)[:, None])


def _level(plain: Floats, is_known: NDArray[np.bool_]) -> Floats:
    """Return the mean of the newest known weeks without season."""
    chosen = is_known & (np.cumsum(is_known, axis=1) <= _LEVEL_WEEKS)
    found: Floats = (plain * chosen).sum(axis=1) / np.maximum(chosen.sum(axis=1), 1)
    return found


def blocks_of_weeks(weekly: Floats) -> Floats:
    """Return means of four weeks for the last half year: statements lump sales, so single weeks show nothing."""
    kept = weekly[..., _SETTLING_WEEKS : _SETTLING_WEEKS + _NOISE_WEEKS]
    return np.asarray(kept.reshape(*kept.shape[:-1], _NOISE_WEEKS // _BLOCK, _BLOCK).mean(axis=-1))


def _noise(plain: Floats, is_known: NDArray[np.bool_], peers: PeerFigures) -> Floats:
    """Return the relative variation of blocks of weeks around their mean, shrunk to the peers'."""
    chosen = blocks_of_weeks(is_known.astype(np.float64)) == 1
    values, count = blocks_of_weeks(plain), chosen.sum(axis=1)
    mean = (values * chosen).sum(axis=1) / np.maximum(count, 1)
    square = (((values - mean[:, None]) ** 2) * chosen).sum(axis=1) / np.maximum(mean, 1e-9) ** 2
    prior = np.where(count > 0, peers.sales_noise[0], peers.sales_noise[1]) ** 2
    return np.asarray(
        np.sqrt((np.minimum(square, 4.0 * count) + prior * _NOISE_SHRINKAGE) / (count + _NOISE_SHRINKAGE))
    )


def _net_share(channels: Channels, peers: PeerFigures) -> Floats:
    """Return earnings over sales of the last half year, shrunk to the peers'."""
    sales, earned = (values[:, :_NET_WEEKS].sum(axis=1) for values in (channels.sales, channels.earned))
    prior = sales / _NET_WEEKS * _NET_SHRINKAGE_WEEKS
    share = (earned + prior * peers.net_share) / np.maximum(sales + prior, 1e-9)
    return np.where(sales > 0, np.clip(share, 0.0, 1.0), peers.net_share)


def _payouts(channels: Channels, past: Floats, ahead: Floats, net: Floats) -> tuple[Floats, Floats, Floats]:
    """Return cumulative payouts of unsettled sales, advances withheld and reserves set free, by week.

    Each payout covers the sales of one gap between payouts, a lag before it; sales settled already are left out, for
    their payout is known. The reserve follows the earnings of each payout.
    """
    gap = np.clip(np.nan_to_num(channels.gap, nan=_USUAL_GAP), 7.0, 35.0)
    lag = np.clip(np.nan_to_num(channels.lag, nan=_USUAL_GAP), 1.0, _BEFORE - 40.0)
    last = np.clip(np.nan_to_num(channels.last_payout, nan=0.0), -gap, DAYS)
    settled_to = np.clip(np.nan_to_num(channels.last_sale, nan=0.0) + 3, -float(_BEFORE - 2), 0.0)
    earned = _cumulated(past, ahead) * net[:, None]
    usual = net * past[:, :_LEVEL_WEEKS].mean(axis=1) * gap / 7
    share = np.clip(np.where(usual > 0, channels.held / np.maximum(usual, 1e-9), 0.0), 0.0, 0.9)
    per_payout = channels.withheld / np.maximum(np.nan_to_num(channels.payouts, nan=0.0), 1)
    paid, kept, freed = (np.zeros((len(net), WEEKS)) for _ in range(3))
    held, owed = channels.held.copy(), channels.advance_owed.copy()
    rows = np.arange(len(net))
    for number in range(1, WEEKS + 1):
        on = last + gap * number
        week = np.floor((np.maximum(on, 1) - 1) / 7).astype(np.int64)
        is_due = (on >= 1) & (week < WEEKS)
        to = on - lag + gap / 2
        amount = np.maximum(_at(earned, to) - _at(earned, np.maximum(to - gap, settled_to)), 0.0) * is_due
        amount = np.where(to <= settled_to, 0.0, amount)
        left = np.minimum(share * amount, held + amount)
        repaid = np.minimum(np.minimum(per_payout, owed), (amount + held - left) / 2) * is_due
        at = np.where(is_due, week, 0)
        paid[rows, at] += amount
        kept[rows, at] += repaid
        freed[rows, at] += np.where(is_due, held - left, 0.0)
        held, owed = np.where(is_due, left, held), owed - repaid
    return np.cumsum(paid, axis=1), np.cumsum(kept, axis=1), np.cumsum(freed, axis=1)


def _cumulated(past: Floats, ahead: Floats) -> Floats:
    """Return sales cumulated by day from ``_BEFORE`` days before the date, shape (channels, days)."""
    before = np.repeat(past[:, : _BEFORE // 7 + 1][:, ::-1], 7, axis=1)[:, -_BEFORE:]
    daily = np.concatenate([before, np.repeat(ahead, 7, axis=1)], axis=1) / 7
    return np.concatenate([np.zeros((len(past), 1)), np.cumsum(daily, axis=1)], axis=1)


def _at(cumulated: Floats, day: Floats) -> Floats:
    """Return cumulated sales at a day counted from the date, between two days by interpolation."""
    place = np.clip(day + _BEFORE, 0.0, cumulated.shape[1] - 1.001)
    low = np.floor(place).astype(np.int64)
    rows = np.arange(len(place))
    lower, upper = cumulated[rows, low], cumulated[rows, low + 1]
    found: Floats = lower + (upper - lower) * (place - low)
    return found
