"""Tests of calibration and of the order of grades hold their level and find what is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.evaluation.bootstrap import Outcomes
from models.evaluation.calibration_quality import equal_count_bins
from models.evaluation.calibration_tests import CalibrationTests, calibration_tests, neighbouring_grades


def sample_tested(seed: int, shift: float = 0.0, rows: int = 1000) -> CalibrationTests:
    generator = np.random.default_rng(seed)
    log_odds = generator.normal(-2.0, 1.0, rows)
    label = (generator.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    stated = 1 / (1 + np.exp(-(log_odds + shift)))
    return calibration_tests(label, stated, equal_count_bins(stated, 10))


def test_true_probabilities_are_rejected_as_rarely_as_the_level_says() -> None:
    found = [sample_tested(seed) for seed in range(300)]
    for name in ("spiegelhalter_p", "hosmer_lemeshow_p"):
        rejected = sum(getattr(one, name) < 0.05 for one in found)
        assert 4 <= rejected <= 30  # 15 of 300 expected
    assert {one.bands for one in found} == {10}


@pytest.mark.parametrize("shift", [0.7, -0.7])
def test_probabilities_of_the_wrong_level_are_rejected_by_both(shift: float) -> None:
    found = sample_tested(1, shift, 4000)
    assert found.spiegelhalter_p < 0.01
    assert found.hosmer_lemeshow_p < 0.01


def test_figures_by_hand() -> None:
    label, probability = np.array([1, 0, 0, 1]), np.array([0.2, 0.2, 0.4, 0.4])
    found = calibration_tests(label, probability, np.array([0, 0, 1, 1]))
    assert found.hosmer_lemeshow == pytest.approx(0.6**2 / 0.32 + 0.2**2 / 0.48)
    z = (0.8 * 0.6 - 0.2 * 0.6 - 0.4 * 0.2 + 0.6 * 0.2) / math.sqrt(2 * 0.36 * 0.16 + 2 * 0.04 * 0.24)
    assert found.spiegelhalter_z == pytest.approx(z)


def test_a_clearly_worse_grade_is_told_from_its_neighbour_and_an_equal_one_is_not() -> None:
    generator = np.random.default_rng(2)
    rates = {"A": 0.02, "B": 0.02, "D": 0.2}
    grade = np.repeat(list(rates), 800)
    label = (generator.random(2400) < [rates[name] for name in grade]).astype(np.int64)
    first, second = neighbouring_grades(Outcomes(label, np.arange(2400)), grade.tolist(), ("A", "B", "C", "D"))
    assert (first.better, first.worse, second.better, second.worse) == ("A", "B", "B", "D")
    assert first.p_value > 0.05
    assert second.p_value < 0.001
    assert second.difference == pytest.approx(0.18, abs=0.04)


def test_copies_of_rows_do_not_tell_grades_apart() -> None:
    label, grade = np.array([0] * 9 + [1] + [0] * 8 + [1, 1]), ["A"] * 10 + ["B"] * 10
    [alone] = neighbouring_grades(Outcomes(label, np.arange(20)), grade, ("A", "B"))
    [copied] = neighbouring_grades(Outcomes(np.tile(label, 9), np.tile(np.arange(20), 9)), grade * 9, ("A", "B"))
    assert copied.p_value == pytest.approx(alone.p_value)


def test_grades_without_defaults_have_no_p_value() -> None:
    [found] = neighbouring_grades(Outcomes(np.zeros(4, np.int64), np.arange(4)), list("AABB"), ("A", "B"))
    assert math.isnan(found.p_value)
