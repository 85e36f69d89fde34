from __future__ import annotations

import numpy as np
import pytest

from models.components.levels import (
    UNSEEN_LEVEL,
    LevelColumn,
    LevelSettings,
    SampleLevels,
    level_risks,
    risk_of_positions,
    without_own_outcomes,
)

SETTINGS = LevelSettings(fewest_rows=3, smoothing_rows=10.0)


def logit(rate: float) -> float:
    return float(np.log(rate / (1.0 - rate)))


def test_the_risk_of_a_level_is_its_smoothed_log_odds_less_those_of_the_sample() -> None:
    positions = np.repeat([0.0, 1.0], 10)
    y = np.array([1] * 2 + [0] * 8 + [1] * 6 + [0] * 4)
    risks = level_risks(positions, y, 2, SETTINGS)
    # The sample has 8 defaults in 20 rows; ten rows at that rate are added to each level.
    assert risks == pytest.approx((logit(6 / 20) - logit(0.4), logit(10 / 20) - logit(0.4), 0.0), abs=1e-9)


def test_rare_levels_share_one_risk_with_levels_never_seen() -> None:
    positions = np.array([0.0] * 6 + [1.0] * 2 + [2.0] * 2)
    y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    risks = level_risks(positions, y, 4, SETTINGS)
    rare = logit((3 + 10 * 0.4) / (4 + 10)) - logit(0.4)
    assert risks[1:] == pytest.approx((rare,) * 4, abs=1e-9)
    assert risk_of_positions(np.array([UNSEEN_LEVEL, 1.0, 0.0, 17.0, np.nan, 0.5]), risks).tolist() == [
        risks[-1],
        risks[-1],
        risks[0],
        risks[-1],
        risks[-1],
        risks[-1],
    ]


@pytest.mark.parametrize("y", [[], [1, 1], [0, 0]])
def test_a_sample_with_one_outcome_has_levels_of_no_risk(y: list[int]) -> None:
    assert level_risks(np.zeros(len(y)), np.array(y, dtype=np.int8), 1, SETTINGS) == (0.0, 0.0)


def levels_of(positions: np.ndarray, parts: int = 4) -> SampleLevels:
    part = np.arange(len(positions)) % parts
    return SampleLevels((LevelColumn(0, positions, 5),), part, SETTINGS)


def test_no_row_sees_its_own_outcome_and_no_row_sees_a_held_out_outcome() -> None:
    generator = np.random.default_rng(1)
    positions = generator.integers(0, 5, 200).astype(np.float64)
    y = generator.integers(0, 2, 200)
    held_out = np.arange(200) >= 150
    levels = levels_of(positions)
    before = without_own_outcomes(np.zeros((200, 1)), levels, y, held_out)
    flipped = y.copy()
    flipped[7] = 1 - flipped[7]
    other = without_own_outcomes(np.zeros((200, 1)), levels, flipped, held_out)
    same_part = levels.part == levels.part[7]
    assert (before == other)[same_part & ~held_out].all()
    assert (before != other).any()
    flipped = np.where(held_out, 1 - y, y)
    assert (before == without_own_outcomes(np.zeros((200, 1)), levels, flipped, held_out)).all()


def test_held_out_rows_have_the_risks_of_all_other_rows() -> None:
    generator = np.random.default_rng(2)
    positions = generator.integers(0, 5, 100).astype(np.float64)
    y = generator.integers(0, 2, 100)
    held_out = np.arange(100) < 30
    encoded = without_own_outcomes(np.zeros((100, 1)), levels_of(positions), y, held_out)
    risks = level_risks(positions[~held_out], y[~held_out], 5, SETTINGS)
    assert encoded[held_out, 0].tolist() == risk_of_positions(positions[held_out], risks).tolist()


def test_a_column_of_chance_levels_ranks_nobody_in_training() -> None:
    """With their own outcomes in them, forty levels of pure chance would rank the training rows with an AUC of 0.7."""
    generator = np.random.default_rng(3)
    positions = generator.integers(0, 40, 600).astype(np.float64)
    y = generator.integers(0, 2, 600)
    levels = SampleLevels((LevelColumn(0, positions, 40),), np.arange(600) % 5, SETTINGS)
    apart = without_own_outcomes(np.zeros((600, 1)), levels, y, np.zeros(600, dtype=np.bool_))[:, 0]
    own = risk_of_positions(positions, level_risks(positions, y, 40, SETTINGS))
    assert np.corrcoef(own, y)[0, 1] > 0.2
    assert abs(np.corrcoef(apart, y)[0, 1]) < 0.12


def test_missing_values_stay_and_a_sample_without_categories_is_returned_as_it_is() -> None:
    encoded = np.array([[np.nan], [0.0], [0.0], [0.0]])
    nobody = np.zeros(4, dtype=np.bool_)
    result = without_own_outcomes(encoded, levels_of(np.array([np.nan, 0, 1, 0]), 2), np.array([0, 1, 0, 1]), nobody)
    assert np.isnan(result[:, 0]).tolist() == [True, False, False, False]
    none = SampleLevels((), np.zeros(4, dtype=np.int64), SETTINGS)
    assert without_own_outcomes(encoded, none, np.array([0, 1, 0, 1]), nobody) is encoded
