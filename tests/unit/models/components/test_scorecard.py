from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import minimize

from models.components.binning import BinningSettings, bin_columns
from models.components.scorecard import ScorecardColumn, ScorecardTable, evidence_matrix, fit_scorecard, fit_weights

GENERATOR = np.random.default_rng(17)
N = 3000
X = GENERATOR.normal(size=(N, 4))
X[:, 3] = -X[:, 0] + 0.3 * X[:, 3]
Y = (GENERATOR.random(N) < 1 / (1 + np.exp(2.0 - X[:, 0] - 0.5 * X[:, 1]))).astype(np.int8)
DIRECTIONS = (1, 1, -1, -1)
EVIDENCE = evidence_matrix(bin_columns(X, Y, DIRECTIONS, BinningSettings()), X)


def penalised_loss(parameters: np.ndarray, penalty: float) -> float:
    z = parameters[0] + EVIDENCE @ parameters[1:]
    return float(np.sum(np.logaddexp(0, z) - Y * z) + 0.5 * penalty * np.sum(parameters[1:] ** 2))


@pytest.mark.parametrize("penalty", [0.5, 8.0, 200.0])
def test_weights_reach_the_optimum_a_general_optimiser_finds(penalty: float) -> None:
    intercept, weights = fit_weights(EVIDENCE, Y, penalty)
    bounds = [(None, None)] + [(0, None)] * 4
    reference = minimize(
        penalised_loss, np.zeros(5), args=(penalty,), bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14}
    )
    assert penalised_loss(np.array([intercept, *weights]), penalty) <= reference.fun + 1e-6
    assert (weights >= 0).all()


@pytest.mark.parametrize("penalty", [0.5, 200.0])
def test_the_error_of_the_method_is_below_the_ninth_decimal(penalty: float) -> None:
    intercept, weights = fit_weights(EVIDENCE, Y, penalty)
    error = 1 / (1 + np.exp(-intercept - EVIDENCE @ weights)) - Y
    slope = EVIDENCE.T @ error + penalty * weights
    assert error.sum() == pytest.approx(0.0, abs=2e-6)
    assert slope[weights > 0] == pytest.approx(0.0, abs=2e-6)
    assert (slope[weights == 0] > 0).all()


def test_steps_that_lead_too_far_are_shortened() -> None:
    generator = np.random.default_rng(0)
    apart = np.concatenate([generator.normal(-3.0, 0.3, 200), generator.normal(3.0, 0.3, 20)])
    y = np.repeat(np.array([0, 1], dtype=np.int8), [200, 20])
    intercept, (weight,) = fit_weights(apart[:, None], y, 1e-3)
    error = 1 / (1 + np.exp(-intercept - weight * apart)) - y
    assert [error.sum(), error @ apart + 1e-3 * weight] == pytest.approx([0.0, 0.0], abs=1e-8)


def test_a_useless_column_cannot_turn_its_direction_around() -> None:
    against = np.column_stack([EVIDENCE[:, 0], -EVIDENCE[:, 1]])
    assert fit_weights(against, Y, 1.0)[1][1] == 0.0


def test_more_penalty_means_smaller_weights() -> None:
    assert fit_weights(EVIDENCE, Y, 500.0)[1].sum() < fit_weights(EVIDENCE, Y, 1.0)[1].sum()


def test_margin_is_base_plus_contributions_and_their_mean_is_nothing() -> None:
    card = fit_scorecard(X, Y, DIRECTIONS, penalty=2.0)
    base, values = card.contributions(X)
    assert np.abs(base + values.sum(axis=1) - card.margin(X)).max() < 1e-12
    assert np.abs(values.mean(axis=0)).max() < 1e-8
    assert np.allclose(card.margin(X), fit_weights(EVIDENCE, Y, 2.0)[0] + EVIDENCE @ fit_weights(EVIDENCE, Y, 2.0)[1])


def test_no_columns_make_no_evidence() -> None:
    assert evidence_matrix((), np.empty((3, 0))).shape == (3, 0)


def test_every_column_keeps_its_direction() -> None:
    for column, direction in zip(fit_scorecard(X, Y, DIRECTIONS, penalty=2.0).table.columns, DIRECTIONS, strict=True):
        assert (np.diff(column.log_odds) * direction >= 0).all()


def test_a_matrix_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="4 columns"):
        fit_scorecard(X, Y, DIRECTIONS, penalty=2.0).margin(X[:, :3])


@pytest.mark.parametrize(
    "edges", [(1.0,), (2.0, 1.0), (1.0, 1.0), (1.0, np.inf)], ids=["too few", "falling", "equal", "infinite"]
)
def test_disorderly_edges_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        ScorecardColumn(edges=edges, log_odds=(0.0, 0.1, 0.2), mean=0.0)
    with pytest.raises(ValidationError):
        ScorecardTable(intercept=np.nan, columns=())


def test_weights_and_log_odds_have_nine_decimals() -> None:
    intercept, weights = fit_weights(EVIDENCE, Y, 3.0)
    assert intercept == round(intercept, 9) != round(intercept, 8)
    assert (weights == np.round(weights, 9)).all()
    assert (weights != np.round(weights, 8)).any()
    column = fit_scorecard(X, Y, DIRECTIONS, penalty=2.0).table.columns[0]
    assert any(value != round(value, 8) for value in column.log_odds)
    assert all(value == round(value, 9) for value in column.log_odds)
    assert column.mean == round(column.mean, 9) != round(column.mean, 8)


def test_a_column_that_works_against_its_direction_has_one_bin_of_no_effect() -> None:
    turned = fit_scorecard(X, Y, (-1, 1, -1, -1), penalty=2.0).table.columns
    assert (turned[0].edges, turned[0].log_odds, turned[0].mean) == ((), (0.0,), 0.0)
    assert all(len(column.log_odds) == len(column.edges) + 1 > 1 for column in turned[1:2])


def test_a_column_that_adds_nothing_to_the_others_has_one_bin_although_it_has_several_alone() -> None:
    generator = np.random.default_rng(8)
    a, e = generator.normal(size=N), 0.5 * generator.normal(size=N)
    # Beside a, the sum of both speaks against the direction that it has alone.
    both = np.column_stack([a, a + e])
    y = (generator.random(N) < 1 / (1 + np.exp(1.0 - 2.0 * a + 2.0 * e))).astype(np.int8)
    assert len(bin_columns(both, y, (1, 1), BinningSettings())[1].edges) > 2
    column = fit_scorecard(both, y, (1, 1), penalty=2.0).table.columns[1]
    assert (column.edges, column.log_odds, column.mean) == ((), (0.0,), 0.0)
