"""An alert needs drift that chance cannot explain and that moves the mean probability of default."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from models.evaluation.drift import Drift, DriftSettings, measure_drift
from pipelines.monitor.comparison import LOG_ODDS, compare, judged
from pipelines.monitor.effect import Effect, effects
from pipelines.monitor.mix import age_weights, comparable_rows
from tests.factories.models import small_credit_model, small_world

SETTINGS = DriftSettings(simulations=20_000)


def drift(name: str, p_value: float, index: float = 0.2) -> Drift:
    return Drift(name, index, p_value, 0.05, 0.0, 0.0, alert=False)


def alerts(drifts: list[Drift], found: dict[str, Effect]) -> list[str]:
    return [one.name for one in judged(drifts, found, SETTINGS) if one.alert]


def test_a_feature_is_an_alert_if_it_has_moved_and_moves_the_mean_probability() -> None:
    found = {"x1": Effect(-3.0, 0.08, 0.5), "x2": Effect(-0.1, 0.01, 0.5), "x3": Effect(-3.0, 0.08, 0.5)}
    assert alerts([drift("x1", 1e-4), drift("x2", 1e-4), drift("x3", 0.3)], found) == ["x1"]


def test_a_shift_of_the_mean_contribution_is_evidence_too() -> None:
    assert alerts([drift("x1", 0.3)], {"x1": Effect(-3.0, -0.08, 1e-6)}) == ["x1"]


def test_the_output_of_the_model_is_judged_by_its_index() -> None:
    assert alerts([drift(LOG_ODDS, 1e-4)], {}) == [LOG_ODDS]
    assert alerts([drift(LOG_ODDS, 1e-4, index=0.05)], {}) == []


def test_small_driftless_samples_exceed_the_folklore_limit_but_raise_no_alert() -> None:
    generator = np.random.default_rng(1)
    drifts = [
        measure_drift(f"x{k}", generator.normal(size=200), generator.normal(size=200), 200, SETTINGS) for k in range(40)
    ]
    assert sum(one.index > 0.10 for one in drifts) >= 4
    assert alerts(drifts, {}) == []


def test_too_few_simulations_for_the_number_of_variables_are_refused() -> None:
    with pytest.raises(ValueError, match="too few for 2 variables"):
        judged([drift("x1", 0.5)] * 2, {}, DriftSettings(simulations=100))


def test_the_effect_is_the_change_of_the_mean_probability_without_the_shift() -> None:
    model, X = small_credit_model(), small_world().dataset.X
    found, contributions = effects(model, X[:300], X[300:500]), model.contributions(X)
    for place, name in enumerate(model.feature_names):
        shift = contributions.values[300:500, place].mean() - contributions.values[:300, place].mean()
        log_odds = model.log_odds(X[300:500])
        expected = expit(log_odds).mean() / expit(log_odds - shift).mean() - 1
        assert found[name].probability == pytest.approx(expected)


def test_age_weights_give_the_reference_the_ages_of_the_applicants() -> None:
    generator = np.random.default_rng(5)
    reference, current = generator.uniform(0, 1000, 4000), generator.uniform(500, 1500, 1000)
    weights = age_weights(reference, current)
    assert weights[reference < 400].max() < 0.7
    assert np.average(reference >= 500, weights=weights) > 0.8
    np.testing.assert_array_equal(age_weights(np.array([np.nan, 1.0]), np.array([1.0, 1.0])), [0.0, 2.0])


def test_rows_of_another_season_are_left_out_only_if_enough_sellers_remain() -> None:
    dataset = small_world().dataset
    half = np.arange(dataset.n) % 2 == 0
    as_of = np.where(half, np.datetime64("2022-12-31"), np.datetime64("2022-06-30")).astype("datetime64[D]")
    sellers = np.array([f"S{number}" for number in range(dataset.n)])
    names = tuple(one.name for one in dataset.facts)
    many = replace(dataset, as_of=as_of, seller_id=sellers)
    few = replace(many, seller_id=np.array(["S1"] * dataset.n))
    day = np.datetime64("2024-12-31")
    assert comparable_rows(many, names, dataset.X, day).is_same_season == (half.sum() >= 300)
    assert not comparable_rows(few, names, dataset.X, day).is_same_season


def test_a_planted_shift_is_the_first_alert_and_a_still_sample_has_none() -> None:
    model, dataset = small_credit_model(), small_world().dataset
    still = compare(model, dataset, dataset.X[::2].copy(), (None, SETTINGS))
    assert still.alerts == ()
    strongest = int(np.argmax(model.contributions(dataset.X).values.std(axis=0)))
    moved = dataset.X.copy()
    moved[:, strongest] = np.nanquantile(moved[:, strongest], 0.99)
    found = compare(model, dataset, moved, (None, SETTINGS))
    assert model.feature_names[strongest] in found.alerts
