"""Scored sellers by grade: the columns of a chart and a title that says what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.reports.grade_colours import STANDARD_GRADES, grade_colours
from pipelines.reports.lights import Finding
from pipelines.reports.rendering import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.index.run_record import GradeCount

GOOD_GRADES = ("A1", "A2", "A3", "B1")
RISKY_GRADES = ("C2", "C3")


@dataclass(frozen=True)
class GradeColumn:
    """One column: a grade, its sellers, their mean probability of default (None: no seller), colour and height."""

    grade: str
    sellers: int
    mean_probability: float | None
    colour: str
    height: float


def grade_columns(grades: Sequence[GradeCount]) -> tuple[GradeColumn, ...]:
    """Return a column for each grade, safest first; the usual scale is shown whole, grades without sellers too."""
    counted = {one.grade: one for one in grades}
    names = STANDARD_GRADES if set(counted) <= set(STANDARD_GRADES) else tuple(counted)
    tallest = max((one.sellers for one in grades), default=0) or 1
    columns = []
    for name, colour in zip(names, grade_colours(len(names)), strict=True):
        found = counted.get(name)
        sellers = found.sellers if found else 0
        columns.append(GradeColumn(name, sellers, found.mean_probability if found else None, colour, sellers / tallest))
    return tuple(columns)


def grades_title(grades: Sequence[GradeCount]) -> Finding:
    """Return the title of the chart: the shares of good and of risky grades, or a plain one on an unusual scale."""
    total = sum(one.sellers for one in grades)
    if not total or not {one.grade for one in grades} <= set(STANDARD_GRADES):
        return Finding("ok", "grades_plain")
    good = sum(one.sellers for one in grades if one.grade in GOOD_GRADES) / total
    risky = sum(one.sellers for one in grades if one.grade in RISKY_GRADES) / total
    return Finding("ok", "grades_shares", {"good": percent(good, 0), "risky": percent(risky, 0)})
