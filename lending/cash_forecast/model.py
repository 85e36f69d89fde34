"""The distribution of the balance: what moves it, how far the middle goes, and how wide the error is.

The middle is the opening balance plus drivers times coefficients that accounting bounds: money settled arrives, debt
falls due and is paid, and owners withdraw part of what is left over. The error around it has a width of its own for
each seller and a shape measured on peers, so every quantile and probability is exact and no path is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lending.cash_forecast.peers import LEVELS
from lending.cash_forecast.sales import week_of_year
from lending.cash_forecast.settings import WEEKS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lending.cash_forecast.figures import Figures
    from lending.cash_forecast.peers import PeerFigures
    from lending.cash_forecast.sales import Outlook
    from lending.cash_forecast.settings import CashForecastSettings

    Floats = NDArray[np.float64]

LEAST_SCALE: Final = 50.0
"""Weekly sales in US dollars below which a seller is treated as this large."""
WIDENING_SOURCES: Final = ("money_event", "purchase_order", "repayment")
_LOOKED_AHEAD: Final = slice(5, 13)
_HALF_YEAR_WEEKS: Final = 26
_LOW, _MIDDLE, _HIGH = LEVELS.index(0.1), LEVELS.index(0.5), LEVELS.index(0.9)


@dataclass(frozen=True)
class Drivers:
    """What moves the balance of each seller; US dollars, cumulative ones of shape (sellers, weeks).

    Attributes:
        scale: weekly sales, the unit of coefficients; NaN if nothing shows them.
        noise: weekly variation of sales.
        opening: balance at the date, from a source or assumed.
        is_known: whether a source gives the opening balance.
        settled: known inflow.
        forecast_sales: inflow from sales not settled yet, reserves set free included.
        debt_due: debt service, advances withheld from payouts included.
        payable: balances of stocking orders placed.
        new_orders: stocking orders to come, and assumed ones where none are known.
        arrived: payouts since the balance was read.
        age_weeks: age of the balance.
        arrears: instalments overdue at the date; they are due at once and a sign of little cash.
    """

    scale: Floats
    noise: Floats
    opening: Floats
    is_known: NDArray[np.bool_]
    settled: Floats
    forecast_sales: Floats
    debt_due: Floats
    payable: Floats
    new_orders: Floats
    arrived: Floats
    age_weeks: Floats
    arrears: Floats

    def matrix(self) -> Floats:
        """Return the drivers over the scale, shape (sellers, weeks, drivers)."""
        unit = self.scale[:, None]
        weeks = np.broadcast_to(np.arange(1, WEEKS + 1.0), self.settled.shape)
        alone = (self.opening, self.arrived, self.arrears)
        held, since, late = (np.broadcast_to((each / self.scale)[:, None], weeks.shape) for each in alone)
        dated = (
            each / unit for each in (self.settled, self.forecast_sales, self.debt_due, self.payable, self.new_orders)
        )
        age = np.broadcast_to(self.age_weeks[:, None], weeks.shape)
        return np.stack([*dated, weeks, held, since, age, late], axis=2)

    def width_matrix(self) -> Floats:
        """Return what widens the error, shape (sellers, weeks, width drivers)."""
        shape = self.settled.shape
        held = np.where(self.is_known, np.abs(self.opening) / self.scale, 0.0)
        alone = (np.ones_like(self.scale), held, self.noise, self.age_weeks)
        one, held, noise, age = (np.broadcast_to(each[:, None], shape) for each in alone)
        # Settled inflow stays out: a source withheld would make it smaller and the forecast narrower.
        inflow = self.forecast_sales / self.scale[:, None]
        return np.stack([one, held, noise, np.maximum(inflow, 0.0), age], axis=2)


@dataclass(frozen=True)
class Distribution:
    """The balance of each seller by week: its middle, and the error at each level; US dollars.

    Attributes:
        middle: opening balance plus drivers, shape (sellers, weeks).
        errors: balance less middle at ``LEVELS``, shape (sellers, weeks, levels).
    """

    middle: Floats
    errors: Floats

    def low(self) -> Floats:
        """Return the 10 % quantile."""
        return self.middle + self.errors[..., _LOW]

    def median(self) -> Floats:
        """Return the median."""
        return self.middle + self.errors[..., _MIDDLE]

    def high(self) -> Floats:
        """Return the 90 % quantile."""
        return self.middle + self.errors[..., _HIGH]

    def below(self, line: Floats) -> Floats:
        """Return the probability that the balance lies below each seller's line, shape (sellers, weeks)."""
        gap = (line[:, None] - self.middle)[..., None]
        levels = np.asarray(LEVELS)
        place = np.clip((self.errors < gap).sum(axis=2), 1, len(LEVELS) - 1)
        below, above = (np.take_along_axis(self.errors, at[..., None], axis=2)[..., 0] for at in (place - 1, place))
        part = np.clip((gap[..., 0] - below) / np.maximum(above - below, 1e-9), 0.0, 1.0)
        inside: Floats = levels[place - 1] + part * (levels[place] - levels[place - 1])
        return inside


def drivers_of(
    figures: Figures, outlook: Outlook, day: dt.date, peers: PeerFigures, settings: CashForecastSettings
) -> Drivers:
    """Return what moves the balances; peers replace a missing source."""
    has_sales = figures.has("money_event") & (outlook.usual > 0)
    from_bank = figures.credited / peers.payout_share
    scale = np.where(has_sales, outlook.usual, np.where(from_bank > 0, from_bank, np.nan))
    scale = np.where(np.isnan(scale), np.nan, np.maximum(scale, LEAST_SCALE))
    season = peers.season_array()[week_of_year(day, np.arange(1, outlook.sales.shape[1] + 1))]
    usual = scale[:, None] * season
    sales = np.where(has_sales[:, None], outlook.sales, usual)
    assumed_payouts = np.cumsum(usual[:, :WEEKS], axis=1) * peers.net_share
    payouts = np.where(has_sales[:, None], outlook.payouts + outlook.released, assumed_payouts)
    is_known = ~np.isnan(figures.balance)
    return Drivers(
        scale=scale, noise=np.where(has_sales, outlook.noise, peers.sales_noise[1]),
        opening=np.where(is_known, figures.balance, peers.weeks_of_cash * scale), is_known=is_known,
        settled=figures.settled, forecast_sales=payouts, debt_due=figures.debt_due + outlook.withheld,
        payable=figures.payable * (1 - settings.deposit_share),
        new_orders=_new_orders(figures, scale, sales, peers, settings),
        arrived=np.where(is_known, figures.arrived, 0.0), age_weeks=np.where(is_known, figures.balance_age / 7, 0.0),
        arrears=figures.arrears,
    )  # fmt: skip


def _new_orders(
    figures: Figures, scale: Floats, sales: Floats, peers: PeerFigures, settings: CashForecastSettings
) -> Floats:
    """Return what stocking orders to come cost by each week: a deposit at once and the balance after the terms."""
    has_orders = figures.has("purchase_order") & (figures.ordered > 0)
    own = np.clip(figures.ordered / (_HALF_YEAR_WEEKS * scale), 0.0, 1.0)
    share = np.where(has_orders, own, peers.ordered_share)
    ahead = np.stack([sales[:, week:][:, _LOOKED_AHEAD].mean(axis=1) for week in range(WEEKS)], axis=1)
    ordered = share[:, None] * ahead
    terms = np.clip(np.rint(figures.terms / 7), 0, WEEKS).astype(np.int64)[:, None]
    source = np.arange(WEEKS)[None, :] - terms
    later = np.where(source >= 0, np.take_along_axis(ordered, np.maximum(source, 0), axis=1), 0.0)
    before = np.where(~has_orders[:, None] & (source < 0), (share * scale)[:, None], 0.0)
    balance = (1 - settings.deposit_share) * (later + before)
    return np.cumsum(settings.deposit_share * ordered + balance, axis=1)


def distribution(drivers: Drivers, delivered: dict[str, NDArray[np.bool_]], peers: PeerFigures) -> Distribution:
    """Return the distribution of the balances.

    Args:
        drivers: what moves them.
        delivered: whether each of ``WIDENING_SOURCES`` was delivered, by seller.
        peers: coefficients and errors measured on peers.
    """
    is_known, matrix = drivers.is_known[:, None], drivers.matrix()
    moved = np.where(is_known, weighted(matrix, peers.drivers), weighted(matrix, peers.unknown_drivers))
    middle = drivers.opening[:, None] + moved * drivers.scale[:, None]
    known, unknown = np.asarray(peers.errors), np.asarray(peers.unknown_errors)
    widening = drivers.width_matrix()
    own, wide = weighted(widening, peers.width), weighted(widening, peers.unknown_width)
    # A known balance never makes the forecast wider than an unknown one would.
    spread, most = ((each[:, _HIGH] - each[:, _LOW]) for each in (known, unknown))
    own = np.minimum(own, wide * most / spread)
    factor = np.ones(len(drivers.scale))
    for source in WIDENING_SOURCES:
        factor = factor * np.where(delivered[source], 1.0, peers.without[source])
    width = np.where(is_known, own, wide) * (factor * drivers.scale)[:, None]
    errors = width[..., None] * np.where(is_known[..., None], known, unknown)
    return Distribution(middle, errors)


def weighted(matrix: Floats, coefficients: Sequence[Sequence[float]] | Floats) -> Floats:
    """Return the sum of drivers times coefficients by seller and week."""
    # One driver after the other: the result of a seller does not depend on how many others are computed with it.
    found = np.zeros(matrix.shape[:2])
    for place, column in enumerate(np.asarray(coefficients).T):
        found += matrix[:, :, place] * column
    return found
