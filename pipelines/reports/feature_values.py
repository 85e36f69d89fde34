"""A feature's value with its unit, as people write it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.reports.rendering import percent, significant

if TYPE_CHECKING:
    from pipelines.reports.rendering import Texts

LOGARITHM = "ln "
"""How the unit of a logarithm begins; what follows is the unit of the thing itself."""

RATIO = "ratio"
TIMES = "×"


def plain_value(value: float, unit: str) -> tuple[float, str]:
    """A value and its unit as people think of them: a logarithm is undone, everything else stays.

    Amounts and counts enter models as ln(1 + amount), ratios as ln(ratio).
    """
    if not unit.startswith(LOGARITHM):
        return value, unit
    of = unit.removeprefix(LOGARITHM)
    return (math.exp(value), of) if of == RATIO else (math.expm1(value), of)


def unit_words(unit: str, texts: Texts) -> str:
    """Words for the unit of plain values; nothing where the number speaks for itself."""
    _, plain = plain_value(0.0, unit)
    return texts.of_code("unit", plain)


def value_with_unit(value: float | None, unit: str, texts: Texts) -> str:
    """A value in words: shares as percent, the rest with three significant digits and the unit's name."""
    if value is None:
        return texts("value_missing")
    if unit == "share":
        return percent(value)
    shown, plain = plain_value(value, unit)
    if plain == RATIO and plain != unit:
        return f"{TIMES}{significant(shown)}"
    return f"{significant(shown)} {texts.of_code('unit', plain)}".strip()


def ratio_of_medians(trained: float | None, scored: float | None, unit: str) -> float | None:
    """How many times as large the second median is; None unless both are above zero."""
    if trained is None or scored is None:
        return None
    before, after = plain_value(trained, unit)[0], plain_value(scored, unit)[0]
    return after / before if before > 0 and after > 0 else None
