"""The shared style sheet: text is readable, states need no colour, nothing is loaded."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from pipelines.reports.grade_colours import COLOURS, STANDARD_GRADES, coloured, grade_colours
from pipelines.reports.rendering import compact_style

STYLE = resources.files("pipelines.reports.templates").joinpath("style.css").read_text(encoding="utf-8")
LAYOUT = resources.files("pipelines.reports.templates").joinpath("layout.html.j2").read_text(encoding="utf-8")
TOKENS = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", STYLE))
SMALLEST_CONTRAST = 4.6
SMALLEST_CONTRAST_OF_MARKS = 3.1

GROUNDS_OF_TEXT = {
    "ink": ("paper", "desk", "tint", "accent-tint", "caution-tint", "against-tint"),
    "muted": ("paper", "tint", "accent-tint"),
    "faint": ("paper", "tint"),
    "accent": ("paper", "tint", "accent-tint"),
    "for": ("paper", "tint"),
    "against": ("paper", "tint"),
    "caution": ("paper", "caution-tint"),
    "ok": ("paper", "tint"),
}
"""The backgrounds of each text colour."""


def luminance(colour: str) -> float:
    """Return relative luminance as defined by WCAG 2.2."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_contrast_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize(("text", "ground"), [(text, g) for text, grounds in GROUNDS_OF_TEXT.items() for g in grounds])
def test_text_is_readable_on_every_background(text: str, ground: str) -> None:
    assert contrast(TOKENS[text], TOKENS[ground]) >= SMALLEST_CONTRAST


def test_every_colour_of_text_is_tried() -> None:
    used = set(re.findall(r"[{; ]color: var\(--([a-z0-9-]+)\)", STYLE))
    marks = {"caution-mark"}  # only ever the colour of a shape
    assert used - marks <= set(GROUNDS_OF_TEXT)


@pytest.mark.parametrize("mark", ["caution-mark", "against", "for", "ok", "s1", "s2", "s3", "s4", "accent-mid"])
def test_marks_can_be_seen_on_paper(mark: str) -> None:
    assert contrast(TOKENS[mark], TOKENS["paper"]) >= SMALLEST_CONTRAST_OF_MARKS


def test_every_state_has_a_shape_of_its_own() -> None:
    shapes = re.findall(r'<symbol id="shape-(\w+)"[^>]*>(.*?)</symbol>', LAYOUT)
    assert {name for name, _ in shapes} == {"ok", "watch", "stop", "none", "half"}
    assert len({drawing for _, drawing in shapes}) == len(shapes)


def test_every_token_that_is_used_is_defined() -> None:
    defined = set(re.findall(r"--([a-z0-9-]+):", STYLE))
    assert set(re.findall(r"var\(--([a-z0-9-]+)\)", STYLE)) - {"c"} <= defined


def test_nothing_but_comments_and_blanks_is_left_out_of_a_page() -> None:
    compact = compact_style(STYLE)
    assert "/*" not in compact
    assert "\n\n" not in compact
    assert re.sub(r"\s+", "", compact) == re.sub(r"\s+", "", re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL))


@pytest.mark.parametrize("count", [1, 2, 7, 9, 12])
def test_a_scale_runs_from_blue_to_vermilion(count: int) -> None:
    colours = grade_colours(count)
    assert len(colours) == count
    assert colours[0] == COLOURS[0]
    assert count == 1 or colours[-1] == COLOURS[-1]


def test_the_usual_scale_has_a_colour_for_each_grade() -> None:
    assert coloured(STANDARD_GRADES) == tuple(zip(STANDARD_GRADES, COLOURS, strict=True))
