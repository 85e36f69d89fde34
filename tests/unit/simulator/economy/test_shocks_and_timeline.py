"""Dated shocks and the calendar."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from simulator.catalogue import CATEGORIES, MARKETS
from simulator.economy.shocks import SHOCKS, Shock, shock_paths
from simulator.settings import WorldSettings
from simulator.timeline import Timeline, build_timeline


@pytest.fixture(scope="module")
def timeline() -> Timeline:
    return build_timeline(WorldSettings(seller_count=60))


def test_without_shocks_nothing_happens(timeline: Timeline) -> None:
    quiet = shock_paths(timeline, ())
    assert (quiet.demand == 1).all()
    assert (quiet.freight == 1).all()
    assert (quiet.reserve == 0).all()


def test_a_shock_begins_on_its_day_and_fades_after_its_end(timeline: Timeline) -> None:
    slump = Shock("slump", "demand", date(2020, 3, 2), date(2020, 6, 1), 2, 0.5)
    demand = shock_paths(timeline, (slump,)).demand[0, 0]
    week = timeline.week_of(slump.first_day)
    assert demand[week - 1] == 1
    assert demand[week] < 1
    assert demand[week + 5] == pytest.approx(0.5)
    assert demand[timeline.week_of(slump.last_day) + 3] == 1


def test_a_tariff_hits_only_its_market_and_categories(timeline: Timeline) -> None:
    tariff = Shock("tariff", "tariff", date(2019, 5, 6), date(2099, 1, 1), 1, 0.25, ("US",), ("85", "73"))
    added = shock_paths(timeline, (tariff,)).tariff[:, :, -1] - shock_paths(timeline, ()).tariff[:, :, -1]
    for market, place in enumerate(MARKETS):
        for category, goods in enumerate(CATEGORIES):
            expected = 0.25 if place.country == "US" and goods.hs_chapters & {"85", "73"} else 0.0
            assert added[market, category] == pytest.approx(expected)


@pytest.mark.parametrize("shock", SHOCKS, ids=lambda shock: shock.name)
def test_every_listed_shock_changes_something(shock: Shock, timeline: Timeline) -> None:
    quiet, struck = shock_paths(timeline, ()), shock_paths(timeline, (shock,))
    changed = [name for name in vars(quiet) if not np.array_equal(getattr(quiet, name), getattr(struck, name))]
    assert changed == [shock.effect]


def test_a_season_averages_to_one_and_peaks_before_christmas(timeline: Timeline) -> None:
    year = timeline.season[:, :52]
    assert year.mean(axis=1) == pytest.approx(np.ones(len(CATEGORIES)), abs=0.02)
    toys = [category.name for category in CATEGORIES].index("toys")
    assert 44 <= int(year[toys].argmax()) <= 51


def test_exchange_rates_are_the_central_banks(timeline: Timeline) -> None:
    assert timeline.weeks == 313
    assert timeline.cny_per_usd[0] == pytest.approx(6.87, abs=0.05)
    assert (timeline.cny_per_eur > timeline.cny_per_usd).mean() > 0.95
