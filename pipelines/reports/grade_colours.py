"""Colours of a master scale: from blue for the safest grade to vermilion for the riskiest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.components.scale import GradeScale

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = ("#0f5a70", "#2b7287", "#4a8a9d", "#6da3b3", "#93bcc8", "#b9d5dd", "#e3c08a", "#c4810f", "#b84412")
"""One colour for each grade of the usual scale of nine."""

STANDARD_GRADES: tuple[str, ...] = GradeScale().names
"""Grades of the scale that models have unless their settings say otherwise."""


def grade_colours(count: int) -> tuple[str, ...]:
    """Return a colour for each of ``count`` grades, safest first; the two ends are always the same."""
    last = max(count - 1, 1)
    return tuple(COLOURS[round(position * (len(COLOURS) - 1) / last)] for position in range(count))


def coloured(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return each grade with its colour."""
    return tuple(zip(names, grade_colours(len(names)), strict=True))
