from __future__ import annotations

import numpy as np
import pytest

from models.components.encoding import (
    EncodingSettings,
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


def test_a_matrix_of_another_width_is_refused() -> None:
    features = fit_encoding(np.ones((3, 1)), (fact("one", 1),), EncodingSettings())
    with pytest.raises(ValueError, match="columns"):
        encode_matrix(features, np.ones((3, 2)))


def test_family_is_the_name_without_its_windows() -> None:
    assert [feature_family(name) for name in ("a_sum_90d", "a_trend_90d_365d", "gap_days")] == [
        "a_sum",
        "a_trend",
        "gap_days",
    ]


def test_facts_keep_what_the_records_declare() -> None:
    record = fact("refund_share_90d", 1, "user_quality", "refund_share")
    assert feature_facts([record]) == (record,)
