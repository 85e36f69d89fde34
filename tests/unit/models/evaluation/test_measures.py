"""Measures against their definitions and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve

from models.evaluation.bootstrap import (
    MEASURES,
    Outcomes,
    auc_draws,
    draw_counts,
    measure_draws,
    measures_of_sample,
)
from models.evaluation.calibration_quality import brier_parts, equal_count_bins, log_odds_of
from models.evaluation.discrimination import auc
from tests.factories.evaluation import probability_of


def tied_sample(rows: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    log_odds = -1 + 1.2 * generator.normal(size=rows)
    label = (generator.random(rows) < probability_of(log_odds)).astype(np.int64)
    return label, np.round(probability_of(log_odds), 2)


def measured(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return every measure of one sample of unrelated rows."""
    return measures_of_sample(Outcomes(label, np.arange(label.size)), probability)


def test_auc_counts_a_tie_as_half_a_win() -> None:
    assert auc(np.array([1, 0]), np.array([0.3, 0.3])) == 0.5
    assert auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == (2 + 1.5) / 4


def test_measures_equal_scikit_learn_on_tied_predictions() -> None:
    label, probability = tied_sample()
    assert len(np.unique(probability)) < len(probability)
    found = measured(label, probability)
    area = roc_auc_score(label, probability)
    false_rate, true_rate, _ = roc_curve(label, probability, drop_intermediate=False)
    assert found["auc"] == auc(label, probability) == pytest.approx(area, abs=1e-12)
    assert found["gini"] == pytest.approx(2 * area - 1, abs=1e-12)
    assert found["average_precision"] == pytest.approx(average_precision_score(label, probability), abs=1e-12)
    assert found["ks"] == pytest.approx(np.abs(true_rate - false_rate).max(), abs=1e-12)
    assert found["brier"] == pytest.approx(brier_score_loss(label, probability), abs=1e-12)
    inside = np.clip(probability, 0.01, 0.99)
    assert measured(label, inside)["log_loss"] == pytest.approx(log_loss(label, inside), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40))
def test_auc_equals_the_share_of_pairs_won(rows: list[tuple[int, int]]) -> None:
    label = np.array([bad for bad, _ in rows])
    probability = np.array([step for _, step in rows]) / 6
    pairs = [
        float(worse > better) + 0.5 * (worse == better)
        for worse in probability[label == 1]
        for better in probability[label == 0]
    ]
    found = auc(label, probability)
    assert math.isnan(found) if not pairs else found == pytest.approx(np.mean(pairs), abs=1e-12)


@given(st.integers(1, 30), st.integers(0, 2**31))
def test_parts_of_the_brier_score_add_up_to_it(bins: int, seed: int) -> None:
    label, probability = tied_sample(rows=60, seed=seed)
    parts = brier_parts(label, probability, equal_count_bins(probability, bins))
    whole = parts.reliability - parts.resolution + parts.uncertainty
    assert whole == pytest.approx(float(((probability - label) ** 2).mean()), abs=1e-12)


def test_calibration_line_is_the_logistic_regression_on_log_odds() -> None:
    label, probability = tied_sample()
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        log_odds_of(probability)[:, np.newaxis], label
    )
    found = measured(label, probability)
    assert found["calibration_slope"] == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert found["calibration_intercept"] == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_too_extreme_predictions_have_a_slope_below_one() -> None:
    label, probability = tied_sample(rows=4000)
    extreme = probability_of(2 * log_odds_of(np.clip(probability, 0.01, 0.99)))
    assert measured(label, extreme)["calibration_slope"] < 0.7


def test_separable_outcomes_have_no_calibration_line() -> None:
    found = measured(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert math.isnan(found["calibration_intercept"])
    assert math.isnan(found["calibration_slope"])


@pytest.mark.parametrize("tied", [True, False])
def test_a_redraw_has_the_same_measures_as_the_explicit_sample(tied: bool) -> None:
    label, probability = tied_sample(rows=90)
    probability = probability if tied else np.random.default_rng(1).random(90)
    outcomes = Outcomes(label, np.arange(90) % 25)
    counts = draw_counts(25, 6, seed=1)
    drawn = measure_draws(outcomes, probability, counts)
    for draw in range(6):
        rows = np.repeat(np.arange(90), counts[draw][outcomes.cluster])
        written_out = measures_of_sample(Outcomes(label[rows], np.zeros(rows.size, dtype=np.int64)), probability[rows])
        for name in MEASURES:
            assert drawn[name][draw] == pytest.approx(written_out[name], abs=1e-7), name


def test_the_quick_auc_equals_the_full_one_on_every_redraw() -> None:
    label, probability = tied_sample(rows=150)
    outcomes = Outcomes(label, np.arange(150) // 2)
    counts = draw_counts(75, 40, seed=2)
    quick, full = auc_draws(outcomes, probability, counts), measure_draws(outcomes, probability, counts)["auc"]
    assert quick.shape == (40,)
    assert np.array_equal(quick, full)


def test_redraws_keep_components_whole_and_their_number() -> None:
    counts = draw_counts(30, 200, seed=5)
    assert counts.shape == (200, 30)
    assert (counts.sum(axis=1) == 30).all()
    assert np.array_equal(counts, draw_counts(30, 200, seed=5))
    assert not np.array_equal(counts, draw_counts(30, 200, seed=6))


def test_a_redraw_without_bad_sellers_leaves_the_auc_undefined() -> None:
    outcomes = Outcomes(np.array([1, 0, 0]), np.array([0, 1, 2]))
    drawn = measure_draws(outcomes, np.array([0.5, 0.2, 0.1]), np.array([[0, 2, 1], [1, 1, 1]]))
    assert math.isnan(drawn["auc"][0])
    assert drawn["auc"][1] == 1.0
    assert math.isfinite(drawn["brier"][0])


def test_labels_other_than_good_and_bad_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0 \(good\) or 1 \(bad\)"):
        Outcomes(np.array([0, 2]), np.array([0, 1]))
