from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from models.components.scale import GradeScale, PointsScale, points_by_group, weight_of_group

SCALE = PointsScale(base_score=600.0, base_odds=30.0, points_to_double_odds=40.0)


def log_odds_at(good_to_bad: float) -> np.ndarray:
    return np.array([-math.log(good_to_bad)])


def test_the_base_score_is_at_the_base_odds_and_doubling_them_adds_the_step() -> None:
    assert SCALE.score(log_odds_at(30.0)).tolist() == [600]
    assert SCALE.score(log_odds_at(60.0)).tolist() == [640]
    assert SCALE.score(log_odds_at(15.0)).tolist() == [560]


def test_by_default_600_points_are_odds_of_30_to_1_and_40_points_double_them() -> None:
    assert PointsScale() == SCALE
    assert PointsScale().score(log_odds_at(30.0)).tolist() == [600]


def test_by_default_there_are_nine_grades_with_these_bounds() -> None:
    grades = GradeScale()
    assert grades.names == ("A1", "A2", "A3", "B1", "B2", "B3", "C1", "C2", "C3")
    assert grades.upper_bounds == (0.003, 0.006, 0.012, 0.02, 0.035, 0.06, 0.1, 0.18, 1.0)


@pytest.mark.parametrize("settings", [{"base_odds": 0.0}, {"points_to_double_odds": 0.0}, {"base_score": math.inf}])
def test_a_scale_without_odds_or_points_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        PointsScale(**settings)


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


def test_what_is_missing_goes_to_every_feature_in_turn_and_then_to_the_largest_remainders() -> None:
    # The values explain 3 points and the score is 8 points off: two for each feature, then one for each of two.
    values = -np.array([[1.2, 0.0, 0.9, 0.9]]) / SCALE.factor
    log_odds = np.array([-math.log(30.0) - 8.0 / SCALE.factor])
    issued = SCALE.issue_points(-math.log(30.0), values, log_odds)
    assert issued.points.tolist() == [[3, 0, 3, 2]]
    taken = SCALE.issue_points(-math.log(30.0), values, np.array([-math.log(30.0) + 5.0 / SCALE.factor]))
    assert taken.points.tolist() == [[-1, 0, -2, -2]]


def test_a_single_feature_carries_all_that_is_missing() -> None:
    base = -math.log(30.0)
    issued = SCALE.issue_points(base, np.array([[-1.4 / SCALE.factor]]), np.array([base - 6.0 / SCALE.factor]))
    assert issued.points.tolist() == [[6]]
    assert SCALE.issue_points(base, np.zeros((1, 0)), np.array([base])).points.tolist() == [[]]


def test_each_row_of_a_batch_is_allotted_its_own_points() -> None:
    base = -math.log(30.0)
    values = -np.array([[0.0, 0.0, 0.0], [0.0, 0.6, 0.0]]) / SCALE.factor
    issued = SCALE.issue_points(base, values, np.array([base, base]) - np.array([2.0, 3.0]) / SCALE.factor)
    assert issued.points.tolist() == [[1, 1, 0], [0, 3, 0]]
    assert issued.score.tolist() == [602, 603]


def test_where_no_feature_contributed_the_first_ones_carry_what_is_missing() -> None:
    issued = SCALE.issue_points(-math.log(30.0), np.zeros((1, 3)), np.array([-math.log(30.0) - 2.0 / SCALE.factor]))
    assert issued.points.tolist() == [[1, 1, 0]]


def test_a_row_without_finite_log_odds_gets_no_score() -> None:
    with pytest.raises(ValueError, match="refuse it"):
        SCALE.score(np.array([np.nan]))


def test_points_add_up_from_features_to_groups() -> None:
    points = np.array([[3, -2, 5], [0, 1, 1]], dtype=np.int32)
    grouped = points_by_group(points, ["sales", "cash", "sales"])
    assert {name: column.tolist() for name, column in grouped.items()} == {"sales": [8, 1], "cash": [-2, 1]}


def test_the_weight_of_a_group_is_the_mean_size_of_the_sum_of_its_columns() -> None:
    values = np.array([[3.0, -2.0, 5.0], [0.5, 1.0, -4.5]])
    assert weight_of_group(["sales", "cash", "sales"], "sales", values) == 6.0
    assert weight_of_group(["sales", "cash", "sales"], "cash", values) == 1.5


def test_points_without_a_group_for_every_column_are_refused() -> None:
    points = np.array([[3, -2, 5]], dtype=np.int32)
    for groups in (["sales", "cash"], ["sales", "cash", "tax", "more"]):
        with pytest.raises(ValueError, match=f"3 columns of points but {len(groups)} group names"):
            points_by_group(points, groups)


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
    [
        (0.1, 0.2, 0.3, 0.4, 0.5, 1.0),
        (0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0),
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9),
        (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0),
        (0.1, 0.2, math.nan, 0.4, 0.5, 0.6, 1.0),
    ],
    ids=["six grades", "equal bounds", "does not end at 1", "starts at 0", "not a number"],
)
def test_a_disorderly_grade_scale_is_refused(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        GradeScale(names=tuple(f"G{i}" for i in range(len(bounds))), upper_bounds=bounds)


@pytest.mark.parametrize(
    "names", [("A", "B", "C", "D", "E", "F", "F"), ("A", "B", "C", "D", "E", "F"), tuple("ABCDEFGH")]
)
def test_a_grade_scale_has_one_name_for_each_bound(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="one distinct name"):
        GradeScale(names=names, upper_bounds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0))


def test_seven_grades_are_enough_and_certainty_has_a_grade() -> None:
    grades = GradeScale(names=tuple("ABCDEFG"), upper_bounds=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0))
    assert (grades.grade_of(0.0), grades.grade_of(1.0)) == ("A", "G")
