"""A feature's value with its unit, as people write it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.reports.rendering import percent, significant

if TYPE_CHECKING:
    from pipelines.reports.rendering import Texts

LOGARITHM = "ln "
"""Prefix of the unit of a logarithm; the rest is the unit of the original value."""

RATIO = "ratio"
TIMES = "×"


def plain_value(value: float, unit: str) -> tuple[float, str]:
    """Return a value and its unit before the logarithm was taken; other values stay as they are.

    Amounts and counts enter models as ln(1 + amount), ratios as ln(ratio).
    """
    if not unit.startswith(LOGARITHM):
        return value, unit
    of = unit.removeprefix(LOGARITHM)
    return (math.exp(value), of) if of == RATIO else (math.expm1(value), of)


def unit_words(unit: str, texts: Texts) -> str:
    """Return the words for the unit of plain values; empty where the number needs none."""
    _, plain = plain_value(0.0, unit)
    return texts.of_code("unit", plain)


def value_with_unit(value: float | None, unit: str, texts: Texts) -> str:
    """Format a value: shares as percent, the rest with three significant digits and the name of the unit."""
    if value is None:
        return texts("value_missing")
    if unit == "share":
        return percent(value)
    shown, plain = plain_value(value, unit)
    if plain == RATIO and plain != unit:
        return f"{TIMES}{significant(shown)}"
    return f"{significant(shown)} {texts.of_code('unit', plain)}".strip()


def ratio_of_medians(trained: float | None, scored: float | None, unit: str) -> float | None:
    """Return the second median divided by the first; None unless both are above zero."""
    if trained is None or scored is None:
        return None
    before, after = plain_value(trained, unit)[0], plain_value(scored, unit)[0]
    return after / before if before > 0 and after > 0 else None
