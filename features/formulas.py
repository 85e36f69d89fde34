"""Shapes that formulas share: shares, changes, logarithms, monthly values. Each becomes SQL over other features."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

MONTH_DAYS = 30
MONTHS = 12


class Change(BaseModel):
    """A change of a quantity from the earlier part of a window to its recent part.

    Attributes:
        of: the quantity.
        recent: length in days of the recent part.
        whole: length in days of the window.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    of: str
    recent: int
    whole: int

    def sql(self) -> str:
        """Return SQL for (recent - earlier) / (recent + earlier), between -1 and 1; missing when both are zero."""
        recent = f"GREATEST({self.of}_{self.recent}d, 0)"
        before = f"GREATEST({self.of}_{self.whole}d - {self.of}_{self.recent}d, 0)"
        return f"({recent} - {before}) / NULLIF({recent} + {before}, 0)"


def month(name: str, number: int) -> str:
    """Return SQL for the quantity in one 30-day month, 1 being the latest, from its nested windows."""
    newest = f"{name}_{MONTH_DAYS * number}d"
    return newest if number == 1 else f"({newest} - {name}_{MONTH_DAYS * (number - 1)}d)"


def monthly_variation(name: str) -> str:
    """Return SQL for the coefficient of variation of the twelve monthly values; missing when all are zero."""
    whole = f"{name}_{MONTH_DAYS * MONTHS}d"
    mean = f"({whole} / {MONTHS})"
    squares = " + ".join(
        f"({month(name, number)} - {mean}) * ({month(name, number)} - {mean})" for number in range(1, MONTHS + 1)
    )
    return f"CASE WHEN {whole} > 0 THEN SQRT(({squares}) / {MONTHS - 1}) / {mean} END"


def seasonal_variation(name: str) -> str:
    """Return SQL for the spread of twelve monthly changes against the same months of the year before.

    Each change is the logarithm of the month over the month a year earlier, so that a season that returns every year
    counts as nothing. The result is their standard deviation; missing unless all 24 months have a positive value.
    """
    changes = [f"LN({month(name, number)} / {month(name, number + MONTHS)})" for number in range(1, MONTHS + 1)]
    total, squares = " + ".join(changes), " + ".join(f"{change} * {change}" for change in changes)
    spread = f"GREATEST({squares} - ({total}) * ({total}) / {MONTHS}, 0)"
    positive = " AND ".join(f"{month(name, number)} > 0" for number in range(1, 2 * MONTHS + 1))
    return f"CASE WHEN {positive} THEN SQRT({spread} / {MONTHS - 1}) END"


def active_months(name: str) -> str:
    """Return SQL for the number of months, out of twelve, in which the quantity was not zero."""
    return " + ".join(f"CASE WHEN {month(name, number)} <> 0 THEN 1 ELSE 0 END" for number in range(1, MONTHS + 1))


def share(part: str, whole: str) -> str:
    """Return SQL for a ratio that is missing unless its denominator is above zero."""
    part, whole = _bracketed(part), _bracketed(whole)
    return f"CASE WHEN {whole} > 0 THEN {part} / {whole} END"


def _bracketed(expression: str) -> str:
    """Return the expression in brackets unless it is a name or one call of a function."""
    is_whole = re.fullmatch(r"[\w{}]+(\(.*\))?", expression)
    return expression if is_whole else f"({expression})"


def logarithm(amount: str) -> str:
    """Return SQL for ln(1 + amount); negative amounts count as zero."""
    return f"LN(1 + GREATEST({amount}, 0))"
