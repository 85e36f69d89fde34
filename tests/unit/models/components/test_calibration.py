from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import expit

from models.components.calibration import AffineCalibrator, fit_affine


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


def test_perfect_separation_stays_finite() -> None:
    margin = np.linspace(-1.0, 1.0, 40)
    found = fit_affine(margin, (margin > 0).astype(np.int8), np.arange(40).astype(np.str_))
    assert np.isfinite(found.slope)


def test_rows_that_move_together_make_the_line_less_certain() -> None:
    margin, y, cluster = sample(1.0, 0.0, 2000)
    alone = fit_affine(margin, y, cluster)
    tripled = fit_affine(np.tile(margin, 3), np.tile(y, 3), np.tile(cluster, 3))
    assert tripled.slope == pytest.approx(alone.slope, abs=1e-6)
    assert tripled.covariance == pytest.approx(alone.covariance, rel=1e-3)


def test_a_slope_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValidationError):
        AffineCalibrator(slope=0.0, intercept=1.0)
