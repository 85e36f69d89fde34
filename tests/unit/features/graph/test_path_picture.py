"""The picture of the paths behind a signal: well-formed, the same every time, and small enough to read."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from features.graph.path_picture import MOST_NODES, draw_paths
from features.graph.paths import Path, Tie

if TYPE_CHECKING:
    from features.graph.path_words import Language

SVG = "{http://www.w3.org/2000/svg}"


def guarantee(start: str, end: str) -> Tie:
    return Tie(start, end, "guarantee", 500.0, dt.date(2023, 2, 1), "links.csv", 3)


def over_owner(far: str, day: dt.date | None = None) -> Path:
    return Path((Tie("a & <b>", "S0", "owner"), Tie("a & <b>", far, "owner")), far, day)


def texts(picture: str) -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - our own


@pytest.mark.parametrize(("language", "label"), [("en", "guarantees"), ("zh", "担保")])
def test_a_circle_has_its_sellers_and_a_word_on_every_link(language: Language, label: str) -> None:
    circle = Path((guarantee("S0", "S1"), guarantee("S1", "S2"), guarantee("S2", "S0")), "S0")
    picture = draw_paths([circle], "S0", language)
    assert sorted(texts(picture)) == sorted(["S0", "S1", "S2", label, label, label])
    assert picture.count("<circle") == 3
    assert picture == draw_paths([circle], "S0", language)


def test_a_default_is_named_and_names_cannot_break_the_picture() -> None:
    picture = draw_paths([over_owner("S1", dt.date(2024, 3, 5)), over_owner("S2")], "S0", "en")
    assert "in default since 2024-03-05" in texts(picture)
    assert {"a & <b>", "owner"} <= set(texts(picture))
    assert picture.count('class="bad"') == 1
    assert picture.count('class="party"') == 1


def test_what_does_not_fit_is_counted() -> None:
    many = [over_owner(f"S{number}") for number in range(1, 30)]
    picture = draw_paths(many, "S0", "en")
    drawn = picture.count("<circle") + picture.count("<rect")
    assert drawn == MOST_NODES
    assert f"{29 - (MOST_NODES - 2)} more paths are not drawn" in texts(picture)


def test_everything_is_inside_the_picture() -> None:
    paths = [over_owner(f"S{number}", dt.date(2024, 3, 5)) for number in range(1, 12)]
    picture = ElementTree.fromstring(draw_paths(paths, "S0", "en"))  # noqa: S314 - our own
    _, _, width, height = (int(part) for part in picture.attrib["viewBox"].split())
    for found in picture.iter(f"{SVG}circle"):
        assert 0 < int(found.attrib["cx"]) < width
        assert 0 < int(found.attrib["cy"]) < height
    for found in picture.iter(f"{SVG}text"):
        half = 4 * len(found.text or "") if found.get("text-anchor") else 0
        assert half <= int(found.attrib["x"]) <= width - half
        assert 14 < int(found.attrib["y"]) < height - 4


def test_parties_of_a_column_have_room_for_two_lines_below_each() -> None:
    picture = ElementTree.fromstring(draw_paths([over_owner(f"S{n}") for n in range(1, 11)], "S0", "en"))  # noqa: S314
    rows = sorted(int(found.attrib["cy"]) for found in picture.iter(f"{SVG}circle") if found.get("class") == "seller")
    assert len(rows) == 10
    assert all(below - above >= 50 for above, below in pairwise(rows))


def test_who_lent_on_a_pledge_stands_at_its_link() -> None:
    ties = [Tie("S0", "a" * 32, "pledge", lender=lender) for lender in ("LN08", "LN01")]
    said = texts(draw_paths([Path((ties[0], ties[1]), "S0")], "S0", "en"))
    assert said == ["pledged to LN08, pledged to LN01", "S0", "aaaaaaaaaaaaa…", "pledged asset"]


def test_a_seller_that_paid_late_is_named_so() -> None:
    tie = Tie("S0", "S1", "owner")
    picture = draw_paths([Path((tie,), "S1", days_late=45)], "S0", "zh")
    assert "逾期45天" in texts(picture)
    assert picture.count('class="bad"') == 1
