"""Draws do not depend on order, and text is exact."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.randomness import scatter, stream, unit_interval
from simulator.text_columns import cents_text, chosen, clock_text, day_text, joined, line_offsets, text, whole_text

CENTS = st.lists(st.integers(min_value=-(10**12), max_value=10**12), min_size=1, max_size=30)


@settings(deadline=None)
@given(keys=st.lists(st.integers(min_value=0, max_value=10**6), min_size=2, max_size=40, unique=True))
def test_a_detail_does_not_depend_on_what_else_is_drawn(keys: list[int]) -> None:
    together = scatter(5, "detail", np.array(keys))
    alone = [scatter(5, "detail", np.array([key]))[0] for key in keys]
    assert together.tolist() == [int(value) for value in alone]


def test_scattered_numbers_fill_the_unit_interval_evenly() -> None:
    chance = unit_interval(scatter(1, "even", np.arange(100_000)))
    counts = np.histogram(chance, bins=20, range=(0, 1))[0]
    assert chance.min() >= 0
    assert chance.max() < 1
    assert abs(counts - 5_000).max() < 5 * np.sqrt(5_000)


def test_names_and_seeds_part_the_streams() -> None:
    draws = [stream(seed, name).random(4).tolist() for seed in (1, 2) for name in ("demand", "credit")]
    assert len({tuple(draw) for draw in draws}) == 4
    assert stream(1, "demand").random(4).tolist() == draws[0]


@settings(deadline=None)
@given(cents=CENTS)
def test_money_text_is_the_exact_amount(cents: list[int]) -> None:
    shown = cents_text(np.array(cents)).to_pylist()
    assert [Decimal(cell) for cell in shown] == [Decimal(value) / 100 for value in cents]
    assert all(len(cell.rsplit(".", 1)[1]) == 2 for cell in shown)


def test_money_text_takes_a_decimal_comma() -> None:
    assert cents_text(np.array([123_456, -5, 0]), ",").to_pylist() == ["1234,56", "-0,05", "0,00"]


@settings(deadline=None)
@given(days=st.lists(st.integers(min_value=-4_000, max_value=4_000), min_size=1, max_size=20))
def test_day_text_is_the_calendar_date(days: list[int]) -> None:
    first = np.datetime64("2019-01-01", "D")
    assert day_text(first, np.array(days)).to_pylist() == [str(date(2019, 1, 1) + timedelta(days=d)) for d in days]


def test_rows_are_joined_and_sliced_by_their_offsets() -> None:
    lines = joined("a", whole_text(np.array([1, 22]), 3), chosen(["x", "作"], np.array([0, 1])), "\n")
    offsets, data = line_offsets(lines)
    assert bytes(data[offsets[1] : offsets[2]]).decode() == "a022作\n"
    assert line_offsets(text([]))[0].tolist() == [0]
    assert clock_text(np.array([0, 86_399])).to_pylist() == ["00:00:00", "23:59:59"]
