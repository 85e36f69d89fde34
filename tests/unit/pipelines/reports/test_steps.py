"""Each bar of a sum starts where the previous one ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports.steps import staircase

POINTS = st.lists(st.integers(-200, 200), min_size=1, max_size=12)


@given(st.integers(300, 900), POINTS)
def test_the_steps_lead_from_the_base_to_the_sum(base: int, addends: list[int]) -> None:
    stairs = staircase(base, addends)
    assert stairs.steps[-1].running == base + sum(addends)
    place = stairs.base_place
    for step in stairs.steps:
        ends = (step.left, step.left + step.width)
        begin, end = ends if step.points >= 0 else ends[::-1]
        assert begin == pytest.approx(place)
        assert 0 <= ends[0] <= ends[1] <= 100
        place = end
    assert place == pytest.approx(stairs.end_place)


def test_nothing_added_stays_in_the_middle() -> None:
    stairs = staircase(600, [0])
    assert (stairs.base_place, stairs.end_place) == (50.0, 50.0)
