"""Charts are well formed, their marks are in the right places, and their bytes are reproducible."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports.charts import (
    ChartWords,
    DependencePoint,
    Frame,
    RatePoint,
    Scale,
    Series,
    SeriesPoint,
    calibration_chart,
    column_chart,
    dependence_chart,
    nice_range,
    series_chart,
)
from pipelines.reports.forest import forest_scale
from tests.factories.pages import HOSTILE

WORDS = ChartWords("Titel 标题", "x axis 横轴", "y axis")
FRAME = Frame(width=300, height=200)
FIGURES = st.floats(-1e6, 1e6, allow_nan=False)


def parsed(chart: object) -> ET.Element:
    return ET.fromstring(str(chart))  # noqa: S314 - our own markup


def dots(svg: ET.Element) -> list[tuple[float, float]]:
    return [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in svg.iter("circle")]


def test_a_chart_describes_what_it_shows() -> None:
    svg = parsed(series_chart(["2024 Q1"], [Series("a", (SeriesPoint(0.7, 0.6, 0.8),))], WORDS, FRAME))
    assert (svg.attrib["role"], svg.attrib["aria-label"]) == ("img", WORDS.title)
    words = [text.text for text in svg.iter("text")]
    assert WORDS.x_axis in words
    assert WORDS.y_axis in words
    assert "2024 Q1" in words


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_stay_words(hostile: str) -> None:
    words = ChartWords(hostile, hostile, hostile)
    chart = column_chart([hostile], [(1, 2)], ("a", "b"), words, FRAME)
    svg = parsed(chart)
    assert svg.attrib["aria-label"] == hostile
    assert [text.text for text in svg.iter("text")].count(hostile) == 3
    assert "<script" not in str(chart)


def test_the_same_figures_make_the_same_bytes() -> None:
    points = [RatePoint(0.02, 0.03, 0.01, 0.06), RatePoint(0.2, 0.15, 0.1, 0.22)]
    assert str(calibration_chart(points, WORDS, FRAME)) == str(calibration_chart(points, WORDS, FRAME))


def test_a_calibrated_group_lies_on_the_diagonal_and_a_clean_one_hollow_on_the_floor() -> None:
    svg = parsed(calibration_chart([RatePoint(0.05, 0.05, 0.02, 0.1), RatePoint(0.02, 0.0, 0.0, 0.03)], WORDS, FRAME))
    diagonal = next(line for line in svg.iter("line") if line.attrib["class"] == "diagonal")
    (x, y), (_, floor) = dots(svg)
    x1, y1, x2, y2 = (float(diagonal.attrib[end]) for end in ("x1", "y1", "x2", "y2"))
    assert y == pytest.approx(y1 + (x - x1) / (x2 - x1) * (y2 - y1), abs=0.2)
    assert floor == y1
    assert [dot.attrib["class"] for dot in svg.iter("circle")] == ["dot tone-a", "dot hollow"]


def test_higher_values_are_drawn_higher_and_missing_ones_not_at_all() -> None:
    points = (SeriesPoint(0.6), SeriesPoint(None), SeriesPoint(0.8, 0.7, 0.9))
    svg = parsed(series_chart(["a", "b", "c"], [Series("a", points)], WORDS, FRAME))
    (left, low), (right, high) = dots(svg)
    assert left < right
    assert high < low


def test_stacked_parts_are_drawn_on_each_other() -> None:
    svg = parsed(column_chart(["A"], [(0.5, 0.25)], ("a", "bad"), WORDS, FRAME))
    lower, upper = svg.iter("rect")
    assert float(upper.attrib["y"]) + float(upper.attrib["height"]) == pytest.approx(float(lower.attrib["y"]), abs=0.2)
    assert float(lower.attrib["height"]) == pytest.approx(2 * float(upper.attrib["height"]), abs=0.2)
    assert "60%" in [text.text for text in svg.iter("text")]


def test_counts_are_not_percent() -> None:
    svg = parsed(column_chart(["A"], [(1,)], ("a",), WORDS, FRAME))
    assert not any("%" in (text.text or "") for text in svg.iter("text"))


def test_a_missing_value_is_a_diamond_of_its_own() -> None:
    points = [DependencePoint(1.0, 5.0, 4.0, 6.0), DependencePoint(2.0, -5.0, -6.0, -4.0)]
    with_missing = parsed(dependence_chart(points, -7.0, (-7.0, 6.0), WORDS, FRAME))
    without = parsed(dependence_chart(points, None, (-7.0, 6.0), WORDS, FRAME))
    assert [shape.attrib["class"] for shape in with_missing.iter("polygon")] == ["band", "missing"]
    assert [shape.attrib["class"] for shape in without.iter("polygon")] == ["band"]


@pytest.mark.parametrize("categories", [0, 1, 60])
def test_any_number_of_categories_can_be_drawn(categories: int) -> None:
    names = [f"20{i:02d}-12-31" for i in range(categories)]
    svg = parsed(series_chart(names, [Series("a", tuple(SeriesPoint(0.7) for _ in names))], WORDS, FRAME))
    ticks = [float(text.attrib["x"]) for text in svg.iter("text") if text.text in names]
    assert all(right - left > 60 for left, right in pairwise(ticks))
    assert len(dots(svg)) == categories


def test_charts_of_nothing_are_still_charts() -> None:
    parsed(calibration_chart([], WORDS, FRAME))
    parsed(column_chart([], [], ("a",), WORDS, FRAME))
    parsed(dependence_chart([], None, (0.0, 0.0), WORDS, FRAME))


@given(FIGURES, FIGURES)
def test_round_ends_hold_the_range(one: float, other: float) -> None:
    low, high = sorted((one, other))
    start, end, ticks = nice_range(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert start <= low + slack
    assert end >= high - slack
    assert 2 <= len(ticks) <= 12
    assert list(ticks) == sorted(set(ticks))


@given(st.floats(0.001, 1.0), st.floats(0.001, 1.0))
def test_places_keep_the_order_of_values(one: float, other: float) -> None:
    for is_log in (False, True):
        scale = Scale(0.001, 1.0, 0, 100, is_log)
        low, high = sorted((one, other))
        assert 0 <= scale.place(low) <= scale.place(high) <= 100


def test_interval_marks_are_inside_their_cell() -> None:
    estimates = [
        {"value": 0.7, "lower": 0.6, "upper": 0.8},
        {"value": 0.75, "lower": None, "upper": None},
    ]
    scale = forest_scale(estimates, reference=0.5)
    cell = scale.cell(estimates[0], limit=2.0)
    assert cell is not None
    assert cell.reference is not None
    assert 0 < cell.reference < cell.start < cell.mark < cell.start + cell.width <= 100
    assert cell.limit == 100
    assert scale.cell(estimates[1]) is None
