"""Charts as inline SVG, drawn from figures that are already computed.

A chart is a handful of lines, dots and words. Without a plotting library its words have the page's language and font,
equal figures make equal bytes, and names are never read as markup. Colours come from the page's style sheet by class,
so that screen and print agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pipelines.reports.rendering import TrustedMarkup, number, percent, significant, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG_TICKS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
CHARACTER_WIDTH = 6.5
"""Approximate width of a character of a tick in pixels, to keep ticks apart."""


@dataclass(frozen=True)
class ChartWords:
    """Words of a chart in the page's language: a title for those who cannot see it, and what its axes show."""

    title: str
    x_axis: str
    y_axis: str


@dataclass(frozen=True)
class Frame:
    """Size of a chart and the margins around its plotting area, in pixels."""

    width: int
    height: int
    left: int = 52
    right: int = 22
    top: int = 10
    bottom: int = 42


@dataclass(frozen=True)
class Scale:
    """Scale of one axis, from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the pixel of a value; values beyond the ends stay at the ends."""
        low, high, inside = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, inside = math.log(low), math.log(high), math.log(inside)
        share = (inside - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Plane:
    """The plotting area of a chart: its two axes."""

    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixels of a point."""
        return self.x.place(x), self.y.place(y)


@dataclass(frozen=True)
class RatePoint:
    """Expected and observed default rate of one group, with the interval of the observed rate."""

    expected: float
    observed: float
    lower: float
    upper: float


@dataclass(frozen=True)
class SeriesPoint:
    """One value of a series with its interval; None where there is no value."""

    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Series:
    """A named series over the categories of a chart, drawn in the colour of ``tone`` ("a", "b" or "c")."""

    tone: str
    points: tuple[SeriesPoint, ...]


@dataclass(frozen=True)
class Curve:
    """A line through points, drawn in the colour of ``tone`` ("a", "b" or "c")."""

    tone: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class DependencePoint:
    """Points of rows of similar feature value: mean and the range of most rows."""

    value: float
    mean: float
    low: float
    high: float


def calibration_chart(points: Sequence[RatePoint], words: ChartWords, frame: Frame) -> TrustedMarkup:
    """Draw observed against expected default rates on logarithmic axes, with the diagonal of perfect calibration.

    A group without any default has no place on such an axis: it is drawn hollow at the floor.
    """
    positive = [value for point in points for value in (point.expected, point.observed, point.upper) if value > 0]
    floor = max(1e-4, min(positive, default=0.01) / 1.6)
    ceiling = min(1.0, max(positive, default=0.1) * 1.3)
    svg, plane = _axes(words, frame, (floor, ceiling), (floor, ceiling), is_log=True)
    ticks = [(tick, _rate(tick)) for tick in _log_ticks(floor, ceiling)]
    _ticks(svg, plane, ticks, ticks)
    _line(svg, "diagonal", plane.at(floor, floor), plane.at(ceiling, ceiling))
    for point in points:
        lower, observed = max(point.lower, floor), max(point.observed, floor)
        _line(svg, "whisker tone-a", plane.at(point.expected, lower), plane.at(point.expected, point.upper))
        _dot(svg, "dot tone-a" if point.observed > 0 else "dot hollow", plane.at(point.expected, observed))
    return _markup(svg)


def series_chart(
    categories: Sequence[str], series: Sequence[Series], words: ChartWords, frame: Frame, reference: float | None = None
) -> TrustedMarkup:
    """Draw values with intervals over ordered categories: one dot per series and category, and a reference line."""
    values = [
        value
        for one in series
        for point in one.points
        for value in (point.value, point.lower, point.upper)
        if value is not None
    ]
    values += [] if reference is None else [reference]
    low, high, ticks = nice_range(min(values, default=0.0), max(values, default=1.0))
    svg, plane = _axes(words, frame, (0, len(categories)), (low, high))
    shown = _every(len(categories), max(map(len, categories), default=1), frame)
    labels = [(i + 0.5, name) for i, name in enumerate(categories) if i % shown == 0]
    _ticks(svg, plane, labels, [(tick, _plain(tick, ticks)) for tick in ticks])
    if reference is not None:
        _line(svg, "diagonal", plane.at(0, reference), plane.at(len(categories), reference))
    for position, one in enumerate(series):
        shift = 0.5 + 0.16 * (position - (len(series) - 1) / 2)
        _series(svg, one, plane, shift)
    return _markup(svg)


def column_chart(
    categories: Sequence[str], stacks: Sequence[Sequence[float]], tones: Sequence[str], words: ChartWords, frame: Frame
) -> TrustedMarkup:
    """Draw stacked columns: ``stacks`` holds the heights of each category's parts, ``tones`` the colour of each part.

    Whole numbers are counts, fractions are shares and get percent on the axis.
    """
    highest = max((sum(stack) for stack in stacks), default=1.0)
    _, high, ticks = nice_range(0.0, highest)
    svg, plane = _axes(words, frame, (0, len(categories)), (0.0, high))
    shown = _every(len(categories), max(map(len, categories), default=1), frame)
    labels = [(i + 0.5, name) for i, name in enumerate(categories) if i % shown == 0]
    as_share = any(isinstance(height, float) for stack in stacks for height in stack)
    _ticks(svg, plane, labels, [(tick, percent(tick, 0) if as_share else _plain(tick, ticks)) for tick in ticks])
    for i, stack in enumerate(stacks):
        _stack(svg, stack, tones, (plane.x.place(i + 0.14), plane.x.place(i + 0.86)), plane.y)
    return _markup(svg)


def curve_chart(curves: Sequence[Curve], words: ChartWords, frame: Frame) -> TrustedMarkup:
    """Draw curves from the lower left to the upper right of a square of shares, with its diagonal."""
    svg, plane = _axes(words, frame, (0.0, 1.0), (0.0, 1.0))
    ticks = [(tick, percent(tick, 0)) for tick in (0.0, 0.25, 0.5, 0.75, 1.0)]
    _ticks(svg, plane, ticks, ticks)
    _line(svg, "diagonal", plane.at(0, 0), plane.at(1, 1))
    for curve in curves:
        places = [plane.at(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
        _element(svg, "polyline", points=_path(places), **{"class": f"curve tone-{curve.tone}"})
    return _markup(svg)


def mirrored_chart(
    edges: Sequence[float], above: Sequence[float], below: Sequence[float], words: ChartWords, frame: Frame
) -> TrustedMarkup:
    """Draw two histograms over the same bins, one upwards and one downwards from a common line."""
    _, highest, ticks = nice_range(0.0, max(*above, *below, 0.01), wanted=3)
    svg, plane = _axes(words, frame, (edges[0], edges[-1]), (-highest, highest))
    _, _, values = nice_range(edges[0], edges[-1])
    inside = [(value, _plain(value, values)) for value in values if edges[0] <= value <= edges[-1]]
    shown = [*(-tick for tick in reversed(ticks[1:])), *ticks]
    _ticks(svg, plane, inside, [(tick, percent(abs(tick), 0)) for tick in shown])
    for left, right, up, down in zip(edges, edges[1:], above, below, strict=False):
        sides = (plane.x.place(left) + 0.5, plane.x.place(right) - 0.5)
        _stack(svg, (up,), ("a",), sides, plane.y)
        _stack(svg, (-down,), ("against",), sides, plane.y)
    _line(svg, "zero", plane.at(edges[0], 0.0), plane.at(edges[-1], 0.0))
    return _markup(svg)


def month_bars(values: Sequence[float | None], title: str, year_starts: Sequence[int]) -> TrustedMarkup:
    """Draw one bar per month, from zero to the largest value, in the size of a table cell; None leaves a gap.

    Args:
        values: value of each month.
        title: what the bars show, for those who cannot see them.
        year_starts: positions of the months that begin a year, marked by thin lines.
    """
    width, height, step = 2.0 * max(len(values), 1), 22, 2.0
    svg = ET.Element(
        "svg",
        {
            "class": "month-bars",
            "role": "img",
            "aria-label": title,
            "viewBox": f"0 0 {width:g} {height}",
            "preserveAspectRatio": "none",
        },
    )
    ET.SubElement(svg, "title").text = title
    years = "".join(f"M{step * at:g} 0V{height}" for at in year_starts)
    _element(svg, "path", d=years or "M0 0", **{"class": "year"})
    highest = max((value for value in values if value is not None), default=0.0) or 1.0
    bars = []
    for at, value in enumerate(values):
        if value:
            # A month with little is still a month with something.
            top = height - max((height - 2) * value / highest, 0.8)
            bars.append(f"M{step * at:g} {height}V{top:.1f}h1.7V{height}z")
    _element(svg, "path", d="".join(bars) or "M0 0", **{"class": "bars"})
    return _markup(svg)


def dependence_chart(
    points: Sequence[DependencePoint],
    missing: float | None,
    limits: tuple[float, float],
    words: ChartWords,
    frame: Frame,
) -> TrustedMarkup:
    """Draw points against a feature's value: a line for the means, a band for most rows, a diamond for missing values.

    The horizontal axis counts groups of rows, so that long tails do not press the rest together; its ticks show the
    values themselves.
    """
    slots = len(points) + (1 if missing is not None else 0)
    low, high, ticks = nice_range(min(limits[0], 0.0), max(limits[1], 0.0), wanted=6)
    svg, plane = _axes(words, frame, (0, max(slots, 1)), (low, high))
    values = [_short(point.value) for point in points]
    shown = _every(len(points), max(map(len, values), default=1), frame)
    labels = [(i + 0.5, value) for i, value in enumerate(values) if i % shown == 0]
    _ticks(svg, plane, labels, [(tick, _plain(tick, ticks)) for tick in ticks])
    _line(svg, "zero", plane.at(0, 0), plane.at(max(slots, 1), 0))
    upper = [plane.at(i + 0.5, point.high) for i, point in enumerate(points)]
    lower = [plane.at(i + 0.5, point.low) for i, point in enumerate(points)]
    _element(svg, "polygon", points=_path([*upper, *reversed(lower)]), **{"class": "band"})
    means = [plane.at(i + 0.5, point.mean) for i, point in enumerate(points)]
    _element(svg, "polyline", points=_path(means), **{"class": "curve"})
    for place in means:
        _dot(svg, "dot tone-a", place, radius=2.2)
    if missing is not None:
        _diamond(svg, *plane.at(slots - 0.5, missing))
    return _markup(svg)


def nice_range(low: float, high: float, wanted: int = 5) -> tuple[float, float, tuple[float, ...]]:
    """Return round ends that enclose a range, and round ticks between them.

    Returns:
        Low end, high end, and ticks 1, 2 or 5 times a power of ten apart.
    """
    if high - low < 1e-9 * max(1.0, abs(low), abs(high)):
        widening = 0.1 * abs(high) if abs(high) > 1e-6 else 0.5
        low, high = low - widening, high + widening
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(position * step, 12) for position in range(first, last + 1))
    return ticks[0], ticks[-1], ticks


def _log_ticks(low: float, high: float) -> list[float]:
    inside = [tick for tick in LOG_TICKS if low <= tick <= high]
    return inside if len(inside) > 1 else [low, high]


def _rate(value: float) -> str:
    return percent(value, 0 if value >= 0.01 else 1 if value >= 0.001 else 2)


def _short(value: float) -> str:
    """Format a value for a tick: millions with an M, the rest with three significant digits."""
    return significant(value) if abs(value) < 999_500 else f"{significant(float(f'{value / 1e6:.3g}'))}M"


def _plain(value: float, ticks: Sequence[float]) -> str:
    """Format a tick with as many decimals as its neighbours need."""
    step = abs(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0
    return whole(value) if step >= 1 else number(value, math.ceil(-math.log10(step) - 1e-9))


def _every(count: int, longest: int, frame: Frame) -> int:
    """Return n such that a label at every n-th category fits."""
    room = (frame.width - frame.left - frame.right) / max(count, 1)
    return max(1, math.ceil((longest * CHARACTER_WIDTH + 8) / room))


def _axes(
    words: ChartWords, frame: Frame, x_range: tuple[float, float], y_range: tuple[float, float], *, is_log: bool = False
) -> tuple[ET.Element, Plane]:
    svg = ET.Element(
        "svg",
        {
            "class": "chart",
            "role": "img",
            "aria-label": words.title,
            "viewBox": f"0 0 {frame.width} {frame.height}",
            "width": str(frame.width),
            "height": str(frame.height),
        },
    )
    ET.SubElement(svg, "title").text = words.title
    x = Scale(*x_range, start=frame.left, end=frame.width - frame.right, is_log=is_log)
    y = Scale(*y_range, start=frame.height - frame.bottom, end=frame.top, is_log=is_log)
    middle_x, middle_y = (x.start + x.end) / 2, (y.start + y.end) / 2
    _text(svg, words.x_axis, (middle_x, frame.height - 6), "axis-words", "middle")
    turned = _text(svg, words.y_axis, (0, 0), "axis-words", "middle")
    turned.set("transform", f"translate(12 {middle_y:.1f}) rotate(-90)")
    return svg, Plane(x, y)


Label = tuple[float, str]


def _ticks(svg: ET.Element, plane: Plane, x_labels: Sequence[Label], y_labels: Sequence[Label]) -> None:
    x, y = plane.x, plane.y
    for value, label in y_labels:
        _line(svg, "grid", (x.start, y.place(value)), (x.end, y.place(value)))
        _text(svg, label, (x.start - 6, y.place(value) + 3.5), "tick", "end")
    _line(svg, "axis", (x.start, y.start), (x.end, y.start))
    for value, label in x_labels:
        _text(svg, label, (x.place(value), y.start + 15), "tick", "middle")


def _series(svg: ET.Element, series: Series, plane: Plane, shift: float) -> None:
    for i, point in enumerate(series.points):
        if point.value is None:
            continue
        if point.lower is not None and point.upper is not None:
            ends = plane.at(i + shift, point.lower), plane.at(i + shift, point.upper)
            _line(svg, f"whisker tone-{series.tone}", *ends)
        _dot(svg, f"dot tone-{series.tone}", plane.at(i + shift, point.value))


def _stack(svg: ET.Element, stack: Sequence[float], tones: Sequence[str], sides: tuple[float, float], y: Scale) -> None:
    base = 0.0
    for height, tone in zip(stack, tones, strict=True):
        top, bottom = sorted((y.place(base + height), y.place(base)))
        if height:
            size = {"x": f"{sides[0]:.1f}", "y": f"{top:.1f}", "width": f"{sides[1] - sides[0]:.1f}"}
            _element(svg, "rect", height=f"{bottom - top:.1f}", **size, **{"class": f"column tone-{tone}"})
        base += height


def _diamond(svg: ET.Element, x: float, y: float) -> None:
    corners = [(x, y - 4.5), (x + 4.5, y), (x, y + 4.5), (x - 4.5, y)]
    _element(svg, "polygon", points=_path(corners), **{"class": "missing"})


def _line(svg: ET.Element, name: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    x1, y1, x2, y2 = (f"{pixel:.1f}" for pixel in (*start, *end))
    _element(svg, "line", x1=x1, y1=y1, x2=x2, y2=y2, **{"class": name})


def _dot(svg: ET.Element, name: str, place: tuple[float, float], radius: float = 3.4) -> None:
    _element(svg, "circle", cx=f"{place[0]:.1f}", cy=f"{place[1]:.1f}", r=f"{radius:g}", **{"class": name})


def _text(svg: ET.Element, words: str, place: tuple[float, float], name: str, anchor: str) -> ET.Element:
    x, y = (f"{pixel:.1f}" for pixel in place)
    element = ET.SubElement(svg, "text", {"class": name, "x": x, "y": y, "text-anchor": anchor})
    element.text = words
    return element


def _element(svg: ET.Element, tag: str, **attributes: str) -> None:
    ET.SubElement(svg, tag, attributes)


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _markup(svg: ET.Element) -> TrustedMarkup:
    return TrustedMarkup(ET.tostring(svg, encoding="unicode"))
