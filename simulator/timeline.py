"""The world's calendar: weeks, their dates, season factors and real exchange rates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from currency_converter import CurrencyConverter

from simulator.catalogue import CATEGORIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulator.settings import WorldSettings

PRIME_DAY_WEEK = 28


@dataclass(frozen=True)
class Timeline:
    """Weeks of the world.

    Attributes:
        first_day: Day 0, as ``datetime64[D]``.
        week_start: First day of each week, shape (weeks,).
        cny_per_usd: ECB rate on the first day of each week, shape (weeks,).
        cny_per_eur: Same for the euro.
        season: Demand factor by category and week, mean about 1, shape (categories, weeks).
    """

    first_day: np.datetime64
    week_start: NDArray[np.datetime64]
    cny_per_usd: NDArray[np.float64]
    cny_per_eur: NDArray[np.float64]
    season: NDArray[np.float64]

    @property
    def weeks(self) -> int:
        """Number of whole weeks."""
        return len(self.week_start)

    def week_of(self, day: date) -> int:
        """Return the week of a day; it may be before 0 or after the end."""
        return int((np.datetime64(day, "D") - self.first_day).astype(int)) // 7


def years_of(first_day: np.datetime64, day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the calendar year of each day number counted from ``first_day``."""
    years: NDArray[np.int64] = (first_day + day).astype("datetime64[Y]").astype(np.int64) + 1970
    return years


@lru_cache(maxsize=1)
def _converter() -> CurrencyConverter:
    return CurrencyConverter(fallback_on_missing_rate=True, fallback_on_missing_rate_method="last_known")


def _cny_rates(days: list[date], currency: str) -> NDArray[np.float64]:
    converter = _converter()
    newest = converter.bounds[currency].last_date
    return np.array([converter.convert(1, currency, "CNY", date=min(day, newest)) for day in days], dtype=np.float64)


def _season(days: list[date]) -> NDArray[np.float64]:
    """Return season factors by category: year-end peak, Prime Day week and summer peak; a year averages to 1."""
    week_of_year = np.array([min(day.timetuple().tm_yday // 7, 51) for day in days])
    week = np.arange(52)
    peak = np.exp(-(((week - 47.5) / 2.6) ** 2))
    prime = np.exp(-(((week - PRIME_DAY_WEEK) / 0.8) ** 2))
    summer = np.cos(2 * np.pi * (week - 26) / 52)
    curves = np.array([1 + c.peak * 1.3 * peak + 0.35 * prime + c.summer * summer for c in CATEGORIES])
    curves /= curves.mean(axis=1, keepdims=True)
    chosen: NDArray[np.float64] = curves[:, week_of_year]
    return chosen


def build_timeline(settings: WorldSettings) -> Timeline:
    """Build the whole weeks from ``first_day`` to ``last_day`` with real ECB rates (``last_known`` on gaps)."""
    weeks = ((settings.last_day - settings.first_day).days + 1) // 7
    days = [settings.first_day + timedelta(days=7 * week) for week in range(weeks)]
    return Timeline(
        first_day=np.datetime64(settings.first_day, "D"),
        week_start=np.array(days, dtype="datetime64[D]"),
        cny_per_usd=_cny_rates(days, "USD"),
        cny_per_eur=_cny_rates(days, "EUR"),
        season=_season(days),
    )
