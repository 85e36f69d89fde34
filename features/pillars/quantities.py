"""Quantities that feed derived features: the same sum or count over several windows.

They are base features like any other, computed in the same pass, but no member of a set: a ratio, a trend or a share
of them is. What is summed over which table stands in ``features.parts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.record import Feature, Pillar

if TYPE_CHECKING:
    from collections.abc import Iterable

MONTH_DAYS = 30
MONTHS = 12
# Windows whose differences are the last twelve months of thirty days.
MONTHLY = tuple(MONTH_DAYS * month for month in range(1, MONTHS + 1))


@dataclass(frozen=True)
class Quantity:
    """A sum (with ``value``) or a count (without) over rows of a table, to be taken over windows.

    Attributes:
        name: of the quantity; the part over 90 days is called ``<name>_90d``, over all history ``<name>_all``.
        table: canonical table.
        where: SQL condition on rows.
        value: SQL expression that is summed; None counts rows.
        meaning: what is summed or counted, in words.
        pillar: where the feature page lists it.
    """

    name: str
    table: str
    where: str | None
    value: str | None
    meaning: str
    pillar: Pillar

    def over(self, window_days: int | None) -> Feature:
        """The part over one window; None for all history."""
        return Feature(
            name=f"{self.name}_{'all' if window_days is None else f'{window_days}d'}",
            pillar=self.pillar,
            family="part",
            table=self.table,
            aggregate="count" if self.value is None else "sum",
            value=self.value,
            where=self.where,
            window_days=window_days,
            unit="count" if self.value is None else "USD",
            direction=0,
            description=self.meaning,
            missing="The table was not delivered for the window.",
            stops_with_trading=window_days is not None and self.pillar != "liquidity",
            is_part=True,
        )


def parts(quantity: Quantity, windows: Iterable[int | None]) -> tuple[Feature, ...]:
    """The quantity over each window."""
    return tuple(quantity.over(window) for window in windows)


def month(name: str, number: int) -> str:
    """SQL for the quantity in one month of thirty days, the latest being 1, from its nested windows."""
    newest = f"{name}_{MONTH_DAYS * number}d"
    return newest if number == 1 else f"({newest} - {name}_{MONTH_DAYS * (number - 1)}d)"


def monthly_variation(name: str) -> str:
    """SQL for the coefficient of variation of the twelve monthly values; missing when all are zero."""
    whole = f"{name}_{MONTH_DAYS * MONTHS}d"
    mean = f"({whole} / {MONTHS})"
    squares = " + ".join(
        f"({month(name, number)} - {mean}) * ({month(name, number)} - {mean})" for number in range(1, MONTHS + 1)
    )
    return f"CASE WHEN {whole} > 0 THEN SQRT(({squares}) / {MONTHS - 1}) / {mean} END"


def active_months(name: str) -> str:
    """SQL for the number of the twelve months in which the quantity was not zero."""
    return " + ".join(f"CASE WHEN {month(name, number)} <> 0 THEN 1 ELSE 0 END" for number in range(1, MONTHS + 1))


def change(name: str, recent_days: int, whole_days: int) -> str:
    """SQL for (recent - before) / (recent + before), between -1 and 1; missing when neither has anything."""
    recent = f"GREATEST({name}_{recent_days}d, 0)"
    before = f"GREATEST({name}_{whole_days}d - {name}_{recent_days}d, 0)"
    return f"({recent} - {before}) / NULLIF({recent} + {before}, 0)"


def share(part: str, whole: str) -> str:
    """SQL for a ratio that is missing when the whole is not above zero."""
    return f"CASE WHEN {whole} > 0 THEN {part} / {whole} END"


def logarithm(amount: str) -> str:
    """SQL for ln(1 + amount), amounts below zero counting as zero."""
    return f"LN(1 + GREATEST({amount}, 0))"
