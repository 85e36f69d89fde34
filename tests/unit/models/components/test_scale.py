from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from models.components.scale import GradeScale, PointsScale, points_by_group

SCALE = PointsScale(base_score=600.0, base_odds=30.0, points_to_double_odds=40.0)


def log_odds_at(good_to_bad: float) -> np.ndarray:
    return np.array([-math.log(good_to_bad)])


def test_the_base_score_is_at_the_base_odds_and_doubling_them_adds_the_step() -> None:
    assert SCALE.score(log_odds_at(30.0)).tolist() == [600]
    assert SCALE.score(log_odds_at(60.0)).tolist() == [640]
    assert SCALE.score(log_odds_at(15.0)).tolist() == [560]


def test_nothing_is_clipped() -> None:
    assert SCALE.score(np.array([60.0]))[0] < 0
    assert SCALE.score(np.array([-60.0]))[0] > 3000


def test_points_go_to_the_largest_remainders_and_ties_to_the_first_feature() -> None:
    unit = 1.0 / SCALE.factor
    values = -np.array([[0.5, 0.5, 0.5, 0.5]]) * unit
    base = math.log(1.0 / 30.0)
    issued = SCALE.issue_points(base, values, base + values.sum(axis=1))
    assert issued.base_points == 600
    assert issued.points.tolist() == [[1, 1, 0, 0]]
    assert issued.score.tolist() == [602]


def test_a_feature_that_contributed_nothing_gets_nothing() -> None:
    values = np.array([[0.0, 0.013, 0.0, -0.007]])
    issued = SCALE.issue_points(-3.0, values, -3.0 + values.sum(axis=1))
    assert issued.points[0, [0, 2]].tolist() == [0, 0]
    assert issued.base_points + issued.points.sum() == issued.score[0]


def test_a_row_without_finite_log_odds_gets_no_score() -> None:
    with pytest.raises(ValueError, match="refuse it"):
        SCALE.score(np.array([np.nan]))


def test_points_add_up_from_features_to_groups() -> None:
    points = np.array([[3, -2, 5], [0, 1, 1]], dtype=np.int32)
    grouped = points_by_group(points, ["sales", "cash", "sales"])
    assert {name: column.tolist() for name, column in grouped.items()} == {"sales": [8, 1], "cash": [-2, 1]}


def test_grades_worsen_with_the_probability_and_bounds_belong_to_the_better_grade() -> None:
    grades = GradeScale()
    bounds = np.asarray(grades.upper_bounds)
    assert grades.grades_of(bounds) == list(grades.names)
    assert grades.grade_of(float(np.nextafter(bounds[0], 1.0))) == grades.names[1]
    assert (np.diff(grades.index_of(np.linspace(0.0, 1.0, 501))) >= 0).all()


@pytest.mark.parametrize("probability", [-0.01, 1.01, math.nan])
def test_an_invalid_probability_gets_no_grade(probability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        GradeScale().grade_of(probability)


@pytest.mark.parametrize(
    "bounds",
    [(0.1, 0.2, 0.3, 0.4, 0.5, 1.0), (0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9)],
    ids=["six grades", "equal bounds", "does not end at 1"],
)
def test_a_disorderly_grade_scale_is_refused(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        GradeScale(names=tuple(f"G{i}" for i in range(len(bounds))), upper_bounds=bounds)
