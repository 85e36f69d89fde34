"""Drift alerts need significance and size; chance alone rarely raises one."""

from __future__ import annotations

import numpy as np
import pytest

from models.evaluation.drift import DriftSettings, bin_counts, judge, measure_drift, stability_index

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


def test_small_driftless_samples_exceed_the_folklore_limit_but_raise_no_alert() -> None:
    generator = np.random.default_rng(1)
    drifts = [
        measure_drift(f"x{k}", generator.normal(size=200), generator.normal(size=200), 200, SETTINGS) for k in range(40)
    ]
    assert sum(drift.index > 0.10 for drift in drifts) >= 4
    assert sum(drift.alert for drift in judge(drifts, SETTINGS)) == 0


def test_a_moved_variable_among_many_still_ones_is_the_one_alerted() -> None:
    generator = np.random.default_rng(2)
    drifts = [
        measure_drift(f"x{k}", generator.normal(size=2_000), generator.normal(size=1_000), 2_000, SETTINGS)
        for k in range(30)
    ]
    drifts.append(
        measure_drift("moved", generator.normal(size=2_000), generator.normal(0.7, size=1_000), 2_000, SETTINGS)
    )
    assert [drift.name for drift in judge(drifts, SETTINGS) if drift.alert] == ["moved"]


def test_a_significant_but_tiny_shift_is_reported_without_an_alert() -> None:
    generator = np.random.default_rng(3)
    drift = measure_drift("x", generator.normal(size=200_000), generator.normal(0.05, size=200_000), 200_000, SETTINGS)
    assert drift.p_value < 0.001
    assert not judge([drift], SETTINGS)[0].alert


def test_repeated_rows_of_few_sellers_do_not_count_as_evidence() -> None:
    generator = np.random.default_rng(4)
    sellers = generator.normal(size=100)
    repeated = np.repeat(sellers, 20)
    current = generator.normal(size=100)
    as_rows = measure_drift("x", repeated, current, 2_000, SETTINGS)
    as_sellers = measure_drift("x", repeated, current, 100, SETTINGS)
    assert as_sellers.critical_value > as_rows.critical_value


def test_too_few_simulations_for_the_number_of_variables_are_refused() -> None:
    drift = measure_drift("x", np.arange(50.0), np.arange(50.0), 50, DriftSettings(simulations=100))
    with pytest.raises(ValueError, match="too few for 2 variables"):
        judge([drift, drift], DriftSettings(simulations=100))
