"""Values worded together have the texts that they have alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.explanation.reasons import reason_dictionary, shown_value
from models.explanation.worded_columns import worded_column
from tests.factories.models import fact

UNITS = ("share", "USD", "count", "days", "ratio", "ln USD", "ln count", "ln ratio", "ratio, -1 to 1")
EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    99.95,
    99.949999,
    100.0,
    100.5,
    999.5,
    1e15,
    1e24,
    1e300,
    5e-324,
    709.5,
    800.0,
    1e-5,
]


def texts_of(values: np.ndarray, unit: str, levels: tuple[str, ...] | None = None) -> None:
    (text,) = reason_dictionary([fact("one", 1).model_copy(update={"unit": unit, "levels": levels})]).entries
    worded = worded_column(values, text)
    found = [(worded.english[place], worded.chinese[place]) for place in worded.place.tolist()]
    assert found == [shown_value(value, text) for value in values.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    unit=st.sampled_from(UNITS),
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(-120, 120)
        | st.integers(-(10**7), 10**7).map(float)
        | st.integers(-(10**6), 10**6).map(lambda whole: whole / 10**4)
        | st.integers(-2000, 2000).map(lambda whole: whole / 8)
        | st.sampled_from(EDGES),
        min_size=1,
        max_size=60,
    ),
)
def test_every_value_has_its_own_text(unit: str, values: list[float]) -> None:
    texts_of(np.asarray(values), unit)


@pytest.mark.parametrize("unit", UNITS)
def test_values_beside_every_rounding_boundary_have_their_own_text(unit: str) -> None:
    middle = np.concatenate([np.arange(0.5, 2000.5) * scale for scale in (1e-5, 1e-3, 0.01, 0.1, 1.0)])
    texts_of(np.concatenate([middle, np.nextafter(middle, -np.inf), np.nextafter(middle, np.inf), -middle]), unit)


def test_values_that_look_alike_are_worded_once() -> None:
    (text,) = reason_dictionary([fact("one", 1).model_copy(update={"unit": "USD"})]).entries
    worded = worded_column(np.asarray([1234.1, 1233.9, 0.01231, 0.01229, 0.01231]), text)
    assert worded.english == ["1,234 USD", "0.0123 USD"]
    assert worded.place.tolist() == [0, 0, 1, 1, 1]


def test_levels_of_a_category_have_their_texts() -> None:
    texts_of(np.asarray([0.0, 1.0, -1.0, 7.0, 1.0]), "", ("boat", "旅行"))
