"""True risk comes from futures of the saved hidden state; the world's own course is not touched."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.economy.oracle import HORIZON_DAYS, TrueRisk, true_risk
from simulator.economy.simulation import simulate
from simulator.settings import WorldSettings

pytestmark = pytest.mark.slow

SETTINGS = WorldSettings.model_validate(
    {"seller_count": 400, "first_day": "2019-01-01", "last_day": "2021-12-31", "seed": 12}
)
WEEK = 100


@pytest.fixture(scope="module")
def risk() -> TrueRisk:
    return true_risk(SETTINGS, WEEK, futures=30)


def test_the_real_outcome_is_that_of_the_world(risk: TrueRisk) -> None:
    world = simulate(SETTINGS)
    day = world.default_day
    expected = (day > risk.as_of_day) & (day <= risk.as_of_day + HORIZON_DAYS)
    assert np.array_equal(risk.defaulted & risk.is_exposed, expected & risk.is_exposed)
    assert expected.any()


def test_sellers_at_greater_risk_default_more_often(risk: TrueRisk) -> None:
    exposed = risk.is_exposed
    bad, good = risk.risk[exposed & risk.defaulted], risk.risk[exposed & ~risk.defaulted]
    assert bad.mean() > 3 * good.mean()
    assert ((risk.risk >= 0) & (risk.risk <= 1)).all()


def test_the_risk_of_all_is_near_the_share_that_defaulted(risk: TrueRisk) -> None:
    # Outcomes of one year move together, so only the order of magnitude can be asked of one world.
    exposed = risk.is_exposed
    assert 0.25 < risk.risk[exposed].mean() / risk.defaulted[exposed].mean() < 4


def test_the_same_seed_tries_the_same_futures_and_another_seed_others(risk: TrueRisk) -> None:
    first, again, other = (true_risk(SETTINGS, WEEK, futures=6, seed=seed) for seed in (2, 2, 3))
    assert np.array_equal(again.defaults_in, first.defaults_in)
    assert not np.array_equal(other.defaults_in, first.defaults_in)
    assert np.array_equal(other.is_exposed, risk.is_exposed)


@pytest.mark.parametrize("week", [0, 110, 500])
def test_a_date_without_a_past_or_a_year_to_come_is_refused(week: int) -> None:
    with pytest.raises(ValueError, match="as_of_week"):
        true_risk(SETTINGS, week, futures=1)
