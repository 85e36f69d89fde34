"""Measure peer figures on sellers whose later balances are known: a lender's own past, or synthetic worlds.

Nothing of the sellers and dates that a forecast is judged on may be among them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import lsq_linear

from lending.cash_forecast.model import WIDENING_SOURCES, Distribution, Drivers, distribution, drivers_of, weighted
from lending.cash_forecast.peers import DRIVERS, LEVELS, SEASON_WEEKS, WIDTH_DRIVERS, PeerFigures
from lending.cash_forecast.sales import blocks_of_weeks, sales_outlook, week_of_year
from lending.cash_forecast.settings import HISTORY_WEEKS, WEEKS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lending.cash_forecast.figures import Figures
    from lending.cash_forecast.settings import CashForecastSettings

    Floats = NDArray[np.float64]

# What a dollar of each driver can do to the balance: settled money arrives, debt is paid. Owners' withdrawals and new
# stock take part of it away again, so the sizes are below one.
_BOUNDS: Final = {
    "settled": (0.2, 1.0), "forecast_sales": (0.1, 1.0), "debt_due": (-1.0, -0.3), "payable": (-1.0, -0.1),
    "new_orders": (-1.0, 0.0), "running_costs": (-1.0, 1.0), "balance": (-0.9, 0.0), "arrived": (0.0, 1.0),
    "balance_age": (-1.0, 0.2), "arrears": (-2.0, 0.0),
}  # fmt: skip
_ROUNDS: Final = 8
_MOST_ERROR: Final = 40.0
_STEADY: Final = 0.05
_LEAST_FACTOR: Final = 1.02
_NOT_NARROWER: Final = 0.99
_BLOCK: Final = 4
_MOST_PEAK: Final = 8.0


@dataclass(frozen=True)
class Example:
    """Figures of sellers as of a date with the balances that came later, US dollars, shape (sellers, weeks).

    Attributes:
        day: the date.
        figures: what was known.
        later: balance at the end of each of the thirteen weeks; NaN if it does not count.
    """

    day: dt.date
    figures: Figures
    later: Floats


def measure_peers(
    examples: Sequence[Example], withheld: Sequence[Example], settings: CashForecastSettings, measured_on: str
) -> PeerFigures:
    """Measure peer figures.

    Args:
        examples: sellers with all their sources.
        withheld: the same without platform statements, to measure how much wider a forecast must be without them.
        settings: settings of the forecast.
        measured_on: words for the data.
    """
    peers = _ratios(examples, measured_on)
    drivers, later = _joined(examples, peers, settings)
    target = (later - drivers.opening[:, None]) / drivers.scale[:, None]
    measured: dict[str, object] = {}
    for prefix, rows in (("", drivers.is_known), ("unknown_", ~drivers.is_known)):
        matrix, widening = drivers.matrix()[rows], drivers.width_matrix()[rows]
        coefficients = _coefficients(matrix, target[rows])
        error = np.clip(target[rows] - weighted(matrix, coefficients), -_MOST_ERROR, _MOST_ERROR)
        width = _width(widening, error)
        measured |= {
            f"{prefix}drivers": _table(coefficients), f"{prefix}width": _table(width),
            f"{prefix}errors": _quantiles(error / weighted(widening, width)),
        }  # fmt: skip
    fitted = peers.model_copy(update=measured)
    factors = _factors(examples, withheld, fitted, settings)
    return PeerFigures.model_validate(fitted.model_copy(update={"without": factors}).model_dump())


def _ratios(examples: Sequence[Example], measured_on: str) -> PeerFigures:
    """Return the figures that need no later balance; the rest is neutral."""
    flat = ((0.0,) * len(LEVELS),) * WEEKS
    season = tuple(_season(examples).tolist())
    sales = [_recent(each.figures.channels.sales) for each in examples]
    earned = [_recent(each.figures.channels.earned) for each in examples]
    noise = np.concatenate([_variation(each.figures.channels.sales, each.day, season) for each in examples])
    usual = [_by_seller(each.figures, _recent(each.figures.channels.sales)) for each in examples]

    def ratio(name: str) -> float:
        values = np.concatenate([getattr(each.figures, name) for each in examples])
        scale = np.concatenate(usual)
        use = (values > 0) & (scale > 0)
        return float(np.median(values[use] / scale[use]))

    return PeerFigures(
        measured_on=measured_on, season=season,
        net_share=float(np.concatenate(earned).sum() / np.concatenate(sales).sum()),
        sales_noise=(float(np.median(noise)), float(np.quantile(noise, 0.9))), payout_share=ratio("credited"),
        ordered_share=ratio("ordered") / 26, weeks_of_cash=ratio("balance"),
        drivers=((0.0,) * len(DRIVERS),) * WEEKS, width=((0.0,) * len(WIDTH_DRIVERS),) * WEEKS, errors=flat,
        unknown_drivers=((0.0,) * len(DRIVERS),) * WEEKS, unknown_width=((0.0,) * len(WIDTH_DRIVERS),) * WEEKS,
        unknown_errors=flat, without=dict.fromkeys(WIDENING_SOURCES, 1.0),
    )  # fmt: skip


def _recent(weekly: Floats) -> Floats:
    """Return the mean of the third to the fiftieth week before the date."""
    return np.asarray(weekly[:, 3:51].mean(axis=1))


def _by_seller(figures: Figures, values: Floats) -> Floats:
    found = np.zeros(len(figures.sellers))
    np.add.at(found, figures.channels.seller, values)
    return found


def _season(examples: Sequence[Example]) -> Floats:
    """Return sales of each week of the year over the mean of the year around it, every seller counting the same."""
    sums, counts = np.zeros(SEASON_WEEKS), np.zeros(SEASON_WEEKS)
    half = SEASON_WEEKS // 2
    for each in examples:
        sales = each.figures.channels.sales
        blocks = sales[:, HISTORY_WEEKS % _BLOCK :].reshape(len(sales), -1, _BLOCK).sum(axis=2)
        full = sales[(blocks[:, 1:] > 0).all(axis=1)]
        if not len(full):
            continue
        padded = np.cumsum(np.pad(full, ((0, 0), (1, 0))), axis=1)
        centre = np.arange(half + 3, HISTORY_WEEKS - half)
        mean = (padded[:, centre + half] - padded[:, centre - half]) / SEASON_WEEKS
        weeks = week_of_year(each.day, -centre)
        np.add.at(sums, weeks, np.minimum(full[:, centre] / mean, _MOST_PEAK).mean(axis=0))
        np.add.at(counts, weeks, 1.0)
    season = np.where(counts > 0, sums / np.maximum(counts, 1), 1.0)
    return np.asarray(season / season.mean())


def _variation(sales: Floats, day: dt.date, season: Sequence[float]) -> Floats:
    """Return the relative variation of four weeks of channels that sold in each of the last weeks."""
    part = blocks_of_weeks(sales / np.asarray(season)[week_of_year(day, -np.arange(HISTORY_WEEKS))])
    part = part[(part > 0).all(axis=1)]
    return np.asarray(part.std(axis=1) / part.mean(axis=1))


def _joined(examples: Sequence[Example], peers: PeerFigures, settings: CashForecastSettings) -> tuple[Drivers, Floats]:
    """Return the drivers and later balances of all usable sellers of all dates."""
    drivers, later = [], []
    for each in examples:
        found = drivers_for(each.figures, each.day, peers, settings)
        use = ~np.isnan(found.scale) & ~np.isnan(each.later).any(axis=1)
        drivers.append(_chosen(found, use))
        later.append(each.later[use])
    names = [one.name for one in fields(Drivers)]
    return Drivers(
        **{name: np.concatenate([getattr(each, name) for each in drivers]) for name in names}
    ), np.concatenate(later)


def drivers_for(figures: Figures, day: dt.date, peers: PeerFigures, settings: CashForecastSettings) -> Drivers:
    """Return the drivers of sellers from their figures."""
    outlook = sales_outlook(figures.channels, len(figures.sellers), day, peers, settings)
    return drivers_of(figures, outlook, day, peers, settings)


def _chosen(drivers: Drivers, use: NDArray[np.bool_]) -> Drivers:
    return replace(drivers, **{one.name: getattr(drivers, one.name)[use] for one in fields(Drivers)})


def _coefficients(matrix: Floats, target: Floats) -> Floats:
    """Fit the coefficients of each week within their bounds, by least absolute error."""
    lower, upper = (np.array([_BOUNDS[name][side] for name in DRIVERS]) for side in (0, 1))
    found = np.empty((WEEKS, len(DRIVERS)))
    for week in range(WEEKS):
        rows, wanted = (
            np.clip(matrix[:, week], -_MOST_ERROR, _MOST_ERROR),
            np.clip(target[:, week], -_MOST_ERROR, _MOST_ERROR),
        )
        weight = np.ones(len(rows))
        for _ in range(_ROUNDS):
            fit = lsq_linear(rows * weight[:, None], wanted * weight, bounds=(lower, upper))
            weight = 1 / np.sqrt(np.maximum(np.abs(wanted - rows @ fit.x), _STEADY))
        found[week] = np.clip(fit.x, lower, upper)
    return found


def _width(matrix: Floats, error: Floats) -> Floats:
    """Fit the mean absolute error of each week with coefficients that are not negative."""
    found = np.empty((WEEKS, len(WIDTH_DRIVERS)))
    for week in range(WEEKS):
        size = np.abs(error[:, week])
        weight = np.ones(len(size))
        for _ in range(_ROUNDS):
            fit = lsq_linear(matrix[:, week] * weight[:, None], size * weight, bounds=(0.0, np.inf))
            weight = 1 / np.maximum(matrix[:, week] @ fit.x, _STEADY)
        # What never varies was not measured and must not count elsewhere.
        found[week] = np.maximum(fit.x, 0.0) * (matrix[:, week] != 0).any(axis=0)
        found[week, 0] = max(found[week, 0], 0.01)
    return found


def _quantiles(relative: Floats) -> tuple[tuple[float, ...], ...]:
    return _table(np.quantile(relative, LEVELS, axis=0).T)


def _table(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(f"{value:.6g}") for value in row) for row in values)


def _factors(
    examples: Sequence[Example], withheld: Sequence[Example], peers: PeerFigures, settings: CashForecastSettings
) -> dict[str, float]:
    """Return by how much the error of sellers without a source exceeds its stated width, at least 1."""
    found = {}
    for source in WIDENING_SOURCES:
        sizes: dict[bool, list[Floats]] = {True: [], False: []}
        for each in withheld if source == "money_event" else examples:
            drivers = drivers_for(each.figures, each.day, peers, settings)
            use = ~np.isnan(drivers.scale) & ~np.isnan(each.later).any(axis=1)
            has = each.figures.has(source)
            full = dict.fromkeys(WIDENING_SOURCES, np.ones(len(has), dtype=bool))
            relative = _relative_error(distribution(drivers, full, peers), each.later)
            for is_there, rows in sizes.items():
                rows.append(relative[use & (has == is_there)])
        lacking = float(np.median(np.concatenate(sizes[False]))) if sum(map(len, sizes[False])) else 1.0
        having = (
            float(np.median(np.concatenate(sizes[True])))
            if sum(map(len, sizes[True]))
            else _median_size(examples, peers, settings)
        )
        found[source] = float(f"{max(lacking / having, _LEAST_FACTOR):.4g}")
    narrowing = _narrowing(examples, withheld, peers, settings)
    return {**found, "money_event": max(found["money_event"], float(f"{narrowing:.4g}"))}


def _narrowing(
    examples: Sequence[Example], withheld: Sequence[Example], peers: PeerFigures, settings: CashForecastSettings
) -> float:
    """Return the factor that keeps nearly all forecasts from becoming narrower without platform statements.

    The scale of a forecast then comes from the bank, which may show less than the statements did.
    """
    ratios = [np.ones(1)]
    for lacking in withheld:
        full = next(
            each
            for each in examples
            if each.day == lacking.day and each.figures.sellers.equals(lacking.figures.sellers)
        )
        wide, narrow = (_spread(each.figures, each.day, peers, settings) for each in (full, lacking))
        ratio = (wide / narrow).max(axis=1)
        ratios.append(ratio[full.figures.has("money_event") & ~np.isnan(ratio)])
    return float(np.quantile(np.concatenate(ratios), _NOT_NARROWER))


def _spread(figures: Figures, day: dt.date, peers: PeerFigures, settings: CashForecastSettings) -> Floats:
    """Return the width of the 80 % interval as if no source were missing."""
    drivers = drivers_for(figures, day, peers, settings)
    full = dict.fromkeys(WIDENING_SOURCES, np.ones(len(drivers.scale), dtype=bool))
    found = distribution(drivers, full, peers)
    return found.high() - found.low()


def _relative_error(found: Distribution, later: Floats) -> Floats:
    """Return the distance from the median over the width of the 80 % interval, mean over the weeks."""
    error: Floats = (np.abs(later - found.median()) / (found.high() - found.low())).mean(axis=1)
    return error


def _median_size(examples: Sequence[Example], peers: PeerFigures, settings: CashForecastSettings) -> float:
    sizes = []
    for each in examples:
        drivers = drivers_for(each.figures, each.day, peers, settings)
        full = dict.fromkeys(WIDENING_SOURCES, np.ones(len(drivers.scale), dtype=bool))
        use = ~np.isnan(drivers.scale) & ~np.isnan(each.later).any(axis=1)
        sizes.append(_relative_error(distribution(drivers, full, peers), each.later)[use])
    return float(np.median(np.concatenate(sizes)))
