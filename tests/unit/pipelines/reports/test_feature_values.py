"""Pages show feature values in familiar form: logarithms undone, shares as percent."""

from __future__ import annotations

import math

import pytest

from pipelines.reports.feature_values import plain_value, ratio_of_medians, unit_words, value_with_unit
from pipelines.reports.rendering import page_texts

TEXTS = page_texts("explanation_page", "en")


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (math.log1p(250_000.0), "ln USD", "250,000 USD"),
        (math.log1p(8.0), "ln count", "8"),
        (math.log(1.5), "ln ratio", "×1.5"),
        (0.256, "share", "25.6%"),
        (0.205, "ratio", "0.205"),
        (12.0, "days", "12 days"),
        (None, "ln USD", "not reported"),
    ],
)
def test_a_value_is_shown_in_its_own_unit(value: float | None, unit: str, expected: str) -> None:
    assert value_with_unit(value, unit, TEXTS) == expected


def test_only_logarithms_are_undone() -> None:
    assert plain_value(3.0, "days") == (3.0, "days")
    assert plain_value(0.0, "ln USD") == (0.0, "USD")
    assert unit_words("ln USD", TEXTS) == "USD"
    assert unit_words("ln count", TEXTS) == ""


def test_medians_of_logarithms_compare_as_amounts() -> None:
    assert ratio_of_medians(math.log1p(100.0), math.log1p(200.0), "ln USD") == pytest.approx(2.0)
    assert ratio_of_medians(2.0, 3.0, "days") == 1.5


@pytest.mark.parametrize(("trained", "scored"), [(-0.08, -0.07), (0.0, 1.0), (1.0, 0.0), (None, 1.0), (1.0, None)])
def test_a_ratio_needs_two_medians_above_zero(trained: float | None, scored: float | None) -> None:
    assert ratio_of_medians(trained, scored, "ratio") is None
