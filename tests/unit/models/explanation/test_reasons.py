from __future__ import annotations

import numpy as np
import pytest

from features.catalogue import feature_records
from models.explanation.reasons import batch_reasons, format_value, reason_dictionary, reasons_for_row, worded_value
from tests.factories.models import small_credit_model, small_world

MODEL = small_credit_model()
X = small_world().dataset.X
ISSUED = MODEL.issue_points(MODEL.contributions(X[:200]))
FAMILIES = [feature.family for feature in MODEL.features]
DICTIONARY = reason_dictionary(MODEL.features)


def row_points(values: list[int]) -> np.ndarray:
    return np.array([values], dtype=np.int32)


def test_reasons_and_all_others_add_up_to_the_score_in_every_row() -> None:
    for row in range(200):
        reasons = reasons_for_row(ISSUED.points[row], X[row], MODEL, DICTIONARY)
        named = sum(reason.points for reason in (*reasons.positive, *reasons.negative))
        assert ISSUED.base_points + named + reasons.all_others == ISSUED.score[row]
        assert len(reasons.positive) <= 4
        assert len(reasons.negative) <= 4


def test_reasons_are_the_largest_in_each_direction_best_first() -> None:
    batch = batch_reasons(row_points([5, -1, 9, -7, 1, 2, 3, 0]), list("abcdefgh"))
    assert batch.positive_points.tolist() == [[9, 5, 3, 2]]
    assert batch.positive_feature.tolist() == [[2, 0, 6, 5]]
    assert batch.negative_points.tolist() == [[-7, -1, 0, 0]]
    assert batch.negative_feature.tolist() == [[3, 1, -1, -1]]
    assert batch.all_others.tolist() == [1]


def test_ties_go_to_the_feature_that_comes_first() -> None:
    batch = batch_reasons(row_points([2, 2, 2, 2, 2, 2]), list("abcdef"))
    assert batch.positive_feature.tolist() == [[0, 1, 2, 3]]
    assert batch.all_others.tolist() == [4]


def test_a_family_is_one_reason_led_by_its_strongest_feature() -> None:
    batch = batch_reasons(row_points([3, 4, -10, 2, -8]), ["payout", "payout", "refund", "gap", "refund"])
    assert batch.positive_feature.tolist() == [[1, 3, -1, -1]]
    assert batch.positive_points.tolist() == [[7, 2, 0, 0]]
    assert batch.negative_feature.tolist() == [[2, -1, -1, -1]]
    assert batch.negative_points.tolist() == [[-18, 0, 0, 0]]


def test_fewer_features_than_reasons_work() -> None:
    batch = batch_reasons(row_points([4, -4]), ["a", "b"])
    assert batch.positive_feature.tolist() == [[0, -1, -1, -1]]
    assert batch.all_others.tolist() == [0]


def test_a_missing_value_is_shown_as_missing() -> None:
    x = X[0].copy()
    x[2] = np.nan
    points = np.zeros(len(MODEL.features), dtype=np.int32)
    points[2] = -12
    reason = reasons_for_row(points, x, MODEL, DICTIONARY).negative[0]
    assert reason.value is None
    assert reason.text_en == "Refund share 90d: no data"
    assert "无数据" in reason.text_zh


def test_a_known_value_is_shown_with_its_unit() -> None:
    x = X[0].copy()
    x[2] = 0.31
    points = np.zeros(len(MODEL.features), dtype=np.int32)
    points[2] = -12
    reason = reasons_for_row(points, x, MODEL, DICTIONARY).negative[0]
    assert (reason.value, reason.unit, reason.points) == (0.31, "share", -12)
    assert reason.text_en == "Refund share 90d (31 %) lowers the score"


def test_values_are_shown_without_powers_of_ten() -> None:
    assert [format_value(v) for v in (0.0, 1234567.8, 0.00001234, -42.5, 7.0)] == [
        "0",
        "1,234,568",
        "0.0000123",
        "-42.5",
        "7",
    ]


def test_nothing_counted_is_said_in_words_and_one_is_singular() -> None:
    assert worded_value(0.0, "count") == ("none", "无")
    assert worded_value(0.0, "ln count") == ("none", "无")
    assert worded_value(0.0, "days") == ("0 days", "0 天")
    assert worded_value(1.0, "days") == ("1 day", "1 天")
    assert worded_value(1.0, "USD") == ("1 USD", "1 美元")


UNIT_WORDS = [
    ("0 or 1", 1.0, "1", "1"),
    ("USD", 1250.0, "1,250 USD", "1,250 美元"),
    ("count", 6.0, "6", "6"),
    ("days", 12.0, "12 days", "12 天"),
    ("index, 0 to 1", 0.25, "0.25", "0.25"),
    ("ln USD", 10.0, "22,025 USD", "22,025 美元"),
    ("ln count", 2.0, "6.39", "6.39"),
    ("ln ratio", 1.0, "2.72 times", "2.72 倍"),
    ("ratio", 1.5, "1.5 times", "1.5 倍"),
    ("ratio, -1 to 1", -0.5, "-0.5", "-0.5"),
    ("difference, -2 to 2", -1.25, "-1.25", "-1.25"),
    ("share", 0.0335, "3.35 %", "3.35 %"),
    ("stars", 4.25, "4.25 stars", "4.25 星"),
    ("weighted events", 1.25, "1.25 weighted events", "1.25 次（加权）"),
]


@pytest.mark.parametrize(("unit", "value", "english", "chinese"), UNIT_WORDS)
def test_a_value_of_every_unit_is_worded_in_both_languages(unit: str, value: float, english: str, chinese: str) -> None:
    assert worded_value(value, unit) == (english, chinese)


def test_no_feature_has_a_unit_without_words() -> None:
    assert {record.unit for record in feature_records()} <= {unit for unit, *_ in UNIT_WORDS}


@pytest.mark.parametrize(("points", "verb"), [(12, "raises"), (-12, "lowers")])
def test_a_reason_says_in_which_direction_its_value_moves_the_score(points: int, verb: str) -> None:
    row = np.zeros(len(MODEL.features), dtype=np.int32)
    row[2] = points
    reasons = reasons_for_row(row, X[0], MODEL, DICTIONARY)
    (reason,) = (*reasons.positive, *reasons.negative)
    assert f" {verb} the score" in reason.text_en
    assert {"raises": "拉高评分", "lowers": "拉低评分"}[verb] in reason.text_zh


def test_the_last_digit_is_that_of_the_number_as_it_is_stored() -> None:
    # 1.005 and 2.675 are stored a little below, 1.115 a little above.
    assert [format_value(v) for v in (1.005, 2.675, 1.115)] == [f"{v:.3g}" for v in (1.005, 2.675, 1.115)]


def test_the_largest_logarithms_are_left_as_they_are() -> None:
    assert worded_value(709.0, "ln USD")[0] == "8.22e+307 USD"
    assert worded_value(709.5, "ln USD")[0] == "e^710 USD"


def test_three_digits_count_and_a_hundred_is_shown_whole() -> None:
    assert [format_value(v) for v in (99.5, -99.4)] == ["99.5", "-99.4"]
    assert [format_value(v) for v in (99.96, 100.4, 100.0, -100.6, 1e23)] == [
        "100",
        "100",
        "100",
        "-101",
        f"{1e23:,.0f}",
    ]


def test_values_that_nothing_real_has_are_worded_too() -> None:
    assert worded_value(800.0, "ln USD") == ("e^800 USD", "e^800 美元")
    assert worded_value(1e308, "ln ratio")[0] == "e^1e+308 times"
    assert worded_value(-800.0, "ln USD")[0] == "-1 USD"
    assert worded_value(-1e308, "share") == ("-inf %", "-inf %")
    assert worded_value(1e45, "count")[0] == "1e+45"
