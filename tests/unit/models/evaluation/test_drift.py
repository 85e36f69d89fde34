"""The stability index comes with what chance alone yields at these sample sizes."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.drift import DriftSettings, Evidence, bin_counts, measure_drift, stability_index

SETTINGS = DriftSettings(simulations=5_000)


def test_equal_samples_have_index_zero() -> None:
    counts = np.array([10, 20, 30])
    assert stability_index(counts, counts) == 0


def test_the_index_is_symmetric() -> None:
    one, other = np.array([10, 20, 30]), np.array([30, 20, 10])
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))


def test_missing_values_have_a_bin_of_their_own() -> None:
    reference, current = bin_counts(np.array([1.0, 2, 3, np.nan]), np.array([np.nan, np.nan, 1, 9]), bins=3)
    assert reference[-1] == 1
    assert current[-1] == 2
    assert reference.sum() == current.sum() == 4


def test_a_variable_that_is_all_missing_in_the_reference_is_measured_by_its_missing_bin() -> None:
    drift = measure_drift("x", np.full(50, np.nan), np.arange(50.0), 50, SETTINGS)
    assert drift.index > 1
    assert (drift.reference_missing_share, drift.current_missing_share) == (1.0, 0.0)


def test_repeated_rows_of_few_sellers_do_not_count_as_evidence() -> None:
    generator = np.random.default_rng(4)
    sellers = generator.normal(size=100)
    repeated = np.repeat(sellers, 20)
    current = generator.normal(size=100)
    as_rows = measure_drift("x", repeated, current, 2_000, SETTINGS)
    as_sellers = measure_drift("x", repeated, current, 100, SETTINGS)
    assert as_sellers.critical_value > as_rows.critical_value


def test_weighted_reference_rows_count_by_their_weight() -> None:
    reference, weights = np.array([1.0, 1.0, 1.0, 5.0]), np.array([1.0, 1.0, 1.0, 3.0])
    counted, _ = bin_counts(reference, reference, 2, weights)
    assert counted[:-1].tolist() == pytest.approx([2.0, 2.0])


def test_a_mix_that_weights_remove_is_no_drift() -> None:
    young, old = np.zeros(300), np.ones(300)
    reference, current = np.concatenate([young, young, young, old]), np.concatenate([young, old])
    plain = measure_drift("age", reference, current, 1200, SETTINGS)
    weights = np.where(reference == 1, 3.0, 1.0)
    weighted = measure_drift("age", reference, current, Evidence(1000, weights), SETTINGS)
    assert plain.p_value < 0.001
    assert weighted.index == pytest.approx(0.0, abs=2e-3)
    assert weighted.p_value > 0.3
