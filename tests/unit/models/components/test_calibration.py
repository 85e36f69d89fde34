from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import root
from scipy.special import expit

from models.components.calibration import IDENTITY, AffineCalibrator, fit_affine


def sample(slope: float, intercept: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    margin = generator.normal(-2.0, 1.2, n)
    y = (generator.random(n) < expit(intercept + slope * margin)).astype(np.int8)
    return margin, y, np.arange(n).astype(np.str_)


def test_a_known_line_is_found_again_within_its_own_errors() -> None:
    found = fit_affine(*sample(1.5, 0.4))
    intercept_error, slope_error = found.covariance[0] ** 0.5, found.covariance[2] ** 0.5
    assert abs(found.slope - 1.5) < 4 * slope_error < 0.2
    assert abs(found.intercept - 0.4) < 4 * intercept_error < 0.4


def test_calibrated_probabilities_have_the_mean_of_the_outcomes() -> None:
    margin, y, cluster = sample(0.7, -0.5)
    probability = expit(fit_affine(margin, y, cluster).log_odds(margin))
    assert probability.mean() == pytest.approx(y.mean(), abs=1e-6)


def test_a_reversed_ranking_keeps_a_positive_slope_and_the_base_rate() -> None:
    margin, y, cluster = sample(-1.0, -4.0)
    found = fit_affine(margin, y, cluster)
    assert 0.0 < found.slope < 0.1
    assert expit(found.log_odds(margin)).mean() == pytest.approx(y.mean(), abs=1e-6)


def test_perfect_separation_stops_where_the_ridge_outweighs_what_a_steeper_line_gains() -> None:
    margin = np.concatenate([np.linspace(-2.0, -0.5, 30), np.linspace(0.1, 1.5, 11)])
    y = (margin > 0).astype(np.int8)
    found = fit_affine(margin, y, np.arange(41).astype(np.str_))
    error = expit(found.log_odds(margin)) - y
    assert error.sum() + 1e-6 * found.intercept == pytest.approx(0.0, abs=1e-13)
    assert error @ margin + 1e-6 * found.slope == pytest.approx(0.0, abs=1e-13)


def test_a_steep_line_with_a_few_far_rows_is_found_by_shorter_steps() -> None:
    generator = np.random.default_rng(1)
    margin = np.concatenate([generator.normal(0.0, 0.1, 200), [30.0, -40.0]])
    y = np.concatenate([generator.random(200) < expit(8.0 * margin[:200] - 2.0), [True, False]]).astype(np.int8)
    found = fit_affine(margin, y, np.arange(202).astype(np.str_))
    error = expit(found.log_odds(margin)) - y
    assert [error.sum(), error @ margin] == pytest.approx([0.0, 0.0], abs=1e-4)


def test_rows_that_move_together_make_the_line_less_certain() -> None:
    margin, y, cluster = sample(1.0, 0.0, 2000)
    alone = fit_affine(margin, y, cluster)
    tripled = fit_affine(np.tile(margin, 3), np.tile(y, 3), np.tile(cluster, 3))
    assert tripled.slope == pytest.approx(alone.slope, abs=1e-6)
    assert tripled.covariance == pytest.approx(alone.covariance, rel=1e-3)


def test_a_line_that_does_not_rise_or_is_not_finite_is_refused() -> None:
    for slope, intercept in ((0.0, 1.0), (np.inf, 1.0), (1.0, np.nan)):
        with pytest.raises(ValidationError):
            AffineCalibrator(slope=slope, intercept=intercept)


def test_without_an_estimated_uncertainty_there_is_no_interval() -> None:
    assert AffineCalibrator(slope=1.0, intercept=0.0).covariance == (0.0, 0.0, 0.0)
    assert np.isnan(IDENTITY.probability_interval(np.array([0.0]))).all()
    assert (IDENTITY.slope, IDENTITY.intercept) == (1.0, 0.0)


def test_the_interval_of_a_probability_comes_from_the_covariance_of_the_line() -> None:
    line = AffineCalibrator(slope=2.0, intercept=0.5, covariance=(0.04, 0.01, 0.09))
    margin = np.array([-1.0, 0.0, 2.0])
    error = np.sqrt(0.04 + 2 * 0.01 * margin + 0.09 * margin**2)
    assert line.standard_error(margin) == pytest.approx(error)
    lower, upper = line.probability_interval(margin)
    assert lower == pytest.approx(expit(0.5 + 2.0 * margin - 1.959963985 * error))
    assert upper == pytest.approx(expit(0.5 + 2.0 * margin + 1.959963985 * error))
    assert line.probability_interval(margin, 0.5)[1] == pytest.approx(expit(0.5 + 2 * margin + 0.6744897502 * error))
    # The variance of a combination is never below zero, however the covariance was rounded.
    flat = AffineCalibrator(slope=1.0, intercept=0.0, covariance=(1.0, -1.0, 1.0 - 1e-12))
    assert flat.standard_error(np.array([1.0])).tolist() == [0.0]


def test_the_line_and_its_covariance_are_those_of_maximum_likelihood_with_clustered_errors() -> None:
    margin, y, _ = sample(1.0, 0.0, 500)
    clusters = np.repeat(np.arange(250), 2).astype(np.str_)
    found = fit_affine(margin, y, clusters)
    design = np.column_stack([np.ones(500), margin])

    def gradient(beta: np.ndarray) -> np.ndarray:
        return design.T @ (expit(design @ beta) - y) + 1e-6 * beta

    beta = root(gradient, np.zeros(2), tol=1e-14).x
    assert (found.intercept, found.slope) == pytest.approx(tuple(beta), abs=6e-10)
    p = expit(design @ beta)
    bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    scores = (design * (y - p)[:, None]).reshape(250, 2, 2).sum(axis=1)
    robust = bread @ scores.T @ scores @ bread
    assert found.covariance == pytest.approx((robust[0, 0], robust[0, 1], robust[1, 1]), rel=1e-3)


def test_a_slope_below_the_smallest_allowed_one_is_replaced_by_it() -> None:
    margin, y, cluster = sample(-1.0, -4.0, 2000)
    assert fit_affine(margin, y, cluster).slope == 0.02


def test_a_fitted_line_has_nine_decimals() -> None:
    found = fit_affine(*sample(1.1, 0.2, 700))
    for number in (found.slope, found.intercept, *found.covariance):
        assert number == round(number, 9) != round(number, 8)
