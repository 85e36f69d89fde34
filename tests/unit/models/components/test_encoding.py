from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from models.components.encoding import (
    EncodingSettings,
    ModelFeature,
    encode_matrix,
    encoded_columns,
    feature_facts,
    feature_family,
    fit_encoding,
)
from tests.factories.models import fact

NAN = np.nan


def encoded(values: list[float], direction: int, new: list[float], **settings: object) -> np.ndarray:
    facts = (fact("ratio", direction),)
    features = fit_encoding(np.array(values)[:, None], facts, EncodingSettings(**settings))
    return encode_matrix(features, np.array(new)[:, None])


@pytest.mark.parametrize(
    ("values", "direction", "missing"),
    [
        ([1.0, 5.0], 1, 5.2),  # a twentieth of the range beyond its worst end
        ([1.0, 5.0], -1, 0.8),
        ([-5.0, -1.0], -1, -5.2),
        ([1e9, 1e9 + 1.0], 1, 1e9 + 1.0 + 1e-6 * (1e9 + 1.0)),  # a millionth of the size, if that is more
        ([-1e9, 1.0 - 1e9], 1, 1.0 - 1e9 + 1000.0),
        ([3.0, 3.0], 1, 6.0),  # a constant has no range: its own size
        ([-3.0, -3.0], -1, -6.0),
        ([0.5, 0.5], 1, 1.5),  # and at least 1
    ],
)
def test_missing_lies_one_step_beyond_the_worst_end(values: list[float], direction: int, missing: float) -> None:
    assert encoded(values, direction, [NAN])[0, 0] == pytest.approx(missing, rel=1e-12)


def test_missing_lies_one_step_beyond_both_distances_of_a_two_sided_feature() -> None:
    column = encoded([0.0, 1.0, 4.0], 0, [NAN, 0.0, 9.0, -9.0], two_sided=("ratio",))
    assert column[0].tolist() == pytest.approx([1.2, 3.2])
    assert column[1:].tolist() == [[1.0, 0.0], [0.0, 3.0], [1.0, 0.0]]
    assert encoded([2.0, 3.0, 6.0], 0, [NAN], two_sided=("ratio",))[0].tolist() == pytest.approx([1.2, 3.2])
    (feature,) = fit_encoding(np.array([[2.0], [6.0]]), (fact("a", 0),), EncodingSettings(two_sided=("a",)))
    below, above = feature.model_copy(update={"centre": None}).encode(np.array([5.0]))
    assert (below.tolist(), above.tolist()) == ([0.0], [3.0])


def test_a_feature_without_direction_keeps_its_range_and_its_gaps() -> None:
    column = encoded([1.0, 5.0], 0, [0.0, 3.0, 9.0, np.inf, NAN])[:, 0]
    assert column[:3].tolist() == [1.0, 3.0, 5.0]
    assert np.isnan(column[3:]).all()


def test_missing_lies_beyond_the_highest_value_where_higher_is_worse() -> None:
    column = encoded([1.0, 5.0, NAN], 1, [1.0, 5.0, NAN])[:, 0]
    assert column.tolist()[:2] == [1.0, 5.0]
    assert column[2] > 5.0


def test_missing_lies_below_the_lowest_value_where_lower_is_worse() -> None:
    assert encoded([1.0, 5.0], -1, [NAN])[0, 0] < 1.0


def test_no_report_can_be_worse_than_silence() -> None:
    column = encoded([1.0, 5.0], 1, [9e99, NAN])[:, 0]
    assert column[0] == 5.0
    assert column[1] > column[0]


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize("direction", [-1, 1])
def test_an_infinite_report_counts_as_missing(infinity: float, direction: int) -> None:
    column = encoded([1.0, 5.0], direction, [infinity, NAN])[:, 0]
    assert column[0] == column[1]


def test_a_constant_feature_still_separates_missing_from_known() -> None:
    column = encoded([3.0, 3.0, NAN], 1, [3.0, NAN])[:, 0]
    assert column[1] > column[0] == 3.0


def test_the_step_survives_rounding_beside_large_numbers() -> None:
    column = encoded([1e15, 1e15 + 0.5], 1, [1e15 + 0.5, NAN])[:, 0]
    assert column[1] > column[0]


def test_a_two_sided_feature_becomes_two_distances_and_missing_is_the_worst_of_both() -> None:
    column = encoded([0.0, 1.0, 4.0], 0, [0.0, 1.0, 4.0, NAN], two_sided=("ratio",))
    assert column[:3].tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 3.0]]
    assert (column[3] > column[:3].max(axis=0)).all()


def test_a_feature_without_direction_is_used_only_if_always_observed() -> None:
    matrix = np.array([[1.0, 1.0], [2.0, NAN]])
    features = fit_encoding(matrix, (fact("always", 0), fact("sometimes", 0)), EncodingSettings())
    assert [feature.treatment for feature in features] == ["free", "set_aside"]
    assert encoded_columns(features) == (("always", 0),)
    assert np.isnan(encode_matrix(features, np.array([[NAN, 1.0]]))).all()


def test_a_feature_never_observed_is_set_aside() -> None:
    features = fit_encoding(np.full((3, 1), NAN), (fact("silent", 1),), EncodingSettings())
    assert features[0].treatment == "set_aside"
    assert encode_matrix(features, np.ones((2, 1))).shape == (2, 0)


@pytest.mark.parametrize("shape", [(3, 2), (3, 0), (3,)])
def test_a_matrix_of_another_width_is_refused(shape: tuple[int, ...]) -> None:
    features = fit_encoding(np.ones((3, 1)), (fact("one", 1),), EncodingSettings())
    with pytest.raises(ValueError, match=r"does not have the model's 1 columns"):
        encode_matrix(features, np.ones(shape))
    with pytest.raises(ValueError, match=r"does not have the 1 columns of the feature set"):
        fit_encoding(np.ones(shape), (fact("one", 1),), EncodingSettings())


def test_settings_decide_what_is_set_aside_and_what_is_free() -> None:
    matrix, facts = np.array([[1.0, 2.0, 3.0]] * 2), (fact("a", 1), fact("b", 0), fact("c", 0))
    features = fit_encoding(matrix, facts, EncodingSettings(set_aside=("a",), two_sided=("c",)))
    assert [feature.treatment for feature in features] == ["set_aside", "free", "two_sided"]
    assert encoded_columns(features) == (("b", 0), ("c__below", 1), ("c__above", 1))
    none_free = fit_encoding(matrix, facts, EncodingSettings(free_features="set_aside"))
    assert [feature.treatment for feature in none_free] == ["one_sided", "set_aside", "set_aside"]
    assert encoded_columns(none_free) == (("a", 1),)
    assert none_free[1].encode(np.ones(2)) == ()


def test_the_range_and_centre_seen_in_training_are_kept() -> None:
    (one,) = fit_encoding(np.array([[2.0], [NAN], [np.inf], [10.0], [4.0]]), (fact("a", 1),), EncodingSettings())
    assert (one.lower, one.upper, one.step, one.centre) == (2.0, 10.0, 0.4, None)
    (two,) = fit_encoding(np.array([[2.0], [10.0], [4.0]]), (fact("a", 0),), EncodingSettings(two_sided=("a",)))
    assert (two.lower, two.upper, two.centre) == (2.0, 10.0, 4.0)
    (none,) = fit_encoding(np.full((2, 1), NAN), (fact("a", 1),), EncodingSettings())
    assert (none.lower, none.upper, none.step) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("wrong", [{"lower": NAN}, {"upper": np.inf}, {"step": 0.0}])
def test_a_feature_without_a_finite_range_and_a_step_is_refused(wrong: dict[str, float]) -> None:
    (feature,) = fit_encoding(np.array([[2.0], [10.0]]), (fact("a", 1),), EncodingSettings())
    with pytest.raises(ValidationError):
        ModelFeature.model_validate({**feature.model_dump(), **wrong})


def test_a_name_that_is_only_windows_is_its_own_family() -> None:
    assert feature_family("_90d") == "_90d"


def test_family_is_the_name_without_its_windows() -> None:
    assert [feature_family(name) for name in ("a_sum_90d", "a_trend_90d_365d", "gap_days")] == [
        "a_sum",
        "a_trend",
        "gap_days",
    ]


def test_facts_keep_what_the_records_declare() -> None:
    record = fact("refund_share_90d", 1, "user_quality", "returns")
    assert feature_facts([record]) == (record,)
